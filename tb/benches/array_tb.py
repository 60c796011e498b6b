"""cocotb tests of the top block; started by ``tb/test_array_tb.py``."""

import os

import cocotb

from golden.array.frames import Cause, Op
from tb.benches.array_bench import COMMANDS, ArrayBench, config_from_environment
from tb.benches.array_stimulus import Stimulus

TESTS = 11  # with their parameters


async def started(dut, *, stalled: bool, stream: int = 0) -> tuple[ArrayBench, Stimulus, int]:
    """Bench, stimulus and number of commands."""
    bench = ArrayBench(dut, config_from_environment(), stalled=stalled, stream=stream)
    await bench.start()
    return bench, Stimulus(bench.config, bench.rng), int(os.environ[COMMANDS])


@cocotb.test(timeout_time=20, timeout_unit="ms")
@cocotb.parametrize(stalled=[False, True], stream=[0, 1])
async def every_command_back_to_back(dut, stalled, stream):
    """All commands in random order on random column ranges; without stalls the cycles count."""
    bench, stimulus, commands = await started(dut, stalled=stalled, stream=stream)
    frames = stimulus.sequence(commands)
    causes = await bench.run(frames)
    assert set(causes) == {Cause.NONE}, causes
    await bench.finish(expected=len(frames))


@cocotb.test(timeout_time=20, timeout_unit="ms")
@cocotb.parametrize(stalled=[False, True], stream=[0, 1])
async def malformed_frames(dut, stalled, stream):
    """Each sets its cause, which sticks until STATUS, and leaves the array as the model has it."""
    bench, stimulus, _ = await started(dut, stalled=stalled, stream=stream)
    rng = bench.rng
    frames = stimulus.prologue()
    expected = [Cause.NONE] * len(frames)
    malformed = list(stimulus.malformed())
    rng.shuffle(malformed)
    for number, (cause, frame) in enumerate(malformed):
        # Faults behind the first one, and sound commands, do not cover it.
        later = [frame for _, frame in malformed[number + 1 : number + 2]] * int(rng.integers(2))
        later += [stimulus.sound(Op.FORWARD), stimulus.status()]
        frames += [frame, *later, stimulus.status()]
        expected += [cause] * (1 + len(later)) + [Cause.NONE]
    for _ in range(10):
        frames += [stimulus.noise(), stimulus.status()]
    frames += [stimulus.status(), *stimulus.epilogue()]
    causes = await bench.run(frames)
    assert causes[: len(expected)] == expected, list(zip(causes, expected, strict=False))
    assert causes[-3:] == [Cause.NONE] * 3
    await bench.finish(expected=len(frames))


@cocotb.test(timeout_time=20, timeout_unit="ms")
async def reset_in_a_command(dut):
    """Reset at any time: no answer of the old, generators as at first, cause 0, sound answers."""
    bench, stimulus, _ = await started(dut, stalled=True)
    await bench.run(stimulus.prologue())
    for op in (
        Op.FORWARD,
        Op.UPDATE,
        Op.AGE,
        Op.SEED,
        Op.BACKWARD,
        Op.GENERATORS,
        Op.PROGRAM,
        Op.READ,
    ):
        bench.send([stimulus.header(15)])  # a cause for the reset to clear
        for _ in range(3):
            bench.send(stimulus.sound(op))
        await bench.wait(int(bench.rng.integers(4, 60)))
        await bench.reset(int(bench.rng.integers(1, 4)))
        frames = [[stimulus.header(Op.GENERATORS)], *stimulus.prologue()]
        frames += [stimulus.sound(Op.UPDATE), stimulus.sound(Op.FORWARD), *stimulus.epilogue()]
        causes = await bench.run(frames)
        assert set(causes) == {Cause.NONE}, causes
        await bench.finish(expected=len(frames))


@cocotb.test(timeout_time=20, timeout_unit="ms")
async def reset_keeps_cells_and_table(dut):
    """Between commands reset touches generators and cause alone."""
    bench, stimulus, commands = await started(dut, stalled=False)
    frames = stimulus.sequence(commands // 2)
    await bench.run(frames)
    await bench.finish(expected=len(frames))
    await bench.reset(idle=True)
    frames = [*stimulus.epilogue(), *[stimulus.sound(Op.UPDATE)] * 3, *stimulus.epilogue()]
    await bench.run(frames)
    await bench.finish(expected=len(frames))


@cocotb.test(timeout_time=20, timeout_unit="ms")
async def nothing_is_left_after_a_reset(dut):
    """Reset in the middle of commands that change neither cells nor table. The next command shows
    row sums, counts or the cause."""
    bench, stimulus, _ = await started(dut, stalled=False)
    await bench.run(stimulus.prologue())
    malformed = list(stimulus.malformed())
    trits = [frame for cause, frame in malformed if cause is Cause.TRIT]
    shorts = [f for cause, f in malformed if cause is Cause.SHORT and f[0] & 15 == Op.BACKWARD]
    for cycles in range(1, 30):
        for frame in (stimulus.sound(Op.BACKWARD), trits[0], shorts[-1]):
            bench.send(frame)
            await bench.wait(cycles)
            await bench.reset(0, idle=True)
            first = Op.BACKWARD if cycles % 2 else Op.STATUS
            frames = [stimulus.sound(first), stimulus.sound(Op.READ)]
            frames += [stimulus.sound(Op.COUNTERS)] * bench.config.counters
            causes = await bench.run(frames)
            assert set(causes) == {Cause.NONE}, causes
            await bench.finish(expected=len(frames))

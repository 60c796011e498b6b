"""Faults at the accelerator's ports and their effects: the single list for the tests in
``tb.benches.accelerator_tb`` and for ``docs/faults.md``."""

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np
import pytest

from golden.accel import packets
from golden.accel.interface import Space
from golden.accel.packets import HEADER, RANGE, PacketOp
from golden.accel.program import WORDS, Code, Instruction, assemble
from golden.array import frames
from golden.array.frames import Op
from golden.registers import Fault, by_name
from tb.benches.accelerator_bench import ARRAY, BATCH, CONFIG, WRITABLE

NONE, ALONE = "none", "a first word with the fault"
UNCHANGED = "unchanged"
# A program that fails in the middle of an instruction has written what came before.
SAFE = [Space.PROGRAM, Space.LABELS, Space.THRESHOLDS, Space.STATES]


@dataclass(frozen=True)
class Scenario:
    """An action, as text and as ``act``, and its effects.

    ``act(bench)`` leaves the accelerator idle, with ``cause`` in its status, and nothing to come;
    ``spaces`` are then as the twin's; ``done`` if a program has ended.
    """

    stimulus: str
    cause: Fault
    answer: str
    data: str
    act: Callable
    spaces: tuple = tuple(WRITABLE)
    done: bool = False


SCENARIOS: dict[str, Scenario] = {}


def scenario(name, stimulus, cause, answer, data=UNCHANGED, **more):
    """Enter a function as a scenario."""

    def enter(act):
        SCENARIOS[name] = Scenario(stimulus, cause, answer, data, act, **more)
        return act

    return enter


def head(op, space=0):
    return frames.control(HEADER, op=op, space=space)


def place(first, count):
    return frames.control(RANGE, first=first, count=count)


@scenario("unknown operation", "a packet of operation 9", Fault.PACKET, NONE)
def _(bench):
    bench.port.send([head(9), 1, 2, 3])


@scenario("unknown space", "READ of space 9", Fault.RANGE, ALONE)
def _(bench):
    bench.port.send([head(PacketOp.READ, 9), place(0, 1)])
    bench.refused(PacketOp.READ, 9, Fault.RANGE)


@scenario("unknown tile", "FRAME for a non-existent tile", Fault.RANGE, ALONE)
def _(bench):
    bench.port.send([head(PacketOp.FRAME, CONFIG.tiles), 1, 2, 3])
    bench.refused(PacketOp.FRAME, CONFIG.tiles, Fault.RANGE)


@scenario("write beyond a memory", "WRITE whose last word lies beyond", Fault.RANGE, NONE)
def _(bench):
    words = CONFIG.threshold_words
    bench.port.send([head(PacketOp.WRITE, Space.THRESHOLDS), place(words - 1, 2), *[1] * 12])


@scenario("read beyond a memory", "READ whose last word lies beyond", Fault.RANGE, ALONE)
def _(bench):
    bench.port.send([head(PacketOp.READ, Space.LABELS), place(1, CONFIG.positions)])
    bench.refused(PacketOp.READ, Space.LABELS, Fault.RANGE)


@scenario("no words", "WRITE of 0 words", Fault.RANGE, NONE)
def _(bench):
    bench.port.send([head(PacketOp.WRITE, Space.LABELS), place(0, 0), 5])


@scenario("write of results", "WRITE to RESULTS", Fault.RANGE, NONE)
def _(bench):
    bench.port.send([head(PacketOp.WRITE, Space.RESULTS), place(0, 1), 5])


@scenario(
    "zero generator state", "WRITE of a state 0 to GENERATORS", Fault.RANGE, NONE,
    "that word is not written",
)  # fmt: skip
def _(bench):
    bench.port.send([head(PacketOp.WRITE, Space.GENERATORS), place(0, 1), 0, 0])


@scenario(
    "short write", "WRITE that ends within a word", Fault.SHORT, NONE,
    "the words before it are written",
)  # fmt: skip
def _(bench):
    values = np.ones((2, CONFIG.tiles, 4), np.int64)
    bench.port.send(packets.write(Space.THRESHOLDS, 0, values, CONFIG)[:-2])
    bench.twin.write(Space.THRESHOLDS, values[:1])


@scenario(
    "long write", "WRITE of more words than announced", Fault.LONG, NONE,
    "the announced words are written",
)  # fmt: skip
def _(bench):
    bench.port.send([head(PacketOp.WRITE, Space.LABELS), place(1, 1), 2, 1, 1])
    bench.twin.write(Space.LABELS, [2], 1)


@scenario("write without words", "WRITE that ends after its range", Fault.SHORT, NONE)
def _(bench):
    bench.port.send([head(PacketOp.WRITE, Space.LABELS), place(0, 1)])


@scenario("short read", "READ without a range", Fault.SHORT, ALONE)
def _(bench):
    bench.port.send([head(PacketOp.READ, Space.LABELS)])
    bench.refused(PacketOp.READ, Space.LABELS, Fault.SHORT)


@scenario("long read", "READ with words after its range", Fault.LONG, ALONE)
def _(bench):
    bench.port.send([head(PacketOp.READ, Space.LABELS), place(0, 1), 7, 8])
    bench.refused(PacketOp.READ, Space.LABELS, Fault.LONG)


@scenario("frame without words", "FRAME that ends after its first word", Fault.SHORT, ALONE)
def _(bench):
    bench.port.send([head(PacketOp.FRAME, 1)])
    bench.refused(PacketOp.FRAME, 1, Fault.SHORT)


def answered(bench, tile):
    """The cause in the trailer of a tile's answer; the tile has forgotten it then."""
    parts = -(-frames.result_bits(ARRAY) // 32)
    answer = bench.port.receive()
    assert int(answer[0]) == head(PacketOp.FRAME, tile)
    trailer = int(answer[-parts]) | int(answer[1 - parts]) << 32
    status = frames.frame(ARRAY, frames.control(frames.HEADER, op=Op.STATUS))
    bench.port.send(packets.frame(tile, status))
    bench.port.receive()
    return frames.field(frames.TRAILER, "cause", trailer)


@scenario(
    "malformed frame", "FRAME with a command that the array does not know", Fault.FRAME,
    "the array's, with its own cause",
)  # fmt: skip
def _(bench):
    command = frames.frame(ARRAY, frames.control(frames.HEADER, op=15))
    bench.port.send(packets.frame(1, command))
    assert answered(bench, 1)


@scenario(
    "frame without data", "FRAME with a command that lacks its data", Fault.FRAME,
    "the array's, with its own cause",
)  # fmt: skip
def _(bench):
    command = frames.frame(ARRAY, frames.control(frames.HEADER, op=Op.FORWARD, count=1))
    bench.port.send(packets.frame(0, command))
    assert answered(bench, 0)


@scenario(
    "short frame", "FRAME that ends within a word", Fault.SHORT, "the array's, with its own cause",
)  # fmt: skip
def _(bench):
    command = frames.frame(ARRAY, frames.control(frames.HEADER, op=15))
    bench.port.send(packets.frame(0, command)[:-1])
    assert answered(bench, 0)


@scenario(
    "packets during a program", "WRITE, READ and FRAME, a table load, while a program runs",
    Fault.BUSY,
    "READ, FRAME: a first word with the fault; then the program's", done=True,
)  # fmt: skip
def _(bench):
    bench.start()
    bench.port.send([head(PacketOp.WRITE, Space.LABELS), place(0, 1), 2])
    bench.port.send([head(PacketOp.READ, Space.LABELS), place(0, 1)])
    bench.refused(PacketOp.READ, Space.LABELS, Fault.BUSY)
    certain = np.full((ARRAY.codes, 2), 1 << ARRAY.draw_bits)
    bench.port.send(packets.frame(0, frames.table_frame(ARRAY, certain, 0 * certain, 0)))
    bench.refused(PacketOp.FRAME, 0, Fault.BUSY)
    bench.results(at=bench.plan.infer_at)


@scenario(
    "start during a program", "start while a program runs", Fault.BUSY, "the program's", done=True
)
def _(bench):
    bench.start()
    bench.control("start")
    bench.results(at=bench.plan.infer_at)


@scenario(
    "two faults", "an unknown operation, then a WRITE of 0 words", Fault.PACKET, NONE,
    UNCHANGED + "; the first fault stays",
)  # fmt: skip
def _(bench):
    bench.port.send([head(9)])
    bench.port.send([head(PacketOp.WRITE, Space.LABELS), place(0, 0), 1])


def fails(bench, *steps, at=0):
    """Run a program whose last instruction fails."""
    program = assemble(list(steps))
    program = program if at else program[:-WORDS]
    at = at or CONFIG.program_words - len(program) - WORDS
    bench.block.write(Space.PROGRAM, program, at)
    bench.network._loaded.clear()
    bench.start(at=at)
    bench.refused(PacketOp.RUN, 0, Fault.PROGRAM)
    assert bench.read("STATUS") >> 16 == at + (len(steps) - 1) * WORDS


SOUND = Instruction(code=Code.FORWARD, score=1, positions=BATCH)
BEYOND = 40000
WRONG = {
    "unknown instruction": ("of code 9", replace(SOUND, code=9)),
    "zero count": ("of 0 column groups", replace(SOUND, groups=0)),
    "inputs beyond": ("with inputs beyond their memory", replace(SOUND, in_base=BEYOND)),
    "weights beyond": ("with non-existent columns", replace(SOUND, cells=BEYOND)),
    "thresholds beyond": ("with thresholds beyond their memory", replace(SOUND, thresholds=BEYOND)),
    "outputs beyond": (
        "with outputs beyond their memory", replace(SOUND, score=0, out_base=BEYOND),
    ),
    "errors beyond": (
        "with errors beyond their memory",
        Instruction(code=Code.BACKWARD, positions=BATCH, errors=BEYOND),
    ),
    "errors of inputs beyond": (
        "with errors of inputs beyond their memory",
        Instruction(code=Code.BACKWARD, positions=BATCH, in_errors=BEYOND),
    ),
    "positions beyond": (
        "with more positions than exist", replace(SOUND, height=50, positions=50 * BATCH),
    ),
}  # fmt: skip
for _name, (_text, _step) in WRONG.items():
    SCENARIOS[_name] = Scenario(
        f"an instruction {_text}", Fault.PROGRAM, ALONE,
        "earlier instructions executed; this one partly, cells unchanged",
        lambda bench, step=_step: fails(bench, replace(SOUND, thresholds=1), step),
        tuple(SAFE), True,
    )  # fmt: skip


@scenario(
    "program without an end", "a program that runs off its memory", Fault.PROGRAM, ALONE,
    "earlier instructions executed", spaces=tuple(SAFE), done=True,
)  # fmt: skip
def _(bench):
    at = CONFIG.program_words - WORDS - 3
    bench.block.write(Space.PROGRAM, assemble([SOUND])[:WORDS], at)
    bench.network._loaded.clear()
    bench.start(at=at)
    bench.refused(PacketOp.RUN, 0, Fault.PROGRAM)
    assert bench.read("STATUS") >> 16 == at + WORDS


@scenario(
    "stop", "stop while a program runs", Fault.STOPPED, ALONE,
    "earlier instructions executed; the current one partly", spaces=tuple(SAFE), done=True,
)  # fmt: skip
def _(bench):
    bench.start()
    bench.control("stop")
    bench.refused(PacketOp.RUN, 0, Fault.STOPPED)


@scenario("stop of a start", "start and stop at once", Fault.STOPPED, ALONE, done=True)
def _(bench):
    bench.write("BATCH", BATCH)
    bench.control("start", "stop")
    bench.refused(PacketOp.RUN, 0, Fault.STOPPED)


@scenario("no batch", "start with a BATCH of 0", Fault.PROGRAM, ALONE, done=True)
def _(bench):
    bench.write("BATCH", 0)
    bench.control("start")
    bench.refused(PacketOp.RUN, 0, Fault.PROGRAM)


@scenario("batch too large", "start with a BATCH that results do not hold", Fault.PROGRAM, ALONE,
          done=True)  # fmt: skip
def _(bench):
    bench.write("BATCH", CONFIG.positions + 1)
    bench.control("start")
    bench.refused(PacketOp.RUN, 0, Fault.PROGRAM)


@scenario("stop without a program", "stop while nothing runs", Fault.NONE, NONE)
def _(bench):
    bench.control("stop")


@scenario("write to a read-only register", "write to ID", Fault.REGISTER, "SLVERR")
def _(bench):
    refused(bench.port.write_register, by_name()["ID"].address, 5)


@scenario("no register", "read and write where there is none", Fault.REGISTER, "SLVERR, SLVERR")
def _(bench):
    refused(bench.port.read_register, 0xFC)
    refused(bench.port.write_register, 0x1C, 1)


def refused(access, *arguments):
    """A register access that raises."""
    with pytest.raises(RuntimeError, match=r"^refused"):
        access(*arguments)


@scenario(
    "results not taken", "a program's results are not taken for a long time", Fault.NONE,
    "the program's, whole, when they are taken", done=True,
)  # fmt: skip
def _(bench):
    bench.port.hold_results(True)
    bench.start()
    bench.port.wait(1500)
    assert bench.read("STATUS") == 0, "the program itself is over"
    assert bench.port.sink.empty()
    bench.port.hold_results(False)
    bench.results(at=bench.plan.infer_at)


@scenario("packets back to back", "WRITE and READ in turn without a pause", Fault.NONE, "all")
def _(bench):
    labels = bench.rng.integers(0, 3, (12, CONFIG.positions))
    for row in labels:
        bench.port.queue(packets.write(Space.LABELS, 0, row, CONFIG))
        bench.port.queue(packets.read(Space.LABELS, 0, CONFIG.positions))
    for row in labels:
        assert (bench.port.receive()[1:] == row).all()
    bench.twin.write(Space.LABELS, labels[-1])


@scenario(
    "reset in a packet", "reset while a WRITE is on its way", Fault.NONE, NONE,
    "the words before it are written; generators in their initial state",
)  # fmt: skip
def _(bench):
    values = bench.twin.read(Space.THRESHOLDS)
    bench.port.queue(packets.write(Space.THRESHOLDS, 0, values, CONFIG)[:9])
    bench.port.wait(int(bench.rng.integers(1, 12)))
    bench.reset()


@scenario(
    "reset in a program", "reset while a program runs", Fault.NONE, NONE,
    "current instruction partly executed; generators in their initial state", spaces=tuple(SAFE),
)  # fmt: skip
def _(bench):
    bench.start()
    bench.port.wait(int(bench.rng.integers(1, 200)))
    bench.reset()


@scenario(
    "reset in a register access", "reset between a register's address and its answer", Fault.NONE,
    NONE, UNCHANGED + "; generators in their initial state",
)  # fmt: skip
def _(bench):
    bench.port.registers.init_write(by_name()["BATCH"].address, b"\1\0\0\0")
    bench.port.registers.init_read(by_name()["ID"].address, 4)
    bench.port.wait(int(bench.rng.integers(1, 8)))
    bench.reset()

# amaranth: UnusedElaboratable=no
"""Loops, divider, scaling of errors and pulse coder of the accelerator, each against plain
arithmetic."""

import itertools
from fractions import Fraction

import numpy as np
import pytest
from accel_model import ONE, times_power
from amaranth.hdl import Module, Signal, signed
from hdl_sim import simulate

from golden.accel.config import AcceleratorConfig
from golden.array.lfsr import Streams
from golden.config import ArrayConfig
from golden.pulse.table import code_values
from hdl.accel.divider import Divider
from hdl.accel.loops import Loops, clip
from hdl.accel.pulse_coder import LATENCY, PulseCoder
from hdl.accel.requantise import Requantise


def number_of(flags):
    return sum(flag << k for k, flag in enumerate(flags))


@pytest.mark.parametrize(
    ("counts", "stall"),
    [
        ((1,), 0.5),
        ((3,), 0.0),
        ((2, 1, 3), 0.0),
        ((3, 2, 2), 0.5),
        ((1, 1, 4, 1), 0.3),
        ((1, 1), 0),
    ],
)
def test_loops_are_the_product(counts, stall):
    rng, levels = np.random.default_rng(1), len(counts)
    loops = Loops(levels, 2)
    bases = rng.integers(0, 1 << 16, 2).tolist()
    strides = rng.integers(0, 1 << 16, (2, levels)).tolist()
    points = list(itertools.product(*(range(count) for count in counts)))

    async def testbench(ctx):
        ctx.set(loops.counts, list(counts))
        ctx.set(loops.base, bases)
        ctx.set(loops.strides, strides)
        for _ in range(2):  # the second time from where the first one ended
            ctx.set(loops.start, 1)
            await ctx.tick()
            ctx.set(loops.start, 0)
            for number, point in enumerate(points):
                assert ctx.get(loops.valid) == 1
                assert list(ctx.get(loops.index)) == list(point)
                assert ctx.get(loops.first) == number_of(i == 0 for i in point)
                ends = zip(point, counts, strict=True)
                assert ctx.get(loops.last) == number_of(i == n - 1 for i, n in ends)
                following = points[number + 1] if number + 1 < len(points) else point
                moved = [k for k in range(levels) if following[k] != point[k]]
                assert ctx.get(loops.goes_on) == (1 << moved[0] if moved else 0)
                for k in range(2):
                    address = bases[k] + sum(i * s for i, s in zip(point, strides[k], strict=True))
                    assert ctx.get(loops.address[k]) == address % (1 << 17)
                while rng.random() < stall:
                    await ctx.tick()
                ctx.set(loops.step, 1)
                await ctx.tick()
                ctx.set(loops.step, 0)
            assert ctx.get(loops.valid) == 0

    simulate(loops, testbench)


def test_loops_start_anew_and_stop():
    loops = Loops(2, 1)

    async def testbench(ctx):
        ctx.set(loops.counts, [3, 3])
        ctx.set(loops.strides, [[10, 1]])
        ctx.set(loops.step, 1)
        for steps in (4, 2):
            ctx.set(loops.base, [100 * steps])
            ctx.set(loops.start, 1)
            await ctx.tick()
            ctx.set(loops.start, 0)
            assert ctx.get(loops.address[0]) == 100 * steps
            await ctx.tick().repeat(steps)
            assert ctx.get(loops.address[0]) == 100 * steps + 10 * (steps // 3) + steps % 3
        ctx.set(loops.stop, 1)
        await ctx.tick()
        assert ctx.get(loops.valid) == 0
        ctx.set(loops.stop, 0)
        await ctx.tick()
        assert ctx.get(loops.valid) == 0

    simulate(loops, testbench)


def test_clip():
    m, x, y = Module(), Signal(signed(6)), Signal(signed(6))
    m.d.comb += y.eq(clip(x, -5, 9))

    async def testbench(ctx):
        for value in range(-32, 32):
            ctx.set(x, value)
            assert ctx.get(y) == max(-5, min(9, value))

    simulate(m, testbench, clocked=False)


@pytest.mark.parametrize("width", [1, 2, 4])
def test_divider_divides_all_numbers(width):
    divider = Divider(width)

    async def testbench(ctx):
        for dividend, divisor in itertools.product(range(1 << width), repeat=2):
            ctx.set(divider.dividend, dividend)
            ctx.set(divider.divisor, divisor)
            ctx.set(divider.start, 1)
            await ctx.tick()
            ctx.set(divider.start, 0)
            ctx.set(divider.dividend, 0)
            await ctx.tick().repeat(width)
            expected = dividend // divisor if divisor else (1 << width) - 1
            assert ctx.get(divider.quotient) == expected, (dividend, divisor)
            await ctx.tick()
            assert ctx.get(divider.quotient) == expected

    simulate(divider, testbench)


def test_divider_starts_anew():
    divider, rng = Divider(28), np.random.default_rng(1)

    async def testbench(ctx):
        for _ in range(20):
            dividend = int(rng.integers(1 << 28))
            divisor = int(rng.integers(1, 1 << int(rng.integers(1, 29))))
            ctx.set(divider.dividend, dividend)
            ctx.set(divider.divisor, divisor)
            ctx.set(divider.start, 1)
            await ctx.tick()
            ctx.set(divider.start, 0)
            if rng.random() < 0.3:  # broken off
                await ctx.tick().repeat(int(rng.integers(1, 20)))
                continue
            await ctx.tick().repeat(28)
            assert ctx.get(divider.quotient) == dividend // divisor

    simulate(divider, testbench)


@pytest.mark.parametrize(
    ("rows", "tiles", "lanes", "parts"),
    [(2, 1, 4, 1), (4, 2, 4, 1), (8, 1, 4, 2), (9, 1, 4, 3), (16, 16, 16, 1), (34, 2, 8, 5)],
)
def test_errors_are_requantised_in_parts(rows, tiles, lanes, parts):
    """Words as close as they may be, and further apart: their first part two cycles later."""
    config = AcceleratorConfig(array=ArrayConfig(rows=rows, cols=300), tiles=tiles)
    assert (config.error_part, config.error_parts) == (lanes, parts)
    dut, rng = Requantise(config), np.random.default_rng(rows + tiles)
    top = (1 << config.array.back_bits - 1) - 1
    due = {}  # cycle -> the word of which a part is out, which part it is

    async def testbench(ctx):
        cycle = 0
        for k in range(480):
            shift = k // 15
            errors = rng.integers(-(1 << shift + 7), 1 << shift + 7, (tiles, rows))
            if k % 3 == 0:  # exact halves
                errors = errors >> shift << shift
                errors[0] += 1 << shift >> 1
            errors = np.clip(errors, -top - 1, top)
            ctx.set(dut.valid, 1)
            ctx.set(dut.shift, shift)
            ctx.set(dut.errors, errors.tolist())
            total = errors.sum(axis=0).tolist()
            rounded = [max(-127, min(127, round(Fraction(x, 1 << shift)))) for x in total]
            due.update({cycle + 2 + part: (rounded, part) for part in range(parts)})
            # The shift is an instruction's: it stays while there is work.
            rest = parts + 2 if k % 15 == 14 else int(rng.integers(2)) * int(rng.integers(4))
            for _ in range(max(parts, 1 + rest)):
                await ctx.tick()
                ctx.set(dut.valid, 0)
                cycle += 1
                word, part = due.get(cycle, (None, -1))
                assert ctx.get(dut.write) == (word is not None)
                assert ctx.get(dut.last) == (part == parts - 1)
                assert ctx.get(dut.busy) == (max(due) >= cycle)
                if word is None:
                    continue
                assert ctx.get(dut.part) == part
                found = np.frombuffer(ctx.get(dut.word).to_bytes(lanes, "little"), np.int8)
                expected = word[part * lanes : (part + 1) * lanes]
                assert found[: len(expected)].tolist() == expected, (k, shift)

    simulate(dut, testbench)


@pytest.mark.parametrize(
    "array",
    [ArrayConfig(rows=4, cols=4, draw_bits=8, code_bits=3),
     ArrayConfig(rows=4, cols=4), ArrayConfig(rows=4, cols=4, synapse="binary", draw_bits=32)],
    ids=["8", "16", "32"],
)  # fmt: skip
def test_coder(array):
    """Pulses seven cycles after their sums, from draws in the order of the lanes."""
    config = AcceleratorConfig(array=array, positions=6)
    init, other = 0x0123456789ABCDEF, 0xFEDCBA9800000000  # of which the first draws are zero
    coder, rng = PulseCoder(config, init), np.random.default_rng(2)
    streams = Streams(np.array([init], np.uint64), array.draw_bits)
    values = [0, *np.rint(code_values(array.codes) * ONE).astype(int).tolist()]
    seen = set()

    async def lanes(ctx, streams, logarithm, dead):
        factor, shift = 256 + logarithm % 256, min(max(8 - logarithm // 256, 0), 63)
        ctx.set(coder.factor, factor)
        ctx.set(coder.shift, shift)
        ctx.set(coder.dead, dead)
        pulses, sizes, means = [], [], [0, 0]
        top = 128 * config.positions
        for _ in range(120):
            valid = int(rng.random() < 0.8)
            scale = int(rng.integers(1, top))
            total, bias = rng.integers(-scale, scale + 1, 2).tolist()
            mean = int(rng.integers(-256, 257))
            ctx.set(coder.valid, valid)
            ctx.set(coder.sum, total)
            ctx.set(coder.bias, bias)
            ctx.set(coder.mean, means.pop(0))
            means.append(mean)
            free = 256 * total - bias * mean
            sizes.append(abs(free) >> 8 if valid else None)
            pulse = None
            if valid:
                change = max(times_power(abs(free), logarithm) - dead, 0)
                kappa, rest = divmod(min(change, array.max_kappa * ONE), ONE)
                below = max(i for i, value in enumerate(values) if value <= rest)
                share = Fraction(rest - values[below], values[below + 1] - values[below])
                draw = Fraction(int(streams.draw(1)[0, 0]), 1 << array.draw_bits)
                pulse = kappa, below + (share > draw), free
            pulses.append(pulse)
            await ctx.tick()
            at = len(pulses) - LATENCY
            expected = pulses[at] if at >= 0 else None
            assert ctx.get(coder.ready) == (expected is not None)
            if expected:
                kappa, code, free = expected
                found = ctx.get(coder.pulse)
                assert (found.kappa, found.code) == (kappa, code)
                if free:
                    assert found.up == (free > 0)
                seen.add((kappa, code))
            size = sizes[len(sizes) - 4] if len(sizes) >= 4 else None
            assert ctx.get(coder.sized) == (size is not None)
            if size is not None:
                assert ctx.get(coder.size) == size
        ctx.set(coder.valid, 0)
        await ctx.tick().repeat(LATENCY + 1)
        assert ctx.get(coder.generator) == streams.states[0]

    async def testbench(ctx):
        for logarithm, dead in ((100, 0), (-700, 500), (4 * 256 + 3, 0), (9 * 256, 1 << 20)):
            await lanes(ctx, streams, logarithm, dead)
        ctx.set(coder.state, other)
        ctx.set(coder.load, 1)
        await ctx.tick()
        ctx.set(coder.load, 0)
        assert ctx.get(coder.generator) == other
        streams_of_other = Streams(np.array([other], np.uint64), array.draw_bits)
        await lanes(ctx, streams_of_other, 0, (1 << 24) - 1)  # no change: code 0, whatever the draw

    simulate(coder, testbench)
    assert {kappa for kappa, _ in seen} == set(range(array.max_kappa + 1))
    assert len({code for _, code in seen}) > array.codes // 2

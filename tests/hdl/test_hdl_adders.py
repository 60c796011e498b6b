"""The population count against Python's own, in one cycle and in several."""

import numpy as np
import pytest
from amaranth.hdl import Cat, Module, Signal
from hdl_sim import random_word, simulate

from hdl.lib.adders import carry_save_adder, popcount


def counter(width):
    """A module that counts the ones of a signal, the signal, and the count."""
    m = Module()
    bits = Signal(width)
    count = popcount(m, bits)
    assert len(count) == width.bit_length()
    out = Signal(len(count))
    m.d.comb += out.eq(count)
    return m, bits, out


def compare(width, words):
    m, bits, out = counter(width)

    async def testbench(ctx):
        for word in words:
            ctx.set(bits, word)
            assert ctx.get(out) == word.bit_count(), f"width {width}, word {word:#x}"

    simulate(m, testbench, clocked=False)


@pytest.mark.parametrize("width", range(1, 11))
def test_count_of_every_word(width):
    compare(width, range(1 << width))


@pytest.mark.parametrize("width", [12, 15, 16, 17, 31, 32, 33, 63, 64, 65, 100, 127, 128, 129, 130])
def test_count_of_wide_words(width):
    rng = np.random.default_rng(width)
    full = (1 << width) - 1
    words = [full, 0, *(1 << i for i in range(width)), *(full ^ 1 << i for i in range(width))]
    words += [full >> i for i in range(width)]
    compare(width, words + [random_word(rng, width) for _ in range(30)])


def test_count_of_an_expression():
    """Not only of a signal: what counts is the value and its width."""
    m = Module()
    a, b = Signal(3), Signal(4)
    count = popcount(m, Cat(a & b[:3], b))
    out = Signal(8)
    m.d.comb += out.eq(count)

    async def testbench(ctx):
        for word in range(1 << 7):
            x, y = word & 7, word >> 3
            ctx.set(a, x)
            ctx.set(b, y)
            assert ctx.get(out) == (x & y).bit_count() + y.bit_count()

    simulate(m, testbench, clocked=False)


def test_two_counts_in_one_module():
    m = Module()
    a, b = Signal(9), Signal(9)
    total = Signal(8)
    m.d.comb += total.eq(popcount(m, a) + popcount(m, b))

    async def testbench(ctx):
        for x, y in ((0, 0), (511, 511), (0, 511), (257, 85)):
            ctx.set(a, x)
            ctx.set(b, y)
            assert ctx.get(total) == x.bit_count() + y.bit_count()

    simulate(m, testbench, clocked=False)


def registers(m):
    """A value a cycle later."""

    def register(value):
        held = Signal(len(value))
        m.d.sync += held.eq(value)
        return held

    return register


def stream(m, inputs, words, out, counts, cycles):
    """A word a cycle; the count of each comes ``cycles`` later."""

    async def testbench(ctx):
        for k in range(len(words) + cycles):
            if k < len(words):
                ctx.set(inputs, words[k])
            if k >= cycles:
                assert ctx.get(out) == counts[k - cycles], hex(words[k - cycles])
            await ctx.tick()

    simulate(m, testbench)


CUTS = [(0,), (4,), (1, 3), (2, 2), (0, 0, 1), (0, 3, 50)]


@pytest.mark.covering(1)
@pytest.mark.parametrize("cuts", CUTS)
@pytest.mark.parametrize("width", [1, 2, 3, 9, 64, 129])
def test_every_cut_costs_a_cycle_whatever_the_width(width, cuts):
    rng, m, bits = np.random.default_rng(width), Module(), Signal(width)
    count = popcount(m, bits, cuts=cuts, register=registers(m))
    assert len(count) == width.bit_length()
    out = Signal(len(count))
    m.d.comb += out.eq(count)
    words = [0, (1 << width) - 1, *[random_word(rng, width) for _ in range(60)]]
    counts = [word.bit_count() for word in words]
    stream(m, bits, words, out, counts, len(cuts))


@pytest.mark.covering(1)
@pytest.mark.parametrize("cuts", [(), *CUTS])
@pytest.mark.parametrize(
    "widths", [(1, 1), (3, 0, 4), (0, 2), (16, 64), (7, 5, 3, 1, 9)], ids=lambda w: f"{w}"
)
def test_bits_of_unequal_weight(widths, cuts):
    rng, m = np.random.default_rng(sum(widths)), Module()
    columns = [Signal(width, name=f"column_{i}") for i, width in enumerate(widths)]
    bits = Signal(sum(widths))
    m.d.comb += Cat(columns).eq(bits)
    total = carry_save_adder(m, columns, cuts=cuts, register=registers(m))
    out = Signal(20)
    m.d.comb += out.eq(total)
    m.d.sync += Signal().eq(0)  # a clock, also without cuts
    words = [0, (1 << len(bits)) - 1, *[random_word(rng, len(bits)) for _ in range(60)]]
    counts = []
    for word in words:
        parts = [word >> sum(widths[:i]) & (1 << width) - 1 for i, width in enumerate(widths)]
        counts.append(sum(part.bit_count() << i for i, part in enumerate(parts)))
    stream(m, bits, words, out, counts, len(cuts))

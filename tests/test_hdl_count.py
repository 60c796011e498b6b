"""The population count against Python's own."""

import numpy as np
import pytest
from amaranth.hdl import Cat, Module, Signal
from hdl_sim import random_word, simulate

from hdl.count import count_ones


def counter(width):
    """A module that counts the ones of a signal, the signal, and the count."""
    m = Module()
    bits = Signal(width)
    count = count_ones(m, bits)
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
    count = count_ones(m, Cat(a & b[:3], b))
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
    m.d.comb += total.eq(count_ones(m, a) + count_ones(m, b))

    async def testbench(ctx):
        for x, y in ((0, 0), (511, 511), (0, 511), (257, 85)):
            ctx.set(a, x)
            ctx.set(b, y)
            assert ctx.get(total) == x.bit_count() + y.bit_count()

    simulate(m, testbench, clocked=False)

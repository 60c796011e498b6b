# amaranth: UnusedElaboratable=no
"""The generator against its golden twin and against a register that moves bit by bit."""

import numpy as np
import pytest
from hdl_sim import random_word, simulate

from golden.lfsr import Streams
from hdl.lfsr import Lfsr

TOP = (1 << 64) - 1
STATES = [1, 1 << 63, TOP, 0x0123456789ABCDEF, 0xA5 << 29]


def leap(state, steps):
    """``steps`` single steps: the new bit, the exclusive-or of four, enters at the top."""
    for _ in range(steps):
        new = state ^ state >> 9 ^ state >> 19 ^ state >> 29
        state = state >> 1 | (new & 1) << 63
    return state


async def state_of(ctx, lfsr, k):
    """The whole state, shifted out and back in again."""
    state = 0
    ctx.set(lfsr.en, 1)
    ctx.set(lfsr.load, 1)
    for i in range(64 // k):
        word = ctx.get(lfsr.draw)
        state |= word << i * k
        ctx.set(lfsr.word, word)
        await ctx.tick()
    ctx.set(lfsr.load, 0)
    return state


@pytest.mark.parametrize("init", STATES, ids=hex)
@pytest.mark.parametrize("k", [8, 16, 32])
def test_draws_are_those_of_both_oracles(k, init):
    lfsr = Lfsr(draw_bits=k, init=init)
    golden = Streams(np.array([init], np.uint64), k)

    async def testbench(ctx):
        ctx.set(lfsr.en, 1)
        state = init
        for i, draw in enumerate(golden.draw(150)[:, 0].tolist()):
            assert ctx.get(lfsr.draw) == draw == state & (1 << k) - 1, f"draw {i}"
            ctx.set(lfsr.word, i)  # no matter while ``load`` is low
            await ctx.tick()
            state = leap(state, k)
        assert await state_of(ctx, lfsr, k) == state == int(golden.states[0])

    simulate(lfsr, testbench)


@pytest.mark.parametrize("k", [1, 7, 24, 35])
def test_other_widths_leap_as_far(k):
    """The largest leap takes the last tap's bits from the very top of the state."""
    lfsr = Lfsr(draw_bits=k, init=STATES[3])

    async def testbench(ctx):
        ctx.set(lfsr.en, 1)
        state = STATES[3]
        for i in range(100):
            assert ctx.get(lfsr.draw) == state & (1 << k) - 1, f"draw {i}"
            await ctx.tick()
            state = leap(state, k)

    simulate(lfsr, testbench)


@pytest.mark.parametrize("k", [8, 16, 32])
def test_moves_only_when_enabled(k):
    rng = np.random.default_rng(k)
    lfsr = Lfsr(draw_bits=k, init=STATES[3])

    async def testbench(ctx):
        state = STATES[3]
        for _ in range(300):
            en, load = rng.integers(0, 2, 2).tolist()
            word = random_word(rng, k)
            ctx.set(lfsr.en, en)
            ctx.set(lfsr.load, load)
            ctx.set(lfsr.word, word)
            assert ctx.get(lfsr.draw) == state & (1 << k) - 1
            await ctx.tick()
            if en:
                state = state >> k | word << 64 - k if load else leap(state, k)

    simulate(lfsr, testbench)


@pytest.mark.parametrize("k", [8, 16, 32])
def test_state_shifted_in_is_the_state(k):
    rng = np.random.default_rng(k)
    lfsr = Lfsr(draw_bits=k)

    async def testbench(ctx):
        assert await state_of(ctx, lfsr, k) == 1
        for _ in range(5):
            state = random_word(rng, 64)
            ctx.set(lfsr.en, 1)
            ctx.set(lfsr.load, 1)
            for i in range(64 // k):
                ctx.set(lfsr.word, state >> i * k & (1 << k) - 1)
                await ctx.tick()
            ctx.set(lfsr.load, 0)
            await ctx.tick()
            assert await state_of(ctx, lfsr, k) == leap(state, k)

    simulate(lfsr, testbench)


@pytest.mark.parametrize("draw_bits", [-1, 0, 36, 64])
def test_draw_bits_out_of_range(draw_bits):
    with pytest.raises(ValueError, match=rf"^draw_bits must be in 1 to 35, not {draw_bits}$"):
        Lfsr(draw_bits=draw_bits)


@pytest.mark.parametrize("init", [-1, 0, 1 << 64])
def test_init_out_of_range(init):
    with pytest.raises(ValueError, match=rf"^init must be in 1 to 2\^64 - 1, not {init}$"):
        Lfsr(draw_bits=16, init=init)

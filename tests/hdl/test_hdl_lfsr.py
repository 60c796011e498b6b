# amaranth: UnusedElaboratable=no
"""The generator against its golden twin and against a register that moves bit by bit."""

import numpy as np
import pytest
from hdl_sim import random_word, simulate, stepped

from golden.array.lfsr import Streams, injections
from hdl.array.lfsr import Lfsr

TOP = (1 << 64) - 1
STATES = [1, 1 << 63, TOP, 0x0123456789ABCDEF, 0xA5 << 29]


async def state_of(ctx, lfsr, k):
    """The whole state, which the next draws tell; with them it goes on."""
    state = 0
    ctx.set(lfsr.en, 1)
    ctx.set(lfsr.inject, 0)
    for i in range(64 // k):
        state |= ctx.get(lfsr.draw) << i * k
        await ctx.tick()
    ctx.set(lfsr.en, 0)
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
            await ctx.tick()
            state = stepped(state, k)
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
            state = stepped(state, k)

    simulate(lfsr, testbench)


@pytest.mark.parametrize("k", [1, 8, 16, 32, 35])
def test_moves_only_as_told(k):
    """Advance, with or without a bit turned; restart, whether enabled or not; or stand still."""
    rng = np.random.default_rng(k)
    lfsr = Lfsr(draw_bits=k, init=STATES[3])

    async def testbench(ctx):
        state = STATES[3]
        for _ in range(600):
            en, inject = rng.integers(0, 2, 2).tolist()
            restart = int(rng.integers(100) == 0)
            ctx.set(lfsr.en, en)
            ctx.set(lfsr.inject, inject)
            ctx.set(lfsr.restart, restart)
            assert ctx.get(lfsr.draw) == state & (1 << k) - 1
            await ctx.tick()
            if restart:
                state = STATES[3]
            elif en:
                state = stepped(state, k) ^ inject << 63

    simulate(lfsr, testbench)


@pytest.mark.parametrize("init", STATES[2:4], ids=hex)
@pytest.mark.parametrize("k", [8, 16, 32])
def test_every_state_can_be_led_to(k, init):
    """That of zero, too, which stays."""
    rng = np.random.default_rng(k)
    lfsr = Lfsr(draw_bits=k, init=init)

    async def testbench(ctx):
        for state in [0, 1, 1 << 63, TOP, *[random_word(rng, 64) for _ in range(5)]]:
            ctx.set(lfsr.restart, 1)
            await ctx.tick()
            ctx.set(lfsr.restart, 0)
            ctx.set(lfsr.en, 1)
            both = [np.array(value, np.uint64) for value in (init, state)]
            for bit in injections(*both, k).tolist():
                ctx.set(lfsr.inject, bit)
                await ctx.tick()
            assert await state_of(ctx, lfsr, k) == state
            assert await state_of(ctx, lfsr, k) == stepped(state, 64)

    simulate(lfsr, testbench)


@pytest.mark.parametrize("draw_bits", [-1, 0, 36, 64])
def test_draw_bits_out_of_range(draw_bits):
    with pytest.raises(ValueError, match=rf"^draw_bits must be in 1 to 35, not {draw_bits}$"):
        Lfsr(draw_bits=draw_bits)


@pytest.mark.parametrize("init", [-1, 0, 1 << 64])
def test_init_out_of_range(init):
    with pytest.raises(ValueError, match=rf"^init must be in 1 to 2\^64 - 1, not {init}$"):
        Lfsr(draw_bits=16, init=init)

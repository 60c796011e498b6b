# amaranth: UnusedElaboratable=no
"""A lane against the golden cell, over every state and pulse, at draws on both sides of every
threshold."""

import itertools

import numpy as np
import pytest
from hdl_sim import number, random_word, simulate

from golden import cell
from golden.config import ArrayConfig
from golden.lfsr import Streams
from golden.ptable import ProbabilityTable
from hdl.lane import Lane

CONFIGS = {
    "ternary": ArrayConfig(draw_bits=8),
    "binary": ArrayConfig(draw_bits=8, synapse="binary"),
}
INITS = {"ternary": (0x0123456789ABCDEF, 0xFEDCBA9876543210), "binary": (0x0123456789ABCDEF,)}
# Thresholds of code 0, of the code and of the full pulse, by direction.
TABLES = [[[0, 0], [100, 150], [200, 256]], [[0, 0], [0, 60], [256, 61]]]
DRAWS = [0, 59, 60, 61, 99, 100, 149, 150, 199, 200, 255]
each_synapse = pytest.mark.parametrize("synapse", CONFIGS)


async def load(ctx, lane, states):
    """Shift states in through the chain: the last generator's first."""
    ctx.set(lane.en, 1)
    ctx.set(lane.shift, 1)
    for state in reversed(states):
        for i in range(8):
            ctx.set(lane.chain_in, state >> 8 * i & 0xFF)
            await ctx.tick()
    ctx.set(lane.shift, 0)
    ctx.set(lane.en, 0)


def pulses(cells):
    """Every (bits, up, |kappa|, code 0 or 1, blind); |kappa| beyond the largest, too."""
    rules = [False, True] if cells == 2 else [False]
    states = itertools.product([0, 1], repeat=cells)
    return list(itertools.product(states, [0, 1], range(4), [0, 1], rules))


def golden_flips(config, table, draws, case):
    bits, up, steps, code, blind = case
    sign = 1 if up else -1
    flips = cell.switch(
        np.array(bits, bool),
        np.array(sign * min(steps, config.max_kappa)),
        np.array(sign * code),
        np.array(draws),
        table,
        blind=blind,
    )
    return number(flips)


@pytest.mark.parametrize("thresholds", TABLES, ids=["spread", "certain"])
@each_synapse
def test_flips_are_those_of_the_golden_cell(synapse, thresholds):
    config = CONFIGS[synapse]
    lane = Lane(config, init=INITS[synapse])
    rows = [row[0] | row[1] << 9 for row in thresholds]
    cases = pulses(config.cells)
    seen = set()
    table = ProbabilityTable(np.array(thresholds), np.zeros((3, 2), int), 1e-12, 8)

    async def testbench(ctx):
        ctx.set(lane.full.as_value(), rows[2])
        for draws in itertools.product(DRAWS, repeat=config.cells):
            states = [draw | 0xB7 << 32 for draw in draws]
            await load(ctx, lane, states)
            for case in cases:
                bits, up, steps, code, blind = case
                ctx.set(lane.bits, number(bits))
                ctx.set(lane.up, up)
                ctx.set(lane.kappa, steps)
                ctx.set(lane.threshold.as_value(), rows[code])
                if config.cells == 2:
                    ctx.set(lane.blind, blind)
                flips = ctx.get(lane.flips)
                assert flips == golden_flips(config, table, draws, case), (draws, case)
                seen.add(flips)

    simulate(lane, testbench)
    assert seen == set(range(1 << config.cells))


@each_synapse
def test_generators_draw_shift_or_stand_still(synapse):
    config, inits = CONFIGS[synapse], INITS[synapse]
    lane, rng = Lane(config, init=inits), np.random.default_rng(0)

    async def testbench(ctx):
        states = list(inits)
        for _ in range(300):
            en, action = int(rng.integers(4) > 0), int(rng.integers(3))
            word = random_word(rng, 8)
            ctx.set(lane.en, en)
            ctx.set(lane.update, action == 1)
            ctx.set(lane.shift, action == 2)
            ctx.set(lane.chain_in, word)
            assert ctx.get(lane.chain_out) == states[-1] & 0xFF
            await ctx.tick()
            if en and action == 1:
                streams = Streams(np.array(states, np.uint64), 8)
                streams.draw(1)
                states = streams.states.tolist()
            elif en and action == 2:
                for i, state in enumerate(states):
                    states[i], word = state >> 8 | word << 56, state & 0xFF

    simulate(lane, testbench)


def test_chain_passes_through_both_generators():
    lane = Lane(CONFIGS["ternary"], init=INITS["ternary"])
    first, second = INITS["ternary"]
    words = [state >> 8 * i & 0xFF for state in (second, first) for i in range(8)]
    new = [7 * i + 1 for i in range(16)]

    async def testbench(ctx):
        ctx.set(lane.en, 1)
        ctx.set(lane.shift, 1)
        heard = []
        for word in new + words:
            heard.append(ctx.get(lane.chain_out))
            ctx.set(lane.chain_in, word)
            await ctx.tick()
        assert heard == words + new
        assert ctx.get(lane.chain_out) == words[0]

    simulate(lane, testbench)


@pytest.mark.parametrize(("synapse", "count"), [("ternary", 1), ("ternary", 3), ("binary", 2)])
def test_one_state_a_generator(synapse, count):
    cells = CONFIGS[synapse].cells
    with pytest.raises(ValueError, match=rf"^init must have {cells} states, not {count}$"):
        Lane(CONFIGS[synapse], init=(1,) * count)

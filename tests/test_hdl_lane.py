# amaranth: UnusedElaboratable=no
"""A lane against the golden cell, over every state and pulse, at draws on both sides of every
threshold."""

import dataclasses
import itertools

import numpy as np
import pytest
from hdl_sim import number, random_word, simulate

from golden import cell
from golden.config import ArrayConfig
from golden.lfsr import Streams
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


def golden_pulse(config, table, draws, case, variants):
    """Pulse codes and idle cells by direction; hits by direction; flips by cell."""
    bits, up, steps, code, blind = case
    # The golden cell knows the direction by the signs alone.
    sign = 1 if up else -1
    kappa = np.array(sign * min(steps, config.max_kappa))
    pulses = cell.pulses(np.array(bits, bool), kappa, np.array(sign * code), 2, blind=blind)
    hits = cell.switch(pulses, np.array(draws), table, np.array(variants))
    return pulses, hits, number(cell.flips(hits, pulses.up, config.cells))


def variants_of(config):
    """Every variant of every cell."""
    return list(itertools.product(range(config.variants), repeat=config.cells))


@pytest.mark.parametrize("variant_bits", [0, 1, 2])
@each_synapse
def test_pulses_are_those_of_the_golden_cell(synapse, variant_bits):
    config = dataclasses.replace(CONFIGS[synapse], variant_bits=variant_bits, code_bits=2)
    lane = Lane(config, init=INITS[synapse])
    cases, seen, edges = pulses(config.cells), set(), DRAWS[:: (1, 3, 6)[variant_bits]]
    # Rows of both tables by turns; codes 1 and 2 are the same, 3 is the full pulse. A stuck cell's
    # rows would let it switch.
    rows = [[TABLES[v % 2][min(c, 1) + (c == 3)] for c in range(4)] for v in range(config.variants)]
    golden = np.array(rows)[:, [0, 1, 3]]
    if variant_bits:
        golden[-1] = 0

    async def testbench(ctx):
        for draws in itertools.product(edges, repeat=config.cells):
            await load(ctx, lane, [draw | 0xB7 << 32 for draw in draws])
            for case, variants in itertools.product(cases, variants_of(config)):
                bits, up, steps, code, blind = case
                ctx.set(lane.bits, number(bits))
                ctx.set(lane.pulse, {"code": code, "kappa": steps, "up": up})
                if config.cells == 2:
                    ctx.set(lane.blind, blind)
                if variant_bits:
                    ctx.set(lane.variants, list(variants))
                codes = [ctx.get(code) for code in lane.codes] * 2
                driven = list(variants[:: 1 if up else -1]) * 2
                found = [rows[driven[i]][codes[i]][i] for i in range(2)]
                ctx.set(lane.thresholds, found)
                where = draws, case, variants
                expected, hits, flips = golden_pulse(config, golden, draws, case, variants)
                assert ctx.get(lane.flips) == flips, where
                for i in range(2):
                    outcome = lane.outcomes[i]
                    code = min(ctx.get(outcome.code), 2)
                    assert code == expected.code[i], where
                    if code:
                        assert ctx.get(outcome.idle) == expected.idle[i], where
                    assert ctx.get(outcome.switched) == hits[i], where
                seen.add(flips)

    simulate(lane, testbench)
    assert seen == set(range(1 << config.cells))


@pytest.mark.parametrize("variant_bits", [0, 1])
@each_synapse
def test_ageing_is_by_cell(synapse, variant_bits):
    """Whatever the pulse: each cell by its own draw, but for stuck ones."""
    config = dataclasses.replace(CONFIGS[synapse], variant_bits=variant_bits)
    lane, cells, rng = Lane(config, init=INITS[synapse]), config.cells, np.random.default_rng(1)

    async def testbench(ctx):
        ctx.set(lane.age, 1)
        for draws in itertools.product([0, 99, 100, 255], repeat=cells):
            await load(ctx, lane, [draw | 0xB7 << 32 for draw in draws])
            for variants in variants_of(config):
                ageing = rng.choice([0, 100, 256], cells).tolist()
                ctx.set(lane.ageing, ageing)
                ctx.set(lane.bits, int(rng.integers(1 << cells)))
                ctx.set(lane.pulse.as_value(), random_word(rng, len(lane.pulse.as_value())))
                if variant_bits:
                    ctx.set(lane.variants, list(variants))
                flips = [
                    draw < threshold and not (variant_bits and variant)
                    for draw, threshold, variant in zip(draws, ageing, variants, strict=True)
                ]
                assert ctx.get(lane.flips) == number(flips), (draws, ageing, variants)

    simulate(lane, testbench)


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

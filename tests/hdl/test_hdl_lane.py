# amaranth: UnusedElaboratable=no
"""A lane against the golden cell, over every state and pulse, at draws on both sides of every
threshold; a case a cycle, each ``LATENCY`` cycles from its cells to what switches."""

import dataclasses
import itertools

import numpy as np
import pytest
from hdl_sim import number, simulate, stepped

from golden.array import cell, frames
from golden.array.lfsr import injections
from golden.config import ArrayConfig
from hdl.array.lane import LATENCY, Lane

CONFIGS = {
    "ternary": ArrayConfig(draw_bits=8),
    "binary": ArrayConfig(draw_bits=8, synapse="binary"),
}
INITS = {"ternary": (0x0123456789ABCDEF, 0xFEDCBA9876543210), "binary": (0x0123456789ABCDEF,)}
# Thresholds of code 0, of the code and of the full pulse, by direction.
TABLES = [[[0, 0], [100, 150], [200, 256]], [[0, 0], [0, 60], [256, 61]]]
DRAWS = [0, 59, 60, 61, 99, 100, 149, 150, 199, 200, 255]
each_synapse = pytest.mark.parametrize("synapse", CONFIGS)


async def lead(ctx, lane, states):
    """Lead the generators to states whose draws are to be compared: by a bit turned in each leap
    after a restart."""
    ctx.set(lane.restart, 1)
    await ctx.tick()
    ctx.set(lane.restart, 0)
    ctx.set(lane.step, 1)
    start = np.array(INITS["ternary"][: len(states)], np.uint64)
    for bits in injections(start, np.array(states, np.uint64), 8).tolist():
        ctx.set(lane.inject, number(bits))
        await ctx.tick()
    ctx.set(lane.step, 0)
    ctx.set(lane.inject, 0)


async def load(ctx, lane, config, rows):
    """Write table rows: index, as in LOAD_TABLE -> thresholds, each a cycle after its row."""
    if config.cells == 2:
        ctx.set(lane.blind, 1)
    for k, (index, thresholds) in enumerate([*rows.items(), (0, None)]):
        ageing = index - config.variants * config.codes
        if ageing < 0:
            variant, code = divmod(index, config.codes)
            state = 0
        else:
            (variant, state), code = divmod(ageing, 2), 0
        ctx.set(lane.pulse, {"code": code, "kappa": 0, "up": 0})
        ctx.set(lane.age, ageing >= 0)
        ctx.set(lane.state, state)
        if config.variant_bits:
            ctx.set(lane.variant, variant)
        ctx.set(lane.loading, thresholds is not None)
        ctx.set(lane.load, k > 0)
        await ctx.tick()
        if thresholds is not None:
            ctx.set(lane.thresholds, thresholds)
    ctx.set(lane.load, 0)


async def play(ctx, cases, put, check):
    """A case a cycle, and its outputs ``LATENCY`` later."""
    for k in range(len(cases) + LATENCY):
        if k < len(cases):
            put(ctx, cases[k])
        if k >= LATENCY:
            check(ctx, cases[k - LATENCY])
        await ctx.tick()


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


def noise_of(config, rng):
    """A row for every index."""
    shape = frames.table_rows(config), 2
    return dict(enumerate(rng.integers(0, 257, shape).tolist()))


@pytest.mark.covering(1)
@pytest.mark.parametrize("variant_bits", [0, 1, 2])
@each_synapse
def test_pulses_are_those_of_the_golden_cell(synapse, variant_bits):
    config = dataclasses.replace(CONFIGS[synapse], variant_bits=variant_bits, code_bits=2)
    lane, rng = Lane(config, init=INITS[synapse]), np.random.default_rng(variant_bits)
    seen, edges = set(), DRAWS[:: (1, 3, 6)[variant_bits]]
    cases = list(itertools.product(pulses(config.cells), variants_of(config)))
    # Rows of both tables by turns; codes 1 and 2 are the same, 3 is the full pulse. A stuck cell's
    # rows would let it switch.
    rows = [[TABLES[v % 2][min(c, 1) + (c == 3)] for c in range(4)] for v in range(config.variants)]
    golden = np.array(rows)[:, [0, 1, 3]]
    if variant_bits:
        golden[-1] = 0
    places = itertools.product(range(config.variants), range(4))
    table = noise_of(config, rng) | {v * 4 + c: rows[v][c] for v, c in places}

    def put(ctx, case):
        (bits, up, steps, code, blind), variants = case
        ctx.set(lane.bits, number(bits))
        ctx.set(lane.pulse, {"code": code, "kappa": steps, "up": up})
        if config.cells == 2:
            ctx.set(lane.blind, blind)
        if variant_bits:
            ctx.set(lane.variants, list(variants))

    def check(ctx, case):
        where = draws, case
        expected, hits, flips = golden_pulse(config, golden, draws, *case)
        assert ctx.get(lane.flips) == flips, where
        for i in range(2):
            outcome = lane.outcomes[i]
            code = min(ctx.get(outcome.code), 2)
            assert code == expected.code[i], where
            if code:
                assert ctx.get(outcome.idle) == expected.idle[i], where
            assert ctx.get(outcome.switched) == hits[i], where
        seen.add(flips)

    async def testbench(ctx):
        nonlocal draws
        await load(ctx, lane, config, table)
        for draws in itertools.product(edges, repeat=config.cells):
            await lead(ctx, lane, [draw | 0xB7 << 32 for draw in draws])
            await play(ctx, cases, put, check)

    draws = ()
    simulate(lane, testbench)
    assert seen == set(range(1 << config.cells))


@pytest.mark.covering(1)
@pytest.mark.parametrize("variant_bits", [0, 1, 2])
@each_synapse
def test_ageing_is_by_cell(synapse, variant_bits):
    """Each cell by its own draw and by a threshold of its own, but for stuck ones."""
    config = dataclasses.replace(CONFIGS[synapse], variant_bits=variant_bits)
    lane, cells, rng = Lane(config, init=INITS[synapse]), config.cells, np.random.default_rng(1)
    cases = list(itertools.product(range(1 << cells), variants_of(config), [0, 1]))
    ageing = config.variants * config.codes

    def put(ctx, case):
        bits, variants, blind = case
        ctx.set(lane.age, 1)
        ctx.set(lane.pulse, {"code": 0, "kappa": 0, "up": 0})
        ctx.set(lane.bits, bits)
        if cells == 2:
            ctx.set(lane.blind, blind)
        if variant_bits:
            ctx.set(lane.variants, list(variants))

    def check(ctx, case):
        bits, variants, _ = case
        flips = []
        for i, (draw, variant) in enumerate(zip(draws, variants, strict=True)):
            threshold = table[ageing + 2 * variant + (bits >> i & 1)][i]
            stuck = variant_bits and variant == config.variants - 1
            flips.append(draw < threshold and not stuck)
        assert ctx.get(lane.flips) == number(flips), (draws, case)
        seen.add(number(flips))

    async def testbench(ctx):
        nonlocal draws, table
        for draws in itertools.product([0, 99, 100, 255], repeat=cells):
            table = noise_of(config, rng)
            for index in range(ageing, ageing + 2 * config.variants):
                table[index] = rng.choice([0, 100, 256], 2).tolist()
            await load(ctx, lane, config, table)
            await lead(ctx, lane, [draw | 0xB7 << 32 for draw in draws])
            await play(ctx, cases, put, check)

    draws, table, seen = (), {}, set()
    simulate(lane, testbench)
    assert seen == set(range(1 << cells))


@each_synapse
def test_generators_draw_go_on_restart_or_stand_still(synapse):
    config, inits = CONFIGS[synapse], INITS[synapse]
    lane, rng = Lane(config, init=inits), np.random.default_rng(0)

    async def testbench(ctx):
        states = list(inits)
        for _ in range(600):
            step = int(rng.integers(3) > 0)
            restart = int(rng.integers(50) == 0)
            inject = int(rng.integers(1 << config.cells))
            ctx.set(lane.step, step)
            ctx.set(lane.restart, restart)
            ctx.set(lane.inject, inject)
            assert ctx.get(lane.low) == number([state & 1 for state in states])
            await ctx.tick()
            if restart:
                states = list(inits)
            elif step:
                states = [
                    stepped(state, 8) ^ (inject >> i & 1) << 63 for i, state in enumerate(states)
                ]

    simulate(lane, testbench)


@pytest.mark.parametrize("row", [0, 9, 31, 32, 39])
def test_a_row_can_be_replaced(row):
    """From the step after a load on, and no other row is."""
    config = dataclasses.replace(CONFIGS["ternary"], code_bits=3, variant_bits=2)
    lane, rng = Lane(config, init=INITS["ternary"]), np.random.default_rng(row)
    table = noise_of(config, rng)
    age, variant, code = row >= 32, row // 8 if row < 32 else (row - 32) // 2, row % 8

    def step(ctx):
        """Two cells that the row decides where pulses do, or the first where ageing does."""
        ctx.set(lane.age, age)
        ctx.set(lane.variants, [variant, variant])
        ctx.set(lane.bits, 0b10 if not age else (row & 1) * 3)
        ctx.set(lane.pulse, {"code": 0 if age else code, "kappa": 0, "up": not age})
        ctx.set(lane.blind, 1)

    async def testbench(ctx):
        await load(ctx, lane, config, table)
        await lead(ctx, lane, [100 | 0xB7 << 32, 100 | 0xB7 << 32])
        for low, high in ((0, 256), (256, 0), (100, 101), (101, 100)):
            heard = []
            for new in ([low, high], [high, low]):
                step(ctx)
                for _ in range(LATENCY):
                    await ctx.tick()
                await load(ctx, lane, config, {row: new, row ^ 1: [0, 0]})
                step(ctx)
                for _ in range(LATENCY):
                    await ctx.tick()
                heard.append(ctx.get(lane.flips))
            flips = [number([x > 100 for x in new]) for new in ([low, high], [high, low])]
            assert heard == ([0, 0] if variant == 3 else flips)

    simulate(lane, testbench)


@pytest.mark.parametrize(("synapse", "count"), [("ternary", 1), ("ternary", 3), ("binary", 2)])
def test_one_state_a_generator(synapse, count):
    cells = CONFIGS[synapse].cells
    with pytest.raises(ValueError, match=rf"^init must have {cells} states, not {count}$"):
        Lane(CONFIGS[synapse], init=(1,) * count)

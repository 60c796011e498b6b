# amaranth: UnusedElaboratable=no
"""Totals of columns and sums of updates, step by step against plain sums."""

import itertools

import numpy as np
import pytest
from accel_model import ONE, log2, times_power
from hdl_sim import number, simulate

from golden.accel.config import AcceleratorConfig
from golden.accel.program import FIELDS, Code, Instruction
from golden.array.lfsr import Streams, stream_states
from golden.codes import trit_bit_planes
from golden.config import ArrayConfig
from golden.pulse.table import code_values
from hdl.accel.outer_product import OuterProduct
from hdl.accel.totals import Totals


def columns(rng, config, groups, positions, places, taps):
    """Steps of a FORWARD, their sums, and what is to be written after each: None or bank,
    position, totals, done."""
    tiles, rows = config.tiles, config.array.rows
    for group in range(groups):
        totals = {}
        for position, place, tap in itertools.product(*map(range, (positions, places, taps))):
            sums = rng.integers(-rows, rows + 1, tiles)
            marks = {
                "begin": tap == 0, "end": tap == taps - 1, "place": place,
                "place_first": place == 0, "place_last": place == places - 1,
                "column": (position, place, tap) == (positions - 1, places - 1, taps - 1),
            }  # fmt: skip
            totals.setdefault((position, place), []).append(sums)
            written = None
            if marks["end"] and marks["place_last"]:
                window = [totals[position, k] for k in range(places)]
                written = group % 2, position, window, marks["column"]
            yield marks, sums.tolist(), written


@pytest.mark.parametrize(
    ("tiles", "positions", "places", "taps", "limit"),
    [(1, 5, 1, 3, 0), (2, 3, 4, 2, 0), (2, 4, 1, 1, 0), (2, 4, 4, 5, 2), (1, 1, 4, 1, 1)],
)
def test_totals(tiles, positions, places, taps, limit):
    """Clipped, added up, the first of the largest; banks by turns; sums of columns."""
    config = AcceleratorConfig(array=ArrayConfig(rows=4, cols=4), tiles=tiles, positions=5)
    dut, rng = Totals(config), np.random.default_rng(taps)

    async def testbench(ctx):
        ctx.set(dut.limit, limit)
        for _ in range(2):
            ctx.set(dut.start, 1)
            await ctx.tick()
            ctx.set(dut.start, 0)
            column = np.zeros(tiles, int)
            for marks, sums, written in columns(rng, config, 3, positions, places, taps):
                while rng.random() < 0.3:  # steps need not follow each other at once
                    ctx.set(dut.marks.valid, 0)
                    ctx.set(dut.sums, rng.integers(-4, 5, tiles).tolist())
                    await ctx.tick()
                    assert not ctx.get(dut.write)
                ctx.set(dut.marks, {**dict.fromkeys(("mean", "inside"), 0), **marks, "valid": 1})
                ctx.set(dut.sums, sums)
                assert ctx.get(dut.write) == (written is not None)
                assert not ctx.get(dut.beyond)
                if written is None:
                    assert not ctx.get(dut.done)
                    await ctx.tick()
                    continue
                bank, position, window, done = written
                cut = [[np.clip(s, -limit, limit) if limit else s for s in part] for part in window]
                total = np.array([sum(part) for part in cut])  # (places, tiles)
                assert (ctx.get(dut.bank), ctx.get(dut.position)) == (bank, position)
                for tile in range(tiles):
                    found = ctx.get(dut.totals[tile])
                    assert found.total == total[:, tile].max()
                    assert found.place == total[:, tile].argmax()
                assert ctx.get(dut.done) == done
                column = (0 if position == 0 else column) + total.max(axis=0)
                await ctx.tick()
                ctx.set(dut.marks.valid, 0)
                if done:
                    assert list(ctx.get(dut.column_sums)) == column.tolist()

    simulate(dut, testbench)


def test_totals_beyond_their_memory():
    config = AcceleratorConfig(array=ArrayConfig(rows=4, cols=4), positions=3)
    dut = Totals(config)

    async def testbench(ctx):
        ctx.set(dut.start, 1)
        await ctx.tick()
        ctx.set(dut.start, 0)
        ctx.set(dut.marks, {"valid": 1, "begin": 1, "end": 1, "place_first": 1, "place_last": 1})
        for position in range(5):
            assert ctx.get(dut.write) == (position < 3)
            assert ctx.get(dut.beyond) == (position >= 3)
            await ctx.tick()

    simulate(dut, testbench)


# --- the update ---

DELAY = 4  # cycles from a step to its words at the accumulators, as in the core


class Update:
    """Steps of an UPDATE with random inputs and errors, and what they must come to."""

    def __init__(self, config, rng, *, taps, groups, positions, step, size, offsets):
        self.config, rows, tiles = config, config.array.rows, config.tiles
        self.shape = taps, groups, positions
        self.u = rng.integers(-1, 2, (taps, positions, rows))
        self.d = rng.integers(-128, 128, (groups, positions, tiles))
        means = self.u.sum(axis=1) * step.mean_factor >> step.mean_shift
        bias = self.d.sum(axis=1)  # (groups, tiles)
        self.sums = 256 * np.einsum("gnt,knr->kgtr", self.d, self.u)
        self.sums -= bias[..., None] * means[:, None, None]
        self.total = int((np.abs(self.sums) >> 8).sum())
        self.step, self.size = step, size
        moved = (bias * step.mean_factor >> step.mean_shift) * 2**step.learn // 2
        top = 1 << 19
        self.offsets = np.clip(offsets + moved, -top, top - 1) if step.learn else offsets

    def steps(self):
        """Marks, trits and errors of each step."""
        taps, groups, positions = self.shape
        for tap, group, n in itertools.product(range(taps), range(groups + 1), range(positions)):
            marks = {
                "begin": n == 0, "end": n == positions - 1, "mean": group == 0, "fresh": tap == 0,
                "column_index": tap * groups + group - 1 & 0xFF,
            }  # fmt: skip
            errors = self.d[group - 1, n].tolist()  # of the pass for the mean: any
            yield marks, number(trit_bit_planes(self.u[tap, n][None])), errors

    def pulses(self, streams):
        """Words of each column, by tile."""
        array, step = self.config.array, self.step
        values = [0, *np.rint(code_values(array.codes) * ONE).astype(int).tolist()]
        width = array.code_bits + 3
        for by_group in self.sums:
            for by_tile in by_group:
                words = []
                for tile, lanes in enumerate(by_tile.tolist()):
                    word = 0
                    for lane, total in enumerate(lanes):
                        change = max(times_power(abs(total), step.rate - self.size) - step.dead, 0)
                        kappa, rest = divmod(min(change, array.max_kappa * ONE), ONE)
                        below = max(i for i, value in enumerate(values) if value <= rest)
                        draw = int(streams[tile].draw(1)[0, 0])
                        gap = values[below + 1] - values[below]
                        up = (rest - values[below] << array.draw_bits) > draw * gap
                        pulse = below + up | kappa << array.code_bits
                        pulse |= (total >= 0) << array.code_bits + 2
                        word |= pulse << width * lane
                    words.append(word)
                yield words


def offer(ctx, dut, step):
    """Set the words of a step at the inputs; with None, nothing is valid."""
    ctx.set(dut.marks.valid, step is not None)
    if step:
        marks, inputs, errors = step
        ctx.set(dut.marks, {**marks, "valid": 1})
        ctx.set(dut.inputs, inputs)
        ctx.set(dut.errors, errors)


def new_thresholds(ctx, dut, tiles):
    """The thresholds that are written, one a tile."""
    new = [ctx.get(dut.new_threshold[tile]) for tile in range(tiles)]
    names = "upper", "lower", "turned", "offset"
    return [{name: getattr(each, name) for name in names} for each in new]


@pytest.mark.parametrize(
    ("rows", "tiles", "taps", "groups", "positions", "learn"),
    [(4, 1, 2, 2, 6, 3), (4, 2, 2, 2, 2, 0), (4, 2, 3, 1, 1, 9), (2, 2, 1, 3, 5, 15)],
)
def test_outer(rows, tiles, taps, groups, positions, learn):
    """Pulses, offsets and size of two updates, whose columns end no sooner after one another than
    there are rows."""
    array = ArrayConfig(rows=rows, cols=8, code_bits=3, draw_bits=8)
    config = AcceleratorConfig(array=array, tiles=tiles, positions=6, threshold_words=5)
    dut, rng = OuterProduct(config), np.random.default_rng(rows + positions)
    # The factor is not that of the mean, with which a single position's sums would all be zero.
    step = Instruction(
        code=Code.UPDATE, mean_factor=round(2**14 / (positions + 1)), mean_shift=6, learn=learn,
        rate=14 * 256 + 77, dead=900, thresholds=2, groups=groups,
    )  # fmt: skip
    streams = [Streams(np.array([s], np.uint64), 8) for s in stream_states(0, 0, tiles).tolist()]
    stored = [[{"upper": 5, "lower": -6, "turned": 1, "offset": int(rng.integers(-99, 99))}
               for _ in range(tiles)] for _ in range(5)]  # fmt: skip

    async def update(ctx, size):
        offsets = np.array([[part["offset"] for part in stored[2 + g]] for g in range(groups)])
        case = Update(config, rng, taps=taps, groups=groups, positions=positions, step=step,
                      size=size, offsets=offsets)  # fmt: skip
        ctx.set(dut.instruction, {name: getattr(step, name) for name in FIELDS})
        ctx.set(dut.start, 1)
        await ctx.tick()
        ctx.set(dut.start, 0)
        ctx.set(dut.size, size)
        await ctx.tick()
        pending, line = list(case.steps()), [None] * DELAY
        found, cycle, due, read_at, ended = [], 0, None, None, -rows
        while pending or ctx.get(dut.busy) or any(line):
            moving = None
            if pending:
                end = pending[0][0]["end"]
                if not end or cycle >= ended + rows:
                    moving = pending.pop(0)
                    ended = cycle if end else ended
            line.append(moving)
            now = line.pop(0)
            offer(ctx, dut, now)
            if due is not None:
                found.append((due, list(ctx.get(dut.pulses))))
            due = ctx.get(dut.column) & 0xFF if ctx.get(dut.pulse) else None
            if read_at is not None:
                ctx.set(dut.threshold, stored[read_at])
            read_at = ctx.get(dut.threshold_at) % 5
            if ctx.get(dut.threshold_write):
                stored[ctx.get(dut.threshold_write_at)] = new_thresholds(ctx, dut, tiles)
            assert not ctx.get(dut.fault)
            cycle += 1
            assert cycle < 1000
            await ctx.tick()
        wanted = list(case.pulses(streams))
        assert [column for column, _ in found] == list(range(taps * groups))
        assert [words for _, words in found] == wanted
        for g, tile in itertools.product(range(groups), range(tiles)):
            expected = {"upper": 5, "lower": -6, "turned": 1, "offset": int(case.offsets[g, tile])}
            assert stored[2 + g][tile] == expected
        assert ctx.get(dut.any_size)
        assert ctx.get(dut.new_size) == log2(case.total)
        for tile in range(tiles):
            assert ctx.get(dut.generators[tile]) == streams[tile].states[0]

    async def testbench(ctx):
        await update(ctx, 9 * 256 + 3)
        await update(ctx, 11 * 256)

    simulate(dut, testbench)


def test_offsets_beyond_their_memory():
    config = AcceleratorConfig(array=ArrayConfig(rows=2, cols=4), positions=4, threshold_words=3)
    dut = OuterProduct(config)
    step = Instruction(code=Code.UPDATE, learn=1, thresholds=2)

    async def testbench(ctx):
        ctx.set(dut.instruction, {name: getattr(step, name) for name in FIELDS})
        ctx.set(dut.start, 1)
        await ctx.tick()
        ctx.set(dut.start, 0)
        written, faults = 0, 0
        for cycle in range(40):
            # Two columns of one step: the second's offset has no place.
            ctx.set(dut.marks, {"valid": cycle in (3, 9), "begin": 1, "end": 1, "fresh": 1})
            written += ctx.get(dut.threshold_write)
            faults += ctx.get(dut.fault)
            await ctx.tick()
        assert (written, faults) == (1, 1)
        assert not ctx.get(dut.busy)
        assert not ctx.get(dut.any_size)

    simulate(dut, testbench)


def test_generators_are_set_one_by_one():
    config = AcceleratorConfig(array=ArrayConfig(rows=4, cols=4), tiles=4)
    dut = OuterProduct(config)

    async def testbench(ctx):
        states = stream_states(0, 0, 4).tolist()
        assert list(ctx.get(dut.generators)) == states
        for tile in (2, 0):
            ctx.set(dut.state, 1000 + tile)
            ctx.set(dut.load, 1 << tile)
            await ctx.tick()
            ctx.set(dut.load, 0)
            states[tile] = 1000 + tile
            assert list(ctx.get(dut.generators)) == states

    simulate(dut, testbench)

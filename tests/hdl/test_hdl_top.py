# amaranth: UnusedElaboratable=no
"""The whole array through its two streams, word for word and cycle for cycle."""

from unittest import mock

import numpy as np
import pytest
from amaranth.hdl import Cat, Module
from hdl_sim import converse, play, simulate
from hdl_twin import Twin

from golden.array.frames import OVERHEAD
from golden.config import ArrayConfig
from golden.pulse.table import tanh_table
from hdl.array.activity import Activity
from hdl.array.array_top import ArrayTop
from hdl.array.controller import RESULTS
from hdl.array.lane import Lane
from hdl.array.lfsr import Lfsr
from hdl.lib.dot import TernaryDot

CONFIGS = [
    ArrayConfig(rows=1, cols=1),
    ArrayConfig(rows=1, cols=4, synapse="binary", columns_per_cycle=2, draw_bits=8, code_bits=2),
    ArrayConfig(rows=3, cols=1, synapse="binary", error_bits=2),
    ArrayConfig(rows=3, cols=4, columns_per_cycle=2, draw_bits=8, code_bits=3, error_bits=4),
    ArrayConfig(rows=3, cols=4, columns_per_cycle=4, draw_bits=32, code_bits=2, error_bits=16),
    ArrayConfig(rows=8, cols=10, columns_per_cycle=2),
    ArrayConfig(rows=8, cols=10, synapse="binary", draw_bits=32, code_bits=8, counters=False),
    ArrayConfig(rows=3, cols=4, columns_per_cycle=2, code_bits=2, variant_bits=2),
    ArrayConfig(rows=2, cols=5, synapse="binary", draw_bits=8, code_bits=2, variant_bits=1),
]
FEW = [CONFIGS[i] for i in (0, 2, 7, 8)]  # the others are left to make test-full
each_config = pytest.mark.parametrize(
    "config",
    [
        config if config in FEW else pytest.param(config, marks=pytest.mark.full)
        for config in CONFIGS
    ],
    ids=lambda c: f"{c.rows}x{c.cols}by{c.columns_per_cycle}-{c.synapse}-{c.variant_bits}",
)
NONE = {"gaps": 0.0, "waits": 0.0}
STALLS = [NONE, {"gaps": 0.5}, {"waits": 0.5}, {"gaps": 0.3, "waits": 0.4}]
SMALL = CONFIGS[3]


@each_config
def test_every_command_whatever_the_stalls(config):
    """From power-up on, before any table is loaded."""
    twin, rng = Twin(config), np.random.default_rng(config.rows + config.cols)
    dialogues = [(twin.everything(), NONE)]
    for seed in range(2):
        for stalls in STALLS:
            dialogues.append((twin.dialogue(rng), {**stalls, "seed": seed}))
    assert twin.golden.counters.switched > 0
    play(ArrayTop(config), dialogues)


@pytest.mark.parametrize("blind", [False, True])
@pytest.mark.parametrize("config", [SMALL, CONFIGS[5]], ids=["3x4", "8x10"])
def test_update_of_all_columns_again_and_again(config, blind):
    twin, rng = Twin(config), np.random.default_rng(3)
    dialogue = twin.prepare(rng)
    for _ in range(12):
        dialogue += [twin.update(*twin.pulses(rng, config.cols), blind=blind), twin.read()]
    dialogue += twin.everything()
    assert twin.golden.counters.switched > 12 * config.rows
    play(ArrayTop(config), [(dialogue, NONE)])


def test_rules_of_the_same_array_differ():
    """The comparison above would not notice a ``blind`` that neither side heeds."""
    ends = []
    for blind in (False, True):
        twin, rng = Twin(SMALL), np.random.default_rng(3)
        twin.prepare(rng)
        ends.append([])
        for _ in range(12):
            twin.update(*twin.pulses(rng, SMALL.cols), blind=blind)
            ends[-1].append(twin.golden.read())
    assert not np.array_equal(*ends)


def test_answers_do_not_depend_on_stalls():
    """Every stall from seldom to nearly always: the same answers, each word once."""
    twin, rng = Twin(SMALL), np.random.default_rng(8)
    frames = [e.frame for e in twin.prepare(rng) + twin.dialogue(rng)]
    heard = []
    for gaps, waits in ((0, 0), (0.9, 0), (0, 0.9), (0.6, 0.6), (0.1, 0.1)):
        top = ArrayTop(SMALL)

        async def testbench(ctx, top=top, gaps=gaps, waits=waits):
            record = await converse(ctx, top, frames, gaps=gaps, waits=waits, seed=5)
            heard.append(record.answers)

        simulate(top, testbench)
    assert heard[1:] == heard[:1] * 4


def test_cycles_by_hand():
    """Header to trailer and header to header of each command, no formula shared with the array."""
    config = ArrayConfig(rows=3, cols=10, columns_per_cycle=2, draw_bits=16, code_bits=4)
    twin, rng = Twin(config), np.random.default_rng(1)
    d = rng.integers(-128, 128, (4, 6))
    commands = [
        (twin.status(), 0),
        (twin.program(twin.cells(rng, 7), 3), 7),
        (twin.read(1, 9), 9),
        (twin.forward(twin.trits(rng, 4), 2, 6), 12),
        (twin.backward(d, 4), 12),
        (twin.update(*twin.pulses(rng, 5), 5), 5),
        (twin.load_table(tanh_table(config)), 16),
        (twin.seed(1), 64),
        (twin.generators(), 64),
        (twin.age(4, 6), 6),
        (twin.counters(), 27),
        (twin.status(), 0),
    ]
    top = ArrayTop(config)

    async def testbench(ctx):
        record = await converse(ctx, top, [exchange.frame for exchange, _ in commands])
        for k, (exchange, steps) in enumerate(commands):
            assert record.ended[k] - record.accepted[k] + 1 == steps + 19, exchange.name
            if k:
                before = commands[k - 1][1]
                assert record.accepted[k] - record.accepted[k - 1] == before + 9, exchange.name
        assert twin.controller.cycles == sum(steps + 19 for _, steps in commands)

    simulate(top, testbench)
    assert OVERHEAD == 19


def test_results_that_wait_stop_the_frame_behind_them():
    """With ``o`` never ready no more is taken than there is room for, and nothing is lost."""
    twin, rng = Twin(SMALL), np.random.default_rng(2)
    many = RESULTS * SMALL.columns_per_cycle // SMALL.cols + 1
    dialogue = [twin.program(twin.cells(rng, 4)), twin.forward(twin.trits(rng, many)), twin.read()]
    words = [
        {"data": word, "last": k == len(exchange.frame) - 1}
        for exchange in dialogue
        for k, word in enumerate(exchange.frame)
    ]
    top = ArrayTop(SMALL)

    async def testbench(ctx):
        taken, heard = 0, []

        async def cycle(ready):
            nonlocal taken
            ctx.set(top.i.valid, taken < len(words))
            ctx.set(top.i.p, words[min(taken, len(words) - 1)])
            ctx.set(top.o.ready, ready)
            *_, accepted, valid, data = await ctx.tick().sample(
                top.i.ready, top.o.valid, top.o.p.data
            )
            taken += accepted & (taken < len(words))
            if valid and ready:
                heard.append(data)
            return accepted, valid

        for _ in range(200):
            accepted, valid = await cycle(0)
        assert (accepted, valid) == (0, 1)
        # The trailer of PROGRAM and, of the vectors, as many results as there is room for.
        begun = -(-(RESULTS - 1) * SMALL.columns_per_cycle // SMALL.cols)
        assert taken == len(dialogue[0].frame) + 1 + begun < len(words) - 1
        for _ in range(200):
            await cycle(1)
        assert heard == [word for exchange in dialogue for word in exchange.answer]


# --- a broken array is noticed ---


class FlippedSign(TernaryDot):
    """One weight's sign, wrong."""

    def elaborate(self, platform):
        m = Module()
        m.submodules.sound = sound = TernaryDot(length=len(self.w_nonzero))
        names = ("w_nonzero", "u_nonzero", "u_negative")
        m.d.comb += [getattr(sound, name).eq(getattr(self, name)) for name in names]
        m.d.comb += [sound.w_negative.eq(self.w_negative ^ 1), self.sum.eq(sound.sum)]
        return m


class StuckCell(Lane):
    """The second cell never switches."""

    def elaborate(self, platform):
        m = Module()
        m.submodules.sound = sound = Lane(self._config, init=self._init)
        for name in self.signature.members:
            pair = getattr(sound, name), getattr(self, name)
            if name not in ("flips", "low", "outcomes"):
                m.d.comb += pair[0].eq(pair[1])
            elif name != "flips":
                m.d.comb += pair[1].eq(pair[0])
        m.d.comb += self.flips.eq(sound.flips[0])
        return m


class StuckDraw(Lfsr):
    """The top bit of a draw, stuck at 1."""

    def elaborate(self, platform):
        m = Module()
        m.submodules.sound = sound = Lfsr(draw_bits=self._draw_bits, init=self._init)
        m.d.comb += [getattr(sound, n).eq(getattr(self, n)) for n in ("en", "restart", "inject")]
        m.d.comb += self.draw.eq(Cat(sound.draw[:-1], 1))
        return m


class LostFirst(Activity):
    """The first row's drives are not counted."""

    def elaborate(self, platform):
        m = Module()
        m.submodules.sound = sound = Activity(self._config)
        for name in self.signature.members:
            if name not in ("u", "count"):
                m.d.comb += getattr(sound, name).eq(getattr(self, name))
        m.d.comb += [sound.u.eq(self.u & ~1), self.count.eq(sound.count)]
        return m


@pytest.mark.parametrize(
    ("place", "broken"),
    [
        ("hdl.array.read_path.TernaryDot", FlippedSign),
        ("hdl.array.write_path.Lane", StuckCell),
        ("hdl.array.lane.Lfsr", StuckDraw),
        ("hdl.array.synapse_array.Activity", LostFirst),
    ],
)
def test_a_broken_part_is_noticed(place, broken):
    twin, rng = Twin(SMALL), np.random.default_rng(4)
    dialogue = twin.prepare(rng) + twin.dialogue(rng)
    play(ArrayTop(SMALL), [(dialogue, NONE)])
    with mock.patch(place, broken), pytest.raises(AssertionError, match=r"^frame \d+ \(\w+\)"):
        play(ArrayTop(SMALL), [(dialogue, NONE)])


@pytest.mark.parametrize("config", [None, 64, {"rows": 4}])
def test_config_must_be_one(config):
    with pytest.raises(TypeError, match=r"^config must be an ArrayConfig, not "):
        ArrayTop(config)

# amaranth: UnusedElaboratable=no
"""The array behind its port: steps in, results some cycles later."""

from dataclasses import dataclass, field
from unittest import mock

import numpy as np
import pytest
from amaranth.hdl import Cat, Value
from hdl_sim import random_word, simulate
from hdl_twin import Twin, planes

from golden.array import frames
from golden.array.frames import HEADER, TRAILER, Cause, Op
from golden.config import ArrayConfig
from hdl.array.lane import Lane
from hdl.array.port import COUNTED, LATENCY, VISIBLE, index_bits
from hdl.array.synapse_array import SynapseArray

CONFIGS = [
    ArrayConfig(rows=1, cols=1),
    ArrayConfig(rows=3, cols=4, columns_per_cycle=2, draw_bits=8, code_bits=3, error_bits=4),
    ArrayConfig(rows=8, cols=10, columns_per_cycle=2, draw_bits=16),
    ArrayConfig(rows=3, cols=10, synapse="binary", draw_bits=8, code_bits=3),
    ArrayConfig(rows=8, cols=4, synapse="binary", columns_per_cycle=4, draw_bits=32),
    ArrayConfig(rows=3, cols=6, columns_per_cycle=2, code_bits=2, variant_bits=2, error_bits=4),
    ArrayConfig(rows=2, cols=3, synapse="binary", code_bits=2, variant_bits=1, counters=False),
]
LARGE = CONFIGS[2], CONFIGS[4]  # left to make test-full
each_config = pytest.mark.parametrize(
    "config",
    [
        pytest.param(config, marks=[pytest.mark.full] if config in LARGE else [])
        for config in CONFIGS
    ],
    ids=lambda c: f"{c.rows}x{c.cols}by{c.columns_per_cycle}-{c.synapse}-{c.variant_bits}",
)
PAUSE = VISIBLE - 1  # slots that a controller leaves between commands


@dataclass
class Step:
    """A step, the operand that follows it, and what the port must show ``LATENCY`` cycles after it;
    what switched, ``COUNTED`` cycles after it."""

    op: int
    index: int = 0
    operand: int = 0
    first: int = 0
    last: int = 0
    blind: int = 0
    valid: int = 1
    expect: dict[str, int] = field(default_factory=dict)


def steps_of(config, exchange):
    """The steps of a well-formed exchange, by ``golden.array.frames`` alone."""
    head, *data = exchange.frame
    *results, trailer = exchange.answer
    op = Op(frames.field(HEADER, "op", head))
    first, count = (frames.field(HEADER, name, head) for name in ("first", "count"))
    blind = frames.field(HEADER, "blind", head)
    unit = config.columns_per_cycle if op in (Op.FORWARD, Op.BACKWARD) else 1
    indices = list(range(first, first + count, unit))
    if op in (Op.SEED, Op.GENERATORS, Op.COUNTERS):
        indices = list(range(frames.steps(op, config)))
    steps = []
    for k in range(exchange.steps):
        index = indices[k % len(indices)]
        step = Step(op, index, first=int(index == first), blind=blind, expect={"fault": 0})
        step.last = int(index == indices[-1])
        if op == Op.FORWARD:
            step.operand = data[k // len(indices)]
            step.expect["sums"] = results[k]
        elif data:
            step.operand = data[k]
        if op in (Op.READ, Op.GENERATORS, Op.COUNTERS):
            step.expect["word"] = results[k]
        if op == Op.BACKWARD and index == indices[-1]:
            step.expect["errors"] = results[k // len(indices)]
        if op not in (Op.UPDATE, Op.AGE):
            step.expect["switched"] = 0
        steps.append(step)
    if op in (Op.UPDATE, Op.AGE):
        steps[-1].expect["total"] = frames.field(TRAILER, "switched", trailer)
    return steps


def idle(config, rng, last=0):
    """No step, whatever the other signals say: nothing happens, but that a vector may end."""
    first, blind = rng.integers(0, 2, 2).tolist()
    return Step(
        int(rng.integers(16)),
        int(rng.integers(1 << index_bits(config))),
        random_word(rng, frames.operand_bits(config)),
        first,
        last,
        blind,
        valid=0,
        expect={"fault": 0, "switched": 0},
    )


def pause(config, rng):
    """What is between two commands."""
    return [idle(config, rng, int(rng.integers(2))) for _ in range(PAUSE)]


def steps(config, exchanges, rng):
    """All steps, with idle slots between commands and here and there within them."""
    out = []
    for exchange in exchanges:
        for step in steps_of(config, exchange):
            out.append(step)
            if rng.integers(8) == 0:
                out.append(idle(config, rng))
        out += pause(config, rng)
    return out


RESULTS = {"sums", "errors", "word", "fault"}
COUNTS = {"switched", "total"}


class Port:
    """The array's port, set by one assignment: the simulator settles after each."""

    def __init__(self, port):
        self.names = ["valid", "op", "index", "first", "last"]
        self.names += ["blind"] * hasattr(port, "blind")
        self.inputs = Cat(port.operand, *(getattr(port, name) for name in self.names))
        self.widths = [len(getattr(port, name)) for name in self.names]
        self.operand_width = len(port.operand)
        names = ("sums", "errors", "word", "switched", "fault")
        self.outputs = {name: Value.cast(getattr(port, name)) for name in names}

    def put(self, ctx, step, operand):
        word, low = operand, self.operand_width
        for name, width in zip(self.names, self.widths, strict=True):
            word |= getattr(step, name) << low
            low += width
        ctx.set(self.inputs, word)

    def shown(self, ctx):
        return {name: ctx.get(value) for name, value in self.outputs.items()}


async def drive(ctx, array, config, sequence, rng):
    """Play steps."""
    port = Port(array.port)
    total = 0
    for k in range(len(sequence) + COUNTED):
        operand = sequence[k - 1].operand if 0 < k <= len(sequence) else 0
        port.put(ctx, sequence[k] if k < len(sequence) else idle(config, rng), operand)
        now = port.shown(ctx)
        for late, names in ((LATENCY, RESULTS), (COUNTED, COUNTS)):
            if not 0 <= k - late < len(sequence):
                continue
            step = sequence[k - late]
            if late == COUNTED:
                now["total"] = total = total + now["switched"]
            for name in names & step.expect.keys():
                expected, seen = step.expect[name], now[name]
                assert seen == expected, f"step {k - late}: {name} after {step} is {seen}"
            if "total" in names & step.expect.keys():
                total = 0
        await ctx.tick()


def play(config, exchanges, *, seed=0):
    rng = np.random.default_rng(seed)
    array = SynapseArray(config)
    sequence = exchanges if isinstance(exchanges[0], Step) else steps(config, exchanges, rng)

    async def testbench(ctx):
        await drive(ctx, array, config, sequence, rng)

    simulate(array, testbench)


def dialogues(config, seed):
    twin, rng = Twin(config), np.random.default_rng(seed)
    exchanges = twin.everything() + twin.dialogue(rng) + twin.prepare(rng)
    exchanges += twin.dialogue(rng) + twin.dialogue(rng)
    assert twin.golden.counters.switched > 0
    return exchanges


@each_config
def test_every_command_behind_the_port(config):
    play(config, dialogues(config, 1), seed=2)


def test_row_sums_wherever_a_vector_ends():
    """With any of its steps, one right after the other; and one that is broken off leaves nothing
    for the next."""
    config = CONFIGS[2]
    twin, rng = Twin(config), np.random.default_rng(3)
    sequence = steps(config, twin.prepare(rng), rng)
    for broken in (False, True):
        for count in range(2, 12, 2):
            d = rng.integers(-128, 128, (1, 10))
            vector = steps_of(config, twin.backward(d))[: count // 2]
            for step in vector:
                step.last = 0
                step.expect.pop("errors", None)
            if broken:
                sequence += [*vector, idle(config, rng, last=1)]
            else:
                vector[-1].last = 1
                [vector[-1].expect["errors"]] = twin.errors(d[:, :count], 0)
                sequence += vector
            if broken or count % 4:
                sequence += steps_of(config, twin.backward(rng.integers(-128, 128, (2, 10))))
    play(config, sequence)


def test_switched_counts_the_cells_of_every_step():
    config = CONFIGS[1]
    twin, rng = Twin(config), np.random.default_rng(4)
    sequence = steps(config, twin.prepare(rng), rng)
    kappa, code = twin.pulses(rng, 4)
    counts, before = [], twin.golden.read()
    update = steps_of(config, twin.update(kappa, code))
    for step, old, new in zip(update, before, twin.golden.read(), strict=True):
        counts.append(int(np.count_nonzero(old != new)))
        step.expect = {"switched": counts[-1], "fault": 0}
    assert len(set(counts)) > 1
    play(config, sequence + update)


@each_config
def test_faults_belong_to_their_step(config):
    """Each fault ``LATENCY`` cycles after its step, none with its neighbours."""
    twin, rng = Twin(config), np.random.default_rng(5)
    sound, value, illegal = ({"fault": cause} for cause in (Cause.NONE, Cause.VALUE, Cause.TRIT))
    rows, codes = config.rows, config.codes
    last = config.cols // config.columns_per_cycle * config.columns_per_cycle - 1
    wide = config.draw_bits + 1
    certain = 1 << config.draw_bits
    u = planes(twin.trits(rng, 1)[0])
    sequence = steps(config, twin.prepare(rng), rng)
    sequence += [
        Step(Op.FORWARD, 0, u, expect=sound),
        Step(
            Op.FORWARD,
            0,
            1 << 2 * rows - 1,
            expect=illegal | {"sums": 0},
        ),
        Step(Op.FORWARD, 0, 0, expect=sound),
        # The same bits are no trits of other commands.
        Step(Op.BACKWARD, 0, 0, expect=sound),
        Step(Op.READ, last, 1 << 2 * rows - 1, expect=sound),
        Step(Op.LOAD_TABLE, 0, 0, expect=sound),
        Step(Op.LOAD_TABLE, 0, 1, expect=value),
        Step(Op.LOAD_TABLE, 0, 1 << wide, expect=value),
        Step(Op.LOAD_TABLE, 0, 1 << 2 * wide, expect=value),
        Step(Op.LOAD_TABLE, 0, 1 << 2 * wide + 31, expect=value),
        Step(Op.LOAD_TABLE, codes * (config.variants - 1), 1, expect=value),
        Step(Op.LOAD_TABLE, codes * config.variants, 1 | 1 << wide, expect=sound),
        Step(Op.LOAD_TABLE, codes * config.variants, certain + 1, expect=value),
        Step(Op.LOAD_TABLE, frames.table_rows(config) - 1, 1 | 1 << wide, expect=sound),
        Step(Op.LOAD_TABLE, frames.table_rows(config) - 1, certain + 1 << wide, expect=value),
        Step(Op.LOAD_TABLE, 1, certain | certain << wide, expect=sound),
        Step(Op.LOAD_TABLE, codes - 1, certain + 1, expect=value),
        Step(Op.LOAD_TABLE, codes - 1, (certain + 1) << wide, expect=value),
        Step(Op.LOAD_TABLE, codes - 1, certain | certain << wide, expect=sound),
    ]
    pulse = frames.pulse_bits(config)
    for kappa in range(4):
        expect = value if kappa > config.max_kappa else sound
        for row in {0, rows - 1}:
            operand = kappa << row * pulse + config.code_bits
            sequence += [Step(Op.UPDATE, 0, operand, expect=expect), Step(Op.READ, 0, expect=sound)]
    noise = [0, *[random_word(rng, frames.operand_bits(config)) for _ in range(63)]]
    sequence += [Step(Op.SEED, i, word, expect=sound) for i, word in enumerate(noise)]
    play(config, sequence)


class StuckFlip(Lane):
    """The first cell never switches."""

    def elaborate(self, platform):
        m = super().elaborate(platform)
        m.d.comb += self.flips[0].eq(0)
        return m


def test_a_stuck_cell_is_noticed():
    exchanges = dialogues(CONFIGS[1], 6)
    play(CONFIGS[1], exchanges)
    with (
        mock.patch("hdl.array.write_path.Lane", StuckFlip),
        pytest.raises(AssertionError, match=r"^step \d+: \w+ after Step"),
    ):
        play(CONFIGS[1], exchanges)


def test_index_holds_every_column_table_row_counter_and_leap():
    for kwargs, bits in (
        ({"rows": 1, "cols": 1, "code_bits": 2}, 6),  # 64 leaps
        ({"rows": 1, "cols": 1, "code_bits": 8}, 9),
        ({"rows": 1, "cols": 1, "code_bits": 8, "variant_bits": 4}, 13),
        ({"rows": 1, "cols": 65535}, 16),
        ({"rows": 4096, "cols": 64, "code_bits": 2, "draw_bits": 8}, 6),
        ({"rows": 4096, "cols": 65, "code_bits": 2, "draw_bits": 8}, 7),
    ):
        assert index_bits(ArrayConfig(**kwargs)) == bits

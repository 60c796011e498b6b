"""Frames against a packer of Python integers: a field is a value times a power of two."""

import dataclasses

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from golden.array import frames
from golden.array.activity import COUNTERS
from golden.array.frames import HEADER, TRAILER, Cause, Op
from golden.array.golden import GoldenArray
from golden.config import ArrayConfig
from golden.pulse.table import tanh_table

CONFIGS = [
    ArrayConfig(rows=1, cols=1, code_bits=2, draw_bits=8, error_bits=2),
    ArrayConfig(rows=5, cols=8, columns_per_cycle=4, draw_bits=8, error_bits=11),
    ArrayConfig(rows=33, cols=10, columns_per_cycle=2),
    ArrayConfig(rows=64, cols=64, columns_per_cycle=16, draw_bits=32, code_bits=8, error_bits=16),
    ArrayConfig(rows=7, cols=6, synapse="binary", draw_bits=32),
    ArrayConfig(rows=40, cols=4, synapse="binary", columns_per_cycle=4, code_bits=4),
    ArrayConfig(rows=9, cols=2, variant_bits=4, code_bits=2),
]
each_config = pytest.mark.parametrize("config", CONFIGS, ids=lambda c: f"{c.rows}x{c.cols}")


def packed(values, width):
    """One integer of ``values``, ``width`` two's complement bits each, the first lowest."""
    return sum((int(v) % (1 << width)) << i * width for i, v in enumerate(values))


def integers(words):
    """Words (n, k) uint32 as n integers."""
    assert words.dtype == np.uint32
    return [sum(part << 32 * i for i, part in enumerate(word)) for word in words.tolist()]


def as_words(numbers, width):
    """The reverse: integers as words of ``width`` bits."""
    parts = -(-width // 32)
    return np.array(
        [[n >> 32 * i & 0xFFFFFFFF for i in range(parts)] for n in numbers], np.uint32
    ).reshape(len(numbers), parts)


def header(op, first=0, count=0, blind=0):
    return op | blind << 4 | first << 16 | count << 32


def check(config, frame, head, data=()):
    """``frame`` is the header ``head`` and the words ``data``, each in its width."""
    assert frame.shape == (1 + len(data), -(-frames.data_bits(config) // 32))
    assert integers(frame) == [head, *data]
    assert all(word < 1 << frames.data_bits(config) for word in data)


def draw_bits_of(config, seed=0):
    shape = (config.cols, config.rows, config.cells)
    return np.random.default_rng(seed).integers(0, 2, shape)


# --- fields and widths ---


@pytest.mark.parametrize("fields", [HEADER, TRAILER], ids=["header", "trailer"])
def test_fields_neither_overlap_nor_stick_out(fields):
    taken = 0
    for low, width in fields.values():
        mask = ((1 << width) - 1) << low
        assert width > 0
        assert not taken & mask
        taken |= mask
    assert taken < 1 << frames.CONTROL_BITS


def test_fields_hold_their_largest_values():
    def room(fields, name):
        return 1 << fields[name][1]

    assert max(Op) < room(HEADER, "op") == room(TRAILER, "op")
    assert max(Cause) < room(TRAILER, "cause")
    assert room(HEADER, "count") > 65535  # all columns of the largest array
    assert room(HEADER, "first") > 65534
    assert room(TRAILER, "switched") > 65535 * 4096 * 2
    assert ArrayConfig().max_kappa < 1 << frames.KAPPA_BITS


def test_numbers_of_commands_and_causes():
    assert {op.value: op.name for op in Op} == {
        0: "STATUS",
        1: "PROGRAM",
        2: "READ",
        3: "FORWARD",
        4: "BACKWARD",
        5: "UPDATE",
        6: "LOAD_TABLE",
        7: "SEED",
        8: "GENERATORS",
        9: "VARIANTS",
        10: "AGE",
        11: "COUNTERS",
    }
    causes = {0: "NONE", 1: "OPCODE", 2: "RANGE", 3: "SHORT", 4: "LONG", 5: "TRIT", 6: "VALUE"}
    assert {cause.value: cause.name for cause in Cause} == causes


@pytest.mark.parametrize("fields", [HEADER, TRAILER], ids=["header", "trailer"])
@given(data=st.data())
def test_control_words_are_taken_apart_as_they_were_made(fields, data):
    values = {n: data.draw(st.integers(0, (1 << w) - 1), n) for n, (_, w) in fields.items()}
    word = frames.control(fields, **values)
    assert word == sum(values[name] << low for name, (low, _) in fields.items())
    assert {name: frames.field(fields, name, word) for name in fields} == values
    assert frames.control(fields) == 0


def test_unknown_fields_are_refused():
    with pytest.raises(KeyError, match=r"switched"):
        frames.control(HEADER, switched=1)


@each_config
def test_words_are_as_wide_as_their_widest_content(config):
    rows, group = config.rows, config.columns_per_cycle
    ins = [
        64,
        rows * config.cells,
        2 * rows,
        rows * (config.code_bits + 3),
        group * config.error_bits,
        2 * (config.draw_bits + 17),
        rows * config.cells * config.variant_bits,
    ]
    outs = [64, rows * config.cells, group * config.sum_bits, rows * config.back_bits]
    assert frames.data_bits(config) == max(ins)
    assert frames.result_bits(config) == max(outs)
    assert frames.pulse_bits(config) == config.code_bits + 3
    assert frames.generators(config) == rows * config.cells


@each_config
@pytest.mark.parametrize("batch", [0, 1, 7])
def test_steps_and_cycles(config, batch):
    count, group = config.cols, config.columns_per_cycle
    want = {
        Op.STATUS: 0,
        Op.PROGRAM: count,
        Op.READ: count,
        Op.FORWARD: batch * count // group,
        Op.BACKWARD: batch * count // group,
        Op.UPDATE: count,
        Op.LOAD_TABLE: count,
        Op.SEED: 64,
        Op.GENERATORS: 64,
        Op.VARIANTS: count,
        Op.AGE: count,
        Op.COUNTERS: 27,
    }
    assert set(want) == set(Op)
    for op, steps in want.items():
        given_count = 0 if op is Op.STATUS else count
        assert frames.steps(op, config, given_count, batch) == steps
        assert frames.cycles(op, config, given_count, batch) == steps + frames.OVERHEAD


# --- packing ---


@given(st.integers(1, 40), st.booleans(), st.integers(0, 2**32), st.integers(0, 9))
def test_bits_of_integers(width, signed, seed, count):
    low, high = (-(1 << (width - 1)), 1 << (width - 1)) if signed else (0, 1 << width)
    values = np.random.default_rng(seed).integers(low, high, (2, count))
    bits = frames.to_bits(values, width)
    assert (bits.shape, bits.dtype) == ((2, count, width), np.uint8)
    for i in np.ndindex(2, count):
        assert bits[i].tolist() == [int(values[i]) >> k & 1 for k in range(width)]
    assert np.array_equal(frames.from_bits(bits, signed=signed), values)


@given(st.integers(1, 33), st.integers(1, 12), st.integers(0, 5), st.integers(0, 40), st.data())
def test_words_of_fields(width, fields, rows, slack, data):
    top = (1 << width) - 1
    row = st.lists(st.integers(0, top), min_size=fields, max_size=fields)
    values = data.draw(st.lists(row, min_size=rows, max_size=rows))
    bits = frames.to_bits(np.array(values, np.int64).reshape(rows, fields), width)
    words = frames.to_words(bits, fields * width + slack)
    assert words.shape == (rows, -(-(fields * width + slack) // 32))
    assert integers(words) == [packed(v, width) for v in values]
    assert np.array_equal(frames.from_words(words, fields, width), bits)


# --- commands ---


@each_config
def test_program_frame(config):
    bits = draw_bits_of(config)[: config.cols // 2 + 1]
    planes = [
        packed([bits[i, j, m] for m in range(config.cells) for j in range(config.rows)], 1)
        for i in range(len(bits))
    ]
    first = config.cols - len(bits)
    frame = frames.program_frame(config, bits.astype(bool), first)
    check(config, frame, header(1, first, len(bits)), planes)
    # READ answers with the same words.
    words = as_words(planes, frames.result_bits(config))
    got = frames.bits_of(config, words)
    assert (got.dtype, got.shape) == (bool, bits.shape)
    assert np.array_equal(got, bits)


@each_config
def test_read_frame(config):
    first = config.cols - 1
    check(config, frames.read_frame(config, first, 1), header(2, first, 1))


@each_config
@pytest.mark.parametrize("batch", [0, 1, 3])
def test_forward_frame_and_sums(config, batch):
    rng = np.random.default_rng(batch)
    u = rng.integers(-1, 2, (batch, config.rows)).astype(np.int8)
    data = [packed([v != 0 for v in x] + [v < 0 for v in x], 1) for x in u.tolist()]
    unit = config.columns_per_cycle
    frame = frames.forward_frame(config, u, config.cols - unit, unit)
    check(config, frame, header(3, config.cols - unit, unit), data)

    sums = rng.integers(-config.rows, config.rows + 1, (batch, config.cols))
    answer = [packed(g, config.sum_bits) for g in sums.reshape(-1, unit).tolist()]
    words = as_words(answer, frames.result_bits(config))
    got = frames.sums_of(config, words, config.cols)
    assert (got.dtype, got.shape) == (np.int32, sums.shape)
    assert np.array_equal(got, sums)


@each_config
@pytest.mark.parametrize("batch", [0, 1, 3])
def test_backward_frame_and_errors(config, batch):
    rng, top, unit = np.random.default_rng(batch), config.max_error, config.columns_per_cycle
    d = rng.integers(-top - 1, top + 1, (batch, config.cols)).astype(np.int32)
    data = [packed(g, config.error_bits) for g in d.reshape(-1, unit).tolist()]
    check(config, frames.backward_frame(config, d, 0), header(4, 0, config.cols), data)

    limit = config.cols << (config.error_bits - 1)
    errors = rng.integers(-limit, limit + 1, (batch, config.rows))
    words = as_words([packed(e, config.back_bits) for e in errors], frames.result_bits(config))
    got = frames.errors_of(config, words)
    assert (got.dtype, got.shape) == (np.int32, errors.shape)
    assert np.array_equal(got, errors)


@each_config
@pytest.mark.parametrize("blind", [False, True])
def test_update_frame(config, blind):
    rng = np.random.default_rng(0)
    shape = (config.cols, config.rows)
    sign = rng.choice([-1, 1], shape)
    kappa = (sign * rng.integers(0, config.max_kappa + 1, shape)).astype(np.int8)
    code = (sign * rng.integers(0, config.codes, shape)).astype(np.int16)
    width = config.code_bits + 3
    data = []
    for ks, cs in zip(kappa.tolist(), code.tolist(), strict=True):
        pulses = [
            abs(c) | abs(k) << config.code_bits | (k + c > 0) << (config.code_bits + 2)
            for k, c in zip(ks, cs, strict=True)
        ]
        data.append(packed(pulses, width))
    frame = frames.update_frame(config, kappa, code, 0, blind)
    # A binary synapse has but one rule.
    rule = blind and config.synapse == "ternary"
    check(config, frame, header(5, 0, config.cols, rule), data)


@each_config
def test_table_frame(config):
    thresholds, ticks = tanh_table(config).thresholds, tanh_table(config).ticks.copy()
    ticks[:, 1] = np.arange(len(ticks)) + 65000
    wide = config.draw_bits + 1
    data = [
        packed(row, wide) | packed(lengths, 16) << 2 * wide
        for row, lengths in zip(thresholds.tolist(), ticks.tolist(), strict=True)
    ]
    assert data[-1] & (1 << 2 * wide) - 1 == 1 << config.draw_bits | 1 << (2 * wide - 1)
    frame = frames.table_frame(config, thresholds, ticks, 0)
    check(config, frame, header(6, 0, config.codes), data)
    frame = frames.table_frame(config, thresholds[2:4], ticks[2:4], 7)
    check(config, frame, header(6, 7, 2), data[2:4])


@pytest.mark.parametrize("bits", [0, 2])
@each_config
def test_ageing_frame(config, bits):
    """Two rows a variant, by state, with the same threshold for both cells."""
    config = dataclasses.replace(config, variant_bits=bits)
    limit, wide = 1 << config.draw_bits, config.draw_bits + 1
    rows = np.random.default_rng(bits).integers(0, limit + 1, (config.variants, 2))
    rows[0] = [limit, 1]
    data = [int(x) | int(x) << wide for row in rows for x in row]
    first = config.variants * config.codes
    assert first + len(data) == frames.table_rows(config)
    check(config, frames.ageing_frame(config, rows), header(6, first, len(data)), data)
    if bits:  # of stuck cells none are needed
        frame = frames.ageing_frame(config, rows[:-1])
        check(config, frame, header(6, first, len(data) - 2), data[:-2])


@pytest.mark.parametrize("bits", [1, 2, 4])
@each_config
def test_variants_frame(config, bits):
    config = dataclasses.replace(config, variant_bits=bits)
    shape = (config.cols, config.rows, config.cells)
    variants = np.random.default_rng(bits).integers(0, 1 << bits, shape)
    data = [
        sum(
            (int(column[j, i]) >> k & 1) << (k * config.cells + i) * config.rows + j
            for j, i in np.ndindex(*column.shape)
            for k in range(bits)
        )
        for column in variants[1:]
    ]
    if data:
        frame = frames.variants_frame(config, variants[1:], 1)
        check(config, frame, header(9, 1, config.cols - 1), data)


@each_config
def test_age_frame(config):
    check(config, frames.age_frame(config, 3, 5), header(10, 3, 5))


@each_config
def test_counts_of(config):
    values = [(1 << 64) - 1 - 7 * i for i in range(27)]
    words = as_words(values, frames.result_bits(config))
    counts = frames.counts_of(words)
    assert list(counts) == list(COUNTERS)
    assert list(counts.values()) == values


def test_known_commands():
    def known(**options):
        return set(Op) - set(frames.known(ArrayConfig(**options)))

    assert known() == {Op.VARIANTS}
    assert known(counters=False) == {Op.VARIANTS, Op.COUNTERS}
    assert known(variant_bits=1) == set()
    for bits in (0, 3):
        assert frames.table_rows(ArrayConfig(code_bits=4, variant_bits=bits)) == 18 * 2**bits


def stepped(state, count):
    """A generator's state ``count`` single steps on."""
    for _ in range(count):
        new = (state ^ state >> 9 ^ state >> 19 ^ state >> 29) & 1
        state = state >> 1 | new << 63
    return state


@each_config
@pytest.mark.parametrize("zero", [False, True])
def test_seed_frame_leads_a_new_array_to_the_states(config, zero):
    """A plain register a generator: it leaps by a word, and the word's bit of it turns its newest
    bit."""
    rng = np.random.default_rng(1)
    states = rng.integers(1, 1 << 63, (config.rows, config.cells), np.uint64)
    if zero:
        states[-1, -1] = 0
    head, *words = integers(frames.seed_frame(config, states))
    assert (head, len(words)) == (header(7), frames.steps(Op.SEED, config))
    assert all(word < 1 << states.size for word in words)
    led = GoldenArray(config).generators()
    assert led.dtype == np.uint64
    for (row, cell), state in np.ndenumerate(led):
        now, place = int(state), cell * config.rows + row
        for word in words:
            now = stepped(now, config.draw_bits) ^ (word >> place & 1) << 63
        assert now == int(states[row, cell]), (row, cell)


@each_config
def test_states_of_generators(config):
    """From the words that plain registers give."""
    rng = np.random.default_rng(2)
    states = rng.integers(0, 1 << 64, (config.rows, config.cells), np.uint64, endpoint=False)
    now = states.astype(object)
    answer = []
    for _ in range(64):
        answer.append(packed([int(x) & 1 for x in now.T.ravel()], 1))
        now = np.vectorize(stepped, otypes=[object])(now, config.draw_bits)
    got = frames.states_of(config, as_words(answer, frames.result_bits(config)))
    assert (got.dtype, got.shape) == (np.uint64, states.shape)
    assert np.array_equal(got, states)

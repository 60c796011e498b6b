"""The golden array against integer algebra, a bit-serial generator and the plain rule."""

import dataclasses
import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from golden.array import frames
from golden.array.frames import Op
from golden.array.golden import GoldenArray
from golden.config import ArrayConfig
from golden.pulse.table import ProbabilityTable, tanh_table

MASK = (1 << 64) - 1
SMALL = ArrayConfig(rows=3, cols=4, columns_per_cycle=2, code_bits=3, draw_bits=8)


def filled(config, seed):
    """An array with random cells, its own seed and the ideal table; and its cell bits."""
    array = GoldenArray(config)
    bits = np.random.default_rng(seed).integers(0, 2, (config.cols, config.rows, config.cells))
    array.program(bits)
    array.seed(seed)
    array.load_table(tanh_table(config))
    return array, bits.astype(bool)


def weights(bits):
    """(cols, rows), int64."""
    b = bits.astype(np.int64)
    return b[..., 0] - b[..., 1] if b.shape[-1] == 2 else 2 * b[..., 0] - 1


def pulses(config, seed, count):
    rng = np.random.default_rng(seed)
    sign = rng.choice([-1, 1], (count, config.rows))
    kappa = sign * rng.integers(0, config.max_kappa + 1, sign.shape)
    return kappa, sign * rng.integers(0, config.codes, sign.shape)


def snapshot(array):
    counters = dataclasses.replace(array.counters)
    return counters, array.read(), array.generators()


def assert_untouched(array, before):
    cycles = before[0].cycles + frames.cycles(Op.READ, array.config, array.config.cols)
    cycles += frames.cycles(Op.GENERATORS, array.config) + frames.cycles(Op.SEED, array.config)
    assert array.counters == dataclasses.replace(before[0], cycles=cycles)
    assert np.array_equal(array.read(), before[1])
    assert np.array_equal(array.generators(), before[2])


configs = st.builds(
    lambda unit, groups, **rest: ArrayConfig(columns_per_cycle=unit, cols=unit * groups, **rest),
    unit=st.sampled_from([1, 2, 4]),
    groups=st.integers(1, 6),
    rows=st.integers(1, 40),
    synapse=st.sampled_from(["ternary", "binary"]),
    error_bits=st.integers(2, 16),
    code_bits=st.integers(2, 8),
    draw_bits=st.sampled_from([8, 16, 32]),
)


@st.composite
def ranges(draw):
    """An array's parameters and an aligned range of its columns."""
    config = draw(configs)
    unit = config.columns_per_cycle
    first = draw(st.integers(0, config.cols // unit - 1))
    count = draw(st.integers(1, config.cols // unit - first))
    return config, first * unit, count * unit


# --- reads ---


@given(ranges(), st.integers(1, 5), st.integers(0, 2**32))
def test_forward_is_the_integer_product(case, batch, seed):
    config, first, count = case
    array, bits = filled(config, seed)
    u = np.random.default_rng(seed).integers(-1, 2, (batch, config.rows))
    s = array.forward(u, first, count)
    assert (s.dtype, s.shape) == (np.int32, (batch, count))
    assert np.array_equal(s, u @ weights(bits)[first : first + count].T)


@given(ranges(), st.integers(1, 5), st.integers(0, 2**32))
def test_backward_is_the_integer_product(case, batch, seed):
    config, first, count = case
    array, bits = filled(config, seed)
    limit = config.max_error
    d = np.random.default_rng(seed).integers(-limit - 1, limit + 1, (batch, count))
    e = array.backward(d, first)
    assert (e.dtype, e.shape) == (np.int32, (batch, config.rows))
    assert np.array_equal(e, d @ weights(bits)[first : first + count])


def test_small_products_by_hand():
    array = GoldenArray(ArrayConfig(rows=3, cols=2))
    # column 0: +1, -1, 0w; column 1: 0s, -1, +1
    array.program([[[1, 0], [0, 1], [1, 1]], [[0, 0], [0, 1], [1, 0]]])
    assert array.forward([[1, 1, 1], [-1, 1, 0], [0, 0, -1]]).tolist() == [
        [0, 0],
        [-2, -1],
        [0, -1],
    ]
    assert array.backward([[3, -7], [-128, 127]]).tolist() == [[3, 4, -7], [-128, 1, 127]]


@pytest.mark.parametrize("error_bits", [2, 8, 16])
@pytest.mark.parametrize("cols", [1, 511, 512, 1024, 65535])
@pytest.mark.parametrize("bit", [0, 1])
def test_extreme_row_sums_are_exact(cols, error_bits, bit):
    """Across the switch from float32 to float64: sums that float32 cannot hold must come out."""
    array = GoldenArray(ArrayConfig(rows=1, cols=cols, synapse="binary", error_bits=error_bits))
    array.program(np.full((cols, 1, 1), bit))
    w, top = 2 * bit - 1, 2 ** (error_bits - 1)
    d = np.empty((4, cols), int)
    d[0], d[1], d[2] = -top, top - 1, top - 1
    d[2, 0] -= 1
    d[3] = np.random.default_rng(cols).integers(-top, top, cols)
    assert array.backward(d)[:, 0].tolist() == [w * sum(row) for row in d.tolist()]


@pytest.mark.parametrize("rows", [1, 4096])
@pytest.mark.parametrize("sign", [-1, 1])
def test_extreme_column_sums_are_exact(rows, sign):
    array = GoldenArray(ArrayConfig(rows=rows, cols=1))
    array.program(np.tile([[[1, 0]]], (1, rows, 1)))
    assert array.forward(np.full((1, rows), sign)).tolist() == [[sign * rows]]


@given(ranges(), st.integers(0, 2**32))
def test_what_was_programmed_is_read(case, seed):
    config, first, count = case
    array, bits = filled(config, seed)
    new = np.random.default_rng(seed + 1).integers(0, 2, (count, *bits.shape[1:])).astype(bool)
    array.program(new, first)
    bits[first : first + count] = new
    assert array.read().dtype == bool
    assert np.array_equal(array.read(first), bits[first:])
    assert np.array_equal(array.read(first, count), new)
    assert np.array_equal(array.forward(np.eye(config.rows, dtype=int)), weights(bits).T)


def test_what_is_returned_and_given_is_a_copy():
    array, bits = filled(SMALL, 0)
    given_bits = bits.copy()
    array.program(given_bits)
    given_bits[:] = ~given_bits
    array.read()[:] = True
    array.generators()[:] = 1
    assert np.array_equal(array.read(), bits)
    assert not (array.generators() == 1).any()


# --- update ---


def serial_draws(states, count, k):
    """``count`` draws of every generator, one bit at a time, and the states then."""
    draws = []
    for _ in range(count):
        draws.append([s & ((1 << k) - 1) for s in states])
        for _ in range(k):
            states = [s >> 1 | (s ^ s >> 9 ^ s >> 19 ^ s >> 29) % 2 << 63 for s in states]
    return draws, states


def pulsed(bits, kappa, code, draws, table, blind):
    """New bits of one synapse: draw 0 for the cell driven to P, draw 1 for the one driven to AP."""
    full, up = len(table) - 1, kappa + code > 0
    steps, pulse = abs(kappa), abs(code)
    one = full if steps else pulse
    if len(bits) == 1:
        return [up if bits[0] != up and draws[0] < table[one][not up] else bits[0]]
    m_p, m_ap = bits if up else bits[::-1]
    both_wrong = not m_p and m_ap
    for_p = for_ap = one
    if both_wrong and not blind:
        for_ap = {0: 0, 1: pulse, 2: full}[steps]
    m_p = m_p or draws[0] < table[for_p][0]
    m_ap = m_ap and not draws[1] < table[for_ap][1]
    return [m_p, m_ap] if up else [m_ap, m_p]


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize("blind", [False, True])
@pytest.mark.parametrize("synapse", ["ternary", "binary"])
@pytest.mark.parametrize("draw_bits", [8, 16, 32])
def test_update_bit_for_bit(synapse, draw_bits, blind, seed):
    config = ArrayConfig(rows=5, cols=7, synapse=synapse, draw_bits=draw_bits, code_bits=3)
    array, bits = filled(config, seed)
    # Certainty apart, the directions differ.
    even = np.rint(2**draw_bits * np.array([0, 0.05, 0.2, 0.4, 0.6, 0.7, 0.9, 1])).astype(np.int64)
    table = np.stack([even, even // 2], axis=1)
    array.load_table(ProbabilityTable(table, np.zeros((8, 2), int), 1e-12, draw_bits))
    states, total = array.generators().ravel().tolist(), 0
    for first, count in ((0, 7), (2, 3), (6, 1), (0, 7)):
        kappa, code = pulses(config, seed + first, count)
        draws, states = serial_draws(states, count, draw_bits)
        before = bits.copy()
        for i, j in np.ndindex(count, 5):
            own = draws[i][j * config.cells : (j + 1) * config.cells]
            old = bits[first + i, j].tolist()
            pulse = int(kappa[i, j]), int(code[i, j])
            bits[first + i, j] = pulsed(old, *pulse, own, table.tolist(), blind)
        switched = array.update(kappa, code, first, blind=blind)
        total += switched
        assert np.array_equal(array.read(), bits), seed
        assert array.generators().ravel().tolist() == states, seed
        assert switched == np.count_nonzero(bits != before)
        assert array.counters.switched == total
        u = np.random.default_rng(seed).integers(-1, 2, (3, 5))
        assert np.array_equal(array.forward(u), u @ weights(bits).T)
    assert total > 0


@pytest.mark.parametrize("synapse", ["ternary", "binary"])
def test_certain_pulses_do_certain_things(synapse):
    config = ArrayConfig(rows=6, cols=4, synapse=synapse)
    array, bits = filled(config, 0)
    ones = np.ones((4, 6), int)
    for sign in (1, -1, 1):
        array.update(sign * config.max_kappa * ones, 0 * ones)
        assert (weights(array.read()) == sign).all()
    bits = array.read()
    assert array.update(config.max_kappa * ones, (config.codes - 1) * ones) == 0
    assert np.array_equal(array.read(), bits)


def test_generators_advance_by_the_column_whatever_switches():
    array, bits = filled(SMALL, 1)
    twin, _ = filled(SMALL, 1)
    zeros = np.zeros((4, 3), int)
    assert array.update(zeros, zeros) == 0
    assert np.array_equal(array.read(), bits)
    twin.update(*pulses(SMALL, 0, 4))
    assert np.array_equal(array.generators(), twin.generators())
    _, states = serial_draws(filled(SMALL, 1)[0].generators().ravel().tolist(), 4, 8)
    assert array.generators().ravel().tolist() == states
    array.update(zeros[:1], zeros[:1], 3)
    _, states = serial_draws(states, 1, 8)
    assert array.generators().ravel().tolist() == states


def test_reads_do_not_advance_the_generators():
    array, _ = filled(SMALL, 1)
    states = array.generators()
    array.forward(np.ones((2, 3), int))
    array.backward(np.ones((2, 4), int))
    array.program(array.read())
    array.load_table(tanh_table(SMALL))
    assert np.array_equal(array.generators(), states)


def test_new_array_is_blank_and_inert():
    array = GoldenArray(SMALL)
    assert not array.read().any()
    ones = np.ones((4, 3), int)
    assert array.update(2 * ones, 7 * ones) == 0
    assert not array.read().any()
    assert array.counters.switched == 0
    loaded, _ = filled(SMALL, 0)  # seed 0, the one that a new array has
    loaded.update(ones, ones)
    assert np.array_equal(array.generators(), loaded.generators())


@pytest.mark.parametrize("synapse", ["ternary", "binary"])
def test_seed_gives_one_stream_to_each_generator(synapse):
    config = ArrayConfig(rows=4, cols=1, synapse=synapse)
    array, second = GoldenArray(config), GoldenArray(config)
    array.seed(9)
    second.seed(9, array.generators().size)
    both = np.concatenate([array.generators().ravel(), second.generators().ravel()])
    assert array.generators().shape == (4, config.cells)
    assert len(set(both.tolist())) == both.size
    whole = GoldenArray(ArrayConfig(rows=8, cols=1, synapse=synapse))
    whole.seed(9)
    assert np.array_equal(whole.generators().ravel(), both)
    array.set_generators(second.generators())
    assert np.array_equal(array.generators(), second.generators())
    assert array.generators().dtype == np.uint64


@given(configs, st.integers(1, 3))
def test_cycles_follow_the_formula(config, batch):
    array = GoldenArray(config)
    cols, groups = config.cols, config.cols // config.columns_per_cycle
    zeros = np.zeros((cols, config.rows), int)
    commands = [
        (lambda: array.program(np.zeros((cols, config.rows, config.cells), int)), cols),
        (lambda: array.read(cols - 1), 1),
        (lambda: array.forward(np.zeros((batch, config.rows), int)), batch * groups),
        (lambda: array.backward(np.zeros((batch, cols), int)), batch * groups),
        (lambda: array.update(zeros, zeros), cols),
        (lambda: array.load_table(tanh_table(config)), 2**config.code_bits),
        (lambda: array.seed(0), 64),
        # Told by drawing, and put back: two commands.
        (lambda: array.generators(), 64 + frames.OVERHEAD + 64),
    ]
    total = 0
    for command, steps in commands:
        command()
        total += steps + frames.OVERHEAD
        assert array.counters.cycles == total


# --- bad input ---

ZEROS = np.zeros((4, 3), int)
BITS = np.zeros((4, 3, 2), int)
STATES = np.ones((3, 2), np.uint64)
BAD_VALUES = [
    ("forward", (np.zeros((2, 4), int),), r"^u must have shape \(\*, 3\), not \(2, 4\)$"),
    ("forward", (np.zeros((0, 3), int),), r"^batch must be at least 1, not 0$"),
    ("backward", (np.zeros((0, 4), int),), r"^batch must be at least 1, not 0$"),
    ("forward", (np.zeros(3, int),), r"^u must have shape \(\*, 3\), not \(3,\)$"),
    ("forward", ([[0, 1, 2]],), r"^u\[0, 2\] must be in -1 to 1, not 2$"),
    ("forward", ([[0, 0, 0], [-2, 0, 0]],), r"^u\[1, 0\] must be in -1 to 1, not -2$"),
    ("forward", ([[0, 0, 0]], 1), r"^first and count must be multiples of columns_per_cycle = 2"),
    ("forward", ([[0, 0, 0]], 0, 3), r"^first and count must be multiples of columns_per_cycle"),
    ("forward", ([[0, 0, 0]], 4), r"^first must be in 0 to 3, not 4$"),
    ("forward", ([[0, 0, 0]], -2), r"^first must be in 0 to 3, not -2$"),
    ("forward", ([[0, 0, 0]], 2, 4), r"^count must be in 1 to 2, not 4$"),
    ("forward", ([[0, 0, 0]], 0, 0), r"^count must be in 1 to 4, not 0$"),
    ("backward", ([0, 0],), r"^d must have shape \(\*, \*\), not \(2,\)$"),
    ("backward", ([[0, 128]],), r"^d\[0, 1\] must be in -128 to 127, not 128$"),
    ("backward", ([[0, -129]],), r"^d\[0, 1\] must be in -128 to 127, not -129$"),
    ("backward", (np.zeros((1, 3), int),), r"^first and count must be multiples of columns_per_c"),
    ("backward", (np.zeros((1, 6), int),), r"^count must be in 1 to 4, not 6$"),
    ("backward", (np.zeros((1, 0), int),), r"^count must be in 1 to 4, not 0$"),
    ("program", (BITS[:, :2],), r"^bits must have shape \(\*, 3, 2\), not \(4, 2, 2\)$"),
    ("program", (BITS + 2,), r"^bits\[0, 0, 0\] must be in 0 to 1, not 2$"),
    ("program", (BITS - 1,), r"^bits\[0, 0, 0\] must be in 0 to 1, not -1$"),
    ("program", (BITS, 1), r"^count must be in 1 to 3, not 4$"),
    ("program", (BITS[:0],), r"^count must be in 1 to 4, not 0$"),
    ("read", (4,), r"^first must be in 0 to 3, not 4$"),
    ("read", (1, 4), r"^count must be in 1 to 3, not 4$"),
    ("update", (ZEROS.T, ZEROS.T), r"^kappa must have shape \(\*, 3\), not \(3, 4\)$"),
    ("update", (ZEROS, ZEROS[1:]), r"^code must have shape \(4, 3\), not \(3, 3\)$"),
    ("update", (ZEROS + 3, ZEROS), r"^kappa\[0, 0\] must be in -2 to 2, not 3$"),
    ("update", (ZEROS, ZEROS + 8), r"^code\[0, 0\] must be in -7 to 7, not 8$"),
    ("update", (ZEROS, ZEROS - 8), r"^code\[0, 0\] must be in -7 to 7, not -8$"),
    ("update", (ZEROS + 1, ZEROS - 1), r"^code\[0, 0\] must not be of the other sign than kappa ="),
    ("update", (ZEROS, ZEROS, 1), r"^count must be in 1 to 3, not 4$"),
    ("load_table", (tanh_table(ArrayConfig()),), r"^table must have \(codes, draw_bits\) = \(8, 8"),
    ("load_table", (tanh_table(ArrayConfig(code_bits=3)),), r"^table must have \(codes, draw_bits"),
    ("seed", (-1,), r"^seed must be at least 0, not -1$"),
    ("seed", (0, (1 << 20) - 5), r"^count must be in 0 to 5, not 6$"),
    ("set_generators", (STATES[:2],), r"^states must have shape \(3, 2\), not \(2, 2\)$"),
    ("set_generators", (STATES - 1,), r"^states\[0, 0\] must be in 1 to 18446744073709551615, not"),
]
BAD_TYPES = [
    ("forward", ([[0.0, 1.0, 0.0]],), r"^u must hold integers, not float64$"),
    ("forward", ([[math.nan, 0, 0]],), r"^u must hold integers, not float64$"),
    ("forward", (None,), r"^u must hold integers, not object$"),
    ("forward", ([[0, 0, 0]], 0.0), r"^first must be an integer, not 0\.0$"),
    ("forward", ([[0, 0, 0]], 0, "4"), r"^count must be an integer, not '4'$"),
    ("backward", ([[0.5, 1.0]],), r"^d must hold integers, not float64$"),
    ("backward", ([[0, 0]], None), r"^first must be an integer, not None$"),
    ("program", (BITS.astype(float),), r"^bits must hold integers, not float64$"),
    ("read", (True,), r"^first must be an integer, not True$"),
    ("update", (ZEROS * 1.0, ZEROS), r"^kappa must hold integers, not float64$"),
    ("update", (ZEROS, ZEROS * 1.0), r"^code must hold integers, not float64$"),
    ("load_table", (np.zeros((8, 2)),), r"^table must be a ProbabilityTable, not array"),
    ("seed", ("0",), r"^seed must be an integer, not '0'$"),
    ("set_generators", (STATES * 1.0,), r"^states must hold integers, not float64$"),
]


@pytest.mark.parametrize(
    ("error", "method", "arguments", "message"),
    [(ValueError, *case) for case in BAD_VALUES] + [(TypeError, *case) for case in BAD_TYPES],
)
def test_bad_input_changes_nothing(error, method, arguments, message):
    array, _ = filled(SMALL, 3)
    before = snapshot(array)
    with pytest.raises(error, match=message):
        getattr(array, method)(*arguments)
    assert_untouched(array, before)


def test_opposed_signs_are_named_by_place():
    kappa, code = ZEROS.copy(), ZEROS.copy()
    kappa[2, 1], code[2, 1] = -2, 5
    message = r"^code\[2, 1\] must not be of the other sign than kappa = -2, not 5$"
    with pytest.raises(ValueError, match=message):
        GoldenArray(SMALL).update(kappa, code)


@pytest.mark.parametrize("config", [None, {}, (64, 64)])
def test_array_needs_a_config(config):
    with pytest.raises(TypeError, match=r"^config must be an ArrayConfig, not "):
        GoldenArray(config)

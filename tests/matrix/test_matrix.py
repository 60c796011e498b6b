"""Matrices of any size over arrays of one size, against plain integer algebra."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from golden.array.golden import GoldenArray
from golden.array.lockstep import LockstepArray, Mismatch
from golden.config import ArrayConfig
from golden.matrix.tiled import ArrayBank, columns_taken
from golden.pulse.table import tanh_table

CONFIG = ArrayConfig(rows=4, cols=6, columns_per_cycle=2, code_bits=3)


def bank_of(config, seed=0, make=GoldenArray):
    return ArrayBank(make, config, tanh_table(config), seed)


def random_bits(matrix, rng):
    shape = (matrix.n_out, matrix.n_in, matrix.config.cells)
    return rng.integers(0, 2, shape).astype(bool)


def weights(bits):
    """(n_out, n_in), int64."""
    b = bits.astype(np.int64)
    return b[..., 0] - b[..., 1] if b.shape[-1] == 2 else 2 * b[..., 0] - 1


def certain(matrix, sign):
    """Pulses that take every weight to ``sign``."""
    kappa = np.full((matrix.n_out, matrix.n_in), sign * matrix.config.max_kappa)
    return kappa, 0 * kappa


configs = st.builds(
    lambda unit, groups, **rest: ArrayConfig(columns_per_cycle=unit, cols=unit * groups, **rest),
    unit=st.sampled_from([1, 2, 4]),
    groups=st.integers(2, 5),
    rows=st.integers(2, 7),
    synapse=st.sampled_from(["ternary", "binary"]),
    error_bits=st.sampled_from([2, 8, 16]),
    code_bits=st.just(3),
)
sizes = st.lists(st.tuples(st.integers(1, 15), st.integers(1, 15)), min_size=1, max_size=3)


@given(configs, sizes, st.integers(0, 2**32))
def test_matrices_of_a_bank_are_integer_matrices(config, shapes, seed):
    rng = np.random.default_rng(seed)
    bank = bank_of(config)
    matrices = [bank.matrix(f"m{i}", *shape) for i, shape in enumerate(shapes)]
    contents = [random_bits(matrix, rng) for matrix in matrices]
    for matrix, bits in zip(matrices, contents, strict=True):
        matrix.program(bits)
    for matrix, bits, shape in zip(matrices, contents, shapes, strict=True):
        assert (matrix.n_in, matrix.n_out) == shape
        assert np.array_equal(matrix.read(), bits)
        u = rng.integers(-1, 2, (3, matrix.n_in))
        s = matrix.forward(u)
        assert (s.dtype, s.shape) == (np.int32, (3, matrix.n_out))
        assert np.array_equal(s, u @ weights(bits).T)
        limit = config.max_error
        d = rng.integers(-limit - 1, limit + 1, (3, matrix.n_out))
        e = matrix.backward(d)
        assert (e.dtype, e.shape) == (np.int32, (3, matrix.n_in))
        assert np.array_equal(e, d @ weights(bits))


@given(configs, sizes, st.integers(0, 2**32))
def test_tiles_cover_each_matrix_once_and_share_nothing(config, shapes, seed):
    bank = bank_of(config, seed)
    used = set()
    for i, (n_in, n_out) in enumerate(shapes):
        covered = np.zeros((n_out, n_in), int)
        for tile in bank.matrix(f"m{i}", n_in, n_out).tiles:
            covered[tile.col : tile.col + tile.cols, tile.row : tile.row + tile.rows] += 1
            assert tile.first % config.columns_per_cycle == 0
            assert tile.width % config.columns_per_cycle == 0
            assert tile.cols <= tile.width < tile.cols + config.columns_per_cycle
            assert tile.first + tile.width <= config.cols
            mine = {(id(tile.array), tile.first + k) for k in range(tile.width)}
            assert not mine & used
            used |= mine
        assert (covered == 1).all()
    assert len(used) == columns_taken(shapes, config)
    assert len(bank.arrays) == -(-len(used) // config.cols)  # no array before the last is full


@given(configs, sizes, st.integers(0, 2**32), st.booleans())
def test_an_update_touches_its_own_matrix_alone(config, shapes, seed, blind):
    rng = np.random.default_rng(seed)
    bank = bank_of(config)
    matrices = [bank.matrix(f"m{i}", *shape) for i, shape in enumerate(shapes)]
    contents = [random_bits(matrix, rng) for matrix in matrices]
    for matrix, bits in zip(matrices, contents, strict=True):
        matrix.program(bits)
    chosen = seed % len(matrices)
    sign = 1 if seed & 1 << 20 else -1
    switched = matrices[chosen].update(*certain(matrices[chosen], sign), blind=blind)
    for i, (matrix, bits) in enumerate(zip(matrices, contents, strict=True)):
        now = matrix.read()
        if i == chosen:
            assert (weights(now) == sign).all()
            assert switched == np.count_nonzero(now != bits)
        else:
            assert np.array_equal(now, bits)
    # What pads a matrix out to whole arrays is never pulsed.
    padding = sum(int(array.read().sum()) for array in bank.arrays)
    assert padding == sum(int(matrix.read().sum()) for matrix in matrices)


def test_update_sends_each_pulse_to_its_synapse():
    matrix = bank_of(CONFIG).matrix("m", 9, 8)
    bits = random_bits(matrix, np.random.default_rng(0))
    target = np.random.default_rng(1).integers(-1, 2, (8, 9))
    matrix.program(bits)
    matrix.update(2 * target, 0 * target)
    assert np.array_equal(weights(matrix.read()), np.where(target, target, weights(bits)))
    matrix.update(0 * target, 7 * target)  # codes: the full pulse, again certain from here
    assert np.array_equal(weights(matrix.read()), np.where(target, target, weights(bits)))


def test_every_generator_of_a_bank_has_its_own_stream():
    bank = bank_of(CONFIG, seed=4)
    bank.matrix("m", 13, 13)
    states = np.concatenate([array.generators().ravel() for array in bank.arrays])
    assert len(bank.arrays) > 5
    assert len(set(states.tolist())) == states.size
    whole = GoldenArray(ArrayConfig(rows=4 * len(bank.arrays), cols=1))
    whole.seed(4)
    assert np.array_equal(states, whole.generators().ravel())


def test_a_bank_repeats_itself():
    ends = []
    for seed in (1, 1, 2):
        matrix = bank_of(CONFIG, seed).matrix("m", 9, 11)
        code = np.ones((11, 9), int) * 5
        switched = [matrix.update(0 * code, sign * code) for sign in (1, -1, 1)]
        ends.append((switched, matrix.read().tobytes()))
    assert ends[0] == ends[1] != ends[2]


def test_arrays_are_made_when_needed():
    bank = bank_of(CONFIG)
    assert bank.arrays == []
    bank.matrix("a", 4, 6)
    assert len(bank.arrays) == 1
    bank.matrix("b", 4, 1)  # two columns: a whole converter group
    bank.matrix("c", 4, 4)
    assert len(bank.arrays) == 2
    bank.matrix("d", 1, 1)
    assert len(bank.arrays) == 3


# --- lock step ---


class Faulty(GoldenArray):
    """Wrong at column 3, row 1."""

    def _read(self, first, count):
        bits = super()._read(first, count)
        if first <= 3 < first + count:
            bits[3 - first, 1, 0] ^= True
        return bits

    def _forward(self, u, first, count):
        sums = super()._forward(u, first, count)
        if first <= 3 < first + count:
            sums[1, 3 - first] += 1
        return sums

    def _backward(self, d, first):
        errors = super()._backward(d, first)
        errors[1, 1] += 1
        return errors


def faulty_matrix(index):
    """A 9 x 8 matrix after a 4 x 2 one; array ``index`` is faulty."""
    made = []

    def make(config):
        other = (Faulty if len(made) == index else GoldenArray)(config)
        made.append(other)
        return LockstepArray(GoldenArray(config), other)

    bank = bank_of(CONFIG, make=make)
    bank.matrix("first", 4, 2)
    return bank.matrix("fc2", 9, 8)


# Columns of "fc2" by array: row part 0 has columns 0 ... 3 in array 0 from 2 on, columns 4 ... 7 in
# array 1 from 0 on; row part 4 goes on in array 1 with columns 0, 1 at 4.
@pytest.mark.parametrize(
    ("index", "column", "row"),
    [(0, 1, 1), (1, 7, 1), (2, 5, 5), (3, 3, 9)],
)
def test_a_difference_is_placed_in_the_matrix(index, column, row):
    matrix = faulty_matrix(index)
    with pytest.raises(Mismatch) as info:
        matrix.read() if index < 3 else matrix.forward(np.zeros((2, 9), int))
    if index < 3:
        assert info.value.what == "cell bit"
        assert info.value.where == {"layer": "fc2", "column": column, "row": row, "cell": 0}
        with pytest.raises(Mismatch) as info:
            matrix.forward(np.zeros((2, 9), int))
    assert info.value.what == "column sum"
    assert info.value.where == {"layer": "fc2", "sample": 1, "column": column}
    assert (info.value.expected, info.value.got) == (0, 1)
    assert info.value.__cause__ is None


@pytest.mark.parametrize(("index", "row"), [(0, 1), (1, 1), (2, 5)])
def test_a_wrong_row_sum_is_placed_in_the_matrix(index, row):
    with pytest.raises(Mismatch) as info:
        faulty_matrix(index).backward(np.zeros((2, 8), int))
    assert info.value.what == "row sum"
    assert info.value.where == {"layer": "fc2", "sample": 1, "row": row}


# --- bad input ---

PULSES = np.zeros((8, 9), int)


def one(place, value):
    pulses = PULSES.copy()
    pulses[place] = value
    return pulses


@pytest.mark.parametrize(
    ("error", "method", "arguments", "message"),
    [
        (ValueError, "forward", ([[0] * 8],), r"^u must have shape \(\*, 9\), not \(1, 8\)$"),
        (ValueError, "forward", ([[0] * 8 + [2]],), r"^u\[0, 8\] must be in -1 to 1, not 2$"),
        (TypeError, "forward", ([[0.0] * 9],), r"^u must hold integers, not float64$"),
        (ValueError, "backward", ([[0] * 9],), r"^d must have shape \(\*, 8\), not \(1, 9\)$"),
        (ValueError, "backward", ([[0] * 7 + [128]],), r"^d\[0, 7\] must be in -128 to 127, not"),
        (TypeError, "backward", ([[0.0] * 8],), r"^d must hold integers, not float64$"),
        (ValueError, "program", (PULSES,), r"^bits must have shape \(8, 9, 2\), not \(8, 9\)$"),
        (TypeError, "program", (np.zeros((8, 9, 2)),), r"^bits must hold integers, not float64$"),
        (ValueError, "update", (PULSES.T, PULSES.T), r"^kappa must have shape \(8, 9\), not \(9"),
        (ValueError, "update", (PULSES, PULSES[:7]), r"^code must have shape \(8, 9\), not \(7"),
        (ValueError, "update", (one((7, 8), 3), PULSES), r"^kappa\[7, 8\] must be in -2 to 2, not"),
        (ValueError, "update", (PULSES, one((7, 8), -8)), r"^code\[7, 8\] must be in -7 to 7, not"),
        (
            ValueError,
            "update",
            (one((7, 8), 1) + one(0, 1), one((7, 8), -1)),
            r"^code\[7, 8\] must not be of the other sign than kappa = 1, not -1$",
        ),
        (TypeError, "update", (PULSES * 1.0, PULSES), r"^kappa must hold integers, not float64$"),
        (TypeError, "update", (None, None), r"^kappa must hold integers, not object$"),
    ],
)
def test_bad_input_changes_nothing(error, method, arguments, message):
    """Not even the tiles before the one that a bad value belongs to."""
    bank = bank_of(CONFIG)
    matrix = bank.matrix("m", 9, 8)
    matrix.program(random_bits(matrix, np.random.default_rng(0)))
    before = [(a.read().tobytes(), a.generators().tobytes()) for a in bank.arrays]
    cycles = [a.counters.cycles for a in bank.arrays]
    with pytest.raises(error, match=message):
        getattr(matrix, method)(*arguments)
    assert [a.counters.cycles for a in bank.arrays] == cycles
    assert [(a.read().tobytes(), a.generators().tobytes()) for a in bank.arrays] == before


@pytest.mark.parametrize(
    ("error", "n_in", "n_out", "message"),
    [
        (ValueError, 0, 1, r"^n_in must be at least 1, not 0$"),
        (ValueError, 1, -1, r"^n_out must be at least 1, not -1$"),
        (TypeError, 1.0, 1, r"^n_in must be an integer, not 1\.0$"),
        (TypeError, 1, "1", r"^n_out must be an integer, not '1'$"),
    ],
)
def test_bad_sizes_are_refused(error, n_in, n_out, message):
    bank = bank_of(CONFIG)
    with pytest.raises(error, match=message):
        bank.matrix("m", n_in, n_out)
    assert bank.arrays == []

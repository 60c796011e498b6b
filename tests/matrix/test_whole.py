"""Whole matrices against plain integer algebra, and their counts against arrays'."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from golden.array import frames
from golden.array.golden import GoldenArray
from golden.codes import cell_weights
from golden.config import ArrayConfig
from golden.matrix.tiled import ArrayBank
from golden.matrix.whole_bank import WholeBank
from golden.pulse.table import tanh_table

CONFIG = ArrayConfig(rows=8, cols=6, columns_per_cycle=2, code_bits=3)


def matrix_of(n_in, n_out, config=CONFIG, seed=1):
    return WholeBank(config, tanh_table(config), seed).matrix("m", n_in, n_out)


def programmed(matrix, rng):
    bits = rng.integers(0, 2, matrix.shape).astype(bool)
    matrix.program(bits)
    return cell_weights(bits).astype(np.int64)


def assert_products(matrix, weights, rng, limit=1):
    u = rng.integers(-limit, limit + 1, (3, matrix.n_in))
    d = rng.integers(-matrix.config.max_error, matrix.config.max_error + 1, (3, matrix.n_out))
    for dtype in (np.float32, np.float64):
        np.testing.assert_array_equal(matrix.forward(u.astype(dtype), limit), u @ weights.T)
        np.testing.assert_array_equal(matrix.backward(d.astype(dtype)), d @ weights)


@given(
    st.integers(1, 40), st.integers(1, 40), st.sampled_from(["ternary", "binary"]),
    st.sampled_from([1, 3, 127]), st.integers(0, 2**32),
)  # fmt: skip
def test_products_are_integer_algebra(n_in, n_out, synapse, limit, seed):
    rng = np.random.default_rng(seed)
    config = ArrayConfig(rows=8, cols=6, code_bits=3, synapse=synapse)
    matrix = matrix_of(n_in, n_out, config)
    assert (matrix.n_in, matrix.n_out) == (n_in, n_out)
    assert_products(matrix, programmed(matrix, rng), rng, limit)


# 2047 is the largest sum of which two fit a float32; below it they are computed in pairs.
@pytest.mark.parametrize(
    ("n_in", "limit"),
    [(2046, 1), (2047, 1), (2048, 1), (3000, 1), (16, 127), (17, 127), (300, 127)],
)
@pytest.mark.parametrize("n_out", [1, 2, 5])
def test_the_largest_sums_are_exact(n_in, limit, n_out):
    rng = np.random.default_rng(1)
    config = ArrayConfig(rows=2048, cols=8, code_bits=3)
    matrix = matrix_of(n_in, n_out, config)
    assert_products(matrix, programmed(matrix, rng), rng, limit)
    sign = rng.choice([-1, 1], n_out)
    bits = np.zeros(matrix.shape, bool)
    bits[..., 0], bits[..., 1] = (sign > 0)[:, None], (sign < 0)[:, None]
    matrix.program(bits)
    u = np.full((2, n_in), limit, np.float32)
    u[1] *= -1
    s = matrix.forward(u, limit)
    np.testing.assert_array_equal(s, np.outer([1, -1], sign) * n_in * limit)


@pytest.mark.parametrize(("n_in", "n_out"), [(30, 7), (30, 8), (2100, 3), (1, 1)])
@pytest.mark.parametrize("synapse", ["ternary", "binary"])
def test_products_keep_in_step_with_the_cells(n_in, n_out, synapse):
    config = ArrayConfig(rows=64, cols=8, code_bits=3, synapse=synapse)
    matrix = matrix_of(n_in, n_out, config)
    rng = np.random.default_rng(2)
    programmed(matrix, rng)
    switched = 0
    for size in (0.01, 0.1, 0.5, 1.0, 3.0):
        for blind in (False, True):
            before = matrix.read()
            change = rng.normal(0, size, (n_out, n_in)).astype(np.float32)
            told = matrix.change(change, tanh_table(config), rng, blind=blind)
            bits = matrix.read()
            assert told == np.count_nonzero(bits ^ before)
            switched += told
            weights = cell_weights(bits).astype(np.int64)
            np.testing.assert_array_equal(matrix.weights, weights)
            assert_products(matrix, weights, rng)
    assert switched == matrix.counters.switched > 0


def test_reading_gives_a_copy():
    matrix = matrix_of(5, 4)
    matrix.read()[:] = True
    assert not matrix.read().any()


def test_state_brings_the_cells_back():
    rng = np.random.default_rng(3)
    matrix, other = matrix_of(20, 7), matrix_of(20, 7, seed=2)
    weights = programmed(matrix, rng)
    state = {name: part.copy() for name, part in matrix.state().items()}
    matrix.change(np.ones((7, 20), np.float32), tanh_table(CONFIG), rng)
    for each in (matrix, other):
        each.set_state(state)
        np.testing.assert_array_equal(cell_weights(each.read()), weights)
        assert_products(each, weights, rng)


def test_a_state_is_not_changed_by_what_comes_after():
    matrix = matrix_of(20, 7)
    state = matrix.state()
    matrix.change(np.ones((7, 20), np.float32), tanh_table(CONFIG), np.random.default_rng(4))
    assert not state["cells"].any()


def test_what_does_not_fit_is_refused_and_changes_nothing():
    rng = np.random.default_rng(5)
    matrix = matrix_of(20, 7)
    weights = programmed(matrix, rng)
    with pytest.raises(KeyError, match="cells"):
        matrix.set_state({})
    with pytest.raises(ValueError, match=r"^cells must have shape \(7, 20, 2\), not \(7, 20, 1\)$"):
        matrix.set_state({"cells": np.zeros((7, 20, 1), bool)})
    with pytest.raises(ValueError, match=r"^bits\[0, 0, 0\] must be in 0 to 1, not 2$"):
        matrix.program(np.full(matrix.shape, 2))
    for bad in (np.nan, np.inf, -np.inf):
        change = np.zeros((7, 20), np.float32)
        change[3, 4] = bad
        with pytest.raises(ValueError, match=r"^change of m must be finite$"):
            matrix.change(change, tanh_table(CONFIG), rng)
    assert_products(matrix, weights, rng)


def test_bad_sizes_are_refused():
    for error, sizes in {ValueError: (0, 1), TypeError: (1, 1.0)}.items():
        with pytest.raises(error, match=r"^n_(in|out) must be "):
            matrix_of(*sizes)


def test_a_bank_repeats_itself():
    ends = []
    for seed in (1, 1, 2):
        matrix = matrix_of(30, 11, seed=seed)
        change = np.full((11, 30), 0.3, np.float32)
        told = [
            matrix.change(sign * change, tanh_table(CONFIG), np.random.default_rng(6))
            for sign in (1, -1, 1)
        ]
        ends.append((told, matrix.read().tobytes()))
    assert ends[0] == ends[1] != ends[2]


def test_matrices_of_a_bank_draw_apart():
    bank = WholeBank(CONFIG, tanh_table(CONFIG), 1)
    ends = []
    for name in "ab":
        matrix = bank.matrix(name, 30, 11)
        change = np.full((11, 30), 0.3, np.float32)
        matrix.change(change, tanh_table(CONFIG), np.random.default_rng(6))
        ends.append(matrix.read().tobytes())
    assert ends[0] != ends[1]
    assert [matrix.name for matrix in bank.arrays] == ["a", "b"]
    assert [bank.used(number) for number in range(2)] == [11, 11]


# --- counts ---

SIZES = st.lists(st.tuples(st.integers(1, 20), st.integers(1, 20)), min_size=1, max_size=3)


def both(config, sizes):
    """The same matrices whole and on arrays, of the same cells; the arrays' bank."""
    table = tanh_table(config)
    whole, golden = WholeBank(config, table, 1), ArrayBank(GoldenArray, config, table, 1)
    pairs = [
        [bank.matrix(f"m{i}", *size) for bank in (whole, golden)] for i, size in enumerate(sizes)
    ]
    rng = np.random.default_rng(7)
    for one, other in pairs:
        bits = rng.integers(0, 2, one.shape)
        one.program(bits)
        other.program(bits)
    whole.count(True)
    return whole, golden, pairs


def total(bank):
    """Cycles, and what was counted, of all arrays of a bank."""
    cycles = sum(array.counters.cycles for array in bank.arrays)
    counts = [array.activity() for array in bank.arrays]
    return {"cycles": cycles} | {name: sum(c[name] for c in counts) for name in counts[0]}


def gained(bank, before):
    now = total(bank)
    if isinstance(bank.arrays[0], GoldenArray):  # reading the counters takes cycles, too
        now["cycles"] -= before["reading"]
    return {name: now[name] - before[name] for name in now}


def compare(config, sizes, act):
    """Costs of ``act`` on each pair of matrices, for whole matrices and arrays."""
    whole, golden, pairs = both(config, sizes)
    starts = {}
    for bank in (whole, golden):
        first = total(bank)
        starts[id(bank)] = total(bank)
        starts[id(bank)]["reading"] = starts[id(bank)]["cycles"] - first["cycles"]
    for one, other in pairs:
        act(one, other)
    costs = [gained(bank, starts[id(bank)]) for bank in (whole, golden)]
    assert costs[0] == costs[1]
    return costs[0]


@given(
    SIZES, st.sampled_from(["ternary", "binary"]), st.sampled_from([1, 3, 127]),
    st.sampled_from([1, 2]), st.integers(0, 2**32),
)  # fmt: skip
@settings(max_examples=40)
def test_reads_count_as_on_arrays(sizes, synapse, limit, unit, seed):
    rng = np.random.default_rng(seed)
    config = ArrayConfig(rows=8, cols=6, columns_per_cycle=unit, code_bits=3, synapse=synapse)

    def act(one, other):
        u = rng.integers(-limit, limit + 1, (4, one.n_in)).astype(np.int8)
        d = rng.integers(-127, 128, (3, one.n_out)) * rng.integers(0, 2, (3, one.n_out))
        np.testing.assert_array_equal(one.forward(u.astype("f4"), limit), other.forward(u, limit))
        np.testing.assert_array_equal(one.backward(d.astype("f4")), other.backward(d))

    cost = compare(config, sizes, act)
    assert cost["forward_conversions"] > 0
    assert cost["backward_conversions"] > 0


@given(
    SIZES, st.sampled_from(["ternary", "binary"]), st.sampled_from([1, 2]), st.booleans(),
    st.integers(0, 2**32),
)  # fmt: skip
@settings(max_examples=40)
def test_updates_count_as_on_arrays(sizes, synapse, unit, blind, seed):
    """Whole steps, whose pulses do not depend on random numbers."""
    rng = np.random.default_rng(seed)
    config = ArrayConfig(rows=8, cols=6, columns_per_cycle=unit, code_bits=3, synapse=synapse)

    def act(one, other):
        steps = rng.integers(-config.max_kappa, config.max_kappa + 1, (one.n_out, one.n_in))
        change = (steps * config.step).astype(np.float32)
        for matrix in (one, other):
            matrix.change(change, tanh_table(config), np.random.default_rng(1), blind=blind)
        np.testing.assert_array_equal(one.read(), other.read())
        for tile in other.tiles:  # reading costs arrays, and is no training
            tile.array.counters.cycles -= frames.cycles(frames.Op.READ, config, tile.cols)
            tile.array.activity_counts.add(columns_read=-tile.cols)

    compare(config, sizes, act)


def test_pulses_of_parts_of_a_step_are_counted_about_right():
    """All pulses of a kind have a code; their outcomes add up to the switched cells."""
    whole, _, ((matrix, _),) = both(CONFIG, [(60, 50)])
    change = np.random.default_rng(8).normal(0, 0.3, (50, 60)).astype(np.float32)
    switched = matrix.change(change, tanh_table(CONFIG), np.random.default_rng(9), blind=True)
    counts = whole.arrays[0].activity()
    assert counts["pulses_p_switched"] + counts["pulses_ap_switched"] == switched > 0
    sent = {way: sum(counts[f"pulses_{way}_{what}"] for what in ("idle", "failed", "switched"))
            for way in ("p", "ap")}  # fmt: skip
    # The blind rule drives one cell of each synapse to P and the other to AP.
    assert sent["p"] == sent["ap"]
    assert 0.5 * change.size < sent["p"] <= change.size


def run_counting(switches):
    """Cells and draws after steps with counting switched on and off; and the counts."""
    bank = WholeBank(CONFIG, tanh_table(CONFIG), 1)
    matrix = bank.matrix("m", 30, 11)
    rng = np.random.default_rng(10)
    programmed(matrix, rng)
    told, counts = [], []
    for on in switches:
        bank.count(on)
        u = rng.integers(-1, 2, (4, 30)).astype(np.float32)
        matrix.backward(matrix.forward(u))
        change = rng.normal(0, 0.3, (11, 30)).astype(np.float32)
        told.append(matrix.change(change, tanh_table(CONFIG), rng))
        counts.append(matrix.activity())
    state = bank.rng.bit_generator.state, rng.bit_generator.state
    return (told, matrix.read().tobytes(), state, vars(matrix.counters)), counts


def test_counting_changes_nothing():
    (none, empty), (some, counts), (every, _) = (
        run_counting(switches) for switches in ([False] * 4, [True, False, False, True], [True] * 4)
    )
    assert none == some == every
    assert all(not any(count.values()) for count in empty)
    assert counts[0] == counts[1] == counts[2] != counts[3]
    assert all(counts[3][name] >= counts[0][name] for name in counts[0])
    assert counts[3]["columns_updated"] == 2 * counts[0]["columns_updated"] > 0


@pytest.mark.parametrize("factor", [3e-5, 0.1])
def test_counting_changes_no_update_that_is_told_as_a_product(factor):
    config = ArrayConfig(rows=64, cols=64)
    ends, columns = [], []
    for on in (False, True):
        bank = WholeBank(config, tanh_table(config), 1)
        matrix = bank.matrix("m", 200, 100)
        rng = np.random.default_rng(11)
        programmed(matrix, rng)
        bank.count(on)
        told = []
        for _ in range(5):
            d = rng.integers(-3, 4, (12, 100)).astype(np.float32)
            u = rng.integers(-1, 2, (12, 200)).astype(np.float32)
            code = (tanh_table(config), np.random.default_rng(12))
            told.append(matrix.change_by(d, u, 1, *code, factor=factor))
        ends.append((told, matrix.read().tobytes(), bank.rng.bit_generator.state))
        columns.append(matrix.activity()["columns_updated"])
    assert ends[0] == ends[1]
    assert columns == [0, 5 * 4 * 100]  # rows 200 take four parts

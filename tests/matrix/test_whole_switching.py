"""Whole matrices switch as often as table, rule and variants say, cell by cell and jointly.

The oracle is the rule in words (``golden.array.cell``) and closed formulas; a sound count is
refused with a chance of 1e-6 a test.
"""

import numpy as np
import pytest

from golden.array.golden import GoldenArray
from golden.config import ArrayConfig
from golden.matrix.tiled import ArrayBank
from golden.matrix.whole_bank import WholeBank
from golden.pulse.table import ProbabilityTable, tanh_table

TERNARY = ArrayConfig(code_bits=3, counters=False)
BINARY = ArrayConfig(code_bits=3, counters=False, synapse="binary")
STEEPNESS = 3.0


def table(to_p, to_ap, config=TERNARY, variants=None, **options):
    """A table of probabilities by code from 1 on."""

    def thresholds(*columns):
        part = np.stack([np.concatenate([[0.0], column]) for column in columns], axis=1)
        return np.rint(part * (1 << config.draw_bits)).astype(np.int64)

    if variants is not None:
        variants = np.stack([thresholds(*columns) for columns in variants])
    ticks = np.arange(8)[:, None] * np.array([[3, 5]])
    return ProbabilityTable(
        thresholds(to_p, to_ap), ticks, 1e-12, config.draw_bits, variants=variants, **options
    )


LOW = np.array([0.002, 0.01, 0.05, 0.2, 0.5, 0.8])
TABLES = {
    "tanh": tanh_table(TERNARY),
    # Directions apart, and a full pulse that sometimes fails.
    "uneven": table([*LOW, 0.95], [*(LOW / 2), 0.85]),
    # A full pulse that mostly fails: no line is a candidate throughout.
    "weak": table(np.array([*LOW, 1.0]) * 0.2, np.array([*LOW, 1.0]) * 0.1),
    "by length": table([*LOW, 0.95], [*(LOW / 2), 0.9], by_length=True),
    "rare": table([0, 0, 0, 0, 1e-4, 1e-3, 1.0], [0, 0, 0, 0, 5e-5, 2e-3, 1.0]),
}


def codes(size, codes_of):
    """(kappa, [(code, share)]) of a change of ``size`` steps, by interpolation."""
    kappa = int(size)
    nu = size - kappa
    target = nu if codes_of.by_length else np.tanh(STEEPNESS * nu)
    levels = codes_of.levels
    low = min(int(np.searchsorted(levels, target, side="right")) - 1, len(levels) - 2)
    gap = levels[low + 1] - levels[low]
    share = min((target - levels[low]) / gap if gap > 0 else 0.0, 1.0)
    return kappa, [(low, 1 - share), (low + 1, share)]


def pulses(bits, up, kappa, code, full, blind):
    """Code and direction (0: to P, 1: to AP) of each cell's pulse, None without one."""
    if len(bits) == 1:
        return [(full if kappa else code, 0 if up else 1)]
    to_p, to_ap = (0, 1) if up else (1, 0)
    sent = [None, None]
    if blind:
        first = second = full if kappa else code
    else:
        weight = (bits[0] - bits[1]) * (1 if up else -1)
        if weight == 1:
            return sent
        first = second = full if kappa else code
        if weight == -1:
            second = full if kappa == 2 else code if kappa == 1 else 0
    sent[to_p], sent[to_ap] = (first, 0), (second, 1)
    return sent


def outcome(bits, change, codes_of, blind, thresholds):
    """P of each pattern of flips, (2,) or (2, 2); ``thresholds`` by cell, (codes, 2)."""
    # The weight's whole range, 2, is one step of a binary synapse and two of a ternary one.
    kappa, mixture = codes(min(abs(change), 2.0) * len(bits) / 2, codes_of)
    full = len(codes_of.thresholds) - 1
    p = np.zeros((2,) * len(bits))
    for code, share in mixture:
        flip = []
        for cell, pulse in enumerate(pulses(bits, change > 0, kappa, code, full, blind)):
            rate = 0.0
            if pulse and bits[cell] == pulse[1]:  # AP, 0, goes to P and the reverse
                rate = thresholds[cell][pulse] / codes_of.scale
            flip.append(np.array([1 - rate, rate]))
        p += share * (flip[0] if len(flip) == 1 else np.outer(*flip))
    return p


SIZES = np.array([0.0, 1e-3, 0.01, 0.03, 0.1, 0.3, 0.7, 0.998, 1.0, 1.25, 1.5, 2.0, 2.5])


def changes(rng, n_in):
    """A line for each of some sizes, random ones up to it along the line; and one of zeros."""
    lines = [rng.choice(SIZES[: most + 1], n_in) for most in range(len(SIZES))]
    sign = rng.choice([-1.0, 1.0], (len(lines), n_in))
    return (np.array(lines) * sign).astype(np.float32)


def count_flips(matrix, change, start, rounds, codes_of, blind):
    """Cells flipped after each round, and what ``change`` returned, checked."""
    rng = np.random.default_rng(8)
    for _ in range(rounds):
        matrix.program(start)
        switched = matrix.counters.switched
        told = matrix.change(change, codes_of, rng, STEEPNESS, blind=blind)
        flips = matrix.read() ^ start
        assert told == np.count_nonzero(flips) == matrix.counters.switched - switched
        yield flips


def check(plausible, matrix, change, start, codes_of, blind, variants=None, rounds=8):
    """Patterns of flips by change, state and variants of both cells."""
    n_out, n_in, cells = start.shape
    sizes, which = np.unique(change, return_inverse=True)
    kinds = [which.reshape(n_out, n_in), *np.moveaxis(start, -1, 0).astype(int)]
    limits = [len(sizes)] + [2] * cells
    if variants is not None:
        kinds += [*np.moveaxis(variants, -1, 0).astype(int)]
        limits += [matrix.config.variants] * cells
    kind = np.ravel_multi_index(kinds, limits)
    seen = np.zeros((np.prod(limits), 1 << cells), int)
    for flips in count_flips(matrix, change, start, rounds, codes_of, blind):
        pattern = flips @ (1 << np.arange(cells))[::-1]
        np.add.at(seen, (kind, pattern), 1)
    tests = np.count_nonzero(seen.sum(axis=1)) << cells
    for number in np.flatnonzero(seen.sum(axis=1)):
        index = np.unravel_index(number, limits)
        bits = index[1 : 1 + cells]
        thresholds = [codes_of.thresholds] * cells
        if variants is not None:
            every = [*codes_of.variants, np.zeros_like(codes_of.thresholds)]
            thresholds = [every[i] for i in index[1 + cells :]]
        size = float(sizes[index[0]])
        p = outcome(bits, size, codes_of, blind, thresholds).ravel()
        total = int(seen[number].sum())
        for pattern in range(1 << cells):
            hits = int(seen[number, pattern])
            # Float32 leaves a share of the upper code where there should be none.
            rate = 0.0 if p[pattern] < 1e-9 else float(p[pattern])
            where = (size, bits, index[1 + cells :], pattern, hits, total, rate)
            assert plausible(hits, total, min(rate, 1.0), tests), where


def matrix_of(config, codes_of, n_out, n_in, seed=1):
    return WholeBank(config, codes_of, seed).matrix("m", n_in, n_out)


@pytest.mark.parametrize("blind", [False, True], ids=["exact", "blind"])
@pytest.mark.parametrize("name", TABLES)
def test_ternary_cells_switch_jointly_as_the_rule_says(plausible, name, blind):
    rng = np.random.default_rng(1)
    change = changes(rng, 1500)
    matrix = matrix_of(TERNARY, TABLES[name], *change.shape)
    start = rng.integers(0, 2, matrix.shape).astype(bool)
    check(plausible, matrix, change, start, TABLES[name], blind)


@pytest.mark.parametrize("name", ["tanh", "uneven", "weak"])
def test_binary_cells_switch_as_the_table_says(plausible, name):
    rng = np.random.default_rng(2)
    change = changes(rng, 1500)
    matrix = matrix_of(BINARY, TABLES[name], *change.shape)
    start = rng.integers(0, 2, matrix.shape).astype(bool)
    check(plausible, matrix, change, start, TABLES[name], False)


@pytest.mark.parametrize("blind", [False, True], ids=["exact", "blind"])
def test_both_cells_of_a_blind_step_up_from_the_bottom(plausible, blind):
    """w = -1 going up by less than a step: the blind rule pulses both cells, the exact one m1."""
    codes_of = TABLES["uneven"]
    change = np.full((40, 1000), 0.3, np.float32)
    matrix = matrix_of(TERNARY, codes_of, *change.shape)
    start = np.zeros(matrix.shape, bool)
    start[..., 1] = True
    (flips,) = count_flips(matrix, change, start, 1, codes_of, blind)
    _, mixture = codes(0.3, codes_of)
    p = sum(share * np.prod(codes_of.thresholds[code] / codes_of.scale) for code, share in mixture)
    assert p > 0.05
    assert plausible(int(flips.all(axis=-1).sum()), change.size, p if blind else 0.0, 1)


class Sparse:
    """A matrix with the argument that most changes are 0."""

    def __init__(self, matrix):
        self._matrix = matrix

    def __getattr__(self, name):
        return getattr(self._matrix, name)

    def change(self, *arguments, **options):
        return self._matrix.change(*arguments, sparse=True, **options)


@pytest.mark.parametrize("blind", [False, True], ids=["exact", "blind"])
@pytest.mark.parametrize("largest", [2.5, 0.1, 0.003], ids=str)
def test_sparse_changes_switch_alike(plausible, blind, largest):
    """One by one, or by thinning where all are small."""
    codes_of = TABLES["uneven"]
    rng = np.random.default_rng(10)
    change = rng.choice(np.append(SIZES[largest >= SIZES], largest), (300, 700))
    change[rng.random(change.shape) < 0.9] = 0
    change = (change * rng.choice([-1, 1], change.shape)).astype(np.float32)
    matrix = matrix_of(TERNARY, codes_of, *change.shape)
    start = rng.integers(0, 2, matrix.shape).astype(bool)
    check(plausible, Sparse(matrix), change, start, codes_of, blind)


class ByFactors:
    """A matrix whose changes are given as a product."""

    def __init__(self, matrix, *product):
        self._matrix, self._product = matrix, product

    def __getattr__(self, name):
        return getattr(self._matrix, name)

    def change(self, _, *code, **options):
        d, u, factor = self._product
        return self._matrix.change_by(d, u, 2, *code, factor=factor, **options)


@pytest.mark.parametrize("blind", [False, True], ids=["exact", "blind"])
@pytest.mark.parametrize(
    ("factor", "few"), [(1e-4, True), (-1e-4, True), (0.2, False), (-0.4, False)]
)
def test_changes_told_as_a_product_switch_alike(plausible, monkeypatch, blind, factor, few):
    """If few cells may switch, only their changes are computed."""
    config = ArrayConfig(counters=False)
    codes_of = tanh_table(config)
    rng = np.random.default_rng(9)
    d = rng.integers(-2, 3, (2, 300)).astype(np.float32)
    u = rng.integers(-2, 3, (2, 700)).astype(np.float32)
    matrix = matrix_of(config, codes_of, 300, 700)
    if few:
        monkeypatch.delattr(type(matrix.backend), "extremes")  # of whole changes
    start = rng.integers(0, 2, matrix.shape).astype(bool)
    change = np.float32(factor) * (d.T @ u)
    by = ByFactors(matrix, d, u, factor)
    check(plausible, by, change, start, codes_of, blind, rounds=20 if few else 2)
    assert matrix.counters.switched > 500


@pytest.mark.parametrize("blind", [False, True], ids=["exact", "blind"])
def test_each_cell_follows_its_variant_and_stuck_ones_stay(plausible, blind):
    config = ArrayConfig(code_bits=3, counters=False, variant_bits=2)
    columns = [
        ([*LOW, 0.95], [*(LOW / 2), 0.85]),
        ([*(LOW / 3), 0.5], [*LOW, 0.9]),
        ([*(LOW**2), 0.7], [*(LOW / 4), 0.3]),
    ]
    codes_of = table(*columns[0], config, columns)
    rng = np.random.default_rng(4)
    change = changes(rng, 1000)
    matrix = matrix_of(config, codes_of, *change.shape)
    start = rng.integers(0, 2, matrix.shape).astype(bool)
    matrix.program(start)
    variants = rng.integers(0, 4, matrix.shape)
    matrix.load_variants(variants)
    check(plausible, matrix, change, start, codes_of, blind, variants, rounds=16)
    stuck = variants == 3
    matrix.program(~start)
    np.testing.assert_array_equal(matrix.read(), np.where(stuck, start, ~start))


@pytest.mark.parametrize("synapse", ["ternary", "binary"])
@pytest.mark.parametrize("blind", [False, True], ids=["exact", "blind"])
def test_certain_pulses_do_what_they_do_to_arrays(synapse, blind):
    """All states and whole steps, none of which is left to chance."""
    config = ArrayConfig(rows=5, cols=4, columns_per_cycle=2, code_bits=3, synapse=synapse)
    codes_of = tanh_table(config)
    rng = np.random.default_rng(5)
    banks = [WholeBank(config, codes_of, 1), ArrayBank(GoldenArray, config, codes_of, 1)]
    matrices = [bank.matrix("m", 13, 9) for bank in banks]
    for _ in range(4):
        bits = rng.integers(0, 2, (9, 13, config.cells))
        steps = rng.integers(-config.max_kappa, config.max_kappa + 1, (9, 13))
        steps[rng.integers(0, 9, 4)] = 0
        ends, told = [], []
        for matrix in matrices:
            matrix.program(bits)
            change = (steps * config.step).astype(np.float32)
            told.append(matrix.change(change, codes_of, rng, blind=blind))
            ends.append(matrix.read())
        np.testing.assert_array_equal(*ends)
        assert told[0] == told[1] > 0


# --- ageing ---


@pytest.mark.parametrize("rates", [(0.01, 0.002), (0.0, 0.15), (0.6, 0.3), (1.0, 0.0)], ids=str)
@pytest.mark.parametrize("config", [TERNARY, BINARY], ids=["ternary", "binary"])
def test_cells_age_by_their_state(plausible, config, rates):
    matrix = matrix_of(config, TABLES["tanh"], 150, 200)
    rng = np.random.default_rng(6)
    start = rng.integers(0, 2, matrix.shape).astype(bool)
    matrix.program(start)
    thresholds = np.rint(np.array(rates) * (1 << config.draw_bits)).astype(np.int64)
    told = matrix.age(thresholds)
    flips = matrix.read() ^ start
    assert told == np.count_nonzero(flips)
    assert matrix.counters.switched == 0
    for state, threshold in enumerate(thresholds.tolist()):
        here = start == bool(state)
        hits = int(flips[here].sum())
        assert plausible(hits, int(here.sum()), threshold / (1 << config.draw_bits), 2)
    np.testing.assert_array_equal(matrix.forward(np.eye(200, dtype=np.float32)), matrix.weights.T)


def test_ageing_is_counted_as_arrays_count_it():
    matrix = matrix_of(TERNARY, TABLES["tanh"], 86, 150)
    arrays = ArrayBank(GoldenArray, TERNARY, TABLES["tanh"], 0)
    arrays.matrix("layer", 150, 86)
    used = sum(arrays.used(number) for number in range(len(arrays.arrays)))
    matrix.age(np.array([100, 100]))
    assert matrix.activity()["columns_aged"] == 0
    matrix.estimate.on = True
    told = matrix.age(np.array([1 << 14, 1 << 13]))
    assert told > 0
    counts = matrix.activity()
    assert (counts["columns_aged"], counts["cells_aged"]) == (used, told)
    assert used == 3 * 86


def test_cells_age_by_their_variant_and_stuck_ones_do_not(plausible):
    config = ArrayConfig(code_bits=3, counters=False, variant_bits=2)
    columns = [([*LOW, 0.95], [*(LOW / 2), 0.85])] * 3
    matrix = matrix_of(config, table(*columns[0], config, columns), 150, 200)
    rng = np.random.default_rng(7)
    start = rng.integers(0, 2, matrix.shape).astype(bool)
    matrix.program(start)
    variants = rng.integers(0, 4, matrix.shape)
    matrix.load_variants(variants)
    rates = np.array([[0.02, 0.1], [0.2, 0.001], [0.0, 0.15]])
    matrix.age(np.rint(rates * (1 << config.draw_bits)).astype(np.int64))
    flips = matrix.read() ^ start
    for variant in range(4):
        for state in range(2):
            here = (variants == variant) & (start == bool(state))
            p = 0.0 if variant == 3 else round(rates[variant, state] * 65536) / 65536
            assert plausible(int(flips[here].sum()), int(here.sum()), p, 8)


def test_a_part_of_a_matrix_does_not_age():
    matrix = matrix_of(TERNARY, TABLES["tanh"], 4, 6)
    matrix.age(np.array([0, 0]), 0, 4)
    for part in ((1, None), (0, 3)):
        message = (
            rf"^first and count must be 0 and 4 for a whole matrix, not {part[0]} and {part[1]}$"
        )
        with pytest.raises(ValueError, match=message):
            matrix.age(np.array([1, 1]), *part)

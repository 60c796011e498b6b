"""Cells that switch each in their own way, stuck cells, and ageing, cell by cell."""

import dataclasses

import numpy as np
import pytest
from test_array import pulses, serial_draws

from golden.array import frames
from golden.array.frames import Op
from golden.array.golden import GoldenArray
from golden.config import ArrayConfig
from golden.pulse.table import ProbabilityTable, tanh_table

CONFIG = ArrayConfig(rows=5, cols=7, code_bits=3, draw_bits=8)
EVEN = np.array([0, 13, 51, 102, 154, 179, 230, 256])


def spread(variants, seed=0):
    """A table of ``variants`` variants whose rows all differ."""
    rng = np.random.default_rng(seed)
    rows = np.sort(rng.integers(0, 201, (variants, 8, 2)), axis=1)
    rows[:, 0], rows[:, -1] = 0, [256, 200]
    ticks = np.stack([EVEN, EVEN], axis=1)
    return ProbabilityTable(np.stack([EVEN, EVEN], axis=1), ticks, 1e-12, 8, variants=rows)


def filled(config, seed):
    """An array with random cells, variants and states; its bits and variants."""
    rng = np.random.default_rng(seed)
    array, shape = GoldenArray(config), (config.cols, config.rows, config.cells)
    bits, variants = rng.integers(0, 2, shape), rng.integers(0, config.variants, shape)
    array.program(bits)
    array.seed(seed)
    if config.variant_bits:
        array.load_variants(variants)
    return array, bits.astype(bool), variants


def pulsed(bits, variants, kappa, code, draws, table, stuck, blind):
    """New bits of one synapse, by the text of ``golden.array.cell``."""
    up, full, new = kappa + code > 0, len(table[0]) - 1, list(bits)
    steps, pulse = abs(kappa), abs(code)
    to_p, to_ap = (0, 1) if up else (1, 0)
    if len(bits) == 1:
        sent = {0: full if steps else pulse}
    else:
        sent = {to_p: full if steps else pulse, to_ap: full if steps else pulse}
        if not blind and not bits[to_p] and bits[to_ap]:
            sent[to_ap] = (0, pulse, full)[steps]
    for cell, length in sent.items():
        target = up if len(bits) == 1 else cell == to_p
        direction = 0 if target else 1
        draw = draws[0 if len(bits) == 1 else direction]
        if bits[cell] != target and not stuck[cell]:
            new[cell] ^= draw < table[variants[cell]][length][direction]
    return new


@pytest.mark.parametrize("blind", [False, True])
@pytest.mark.parametrize("synapse", ["ternary", "binary"])
@pytest.mark.parametrize("variant_bits", [1, 2, 4])
def test_update_bit_for_bit(variant_bits, synapse, blind):
    config = dataclasses.replace(CONFIG, synapse=synapse, variant_bits=variant_bits)
    array, bits, variants = filled(config, variant_bits)
    stuck = variants == 2**variant_bits - 1
    table = spread(config.switching_variants)
    array.load_table(table)
    rows = table.variants.tolist()
    states, total = array.generators().ravel().tolist(), 0
    for first, count in ((0, 7), (2, 3), (0, 7)):
        kappa, code = pulses(config, first + variant_bits, count)
        draws, states = serial_draws(states, count, 8)
        before = bits.copy()
        for i, j in np.ndindex(count, 5):
            at = first + i, j
            own = draws[i][j * config.cells : (j + 1) * config.cells]
            pulse = int(kappa[i, j]), int(code[i, j])
            bits[at] = pulsed(
                bits[at].tolist(), variants[at].tolist(), *pulse, own, rows, stuck[at], blind
            )
        total += array.update(kappa, code, first, blind=blind)
        assert np.array_equal(array.read(), bits)
        assert array.generators().ravel().tolist() == states
        assert not (stuck & (bits != before)).any()
    assert total == array.counters.switched > 0


@pytest.mark.parametrize("entries", [3, 4])
@pytest.mark.parametrize("synapse", ["ternary", "binary"])
def test_stuck_cells_keep_their_state(synapse, entries):
    """Whatever their rows say, through pulses, ageing and programming; the others do not."""
    config = dataclasses.replace(CONFIG, synapse=synapse, variant_bits=2)
    array, bits, variants = filled(config, 5)
    stuck = variants == 3
    certain = np.full((entries, 8, 2), 256)
    certain[:, 0] = 0
    array.load_table(dataclasses.replace(spread(3), variants=certain))
    ones = np.ones((7, 5), int)
    array.program(~bits)
    assert np.array_equal(array.read(), bits ^ ~stuck)
    array.age(np.full((entries, 2), 256))
    assert np.array_equal(array.read(), bits)
    for sign, cell in ((1, 0), (-1, 0)):
        array.update(sign * config.max_kappa * ones, 0 * ones)
        now = array.read()
        assert np.array_equal(now[stuck], bits[stuck])
        assert (now[..., cell][~stuck[..., cell]] == (sign > 0)).all()
    array.load_variants(np.zeros_like(variants))
    array.program(bits ^ stuck)
    assert np.array_equal(array.read(), bits ^ stuck)


def test_a_table_without_variants_is_every_variant():
    config = dataclasses.replace(CONFIG, variant_bits=2)
    plain, plain_bits, _ = filled(CONFIG, 2)
    array, bits, _ = filled(config, 2)
    array.load_variants(np.random.default_rng(1).integers(0, 3, bits.shape))
    assert np.array_equal(bits, plain_bits)
    for each in (plain, array):
        each.load_table(tanh_table(CONFIG))
    for turn in range(6):
        kappa, code = pulses(CONFIG, turn, 7)
        assert array.update(kappa, code) == plain.update(kappa, code)
        assert array.age([20, 30]) == plain.age([20, 30]) > 0
    assert np.array_equal(array.read(), plain.read())
    one = dataclasses.replace(spread(1), thresholds=tanh_table(CONFIG).thresholds)
    plain.load_table(one)  # its only variant counts
    assert np.array_equal(plain.thresholds[0], one.variants[0])


@pytest.mark.parametrize("synapse", ["ternary", "binary"])
@pytest.mark.parametrize("variant_bits", [0, 2])
def test_ageing_bit_for_bit(variant_bits, synapse):
    config = dataclasses.replace(CONFIG, synapse=synapse, variant_bits=variant_bits)
    array, bits, variants = filled(config, 9)
    rng, total = np.random.default_rng(3), 0
    states = array.generators().ravel().tolist()
    array.load_table(spread(config.switching_variants))
    pulse_rows = array.thresholds
    for first, count in ((0, 7), (3, 2), (0, 7)):
        thresholds = rng.integers(0, 200, (config.variants, 2))
        draws, states = serial_draws(states, count, 8)
        switched = 0
        for i, j, k in np.ndindex(count, 5, config.cells):
            at = first + i, j, k
            row = thresholds[variants[at] if variant_bits else 0]
            if variant_bits and variants[at] == 3:
                continue
            if draws[i][j * config.cells + k] < row[1 if bits[at] else 0]:
                bits[at] = not bits[at]
                switched += 1
        assert array.age(thresholds, first, count) == switched
        assert np.array_equal(array.read(), bits)
        assert array.generators().ravel().tolist() == states
        u = rng.integers(-1, 2, (2, 5))
        b = bits.astype(int)
        w = b[..., 0] - b[..., 1] if config.cells == 2 else 2 * b[..., 0] - 1
        assert np.array_equal(array.forward(u), u @ w.T)
        total += switched
    assert total > 0
    assert array.counters.switched == 0  # those of updates
    assert np.array_equal(array.thresholds, pulse_rows)


def test_ageing_is_as_frequent_as_its_thresholds(plausible):
    array = GoldenArray(ArrayConfig(rows=64, cols=1024))
    array.seed(4)
    array.program(np.tile([1, 0], (1024, 64, 1)))
    array.age([3000, 9000])
    left = array.read().sum(axis=(0, 1)).tolist()
    assert plausible(left[0], 65536, 1 - 9000 / 65536, 2)
    assert plausible(left[1], 65536, 3000 / 65536, 2)


def test_cycles():
    config = dataclasses.replace(CONFIG, variant_bits=2)
    array = GoldenArray(config)

    def spent(command):
        before = array.counters.cycles
        command()
        return array.counters.cycles - before

    assert spent(lambda: array.load_variants(np.zeros((3, 5, 2), int), 2)) == 3 + 19
    assert spent(lambda: array.load_table(spread(3))) == 3 * 8 + 19
    assert spent(lambda: array.load_table(spread(4))) == 3 * 8 + 19
    assert spent(lambda: array.age([1, 2], 1, 4)) == 2 * 3 + 19 + 4 + 19
    assert spent(array.activity) == 27 + 19 == frames.cycles(Op.COUNTERS, config)


ZEROS = np.zeros((7, 5, 2), int)
BAD = [
    (2, "load_variants", (ZEROS + 4,), r"^variants\[0, 0, 0\] must be in 0 to 3, not 4$"),
    (2, "load_variants", (ZEROS - 1,), r"^variants\[0, 0, 0\] must be in 0 to 3, not -1$"),
    (2, "load_variants", (ZEROS[0],), r"^variants must have shape \(\*, 5, 2\), not \(5, 2\)$"),
    (2, "load_variants", (ZEROS, 1), r"^count must be in 1 to 6, not 7$"),
    (0, "load_variants", (ZEROS,), r"^variant_bits must be at least 1 for cells to have variants"),
    (2, "load_table", (spread(2),), r"^table\.variants must have 3 or 4 variants, not 2$"),
    (2, "load_table", (spread(5),), r"^table\.variants must have 3 or 4 variants, not 5$"),
    (0, "load_table", (spread(2),), r"^table\.variants must have 1 variants, not 2$"),
    (2, "age", ([1, 257],), r"^thresholds\[0, 1\] must be in 0 to 256, not 257$"),
    (2, "age", ([-1, 0],), r"^thresholds\[0, 0\] must be in 0 to 256, not -1$"),
    (2, "age", ([1, 2, 3],), r"^thresholds must have shape \(\*, 2\), not \(3, 3\)$"),
    (2, "age", (np.zeros((2, 2), int),), r"^thresholds must have 3 or 4 variants, not 2$"),
    (0, "age", (np.zeros((2, 2), int),), r"^thresholds must have 1 variants, not 2$"),
    (2, "age", ([1, 2], 7), r"^first must be in 0 to 6, not 7$"),
    (2, "age", ([1, 2], 3, 5), r"^count must be in 1 to 4, not 5$"),
]
BAD_TYPES = [
    (2, "load_variants", (ZEROS * 1.0,), r"^variants must hold integers, not float64$"),
    (2, "age", ([1.0, 2.0],), r"^thresholds must hold integers, not float64$"),
    (2, "age", (None,), r"^thresholds must hold integers, not object$"),
]


@pytest.mark.parametrize(
    ("error", "variant_bits", "method", "arguments", "message"),
    [(ValueError, *case) for case in BAD] + [(TypeError, *case) for case in BAD_TYPES],
)
def test_bad_input_changes_nothing(error, variant_bits, method, arguments, message):
    array, bits, _ = filled(dataclasses.replace(CONFIG, variant_bits=variant_bits), 0)
    states, cycles = array.generators(), array.counters.cycles
    tables = array.thresholds, array.ageing
    with pytest.raises(error, match=message):
        getattr(array, method)(*arguments)
    assert array.counters.cycles == cycles
    assert np.array_equal(array.thresholds, tables[0])
    assert np.array_equal(array.ageing, tables[1])
    assert np.array_equal(array.read(), bits)
    assert np.array_equal(array.generators(), states)

"""The probability table against math.tanh, and the pulse coder against the closed formula."""

import math

import numpy as np
import pytest

from golden.config import ArrayConfig
from golden.ptable import AP_TO_P, P_TO_AP, ProbabilityTable, encode, tanh_table

M = 3.0  # tau(nu) = tanh(3 nu / dz)


class Fixed:
    """In the place of a generator: every number drawn is the one given."""

    def __init__(self, numbers):
        self.numbers = numbers

    def random(self, shape, dtype):
        return np.broadcast_to(np.asarray(self.numbers, np.float64), shape)


def split(change, table, config, m=M):
    """Kappa, the two neighbouring codes and the upper one's share, found by bisection."""
    kappa, low = encode(change, table, config, Fixed(1.0), m)
    _, high = encode(change, table, config, Fixed(-1.0), m)
    below, above = np.zeros(change.shape), np.ones(change.shape)
    for _ in range(60):
        middle = (below + above) / 2
        _, code = encode(change, table, config, Fixed(middle), m)
        up = code == high
        below, above = np.where(up, middle, below), np.where(up, above, middle)
    return kappa, low, high, np.where(low == high, 0.0, above)


def expected_probability(low, high, share, table):
    p = table.thresholds[:, AP_TO_P] / table.scale
    return (1 - share) * p[np.abs(low)] + share * p[np.abs(high)]


# --- table ---


@pytest.mark.parametrize("m", [0.5, 3.0, 7.5])
@pytest.mark.parametrize(("code_bits", "draw_bits"), [(5, 16), (4, 16), (5, 32), (6, 32), (2, 8)])
def test_thresholds_are_tanh(code_bits, draw_bits, m):
    config = ArrayConfig(code_bits=code_bits, draw_bits=draw_bits)
    table = tanh_table(config, m)
    assert table.thresholds.shape == (config.codes, 2)
    assert np.array_equal(table.thresholds[:, AP_TO_P], table.thresholds[:, P_TO_AP])
    assert table.thresholds[0].tolist() == [0, 0]
    assert table.thresholds[-1].tolist() == [1 << draw_bits] * 2
    for code in range(1, config.codes - 1):
        nu = 2 ** ((code - (config.codes - 2)) / 2)  # two codes an octave, nu = 1 below the last
        ideal = 2**draw_bits * math.tanh(m * nu)
        if ideal > code:  # else K bits cannot tell the codes apart: see the next test
            assert abs(table.thresholds[code, 0] - ideal) <= 0.5 + 1e-9 * ideal, code
        assert table.pulse_s[code, 0] == pytest.approx(2e-9 * nu, rel=1e-12)
    assert table.pulse_s[[0, -1], 0].tolist() == [0.0, 2e-9]


@pytest.mark.parametrize("draw_bits", [8, 16, 32])
@pytest.mark.parametrize("code_bits", range(2, 9))
def test_every_code_of_a_shallow_table_is_distinct(code_bits, draw_bits):
    table = tanh_table(ArrayConfig(code_bits=code_bits, draw_bits=draw_bits), 0.5)
    rises = np.diff(table.thresholds[:, 0])
    assert (rises >= 0).all()
    if (code_bits, draw_bits) != (8, 8):  # 2^8 + 1 thresholds for 2^8 codes
        below = table.thresholds[1:-1, 0]
        assert (below >= np.arange(1, len(below) + 1)).all()
    assert table.probabilities.tolist() == (table.thresholds[:, 0] / 2**draw_bits).tolist()


def test_steep_table_saturates_and_stays_monotone():
    table = tanh_table(ArrayConfig(), 1e6)
    assert (np.diff(table.thresholds, axis=0) >= 0).all()
    assert table.thresholds.max() == table.scale == 1 << 16


def test_table_is_a_copy():
    thresholds = np.array([[0, 0], [3, 5], [8, 9]], np.uint16)
    table = ProbabilityTable(thresholds, np.zeros((3, 2)), 16)
    thresholds[1] = 7
    assert table.thresholds.tolist() == [[0, 0], [3, 5], [8, 9]]
    assert table.probabilities.tolist() == [0, 4 / 65536, 8.5 / 65536]


@pytest.mark.parametrize(
    ("thresholds", "pulse_s", "draw_bits", "message"),
    [
        ([[0, 0], [1, 257]], [[0, 0], [1, 1]], 8, r"^thresholds\[1, 1\] must be in 0 to 256, not"),
        ([[0, 0], [1, -1]], [[0, 0], [1, 1]], 8, r"^thresholds\[1, 1\] must be in 0 to 256, not"),
        ([[0, 1], [1, 1]], [[0, 0], [1, 1]], 8, r"^thresholds\[0\] must be zero, not \[0, 1\]$"),
        ([[0, 0], [3, 2], [3, 1]], [[0, 0]] * 3, 8, r"^thresholds must not fall from one code"),
        ([[0, 0, 0]], [[0, 0]], 8, r"^thresholds must have shape \(\*, 2\), not \(1, 3\)$"),
        ([[0, 0]], [[0, 0]], 8, r"^thresholds must hold at least 2 codes, not 1$"),
        (np.zeros((0, 2), int), [[0, 0]], 8, r"^thresholds must hold at least 2 codes, not 0$"),
        ([[0, 0], [1, 1]], [[0, 0]], 8, r"^pulse_s must be non-negative, of shape \(2, 2\), not"),
        ([[0, 0], [1, 1]], [[0, 0], [1, -1]], 8, r"^pulse_s must be non-negative, of shape"),
        ([[0, 0], [1, 1]], [[0, 0], [1, math.nan]], 8, r"^pulse_s\[1, 1\] must be finite, not nan"),
        ([[0, 0], [1, 1]], [0, 0], 8, r"^pulse_s must have 2 dimensions, not shape \(2,\)$"),
        ([[0, 0], [1, 1]], [[0, 0], [1, 1]], 0, r"^draw_bits must be in 1 to 32, not 0$"),
        ([[0, 0], [1, 1]], [[0, 0], [1, 1]], 64, r"^draw_bits must be in 1 to 32, not 64$"),
    ],
)
def test_bad_tables_are_refused(thresholds, pulse_s, draw_bits, message):
    with pytest.raises(ValueError, match=message):
        ProbabilityTable(thresholds, pulse_s, draw_bits)


@pytest.mark.parametrize(
    ("thresholds", "pulse_s", "draw_bits", "message"),
    [
        ([[0.0, 0.0], [1.0, 1.0]], [[0, 0], [1, 1]], 8, r"^thresholds must hold integers, not"),
        ([[0, 0], [1, 1]], [["0", "0"], ["1", "1"]], 8, r"^pulse_s must hold real numbers, not"),
        ([[0, 0], [1, 1]], [[0, 0], [1, 1]], "8", r"^draw_bits must be an integer, not '8'$"),
    ],
)
def test_tables_of_other_types_are_refused(thresholds, pulse_s, draw_bits, message):
    with pytest.raises(TypeError, match=message):
        ProbabilityTable(thresholds, pulse_s, draw_bits)


@pytest.mark.parametrize("m", [0.0, -3.0, math.nan, math.inf])
def test_bad_steepness_is_refused(m):
    message = r"^m must be finite and at least 0\.01, not "
    with pytest.raises(ValueError, match=message):
        tanh_table(ArrayConfig(), m)
    table = tanh_table(ArrayConfig())
    with pytest.raises(ValueError, match=message):
        encode(np.zeros((1, 1)), table, ArrayConfig(), np.random.default_rng(0), m)


# --- coder ---


def changes(seed, step):
    """Random changes of every size, and the boundary cases."""
    rng = np.random.default_rng(seed)
    size = 10.0 ** rng.uniform(-6, 0.5, 400) * rng.choice([-1, 1], 400)
    ends = [0.5, 1.0, 2.0, 1.0 - 1e-12, 1.0 + 1e-12, 2.0 - 1e-12, 2.0 + 1e-12, 1e-300, 5e-324]
    ends += [0.0, 3.0, 1e300, 1.5, 0.999999, 2**-14.5, 2**-15]
    return np.concatenate([size, ends, np.negative(ends)])[None, :] * (step if seed % 2 else 1)


@pytest.mark.parametrize("synapse", ["ternary", "binary"])
@pytest.mark.parametrize(
    ("code_bits", "draw_bits", "m"), [(5, 16, 3.0), (5, 32, 3.0), (3, 8, 3.0), (2, 16, 1.0)]
)
@pytest.mark.parametrize("seed", [0, 1])
def test_expected_step_is_exact(synapse, code_bits, draw_bits, m, seed):
    config = ArrayConfig(synapse=synapse, code_bits=code_bits, draw_bits=draw_bits)
    table = tanh_table(config, m)
    change = changes(seed, config.step)
    kappa, low, high, share = split(change, table, config, m)
    assert (kappa.dtype, low.dtype) == (np.int8, np.int16)
    for i, dw in enumerate(change[0].tolist()):
        cut = min(max(dw, -2.0), 2.0)
        whole, rest = divmod(abs(cut), config.step)
        tau = math.tanh(m * rest / config.step)
        assert kappa[0, i] == math.copysign(whole, cut), dw
        assert 0 <= abs(int(low[0, i])) <= abs(int(high[0, i])) <= abs(int(low[0, i])) + 1
        assert abs(int(high[0, i])) < config.codes
        if low[0, i] or high[0, i]:
            assert (high[0, i] > 0) == (dw > 0), dw
        p = expected_probability(low[0, i], high[0, i], share[0, i], table)
        assert p == pytest.approx(tau, rel=1e-12, abs=1e-16), dw


@pytest.mark.parametrize("synapse", ["ternary", "binary"])
def test_whole_steps_have_no_pulse_of_their_own(synapse):
    config = ArrayConfig(synapse=synapse)
    table = tanh_table(config)
    whole = np.array([[0.0, -0.0, 2.0, -2.0, 7.0, -1e30]])
    kappa, code = encode(whole, table, config, np.random.default_rng(0))
    top = config.max_kappa
    assert kappa.tolist() == [[0, 0, top, -top, top, -top]]
    assert not code.any()
    kappa, code = encode(np.array([[1.0, -1.0]]), table, config, np.random.default_rng(0))
    assert kappa.tolist() == [[1, -1] if synapse == "ternary" else [0, 0]]
    assert code.any() == (synapse == "binary")


def test_a_change_on_a_code_takes_that_code():
    config = ArrayConfig()
    table = tanh_table(config)
    codes = np.arange(1, config.codes - 2)  # the next one is nu = 1, a whole step
    change = np.arctanh(table.probabilities[codes])[None, :] / M
    for _, low, high, share in [split(change, table, config), split(-change, table, config)]:
        nearest = np.where(share > 0.5, high, low)
        assert np.array_equal(np.abs(nearest[0]), codes)
        assert np.minimum(share, 1 - share).max() < 1e-9


def test_tiny_changes_still_move_on_average(plausible):
    """dW of 1e-5 lies far under the first code: it must round up in proportion."""
    config = ArrayConfig()
    table = tanh_table(config)
    change = np.full((500, 400), 1e-5)
    _, code = encode(change, table, config, np.random.default_rng(1))
    share = math.tanh(M * 1e-5) / table.probabilities[1]
    assert set(np.unique(code)) == {0, 1}
    assert plausible(int(code.sum()), code.size, share, 1)


@pytest.mark.parametrize("seed", [0, 1])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("synapse", ["ternary", "binary"])
def test_rounding_is_as_frequent_as_its_share(seed, dtype, synapse, plausible):
    config = ArrayConfig(synapse=synapse)
    table = tanh_table(config)
    grid = np.array([1e-4, 7e-4, -0.003, 0.02, -0.11, 0.45, 0.9, 1.3, -1.97])
    change = np.repeat(grid[:, None], 40_000, axis=1).astype(dtype)
    _, code = encode(change, table, config, np.random.default_rng(seed))
    _, low, high, share = split(grid[:, None], table, config)
    for i, dw in enumerate(grid):
        assert set(np.unique(code[i])) <= {low[i, 0], high[i, 0]}
        hits = int((code[i] == high[i, 0]).sum())
        assert plausible(hits, change.shape[1], share[i, 0], len(grid)), (seed, dw)


def test_saturated_table_never_falls_short():
    config = ArrayConfig()
    table = tanh_table(config, 1e6)
    _, code = encode(np.array([[0.4, -0.7]]), table, config, np.random.default_rng(0), 1e6)
    assert (table.thresholds[np.abs(code)] == table.scale).all()
    assert np.sign(code).tolist() == [[1, -1]]


def test_coder_follows_its_generator():
    config = ArrayConfig()
    table = tanh_table(config)
    change = np.random.default_rng(0).normal(0, 0.1, (20, 30))
    runs = [encode(change, table, config, np.random.default_rng(seed)) for seed in (3, 3, 4)]
    assert np.array_equal(runs[0][1], runs[1][1])
    assert not np.array_equal(runs[0][1], runs[2][1])
    assert encode(np.zeros((0, 5)), table, config, np.random.default_rng(0))[1].shape == (0, 5)


@pytest.mark.parametrize("bad", [math.nan, math.inf, -math.inf])
def test_non_finite_changes_are_refused(bad):
    change = np.zeros((2, 3))
    change[1, 2] = bad
    config = ArrayConfig()
    with pytest.raises(ValueError, match=rf"^change\[1, 2\] must be finite, not {bad}$"):
        encode(change, tanh_table(config), config, np.random.default_rng(0))


def test_other_changes_and_tables_are_refused():
    config, rng = ArrayConfig(), np.random.default_rng(0)
    table = tanh_table(config)
    with pytest.raises(ValueError, match=r"^change must have 2 dimensions, not shape \(3,\)$"):
        encode(np.zeros(3), table, config, rng)
    with pytest.raises(TypeError, match=r"^change must hold real numbers, not complex128$"):
        encode(np.zeros((1, 1), complex), table, config, rng)
    for code_bits in (4, 6):
        other = tanh_table(ArrayConfig(code_bits=code_bits))
        with pytest.raises(ValueError, match=rf"^table must have 32 codes, not {2**code_bits}$"):
            encode(np.zeros((1, 1)), other, config, rng)

"""The probability table against math.tanh, and the pulse coder against the closed formula."""

import math

import numpy as np
import pytest

from golden.codes import AP_TO_P, P_TO_AP
from golden.config import ArrayConfig
from golden.pulse.coder import encode
from golden.pulse.table import ProbabilityTable, tanh_table

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
        if ideal > code:  # else K bits cannot distinguish the codes: see the next test
            assert abs(table.thresholds[code, 0] - ideal) <= 0.5 + 1e-9 * ideal, code
        assert abs(table.ticks[code, 0] - 2000 * nu) <= 0.5 + 1e-9, code
    assert table.ticks[[0, -1]].tolist() == [[0, 0], [2000, 2000]]
    assert np.array_equal(table.ticks[:, AP_TO_P], table.ticks[:, P_TO_AP])
    assert table.pulse_s == pytest.approx(1e-12 * table.ticks, rel=1e-12)
    assert not table.by_length
    assert table.variants is None


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
    ticks, variants = np.array([[0, 0], [4, 2], [9, 3]]), np.stack([thresholds, 2 * thresholds])
    table = ProbabilityTable(thresholds, ticks, 2e-12, 16, variants=variants)
    thresholds[1], ticks[1], variants[:, 1] = 7, 7, 7
    assert table.thresholds.tolist() == [[0, 0], [3, 5], [8, 9]]
    assert table.variants.tolist() == [[[0, 0], [3, 5], [8, 9]], [[0, 0], [6, 10], [16, 18]]]
    assert table.ticks.tolist() == [[0, 0], [4, 2], [9, 3]]
    assert table.pulse_s == pytest.approx(np.array([[0, 0], [8e-12, 4e-12], [18e-12, 6e-12]]))
    assert table.probabilities.tolist() == [0, 4 / 65536, 8.5 / 65536]
    assert table.levels.tolist() == table.probabilities.tolist()


def test_levels_by_length():
    table = ProbabilityTable(
        np.array([[0, 0], [3, 5], [8, 9]]), np.array([[0, 0], [4, 2], [9, 3]]), 1e-12, 16, True
    )
    assert table.levels.tolist() == [0, 0.5, 1]
    assert table.probabilities.tolist() == [0, 4 / 65536, 8.5 / 65536]


GOOD = {"thresholds": [[0, 0], [1, 1]], "ticks": [[0, 0], [5, 5]], "tick_s": 1e-12, "draw_bits": 8}


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"thresholds": [[0, 0], [1, 257]]}, r"^thresholds\[1, 1\] must be in 0 to 256, not 257$"),
        ({"thresholds": [[0, 0], [1, -1]]}, r"^thresholds\[1, 1\] must be in 0 to 256, not -1$"),
        ({"thresholds": [[0, 1], [1, 1]]}, r"^thresholds\[0\] must be zero, not \[0, 1\]$"),
        ({"thresholds": [[0, 0], [3, 2], [3, 1]]}, r"^thresholds must not fall from one code"),
        ({"thresholds": [[0, 0, 0]]}, r"^thresholds must have shape \(\*, 2\), not \(1, 3\)$"),
        ({"thresholds": [[0, 0]]}, r"^thresholds must hold at least 2 codes, not 1$"),
        ({"thresholds": np.zeros((0, 2), int)}, r"^thresholds must hold at least 2 codes, not 0$"),
        ({"ticks": [[0, 0]]}, r"^ticks must have shape \(2, 2\), not \(1, 2\)$"),
        ({"ticks": [0, 0]}, r"^ticks must have shape \(2, 2\), not \(2,\)$"),
        ({"ticks": [[0, 0], [1, -1]]}, r"^ticks\[1, 1\] must be in 0 to 65535, not -1$"),
        ({"ticks": [[0, 0], [1, 65536]]}, r"^ticks\[1, 1\] must be in 0 to 65535, not 65536$"),
        ({"ticks": [[0, 1], [1, 1]]}, r"^ticks\[0\] must be zero, not \[0, 1\]$"),
        ({"tick_s": 0.0}, r"^tick_s must be positive, not 0$"),
        ({"tick_s": -1e-12}, r"^tick_s must be finite and at least 0, not -1e-12$"),
        ({"tick_s": math.nan}, r"^tick_s must be finite and at least 0, not nan$"),
        ({"draw_bits": 0}, r"^draw_bits must be in 1 to 32, not 0$"),
        ({"draw_bits": 64}, r"^draw_bits must be in 1 to 32, not 64$"),
        ({"by_length": True, "ticks": np.zeros((2, 2), int)}, r"^ticks must rise from code 0"),
        (
            {
                "by_length": True,
                "thresholds": [[0, 0], [1, 1], [1, 1]],
                "ticks": [[0, 0], [4, 3], [3, 3]],
            },
            r"^ticks must rise from code 0 to the last if by_length, on average$",
        ),
        ({"variants": [[0, 0], [1, 1]]}, r"^variants must have shape \(\*, 2, 2\), not \(2, 2\)$"),
        ({"variants": [[[0, 0]]]}, r"^variants must have shape \(\*, 2, 2\), not \(1, 1, 2\)$"),
        ({"variants": np.zeros((0, 2, 2), int)}, r"^len\(variants\) must be at least 1, not 0$"),
        ({"variants": [[[0, 0], [1, 257]]]}, r"^variants\[0, 1, 1\] must be in 0 to 256, not 257$"),
        (
            {"variants": [[[0, 0], [1, 1]], [[0, 1], [1, 1]]]},
            r"^variants\[1\]\[0\] must be zero, not \[0, 1\]$",
        ),
        (
            {
                "thresholds": [[0, 0], [1, 1], [1, 1]],
                "ticks": np.zeros((3, 2), int),
                "variants": [[[0, 0], [2, 1], [1, 1]]],
            },
            r"^variants\[0\] must not fall from one code to the next$",
        ),
    ],
)
def test_bad_tables_are_refused(change, message):
    with pytest.raises(ValueError, match=message):
        ProbabilityTable(**GOOD | change)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"thresholds": [[0.0, 0.0], [1.0, 1.0]]}, r"^thresholds must hold integers, not float64$"),
        ({"ticks": [[0.0, 0.0], [1.0, 1.0]]}, r"^ticks must hold integers, not float64$"),
        ({"tick_s": "1e-12"}, r"^tick_s must be a number, not '1e-12'$"),
        ({"draw_bits": "8"}, r"^draw_bits must be an integer, not '8'$"),
        ({"variants": [[["0", "0"], ["1", "1"]]]}, r"^variants must hold integers, not <U1$"),
    ],
)
def test_tables_of_other_types_are_refused(change, message):
    with pytest.raises(TypeError, match=message):
        ProbabilityTable(**GOOD | change)


@pytest.mark.parametrize("m", [0.0, -3.0, math.nan, math.inf])
def test_bad_steepness_is_refused(m):
    message = r"^m must be finite and in 0\.01 to 1e\+06, not "
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
@pytest.mark.parametrize("seed", [0, 1])
def test_expected_length_is_exact(synapse, seed):
    """By length: the mean pulse is nu of the full one, over equal neighbours and lopsided pairs."""
    config = ArrayConfig(synapse=synapse, code_bits=3)
    lengths = np.array([[0, 0], [0, 0], [40, 60], [50, 50], [300, 100], [301, 900], [2000, 1000]])
    ticks = np.append(lengths, lengths[-1:], axis=0)  # the top twice
    thresholds = np.stack([np.minimum(np.arange(8) ** 3, 300)] * 2, axis=1)
    table = ProbabilityTable(thresholds, ticks, 1e-12, 16, by_length=True)
    change = changes(seed, config.step)
    kappa, low, high, share = split(change, table, config, 0.7)  # m plays no part
    for i, dw in enumerate(change[0].tolist()):
        whole, rest = divmod(min(abs(dw), 2.0), config.step)
        assert abs(int(kappa[0, i])) == whole, dw
        ends = [sum(ticks[abs(int(code[0, i]))].tolist()) / 2 for code in (low, high)]
        length = (1 - share[0, i]) * ends[0] + share[0, i] * ends[1]
        assert length == pytest.approx(1500 * rest / config.step, rel=1e-12, abs=1e-12), dw


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

"""Each function against fractions, floating point or plain integers."""

import itertools
import math
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from golden.accel import arithmetic
from golden.accel.compiler import reciprocal
from golden.config import ArrayConfig

ONE = 1 << 18  # a weight step
TERNARY, BINARY = ArrayConfig(), ArrayConfig(synapse="binary", draw_bits=8, code_bits=3)
each_array = pytest.mark.parametrize("array", [TERNARY, BINARY], ids=lambda a: a.synapse)


@given(st.integers(-(1 << 40), 1 << 40), st.integers(0, 31))
@example(5, 1)
@example(-5, 1)
@example(0, 0)
def test_half_even_is_pythons_rounding(x, shift):
    assert int(arithmetic.half_even(np.array([x]), shift)[0]) == round(Fraction(x, 1 << shift))


def test_half_even_on_all_small_numbers():
    x = np.arange(-70, 71)
    for shift in range(6):
        rounded = arithmetic.half_even(x, shift).tolist()
        assert rounded == [round(Fraction(int(v), 1 << shift)) for v in x]


@given(st.lists(st.integers(-(1 << 30), 1 << 30), min_size=1, max_size=8), st.integers(0, 31))
@example([127, 128, -127, -128, -129], 0)
def test_requantised_errors_are_rounded_and_cut(x, shift):
    found = arithmetic.requantise(np.array(x), shift)
    assert found.dtype == np.int8
    assert found.tolist() == [max(-127, min(127, round(Fraction(v, 1 << shift)))) for v in x]


@given(st.integers(1, 1 << 48))
def test_log2_is_linear_between_powers_of_two(x):
    found = arithmetic.log2(x)
    assert 0 <= math.log2(x) - found / 256 < 0.0861 + 1 / 256  # Mitchell's bound, one digit
    if x < 1 << 47:
        assert arithmetic.log2(2 * x) == found + 256
    assert arithmetic.log2(x + 1) >= found


def test_log2_by_hand():
    assert [arithmetic.log2(x) for x in (1, 2, 3, 4, 5, 6, 1 << 40)] == [
        0, 256, 384, 512, 576, 640, 40 * 256,
    ]  # fmt: skip


@given(st.integers(-14 * 256, 8 * 256 + 255))
def test_rate_is_two_to_the_power(logarithm):
    factor, shift = arithmetic.rate(logarithm)
    assert 256 <= factor < 512
    ratio = factor / 2**shift / 2 ** (logarithm / 256)
    assert 1 <= ratio < 1.0615


def test_rate_at_the_ends_of_its_range():
    assert arithmetic.rate(0) == (256, 8)
    assert arithmetic.rate(128) == (384, 8)
    assert arithmetic.rate(-1) == (511, 9)
    assert arithmetic.rate(8 * 256) == (256, 0)
    assert arithmetic.rate(12 * 256 + 1) == (257, 0)  # no left shift: at most 256 times and a bit
    assert arithmetic.rate(-55 * 256) == (256, 63)
    assert arithmetic.rate(-90 * 256) == (256, 63)


@given(st.data())
def test_statistics_are_mean_and_mean_absolute_deviation(data):
    n = data.draw(st.integers(1, 300))
    rng = np.random.default_rng(data.draw(st.integers(0, 2**32)))
    low, high = sorted(data.draw(st.tuples(*[st.integers(-(1 << 16), 1 << 16)] * 2)))
    totals = rng.integers(low, high + 1, (n, 5))
    mean, spread = arithmetic.statistics(totals, *reciprocal(n))
    exact = totals.mean(axis=0)
    error = 2.0**-15 * np.abs(exact) + 2**-8  # of the factor; of rounding down
    assert (np.abs(mean / 256 - exact) <= error).all()
    deviation = np.abs(totals - exact).mean(axis=0)
    assert (np.abs(spread / 256 - deviation) <= error + 2.0**-15 * deviation + 2**-7).all()
    assert (spread >= 1).all()


def test_statistics_by_hand():
    totals = np.array([[1, -1, 4], [2, -1, 4], [6, -2, 4], [8, -1, 4]])
    factor, shift = 1 << 15, 9  # 2^8 / 4
    mean, spread = arithmetic.statistics(totals, factor, shift)
    assert mean.tolist() == [4.25 * 256, -1.25 * 256, 4 * 256]
    assert spread.tolist() == [2.75 * 256, 0.375 * 256, 1]  # never 0
    mean, _ = arithmetic.statistics(np.array([[-1], [0], [0]]), 43691, 9)
    assert mean.tolist() == [-86]  # -85.33, down


small = st.integers(-(1 << 20), 1 << 20)


@given(small, st.integers(1, 1 << 18), st.integers(-(1 << 19), (1 << 19) - 1), st.data())
def test_bounds_are_multiples_of_the_spread(mean, spread, offset, data):
    r, inner, outer = (data.draw(st.integers(0, 1023)) for _ in range(3))
    found = arithmetic.bounds(*map(np.array, (mean, spread, offset)), r, inner, outer)
    centre = mean - math.floor(Fraction(spread * offset, 1 << 16))
    reach, *window = (math.floor(Fraction(spread * x, 256)) for x in (r, inner, outer))
    assert [int(part) for part in found] == [centre, centre + reach, centre - reach, *window]


def test_bounds_by_hand():
    """One and a half deviations of 10.0 around a mean of 100.0 moved down by half a deviation."""
    parts = [np.array([x]) for x in (100 << 8, 10 << 8, 1 << 15)]
    found = arithmetic.bounds(*parts, 384, 128, 512)
    assert [part.item() / 256 for part in found] == [95, 110, 80, 5, 20]


@given(st.integers(-(1 << 19), (1 << 19) - 1), st.integers(-(127 << 8), 127 << 8),
       st.integers(0, 15))  # fmt: skip
def test_learnt_offsets_move_by_the_mean_error(offset, error, learn):
    found = arithmetic.learnt(np.array([offset]), np.array([error]), learn).item()
    # The offset has 16 bits behind the point, the error 8: 2^(learn - 9) of it.
    moved = offset + (Fraction(error, 256) * Fraction(2) ** (learn - 9) * 65536 if learn else 0)
    assert found == max(-(1 << 19), min((1 << 19) - 1, moved))


@each_array
def test_levels_are_half_octaves_up_to_a_step(array):
    found = arithmetic.levels(array)
    assert len(found) == array.codes
    assert found[0] == 0
    assert found[-1] == found[-2] == ONE
    for below, above in itertools.pairwise(found[1:-1]):
        # Each is a whole number, half a unit off at most.
        assert abs(Fraction(int(above)) ** 2 - 2 * Fraction(int(below)) ** 2) <= 4 * int(above)


@each_array
def test_split_into_whole_steps_and_the_codes_next_to_the_rest(array):
    rng = np.random.default_rng(1)
    values = arithmetic.levels(array).tolist()
    sizes = [0, 1, ONE - 1, ONE, ONE + 1, 2 * ONE - 1, 2 * ONE, 9 * ONE, *values[1:-1]]
    sizes += rng.integers(0, 3 * ONE, 300).tolist()
    sizes += np.exp2(rng.uniform(0, 18, 300)).astype(int).tolist()
    draws = rng.integers(0, 1 << array.draw_bits, len(sizes))
    kappa, code = arithmetic.split(np.array(sizes), draws, array)
    seen = set()
    for size, draw, k, c in zip(sizes, draws.tolist(), kappa.tolist(), code.tolist(), strict=True):
        whole, rest = divmod(min(size, array.max_kappa * ONE), ONE)
        below = max(i for i in range(array.codes - 1) if values[i] <= rest)
        share = Fraction(rest - values[below], (values[below + 1] - values[below]) or 1)
        up = share > Fraction(draw, 1 << array.draw_bits)
        assert (k, c) == (whole, below + up), (size, draw)
        seen.add((k, up))
    assert seen >= {(k, up) for k in range(array.max_kappa) for up in (True, False)}
    assert max(kappa.tolist()) == array.max_kappa


@each_array
def test_expected_levels_are_right(array):
    """Over all draws: the mean level is the rest, up to a draw's worth."""
    values = arithmetic.levels(array)
    draws = np.arange(1 << array.draw_bits)
    least = int(values[1])
    sizes = [1, least // 3, least, 2 * least + 1, ONE // 2, ONE // 3, ONE - 1]
    for size in [*sizes, *(ONE + size for size in sizes if array.max_kappa == 2)]:
        kappa, code = arithmetic.split(np.full(len(draws), size), draws, array)
        assert (kappa == size // ONE).all()
        codes, counts = np.unique(code, return_counts=True)
        assert len(codes) <= 2
        assert codes[-1] - codes[0] <= 1
        mean = Fraction(int(counts @ values[codes]), len(draws))
        gap = np.diff(values)[values[1:] > size % ONE][0]
        assert 0 <= mean - size % ONE < Fraction(int(gap), len(draws)), size


def test_the_draw_of_zero_rounds_up_what_is_not_a_level():
    size, zero = np.array([1, 0, ONE, ONE + 1]), np.zeros(4, np.uint16)
    kappa, code = arithmetic.split(size, zero, TERNARY)
    assert (kappa.tolist(), code.tolist()) == ([0, 0, 1, 1], [1, 0, 0, 1])
    kappa, code = arithmetic.split(size, zero + 0xFFFF, TERNARY)
    assert (kappa.tolist(), code.tolist()) == ([0, 0, 1, 1], [0, 0, 0, 0])


def test_split_keeps_shapes():
    size = np.arange(24).reshape(2, 3, 4) * ONE // 9
    kappa, code = arithmetic.split(size, np.zeros(size.shape, np.uint16), TERNARY)
    assert kappa.shape == code.shape == size.shape
    flat = arithmetic.split(size.ravel(), np.zeros(24, np.uint16), TERNARY)
    np.testing.assert_array_equal(np.stack(flat), np.stack([kappa, code]).reshape(2, -1))

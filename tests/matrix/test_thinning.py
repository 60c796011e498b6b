"""Thinning: candidates at their rates, draws at their conditional distribution.

Distributions are compared by chi-square; a sound one is refused with a chance of 1e-6 a test.
"""

import itertools

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from scipy import stats

from golden.matrix import thinning

SURE = 1e-6


def agrees(counts, probabilities):
    """Whether counts can be multinomial; what is impossible must not have happened."""
    counts, probabilities = np.asarray(counts), np.asarray(probabilities)
    possible = probabilities > 0
    assert not counts[~possible].any()
    expected = probabilities[possible] * counts.sum()
    assert expected.min() > 5, "too few trials"
    if len(expected) == 1:
        return True
    return stats.chisquare(counts[possible], expected).pvalue > SURE


BOUNDS = hnp.arrays(
    np.float64,
    st.integers(0, 12),
    elements=st.one_of(
        st.floats(2**-32, 1), st.floats(2**-32, 0.05), st.sampled_from([0.0, 0.25, 1.0])
    ),
)


@given(BOUNDS, st.integers(1, 50), st.integers(0, 2**32))
def test_candidates_rise_are_distinct_and_in_range(bound, width, seed):
    at = thinning.candidates(bound, width, np.random.default_rng(seed))
    assert at.dtype == np.int64
    assert (np.diff(at) > 0).all()
    assert len(at) == 0 or (at[0] >= 0 and at[-1] < len(bound) * width)
    found = np.bincount(at // width, minlength=len(bound))
    assert (found[bound > thinning.DENSE] == width).all()
    assert (found[bound == 0] == 0).all()


@given(st.integers(0, 9), st.integers(1, 9))
def test_no_bound_gives_no_candidates(lines, width):
    assert not len(thinning.candidates(np.zeros(lines), width, np.random.default_rng(1)))


def test_candidates_depend_on_the_generator_alone():
    bound = np.linspace(0, 0.3, 40)
    first, again, other = (
        thinning.candidates(bound, 30, np.random.default_rng(seed)) for seed in (1, 1, 2)
    )
    np.testing.assert_array_equal(first, again)
    assert first.tolist() != other.tolist()


RATES = (0.25, 0.0, 1e-3, 0.2, 0.05, 1.0, 0.01, 0.251)


def test_every_event_is_a_candidate_at_its_lines_rate(plausible):
    repeats, width = 4000, 5
    bound = np.tile(RATES, repeats)
    at = thinning.candidates(bound, width, np.random.default_rng(2))
    found = np.bincount(at, minlength=len(bound) * width).reshape(repeats, len(RATES), width)
    for line, rate in enumerate(RATES):
        for event in range(width):
            p = rate if rate <= thinning.DENSE else 1.0
            hits = int(found[:, line, event].sum())
            assert plausible(hits, repeats, p, len(RATES) * width), (line, event)


def test_pairs_of_events_are_independent(plausible):
    """Within a line and across lines, neighbours and others."""
    rates, width, repeats = (0.2, 0.1, 0.25), 4, 20_000
    at = thinning.candidates(np.tile(rates, repeats), width, np.random.default_rng(3))
    found = np.bincount(at, minlength=repeats * 12).reshape(repeats, 12)
    both = found.T @ found
    p = np.repeat(rates, width)
    for i, j in itertools.combinations(range(12), 2):
        assert plausible(int(both[i, j]), repeats, p[i] * p[j], 66), (i, j)


@pytest.mark.parametrize("width", [1, 2, 3])
def test_outcomes_of_all_events_are_independent(width):
    """All subsets of the events of two lines."""
    rates, repeats = (0.2, 0.12), 600_000
    at = thinning.candidates(np.tile(rates, repeats), width, np.random.default_rng(4))
    n = 2 * width
    found = np.zeros(repeats * n, np.int64)
    found[at] = 1
    subset = found.reshape(repeats, n) @ (1 << np.arange(n))
    p = np.repeat(rates, width)
    bits = np.arange(1 << n)[:, None] >> np.arange(n) & 1
    expected = np.where(bits, p, 1 - p).prod(axis=1)
    assert agrees(np.bincount(subset, minlength=1 << n), expected)


def test_the_number_of_candidates_has_the_binomial_variance():
    n, rate, calls = 500, 0.02, 4000
    rng = np.random.default_rng(5)
    bound = np.full(50, rate)
    counts = [len(thinning.candidates(bound, 10, rng)) for _ in range(calls)]
    binned = np.bincount(np.clip(counts, 3, 18), minlength=19)[3:19]
    p = stats.binom.pmf(np.arange(3, 19), n, rate)
    p[0], p[-1] = stats.binom.cdf(3, n, rate), stats.binom.sf(17, n, rate)
    assert agrees(binned, p)


# --- draws given that the least is below the bound ---


def censored(draws, bound):
    """Draws, those at or above the bound being all alike."""
    return np.minimum(draws, bound)


def conditional(bound, count, bits):
    """P of each censored outcome, by enumeration of all draws."""
    p = np.zeros((bound + 1,) * count)
    for draws in itertools.product(range(1 << bits), repeat=count):
        if min(draws) < bound:
            p[tuple(min(draw, bound) for draw in draws)] += 1
    return p / p.sum()


@pytest.mark.parametrize("count", [1, 2])
@pytest.mark.parametrize(
    ("bits", "bound"), [*((3, b) for b in range(1, 9)), *((4, b) for b in (1, 2, 7, 12, 15, 16))]
)
def test_draws_have_the_conditional_distribution(count, bits, bound):
    n = 40_000
    draws = thinning.draws(np.full(n, bound), count, bits, np.random.default_rng(bound))
    assert draws.shape == (n, count)
    assert draws.dtype == np.int64
    assert draws.min() >= 0
    assert draws.max() < 1 << bits
    assert (draws.min(axis=1) < bound).all()
    outcome = np.ravel_multi_index(censored(draws, bound).T, (bound + 1,) * count)
    counts = np.bincount(outcome, minlength=(bound + 1) ** count)
    assert agrees(counts, conditional(bound, count, bits).ravel())


def test_draws_go_by_each_candidates_own_bound():
    bounds = np.array([1, 3, 8])
    draws = thinning.draws(np.tile(bounds, 30_000), 2, 3, np.random.default_rng(6))
    for number, bound in enumerate(bounds.tolist()):
        mine = censored(draws[number::3], bound)
        counts = np.bincount(
            np.ravel_multi_index(mine.T, (bound + 1,) * 2), minlength=(bound + 1) ** 2
        )
        assert agrees(counts, conditional(bound, 2, 3).ravel())


@given(st.integers(1, 32), st.data())
def test_draws_are_in_range_for_words_of_any_width(bits, data):
    bounds = data.draw(st.lists(st.integers(1, 1 << bits), max_size=20))
    count = data.draw(st.sampled_from([1, 2]))
    bounds = np.array(bounds, np.int64)
    draws = thinning.draws(bounds, count, bits, np.random.default_rng(7))
    assert draws.shape == (len(bounds), count)
    assert ((draws >= 0) & (draws < 1 << bits)).all()
    assert (draws.min(axis=1, initial=1 << bits) < np.maximum(bounds, 1)).all()


@pytest.mark.parametrize("count", [1, 2])
def test_thinned_events_happen_as_often_as_drawn_ones(count):
    """Candidates and their draws together against the plain draws that they stand for."""
    bits, bound, repeats, width = 4, 3, 40_000, 2
    b = bound / (1 << bits)
    rng = np.random.default_rng(8)
    either = 1 - (1 - b) ** count
    at = thinning.candidates(np.full(repeats, either), width, rng)
    least = 1 << bits if either > thinning.DENSE else bound
    draws = thinning.draws(np.full(len(at), least), count, bits, rng)
    every = np.full((repeats * width, count), bound)
    every[at] = censored(draws, bound)
    outcome = np.ravel_multi_index(every.T, (bound + 1,) * count)
    p = np.full(bound + 1, 1 / 16)
    p[bound] = 1 - b
    expected = p if count == 1 else np.outer(p, p).ravel()
    assert agrees(np.bincount(outcome, minlength=len(expected)), expected)

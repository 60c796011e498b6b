"""The generator against Python integers: one bit a step, and polynomials modulo p."""

import math
from statistics import NormalDist

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from golden.array import lfsr

# Written out again, not imported: x^64 + x^29 + x^19 + x^9 + 1.
EXPONENTS = (0, 9, 19, 29)
POLYNOMIAL = 1 << 64 | sum(1 << e for e in EXPONENTS)
MASK = (1 << 64) - 1
PERIOD = (1 << 64) - 1
FACTORS = (3, 5, 17, 257, 641, 65537, 6700417)  # of 2^64 - 1
ALPHA = 1e-6  # chance that a statistical test fails although the draws are ideal

states64 = st.integers(1, MASK)


def step(state):
    """One single step: the next bit enters at the top."""
    new = sum(state >> e for e in EXPONENTS) & 1  # the sum's low bit
    return state >> 1 | new << 63


def sequence(state, count):
    """The first ``count`` bits from ``state`` on, as an integer, the earliest lowest."""
    bits = 0
    for i in range(count):
        bits |= (state & 1) << i
        state = step(state)
    return bits


def reduce(product):
    for i in range(product.bit_length() - 1, 63, -1):
        if product >> i & 1:
            product ^= POLYNOMIAL << (i - 64)
    return product


def power_of_x(n):
    """x^n modulo the polynomial, by squaring."""
    result = 1
    for bit in bin(n)[2:]:
        square = 0
        for i in range(64):
            if result >> i & 1:
                square ^= result << i
        result = reduce(square << int(bit))
    return result


def jump(state, n):
    """The state n single steps on: s[n + j] is the sum of the s[i + j] where x^n has an x^i."""
    remainder, bits = power_of_x(n), sequence(state, 128)
    return sum(((remainder & bits >> j).bit_count() & 1) << j for j in range(64))


def columns(matrix):
    return [int("".join(map(str, column[::-1])), 2) for column in matrix.T.tolist()]


def apply(cols, state):
    new = 0
    while state:
        low = state & -state
        new ^= cols[low.bit_length() - 1]
        state ^= low
    return new


def cycle_length(matrix):
    """Steps until the state 1 comes back."""
    cols, state, count = columns(matrix), 1, 0
    while True:
        state, count = apply(cols, state), count + 1
        if state == 1:
            return count


def chi_square_limit(df):
    z = NormalDist().inv_cdf(1 - ALPHA)
    return df * (1 - 2 / (9 * df) + z * math.sqrt(2 / (9 * df))) ** 3


def draws(seed, streams, count, draw_bits, first=0):
    bank = lfsr.Streams(lfsr.stream_states(seed, first, streams), draw_bits)
    return bank.draw(count)


# --- the polynomial ---


def test_factors_are_primes_and_all_of_them():
    for q in FACTORS:
        assert all(q % d for d in range(2, math.isqrt(q) + 1)), q
    assert math.prod(FACTORS) == PERIOD
    assert lfsr.TAPS == EXPONENTS
    assert lfsr.STATE_BITS == 64


def test_polynomial_is_primitive():
    assert power_of_x(PERIOD) == 1
    for q in FACTORS:
        assert power_of_x(PERIOD // q) != 1, q


def test_leap_matrix_has_the_full_order():
    identity = np.eye(64, dtype=np.uint8)
    assert np.array_equal(lfsr.leap_matrix(PERIOD), identity)
    for q in FACTORS:
        assert not np.array_equal(lfsr.leap_matrix(PERIOD // q), identity), q


@pytest.mark.parametrize("steps", [1, 2, 4])
def test_small_primitive_polynomial_visits_every_state(steps):
    # x^16 + x^5 + x^3 + x^2 + 1; leaps of a power of two visit them all too, in another order
    matrix = lfsr.leap_matrix(steps, taps=(0, 2, 3, 5), bits=16)
    assert cycle_length(matrix) == 2**16 - 1


@pytest.mark.parametrize(
    ("bits", "taps", "period"),
    [
        (16, (0, 8), 24),  # (x^2 + x + 1)^8
        (4, (0, 1, 2, 3), 5),  # irreducible, yet not primitive
        (8, (0, 1, 3, 4), 51),  # irreducible, yet not primitive: the AES polynomial
    ],
)
def test_polynomials_that_are_not_primitive_are_found_out(bits, taps, period):
    assert cycle_length(lfsr.leap_matrix(1, taps=taps, bits=bits)) == period


# --- leaps ---


@pytest.mark.parametrize("steps", [0, 1, 2, 3, 8, 16, 31, 32, 63, 64, 65, 200])
def test_leap_is_repeated_single_steps(steps):
    rng = np.random.default_rng(steps)
    states = rng.integers(1, MASK, 5, np.uint64, endpoint=True)
    expected = states.tolist()
    for _ in range(steps):
        expected = [step(s) for s in expected]
    got = lfsr.leap(states, lfsr.leap_matrix(steps))
    assert got.dtype == np.uint64
    assert got.tolist() == expected


@given(st.integers(0, PERIOD), states64)
def test_leap_is_polynomial_exponentiation(steps, state):
    got = lfsr.leap(np.array([[state]], np.uint64), lfsr.leap_matrix(steps))
    assert got.shape == (1, 1)
    assert int(got[0, 0]) == jump(state, steps)


@given(st.integers(0, 1 << 70), st.integers(0, 1 << 70))
def test_leaps_add_up(a, b):
    product = lfsr.leap_matrix(a) @ lfsr.leap_matrix(b) & 1
    assert np.array_equal(product, lfsr.leap_matrix(a + b))


def test_the_oracles_agree():
    state = 0x0123_4567_89AB_CDEF
    walked = state
    for n in range(300):
        assert jump(state, n) == walked
        walked = step(walked)


# --- streams ---


@pytest.mark.parametrize("seed", [0, 1, 2**40 + 7])
def test_stream_i_starts_i_spacings_on(seed):
    base = int(np.random.SeedSequence(seed).generate_state(1, np.uint64)[0])
    assert base
    numbers = [0, 1, 2, 3, 127, 1000, (1 << 20) - 1]
    for i in numbers:
        (state,) = lfsr.stream_states(seed, i, 1).tolist()
        assert state == jump(base, i << 44), f"stream {i} of seed {seed}"


def test_a_range_of_streams_is_its_single_streams():
    whole = lfsr.stream_states(5, 0, 40)
    assert whole.dtype == np.uint64
    assert np.array_equal(lfsr.stream_states(5, 13, 20), whole[13:33])
    assert [lfsr.stream_states(5, i, 1)[0] for i in range(40)] == whole.tolist()
    assert lfsr.stream_states(5, 7, 0).shape == (0,)


def test_streams_do_not_overlap():
    # Starts are 2^44 single steps apart around a cycle of 2^64 - 1: the gap before the first
    # stream, after the last, is one step shorter. Hence 2^44 - 1 bits of each are its own.
    starts = [i << lfsr.STREAM_SPACING_LOG2 for i in (0, 1, 2, lfsr.MAX_STREAMS - 1)]
    assert lfsr.MAX_STREAMS << lfsr.STREAM_SPACING_LOG2 == PERIOD + 1
    assert starts[-1] < PERIOD
    assert PERIOD - starts[-1] == (1 << 44) - 1
    # The polynomial being primitive, states at different places of the cycle differ.
    states = lfsr.stream_states(3, 0, 4096)
    assert len(set(states.tolist())) == 4096
    assert states.all()


def test_seeds_differ():
    states = [lfsr.stream_states(seed, 0, 8).tolist() for seed in range(100)]
    assert len({s for seed in states for s in seed}) == 800


@pytest.mark.parametrize(
    ("seed", "first", "count", "message"),
    [
        (-1, 0, 1, r"^seed must be at least 0, not -1$"),
        (0, -1, 1, r"^first must be in 0 to 1048575, not -1$"),
        (0, 1 << 20, 1, r"^first must be in 0 to 1048575, not 1048576$"),
        (0, (1 << 20) - 3, 4, r"^count must be in 0 to 3, not 4$"),
        (0, 0, -1, r"^count must be in 0 to 1048576, not -1$"),
    ],
)
def test_streams_out_of_range_are_refused(seed, first, count, message):
    with pytest.raises(ValueError, match=message):
        lfsr.stream_states(seed, first, count)


@pytest.mark.parametrize("bad", [1.0, "1", None, True])
@pytest.mark.parametrize("place", range(3))
def test_streams_of_other_types_are_refused(bad, place):
    arguments = [1, 1, 1]
    arguments[place] = bad
    name = ("seed", "first", "count")[place]
    with pytest.raises(TypeError, match=rf"^{name} must be an integer, not "):
        lfsr.stream_states(*arguments)


@pytest.mark.parametrize(("steps", "error"), [(-1, ValueError), (1.0, TypeError)])
def test_leaps_back_are_refused(steps, error):
    with pytest.raises(error, match=r"^steps must be "):
        lfsr.leap_matrix(steps)


# --- draws ---


@pytest.mark.parametrize("draw_bits", [8, 16, 32])
@pytest.mark.parametrize("count", [0, 1, 7, 34, 35, 36, 64, 65, 300])
def test_draws_are_consecutive_bits(draw_bits, count):
    """No bit is shared by two draws, none is left out: draw n is bits nK ... nK + K - 1."""
    states = lfsr.stream_states(count, 0, 6).reshape(3, 2)
    bank = lfsr.Streams(states, draw_bits)
    got = bank.draw(count)
    assert got.shape == (count, 3, 2)
    assert got.dtype == np.dtype(f"u{draw_bits // 8}")
    for index in np.ndindex(3, 2):
        bits = sequence(int(states[index]), count * draw_bits)
        expected = [bits >> n * draw_bits & ((1 << draw_bits) - 1) for n in range(count)]
        assert got[:, *index].tolist() == expected, f"seed {count}, generator {index}"
        assert int(bank.states[index]) == jump(int(states[index]), count * draw_bits)


@given(st.sampled_from([8, 16, 32]), st.lists(st.integers(0, 90), max_size=6), states64)
def test_draws_do_not_depend_on_how_they_are_asked_for(draw_bits, counts, state):
    states = np.array([state], np.uint64)
    bank = lfsr.Streams(states, draw_bits)
    parts = []
    for count in counts:
        parts.append(bank.draw(count).copy())
        bank = lfsr.Streams(
            bank.states, draw_bits
        )  # a new bank with the same state continues the same
    whole = lfsr.Streams(states, draw_bits)
    assert np.array_equal(np.concatenate([*parts, bank.draw(3)]), whole.draw(sum(counts) + 3))
    assert np.array_equal(bank.states, whole.states)


def test_what_was_drawn_can_be_overwritten():
    bank, twin = (lfsr.Streams(lfsr.stream_states(0, 0, 4), 16) for _ in range(2))
    bank.draw(10)[:] = 0
    twin.draw(10)
    assert np.array_equal(bank.draw(200), twin.draw(200))


@pytest.mark.parametrize("place", [0, 3])
def test_zero_state_is_refused(place):
    states = lfsr.stream_states(0, 0, 4)
    states[place] = 0
    with pytest.raises(ValueError, match=r"^states must not hold the all-zero state$"):
        lfsr.Streams(states, 16)


@pytest.mark.parametrize("draw_bits", [0, 7, 12, 24, 64])
def test_other_draw_widths_are_refused(draw_bits):
    message = rf"^draw_bits must be one of \(8, 16, 32\), not {draw_bits}$"
    with pytest.raises(ValueError, match=message):
        lfsr.Streams(lfsr.stream_states(0, 0, 1), draw_bits)


# --- statistics: seeds are fixed; each test fails ideal draws with chance ALPHA ---


@pytest.mark.parametrize("seed", [0, 1])
@pytest.mark.parametrize("draw_bits", [8, 16, 32])
@pytest.mark.parametrize("part", ["high", "low"])
def test_draws_are_uniform(seed, draw_bits, part):
    values = draws(seed, 64, 4096, draw_bits).astype(np.int64)
    octets = values >> (draw_bits - 8) if part == "high" else values & 0xFF
    counts = np.bincount(octets.ravel(), minlength=256)
    expected = values.size / 256
    assert ((counts - expected) ** 2 / expected).sum() < chi_square_limit(255)


@pytest.mark.parametrize("seed", [0, 1])
def test_successive_draws_are_jointly_uniform(seed):
    high = draws(seed, 64, 4096, 16).astype(np.int64) >> 12
    for lag in (1, 2, 9, 64):
        pairs = (high[:-lag] << 4 | high[lag:]).ravel()
        counts = np.bincount(pairs, minlength=256)
        expected = len(pairs) / 256
        assert ((counts - expected) ** 2 / expected).sum() < chi_square_limit(255), lag


@pytest.mark.parametrize("seed", [0, 1])
@pytest.mark.parametrize("lag", [0, 1, 5])
@pytest.mark.parametrize("rare", [False, True])
def test_streams_do_not_correlate(seed, lag, rare):
    """Neither the draws nor the events "draw < 2^-6" of any two lanes, nor of one over time."""
    count, lanes = 8192, 96
    values = draws(seed, lanes, count + lag, 16, first=17).astype(np.float64)
    x = (values < 1024).astype(np.float64) if rare else values
    x = (x - x.mean(axis=0)) / x.std(axis=0)
    r = x[:count].T @ x[lag:] / count
    if lag == 0:
        r = r[np.triu_indices(lanes, 1)]
    limit = NormalDist().inv_cdf(1 - ALPHA / r.size / 2) / math.sqrt(count)
    # Rare coincidences have a heavier tail than the normal law that the limit assumes.
    assert np.abs(r).max() < limit * (1.5 if rare else 1), (seed, lag)


@pytest.mark.parametrize("seed", [0, 1, 2])
def test_small_draws_come_as_often_as_they_should(seed, plausible):
    values = draws(seed, 128, 8192, 16)
    for exponent in range(1, 15):
        hits = int((values < 1 << (16 - exponent)).sum())
        assert plausible(hits, values.size, 2.0**-exponent, 14), (seed, exponent)

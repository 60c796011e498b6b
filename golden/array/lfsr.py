"""Random draws: one leap-forward LFSR per lane and switching direction, as in the hardware.

A state holds the next 64 bits s[t] ... s[t + 63] of the sequence
s[t + 64] = s[t] ^ s[t + 9] ^ s[t + 19] ^ s[t + 29]; bit 0 is the earliest. Its polynomial
x^64 + x^29 + x^19 + x^9 + 1 is primitive: the period is 2^64 - 1. A draw is the low K bits. After
it the state advances by K steps at once, so that no two draws share a bit. The taps are spread: a
run of zeros in one draw does not make another draw small. They lie below 64 - 32, so that every new
bit of a leap is one exclusive-or of four old ones.

Streams are segments of the one sequence, 2^44 steps apart: stream i of seed x starts i 2^44 steps
after the state made from x. Two of the 2^20 streams of a seed cannot overlap within 2^44 - 1 steps,
almost 2^40 draws of 16 bits.
"""

import functools

import numpy as np

from golden import checks
from golden.config import DRAW_BITS

STATE_BITS = 64
TAPS = (0, 9, 19, 29)
STREAM_SPACING_LOG2 = 44
MAX_STREAMS = 1 << 20

# Squaring the polynomial 2^m times scales the taps alone: s[t + 64 k] = s[t] ^ s[t + 9 k] ^ ...
# for k a power of two. With k = K the same recurrence holds between whole K-bit draws, so a block
# of draws is three array operations.
_BLOCK = STATE_BITS - TAPS[-1]


def leap_matrix(steps: int, *, taps: tuple[int, ...] = TAPS, bits: int = STATE_BITS) -> np.ndarray:
    """GF(2) matrix of ``steps`` single steps: new_state = matrix @ old_state (mod 2), bit 0 first.

    Parameters
    ----------
    steps : int
        Number of single steps, 0 to 2^128; the sequence repeats after 2^bits - 1.
    taps : tuple of int
        Positions whose exclusive-or is the next bit; the polynomial's exponents below ``bits``.
    bits : int
        Length of the register.

    Returns
    -------
    ndarray of shape (bits, bits), uint8
    """
    steps = checks.integer("steps", steps, 0, 1 << 128)
    square: np.ndarray = np.eye(bits, k=1, dtype=np.uint8)
    square[-1, list(taps)] = 1
    matrix: np.ndarray = np.eye(bits, dtype=np.uint8)
    while steps:
        if steps & 1:
            matrix = square @ matrix & 1
        square = square @ square & 1
        steps >>= 1
    return matrix


def leap(states: np.ndarray, matrix: np.ndarray) -> np.ndarray:
    """``states`` (uint64, any shape) after the leap ``matrix`` of shape (64, 64)."""
    columns = np.bitwise_or.reduce(
        matrix.astype(np.uint64) << np.arange(STATE_BITS, dtype=np.uint64)[:, None], axis=0
    )
    bits = states[..., None] >> np.arange(STATE_BITS, dtype=np.uint64) & np.uint64(1)
    after: np.ndarray = np.bitwise_xor.reduce(columns * bits, axis=-1)
    return after


@functools.cache
def _spacing(doublings: int) -> np.ndarray:
    """Leap matrix of 2^doublings stream spacings."""
    if not doublings:
        return leap_matrix(1 << STREAM_SPACING_LOG2)
    half = _spacing(doublings - 1)
    matrix: np.ndarray = half @ half & 1
    return matrix


def stream_states(seed: int, first: int, count: int) -> np.ndarray:
    """Initial states of streams ``first`` ... ``first + count - 1`` of ``seed``.

    The base state is numpy's ``SeedSequence(seed)``, never zero.

    Returns
    -------
    ndarray of shape (count,), uint64

    Raises
    ------
    TypeError, ValueError
        If ``seed`` is not a non-negative integer, or a stream lies beyond the 2^20th.
    """
    seed = checks.integer("seed", seed, 0)
    first = checks.integer("first", first, 0, MAX_STREAMS - 1)
    count = checks.integer("count", count, 0, MAX_STREAMS - first)
    base = np.random.SeedSequence(seed).generate_state(1, np.uint64)
    states = np.repeat(np.where(base == 0, np.uint64(1), base), count)
    numbers = np.arange(first, first + count)
    for doublings in range((first + count - 1).bit_length() if count else 0):
        odd = (numbers >> doublings & 1).astype(bool)
        states[odd] = leap(states[odd], _spacing(doublings))
    return states


@functools.cache
def _steering(draw_bits: int) -> tuple[np.ndarray, np.ndarray]:
    """Two matrices of 64 leaps.

    The first gives the states after the leaps. The second maps a wanted difference of those states
    to the bits that invert the newest bit of each leap (bit i for leap i).
    """
    one = leap_matrix(draw_bits)
    reach = np.zeros((STATE_BITS, STATE_BITS), np.uint8)
    column: np.ndarray = np.eye(STATE_BITS, dtype=np.uint8)[:, -1]
    for i in reversed(range(STATE_BITS)):
        reach[:, i] = column
        column = one @ column & 1
    return leap_matrix(draw_bits * STATE_BITS), _inverse(reach)


@functools.cache
def _observing(draw_bits: int) -> np.ndarray:
    """Matrix from the lowest bits of 64 draws (bit i from draw i) to the state before them."""
    one, seen = leap_matrix(draw_bits), np.zeros((STATE_BITS, STATE_BITS), np.uint8)
    row: np.ndarray = np.eye(STATE_BITS, dtype=np.uint8)[0]
    for i in range(STATE_BITS):
        seen[i] = row
        row = row @ one & 1
    return _inverse(seen)


def _inverse(matrix: np.ndarray) -> np.ndarray:
    """Inverse of a regular matrix over GF(2), by elimination."""
    size = len(matrix)
    both = np.concatenate([matrix, np.eye(size, dtype=np.uint8)], axis=1)
    for i in range(size):
        pivot = i + int(np.argmax(both[i:, i]))
        both[[i, pivot]] = both[[pivot, i]]
        others = both[:, i].astype(bool)
        others[i] = False
        both[others] ^= both[i]
    return both[:, size:]


def injections(start: np.ndarray, states: np.ndarray, draw_bits: int) -> np.ndarray:
    """Bits that lead generators from ``start`` to ``states`` in 64 leaps.

    A bit that is set inverts the newest bit of the state after its leap. Every state can be reached
    in this way, since the polynomial is primitive: the leap with this input is controllable.

    Parameters
    ----------
    start, states : ndarray of uint64, any shape
        States before the first and after the last leap.
    draw_bits : int
        Length K of a leap.

    Returns
    -------
    ndarray of shape (64, ...), uint8 in {0, 1}

    Raises
    ------
    ValueError
        If ``draw_bits`` is not 8, 16 or 32.
    """
    onward, solve = _steering(_draw_bits(draw_bits))
    bits = leap(states ^ leap(start, onward), solve)
    return _unpacked(bits)


def observed(bits: np.ndarray, draw_bits: int) -> np.ndarray:
    """States, uint64, from the lowest bits of 64 draws, shape (64, ...) in {0, 1}."""
    places = np.arange(STATE_BITS, dtype=np.uint64).reshape(-1, *[1] * (bits.ndim - 1))
    packed = np.bitwise_or.reduce(bits.astype(np.uint64) << places, axis=0)
    return leap(packed, _observing(_draw_bits(draw_bits)))


def _unpacked(words: np.ndarray) -> np.ndarray:
    """The 64 bits of each word along a new first axis."""
    places = np.arange(STATE_BITS, dtype=np.uint64).reshape(-1, *[1] * words.ndim)
    return (words >> places & np.uint64(1)).astype(np.uint8)


def _draw_bits(value: int) -> int:
    if value not in DRAW_BITS:
        raise ValueError(f"draw_bits must be one of {DRAW_BITS}, not {value!r}")
    return int(value)


class Streams:
    """A bank of generators that draw together.

    Parameters
    ----------
    states : ndarray of uint64, any shape, no zero
        Initial states.
    draw_bits : {8, 16, 32}
        Width K of a draw.
    allow_zero : bool
        Accept a state that is zero, as the hardware does; it stays zero.

    Raises
    ------
    ValueError
        If a state is zero and that is not allowed, or ``draw_bits`` is another number.

    References
    ----------
    Hardware twin: ``hdl.array.lfsr.Lfsr``.
    """

    def __init__(self, states: np.ndarray, draw_bits: int, *, allow_zero: bool = False):
        states = np.asarray(states, np.uint64)
        if not (allow_zero or states.all()):
            raise ValueError("states must not hold the all-zero state")
        draw_bits = _draw_bits(draw_bits)
        self._dtype = np.dtype(f"u{draw_bits // 8}")
        self._draw_bits = draw_bits
        # The next 64 draws: enough to extend by the recurrence between draws.
        ahead = np.empty((STATE_BITS, *states.shape), self._dtype)
        shift, top = np.uint64(draw_bits), np.uint64(STATE_BITS - draw_bits)
        for i in range(STATE_BITS):
            ahead[i] = states.astype(self._dtype)
            new = np.bitwise_xor.reduce([states >> np.uint64(tap) for tap in TAPS])
            states = states >> shift | new << top
        self._ahead = ahead

    @property
    def states(self) -> np.ndarray:
        """Current states, uint64, in the shape given at the start."""
        words = STATE_BITS // self._draw_bits
        shifts = np.arange(words, dtype=np.uint64) * np.uint64(self._draw_bits)
        shifts = shifts.reshape(-1, *[1] * (self._ahead.ndim - 1))
        parts = self._ahead[:words].astype(np.uint64) << shifts
        states: np.ndarray = np.bitwise_or.reduce(parts, axis=0)
        return states

    def draw(self, count: int) -> np.ndarray:
        """The next ``count`` draws of every generator, shape (count, ...), unsigned K bits."""
        count = checks.integer("count", count, 0)
        words = np.empty((STATE_BITS + count, *self._ahead.shape[1:]), self._dtype)
        words[:STATE_BITS] = self._ahead
        for start in range(0, count, _BLOCK):
            stop = min(start + _BLOCK, count)
            block = words[STATE_BITS + start : STATE_BITS + stop]
            np.copyto(block, words[start:stop])
            for tap in TAPS[1:]:
                block ^= words[start + tap : stop + tap]
        self._ahead = words[count:]
        return words[:count]

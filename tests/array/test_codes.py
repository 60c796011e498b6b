"""The trit code and the synapse's states."""

import numpy as np
import pytest

from golden.codes import (
    ILLEGAL,
    MINUS,
    PLUS,
    STATES,
    TRIT_BITS,
    ZERO,
    cell_states,
    cell_weights,
    decode_trits,
    encode_trits,
)


def test_code_is_not_zero_and_negative():
    assert encode_trits(np.array([0, 1, -1], np.int8)).tolist() == [0b00, 0b01, 0b11]
    assert (ZERO, PLUS, MINUS, ILLEGAL) == (0b00, 0b01, 0b11, 0b10)
    assert TRIT_BITS == 2


@pytest.mark.parametrize("dtype", [np.int8, np.int16, np.int32, np.int64])
def test_decode_inverts_encode(dtype):
    trits = np.array([[[-1, 0], [1, 1]], [[0, -1], [1, 0]]], dtype)
    codes = encode_trits(trits)
    assert codes.dtype == np.uint8
    assert codes.shape == trits.shape
    back = decode_trits(codes)
    assert back.dtype == np.int8
    assert np.array_equal(back, trits)


def test_decode_takes_lists_and_nothing():
    assert decode_trits([1, 3, 0]).tolist() == [1, -1, 0]
    assert decode_trits(np.empty((0, 4), np.uint8)).shape == (0, 4)


@pytest.mark.parametrize("place", [0, 1, 2])
def test_decode_refuses_the_illegal_code(place):
    codes = np.array([0, 1, 3], np.uint8)
    codes[place] = 0b10
    with pytest.raises(ValueError, match=r"^codes must not hold the illegal trit code 10$"):
        decode_trits(codes)


def test_reading_an_illegal_code_by_its_parts_gives_zero():
    plus, minus = ILLEGAL & 1, ILLEGAL & 1 & ILLEGAL >> 1
    assert plus - 2 * minus == 0


@pytest.mark.parametrize("dtype", [bool, np.uint8, np.int64])
def test_ternary_weights_and_states(dtype):
    # (m1, m2), weight, state: P is 1
    cases = [((1, 0), 1, "+1"), ((0, 1), -1, "-1"), ((1, 1), 0, "0w"), ((0, 0), 0, "0s")]
    bits = np.array([[m for m, _, _ in cases]], dtype)
    weights = cell_weights(bits)
    assert weights.dtype == np.int8
    assert weights.tolist() == [[w for _, w, _ in cases]]
    names = [STATES["ternary"][i] for i in cell_states(bits)[0]]
    assert names == [name for _, _, name in cases]


@pytest.mark.parametrize("dtype", [bool, np.uint8, np.int64])
def test_binary_weights_and_states(dtype):
    bits = np.array([[[0], [1]]], dtype)
    weights = cell_weights(bits)
    assert weights.dtype == np.int8
    assert weights.tolist() == [[-1, 1]]
    assert [STATES["binary"][i] for i in cell_states(bits)[0]] == ["-1", "+1"]
    assert cell_states(bits).dtype == np.uint8


@pytest.mark.parametrize("synapse", ["ternary", "binary"])
def test_states_are_named_by_the_bits_read_as_a_number(synapse):
    names = STATES[synapse]
    cells = {"ternary": 2, "binary": 1}[synapse]
    assert len(names) == 1 << cells
    for number, name in enumerate(names):
        bits = np.array([number >> i & 1 for i in range(cells)])
        assert cell_states(bits) == number
        assert cell_weights(bits) == int(name.rstrip("ws"))

"""Packets: one example of each space by hand, and every value there and back."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from golden.accel import packets
from golden.accel.config import AcceleratorConfig
from golden.accel.interface import Space
from golden.accel.packets import PacketOp
from golden.config import ArrayConfig

SMALL = AcceleratorConfig(
    array=ArrayConfig(rows=4, cols=4), tiles=2, activation_words=7, error_words=5, positions=6,
    threshold_words=3, program_words=64,
)  # fmt: skip
WIDE = AcceleratorConfig(array=ArrayConfig(rows=24, cols=4), tiles=8)
each_config = pytest.mark.parametrize("config", [SMALL, WIDE], ids=["4x2", "24x8"])


def ranges(space, config):
    """Shape of a word's values; the least and the most, one for all or one each."""
    rows, tiles = (config.array.rows,), config.tiles
    threshold = 1 << 27
    return {
        Space.PROGRAM: ((), 0, 2**32 - 1),
        Space.ACTIVATIONS: (rows, -1, 1),
        Space.ERRORS: (rows, -128, 127),
        Space.WINDOWS: (rows, 0, 7),
        Space.LABELS: ((), 0, 65535),
        Space.THRESHOLDS: (
            (tiles, 4),
            [-threshold, -threshold, 0, -(1 << 19)],
            [threshold - 1, threshold - 1, 1, (1 << 19) - 1],
        ),
        Space.STATES: ((), 0, 65535),
        Space.RESULTS: ((2,), [0, -32768], [65535, 32767]),
        Space.GENERATORS: ((), 1, 2**64 - 1),
    }[space]


@each_config
@pytest.mark.parametrize("space", Space, ids=lambda space: space.name)
@given(data=st.data())
def test_values_there_and_back(config, space, data):
    shape, low, high = ranges(space, config)
    count = data.draw(st.integers(1, 3))
    dtype = np.uint64 if space is Space.GENERATORS else np.int64
    low, high = np.array(low, dtype), np.array(high, dtype)
    rng = np.random.default_rng(data.draw(st.integers(0, 1 << 32)))
    values = rng.integers(low, high, (count, *shape), dtype, endpoint=True)
    ends = data.draw(st.sampled_from([None, low, high]))
    if ends is not None:
        values[0] = ends
    if space is Space.RESULTS:  # the hardware alone writes these
        words = (values[:, 0] | (values[:, 1] & 0xFFFF) << 16).astype(np.uint32)[:, None]
    else:
        words = packets.to_words(space, values, config)
    bits = packets.space_words(config)[space][1]
    assert (words.dtype, words.shape) == (np.uint32, (count, -(-bits // 32)))
    np.testing.assert_array_equal(packets.from_words(space, words, config), values)


def test_sizes_of_spaces():
    assert packets.space_words(SMALL) == {
        Space.PROGRAM: (64, 32),
        Space.ACTIVATIONS: (7, 8),
        Space.ERRORS: (5, 32),
        Space.WINDOWS: (5, 12),
        Space.LABELS: (6, 16),
        Space.THRESHOLDS: (3, 192),
        Space.STATES: (32, 16),
        Space.RESULTS: (6, 32),
        Space.GENERATORS: (2, 64),
    }


@pytest.mark.parametrize(
    ("space", "values", "words"),
    [
        (Space.PROGRAM, [0x12345678, 0xFFFFFFFF], [0x12345678, 0xFFFFFFFF]),
        # A plane of "not zero", lane 0 lowest, then one of "negative".
        (Space.ACTIVATIONS, [[1, 0, -1, 1]], [0b0100_1101]),
        (Space.ERRORS, [[1, -1, 127, -128]], [0x80_7F_FF_01]),
        # A plane of "within the window", then two of the place in the pooling window.
        (Space.WINDOWS, [[0b001, 0b111, 0b000, 0b100]], [0b1010_0010_0011]),
        (Space.LABELS, [9, 0xABCD], [9, 0xABCD]),
        (
            Space.THRESHOLDS,
            [[[5, -1, 1, -2], [-(1 << 27), 7, 0, 3]]],
            [0x80000005, 0x0FFFFFFF, 0x000FFFFE, 0x08000000, 7, 3],
        ),
        (Space.STATES, [0x1234], [0x1234]),
    ],
)
def test_write_packets_by_hand(space, values, words):
    packet = packets.write(space, 3, np.array(values), SMALL)
    head = [1 | int(space) << 8, 3 | len(values) << 16]
    assert [hex(word) for word in packet.tolist()] == [hex(word) for word in [*head, *words]]
    assert packet.dtype == np.uint32


def test_generators_by_hand():
    states = np.array([0x0123456789ABCDEF, 1 << 63], np.uint64)
    packet = packets.write(Space.GENERATORS, 0, states, SMALL)
    assert packet.tolist() == [0x0801, 2 << 16, 0x89ABCDEF, 0x01234567, 0, 1 << 31]


def test_results_by_hand():
    found = packets.results_of(np.array([0xFFFE0007, 0x7FFF0000], np.uint32))
    assert found.tolist() == [[7, -2], [0, 32767]]


def test_read_and_frame_by_hand():
    assert packets.read(Space.RESULTS, 2, 5).tolist() == [0x0702, 0x00050002]
    frame = packets.frame(1, np.array([[1, 2], [3, 4]]))
    assert (frame.tolist(), frame.dtype) == ([0x0103, 1, 2, 3, 4], np.uint32)
    assert [int(op) for op in PacketOp] == [1, 2, 3, 4]

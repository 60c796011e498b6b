"""Packets on the accelerator's streams: the one source for hardware and driver.

A packet is a sequence of 32-bit words; the last one is marked. Its first word holds the operation,
the space or tile and, in an answer, a fault (``golden.registers.Fault``).

====== ====================================== ==================================================
op     words behind the first                 answer: first word, then
====== ====================================== ==================================================
WRITE  first and count (16 bits each), then   none
       the words of the space
READ   first and count                        the words of the space
FRAME  a command frame for the tile           the tile's answering frame
RUN    (comes by itself when a program ends)  a word for each sample: class and score, 16 bits
                                              each
====== ====================================== ==================================================

A word of a space or frame takes as many 32-bit words as its bits need, the lowest first. A refused
packet is read to its end. The answer to a refused READ or FRAME, or to a program that fails, is a
first word alone, with the fault. While a program runs every packet is refused.
"""

from enum import IntEnum

import numpy as np

from golden.accel.config import OFFSET_BITS, STATES, THRESHOLD_BITS, WINDOW_BITS, AcceleratorConfig
from golden.accel.interface import Space
from golden.array import frames
from golden.array.lfsr import STATE_BITS
from golden.codes import TRIT_BITS, trit_bit_planes

HEADER = {"op": (0, 8), "space": (8, 8), "fault": (16, 8)}
RANGE = {"first": (0, 16), "count": (16, 16)}
THRESHOLD_WORD = 96  # bits for a tile: upper, with "sign inverted" in bit 31; lower; offset
TURNED = 31
_MASK, _OFFSET_MASK = (1 << THRESHOLD_BITS) - 1, (1 << OFFSET_BITS) - 1


class PacketOp(IntEnum):
    """Operations."""

    WRITE = 1
    READ = 2
    FRAME = 3
    RUN = 4


def space_words(config: AcceleratorConfig) -> dict[Space, tuple[int, int]]:
    """Words of each space, and bits of a word."""
    rows, tiles = config.array.rows, config.tiles
    return {
        Space.PROGRAM: (config.program_words, 32),
        Space.ACTIVATIONS: (config.activation_words, rows * TRIT_BITS),
        Space.ERRORS: (config.error_words, rows * config.array.error_bits),
        Space.WINDOWS: (config.error_words, rows * WINDOW_BITS),
        Space.LABELS: (config.positions, 16),
        Space.THRESHOLDS: (config.threshold_words, tiles * THRESHOLD_WORD),
        Space.STATES: (STATES, 16),
        Space.RESULTS: (config.positions, 32),
        Space.GENERATORS: (tiles, STATE_BITS),
    }


def to_words(space: Space, values: np.ndarray, config: AcceleratorConfig) -> np.ndarray:
    """The 32-bit words of a space's values, (count, words)."""
    bits = space_words(config)[space][1]
    if space is Space.ACTIVATIONS:
        return frames.to_words(trit_bit_planes(values), bits)
    if space is Space.ERRORS:
        return frames.to_words(frames.to_bits(values, 8), bits)
    if space is Space.WINDOWS:
        planes = frames.to_bits(values, WINDOW_BITS).swapaxes(1, 2)
        return frames.to_words(planes, bits)
    if space is Space.THRESHOLDS:
        upper, lower, turned, offset = (values[..., i].astype(np.int64) for i in range(4))
        words = [upper & _MASK | turned << TURNED, lower & _MASK, offset & _OFFSET_MASK]
        return np.stack(words, axis=-1).reshape(len(values), -1).astype(np.uint32)
    if space is Space.GENERATORS:
        return np.ascontiguousarray(values, "<u8").view("<u4").reshape(len(values), 2)
    if space is Space.RESULTS:
        values = values[:, 0] & 0xFFFF | (values[:, 1] & 0xFFFF) << 16
    return values.astype(np.uint32).reshape(len(values), 1)


def from_words(space: Space, words: np.ndarray, config: AcceleratorConfig) -> np.ndarray:
    """The values of a space from its words, the inverse of ``to_words``."""
    rows = config.array.rows
    if space is Space.ACTIVATIONS:
        bits = frames.from_words(words, 2, rows).astype(np.int8)
        return bits[:, 0] * (1 - 2 * bits[:, 1])
    if space is Space.ERRORS:
        bits = frames.from_words(words, rows, 8)
        return frames.from_bits(bits, signed=True).astype(np.int8)
    if space is Space.WINDOWS:
        bits = frames.from_words(words, WINDOW_BITS, rows).swapaxes(1, 2)
        return frames.from_bits(bits, signed=False).astype(np.uint8)
    if space is Space.THRESHOLDS:
        upper, lower, offset = words.reshape(len(words), config.tiles, 3).astype(np.int64).T
        parts = [
            _signed(upper, THRESHOLD_BITS),
            _signed(lower, THRESHOLD_BITS),
            upper >> TURNED & 1,
            _signed(offset, OFFSET_BITS),
        ]
        return np.stack(parts).T
    if space is Space.GENERATORS:
        return np.ascontiguousarray(words, "<u4").view("<u8")[:, 0].astype(np.uint64)
    if space is Space.RESULTS:
        return results_of(words[:, 0])
    return words[:, 0].astype(np.uint32 if space is Space.PROGRAM else np.int64)


def _signed(x: np.ndarray, bits: int) -> np.ndarray:
    """The low ``bits`` of x as a two's complement number."""
    return (x & (1 << bits) - 1 ^ 1 << bits - 1) - (1 << bits - 1)


def results_of(words: np.ndarray) -> np.ndarray:
    """Class and score of each sample, (n, 2) int64: a word's low half, and its signed high half."""
    label, score = words & 0xFFFF, (words >> 16).astype(np.uint16).view(np.int16)
    return np.stack([label.astype(np.int64), score.astype(np.int64)], axis=1)


def write(space: Space, first: int, values: np.ndarray, config: AcceleratorConfig) -> np.ndarray:
    """A WRITE packet."""
    head = frames.control(HEADER, op=PacketOp.WRITE, space=space)
    place = frames.control(RANGE, first=first, count=len(values))
    words = to_words(space, values, config).ravel()
    return np.concatenate([np.array([head, place], np.uint32), words.astype(np.uint32)])


def read(space: Space, first: int, count: int) -> np.ndarray:
    """A READ packet."""
    head = frames.control(HEADER, op=PacketOp.READ, space=space)
    return np.array([head, frames.control(RANGE, first=first, count=count)], np.uint32)


def frame(tile: int, words: np.ndarray) -> np.ndarray:
    """A FRAME packet of a frame's words (n, ...) (see ``golden.array.frames``)."""
    head = frames.control(HEADER, op=PacketOp.FRAME, space=tile)
    return np.concatenate([np.array([head], np.uint32), words.astype(np.uint32).ravel()])

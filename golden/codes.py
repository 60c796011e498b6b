"""Codes that golden model and hardware share: pulse directions, trits, the synapse's states.

A trit is two bits, bit 0 "not zero" and bit 1 "negative": 00 = 0, 01 = +1, 11 = -1. 10 is illegal.
Logic that uses only bit 0 and the AND of both bits reads it as 0.
"""

import numpy as np

AP_TO_P, P_TO_AP = 0, 1  # the direction in which a pulse drives a junction

TRIT_BITS = 2
ZERO, PLUS, ILLEGAL, MINUS = 0b00, 0b01, 0b10, 0b11

# A ternary synapse's state is m1 + 2 m2; a binary one's is m. P is 1, AP is 0.
STATES = {
    "ternary": ("0s", "+1", "-1", "0w"),
    "binary": ("-1", "+1"),
}


def encode_trits(trits: np.ndarray) -> np.ndarray:
    """Two-bit codes (uint8) of trits in {-1, 0, 1}, any shape; trits are not checked."""
    return (trits & 0b11).astype(np.uint8)


def trit_bit_planes(trits: np.ndarray) -> np.ndarray:
    """Bit planes (uint8), bit 0 then bit 1, of trits of shape (n, length): (n, 2, length)."""
    codes = encode_trits(trits)
    return np.stack([codes & 1, codes >> 1], axis=1)


def decode_trits(codes: np.ndarray) -> np.ndarray:
    """Trits (int8) of two-bit codes, any shape.

    Raises
    ------
    ValueError
        If a code is the illegal 10.
    """
    codes = np.asarray(codes)
    if (codes == ILLEGAL).any():
        raise ValueError("codes must not hold the illegal trit code 10")
    return (codes & 1).astype(np.int8) - (codes & 2).astype(np.int8)


def cell_weights(bits: np.ndarray) -> np.ndarray:
    """Weights (int8) of cell bits of shape (..., cells): m1 - m2, or 2 m - 1 for one cell."""
    cells = np.asarray(bits).astype(np.int8)
    if cells.shape[-1] == 2:
        return cells[..., 0] - cells[..., 1]
    return 2 * cells[..., 0] - 1


def cell_states(bits: np.ndarray) -> np.ndarray:
    """State numbers (uint8), indices into ``STATES``, of cell bits of shape (..., cells)."""
    cells = np.asarray(bits, np.uint8)
    return cells[..., 0] if cells.shape[-1] == 1 else cells[..., 0] + 2 * cells[..., 1]

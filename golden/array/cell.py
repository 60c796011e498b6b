"""The synapse under update pulses: which cell gets which pulse, and whether it switches.

"Up" drives m1 to P and m2 to AP, "down" the reverse: one cell is always driven to P and the other
to AP. A pulse acts only on a cell that is not yet in its target state. The draw belongs to the
direction, not to the cell: draw ``AP_TO_P`` decides the cell that is driven to P.

Exact rule. It knows w, not which of the two zeros the synapse is in.

- w = 0: one of the cells has to switch. Both get the full pulse if |kappa| >= 1, else the code's.
- w at the far bound: both cells have to switch. The one driven to P is the first.

  ======= =========== ============
  |kappa| first cell  second cell
  ======= =========== ============
  2       full pulse  full pulse
  1       full pulse  code's pulse
  0       code's      none
  ======= =========== ============

  One step from a bound therefore ends in the weak zero 0w = (P, P).
- w at the near bound: no pulse.

Blind rule: both cells always get the same pulse, full if |kappa| >= 1, else the code's.

A binary synapse has one rule, which needs no read: its only cell always gets the pulse.
"""

from typing import NamedTuple

import numpy as np

from golden import checks
from golden.codes import AP_TO_P
from golden.config import ArrayConfig


class Pulses(NamedTuple):
    """Pulses of an update for synapses of any shape (...).

    Parameters
    ----------
    up : ndarray of shape (...), bool
        Whether the weight has to rise.
    code : ndarray of shape (..., 2), integer
        Pulse code by direction, ``AP_TO_P`` and ``P_TO_AP``; 0 is no pulse.
    idle : ndarray of shape (..., 2), bool
        By direction: the cell so driven is in its target state already.
    """

    up: np.ndarray
    code: np.ndarray
    idle: np.ndarray


def check_pulses(
    config: ArrayConfig, kappa: np.ndarray, code: np.ndarray, shape: tuple[int | None, ...]
) -> tuple[np.ndarray, np.ndarray]:
    """``kappa`` and ``code`` of an update, checked, as int8 and int16 of ``shape``.

    Raises
    ------
    TypeError, ValueError
        If a shape, type, value or the sign of a code is wrong.
    """
    limit = config.max_kappa
    kappa = checks.integers("kappa", kappa, shape, -limit, limit).astype(np.int8)
    limit = config.codes - 1
    code = checks.integers("code", code, kappa.shape, -limit, limit).astype(np.int16)
    opposed = kappa * code < 0
    if opposed.any():
        index = np.unravel_index(int(np.argmax(opposed)), opposed.shape)
        where = ", ".join(str(int(i)) for i in index)
        raise ValueError(
            f"code[{where}] must not be of the other sign than kappa = {kappa[index]}, "
            f"not {code[index]}"
        )
    return kappa, code


def pulses(
    bits: np.ndarray, kappa: np.ndarray, code: np.ndarray, full: int, *, blind: bool
) -> Pulses:
    """Pulses by the rule of the synapse.

    Parameters
    ----------
    bits : ndarray of shape (..., cells), bool
        True is P. Two cells a synapse (ternary) or one (binary).
    kappa, code : ndarray of shape (...), signed integer
        Both of one sign; |kappa| <= 2, |code| <= ``full``.
    full : int
        The code of the full pulse.
    blind : bool
        The blind rule; ignored for a binary synapse.
    """
    up = (kappa > 0) | (code > 0)
    steps = np.abs(kappa)
    pulse = np.abs(code)
    first = np.where(steps >= 1, full, pulse)
    if bits.shape[-1] == 1:
        to_p = to_ap = bits[..., 0]
        first, second = np.where(up, first, 0), np.where(up, 0, first)
    else:
        to_p = np.where(up, bits[..., 0], bits[..., 1])
        to_ap = np.where(up, bits[..., 1], bits[..., 0])
        second = first
        if not blind:
            second_of_two = np.where(steps >= 2, full, np.where(steps == 1, pulse, 0))
            first = np.where(to_p & ~to_ap, 0, first)
            second = np.where(~to_p & to_ap, second_of_two, first)
    code = np.empty((*first.shape, 2), first.dtype)
    code[..., 0], code[..., 1] = first, second
    idle = np.empty(code.shape, bool)
    idle[..., 0], idle[..., 1] = to_p, ~to_ap
    return Pulses(up, code, idle)


def within_reach(
    kappa: np.ndarray, code: np.ndarray, draws: np.ndarray, thresholds: np.ndarray
) -> np.ndarray:
    """Synapses with a draw below the highest threshold up to their longest pulse, bool (...).

    No other synapse can switch, whatever its state, its variants and the rule. This saves time,
    since most pulses are short. Arguments as for ``pulses`` and ``switch``.
    """
    longest = np.where(kappa != 0, thresholds.shape[1] - 1, np.abs(code))
    highest = np.maximum.accumulate(thresholds.max(axis=(0, 2)))
    # Over two strided halves: far faster than a reduction along an axis of two.
    lowest = np.minimum(draws[..., AP_TO_P], draws[..., -1])
    exact = np.float64 if highest[-1] >> 24 else np.float32
    near: np.ndarray = lowest < highest.astype(exact)[longest]
    return near


def switch(
    pulses: Pulses,
    draws: np.ndarray,
    thresholds: np.ndarray,
    variants: np.ndarray | None = None,
) -> np.ndarray:
    """Pulses that switch their cells.

    Parameters
    ----------
    pulses : Pulses
        For synapses of shape (...).
    draws : ndarray of shape (..., cells), unsigned
        Ternary: by direction, ``AP_TO_P`` and ``P_TO_AP``. Binary: the cell's one draw.
    thresholds : ndarray of shape (variants, codes, 2), integer
        By variant, code and direction; those of code 0 are 0.
    variants : ndarray of shape (..., cells), integer, optional
        Variant of each cell; 0 by default.

    Returns
    -------
    ndarray of shape (..., 2), bool
        By direction; ``flips`` gives it by cell.

    References
    ----------
    Hardware twin: ``hdl.array.lane.Lane``.
    """
    own: int | np.ndarray = 0 if variants is None else _swapped(variants, pulses.up)
    switching: np.ndarray = ~pulses.idle & (draws < thresholds[own, pulses.code, np.arange(2)])
    return switching


def flips(hits: np.ndarray, up: np.ndarray, cells: int) -> np.ndarray:
    """Cells that leave their state, bool (..., cells), from what ``switch`` gives."""
    return _swapped(hits, up) if cells == 2 else hits[..., :1] | hits[..., 1:]


def _swapped(values: np.ndarray, up: np.ndarray) -> np.ndarray:
    """From cells to directions or back: going down, the second cell is driven to P."""
    return np.where(up[..., None], values, values[..., ::-1])

"""What the cells of an array have been through: the counters that a model of energy needs.

All run freely from the array's making (hardware: from reset) modulo 2^64.
"""

from dataclasses import dataclass

import numpy as np

from golden.array import cell
from golden.codes import AP_TO_P, P_TO_AP
from golden.config import ArrayConfig

_OUTCOMES = ("p_idle", "p_failed", "p_switched", "ap_idle", "ap_failed", "ap_switched")
# A conversion is a sum that a converter gives: a column's in FORWARD, a row's in BACKWARD. A drive
# is a non-zero input or error; a product one of those that meets a weight that is not zero (all
# others are gated off); cells in P and in AP are those that a drive reads, all of its row (column).
# Pulses go by the direction that they drive, and by outcome: idle, the cell was in the target state
# already; failed, it was not and stayed; switched. Which cells get a pulse: see
# ``golden.array.cell``.
COUNTERS = (
    *(
        f"{direction}_{what}"
        for direction in ("forward", "backward")
        for what in ("conversions", "drives", "products", "cells_p", "cells_ap")
    ),
    *(f"pulses_{outcome}" for outcome in _OUTCOMES),
    *(f"ticks_{outcome}" for outcome in _OUTCOMES),  # the length of those pulses, summed
    "columns_programmed",
    "columns_read",
    "columns_updated",
    "columns_aged",
    "cells_aged",  # flipped by AGE
)
COUNT_BITS = 64


def bits_set(array: ArrayConfig) -> float:
    """Bits set of an error's magnitude on average, other than 0 and uniform (assumed).

    m 2^(m - 1) / (2^m - 1) of m = error_bits - 1 bits: half of them, but never none.
    """
    m = array.error_bits - 1
    return m * (1 << m - 1) / ((1 << m) - 1)


def since(now: int, before: int) -> int:
    """How far a counter, or a sum of counters, has come. Whole matrices take as failed what was
    estimated less what has switched, which may be below 0; that counts as 0."""
    half = 1 << (COUNT_BITS - 1)
    return max((now - before + half) % (1 << COUNT_BITS) - half, 0)


@dataclass
class Counters:
    """What an array has done since it was made.

    ``cycles``: clock cycles of all commands, stalls apart. ``switched``: cells that changed state
    in updates.
    """

    cycles: int = 0
    switched: int = 0


def ones(plane: np.ndarray, axis: int) -> np.ndarray:
    """Number of True along an axis of a bool (n, m), int64."""
    counts: np.ndarray
    if axis == 1:
        counts = np.bitwise_count(np.packbits(plane, axis=1)).sum(axis=1, dtype=np.int64)
        return counts
    # By bytes as far as they reach: many times faster than a sum of integers.
    octets = np.ascontiguousarray(plane).view(np.uint8)
    parts = [octets[i : i + 255].sum(axis=0, dtype=np.uint8) for i in range(0, len(octets), 255)]
    counts = np.stack(parts).sum(axis=0, dtype=np.int64)
    return counts


class Activity:
    """The counters of an array.

    References
    ----------
    Hardware twin: ``hdl.array.activity.Activity``.
    """

    def __init__(self) -> None:
        self._counts = dict.fromkeys(COUNTERS, 0)

    def counts(self) -> dict[str, int]:
        """All counters by name."""
        return {name: count % (1 << COUNT_BITS) for name, count in self._counts.items()}

    def add(self, **amounts: int) -> None:
        """Count on, by name."""
        for name, amount in amounts.items():
            self._counts[name] += int(amount)

    def read(
        self, direction: str, drives: np.ndarray, lines: np.ndarray, cells: int, conversions: int
    ) -> None:
        """A forward or backward read.

        Parameters
        ----------
        direction : {"forward", "backward"}
        drives : ndarray of shape (n,), integer
            How often each line (row or column) was driven.
        lines : ndarray of shape (2, n), integer
            Weights on each line that are not zero; cells in P.
        cells : int
            Cells on each line.
        conversions : int
        """
        driven = int(drives.sum())
        products, in_p = (int(total) for total in lines @ drives)
        values = {"conversions": conversions, "drives": driven, "products": products}
        values |= {"cells_p": in_p, "cells_ap": driven * cells - in_p}
        self.add(**{f"{direction}_{what}": value for what, value in values.items()})

    def pulses(
        self, bits: np.ndarray, kappa: np.ndarray, code: np.ndarray, ticks: np.ndarray, blind: bool
    ) -> None:
        """An update's pulses, all that do not idle counted as failed; see ``switched``.

        Parameters
        ----------
        bits, kappa, code, blind
            As for ``golden.array.cell.pulses``, before the update.
        ticks : ndarray of shape (codes, 2), integer
            Pulse lengths.
        """
        # How many synapses there are of each kind; the rule is then applied once a kind.
        codes, cells = len(ticks), bits.shape[-1]
        most = 3 * codes  # above |kappa| codes + |code|
        kind = kappa.astype(np.int16) * np.int16(codes)
        kind += code
        kind += np.int16(most)
        kind <<= cells
        # Two cells at a time: far faster than by strides.
        pair = bits.view("<u2" if cells == 2 else np.uint8)[..., 0]
        kind |= (pair | pair >> 7) & 3 if cells == 2 else pair
        count = np.bincount(kind.ravel(), minlength=(2 * most) << cells)
        kinds = np.flatnonzero(count)
        count = count[kinds]
        state = (kinds[:, None] >> np.arange(cells) & 1).astype(bool)
        pulse = (kinds >> cells) - most
        steps, rest = np.divmod(np.abs(pulse), codes)
        _, code, idle = cell.pulses(
            state, np.sign(pulse) * steps, np.sign(pulse) * rest, codes - 1, blind=blind
        )
        for direction, name in ((AP_TO_P, "p"), (P_TO_AP, "ap")):
            for outcome, which in (("idle", idle), ("failed", ~idle)):
                n = count * which[:, direction]
                length = ticks[code[:, direction], direction]
                self._counts[f"pulses_{name}_{outcome}"] += int(n @ (code[:, direction] > 0))
                self._counts[f"ticks_{name}_{outcome}"] += int(n @ length)

    def switched(self, code: np.ndarray, hits: np.ndarray, ticks: np.ndarray) -> None:
        """Pulses of an update, counted as failed before, that did switch their cells.

        ``code`` and ``hits`` are those of ``golden.array.cell``, of shape (..., 2).
        """
        for direction, name in ((AP_TO_P, "p"), (P_TO_AP, "ap")):
            which = code[hits[..., direction], direction]
            values = {"pulses": len(which), "ticks": int(ticks[which, direction].sum())}
            for what, value in values.items():
                self._counts[f"{what}_{name}_failed"] -= value
                self._counts[f"{what}_{name}_switched"] += value

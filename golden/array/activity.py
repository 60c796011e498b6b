"""Activity counters of an array: what the energy model needs.

All counters start at 0 in a new array (hardware: after reset) and count modulo 2^64.
"""

from dataclasses import dataclass

import numpy as np

from golden.array import cell
from golden.codes import AP_TO_P, P_TO_AP
from golden.config import ArrayConfig

_OUTCOMES = ("p_idle", "p_failed", "p_switched", "ap_idle", "ap_failed", "ap_switched")
# Reads, FORWARD and BACKWARD each:
# - conversions: sums that converters give, of columns in FORWARD, of rows in BACKWARD;
# - drives: inputs or errors that are not zero;
# - products: drives times weights that are not zero (all others are gated off);
# - cells_p, cells_ap: cells that drives read, all of the row (column), by their state.
# Pulses, by direction and outcome (``golden.array.cell`` says which cells get one):
# - idle: the cell was in the target state already;
# - failed: it was not, and stayed;
# - switched: it was not, and is now.
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
    """Mean number of bits set in an error's magnitude, which is uniform and not 0 (assumed).

    m 2^(m - 1) / (2^m - 1) with m = error_bits - 1: about half of the bits.
    """
    m = array.error_bits - 1
    return m * (1 << m - 1) / ((1 << m) - 1)


def since(now: int, before: int) -> int:
    """Increase of a counter, or of a sum of counters, modulo 2^64.

    Whole matrices count as failed the estimated pulses less those that switched. This difference
    may be negative; it counts as 0.
    """
    half = 1 << (COUNT_BITS - 1)
    return max((now - before + half) % (1 << COUNT_BITS) - half, 0)


@dataclass
class Counters:
    """Work of an array since it was made.

    Parameters
    ----------
    cycles : int
        Clock cycles of all commands, without stalls.
    switched : int
        Cells that changed state in updates.
    """

    cycles: int = 0
    switched: int = 0


def ones(plane: np.ndarray, axis: int) -> np.ndarray:
    """Number of True along an axis of a bool (n, m), int64."""
    counts: np.ndarray
    if axis == 1:
        counts = np.bitwise_count(np.packbits(plane, axis=1)).sum(axis=1, dtype=np.int64)
        return counts
    # Sums of up to 255 rows fit in a byte: many times faster than a sum of integers.
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
        """Add to counters by name."""
        for name, amount in amounts.items():
            self._counts[name] += int(amount)

    def read(
        self, direction: str, drives: np.ndarray, lines: np.ndarray, cells: int, conversions: int
    ) -> None:
        """Count a forward or backward read.

        Parameters
        ----------
        direction : {"forward", "backward"}
        drives : ndarray of shape (n,), integer
            How often each line (row or column) was driven.
        lines : ndarray of shape (2, n), integer
            Row 0: weights on each line that are not zero. Row 1: its cells in P.
        cells : int
            Cells on each line.
        conversions : int
            Sums that converters gave.
        """
        driven = int(drives.sum())
        products, in_p = (int(total) for total in lines @ drives)
        values = {"conversions": conversions, "drives": driven, "products": products}
        values |= {"cells_p": in_p, "cells_ap": driven * cells - in_p}
        self.add(**{f"{direction}_{what}": value for what, value in values.items()})

    def pulses(
        self, bits: np.ndarray, kappa: np.ndarray, code: np.ndarray, ticks: np.ndarray, blind: bool
    ) -> None:
        """Count an update's pulses: those that are not idle count as failed until ``switched``.

        Parameters
        ----------
        bits, kappa, code, blind
            As for ``golden.array.cell.pulses``, before the update.
        ticks : ndarray of shape (codes, 2), integer
            Pulse lengths by direction, in ticks.
        """
        # Synapses are counted by kind; the rule is then applied once a kind.
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
        """Move pulses that switched their cells from the failed to the switched ones.

        Parameters
        ----------
        code, hits : ndarray of shape (..., 2)
            Pulse codes and what ``golden.array.cell.switch`` gives, by direction.
        ticks : ndarray of shape (codes, 2), integer
            Pulse lengths by direction, in ticks.
        """
        for direction, name in ((AP_TO_P, "p"), (P_TO_AP, "ap")):
            which = code[hits[..., direction], direction]
            values = {"pulses": len(which), "ticks": int(ticks[which, direction].sum())}
            for what, value in values.items():
                self._counts[f"{what}_{name}_failed"] -= value
                self._counts[f"{what}_{name}_switched"] += value

"""The synapse under update pulses: which cell gets which pulse, and whether it switches.

"Up" drives m1 to P and m2 to AP, "down" the reverse, so one cell is always driven to P and the
other to AP; a pulse acts only on a cell that is not yet in its target state. The draw belongs to
the direction, not to the cell: draw ``AP_TO_P`` decides the cell that is driven to P.

Exact rule (knows w, not which zero it is): with one cell to switch, it gets the full pulse if
|kappa| >= 1, else the code's. With both to switch (w at the far bound), the one driven to P is
first: |kappa| = 2, both full; 1, first full, second the code's; 0, first the code's, second none,
so that one step from a bound ends in the weak zero 0w = (P, P). Blind rule: both cells always get
the same pulse, full if |kappa| >= 1, else the code's.
"""

import numpy as np

from golden.ptable import AP_TO_P, P_TO_AP, ProbabilityTable


def within_reach(
    kappa: np.ndarray, code: np.ndarray, draws: np.ndarray, table: ProbabilityTable
) -> np.ndarray:
    """Which synapses have a draw below the highest threshold up to their longest pulse, bool (...).

    No other can switch, whatever its state and the rule: a short cut, since pulses are mostly
    short. Arguments as for ``switch``.
    """
    full = len(table.thresholds) - 1
    longest = np.where(kappa != 0, full, np.abs(code))
    highest = np.maximum.accumulate(table.thresholds.max(axis=1))
    # Over two strided halves: far faster than a reduction along an axis of two.
    lowest = np.minimum(draws[..., AP_TO_P], draws[..., -1])
    return lowest < highest.astype(np.float64 if highest[-1] >> 24 else np.float32)[longest]


def switch(
    bits: np.ndarray,
    kappa: np.ndarray,
    code: np.ndarray,
    draws: np.ndarray,
    table: ProbabilityTable,
    *,
    blind: bool,
) -> np.ndarray:
    """Which cells switch.

    Parameters
    ----------
    bits : ndarray of shape (..., cells), bool
        True is P. Two cells a synapse (ternary) or one (binary).
    kappa, code : ndarray of shape (...), signed integer
        Of one sign; |kappa| <= 2, |code| a row of ``table``.
    draws : ndarray of shape (..., cells), unsigned
        Ternary: by direction, ``AP_TO_P`` and ``P_TO_AP``. Binary: the cell's one draw.
    blind : bool
        The blind rule; a binary synapse has but one.

    Returns
    -------
    ndarray of shape (..., cells), bool
        True where the cell leaves its state.

    References
    ----------
    Hardware twin: ``hdl.lane.Lane``.
    """
    up = (kappa > 0) | (code > 0)
    steps = np.abs(kappa)
    pulse = np.abs(code)
    full = len(table.thresholds) - 1
    first = np.where(steps >= 1, full, pulse)
    if bits.shape[-1] == 1:
        cell = bits[..., 0]
        threshold = table.thresholds[first, np.where(up, AP_TO_P, P_TO_AP)]
        return ((cell != up) & (draws[..., 0] < threshold))[..., None]

    to_p = np.where(up, bits[..., 0], bits[..., 1])
    to_ap = np.where(up, bits[..., 1], bits[..., 0])
    # With a single cell to switch its pulse is ``first`` whichever it is.
    second = first
    if not blind:
        second_of_two = np.where(steps >= 2, full, np.where(steps == 1, pulse, 0))
        second = np.where(to_p, first, second_of_two)
    flip_to_p = ~to_p & (draws[..., AP_TO_P] < table.thresholds[first, AP_TO_P])
    flip_to_ap = to_ap & (draws[..., P_TO_AP] < table.thresholds[second, P_TO_AP])
    return np.stack(
        [np.where(up, flip_to_p, flip_to_ap), np.where(up, flip_to_ap, flip_to_p)], axis=-1
    )

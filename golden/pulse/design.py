"""Design of probability tables: from a wanted probability to the length of a pulse.

GXNOR needs a step with probability tau(nu) = tanh(m nu). The switching probability of a junction is
a steep sigmoid of the pulse length. There are three coders:

- linear: the pulse length is nu times the full one. The junction's sigmoid, with its dead zone,
  replaces tanh.
- inverse: for each direction the length at which the junction switches with tau(nu), in whole steps
  of the pulse generator.
- gated: the full pulse, applied to a random share g of the rows, P = g P_full. It does not need the
  steep part of the sigmoid, but the mean pulse is long.

There are two codes an octave in nu. The highest code is the full pulse.
``golden.pulse.coder.encode`` rounds between neighbours at random, so that the probability (linear:
the length) is exact on average.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from golden import checks
from golden.codes import AP_TO_P, P_TO_AP
from golden.config import ArrayConfig
from golden.pulse.table import GXNOR_M, LEAST_M, MOST_M, TICK_BITS, ProbabilityTable, code_values

CODERS = ("inverse", "linear", "gated")
IDEAL = "ideal"  # the device that switches with probability tanh(m nu)
Probability = Callable[[int, np.ndarray], np.ndarray]


@dataclass(frozen=True, kw_only=True)
class CoderConfig:
    """Settings of a pulse coder.

    Parameters
    ----------
    coder : {"inverse", "linear", "gated"}
        See ``golden.pulse.design``.
    steepness : float
        m of tau(nu) = tanh(m nu).
    step_s : float
        Resolution of the pulse generator, seconds.

    Raises
    ------
    TypeError, ValueError
        If a parameter is not of its type or outside its range.
    """

    coder: str = "inverse"
    steepness: float = GXNOR_M
    step_s: float = 1e-11

    def __post_init__(self) -> None:
        checks.choice("coder", self.coder, CODERS)
        steepness = checks.real("steepness", self.steepness, LEAST_M, MOST_M)
        checks.keep(self, steepness=steepness, step_s=checks.real("step_s", self.step_s, 1e-15, 1))


def design_table(
    designed: Probability,
    full_s: float,
    array: ArrayConfig,
    coder: CoderConfig,
    *,
    actual: Probability | None = None,
    variants: Probability | None = None,
) -> ProbabilityTable:
    """Design the table of a junction for a coder.

    Parameters
    ----------
    designed : callable
        ``designed(direction, pulse_s)`` is the switching probability that the coder assumes; it
        rises with the length. Shapes (n,) to (n,).
    full_s : float
        Length of the full pulse, seconds, rounded to whole steps.
    array : ArrayConfig
    coder : CoderConfig
    actual : callable, optional
        The actual probability of cells, ``designed`` by default.
    variants : callable, optional
        The actual probability of each group of cells, (n,) to (groups, n).

    Returns
    -------
    ProbabilityTable

    Raises
    ------
    TypeError, ValueError
        If ``full_s`` is no length, is shorter than ``coder.step_s`` or longer than 2^16 - 1 of
        them, or a pulse of this length never switches.
    """
    full_s = checks.real("full_s", full_s, 0)
    actual = actual or designed
    full_ticks = round(full_s / coder.step_s)
    if not 1 <= full_ticks < 1 << TICK_BITS:
        raise ValueError(
            f"step_s must be between {full_s / ((1 << TICK_BITS) - 1):.3g} and t_write_s = "
            f"{full_s:g}, not {coder.step_s:g}"
        )
    nu = code_values(array.codes)
    wanted = np.tanh(coder.steepness * nu)
    tick_s, ticks = coder.step_s, np.zeros((array.codes, 2), np.int64)
    ticks[-1] = full_ticks
    gate = np.ones((array.codes, 2))
    for direction in (AP_TO_P, P_TO_AP):
        full = float(designed(direction, np.array([full_s]))[0])
        if not full > 0:
            raise ValueError(f"the full pulse of {full_s:g} s must switch, but does not")
        if coder.coder == "linear":
            ticks[1:-1, direction] = np.rint(nu * full_ticks)
        elif coder.coder == "inverse":
            lengths = np.arange(full_ticks + 1) * tick_s
            curve = np.maximum.accumulate(designed(direction, lengths))
            # The nearer of the two whole steps around the wanted probability.
            above = np.minimum(np.searchsorted(curve, wanted), full_ticks)
            below = np.maximum(above - 1, 0)
            nearer = wanted - curve[below] < curve[above] - wanted
            ticks[1:-1, direction] = np.where(nearer, below, above)
        else:
            gate[1:-1, direction] = np.minimum(wanted / full, 1.0)
    lengths = ticks * tick_s
    if coder.coder == "gated":
        lengths = np.full((array.codes, 2), full_s)
        lengths[0] = 0
        # The mean over the rows is shorter; energy depends on this mean length.
        tick_s = full_s / ((1 << TICK_BITS) - 1)
        ticks = np.rint(gate * lengths / tick_s).astype(np.int64)

    def thresholds(probability: Probability) -> np.ndarray:
        """Thresholds by code and direction, (..., codes, 2)."""
        by_direction = [probability(k, lengths[:, k]) * gate[:, k] for k in (AP_TO_P, P_TO_AP)]
        p = np.stack(by_direction, axis=-1)
        p[..., 0, :] = 0.0
        rising = np.maximum.accumulate(p, axis=-2)
        thresholds: np.ndarray = np.rint((1 << array.draw_bits) * rising).astype(np.int64)
        return thresholds

    return ProbabilityTable(
        thresholds(actual),
        ticks,
        tick_s,
        array.draw_bits,
        by_length=coder.coder == "linear",
        variants=None if variants is None else thresholds(variants),
    )


def response(table: ProbabilityTable, nu: np.ndarray, m: float = GXNOR_M) -> np.ndarray:
    """Mean switching probability by direction, with the coder's rounding.

    Parameters
    ----------
    table : ProbabilityTable
    nu : ndarray of shape (n,), float in [0, 1)
        Changes in units of dz.
    m : float
        Steepness.

    Returns
    -------
    ndarray of shape (n, 2), float

    Raises
    ------
    TypeError, ValueError
        If a change is not a number in [0, 1).
    """
    nu = checks.finite("nu", nu, 1).astype(np.float64)
    if ((nu < 0) | (nu >= 1)).any():
        raise ValueError(f"nu must be in [0, 1), not {nu[(nu < 0) | (nu >= 1)][0]:g}")
    low, share = table.between(nu, checks.real("m", m, LEAST_M, MOST_M))
    share = np.clip(share, 0.0, 1.0)  # no pulse is longer than the full one
    p = table.thresholds / table.scale
    mean: np.ndarray = (1 - share[:, None]) * p[low] + share[:, None] * p[low + 1]
    return mean


def largest_error(table: ProbabilityTable, m: float = GXNOR_M) -> np.ndarray:
    """Largest |mean probability - tanh(m nu)| over nu by direction, shape (2,)."""
    nu = np.union1d(np.geomspace(2.0**-16, 1, 4001)[:-1], np.linspace(0, 1, 4001)[:-1])
    largest: np.ndarray = np.abs(response(table, nu, m) - np.tanh(m * nu)[:, None]).max(axis=0)
    return largest

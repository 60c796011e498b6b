"""Corrections of the switching formula, fitted to simulation at several levels of overdrive.

At a level of overdrive i = I / Ic0 the true exponent ln(-ln P) is a rising broken line g of the
exponent of ``golden.device.switching``. Between two levels the formula is evaluated at both, each
result is corrected by the line of its level, and the corrected exponents are interpolated in i. The
formula's dependence on i, with its two kinks, therefore has an effect only beyond the ends.
Stability, critical angle and precession time of a cell enter through the formula.
"""

from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from golden.device import macrospin, switching
from golden.device.junction import Device
from golden.device.switching import Drive

EVENTS = 10  # least count of trials for a share
_KNOTS = 8  # most knots at other levels than the write voltage
_TIE = 3.0  # weight that ties these knots: chance moves none by more than 1 / 3
_LENGTHS = 12  # lengths simulated at these levels
_AT_ONCE = 1 << 16  # states that settle side by side
_DENSE = 2.0  # |i - 1| up to which levels are dense, in growth times over t_write
_STEP = 0.3  # between levels: in (i - 1) / dense range near i = 1, in ln(i - 1) away from it
_LOWEST = 0.2  # overdrive of the lowest level except 0
_TOP = 2.0  # highest level, in write voltages
_ANGLES = 801  # voltages with a stored critical angle
_ALMOST = 0.99  # P at the end of the rise


@dataclass(frozen=True, eq=False)
class Levels:
    """The corrections of one direction.

    Parameters
    ----------
    overdrive : ndarray of shape (levels,)
        Overdrive of each level, rising.
    knots : tuple of ndarray of shape (knots, 2)
        For each level the formula's exponent and the true one, both rising. Lines are extrapolated
        beyond their ends.
    angle : ndarray of shape (2, points)
        Overdrive, rising, and critical angle of the device's nominal cells.
    """

    overdrive: np.ndarray
    knots: tuple[np.ndarray, ...]
    angle: np.ndarray

    def exponent(self, drive: Drive, pulse_s: float | np.ndarray) -> np.ndarray:
        """Corrected ln(-ln P); infinite for length 0."""
        i, last = drive.overdrive, len(self.knots) - 1
        total = np.zeros(np.broadcast_shapes(np.shape(i), np.shape(pulse_s)))
        # A cell's angle differs from the nominal one at the same overdrive by a factor.
        factor = drive.critical_angle / np.interp(i, *self.angle)
        for k, (level, knots) in enumerate(zip(self.overdrive, self.knots, strict=True)):
            weight = np.interp(i, self.overdrive, np.arange(last + 1) == k)
            if not weight.any():
                continue
            at = np.asarray(level)
            at = np.minimum(i, at) if k == 0 else at
            at = np.maximum(i, at) if k == last else at
            angle = factor * np.interp(at, *self.angle)
            here = replace(drive, overdrive=at, critical_angle=angle)
            y = switching.exponent(here, pulse_s)
            with np.errstate(invalid="ignore"):
                total = total + weight * corrected(knots, y)
        return np.where(np.asarray(pulse_s) > 0, total, np.inf)

    def as_list(self) -> list[dict[str, Any]]:
        """The levels in values for JSON."""
        return [
            {"overdrive": float(level), "knots": knots.tolist()}
            for level, knots in zip(self.overdrive, self.knots, strict=True)
        ]


def of(
    device: Device, direction: int, overdrive: np.ndarray, knots: tuple[np.ndarray, ...]
) -> Levels:
    """Levels of a device, with the critical angles of its cells."""
    volts = np.linspace(0, _TOP * device.v_write_v, _ANGLES)
    volts = np.union1d(volts, device.v_write_v)  # so that this one is exact
    drive = switching.drive(device, direction, volts)
    return Levels(overdrive, knots, np.stack([drive.overdrive, drive.critical_angle]))


def from_list(device: Device, direction: int, levels: list[dict[str, Any]]) -> Levels:
    """Levels of a device from ``Levels.as_list``."""
    overdrive = np.array([float(level["overdrive"]) for level in levels])
    knots = tuple(np.array(level["knots"], np.float64) for level in levels)
    return of(device, direction, overdrive, knots)


def uncorrected() -> Levels:
    """Levels without corrections: the formula itself."""
    return Levels(np.ones(1), (np.array([[0.0, 0.0], [1.0, 1.0]]),), np.ones((2, 1)))


def corrected(knots: np.ndarray, exponent: np.ndarray) -> np.ndarray:
    """The broken line through ``knots``, extrapolated beyond its ends."""
    x, y = knots.T
    with np.errstate(invalid="ignore"):
        low = np.minimum(exponent - x[0], 0) * ((y[1] - y[0]) / (x[1] - x[0]))
        high = np.maximum(exponent - x[-1], 0) * ((y[-1] - y[-2]) / (x[-1] - x[-2]))
    mean: np.ndarray = np.interp(exponent, x, y) + low + high
    return mean


def rising_line(
    x: np.ndarray, p: np.ndarray, trials: int, count: int, tie: float = 0.0
) -> np.ndarray:
    """Knots (count, 2) of the broken line from ``x`` to ln(-ln P), made to rise.

    Least squares, each share ``p`` of ``trials`` weighted with the inverse of its variance. For few
    points, the weight ``tie`` ties each knot to the straight line between the ends.
    """
    x, order = np.unique(x, return_index=True)
    y, weight = exponent_of(p)[order], weights(p, trials)[order]
    rising = np.maximum.accumulate(y) + np.arange(len(y)) * 1e-9
    at = np.interp(np.linspace(rising[0], rising[-1], count), rising, x)
    # Hat functions: the line's value at each x is a weighted mean of its values at the knots.
    hats = np.stack([np.interp(x, at, unit) for unit in np.eye(count)], axis=1)
    # A knot without points stays on the line from end to end.
    way = np.linspace(rising[0], rising[-1], count)
    missing = (y - hats @ way) * weight
    rows = hats * weight[:, None]
    if tie:
        rows = np.vstack([rows, tie * np.eye(count)])
        missing = np.append(missing, np.zeros(count))
    values = way + np.linalg.lstsq(rows, missing, rcond=None)[0]
    values = np.maximum.accumulate(values) + np.arange(count) * 1e-9
    return np.stack([at, values], axis=1)


def exponent_of(p: np.ndarray | float) -> np.ndarray:
    """ln(-ln P)."""
    return np.log(-np.log(p))


def weights(p: np.ndarray, trials: int) -> np.ndarray:
    """One over the standard deviation of ln(-ln) of shares ``p`` of ``trials``, to first order."""
    weights: np.ndarray = np.sqrt(trials * p / (1 - p)) * -np.log(p)
    return weights


def ladder(device: Device, direction: int) -> tuple[np.ndarray, np.ndarray]:
    """Voltages and overdrives of the levels, both rising; the write voltage is one of them.

    They are densest around the critical current, where P rises within the full pulse.
    """
    volts = np.linspace(0, _TOP * device.v_write_v, 4001)
    overdrive = switching.drive(device, direction, volts).overdrive
    write = float(switching.drive(device, direction).overdrive)
    # Even steps near the critical current, steps of equal ratio of i - 1 away from it.
    scale = min(_DENSE * device.growth_time_s / device.t_write_s, 1.0)
    first, last = np.arcsinh((np.array([_LOWEST, overdrive[-1]]) - 1) / scale)
    middle = np.arcsinh((write - 1) / scale)
    steps = np.arange(np.ceil((first - middle) / _STEP), np.floor((last - middle) / _STEP) + 1)
    wanted = 1 + scale * np.sinh(middle + _STEP * steps[steps != 0])
    at = np.interp(np.append(0.0, wanted), overdrive, volts)
    at = np.sort(np.append(at, device.v_write_v))
    return at, switching.drive(device, direction, at).overdrive


def simulated(
    device: Device, direction: int, knots: np.ndarray, *, trials: int, seed: int
) -> Levels:
    """The levels of a device's direction; ``knots`` are those at the write voltage.

    They are simulated from the write voltage downwards until a full pulse hardly switches, then
    upwards.
    """
    volts, overdrive = ladder(device, direction)
    write = int(np.searchsorted(volts, device.v_write_v))
    found = {write: knots}
    grid = np.linspace(0, device.t_write_s, 2001)[1:]
    y = corrected(knots, switching.exponent(switching.drive(device, direction), grid))
    rise = _rise(grid, switching.probability_of(y))
    longest = rise
    for k in range(write - 1, -1, -1):
        # The rise takes time in proportion to 1 / (i - 1), or less.
        ratio = (overdrive[k + 1] - 1) / max(overdrive[k] - 1, 1e-9)
        longest = min(1.2 * longest * np.clip(ratio, 1, 2), device.t_write_s)
        found[k], p, longest = _level(device, direction, volts[k], longest, trials, seed)
        if p[-1] * trials < EVENTS:
            # Lower voltages do not either; at 0 V the formula is the thermal rate.
            drive = switching.drive(device, direction, 0.0)
            found[0] = _quiet(switching.exponent(drive, device.t_write_s), p[-1], trials)
            break
    longest = rise
    for k in range(write + 1, len(volts)):
        ratio = (overdrive[k - 1] - 1) / max(overdrive[k] - 1, 1e-9)
        longest = min(1.2 * longest * np.clip(ratio, 0.5, 1), device.t_write_s)
        found[k], p, longest = _level(device, direction, volts[k], longest, trials, seed)
    order = sorted(found)
    return of(device, direction, overdrive[order], tuple(found[k] for k in order))


def _level(
    device: Device, direction: int, voltage_v: float, longest_s: float, trials: int, seed: int
) -> tuple[np.ndarray, np.ndarray, float]:
    """Knots of a level, the simulated P for them, and the length at the end of the rise."""
    steps = np.rint(np.linspace(0, longest_s, _LENGTHS + 1)[1:] / macrospin.DT_S)
    pulse_s = np.unique(np.maximum(steps, 1)) * macrospin.DT_S
    p = macrospin.probability(
        device, direction, pulse_s, voltage_v=float(voltage_v), trials=trials, seed=seed,
        at_once=_AT_ONCE,
    )  # fmt: skip
    x = switching.exponent(switching.drive(device, direction, voltage_v), pulse_s)
    seen = (p * trials >= EVENTS) & ((1 - p) * trials >= EVENTS)
    count = int(np.count_nonzero(seen))
    if count >= 4:
        knots = rising_line(x[seen], p[seen], trials, min(_KNOTS, count), _TIE)
    elif count:
        knots = _shift(float(np.mean(exponent_of(p[seen]) - x[seen])))
    else:
        knots = _quiet(x[-1], p[-1], trials)
    return knots, p, _rise(pulse_s, p)


def _rise(pulse_s: np.ndarray, p: np.ndarray) -> float:
    """The length at which P has risen, or the longest."""
    return float(pulse_s[min(int(np.searchsorted(p, _ALMOST)), len(p) - 1)])


def _quiet(exponent: np.ndarray, p: float, trials: int) -> np.ndarray:
    """Knots for too few switched trials to fit a line: the formula, limited to the simulated P."""
    seen = exponent_of((p * trials + 0.5) / (trials + 1))
    return _shift(max(float(seen - exponent), 0.0))


def _shift(by: float) -> np.ndarray:
    return np.array([[0.0, by], [1.0, 1.0 + by]])

"""Probability that a current pulse switches a junction, in closed form.

A free layer at temperature T starts near its easy axis. The amplitude A of its precession has the
distribution exp(-A^2 / (2 s^2)) with s^2 = 1 / (2 Delta) (equipartition over both quadratures).
Under a current I = i Ic0 the linearised motion with thermal noise keeps this form and widens it:

    s^2(t) = 1 / (2 Delta) (i exp(2 (i - 1) t / tau) - 1) / (i - 1),

with tau the decay time of the precession. *Precessional*, well above Ic0: the cell switches if the
amplitude passes a critical angle A_c,

    P = exp(-A_c^2 / (2 s^2(t))).

For a perpendicular layer with A_c = pi / 2 this is equation 17 of Butler et al., IEEE Trans. Magn.
48, 4684, 2012. Here A_c comes from the noiseless motion up to the equator, with the current for the
changing resistance.

*Thermal*, well below Ic0: noise lifts the layer over a barrier, P = 1 - exp(-t' / tau_t),

- perpendicular: tau_t^-1 = tau^-1 sqrt(Delta / pi) (1 - i^2) (1 - i) exp(-Delta (1 - i)^2), Brown,
  Phys. Rev. 130, 1677, 1963, with a current instead of a field (Butler, equation 24);
- in-plane: tau_t^-1 = tau0^-1 exp(-Delta (1 - i)), Koch et al., Phys. Rev. Lett. 92, 088302, 2004;

with t' = t exp(-(3 tau / t)^2): the flux over the barrier builds up in some decay times (ours).

Hand-over (ours): between i = 0.8 and 1.4, ln(-ln P) is interpolated linearly in i between the
thermal value at 0.8 and the precessional one at 1.4, for each length. P has no step.
``spintrit device check`` measures the error against ``golden.device.macrospin``, which is exact
under the same assumptions. In the hand-over the error of P is up to 0.4; it is largest if the
resistance changes much while the layer turns. From 2 Ic0 on it is up to 0.03 for a perpendicular
layer and 0.15 in-plane.
"""

from dataclasses import dataclass

import numpy as np

from golden import checks
from golden.codes import AP_TO_P, P_TO_AP
from golden.device.junction import Device

_ANGLES = 257  # points of the trapezoidal rule in ln(angle), from _START to the equator
_START = 1e-3
THERMAL, PRECESSIONAL = 0.8, 1.4  # I / Ic0 at the ends of the hand-over
_SLOWEST = 0.75  # ratio of the growth rates near the equator and at the start, in-plane layer
_DELAY = 3.0  # delay of thermal switching, in decay times of the precession


@dataclass(frozen=True, eq=False)
class Drive:
    """The drive of a cell by a voltage in one direction.

    Parameters
    ----------
    device : Device
    overdrive : ndarray
        i = I / Ic0 at the start of the pulse; like the others a number or one entry a cell.
    stability : ndarray
        Delta.
    critical_angle : ndarray
        A_c, radians.
    """

    device: Device
    overdrive: np.ndarray
    stability: np.ndarray
    critical_angle: np.ndarray


def drive(
    device: Device,
    direction: int,
    voltage_v: float | np.ndarray | None = None,
    *,
    resistance: float | np.ndarray = 1.0,
    critical_current: float | np.ndarray = 1.0,
    stability: float | np.ndarray = 1.0,
) -> Drive:
    """The drive of a pulse.

    Parameters
    ----------
    device : Device
    direction : {AP_TO_P, P_TO_AP}
    voltage_v : float or ndarray
        Amplitude, ``device.v_write_v`` by default.
    resistance, critical_current, stability : float or ndarray
        Factors of a cell on R_on and R_off, on Ic0, and on Delta; they broadcast with
        ``voltage_v``.

    Raises
    ------
    TypeError, ValueError
        If ``direction`` is invalid, an amplitude is not finite or a factor is not positive.
    """
    checks.integer("direction", direction, AP_TO_P, P_TO_AP)
    volts = _finite("voltage_v", device.v_write_v if voltage_v is None else voltage_v)
    resistance = _positive("resistance", resistance)
    critical_current = _positive("critical_current", critical_current)
    stability = _positive("stability", stability)
    volts, resistance, critical_current, stability = np.broadcast_arrays(
        volts, resistance, critical_current, stability
    )
    angles = np.geomspace(_START, np.pi / 2, _ANGLES)
    on, off = device.resistances_ohm(volts)
    away = -1.0 if direction == AP_TO_P else 1.0  # cosine of the angle to P at the start
    mean, swing = (1 / on + 1 / off) / 2, (1 / on - 1 / off) / 2
    conductance = mean[..., None] + away * swing[..., None] * np.cos(np.append(0.0, angles))
    load = device.r_access_ohm + resistance[..., None] / conductance
    i = volts[..., None] / (load * critical_current[..., None] * device.critical_current_a)
    start, along = i[..., 0], i[..., 1:]
    delta = device.stability * stability
    # A_c is needed from PRECESSIONAL on. If the noiseless motion stops before the equator, noise
    # continues it: the growth rate has a lower limit.
    along = along * np.maximum(1.0, PRECESSIONAL / np.maximum(start, 1e-3))[..., None]
    first = along[..., 0]
    if device.geometry == "perpendicular":
        along = np.maximum(along, (1 + 1 / np.sqrt(delta))[..., None])
        speed = (along - np.cos(angles)) * np.sin(angles)
    else:
        speed = np.maximum(along - 1, _SLOWEST * (first[..., None] - 1)) * angles
    time = np.trapezoid(angles / speed, np.log(angles), axis=-1)
    critical = _START * np.exp((first - 1) * time)
    return Drive(device, start, delta, critical)


def probability(drive: Drive, pulse_s: float | np.ndarray) -> np.ndarray:
    """Switching probability of pulses; 0 for length 0.

    ``pulse_s``, seconds, broadcasts with the drive's arrays. Raises TypeError or ValueError if a
    length is negative or not finite.
    """
    return probability_of(exponent(drive, pulse_s))


def probability_of(exponent: np.ndarray) -> np.ndarray:
    """P = exp(-exp(y))."""
    with np.errstate(over="ignore"):
        staying: np.ndarray = np.exp(-np.exp(exponent))
        return staying


def exponent(drive: Drive, pulse_s: float | np.ndarray) -> np.ndarray:
    """y = ln(-ln P), which is almost linear in the pulse length; infinite for length 0."""
    device, i, delta = drive.device, drive.overdrive, drive.stability
    pulse_s = _finite("pulse_s", pulse_s)
    if pulse_s.size and pulse_s.min() < 0:
        raise ValueError(f"pulse_s must not be negative, not {pulse_s.min():g}")
    decays = np.maximum(pulse_s, 1e-30) / device.growth_time_s
    thermal = _thermal(device, np.minimum(i, THERMAL), delta, decays)
    spread = _spread(np.maximum(i, PRECESSIONAL), delta, drive.critical_angle, decays)
    share = precessional_share(i)
    return np.where(pulse_s > 0, (1 - share) * thermal + share * spread, np.inf)


def precessional_share(overdrive: np.ndarray) -> np.ndarray:
    """Share of the precessional formula by I / Ic0: 0 below the hand-over, 1 above."""
    return np.clip((overdrive - THERMAL) / (PRECESSIONAL - THERMAL), 0.0, 1.0)


def _spread(i: np.ndarray, delta: np.ndarray, angle: np.ndarray, decays: np.ndarray) -> np.ndarray:
    """ln(-ln P_spread) for i > 1: ln(A_c^2 / (2 s^2)), without overflow for long pulses."""
    gain = 2 * (i - 1) * decays
    exponent: np.ndarray = np.log(angle**2 * delta * (i - 1)) - gain - np.log(i - np.exp(-gain))
    return exponent


def _thermal(device: Device, i: np.ndarray, delta: np.ndarray, decays: np.ndarray) -> np.ndarray:
    """ln(-ln P_thermal) for i < 1."""
    if device.geometry == "perpendicular":
        above = np.maximum(1 + i, 0)  # a current that holds the cell counts down to -Ic0
        rate = np.sqrt(delta / np.pi) * above * (1 - i) ** 2 * np.exp(-delta * (1 - i) ** 2)
    else:
        rate = np.exp(-delta * (1 - i)) * device.growth_time_s / device.tau0_s
    # The flux over the barrier needs some decay times to build up.
    passed = rate * decays * np.exp(-((_DELAY / decays) ** 2))
    with np.errstate(divide="ignore"):
        # ln(-ln(1 - exp(-x))), with its limits ln(-ln x) for small and -x for large x.
        y = np.log(-np.log(-np.expm1(-np.clip(passed, 1e-12, 30.0))))
        y = np.where(passed < 1e-12, np.log(-np.log(np.clip(passed, 1e-300, 0.5))), y)
    exponent: np.ndarray = np.where(passed > 30.0, -passed, y)
    return exponent


def _finite(name: str, value: float | np.ndarray) -> np.ndarray:
    return checks.finite(name, value, np.ndim(value)).astype(np.float64)


def _positive(name: str, value: float | np.ndarray) -> np.ndarray:
    array = _finite(name, value)
    if array.size and array.min() <= 0:
        raise ValueError(f"{name} must be positive, not {array.min():g}")
    return array

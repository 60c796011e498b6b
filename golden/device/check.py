"""Checks of a device's curve and its simulation.

There are four checks:

- The curve, from which tables are made, agrees with a fresh simulation at the write voltage.
- It agrees at other voltages, which noise and unequal cells cause.
- The simulation settles into the Boltzmann distribution.
- The simulation does not depend on its time step.
"""

import time
from typing import Any

import numpy as np

from golden import checks
from golden.device import curve, levels, macrospin, switching
from golden.device.curve import Curve
from golden.device.junction import DIRECTIONS, Device
from golden.device.macrospin import DT_S, Macrospin
from golden.device.switching import Drive

LARGEST_ERROR = 0.03  # largest error of P
LARGEST_DEVIATION = 0.05  # largest deviation of a ratio from 1
TRIALS = 16384
_EVEN = 8  # number of evenly spaced lengths
_RISE = (0.02, 0.05, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 0.95, 0.98)
_PLANE_RISE = (0.05, 0.2, 0.4, 0.6, 0.8, 0.95)
_FEWER = 4  # times fewer trials at other voltages
_AT_ONCE = 1 << 16
_EQUILIBRIUM_TRIALS = 4096
# In decay times of the precession. Squared amplitudes are within exp(-10) of equilibrium after the
# first; their correlation time is half a decay time.
_SETTLING, _AVERAGING, _SAMPLES = 5, 5, 20


def check(
    device: Device, designed: Curve, *, trials: int = TRIALS, seed: int = 1
) -> dict[str, Any]:
    """Check a device's curve and its simulation; takes from half a minute to some minutes.

    Parameters
    ----------
    device : Device
    designed : Curve
        The curve from which tables are made.
    trials, seed : int
        Trials and seed of the fresh simulation. No seed of ``curve.calibrated`` gives the same
        random numbers.

    Returns
    -------
    dict
        - ``device``: name.
        - ``max_abs_error``, ``formula_max_abs_error``: by direction, largest |P - P simulated| for
          ``designed`` and for the closed formula.
        - ``dt_max_abs_error``: the same for the simulation at half the time step, along the rise.
        - ``plane``: by direction, the place of the largest error of ``designed`` over voltages and
          lengths, see ``plane``.
        - ``standard_error``, ``plane_standard_error``: standard error of the simulation at
          P = 1/2, at the write voltage and over the plane.
        - ``boltzmann_ratio``: ratio of the simulated mean and the exact mean of sin^2 of the angle
          to the easy axis, without a current.
        - ``dt_ratio``: ratio of the simulated mean and that at half the time step.
        - ``trials``, ``seed``, ``seconds_per_4ns_trial``.

    Raises
    ------
    TypeError, ValueError
        If ``trials`` is below 100 or ``seed`` negative.
    """
    trials = checks.integer("trials", trials, 100)
    seed = checks.integer("seed", seed, 0)
    curves = {"max_abs_error": designed, "formula_max_abs_error": curve.formula(device)}
    figures: dict[str, Any] = {name: {} for name in (*curves, "dt_max_abs_error")}
    for name, direction in DIRECTIONS.items():
        pulse_s = lengths(designed, direction)
        p = macrospin.probability(
            device, direction, pulse_s, trials=trials, seed=_seed(seed, direction)
        )
        for which, held in curves.items():
            error = np.abs(held.probability(direction, pulse_s) - p).max()
            figures[which][name] = float(error)
        rising = np.flatnonzero((p > 0.05) & (p < 0.95))[::3]
        halved = macrospin.probability(
            device, direction, pulse_s[rising], trials=trials,
            seed=_seed(seed, 4 + direction), dt_s=DT_S / 2,
        )  # fmt: skip
        figures["dt_max_abs_error"][name] = float(np.abs(halved - p[rising]).max(initial=0.0))
    fewer = max(trials // _FEWER, 100)
    figures["plane"] = {
        name: plane(designed, direction, trials=fewer, seed=_seed(seed, 6 + direction))
        for name, direction in DIRECTIONS.items()
    }
    exact = boltzmann(device)
    coarse, fine = (
        equilibrium(device, dt_s, min(trials, _EQUILIBRIUM_TRIALS), _seed(seed, 2 + k))
        for k, dt_s in enumerate((DT_S, DT_S / 2))
    )
    return {
        "device": device.name,
        **figures,
        "standard_error": float(0.5 / np.sqrt(trials)),
        "plane_standard_error": float(0.5 / np.sqrt(fewer)),
        "boltzmann_ratio": coarse / exact,
        "dt_ratio": coarse / fine,
        "trials": trials,
        "seed": seed,
        "seconds_per_4ns_trial": _seconds(device),
    }


def failures(figures: dict[str, Any]) -> list[str]:
    """A phrase for each figure of ``check`` that is out of bounds."""
    bounds = {"max_abs_error": LARGEST_ERROR, "dt_max_abs_error": step_bound(figures)}
    over_plane = plane_bound(figures)
    found = [
        f"{which} {name} is {error:.3f}, above {bound:.3g}"
        for which, bound in bounds.items()
        for name, error in figures[which].items()
        if not error <= bound
    ]
    found += [
        f"error {name} at {worst['voltage_v']:.3g} V and {worst['pulse_s']:.3g} s is "
        f"{worst['error']:.3f} ({worst['curve']:.3f}, simulated {worst['simulated']:.3f}), "
        f"above {over_plane:.3g}"
        for name, worst in figures["plane"].items()
        if not worst["error"] <= over_plane
    ]
    return found + [
        f"{name} is {figures[name]:.3f}, more than {LARGEST_DEVIATION:.0%} from 1"
        for name in ("boltzmann_ratio", "dt_ratio")
        if not abs(figures[name] - 1) <= LARGEST_DEVIATION
    ]


def step_bound(figures: dict[str, Any]) -> float:
    """Largest error at half the time step that passes; both sides are counts, and four standard
    errors of their difference are allowed for chance."""
    bound: float = LARGEST_ERROR + 4 * 2**0.5 * figures["standard_error"]
    return bound


def plane_bound(figures: dict[str, Any]) -> float:
    """Largest error over the plane that passes; four standard errors are allowed for chance."""
    bound: float = LARGEST_ERROR + 4 * figures["plane_standard_error"]
    return bound


def plane(designed: Curve, direction: int, *, trials: int, seed: int) -> dict[str, float]:
    """Voltage and length at which the error of a curve, against a fresh simulation, is largest.

    The voltages lie from near zero to twice the write voltage, midway between the levels at which a
    curve is fitted; there it is least certain. The lengths lie along the rise for each voltage, up
    to the full pulse.

    Returns
    -------
    dict
        ``voltage_v``, ``pulse_s``, ``curve`` and ``simulated`` (both P), and their difference
        ``error``.
    """
    device = designed.device
    at, _ = levels.ladder(device, direction)
    found = []
    for voltage_v in (at[1:] + at[:-1]) / 2:
        drive = switching.drive(device, direction, voltage_v)
        pulse_s = _along(designed, direction, drive)
        p = macrospin.probability(
            device, direction, pulse_s, voltage_v=float(voltage_v), trials=trials, seed=seed,
            at_once=_AT_ONCE,
        )  # fmt: skip
        made = designed.probability(direction, pulse_s, drive)
        worst = int(np.abs(made - p).argmax())
        found.append({
            "voltage_v": float(voltage_v), "pulse_s": float(pulse_s[worst]),
            "curve": float(made[worst]), "simulated": float(p[worst]),
            "error": float(np.abs(made - p)[worst]),
        })  # fmt: skip
    return max(found, key=lambda place: place["error"])


def _along(designed: Curve, direction: int, drive: Drive) -> np.ndarray:
    """Lengths in whole time steps along the rise under ``drive``, up to the full pulse."""
    grid = np.linspace(0, designed.device.t_write_s, 2001)[1:]
    p = designed.probability(direction, grid, drive)
    at = np.minimum(np.searchsorted(p, _PLANE_RISE), len(grid) - 1)
    return np.unique(np.rint(grid[at] / DT_S)) * DT_S


def lengths(designed: Curve, direction: int) -> np.ndarray:
    """Pulse lengths in whole time steps from 0 to the full pulse, some evenly spaced and some along
    the rise of P."""
    longest = designed.device.t_write_s
    along = designed.length(direction, np.array(_RISE), longest)
    every = np.concatenate([np.linspace(0, longest, _EVEN), along])
    return np.unique(np.rint(every / DT_S)) * DT_S


def boltzmann(device: Device) -> float:
    """Exact average of sin^2 of the angle to the easy axis, within one well, by quadrature.

    The energy over kB T is Delta sin^2 a (1 + q sin^2 b), with a the angle to the axis, b the angle
    around it and q the ratio of demagnetising and anisotropy field.
    """
    a = np.linspace(0, np.pi / 2, 4001)[:, None]
    b = np.linspace(0, np.pi / 2, 401)
    q = device.demagnetising_t / device.mu0_hk_t
    square = np.sin(a) ** 2
    weight = np.sin(a) * np.exp(-device.stability * square * (1 + q * np.sin(b) ** 2))

    def integral(values: np.ndarray) -> float:
        return float(np.trapezoid(np.trapezoid(values, b, axis=1), a[:, 0]))

    return integral(weight * square) / integral(weight)


def equilibrium(device: Device, dt_s: float, trials: int, seed: int) -> float:
    """Average of sin^2 over simulated trials that start on the axis, after several decay times.

    Trials that leave their well count too: the other well is the mirror image.
    """
    model = Macrospin(device, dt_s)
    rng = np.random.Generator(np.random.SFC64(seed))
    m = np.zeros((3, trials), np.float32)
    m[0] = 1
    steps = device.growth_time_s / dt_s
    m = model.run(m, round(_SETTLING * steps), rng)
    means = []
    for _ in range(_SAMPLES):
        m = model.run(m, max(1, round(_AVERAGING * steps / _SAMPLES)), rng)
        means.append(float(np.square(m[1:], dtype=np.float64).sum(axis=0).mean()))
    return float(np.mean(means))


def _seed(seed: int, use: int) -> int:
    """A seed for each use, different from the small seeds of calibrations."""
    words = np.random.SeedSequence([seed, use]).generate_state(2, np.uint32)
    return (1 << 64) + (int(words[0]) << 32) + int(words[1])


def _seconds(device: Device) -> float:
    """Computing time of a trial of 4 ns under the write pulse, seconds."""
    model, trials, steps = Macrospin(device), 4096, 200
    rng = np.random.Generator(np.random.SFC64(0))
    m = model.equilibrium(trials, rng)
    start = time.perf_counter()
    model.run(m, steps, rng, device.v_write_v)
    return (time.perf_counter() - start) / (trials * steps * DT_S) * 4e-9

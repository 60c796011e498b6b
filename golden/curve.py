"""Switching probability against pulse length, held to simulation: what tables are made from.

The formula of ``golden.switching`` is corrected in the exponent, ln(-ln P) = g(ln(-ln P_formula)),
with a rising broken line g for each direction, fitted to ``golden.macrospin`` at the device's write
voltage. The formula carries over what the fit does not see: other temperatures and cells, voltages
near the write voltage (from 0.8 to 1.1 of it P is within 0.05 of simulation), and probabilities
below one over the number of trials. In the hand-over to thermal switching the correction fades out;
below it the formula stands alone.
"""

import functools
import json
from dataclasses import asdict, dataclass
from importlib import resources
from pathlib import Path
from typing import Any

import numpy as np

from golden import checkpoint, checks, device, macrospin, switching
from golden.device import DIRECTIONS, Device
from golden.ptable import AP_TO_P, P_TO_AP
from golden.switching import Drive

MODELS = ("macrospin", "formula")
TRIALS = 16384
_LENGTHS = 24
_KNOTS = 12


@dataclass(frozen=True, eq=False)
class Curve:
    """P(pulse length) of a device in both directions.

    Parameters
    ----------
    device : Device
    knots : ndarray of shape (2, knots, 2)
        By direction, the formula's exponent and the true one, both rising; g goes on beyond in the
        line of its ends.
    provenance : dict
        How the coefficients came about.
    """

    device: Device
    knots: np.ndarray
    provenance: dict[str, Any]

    def probability(
        self, direction: int, pulse_s: float | np.ndarray, drive: Drive | None = None
    ) -> np.ndarray:
        """Switching probability of pulses of ``pulse_s`` (seconds), by default at the write voltage
        of the device; ``drive`` (see ``golden.switching.drive``) sets other conditions.

        Raises
        ------
        TypeError, ValueError
            If ``direction`` is none, or a length negative or not finite.
        """
        checks.integer("direction", direction, AP_TO_P, P_TO_AP)
        drive = drive or switching.drive(self.device, direction)
        y = switching.exponent(drive, pulse_s)
        share = switching.precessional_share(drive.overdrive)
        with np.errstate(invalid="ignore"):
            mixed = (1 - share) * y + share * self._corrected(direction, y)
        return switching.probability_of(np.where(np.isinf(y), y, mixed))

    def _corrected(self, direction: int, exponent: np.ndarray) -> np.ndarray:
        x, y = self.knots[direction].T
        with np.errstate(invalid="ignore"):
            low = np.minimum(exponent - x[0], 0) * ((y[1] - y[0]) / (x[1] - x[0]))
            high = np.maximum(exponent - x[-1], 0) * ((y[-1] - y[-2]) / (x[-1] - x[-2]))
        return np.interp(exponent, x, y) + low + high

    def length(self, direction: int, probability: np.ndarray, longest_s: float) -> np.ndarray:
        """Shortest pulse lengths, in seconds and at most ``longest_s``, that switch with
        ``probability``.

        Raises
        ------
        TypeError, ValueError
            If a probability is not in 0 to 1, or ``longest_s`` no length.
        """
        probability = checks.finite("probability", probability, np.ndim(probability))
        if ((probability < 0) | (probability > 1)).any():
            raise ValueError(f"probability must be in 0 to 1, not {probability.tolist()}")
        longest_s = checks.real("longest_s", longest_s, 0)
        low, high = np.zeros(np.shape(probability)), np.full(np.shape(probability), longest_s)
        for _ in range(60):
            middle = (low + high) / 2
            enough = self.probability(direction, middle) >= probability
            low, high = np.where(enough, low, middle), np.where(enough, middle, high)
        return high


def formula(device: Device) -> Curve:
    """The closed formula alone."""
    return Curve(device, np.tile([[0.0, 0.0], [1.0, 1.0]], (2, 1, 1)), {"model": "formula"})


def calibrated(device: Device, *, trials: int = TRIALS, seed: int = 0) -> Curve:
    """The formula fitted to a simulation of ``trials`` trials for each direction; some seconds.

    Weighted least squares in ln(-ln P), each point with the inverse of its binomial variance.

    Raises
    ------
    TypeError, ValueError
        If ``trials`` is below 1000 or ``seed`` negative; ValueError also if the write pulse is too
        weak to switch in any range that a table could use.
    """
    trials = checks.integer("trials", trials, 1000)
    seed = checks.integer("seed", seed, 0)
    knots = []
    for name, direction in DIRECTIONS.items():
        pulse_s = _informative(device, direction)
        p = macrospin.probability(device, direction, pulse_s, trials=trials, seed=seed + direction)
        # Below ten events a count says little; the formula's shape takes over there.
        seen = (p * trials >= 10) & ((1 - p) * trials >= 10)
        if np.count_nonzero(seen) < _KNOTS:
            raise ValueError(
                f"device {device.name}: pulses of v_write_v = {device.v_write_v:g} up to t_write_s "
                f"= {device.t_write_s:g} do not cover the range of {name} switching"
            )
        x = switching.exponent(switching.drive(device, direction), pulse_s)[seen]
        p = p[seen]
        weights = np.sqrt(trials * p / (1 - p)) * -np.log(p)
        knots.append(_rising_line(x, np.log(-np.log(p)), weights))
    provenance = {
        "model": "macrospin",
        "trials": trials,
        "seed": seed,
        "dt_s": macrospin.DT_S,
        "v_write_v": device.v_write_v,
    }
    return Curve(device, np.array(knots), provenance)


def _informative(device: Device, direction: int) -> np.ndarray:
    """Pulse lengths spread evenly over the rise of P, in whole time steps of the simulation."""
    grid = np.linspace(0, device.t_write_s, 20001)[1:]
    y = switching.exponent(switching.drive(device, direction), grid)
    levels = np.linspace(np.log(-np.log(1e-4)), np.log(-np.log1p(-1e-4)), _LENGTHS)
    # The formula may be off; half as short and twice as long hold the rise all the same.
    at = np.interp(-levels, -y, grid)
    at = np.concatenate([at, 2 * at[_LENGTHS // 2 :: 3], at[: _LENGTHS // 2 : 3] / 2])
    steps = np.unique(np.rint(at[at <= device.t_write_s] / macrospin.DT_S))
    return steps[steps > 0] * macrospin.DT_S


def _rising_line(x: np.ndarray, y: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """Knots (knots, 2) of the broken line nearest to the points, made to rise."""
    x, order = np.unique(x, return_index=True)
    y, weights = y[order], weights[order]
    rising = np.maximum.accumulate(y) + np.arange(len(y)) * 1e-9
    at = np.interp(np.linspace(rising[0], rising[-1], _KNOTS), rising, x)
    # Hat functions: the line's value at each x is a weighted mean of its values at the knots.
    hats = np.stack([np.interp(x, at, unit) for unit in np.eye(_KNOTS)], axis=1)
    # A knot that no point decides stays on the way from end to end.
    way = np.linspace(rising[0], rising[-1], _KNOTS)
    missing = (y - hats @ way) * weights
    values = way + np.linalg.lstsq(hats * weights[:, None], missing, rcond=None)[0]
    values = np.maximum.accumulate(values) + np.arange(_KNOTS) * 1e-9
    return np.stack([at, values], axis=1)


def load(device: Device, model: str = "macrospin") -> Curve:
    """The curve of a device: kept for the devices that come with spintrit, else simulated.

    Raises
    ------
    ValueError
        If ``model`` is unknown, or the device cannot be simulated.
    """
    if checks.choice("model", model, MODELS) == "formula":
        return formula(device)
    kept = _kept().get(identity(device))
    if kept is None:
        return calibrated(device)
    return Curve(device, np.array(kept["knots"]), kept["provenance"])


def identity(device: Device) -> str:
    """Digest of what decides the device's switching."""
    values = asdict(device)
    for name in ("name", "source", "v_read_v", "t_read_s"):
        del values[name]
    text = json.dumps(values, sort_keys=True)
    return checkpoint.digest(np.frombuffer(text.encode(), np.uint8))[:16]


def as_dict(curve: Curve) -> dict[str, Any]:
    """What ``golden/curves.json`` keeps of a curve."""
    return {
        "device": curve.device.name,
        "knots": curve.knots.round(9).tolist(),
        "provenance": curve.provenance,
    }


@functools.cache
def _kept() -> dict[str, Any]:
    file = resources.files("golden") / "curves.json"
    return json.loads(file.read_bytes()) if file.is_file() else {}


def keep() -> None:
    """Simulate the devices that come with spintrit and write ``golden/curves.json``."""
    curves = [calibrated(device.load(name), trials=2 * TRIALS) for name in device.names()]
    kept = {identity(curve.device): as_dict(curve) for curve in curves}
    content = json.dumps(kept, indent=1) + "\n"
    checkpoint.write_atomically(Path(__file__).with_name("curves.json"), content.encode())


if __name__ == "__main__":
    keep()

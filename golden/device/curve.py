"""Switching curves: probability against pulse length and drive, fitted to simulation.

Tables are made from them. The formula of ``golden.device.switching`` is corrected in the exponent,
ln(-ln P) = g(ln(-ln P_formula)). g is a rising broken line at each of several levels of overdrive
and for each direction (``golden.device.levels``), fitted to ``golden.device.macrospin``. One level
is that of the device's write voltage; it has the most trials. The formula extrapolates to other
temperatures and stabilities, to drives beyond the levels, and to probabilities below one over the
number of trials.
"""

import functools
import json
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from dataclasses import asdict, dataclass
from importlib import resources
from pathlib import Path
from typing import Any

import numpy as np

from golden import cache, checks, files
from golden.codes import AP_TO_P, P_TO_AP
from golden.device import junction, levels, macrospin, switching
from golden.device.junction import DIRECTIONS, Device
from golden.device.levels import Levels
from golden.device.switching import Drive

MODELS = ("macrospin", "formula")
TRIALS = 16384
_FORMAT = 1  # of cached curves; changes if the same device would get another curve
_LENGTHS = 24
_KNOTS = 12
_FEWER = 2  # times fewer trials at other levels than the write voltage


@dataclass(frozen=True, eq=False)
class Curve:
    """P(pulse length, drive) of a device in both directions.

    Parameters
    ----------
    device : Device
    levels : tuple of Levels
        The corrections of the formula, by direction.
    provenance : dict
        Origin of the coefficients.
    """

    device: Device
    levels: tuple[Levels, Levels]
    provenance: dict[str, Any]

    def probability(
        self, direction: int, pulse_s: float | np.ndarray, drive: Drive | None = None
    ) -> np.ndarray:
        """Switching probability of pulses of ``pulse_s`` (seconds).

        The default drive is that of the device's write voltage; ``golden.device.switching.drive``
        makes others.

        Raises
        ------
        TypeError, ValueError
            If ``direction`` is invalid, or a length is negative or not finite.
        """
        checks.integer("direction", direction, AP_TO_P, P_TO_AP)
        drive = drive or switching.drive(self.device, direction)
        return switching.probability_of(self.levels[direction].exponent(drive, pulse_s))

    def length(self, direction: int, probability: np.ndarray, longest_s: float) -> np.ndarray:
        """Shortest pulse lengths for ``probability``, in seconds and at most ``longest_s``.

        Raises
        ------
        TypeError, ValueError
            If a probability is not in 0 to 1, or ``longest_s`` is no length.
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
    """The curve of the closed formula, without corrections."""
    return Curve(device, (levels.uncorrected(), levels.uncorrected()), {"model": "formula"})


def calibrated(device: Device, *, trials: int = TRIALS, seed: int = 0) -> Curve:
    """The formula fitted to a simulation; takes from ten seconds to minutes.

    Each direction takes ``trials`` trials at the write voltage and half of them at each other
    level of overdrive.

    Raises
    ------
    TypeError, ValueError
        If ``trials`` is below 1000 or ``seed`` negative, or (ValueError) the write pulse is too
        weak for a table.
    """
    trials = checks.integer("trials", trials, 1000)
    seed = checks.integer("seed", seed, 0)
    knots = [_at_write_voltage(device, name, trials, seed) for name in DIRECTIONS]
    provenance = {
        "model": "macrospin",
        "trials": trials,
        "seed": seed,
        "dt_s": macrospin.DT_S,
        "v_write_v": device.v_write_v,
    }
    # The same random numbers at all levels: chance hardly differs between them.
    to_p, to_ap = (
        levels.simulated(
            device, direction, knots[direction], trials=max(trials // _FEWER, 1000),
            seed=(1 << 32) + 2 * seed + direction,
        )
        for direction in DIRECTIONS.values()
    )  # fmt: skip
    return Curve(device, (to_p, to_ap), provenance)


def _at_write_voltage(device: Device, name: str, trials: int, seed: int) -> np.ndarray:
    """Knots of the correction at the write voltage."""
    direction = DIRECTIONS[name]
    pulse_s = _informative(device, direction)
    p = macrospin.probability(device, direction, pulse_s, trials=trials, seed=seed + direction)
    # Outside this range the shape is that of the formula.
    seen = (p * trials >= levels.EVENTS) & ((1 - p) * trials >= levels.EVENTS)
    if np.count_nonzero(seen) < _KNOTS:
        raise ValueError(
            f"device {device.name}: pulses of v_write_v = {device.v_write_v:g} up to t_write_s "
            f"= {device.t_write_s:g} do not cover the range of {name} switching"
        )
    x = switching.exponent(switching.drive(device, direction), pulse_s)[seen]
    return levels.rising_line(x, p[seen], trials, _KNOTS)


def _informative(device: Device, direction: int) -> np.ndarray:
    """Pulse lengths spread evenly over the rise of P, in whole time steps of the simulation."""
    grid = np.linspace(0, device.t_write_s, 20001)[1:]
    y = switching.exponent(switching.drive(device, direction), grid)
    levels = np.linspace(np.log(-np.log(1e-4)), np.log(-np.log1p(-1e-4)), _LENGTHS)
    # The formula may be wrong; lengths from half to twice its own still cover the rise.
    at = np.interp(-levels, -y, grid)
    at = np.concatenate([at, 2 * at[_LENGTHS // 2 :: 3], at[: _LENGTHS // 2 : 3] / 2])
    steps = np.unique(np.rint(at[at <= device.t_write_s] / macrospin.DT_S))
    return steps[steps > 0] * macrospin.DT_S


def load(
    device: Device,
    model: str = "macrospin",
    *,
    simulating: Callable[[], AbstractContextManager[Any]] = nullcontext,
) -> Curve:
    """The curve of a device.

    The curves of devices that come with spintrit are in ``curves.json``. Others are simulated once
    and then kept in the user's cache folder.

    Parameters
    ----------
    device : Device
    model : {"macrospin", "formula"}
    simulating : callable
        Makes the context in which a simulation runs; the simulation may take minutes.

    Raises
    ------
    ValueError
        If ``model`` is unknown, or the device cannot be simulated.
    """
    if checks.choice("model", model, MODELS) == "formula":
        return formula(device)
    kept = _kept().get(identity(device))
    if kept is not None:
        return from_dict(device, kept)
    key = {"format": _FORMAT, "device": physics(device), "trials": TRIALS, "seed": 0}
    found = cache.load("curves", key)
    if found is not None:
        return from_dict(device, found)
    with simulating():
        made = calibrated(device)
    cache.save("curves", key, as_dict(made))
    return made


def physics(device: Device) -> dict[str, Any]:
    """The parameters that affect the device's switching."""
    values = asdict(device)
    for name in ("name", "source", "v_read_v", "t_read_s"):
        del values[name]
    return values


def identity(device: Device) -> str:
    """Digest of the parameters that affect the device's switching."""
    text = json.dumps(physics(device), sort_keys=True)
    return files.digest(np.frombuffer(text.encode(), np.uint8))[:16]


def as_dict(curve: Curve) -> dict[str, Any]:
    """A curve in values for JSON."""
    return {
        "device": curve.device.name,
        "levels": [part.as_list() for part in curve.levels],
        "provenance": curve.provenance,
    }


def from_dict(device: Device, kept: dict[str, Any]) -> Curve:
    """The curve of a device from ``as_dict`` of one with the same switching."""
    to_p, to_ap = (
        levels.from_list(device, direction, kept["levels"][direction])
        for direction in DIRECTIONS.values()
    )
    return Curve(device, (to_p, to_ap), kept["provenance"])


@functools.cache
def _kept() -> dict[str, Any]:
    file = resources.files("golden.device") / "curves.json"
    return json.loads(file.read_bytes()) if file.is_file() else {}


def keep() -> None:
    """Simulate the devices that come with spintrit and write ``golden/device/curves.json``."""
    kept = {}
    for name in junction.names():
        made = calibrated(junction.load(name), trials=2 * TRIALS)
        document = as_dict(made)
        for part in document["levels"]:
            for level in part:
                level["knots"] = np.round(level["knots"], 9).tolist()
        kept[identity(made.device)] = document
    content = json.dumps(kept, indent=1) + "\n"
    files.write_atomically(Path(__file__).with_name("curves.json"), content.encode())


if __name__ == "__main__":
    keep()

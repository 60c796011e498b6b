"""Switching measurements from a CSV file, checked point by point and against one another."""

import csv
import math
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from scipy import stats

from golden import checks
from golden.device import DIRECTIONS, limits

ALPHA = 1e-3  # chance, over all comparisons in a file, of refusing what rises in truth
_NEEDED = ("direction", "voltage_v", "pulse_s")
_KNOWN = (*_NEEDED, "switched", "trials", "probability")
_LIMITS = {"voltage_v": limits("voltage_v"), "pulse_s": (1e-18, 1e6), "probability": (0, 1)}
_MOST = 10**12  # trials a point: sums of two are exact in every type used here
_NAMES = {code: name for name, code in DIRECTIONS.items()}


@dataclass(frozen=True, eq=False)
class Measured:
    """How often a junction switched, point by point; what the arrays hold is checked.

    Parameters
    ----------
    direction : ndarray of shape (points,), integer
        Values of ``golden.device.DIRECTIONS``.
    voltage_v, pulse_s : ndarray of shape (points,), float
        Amplitude (1e-6 to 1e6) and length (1e-18 to 1e6) of the pulse.
    probability : ndarray of shape (points,), float in [0, 1]
        Share of the pulses that switched.
    trials : ndarray of shape (points,), integer, optional
        Pulses behind each share; None if it is not known.
    lines : ndarray of shape (points,), integer, optional
        Where each point stands in ``source``, for messages; counted from 1 if not given.
    source : str, optional
        What the points were read from.

    Raises
    ------
    TypeError, ValueError
        If a value is out of range, or the probability falls with the length (same direction and
        voltage) or with the voltage (same direction and length). With ``trials``, a fall is
        refused if it is larger than chance allows: Fisher's exact test on every pair of points,
        one-sided, at ``ALPHA`` over all pairs of the file (Bonferroni). Without, the
        probabilities count as exact and every fall is refused.
    """

    direction: np.ndarray
    voltage_v: np.ndarray
    pulse_s: np.ndarray
    probability: np.ndarray
    trials: np.ndarray | None = None
    lines: np.ndarray | None = None
    source: str = "measured"

    def __post_init__(self) -> None:
        if not np.size(self.direction):
            raise ValueError(f"{self.source} holds no points")
        values = {"direction": checks.integers("direction", self.direction, (None,), 0, 1)}
        points = len(values["direction"])
        top = np.iinfo(np.int64).max
        lines = np.arange(1, points + 1) if self.lines is None else self.lines
        values["lines"] = checks.integers("lines", lines, (points,), 1, top)
        object.__setattr__(self, "lines", values["lines"])
        for name, (low, high) in _LIMITS.items():
            value = checks.finite(name, getattr(self, name), 1).astype(float)
            if len(value) != points:
                raise ValueError(f"{name} must hold {points} points, not {len(value)}")
            bad = (value < low) | (value > high)
            if bad.any():
                first = int(np.argmax(bad))
                raise ValueError(
                    f"{self.where(first)}: {name} must be in {low:g} to {high:g}, "
                    f"not {value[first]:g}"
                )
            values[name] = value
        if self.trials is not None:
            trials = checks.integers("trials", self.trials, (points,), 1, top)
            values["trials"] = trials.astype(np.int64)
        for name, value in values.items():
            object.__setattr__(self, name, value)
        self._refuse_falls()

    def where(self, *points: int) -> str:
        """Name of the place of some points: file and lines."""
        assert self.lines is not None  # set on construction
        lines = sorted(int(self.lines[point]) for point in points)
        return f"{self.source}, line{'s' * (len(lines) > 1)} {' and '.join(map(str, lines))}"

    def _refuse_falls(self) -> None:
        pairs = np.concatenate([self._pairs("pulse_s"), self._pairs("voltage_v")])
        p = self.probability
        falling = p[pairs[:, 0]] > p[pairs[:, 1]]
        if not falling.any():
            return
        low, high = pairs[falling].T
        if self.trials is None:
            worst, why = (
                int(np.argmax(p[low] - p[high])),
                ("; if this may be chance, give the number of trials in a column trials"),
            )
        else:
            # Given the sum, the switched of the weaker pulse are hypergeometric if both are alike.
            n = self.trials
            k = np.rint(p * n).astype(np.int64)
            chance = stats.hypergeom.sf(k[low] - 1, n[low] + n[high], k[low] + k[high], n[low])
            worst = int(np.argmin(chance))
            if chance[worst] >= ALPHA / len(pairs):
                return
            why = f", by chance {chance[worst]:.1g} (pairs of points compared: {len(pairs)})"
        weak, strong = int(low[worst]), int(high[worst])
        alike = self.voltage_v[weak] == self.voltage_v[strong]
        name, unit = ("pulse_s", "s") if alike else ("voltage_v", "V")
        value = getattr(self, name)
        raise ValueError(
            f"{self.where(weak, strong)}: the probability of {_NAMES[int(self.direction[weak])]} "
            f"falls from {p[weak]:g} at {value[weak]:g} {unit} to {p[strong]:g} at "
            f"{value[strong]:g} {unit}{why}"
        )

    def _pairs(self, rising: str) -> np.ndarray:
        """All pairs of points that differ in ``rising`` alone, the lower first; shape (n, 2)."""
        same = {"pulse_s": self.voltage_v, "voltage_v": self.pulse_s}[rising]
        value = getattr(self, rising)
        found = [np.empty((0, 2), dtype=np.int64)]
        for direction, other in sorted(
            set(zip(self.direction.tolist(), same.tolist(), strict=True))
        ):
            group = np.flatnonzero((self.direction == direction) & (same == other))
            i, j = np.nonzero(value[group, None] < value[group])
            found.append(np.stack([group[i], group[j]], axis=1))
        return np.concatenate(found)


def read_csv(path: str | Path) -> Measured:
    """Read measured switching from a CSV file.

    The header names the columns, in any order: ``direction`` (``AP_to_P`` or ``P_to_AP``),
    ``voltage_v`` and ``pulse_s`` (both positive), and either the counts ``switched`` and
    ``trials`` or ``probability`` with or without ``trials``. Empty lines and lines that begin
    with # are skipped.

    Raises
    ------
    ValueError
        Naming file and line, for missing, unknown or repeated columns, a value that is no number
        or out of range, a file without points, and whatever ``Measured`` refuses.
    OSError
        If the file cannot be read.
    """
    path = Path(path)
    rows: list[tuple[int, list[str]]] = []
    with path.open(encoding="utf-8-sig", newline="") as file:
        reader = csv.reader(file)
        try:
            for row in reader:
                cells = [cell.strip() for cell in row]
                if any(cells) and not cells[0].startswith("#"):
                    rows.append((reader.line_num, cells))
        except UnicodeDecodeError as error:
            raise ValueError(f"{path} is not UTF-8 text: {error}") from None
        except csv.Error as error:
            raise ValueError(f"{path}, line {reader.line_num}: {error}") from None
    if not rows:
        raise ValueError(f"{path} is empty")
    line, header = rows.pop(0)
    _check_header(f"{path}, line {line}", header)
    if not rows:
        raise ValueError(f"{path} holds no points")
    read: dict[str, list[float]] = {name: [] for name in (*_NEEDED, "probability", "trials")}
    for line, cells in rows:
        where = f"{path}, line {line}"
        if len(cells) != len(header):
            raise ValueError(f"{where}: {len(header)} columns expected, not {len(cells)}")
        for name, value in _point(where, dict(zip(header, cells, strict=True))).items():
            read[name].append(value)
    return Measured(
        np.array(read["direction"], dtype=np.int64),
        np.array(read["voltage_v"]),
        np.array(read["pulse_s"]),
        np.array(read["probability"]),
        np.array(read["trials"], dtype=np.int64) if read["trials"] else None,
        np.array([line for line, _ in rows]),
        str(path),
    )


def _check_header(where: str, header: list[str]) -> None:
    for name in header:
        if name not in _KNOWN:
            raise ValueError(f"{where}: unknown column {name!r}; known are {', '.join(_KNOWN)}")
        if header.count(name) > 1:
            raise ValueError(f"{where}: column {name} is there twice")
    for name in _NEEDED:
        if name not in header:
            raise ValueError(f"{where}: column {name} is missing")
    if ("switched" in header) == ("probability" in header):
        raise ValueError(f"{where}: there must be a column switched or a column probability")
    if "switched" in header and "trials" not in header:
        raise ValueError(f"{where}: column trials is missing, which switched needs")


def _point(where: str, cells: dict[str, str]) -> dict[str, float]:
    """One row as numbers by name, with ``switched`` made a ``probability``."""
    if cells["direction"] not in DIRECTIONS:
        raise ValueError(
            f"{where}: direction must be one of {', '.join(DIRECTIONS)}, not {cells['direction']!r}"
        )
    point: dict[str, float] = {"direction": DIRECTIONS[cells.pop("direction")]}
    for name, text in cells.items():
        try:
            point[name] = float(text)
        except ValueError:
            point[name] = math.nan
        if not math.isfinite(point[name]):
            raise ValueError(f"{where}: {name} must be a number, not {text!r}")
    low = {"switched": 0, "trials": 1}
    for name in low.keys() & cells.keys():
        if not point[name].is_integer() or not low[name] <= point[name] <= _MOST:
            raise ValueError(
                f"{where}: {name} must be a whole number in {low[name]} to {_MOST}, "
                f"not {cells[name]!r}"
            )
    if "switched" in point:
        if point["switched"] > point["trials"]:
            raise ValueError(
                f"{where}: switched must be at most trials = {cells['trials']}, "
                f"not {cells['switched']}"
            )
        point["probability"] = point.pop("switched") / point["trials"]
    return point

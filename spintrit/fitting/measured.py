"""Switching measurements: rows checked, pooled point by point, and compared with one another."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from scipy import stats

from golden import checks
from golden.device.junction import DIRECTIONS, limits
from spintrit.fitting import csvtable, repeats
from spintrit.fitting.repeats import TOLERANCE

ALPHA = 1e-3  # chance, over all comparisons in a file, of refusing what rises in truth
_LIMITS = {"voltage_v": limits("voltage_v"), "pulse_s": (1e-18, 1e6), "probability": (0, 1)}
_MOST = 10**12  # trials a row: sums of a million are exact in every type used here
_BLOCK = 1 << 20  # pairs compared at once
_NORMAL = 1e4  # variance of a count from which its law counts as normal
_NAMES = {code: name for name, code in DIRECTIONS.items()}


@dataclass(frozen=True, eq=False)
class Measured:
    """Measured switching of a junction, point by point; all values are checked.

    The arrays given are rows. Rows of one direction whose voltages and lengths are one within the
    tolerances (see ``spintrit.fitting.repeats.group``) are pooled into one point, before anything
    else. The attributes hold the points, by direction, voltage and length; rows that are cut
    otherwise, or in another order, give the same points.

    Parameters
    ----------
    direction : ndarray of shape (rows,), integer
        Values of ``golden.device.junction.DIRECTIONS``.
    voltage_v, pulse_s : ndarray of shape (rows,), float
        Amplitude (see ``golden.device.junction.limits``) and length (1e-18 to 1e6) of the pulse.
        All points of one voltage (length) have the mean of its rows.
    probability : ndarray of shape (rows,), float in [0, 1]
        Share of the pulses that switched.
    trials : ndarray of shape (rows,), integer, optional
        Pulses behind each share; None if it is not known.
    lines : ndarray of shape (rows,), integer, optional
        Where each row stands in ``source``, for messages; counted from 1 if not given. A point has
        its first row's.
    source : str, optional
        What the points were read from.
    voltage_tolerance, length_tolerance : float, optional
        Relative difference below which neighbouring values are equal; 0 to 0.5.

    Attributes
    ----------
    rows : ndarray of shape (points,), integer
        Rows of each point.
    chi2, freedom : ndarray of shape (points,)
        How much the rows of each point scatter, see ``spintrit.fitting.repeats.Pooled``; zeros
        without ``trials``.
    spread : dict of str to float
        "voltage" and "length": largest relative difference between values that count as one.
    notes : tuple of str
        Sentences about values that are too close to be several and too far apart to be one.

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
    voltage_tolerance: float = TOLERANCE
    length_tolerance: float = TOLERANCE
    rows: np.ndarray = field(init=False)
    chi2: np.ndarray = field(init=False)
    freedom: np.ndarray = field(init=False)
    spread: dict[str, float] = field(init=False)
    notes: tuple[str, ...] = field(init=False)

    def __post_init__(self) -> None:
        if not np.size(self.direction):
            raise ValueError(f"{self.source} holds no points")
        values = {"direction": checks.integers("direction", self.direction, (None,), 0, 1)}
        rows = len(values["direction"])
        top = np.iinfo(np.int64).max
        lines = np.arange(1, rows + 1) if self.lines is None else self.lines
        values["lines"] = checks.integers("lines", lines, (rows,), 1, top)
        object.__setattr__(self, "lines", values["lines"])
        for name, (low, high) in _LIMITS.items():
            value = checks.finite(name, getattr(self, name), 1).astype(float)
            if len(value) != rows:
                raise ValueError(f"{name} must hold {rows} points, not {len(value)}")
            bad = (value < low) | (value > high)
            if bad.any():
                first = int(np.argmax(bad))
                raise ValueError(
                    f"{self.where(first)}: {name} must be in {low:g} to {high:g}, "
                    f"not {value[first]:g}"
                )
            values[name] = value
        if self.trials is not None:
            trials = checks.integers("trials", self.trials, (rows,), 1, top)
            values["trials"] = trials.astype(np.int64)
            if trials.astype(float).sum() >= top:
                raise ValueError(f"{self.source} holds {trials.astype(float).sum():g} trials")
        for name, value in values.items():
            object.__setattr__(self, name, value)
        self._pool()
        self._refuse_falls()

    def _pool(self) -> None:
        """Replace rows by points."""
        assert self.lines is not None  # set on construction
        known = self.trials is not None
        trials = self.trials if self.trials is not None else np.ones(len(self.lines), np.int64)
        volts, lengths = (
            repeats.group(values, trials, checks.real(f"{name}_tolerance", tolerance, 0.0, 0.5))
            for name, values, tolerance in (
                ("voltage", self.voltage_v, self.voltage_tolerance),
                ("length", self.pulse_s, self.length_tolerance),
            )
        )
        point = (self.direction * len(volts.values) + volts.index) * len(lengths.values)
        pooled = repeats.pool(point + lengths.index, self.probability, trials)
        first = pooled.first
        nothing = np.zeros(len(first), np.int64)
        notes = [
            f"{name}s from {cut[0]:g} to {cut[1]:g} {unit} follow each other in steps below "
            f"{tolerance:g} of their value, too far for one and too close for several; parts "
            f"of up to {repeats.WIDEST * tolerance:g} were taken as one; --{name}-tolerance X "
            "sets the step"
            for name, unit, cut, tolerance in (
                ("voltage", "V", volts.cut, self.voltage_tolerance),
                ("length", "s", lengths.cut, self.length_tolerance),
            )
            if cut
        ]
        for name, value in {
            "direction": self.direction[first],
            "voltage_v": volts.values[volts.index[first]],
            "pulse_s": lengths.values[lengths.index[first]],
            "probability": pooled.probability,
            "trials": pooled.trials if known else None,
            "lines": self.lines[first],
            "rows": pooled.rows,
            "chi2": pooled.chi2 if known else nothing.astype(float),
            "freedom": pooled.freedom if known else nothing,
            "spread": {"voltage": volts.spread, "length": lengths.spread},
            "notes": tuple(notes),
        }.items():
            object.__setattr__(self, name, value)

    def where(self, *points: int) -> str:
        """Name of the place of some points: file and lines."""
        assert self.lines is not None  # set on construction
        lines = sorted(int(self.lines[point]) for point in points)
        return f"{self.source}, line{'s' * (len(lines) > 1)} {' and '.join(map(str, lines))}"

    def _refuse_falls(self) -> None:
        found, pairs = None, 0
        for rising in ("pulse_s", "voltage_v"):
            for group in self._groups(rising):
                pairs += len(group) * (len(group) - 1) // 2
                worst = self._worst_fall(group)
                if worst is not None and (found is None or worst[0] < found[0]):
                    found = (*worst, rising)
        if found is None:
            return
        chance, weak, strong, name = found
        why = "; if this may be chance, give the number of trials in a column trials"
        if self.trials is not None:
            if chance >= ALPHA / pairs:
                return
            why = f", by chance {chance:.1g} (pairs of points compared: {pairs})"
        rows = self.rows[[weak, strong]]
        if rows.max() > 1:
            lines = "these are the first of" if rows.min() > 1 else "of these begin"
            why += f"; {lines} {rows[0]} and {rows[1]} rows that repeat the two points"
        unit = {"pulse_s": "s", "voltage_v": "V"}[name]
        value, p = getattr(self, name), self.probability
        raise ValueError(
            f"{self.where(weak, strong)}: the probability of {_NAMES[int(self.direction[weak])]} "
            f"falls from {p[weak]:.6g} at {value[weak]:g} {unit} to {p[strong]:.6g} at "
            f"{value[strong]:g} {unit}{why}"
        )

    def _groups(self, rising: str) -> Iterator[np.ndarray]:
        """Points that differ in ``rising`` alone, in its order."""
        same = {"pulse_s": self.voltage_v, "voltage_v": self.pulse_s}[rising]
        order = np.lexsort((getattr(self, rising), same, self.direction))
        apart = (np.diff(same[order]) != 0) | (np.diff(self.direction[order]) != 0)
        yield from np.split(order, np.flatnonzero(apart) + 1)

    def _worst_fall(self, group: np.ndarray) -> tuple[float, int, int] | None:
        """The least likely fall among rising points: its chance (without trials the share by which
        it falls, negative), and both points."""
        worst: tuple[float, int, int] | None = None
        step = max(1, _BLOCK // len(group))
        for start in range(0, len(group), step):
            some = group[start : start + step]
            i, j = np.nonzero(self.probability[some, None] > self.probability[group])
            i += start
            low, high = group[i[i < j]], group[j[i < j]]
            if self.trials is None:
                chance = self.probability[high] - self.probability[low]
            else:
                low, high, chance = self._chances(low, high)
            if len(chance):
                at = int(np.argmin(chance))
                if worst is None or chance[at] < worst[0]:
                    worst = float(chance[at]), int(low[at]), int(high[at])
        return worst

    def _chances(
        self, low: np.ndarray, high: np.ndarray
    ) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Those of the pairs that may fall by more than chance, and how likely each is by chance.

        Given the sum, the switched of the weaker pulse are hypergeometric if both are alike.
        """
        assert self.trials is not None
        n = self.trials.astype(float)
        k = np.rint(self.probability * n)
        total, switched = n[low] + n[high], k[low] + k[high]
        mean = switched * (n[low] / total)
        variance = mean * (1 - switched / total) * (n[high] / np.maximum(total - 1, 1))
        above = k[low] - mean
        # Nearer to the mean no count has a chance below ALPHA: chance is exp(-z^2) or more there.
        far = (above > 0) & (above**2 > 6 * variance)
        low, high, total, switched = low[far], high[far], total[far], switched[far]
        variance = variance[far]
        chance = stats.norm.sf((above[far] - 0.5) / np.sqrt(np.maximum(variance, 1e-300)))
        exact = variance < _NORMAL
        n_low, k_low = n[low][exact], k[low][exact]
        chance[exact] = stats.hypergeom.sf(k_low - 1, total[exact], switched[exact], n_low)
        return low, high, chance


def read_csv(
    path: str | Path,
    *,
    voltage_tolerance: float = TOLERANCE,
    length_tolerance: float = TOLERANCE,
) -> Measured:
    """Read measured switching from a CSV file; docs/device.md has the format.

    The header names the columns, in any order: ``direction`` (``AP_to_P`` or ``P_to_AP``),
    ``voltage_v`` and ``pulse_s``, and either the counts ``switched`` and ``trials`` or
    ``probability`` with or without ``trials``. Voltages of one direction have one sign.

    Raises
    ------
    ValueError
        Naming file, line and column, for missing, unknown or repeated columns, a value that is no
        number or out of range, a file without points, and whatever ``Measured`` refuses.
    OSError
        If the file cannot be read.
    """
    path = Path(path)
    table = csvtable.read(path)
    columns = table.columns
    trials: np.ndarray | None = None
    direction = columns["direction"].astype(np.int64)
    if "trials" in columns:
        for name, low in (("switched", 0), ("trials", 1)):
            if name in columns:
                _check_counts(path, table, name, low)
        trials = columns["trials"].astype(np.int64)
    if "switched" in columns:
        more = columns["switched"] > columns["trials"]
        if more.any():
            at = int(np.argmax(more))
            raise ValueError(
                f"{path}, line {table.lines[at]}: {table.titles['switched']} must be at most "
                f"{table.titles['trials']} = "
                f"{columns['trials'][at]:.0f}, not {columns['switched'][at]:.0f}"
            )
        probability = columns["switched"] / columns["trials"]
    else:
        probability = columns["probability"]
    return Measured(
        direction, _unsigned(path, table, direction), columns["pulse_s"], probability, trials,
        table.lines, str(path),
        voltage_tolerance=voltage_tolerance, length_tolerance=length_tolerance,
    )  # fmt: skip


def _check_counts(path: Path, table: csvtable.Table, name: str, low: int) -> None:
    value = table.columns[name]
    bad = (value != np.floor(value)) | (value < low) | (value > _MOST)
    if bad.any():
        at = int(np.argmax(bad))
        raise ValueError(
            f"{path}, line {table.lines[at]}: {table.titles[name]} must be a whole number in {low} "
            f"to {_MOST}, not {value[at]:.15g}"
        )


def _unsigned(path: Path, table: csvtable.Table, direction: np.ndarray) -> np.ndarray:
    """Amplitudes; the sign is the polarity, which is one for all pulses of a direction."""
    volts = table.columns["voltage_v"]
    for code, name in _NAMES.items():
        signs = np.sign(volts) * (direction == code)
        if signs.min() < 0 < signs.max():
            ends = sorted((int(np.argmin(signs)), int(np.argmax(signs))))
            raise ValueError(
                f"{path}, line {table.lines[ends[1]]}: {table.titles['voltage_v']} = "
                f"{volts[ends[1]]:g} V has another sign than {volts[ends[0]]:g} V in line "
                f"{table.lines[ends[0]]}; pulses that switch {name} have one polarity"
            )
    magnitudes: np.ndarray = np.abs(volts)
    return magnitudes

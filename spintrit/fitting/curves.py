"""Curves that ``spintrit.fitting.fit`` fits: switching probability by pulse length and voltage."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy import stats
from statsmodels.genmod.families.links import CLogLog, Logit, LogLog, Probit

LINKS = {"cloglog": CLogLog, "loglog": LogLog, "logit": Logit, "probit": Probit}
LENGTHS: dict[str, Callable[[np.ndarray], np.ndarray]] = {
    "pulse_ns": lambda pulse_s: pulse_s * 1e9,
    "ln_pulse_ns": lambda pulse_s: np.log(pulse_s * 1e9),
}
_READINGS = {
    ("cloglog", "ln_pulse_ns"): "thermal switching, 1 - exp(-(t / tau)^k)",
    ("loglog", "pulse_ns"): "precessional switching, exp(-A exp(-2 t / tau))",
}


@dataclass(frozen=True)
class Model:
    """A candidate: link, form of the pulse length, number of coefficients (2: length alone, 3:
    and voltage, 4: and their product)."""

    link: str
    length: str
    terms: int

    @property
    def names(self) -> tuple[str, ...]:
        """Names of the coefficients."""
        return ("intercept", self.length, "voltage_v", f"{self.length} * voltage_v")[: self.terms]

    def columns(self, pulse_s: np.ndarray, voltage_v: np.ndarray | float) -> np.ndarray:
        """Design matrix of shape (points, terms) for positive lengths."""
        x = LENGTHS[self.length](pulse_s)
        v = np.broadcast_to(voltage_v, x.shape)
        return np.stack([np.ones_like(x), x, v, x * v][: self.terms], axis=-1)

    def inverse(self, linear: np.ndarray) -> np.ndarray:
        """P from the linear predictor."""
        with np.errstate(over="ignore"):  # exp of a large number: the limit, 0 or 1, is right
            p: np.ndarray = LINKS[self.link]().inverse(linear)
            return p


@dataclass(frozen=True, eq=False)
class FittedCurve:
    """The fit of one direction.

    Parameters
    ----------
    name : str
        Name of the direction.
    model : Model
    coefficients : ndarray of shape (terms,), float
        Coefficients of the linear predictor, in nanoseconds and volts.
    covariance : ndarray of shape (terms, terms), float
        Covariance of the coefficients, at dispersion 1.
    dispersion : float
        Pearson chi^2 / ``freedom``.
    freedom : int
        Degrees of freedom: points minus coefficients, plus those of repeated rows if they differ.
    voltage_tolerance : float
        Relative difference below which voltages are equal.
    voltages_v, shortest_s, longest_s : ndarray of shape (voltages,), float
        Measured amplitudes, rising, and the ends of the lengths measured at each.
    facts : dict
        Other entries of the summary.
    """

    name: str
    model: Model
    coefficients: np.ndarray
    covariance: np.ndarray
    dispersion: float
    freedom: int
    voltage_tolerance: float
    voltages_v: np.ndarray
    shortest_s: np.ndarray
    longest_s: np.ndarray
    facts: dict[str, Any]

    @property
    def widening(self) -> float:
        """Root of the dispersion if that is above 1, else 1."""
        return float(max(1.0, self.dispersion) ** 0.5)

    def quantile(self, level: float) -> float:
        """Half-width of a two-sided band in standard errors."""
        law = stats.t(self.freedom) if self.dispersion > 1 else stats.norm
        return float(law.ppf(0.5 + level / 2))

    def reach_s(self, voltage_v: float) -> tuple[float, float]:
        """Shortest and longest length measured, between two voltages interpolated."""
        ends = [np.log(self.shortest_s), np.log(self.longest_s)]
        low, high = (float(np.exp(np.interp(voltage_v, self.voltages_v, end))) for end in ends)
        return low, high

    def at(self, pulse_s: np.ndarray, voltage_v: float, shift: float) -> np.ndarray:
        """P with the linear predictor moved by ``shift`` standard errors; 0 at length 0."""
        voltages = self.voltages_v
        near = max(1e-9, self.voltage_tolerance)
        if len(voltages) == 1 and not np.isclose(voltage_v, voltages[0], rtol=near, atol=0):
            raise ValueError(
                f"voltage_v must be {voltages[0]:g}, the only one measured for {self.name}, "
                f"not {voltage_v:g}"
            )

        def raw(lengths: np.ndarray) -> np.ndarray:
            columns = self.model.columns(lengths, voltage_v)
            error = np.sqrt(np.einsum("...i,ij,...j", columns, self.covariance, columns))
            return self.model.inverse(columns @ self.coefficients + shift * self.widening * error)

        found = raw(np.where(pulse_s > 0, pulse_s, 1e-9))
        if self.model.length == "pulse_ns":
            # g(P) at length 0 is finite here, P is not 0: a chord from (0, 0) bounds it.
            start, _ = self.reach_s(voltage_v)
            chord = raw(np.array(start)) * pulse_s / start
            found = np.where(pulse_s < start, np.minimum(found, chord), found)
        return np.where(pulse_s > 0, found, 0.0)

    def summary(self) -> dict[str, Any]:
        """The summary for JSON; see ``SwitchingFit.summary``."""
        errors = self.widening * np.sqrt(np.diag(self.covariance))
        pairs = zip(self.model.names, self.coefficients.tolist(), errors.tolist(), strict=True)
        return {
            "family": "quasi-binomial" if self.dispersion > 1 else "binomial",
            "link": self.model.link,
            "length": self.model.length,
            "reading": _READINGS.get((self.model.link, self.model.length), "empirical"),
            "coefficients": {
                name: {"value": value, "standard_error": error} for name, value, error in pairs
            },
            "dispersion": self.dispersion,
            "degrees_of_freedom": self.freedom,
            "voltages_v": self.voltages_v.tolist(),
            "shortest_s": self.shortest_s.tolist(),
            "longest_s": self.longest_s.tolist(),
            **self.facts,
        }

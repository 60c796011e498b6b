"""A documented fit to measured switching: a binomial generalised linear model with its bands.

Each direction is fitted by maximum likelihood (statsmodels; McCullagh and Nelder, Generalized
Linear Models, 2nd ed., 1989, ch. 4): g(P) = b0 + b1 x + b2 V + b3 x V, x the pulse length in ns or
its logarithm. Four links g are tried, because one of them makes each regime of switching a straight
line, exactly or nearly:

- cloglog, ln(-ln(1 - P)), in ln t: thermal switching, P = 1 - exp(-t / tau), slope 1; another slope
  is a stretched exponential (Weibull), tau falling exponentially with V is a term in V;
- loglog, -ln(-ln P), in t: precessional switching, P = exp(-A exp(-2 t / tau)) (Gompertz), the rate
  linear in V being the term in t V;
- logit and probit: symmetric sigmoids, for what lies between.

Of the models that do not fall with length or voltage anywhere in the measured range, the one with
the least AIC is taken (Akaike, IEEE Trans. Autom. Control 19, 716, 1974); where even the best has
a dispersion c = Pearson chi^2 / degrees of freedom above 1, the quasi-AIC, deviance / c + 2 k
(Lebreton et al., Ecol. Monogr. 62, 67, 1992). Rows that repeat a point are pooled before the fit,
so the dispersion is that of points, and rows that differ independently from point to point show in
it. Bands are normal on the link scale (delta method); a dispersion above 1 widens them by its root,
and Student's t takes the normal's place.
"""

import warnings
from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy import optimize, stats
from statsmodels.genmod.families import Binomial
from statsmodels.genmod.generalized_linear_model import GLM
from statsmodels.tools.sm_exceptions import PerfectSeparationWarning

from golden import checks
from golden.device.junction import DIRECTIONS
from spintrit.fitting.curves import LENGTHS, LINKS, FittedCurve, Model
from spintrit.fitting.measured import ALPHA, Measured

ASSUMED_TRIALS = 100  # a point, where only probabilities are given
LEAST_POINTS = 4  # a direction
LEAST_LENGTHS = 3  # a direction: through two, a curve of every form passes


@dataclass(frozen=True, eq=False)
class SwitchingFit:
    """Switching probability by pulse length and voltage, fitted to measurements.

    Lengths are in seconds and voltages in volts. At length 0 the probability and both ends of its
    band are 0. A model in ln t comes to 0 there by itself; one in t does not quite, and is
    bounded, below the shortest measured length, by the straight line from 0 to its value there.

    Parameters
    ----------
    curves : dict of int to FittedCurve
        By direction, as in ``golden.device.junction.DIRECTIONS``.
    source : str
        Name of the measured data.
    assumed_trials : int or None
        Trials per point where the measurement gives none.
    spread : dict of str to float
        "voltage" and "length": largest relative difference between values that counted as one.
    """

    curves: dict[int, FittedCurve]
    source: str
    assumed_trials: int | None
    spread: dict[str, float]

    def probability(self, direction: int, pulse_s: np.ndarray, voltage_v: float) -> np.ndarray:
        """Probability that pulses switch a cell that is yet to switch in ``direction``.

        Parameters
        ----------
        direction : int
            A value of ``golden.device.junction.DIRECTIONS``.
        pulse_s : ndarray of any shape, float
            Lengths, not negative.
        voltage_v : float
            Amplitude.

        Returns
        -------
        ndarray of the shape of ``pulse_s``, float in [0, 1]

        Raises
        ------
        TypeError, ValueError
            If an argument is out of range, ``direction`` was not measured, or only one voltage was
            and ``voltage_v`` is another: of its effect nothing is known.
        """
        curve, pulse_s, voltage_v = self._query(direction, pulse_s, voltage_v)
        return curve.at(pulse_s, voltage_v, 0.0)

    def band(
        self, direction: int, pulse_s: np.ndarray, voltage_v: float, level: float = 0.95
    ) -> tuple[np.ndarray, np.ndarray]:
        """Lower and upper end of the pointwise confidence band; arguments as ``probability``.

        ``level`` is the confidence of each point, above 0 and below 1. It is the chosen model's:
        that another model may be the true one is not in it, nor a systematic error.
        """
        curve, pulse_s, voltage_v = self._query(direction, pulse_s, voltage_v)
        width = curve.quantile(checks.real("level", level, 1e-9, 1 - 1e-9))
        return curve.at(pulse_s, voltage_v, -width), curve.at(pulse_s, voltage_v, width)

    def covers(self, direction: int, pulse_s: np.ndarray, voltage_v: float) -> np.ndarray:
        """Where the measurement reaches, bool; arguments as ``probability``.

        True between the shortest and the longest length measured at ``voltage_v`` (interpolated
        between measured voltages, logarithmic in length), and at length 0.
        """
        curve, pulse_s, voltage_v = self._query(direction, pulse_s, voltage_v)
        slack = 1 + 1e-9  # the ends themselves, rounded
        volts = 1 + max(1e-9, curve.voltage_tolerance)
        low, high = curve.reach_s(voltage_v)
        inside = (pulse_s >= low / slack) & (pulse_s <= high * slack)
        known = curve.voltages_v[0] / volts <= voltage_v <= curve.voltages_v[-1] * volts
        usable: np.ndarray = (pulse_s == 0) | (inside & known)
        return usable

    def summary(self) -> dict[str, Any]:
        """The fit and its quality, for JSON.

        By direction: family, link, form of the length and how it reads; coefficients with standard
        errors (widened as the bands are; nanoseconds and volts); dispersion, points, rows, trials
        and range; ``repeats``, how rows that repeat a point scatter; ``criterion`` and the table of
        ``candidates``, best first, those refused last with the reason; and the worst Pearson
        residual, in binomial standard errors, with the line of the first row of its point.
        """
        return {
            "source": self.source,
            "assumed_trials": self.assumed_trials,
            "spread": self.spread,
            "directions": {curve.name: curve.summary() for curve in self.curves.values()},
        }

    def _query(
        self, direction: int, pulse_s: np.ndarray, voltage_v: float
    ) -> tuple[FittedCurve, np.ndarray, float]:
        direction = checks.integer("direction", direction, 0, 1)
        if direction not in self.curves:
            known = ", ".join(curve.name for curve in self.curves.values())
            raise ValueError(f"direction must be {known}, the only one measured, not {direction}")
        pulse_s = np.asarray(pulse_s)
        flat = checks.finite("pulse_s", pulse_s.ravel(), 1)
        if (flat < 0).any():
            raise ValueError(f"pulse_s must not be negative, not {flat.min()}")
        voltage_v = checks.real("voltage_v", voltage_v, 0)
        return self.curves[direction], pulse_s.astype(float), voltage_v


def fit(measured: Measured, *, trials: int = ASSUMED_TRIALS) -> SwitchingFit:
    """Fit a generalised linear model to each direction measured; see the module for which.

    Parameters
    ----------
    measured : Measured
    trials : int, optional
        Assumed number of trials a point where ``measured`` gives none; it sets the width of the
        bands, and with them what the bands are worth.

    Raises
    ------
    TypeError, ValueError
        If an argument is wrong; naming the direction, if it has fewer than ``LEAST_POINTS`` points
        or ``LEAST_LENGTHS`` lengths, is all 0 or all 1, is perfectly separated (so steep that
        no model has a likeliest slope), or if no model converges and rises.
    """
    if not isinstance(measured, Measured):
        raise TypeError(f"measured must be a Measured, not {type(measured).__name__}")
    trials = checks.integer("trials", trials, 1, 10**12)
    curves = {
        code: _fit_direction(measured, name, measured.direction == code, trials)
        for name, code in DIRECTIONS.items()
        if (measured.direction == code).any()
    }
    assumed = trials if measured.trials is None else None
    return SwitchingFit(curves, measured.source, assumed, measured.spread)


@dataclass(frozen=True, eq=False)
class _Maximum:
    coefficients: np.ndarray
    covariance: np.ndarray
    deviance: float
    chi2: float
    residuals: np.ndarray


def _fit_direction(measured: Measured, name: str, mask: np.ndarray, assumed: int) -> FittedCurve:
    pulse_s, voltage_v, p = (
        array[mask] for array in (measured.pulse_s, measured.voltage_v, measured.probability)
    )
    trials = np.full(len(p), assumed) if measured.trials is None else measured.trials[mask]
    where = f"{measured.source}: {name}"
    if len(p) < LEAST_POINTS:
        raise ValueError(
            f"{where}: at least {LEAST_POINTS} points are needed, not {len(p)}; rows with the same "
            "voltage and length are one"
        )
    lengths = len(np.unique(pulse_s))
    if lengths < LEAST_LENGTHS:
        raise ValueError(f"{where}: at least {LEAST_LENGTHS} lengths are needed, not {lengths}")
    if p.max() == 0 or p.min() == 1:
        raise ValueError(f"{where}: every probability is {p[0]:g}; the rise must be measured, too")

    try:
        table, usable = _candidates(pulse_s, voltage_v, p, trials)
    except np.linalg.LinAlgError as error:
        raise ValueError(f"{where}: no model fits: {error}") from None
    if not usable:
        reasons = sorted({row["refused"] for row in table})
        raise ValueError(f"{where}: no model fits: {', '.join(reasons)}")
    scale = max(1.0, min(row["dispersion"] for row in table if not row["refused"]))
    scores = [found.deviance / scale + 2 * model.terms for found, model in usable]
    best = int(np.argmin(scores))
    for row, score in zip((row for row in table if not row["refused"]), scores, strict=True):
        row["delta_aic"] = float(score - scores[best])
    table.sort(key=lambda row: row.get("delta_aic", np.inf))

    found, model = usable[best]
    worst = int(np.argmax(np.abs(found.residuals)))
    voltages = np.unique(voltage_v)
    groups = [pulse_s[voltage_v == voltage] for voltage in voltages]
    assert measured.lines is not None  # set on construction
    return FittedCurve(
        name=name,
        model=model,
        coefficients=found.coefficients,
        covariance=found.covariance,
        dispersion=found.chi2 / (len(p) - model.terms),
        freedom=len(p) - model.terms,
        voltage_tolerance=measured.voltage_tolerance,
        voltages_v=voltages,
        shortest_s=np.array([group.min() for group in groups]),
        longest_s=np.array([group.max() for group in groups]),
        facts={
            "points": len(p),
            "rows": int(measured.rows[mask].sum()),
            "trials": int(trials.sum()),
            "repeats": _repeats(measured, mask),
            "worst_residual": {
                "standard_errors": float(found.residuals[worst]),
                "line": int(measured.lines[mask][worst]),
            },
            "criterion": "quasi-AIC" if scale > 1 else "AIC",
            "candidates": table,
        },
    )


def _repeats(measured: Measured, mask: np.ndarray) -> dict[str, Any]:
    """How rows that repeat a point scatter about it; it changes nothing in the fit, which is the
    same however shots are cut into rows."""
    chi2, freedom = float(measured.chi2[mask].sum()), int(measured.freedom[mask].sum())
    chance = float(stats.chi2.sf(chi2, freedom)) if freedom else None
    return {
        "degrees_of_freedom": freedom,
        "dispersion": chi2 / freedom if freedom else None,
        "chance": chance,
        "differ": chance is not None and chance < ALPHA,
    }


def _candidates(
    pulse_s: np.ndarray, voltage_v: np.ndarray, p: np.ndarray, trials: np.ndarray
) -> tuple[list[dict[str, Any]], list[tuple[_Maximum, Model]]]:
    """A row for each model, and, in the order of those not refused, their maxima."""
    table: list[dict[str, Any]] = []
    usable: list[tuple[_Maximum, Model]] = []
    for length in LENGTHS:
        for terms in (2, 3, 4) if len(np.unique(voltage_v)) > 1 else (2,):
            refusal = _refusal(Model("logit", length, terms), pulse_s, voltage_v, p)
            for link in LINKS:
                model = Model(link, length, terms)
                row: dict[str, Any] = {
                    "link": link,
                    "predictors": list(model.names[1:]),
                    "refused": refusal,
                }
                table.append(row)
                if refusal:
                    continue
                found = _maximise(model, model.columns(pulse_s, voltage_v), p, trials)
                if found is None:
                    row["refused"] = "did not converge"
                elif not _rises(model, found.coefficients, pulse_s, voltage_v):
                    row["refused"] = "falls within the measured range"
                else:
                    row["deviance"] = found.deviance
                    row["dispersion"] = found.chi2 / (len(p) - terms)
                    usable.append((found, model))
    return table, usable


def _refusal(model: Model, pulse_s: np.ndarray, voltage_v: np.ndarray, p: np.ndarray) -> str:
    """Why no link has a unique finite maximum of the likelihood, or nothing.

    Separation: some direction b of the coefficients has x b >= 0 wherever a trial switched and
    x b <= 0 wherever one did not, but not 0 all over (Albert and Anderson, Biometrika 71, 1, 1984;
    as a linear programme: Konis, thesis, Oxford, 2007).
    """
    columns = model.columns(pulse_s, voltage_v)
    columns /= np.linalg.norm(columns, axis=0)
    if len(p) <= model.terms or np.linalg.matrix_rank(columns, tol=1e-6) < model.terms:
        return "more coefficients than the points determine"
    columns = np.linalg.qr(columns)[0]  # the same models, well conditioned
    mixed = (p > 0) & (p < 1)
    signed = np.where(p > 0, 1.0, -1.0)[:, None] * columns
    pure = signed[~mixed]
    found = optimize.linprog(
        -pure.sum(axis=0),
        A_ub=-pure,
        b_ub=np.zeros(len(pure)),
        A_eq=columns[mixed],
        b_eq=np.zeros(int(mixed.sum())),
        bounds=(-1, 1),
    )
    separated = found.status != 0 or -found.fun > 1e-7
    return (
        "perfect separation of what switched from what did not (measure more lengths or voltages "
        "at which some pulses switch and some do not)"
        if separated
        else ""
    )


def _maximise(
    model: Model, columns: np.ndarray, p: np.ndarray, trials: np.ndarray
) -> _Maximum | None:
    """The maximum of the likelihood, or None if the iteration does not converge."""
    counts = np.stack([p * trials, (1 - p) * trials], axis=1)
    # exp of a large number, in a tail or on the way: the limit, 0 or 1, is right
    with warnings.catch_warnings(), np.errstate(over="ignore"):
        # It takes an exact fit for separation, which is tested for, exactly, in _refusal.
        warnings.simplefilter("ignore", PerfectSeparationWarning)
        # Judged by the coefficients: the deviance of many trials is only so exact in floats.
        result = GLM(counts, columns, Binomial(LINKS[model.link]())).fit(
            maxiter=200, tol_criterion="params", tol=1e-8, rtol=1e-8
        )
        found = _Maximum(
            result.params,
            result.cov_params(),
            float(result.deviance),
            float(result.pearson_chi2),
            result.resid_pearson,
        )
    finite = all(np.isfinite(value).all() for value in vars(found).values())
    return found if result.converged and finite else None


def _rises(
    model: Model, coefficients: np.ndarray, pulse_s: np.ndarray, voltage_v: np.ndarray
) -> bool:
    """Whether P falls nowhere in the measured range: its slopes are linear, so corners suffice."""
    _, by_length, by_voltage, by_both = [*coefficients, 0.0, 0.0][:4]
    x = LENGTHS[model.length](pulse_s)
    in_length = [by_length + by_both * v for v in (voltage_v.min(), voltage_v.max())]
    in_voltage = [by_voltage + by_both * end for end in (x.min(), x.max())]
    return bool(min(*in_length, *in_voltage) >= 0)

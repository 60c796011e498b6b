"""Fits to measured switching, against likelihoods written here in numpy."""

import json
import types
from pathlib import Path

import numpy as np
import pytest
from measurements import measure, points, precessional, thermal
from scipy import optimize, special, stats

from golden.codes import AP_TO_P, P_TO_AP
from golden.device.junction import DIRECTIONS
from spintrit.fitting import fit as fit_module
from spintrit.fitting.curves import LENGTHS, LINKS
from spintrit.fitting.fit import fit
from spintrit.fitting.measured import read_csv

EXAMPLES = Path(__file__).parents[2] / "docs" / "examples"
# P = inverse(linear), not statsmodels'.
INVERSE = {
    "cloglog": lambda z: -np.expm1(-np.exp(z)),
    "loglog": lambda z: np.exp(-np.exp(-z)),
    "logit": special.expit,
    "probit": special.ndtr,
}


def only(measured, **kwargs):
    """The fit and the summary of its one direction."""
    found = fit(measured, **kwargs)
    [summary] = found.summary()["directions"].values()
    return found, summary


@pytest.mark.parametrize("voltage_v", [[1.0], [0.9, 1.0, 1.1]])
@pytest.mark.parametrize("length", LENGTHS)
@pytest.mark.parametrize("link", LINKS)
def test_fit_is_the_likeliest(monkeypatch, link, length, voltage_v):
    """Coefficients, errors, deviance and band against scipy's minimum of a likelihood in numpy.

    The data are the link's own, so that the dispersion is near 1 and every link converges.
    """
    monkeypatch.setattr(fit_module, "LINKS", {link: LINKS[link]})
    monkeypatch.setattr(fit_module, "LENGTHS", {length: LENGTHS[length]})
    inverse = INVERSE[link]

    def form(pulse_ns):
        return np.log(pulse_ns) if length == "ln_pulse_ns" else pulse_ns

    def law(pulse_ns, voltage_v):
        # In the middle at 1.3 ns and 1 V, most of the rise within about 1 ns.
        return inverse(2.5 * (form(pulse_ns) - form(1.3)) + 6 * (voltage_v - 1))

    rng = np.random.default_rng(7)
    measured = measure(rng, law, np.linspace(0.4, 3, 10), voltage_v)
    found, summary = only(measured)
    names = list(summary["coefficients"])
    assert len(names) == 2 if len(voltage_v) == 1 else len(names) >= 3

    def design(pulse_s, voltage_v):
        x, v = form(pulse_s * 1e9), voltage_v
        return np.stack([np.ones_like(x), x, v + 0 * x, x * v][: len(names)], axis=1)

    columns, n = design(measured.pulse_s, measured.voltage_v), measured.trials
    k = measured.probability * n
    tiny = 1e-300  # the saturated points: ln of 0 times 0

    def loss(b):
        p = inverse(columns @ b)
        q = 1 - p
        return -np.sum(k * np.log(p + tiny) + (n - k) * np.log(q + tiny))

    value = np.array([each["value"] for each in summary["coefficients"].values()])
    error = np.array([each["standard_error"] for each in summary["coefficients"].values()])
    p0 = np.clip(measured.probability, 0.01, 0.99)
    start = np.linalg.lstsq(columns, LINKS["logit"]()(p0), rcond=None)[0]
    steps = {"xatol": 1e-9, "fatol": 1e-10, "maxiter": 40_000, "maxfev": 40_000, "adaptive": True}
    best = optimize.minimize(loss, start, method="Nelder-Mead", options=steps)
    best = optimize.minimize(loss, best.x, method="Nelder-Mead", options=steps)
    np.testing.assert_allclose(value, best.x, rtol=0, atol=2e-3 * error.min())

    shares = np.where((k > 0) & (k < n), k / n, 0.5)
    saturated = -np.sum(
        np.where((k > 0) & (k < n), k * np.log(shares) + (n - k) * np.log(1 - shares), 0)
    )
    [row] = [r for r in summary["candidates"] if r["predictors"] == names[1:]]
    assert row["deviance"] == pytest.approx(2 * (best.fun - saturated), abs=1e-5)

    h = 1e-5
    z = columns @ best.x
    p, slope = inverse(z), (inverse(z + h) - inverse(z - h)) / (2 * h)
    inner = (p > 1e-12) & (p < 1 - 1e-12)
    weight = (n * slope**2)[inner] / (p * (1 - p))[inner]
    covariance = np.linalg.inv((columns[inner].T * weight) @ columns[inner])
    pearson = np.sum(((k - n * p) ** 2)[inner] / (n * p * (1 - p))[inner])
    freedom = len(k) - len(names)
    assert summary["degrees_of_freedom"] == freedom
    assert summary["dispersion"] == pytest.approx(pearson / freedom, rel=1e-3)
    widening = max(1, pearson / freedom) ** 0.5
    np.testing.assert_allclose(error, widening * np.sqrt(np.diag(covariance)), rtol=2e-3)

    query = np.array([0.8, 1.3, 2.0]) * 1e-9
    at = design(query, 1.0)
    spread = widening * np.sqrt(np.sum(at @ covariance * at, axis=1))
    law_of_band = stats.t(freedom) if widening > 1 else stats.norm
    low, high = found.band(AP_TO_P, query, 1.0, level=0.9)
    for have, sign in ((low, -1), (found.probability(AP_TO_P, query, 1.0), 0), (high, 1)):
        want = inverse(at @ best.x + sign * law_of_band.ppf(0.95) * spread)
        np.testing.assert_allclose(have, want, atol=1e-4)


@pytest.mark.parametrize(
    ("law", "pulse_ns", "link", "length", "reading"),
    [
        (thermal, np.geomspace(1, 100, 10), "cloglog", "ln_pulse_ns", "thermal"),
        (precessional, np.linspace(0.4, 3, 10), "loglog", "pulse_ns", "precessional"),
    ],
)
def test_the_right_family_is_chosen(law, pulse_ns, link, length, reading):
    """In each of 20 seeded sets, with 3 voltages and 1000 trials a point."""
    rng = np.random.default_rng(2)
    voltage_v = [0.25, 0.3, 0.35] if law is thermal else [0.9, 1.0, 1.1]
    for _ in range(20):
        found, summary = only(measure(rng, law, pulse_ns, voltage_v, trials=1000))
        assert (summary["link"], summary["length"]) == (link, length)
        assert summary["reading"].startswith(reading)
        have = found.probability(AP_TO_P, pulse_ns * 1e-9, voltage_v[1])
        # Four standard errors or more: below 0.016 for one point alone, and some ten inform.
        np.testing.assert_allclose(have, law(pulse_ns, voltage_v[1]), atol=0.03)
    first = summary["candidates"][0]
    assert (first["link"], first["delta_aic"], first["refused"]) == (link, 0, "")
    deltas = [row["delta_aic"] for row in summary["candidates"] if not row["refused"]]
    assert deltas == sorted(deltas)
    assert len(summary["candidates"]) == 24


def coverage(rng, sets, query_ns, **kwargs):
    """Share of fits whose 95 % band holds the true value, by query."""
    true = thermal(query_ns, 0.3)
    hits = np.zeros(len(query_ns), dtype=int)
    for _ in range(sets):
        found = fit(measure(rng, thermal, voltage_v=[0.3], **kwargs))
        low, high = found.band(AP_TO_P, query_ns * 1e-9, 0.3)
        hits += (low <= true) & (true <= high)
    return hits


@pytest.mark.full
@pytest.mark.no_cover  # many fits, all alike
def test_band_covers_as_often_as_it_says():
    """Binomial data: hits within the central 99.9 % of what 95 % gives, choice of model included.

    The dispersion can only widen, so a little more than 95 % is to be expected.
    """
    rng = np.random.default_rng(3)
    hits = coverage(
        rng, 200, np.array([3.0, 15.0, 60.0]), pulse_ns=np.geomspace(1, 150, 10), trials=400
    )
    low, high = stats.binom.interval(0.999, 200, 0.95)
    assert ((low <= hits) & (hits <= high)).all(), hits


def test_band_is_widened_by_overdispersion():
    """Beta-binomial data of dispersion 3: at least the lower end of the central 99.9 % of 95 %.

    An unwidened band would reach 1.96 / sqrt(3) standard errors: 74 %.
    """
    rng = np.random.default_rng(4)
    trials, dispersion = 300, 3.0
    total = (trials - 1) / (dispersion - 1) - 1  # of the beta's parameters

    def switched(p):
        return rng.binomial(trials, rng.beta(total * p, total * (1 - p)))

    hits = coverage(
        rng, 120, np.array([15.0]), pulse_ns=np.geomspace(1.5, 60, 8), trials=trials,
        switched=switched,
    )  # fmt: skip
    assert hits[0] >= stats.binom.ppf(0.0005, 120, 0.95), hits


def test_overdispersion_is_told():
    measured = points([0.02, 0.35, 0.36, 0.8, 0.8, 0.97], 1000)
    _, summary = only(measured)
    assert summary["dispersion"] > 10
    assert (summary["family"], summary["criterion"]) == ("quasi-binomial", "quasi-AIC")
    k, n = measured.probability * 1000, 1000
    worst = summary["worst_residual"]
    assert abs(worst["standard_errors"]) > 3
    assert worst["line"] in measured.lines
    found = fit(measured)
    p = found.probability(AP_TO_P, measured.pulse_s, 1.0)
    residuals = (k - n * p) / np.sqrt(n * p * (1 - p))
    at = int(np.argmax(np.abs(residuals)))
    assert worst["line"] == at + 1
    assert worst["standard_errors"] == pytest.approx(residuals[at], rel=1e-6)


def test_without_trials_their_number_is_assumed():
    """An exact curve is found, with the bands of the assumed number."""
    pulse_ns = np.geomspace(1, 100, 8)
    measured = points(thermal(pulse_ns, 0.3), pulse_s=pulse_ns * 1e-9)
    query = np.array([15e-9])
    widths = []
    for trials in (100, 400):
        found, summary = only(measured, trials=trials)
        assert found.summary()["assumed_trials"] == trials
        assert (summary["family"], summary["link"]) == ("binomial", "cloglog")
        assert summary["coefficients"]["ln_pulse_ns"]["value"] == pytest.approx(1)
        low, high = found.band(AP_TO_P, query, 1.0)
        widths.append(high[0] - low[0])
    assert widths[0] == pytest.approx(2 * widths[1], rel=0.02)
    default = fit(measured).band(AP_TO_P, query, 1.0)
    assert default[1] - default[0] == pytest.approx(widths[0])
    assert fit(points([0.1, 0.4, 0.7, 0.9], 50)).summary()["assumed_trials"] is None


def test_directions_are_fitted_apart():
    found = fit(read_csv(EXAMPLES / "measured.csv"))
    query = np.array([1.2e-9])
    back = np.exp(-80 * np.exp(-1.2 * 5.5))
    for direction, true in ((AP_TO_P, precessional(1.2, 1.0)), (P_TO_AP, back)):
        low, high = found.band(direction, query, 1.0, level=0.9999)
        assert low < true < high
        assert found.probability(direction, query, 1.0) == pytest.approx(true, abs=0.05)
    summary = json.loads(json.dumps(found.summary(), allow_nan=False))
    assert list(summary["directions"]) == list(DIRECTIONS)
    for one in summary["directions"].values():
        assert (one["points"], one["trials"], one["voltages_v"]) == (36, 10_800, [0.9, 1.0, 1.1])


@pytest.mark.parametrize("law", [thermal, precessional])
def test_curve_starts_at_zero_and_rises(law):
    rng = np.random.default_rng(5)
    short = law is precessional
    # Starting at 1 ns, the fit in the length itself leaves a few thousandths at length 0.
    pulse_ns = np.linspace(1, 3, 8) if short else np.geomspace(1, 100, 10)
    voltage_v = 1.0 if short else 0.3
    found, summary = only(measure(rng, law, pulse_ns, [voltage_v], trials=5000))
    assert summary["length"] == ("pulse_ns" if short else "ln_pulse_ns")
    pulse_s = np.concatenate([[0, 1e-30, 1e-15], np.linspace(1e-12, pulse_ns[-1] * 2e-9, 5000)])
    p = found.probability(AP_TO_P, pulse_s, voltage_v)
    assert p[0] == 0
    assert p[1] < 1e-9
    assert (np.diff(p) >= 0).all()
    # Continuous too: no step of more than the steepest part of the laws takes.
    assert np.diff(p[3:]).max() < 0.02
    low, high = found.band(AP_TO_P, pulse_s, voltage_v)
    assert low[0] == high[0] == 0
    assert (low <= p).all()
    assert (p <= high).all()


def test_chord_bounds_what_a_model_in_the_length_leaves_at_zero():
    found, summary = only(points([0.3, 0.5, 0.7, 0.9], 1000))
    assert summary["length"] == "pulse_ns"
    start = found.probability(AP_TO_P, np.array([1e-9]), 1.0)
    assert found.probability(AP_TO_P, np.array([1e-10]), 1.0) == pytest.approx(start / 10)


def test_shapes_and_cover():
    pulse_ns = np.array([1.0, 2, 3, 4, 10, 20, 30, 40])
    measured = points(
        [0.1, 0.3, 0.6, 0.8, 0.1, 0.3, 0.6, 0.8], 100, pulse_ns * 1e-9, [2.0] * 4 + [1.0] * 4
    )
    found = fit(measured)
    lengths = np.array([[0, 0.9, 1.0, 3.9], [4.0, 4.1, 10, 40]]) * 1e-9
    assert found.probability(AP_TO_P, lengths, 1.5).shape == (2, 4)
    assert found.probability(AP_TO_P, np.array(2e-9), 2.0).shape == ()
    yes, no = True, False
    assert found.covers(AP_TO_P, lengths, 2.0).tolist() == [[yes, no, yes, yes], [yes, no, no, no]]
    assert found.covers(AP_TO_P, lengths, 1.0).tolist() == [[yes, no, no, no], [no, no, yes, yes]]
    middle = [[yes, no, no, yes], [yes, yes, yes, no]]  # 3.2 to 12.6 ns
    assert found.covers(AP_TO_P, lengths, 1.5).tolist() == middle
    assert found.covers(AP_TO_P, lengths, 2.1).tolist() == [[yes, no, no, no], [no] * 4]


@pytest.mark.parametrize(
    ("measured", "message"),
    [
        (points([0.1, 0.5, 0.9]), "at least 4 points are needed, not 3"),
        (
            points([0.1, 0.5, 0.6, 0.7], None, [1e-9, 2e-9] * 2, [1.0, 1.0, 2.0, 2.0]),
            "at least 3 lengths are needed, not 2",
        ),
        (points([0.0] * 5), "every probability is 0; the rise must be measured, too"),
        (points([1.0] * 5, 10), "every probability is 1; the rise must be measured, too"),
        (points([0.0, 0, 1, 1], 10), "no model fits: perfect separation of what switched from"),
        (points([0.0, 0, 0.5, 1, 1], 10), "no model fits: perfect separation of what switched "),
    ],
)
def test_data_that_no_fit_is_for(measured, message):
    with pytest.raises(ValueError, match=f"^measured: AP_to_P: {message}"):
        fit(measured)


def test_length_and_voltage_that_go_together_are_not_told_apart():
    """One length at each voltage: a model of both has no unique fit, one of the length has."""
    measured = points([0.1, 0.2, 0.4, 0.6, 0.9], 100, None, [1.0, 1.1, 1.2, 1.3, 1.4])
    _, summary = only(measured)
    assert len(summary["coefficients"]) == 2
    assert {row["refused"] for row in summary["candidates"] if len(row["predictors"]) > 1} >= {
        "more coefficients than the points determine"
    }


def test_far_tails_and_many_trials_raise_no_warning():
    """Lengths over eight decades and a billion trials: exponents beyond what floats hold."""
    pulse_ns = np.geomspace(0.1, 1e7, 17)
    rng = np.random.default_rng(6)
    found, summary = only(measure(rng, thermal, pulse_ns, [0.3], trials=10**9))
    assert (summary["link"], summary["length"]) == ("cloglog", "ln_pulse_ns")
    pulse_s = np.array([0, 1e-300, 1e-30, 1, 1e6])
    assert found.probability(AP_TO_P, pulse_s, 0.3) == pytest.approx([0, 0, 0, 1, 1], abs=1e-15)


def test_steepest_that_is_not_separated_fits():
    found, _ = only(points([0.0, 0, 0.4, 0.6, 1, 1], 10))
    assert found.probability(AP_TO_P, np.array([3.5e-9]), 1.0) == pytest.approx(0.5, abs=0.05)


def test_voltage_that_decides_nothing_is_left_out():
    """Alike at both voltages but for a chance fall: a model without the voltage is taken."""
    rise = [0.1, 0.3, 0.6, 0.9]
    measured = points(
        rise + [p - 0.005 for p in rise], 1000, [1e-9, 2e-9, 3e-9, 4e-9] * 2, [1.0] * 4 + [1.1] * 4
    )
    _, summary = only(measured)
    assert len(summary["coefficients"]) == 2
    refused = {row["refused"] for row in summary["candidates"]}
    assert "falls within the measured range" in refused


def test_what_does_not_converge_is_refused(monkeypatch):
    measured = points([0.1, 0.3, 0.6, 0.9], 100)
    real = fit_module.GLM.fit

    def stopped(self, **kwargs):
        return real(self, **{**kwargs, "maxiter": 1})

    monkeypatch.setattr(fit_module.GLM, "fit", stopped)
    with pytest.raises(ValueError, match=r"^measured: AP_to_P: no model fits: did not converge$"):
        fit(measured)


def test_trouble_in_linear_algebra_names_the_data(monkeypatch):
    def stopped(*_):
        raise np.linalg.LinAlgError("SVD did not converge")

    monkeypatch.setattr(fit_module, "_refusal", stopped)
    with pytest.raises(ValueError, match=r"^measured: AP_to_P: no model fits: SVD did not"):
        fit(points([0.1, 0.3, 0.6, 0.9], 100))


def test_one_that_does_not_converge_is_passed_over(monkeypatch):
    measured = points([0.1, 0.3, 0.6, 0.9], 100)
    best = only(measured)[1]["link"]
    real = fit_module._maximise

    def passing(model, *args):
        return None if model.link == best else real(model, *args)

    monkeypatch.setattr(fit_module, "_maximise", passing)
    summary = only(measured)[1]
    assert summary["link"] != best
    lost = [row for row in summary["candidates"] if row["refused"] == "did not converge"]
    assert [row["link"] for row in lost] == [best, best]


@pytest.mark.parametrize(
    ("arguments", "error", "message"),
    [
        ((2, [1e-9], 1.0), ValueError, "^direction must be in 0 to 1, not 2"),
        (("AP_to_P", [1e-9], 1.0), TypeError, "^direction must be an integer"),
        ((P_TO_AP, [1e-9], 1.0), ValueError, "^direction must be AP_to_P, the only one measured"),
        ((AP_TO_P, [-1e-9], 1.0), ValueError, "^pulse_s must not be negative, not -1e-09"),
        ((AP_TO_P, [np.nan], 1.0), ValueError, r"^pulse_s\[0\] must be finite"),
        ((AP_TO_P, [1e-9], -1.0), ValueError, "^voltage_v must be finite and at least 0"),
        ((AP_TO_P, [1e-9], 0.9), ValueError, "^voltage_v must be 1, the only one measured for AP"),
    ],
)
def test_queries_are_checked(arguments, error, message):
    found = fit(points([0.1, 0.3, 0.6, 0.9], 100))
    direction, pulse_s, voltage_v = arguments
    for ask in (found.probability, found.band):
        with pytest.raises(error, match=message):
            ask(direction, np.array(pulse_s), voltage_v)
    if voltage_v == 0.9:
        assert not found.covers(direction, np.array(pulse_s), voltage_v)


def test_arguments_are_checked():
    measured = points([0.1, 0.3, 0.6, 0.9])
    with pytest.raises(TypeError, match=r"^measured must be a Measured, not SimpleNamespace"):
        fit(types.SimpleNamespace())
    with pytest.raises(ValueError, match=r"^trials must be in 1 to "):
        fit(measured, trials=0)
    with pytest.raises(ValueError, match=r"^level must be finite and in 1e-09 to 1, not 1"):
        fit(measured).band(AP_TO_P, np.array([1e-9]), 1.0, level=1.0)

"""Calibrated curves against fresh simulations and the Fokker-Planck equation."""

import dataclasses
import math

import numpy as np
import pytest
from fokker_planck import probability as fokker_planck

from golden import device
from golden.codes import AP_TO_P, P_TO_AP
from golden.device import curve, levels, macrospin, switching
from golden.device.junction import DIRECTIONS

DEFAULT, RETENTION = device.load("default"), device.load("retention")
TOLERANCE = 0.03  # what a curve may be off by
SIGMAS = 5.0


def margin(p, trials):
    """Five standard errors of a binomial share, at worst 6e-7 by chance."""
    return SIGMAS * np.sqrt(np.maximum(p * (1 - p), 0.01) / trials)


def along(made, direction, count):
    """Lengths from the foot of the rise to beyond its top, in whole time steps."""
    levels = np.array([0.02, 0.98])
    low, high = made.length(direction, levels, made.device.t_write_s)
    lengths = np.linspace(0.8 * low, min(1.4 * high, made.device.t_write_s), count)
    return np.rint(lengths / macrospin.DT_S) * macrospin.DT_S


# --- calibrated ---


@pytest.fixture(scope="module")
def small():
    """A device that is quickly simulated, and its curve of few trials."""
    junction = dataclasses.replace(DEFAULT, t_write_s=0.8e-9, v_write_v=1.5)
    return curve.calibrated(junction, trials=1000, seed=1)


@pytest.mark.parametrize("direction", DIRECTIONS.values(), ids=DIRECTIONS)
def test_calibration_gives_a_fresh_simulation_back(small, direction):
    pulse_s, trials = along(small, direction, 8), 2000
    fresh = macrospin.probability(small.device, direction, pulse_s, trials=trials, seed=99)
    p = small.probability(direction, pulse_s)
    # Both the curve's own trials and the fresh ones are few.
    allowed = TOLERANCE + margin(p, trials)
    assert (np.abs(p - fresh) <= allowed).all()
    assert fresh.min() < 0.1 < 0.9 < fresh.max()


def test_calibration_tells_where_it_comes_from(small):
    assert small.provenance == {
        "model": "macrospin", "trials": 1000, "seed": 1, "dt_s": macrospin.DT_S, "v_write_v": 1.5,
    }  # fmt: skip
    for part in small.levels:
        assert all((np.diff(knots, axis=0) > 0).all() for knots in part.knots)


def test_points_weigh_as_their_counts_scatter():
    trials = 4000
    p = np.linspace(0.02, 0.98, 25)
    rng = np.random.default_rng(3)
    y = levels.exponent_of(rng.binomial(trials, p, (4000, 25)) / trials)
    # 4000 samples give a standard deviation to 1 %; the rest is to first order.
    assert y.std(axis=0) * levels.weights(p, trials) == pytest.approx(np.ones(25), abs=0.1)


def line(x, y, trials=1_000_000_000, count=12, tie=0.0):
    return levels.rising_line(x, np.exp(-np.exp(y)), trials, count, tie)


def test_knots_without_points_stay_on_the_way():
    # Twelve points in two heaps: no line of twelve knots is decided by them.
    x = np.concatenate([np.linspace(-4, -3.9, 6), np.linspace(0, 0.1, 6)])
    knots = line(x, x + 1)
    assert knots[:, 1] == pytest.approx(knots[:, 0] + 1, abs=1e-6)


def test_few_points_do_not_throw_knots_away():
    # As simulated for a voltage that hardly switches: eight points, dense at one end.
    x = np.array([1.28319, 1.19541, 1.12482, 1.06525, 1.01327, 0.96683, 0.92459, 0.88566])
    p = np.array([0.00244, 0.00562, 0.01306, 0.02039, 0.03064, 0.03931, 0.05127, 0.06335])
    knots = levels.rising_line(x, p, 8192, 8, tie=3.0)
    assert levels.corrected(knots, x) == pytest.approx(levels.exponent_of(p), abs=0.1)
    # Without what ties them to the points some knots go astray.
    assert levels.rising_line(x, p, 8192, 8)[:, 1].max() > 3


def test_line_through_exact_points_is_their_own():
    rng = np.random.default_rng(1)
    x = np.sort(rng.uniform(-8, 1, 400))
    y = np.where(x < -2, 0.5 * x, 1.5 * x + 2) - 2.5
    knots = line(x, y)
    assert np.interp(x, *knots.T) == pytest.approx(y, abs=0.15)
    noisy = y + rng.normal(0, 0.05, 400)
    assert np.abs(np.interp(x, *line(x, noisy).T) - y)[20:-20].max() < 0.2


def test_too_weak_a_pulse_is_told():
    weak = dataclasses.replace(DEFAULT, v_write_v=0.15)
    message = r"^device default: pulses of v_write_v = 0\.15 up to t_write_s = 2e-09 do not cover "
    with pytest.raises(ValueError, match=message + "the range of AP_to_P switching$"):
        curve.calibrated(weak, trials=1000)


@pytest.mark.parametrize(
    ("arguments", "error", "message"),
    [
        ({"trials": 999}, ValueError, r"^trials must be at least 1000, not 999$"),
        ({"trials": 2000.0}, TypeError, r"^trials must be an integer, not 2000\.0$"),
        ({"seed": -1}, ValueError, r"^seed must be at least 0, not -1$"),
    ],
)
def test_bad_calibrations_are_refused(arguments, error, message):
    with pytest.raises(error, match=message):
        curve.calibrated(DEFAULT, **arguments)


# --- kept ---


@pytest.mark.parametrize("name", device.names())
def test_every_named_device_has_a_curve_for_good_reasons(name):
    made = curve.load(device.load(name))
    assert made.provenance["trials"] >= curve.TRIALS
    assert made.provenance["model"] == "macrospin"
    assert made.provenance["v_write_v"] == made.device.v_write_v
    assert made.provenance["dt_s"] == macrospin.DT_S
    for direction, part in zip(DIRECTIONS.values(), made.levels, strict=True):
        assert all((np.diff(knots, axis=0) > 0).all() for knots in part.knots)
        assert (np.diff(part.overdrive) > 0).all()
        # From nothing to well above the write voltage, which has the very level of its own.
        write = switching.drive(made.device, direction).overdrive
        assert part.overdrive[0] == 0
        assert part.overdrive[-1] > 1.5 * write
        assert write in part.overdrive
    assert curve.as_dict(curve.from_dict(made.device, curve.as_dict(made))) == curve.as_dict(made)


@pytest.mark.parametrize("direction", DIRECTIONS.values(), ids=DIRECTIONS)
@pytest.mark.parametrize("name", device.names())
def test_kept_curve_gives_a_fresh_simulation_back(name, direction):
    made, trials = curve.load(device.load(name)), 1024
    pulse_s = along(made, direction, 6)
    fresh = macrospin.probability(
        made.device, direction, pulse_s, trials=trials, seed=77, dt_s=macrospin.DT_S
    )
    p = made.probability(direction, pulse_s)
    assert (np.abs(p - fresh) <= TOLERANCE + margin(p, trials)).all(), (p, fresh)


@pytest.mark.parametrize("direction", DIRECTIONS.values(), ids=DIRECTIONS)
def test_kept_curve_against_fokker_and_planck(direction):
    # No trials here, hence no margin; the formula's own error is several times that.
    made, step_s = curve.load(RETENTION), 0.05e-9
    exact = fokker_planck(RETENTION, direction, step_s, 80)
    p = made.probability(direction, step_s * np.arange(1, 81))
    assert exact[0] < 1e-6 < 0.999 < exact[-1]
    assert np.abs(p - exact).max() < 0.01


@pytest.mark.parametrize("share", [0.8, 0.9, 1.1])
@pytest.mark.parametrize("direction", DIRECTIONS.values(), ids=DIRECTIONS)
def test_kept_curve_holds_at_neighbouring_voltages(direction, share):
    made, step_s, volts = curve.load(RETENTION), 0.1e-9, share * RETENTION.v_write_v
    exact = fokker_planck(RETENTION, direction, step_s, 60, voltage_v=volts)
    drive = switching.drive(RETENTION, direction, volts)
    p = made.probability(direction, step_s * np.arange(1, 61), drive)
    assert np.abs(p - exact).max() < 0.05
    nominal = made.probability(direction, step_s * np.arange(1, 61))
    assert np.abs(nominal - exact).max() > 2 * np.abs(p - exact).max()


def test_identity_depends_on_all_that_switching_does():
    same = ("name", "source", "geometry", "v_read_v", "t_read_s")
    for field in dataclasses.fields(DEFAULT):
        if field.name not in same:
            value = 2.0 if math.isinf(getattr(DEFAULT, field.name)) else None
            value = value or getattr(DEFAULT, field.name) * 1.001 or 1.0
            other = dataclasses.replace(DEFAULT, **{field.name: value})
            assert curve.identity(other) != curve.identity(DEFAULT), field.name
    flipped = dataclasses.replace(DEFAULT, geometry="perpendicular")
    assert curve.identity(flipped) != curve.identity(DEFAULT)
    other = dataclasses.replace(DEFAULT, name="mine", source="me", v_read_v=0.2, t_read_s=1e-9)
    assert curve.identity(other) == curve.identity(DEFAULT)


def test_unknown_model_is_refused():
    message = r"^model must be one of macrospin, formula, not 'magic'$"
    with pytest.raises(ValueError, match=message):
        curve.load(DEFAULT, "magic")


def test_keeping_writes_what_loading_reads(monkeypatch, tmp_path):
    made = dataclasses.replace(curve.load(DEFAULT), provenance={"model": "macrospin", "here": 1})
    monkeypatch.setattr(curve, "__file__", str(tmp_path / "curve.py"))
    monkeypatch.setattr(
        curve, "calibrated", lambda junction, trials: dataclasses.replace(made, device=junction)
    )
    monkeypatch.setattr(curve.resources, "files", lambda _: tmp_path)
    monkeypatch.setattr(curve.junction, "names", lambda: ("default",))
    monkeypatch.setattr(curve.junction, "load", lambda _: DEFAULT)
    curve._kept.cache_clear()
    try:
        assert curve._kept() == {}
        curve._kept.cache_clear()
        curve.keep()
        back = curve.load(DEFAULT)
    finally:
        curve._kept.cache_clear()
    assert curve.as_dict(back) == curve.as_dict(made)


# --- any curve ---


@pytest.mark.parametrize("direction", DIRECTIONS.values(), ids=DIRECTIONS)
@pytest.mark.parametrize("junction", [DEFAULT, RETENTION], ids=lambda junction: junction.name)
def test_formula_is_the_formula(junction, direction):
    made = curve.formula(junction)
    pulse_s = np.linspace(0, 2, 41) * junction.t_write_s
    for drive in (None, switching.drive(junction, direction, 0.7 * junction.v_write_v)):
        plain = switching.probability(drive or switching.drive(junction, direction), pulse_s)
        assert made.probability(direction, pulse_s, drive) == pytest.approx(plain, abs=1e-12)


@pytest.mark.parametrize("model", curve.MODELS)
@pytest.mark.parametrize("direction", DIRECTIONS.values(), ids=DIRECTIONS)
@pytest.mark.parametrize("name", device.names())
def test_probability_rises_from_0_to_1(name, direction, model):
    junction = device.load(name)
    made = curve.load(junction, model)
    pulse_s = np.concatenate([[0.0], np.geomspace(1e-15, 100 * junction.t_write_s, 2000)])
    p = made.probability(direction, pulse_s)
    assert p[0] == 0
    assert p[-1] > 0.9999
    assert (np.diff(p) >= 0).all()


@pytest.mark.parametrize("model", curve.MODELS)
@pytest.mark.parametrize("direction", DIRECTIONS.values(), ids=DIRECTIONS)
@pytest.mark.parametrize("name", device.names())
def test_length_inverts_probability(name, direction, model):
    made = curve.load(device.load(name), model)
    wanted = np.array([1e-4, 1e-3, 0.01, 0.1, 0.5, 0.9, 0.99])
    lengths = made.length(direction, wanted, made.device.t_write_s)
    assert made.probability(direction, lengths) == pytest.approx(wanted, rel=1e-6)
    assert (made.probability(direction, lengths * (1 - 1e-9)) < wanted).all()
    assert float(made.length(direction, np.array(0.5), 1e-8)) == pytest.approx(lengths[4])


def test_length_ends_at_the_longest():
    made = curve.load(RETENTION)
    assert made.length(AP_TO_P, np.array([0.0, 1.0, 0.9]), 1e-10) == pytest.approx(
        [0, 1e-10, 1e-10]
    )


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda c: c.probability(2, 1e-9), r"^direction must be in 0 to 1, not 2$"),
        (lambda c: c.probability(-1, 1e-9), r"^direction must be in 0 to 1, not -1$"),
        (lambda c: c.probability(P_TO_AP, -1e-9), r"^pulse_s must not be negative, not -1e-09$"),
        (lambda c: c.probability(P_TO_AP, math.nan), r"^pulse_s\[\] must be finite, not nan$"),
        (lambda c: c.length(P_TO_AP, 1.1, 1e-9), r"^probability must be in 0 to 1, not 1\.1$"),
        (lambda c: c.length(P_TO_AP, math.nan, 1e-9), r"^probability\[\] must be finite, not nan$"),
        (lambda c: c.length(P_TO_AP, 0.5, -1.0), r"^longest_s must be finite and at least 0, "),
    ],
)
def test_bad_arguments_are_named(call, message):
    with pytest.raises(ValueError, match=message):
        call(curve.load(DEFAULT))

"""The figures of ``spintrit device check``: what they are, and when they fail."""

import dataclasses
import json
import math

import numpy as np
import pytest
from commands import spintrit

from golden.codes import AP_TO_P, P_TO_AP
from golden.device import check, curve, junction, levels, switching
from golden.device.junction import DIRECTIONS

DEFAULT = junction.load("default")


def test_check_passes_and_writes_its_figures(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(check, "_EQUILIBRIUM_TRIALS", 500)
    path = tmp_path / "check.json"
    assert spintrit(f"device check default --trials 1500 --json {path}") == 0
    figures = json.loads(path.read_text())
    assert set(figures) == {
        "device", "max_abs_error", "formula_max_abs_error", "dt_max_abs_error", "standard_error",
        "plane", "plane_standard_error", "boltzmann_ratio", "dt_ratio", "trials", "seed",
        "seconds_per_4ns_trial",
    }  # fmt: skip
    # The formula is known to be worse than the curve.
    assert figures["formula_max_abs_error"]["P_to_AP"] > figures["max_abs_error"]["P_to_AP"]
    shown = capsys.readouterr()
    assert f"{figures['max_abs_error']['AP_to_P']:.4f}" in shown.out
    assert not shown.err


def place(error):
    return {"voltage_v": 0.16, "pulse_s": 2e-9, "curve": 0.45, "simulated": 0.41, "error": error}


def test_check_that_fails_says_which(monkeypatch, tmp_path, capsys):
    figures = {
        "device": "default", "max_abs_error": {"AP_to_P": 0.01, "P_to_AP": 0.031},
        "formula_max_abs_error": {"AP_to_P": 0.5, "P_to_AP": 0.5}, "standard_error": 0.001,
        "dt_max_abs_error": {"AP_to_P": 0.04, "P_to_AP": 0.01}, "plane_standard_error": 0.0025,
        "plane": {"AP_to_P": place(0.0399), "P_to_AP": place(0.0401)},
        "boltzmann_ratio": 0.94, "dt_ratio": 1.04, "trials": 2500, "seed": 1,
        "seconds_per_4ns_trial": 1e-3,
    }  # fmt: skip
    monkeypatch.setattr(check, "check", lambda *_, **__: figures)
    assert spintrit(f"device check default --json {tmp_path / 'c.json'}") == 1
    assert capsys.readouterr().err == (
        "spintrit: check of default: max_abs_error P_to_AP is 0.031, above 0.03; "
        "dt_max_abs_error AP_to_P is 0.040, above 0.0357; "
        "error P_to_AP at 0.16 V and 2e-09 s is 0.040 (0.450, simulated 0.410), above 0.04; "
        "boltzmann_ratio is 0.940, more than 5% from 1\n"
    )
    assert json.loads((tmp_path / "c.json").read_text()) == figures


def test_check_finds_a_wrong_curve_and_a_nan():
    shifted = (np.array([[0.0, 0.3], [1.0, 1.3]]),)
    wrong = curve.Curve(
        DEFAULT, (dataclasses.replace(levels.uncorrected(), knots=shifted),) * 2, {}
    )
    found = check.failures(check.check(DEFAULT, wrong, trials=200))
    assert [told.split()[1] for told in found[:2]] == list(DIRECTIONS)
    assert any(told.startswith("error P_to_AP at 0.") for told in found)
    figures = {"max_abs_error": {}, "dt_max_abs_error": {}, "standard_error": 0.0, "plane": {},
               "plane_standard_error": 0.0,
               "boltzmann_ratio": math.nan, "dt_ratio": 1.0}  # fmt: skip
    assert len(check.failures(figures)) == 1


def test_exact_average_at_high_stability_is_equipartition():
    # Two quadratures of kT / 2 each; in-plane the stiff one by its own stiffness.
    stiff = junction.load("retention")
    assert check.boltzmann(stiff) == pytest.approx(1 / stiff.stability, rel=0.03)
    q = DEFAULT.demagnetising_t / DEFAULT.mu0_hk_t
    expected = (1 + 1 / (1 + q)) / (2 * DEFAULT.stability)
    assert check.boltzmann(DEFAULT) == pytest.approx(expected, rel=0.05)


def test_lengths_cover_the_pulse():
    found = check.lengths(curve.load(DEFAULT), AP_TO_P)
    assert (found[0], found[-1]) == (0, pytest.approx(DEFAULT.t_write_s))
    assert (np.diff(found) > 0).all()
    p = curve.load(DEFAULT).probability(AP_TO_P, found)
    assert np.count_nonzero((p > 0.01) & (p < 0.99)) >= 10


def test_plane_names_where_the_formula_is_worst():
    """The formula below the write voltage, where P to AP is off by 0.3."""
    worst = check.plane(curve.formula(DEFAULT), P_TO_AP, trials=400, seed=5)
    assert 0.25 < worst["error"] < 0.4
    assert worst["error"] == pytest.approx(abs(worst["curve"] - worst["simulated"]))
    assert 0.13 < worst["voltage_v"] < 0.25
    assert 0.5e-9 < worst["pulse_s"] <= DEFAULT.t_write_s
    drive = switching.drive(DEFAULT, P_TO_AP, worst["voltage_v"])
    assert worst["curve"] == pytest.approx(switching.probability(drive, worst["pulse_s"]))
    assert check.plane(curve.load(DEFAULT), P_TO_AP, trials=400, seed=5)["error"] < 0.1

"""The figures of ``spintrit device check``: what they are, and when they fail."""

import json
import math

import numpy as np
import pytest
from commands import spintrit

from golden import curve, device, devicecheck
from golden.device import DIRECTIONS
from golden.ptable import AP_TO_P

DEFAULT = device.load("default")


def test_check_passes_and_writes_its_figures(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(devicecheck, "_EQUILIBRIUM_TRIALS", 500)
    path = tmp_path / "check.json"
    assert spintrit(f"device check default --trials 1500 --json {path}") == 0
    figures = json.loads(path.read_text())
    assert set(figures) == {
        "device", "max_abs_error", "formula_max_abs_error", "dt_max_abs_error", "standard_error",
        "boltzmann_ratio", "dt_ratio", "trials", "seed", "seconds_per_4ns_trial",
    }  # fmt: skip
    # The formula is known to be worse than the curve.
    assert figures["formula_max_abs_error"]["P_to_AP"] > figures["max_abs_error"]["P_to_AP"]
    shown = capsys.readouterr()
    assert f"{figures['max_abs_error']['AP_to_P']:.4f}" in shown.out
    assert not shown.err


def test_check_that_fails_says_which(monkeypatch, tmp_path, capsys):
    figures = {
        "device": "default", "max_abs_error": {"AP_to_P": 0.01, "P_to_AP": 0.031},
        "formula_max_abs_error": {"AP_to_P": 0.5, "P_to_AP": 0.5}, "standard_error": 0.001,
        "dt_max_abs_error": {"AP_to_P": 0.04, "P_to_AP": 0.01},
        "boltzmann_ratio": 0.94, "dt_ratio": 1.04, "trials": 2500, "seed": 1,
        "seconds_per_4ns_trial": 1e-3,
    }  # fmt: skip
    monkeypatch.setattr(devicecheck, "check", lambda *_, **__: figures)
    assert spintrit(f"device check default --json {tmp_path / 'c.json'}") == 1
    assert capsys.readouterr().err == (
        "spintrit: check of default: max_abs_error P_to_AP is 0.031, above 0.03; "
        "dt_max_abs_error AP_to_P is 0.040, above 0.0357; "
        "boltzmann_ratio is 0.940, more than 5% from 1\n"
    )
    assert json.loads((tmp_path / "c.json").read_text()) == figures


def test_check_finds_a_wrong_curve_and_a_nan():
    knots = np.tile([[0.0, 0.3], [1.0, 1.3]], (2, 1, 1))
    wrong = curve.Curve(DEFAULT, knots, {})
    found = devicecheck.failures(devicecheck.check(DEFAULT, wrong, trials=200))
    assert [told.split()[1] for told in found[:2]] == list(DIRECTIONS)
    figures = {"max_abs_error": {}, "dt_max_abs_error": {}, "standard_error": 0.0,
               "boltzmann_ratio": math.nan, "dt_ratio": 1.0}  # fmt: skip
    assert len(devicecheck.failures(figures)) == 1


def test_exact_average_at_high_stability_is_equipartition():
    # Two quadratures of kT / 2 each; in-plane the stiff one by its own stiffness.
    stiff = device.load("retention")
    assert devicecheck.boltzmann(stiff) == pytest.approx(1 / stiff.stability, rel=0.03)
    q = DEFAULT.demagnetising_t / DEFAULT.mu0_hk_t
    expected = (1 + 1 / (1 + q)) / (2 * DEFAULT.stability)
    assert devicecheck.boltzmann(DEFAULT) == pytest.approx(expected, rel=0.05)


def test_lengths_cover_the_pulse():
    found = devicecheck.lengths(curve.load(DEFAULT), AP_TO_P)
    assert (found[0], found[-1]) == (0, pytest.approx(DEFAULT.t_write_s))
    assert (np.diff(found) > 0).all()
    p = curve.load(DEFAULT).probability(AP_TO_P, found)
    assert np.count_nonzero((p > 0.01) & (p < 0.99)) >= 10

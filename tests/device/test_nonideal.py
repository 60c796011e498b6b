"""Spread and noise against plain sampling of single cells."""

import dataclasses
import math

import numpy as np
import pytest

from golden.codes import AP_TO_P, P_TO_AP
from golden.config import ArrayConfig
from golden.device import curve, junction, nonideal, switching
from golden.device.nonideal import Groups, NonIdealities

DEFAULT = junction.load("default")
CURVE = curve.load(DEFAULT)
LENGTHS = np.array([0.0, 0.1, 0.2, 0.3, 0.5, 2.0]) * 1e-9
SPREAD = NonIdealities(resistance_spread=0.05, critical_current_spread=0.1, stability_spread=0.12)


def test_nothing_is_the_curve_itself():
    same = nonideal.actual(CURVE, NonIdealities())
    for direction in (AP_TO_P, P_TO_AP):
        assert np.array_equal(same(direction, LENGTHS), CURVE.probability(direction, LENGTHS))
    none = NonIdealities()
    assert not none.analog
    assert not none.physical
    assert none.array(ArrayConfig()) == ArrayConfig()


@pytest.mark.parametrize(
    "settings",
    [
        NonIdealities(amplitude_noise=0.05),
        NonIdealities(length_noise_s=2e-11),
        NonIdealities(amplitude_noise=0.03, length_noise_s=1e-11),
    ],
    ids=["amplitude", "length", "both"],
)
def test_noise_averages_into_the_probability(settings):
    """Against 40,000 pulses drawn one by one; within 5 standard errors and the quadrature's own."""
    rng = np.random.default_rng(5)
    volts = DEFAULT.v_write_v * (1 + settings.amplitude_noise * rng.standard_normal(40_000))
    delays = settings.length_noise_s * rng.standard_normal(40_000)
    for direction in (AP_TO_P, P_TO_AP):
        drive = switching.drive(DEFAULT, direction, volts)
        means = nonideal.actual(CURVE, settings)(direction, LENGTHS)
        assert means[0] == 0
        for length, mean in zip(LENGTHS[1:], means[1:], strict=True):
            single = CURVE.probability(direction, np.maximum(length + delays, 0), drive)
            error = single.std() / math.sqrt(len(single))
            assert abs(single.mean() - mean) < 5 * error + 1e-3, (direction, length)


def test_temperature_moves_the_curve():
    hot = nonideal.actual(CURVE, NonIdealities(temperature_k=400.0))
    warm = DEFAULT.at(400.0)
    drive = switching.drive(warm, AP_TO_P, warm.v_write_v)
    assert np.allclose(hot(AP_TO_P, LENGTHS), CURVE.probability(AP_TO_P, LENGTHS, drive))
    assert not np.allclose(hot(AP_TO_P, LENGTHS), CURVE.probability(AP_TO_P, LENGTHS))


def test_factors_are_log_normal_around_one():
    cells = nonideal.factors(SPREAD, (100_000,), np.random.default_rng(1))
    for one, sigma in zip(cells, SPREAD.spread, strict=True):
        # Five standard errors of mean and standard deviation.
        assert abs(one.mean() - 1) < 5 * sigma / math.sqrt(100_000)
        assert abs(np.log(one).std() - sigma) < 5 * sigma / math.sqrt(200_000)


@pytest.mark.parametrize("direction", [AP_TO_P, P_TO_AP])
def test_groups_stand_for_their_cells(direction):
    """Fresh cells, each with its own probability, against the thresholds of their groups."""
    groups = Groups(CURVE, SPREAD, 15, seed=3)
    cells = nonideal.factors(SPREAD, (30_000,), np.random.default_rng(4))
    r, ic, delta = cells
    drive = switching.drive(DEFAULT, direction, resistance=r, critical_current=ic, stability=delta)
    index = groups.of(cells)
    assert np.bincount(index, minlength=15).min() > 0.7 * 30_000 / 15
    assert index.max() == 14
    means = groups.probability(direction, LENGTHS)
    assert means.shape == (15, len(LENGTHS))
    for length, mean in zip(LENGTHS[1:], means.T[1:], strict=True):
        single = CURVE.probability(direction, length, drive)
        assert abs(single.mean() - mean[index].mean()) < 0.01, length
        # What a cell has beyond its group's mean is little against the spread of all cells.
        rest = np.abs(single - mean[index])
        assert rest.mean() < 0.35 * np.abs(single - single.mean()).mean() + 1e-3, length
    # In order: the last group's cells switch hardest or easiest throughout.
    middle = means[:, 2]
    assert (np.diff(middle) <= 1e-3).all() or (np.diff(middle) >= -1e-3).all()
    assert abs(middle[-1] - middle[0]) > 0.2


def test_spread_of_one_parameter_alone_orders_by_it():
    only = NonIdealities(critical_current_spread=0.1)
    groups = Groups(CURVE, only, 15, seed=0)
    cells = np.ones((3, 101))
    cells[1] = np.linspace(0.7, 1.3, 101)
    index = groups.of(cells)
    assert (np.diff(index) >= 0).all() or (np.diff(index) <= 0).all()
    assert set(index) == set(range(15))


def test_arrays_get_the_variants_they_need():
    assert SPREAD.array(ArrayConfig()).variant_bits == 4
    assert NonIdealities(stuck_p=0.1).array(ArrayConfig()).variant_bits == 1
    assert NonIdealities(stuck_ap=0.1).array(ArrayConfig(variant_bits=2)).variant_bits == 2


@pytest.mark.parametrize("name", [field.name for field in dataclasses.fields(NonIdealities)])
def test_bad_settings_are_refused_by_name(name):
    with pytest.raises((TypeError, ValueError), match=rf"^{name} must be "):
        NonIdealities(**{name: -1})
    with pytest.raises((TypeError, ValueError), match=rf"^{name} must be "):
        NonIdealities(**{name: math.nan})
    with pytest.raises(TypeError, match=rf"^{name} must be "):
        NonIdealities(**{name: "1"})


@pytest.mark.parametrize(
    ("name", "needed"),
    [
        ("adc_range", "adc_bits"),
        ("backward_adc_range", "backward_adc_bits"),
        ("retention_k", "retention_s"),
    ],
)
def test_settings_that_would_do_nothing_are_refused(name, needed):
    with pytest.raises(ValueError, match=rf"^{name} = 8 has no effect without {needed}$"):
        NonIdealities(**{name: 8.0})


def test_other_bad_settings_are_refused():
    with pytest.raises(ValueError, match=r"^stuck_p \+ stuck_ap must be at most 1, not 1\.2$"):
        NonIdealities(stuck_p=0.6, stuck_ap=0.6)
    with pytest.raises(ValueError, match=r"^adc_bits must be 0 \(exact\) or at least 2, not 1$"):
        NonIdealities(adc_bits=1)
    with pytest.raises(ValueError, match=r"^amplitude_noise must be finite and in 0 to 1, not 2"):
        NonIdealities(amplitude_noise=2.0)

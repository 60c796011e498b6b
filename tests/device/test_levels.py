"""Curves over the plane of voltage and pulse length: against fresh simulations, without kinks."""

import dataclasses
import itertools

import numpy as np
import pytest
from fokker_planck import probability as fokker_planck

from golden import device
from golden.codes import AP_TO_P, P_TO_AP
from golden.device import curve, levels, macrospin, switching
from golden.device.junction import DIRECTIONS

DEFAULT, RETENTION, STOCHASTIC = map(device.load, ("default", "retention", "stochastic"))
AIM = 0.03  # largest error of P
both = pytest.mark.parametrize("direction", DIRECTIONS.values(), ids=DIRECTIONS)


def far_from_simulation(made, direction, voltage_v, pulse_s, trials, simulated=None, **factors):
    """Whether P is off by more than the aim and what chance allows, at worst 6e-7 a point."""
    drive = switching.drive(made.device, direction, voltage_v, **factors)
    p = made.probability(direction, pulse_s, drive)
    fresh = macrospin.probability(
        simulated or made.device, direction, pulse_s, voltage_v=voltage_v, trials=trials, seed=4321,
        at_once=1 << 14,
    )  # fmt: skip
    chance = 5 * np.sqrt(np.maximum(p * (1 - p), 0.01) / trials)
    return (np.abs(p - fresh) > AIM + chance).any(), p, fresh


# Voltages of the picture in the documents between which the formula is off by up to 0.3.
@pytest.mark.parametrize(
    ("direction", "voltage_v"),
    [(AP_TO_P, 0.2), (AP_TO_P, 0.45), (AP_TO_P, 1.3),
     (P_TO_AP, 0.12), (P_TO_AP, 0.16), (P_TO_AP, 0.19), (P_TO_AP, 0.22), (P_TO_AP, 0.5),
     (P_TO_AP, 1.4)],
)  # fmt: skip
def test_curve_below_and_above_the_write_voltage(direction, voltage_v):
    made = curve.load(DEFAULT)
    pulse_s = (
        np.array([0.25, 0.5, 1.0, 2.0]) * 1e-9 if voltage_v < 1 else np.linspace(1, 4, 4) / 1e10
    )
    far, p, fresh = far_from_simulation(made, direction, voltage_v, pulse_s, 2048)
    assert not far, (p, fresh)


@both
@pytest.mark.parametrize("volts", [0.25, 0.3, 0.35, 0.4, 0.45, 0.5, 0.6, 0.7, 1.0, 1.3])
def test_plane_against_fokker_and_planck(direction, volts):
    # No trials, hence no chance but that of the curve's own.
    made, step_s = curve.load(RETENTION), 0.25e-9
    exact = fokker_planck(RETENTION, direction, step_s, 40, voltage_v=volts)
    drive = switching.drive(RETENTION, direction, volts)
    p = made.probability(direction, step_s * np.arange(1, 41), drive)
    assert np.abs(p - exact).max() < AIM


@pytest.mark.parametrize(
    ("factors", "changes"),
    [({"critical_current": 1.4}, {"polarisation": 0.6 / 1.4}),
     ({"resistance": 1.3}, {"r_on_ohm": 4e3 * 1.3, "r_off_ohm": 8.96e3 * 1.3}),
     ({"stability": 0.8}, {"temperature_k": 300 / 0.8})],
    ids=lambda value: next(iter(value)),
)  # fmt: skip
@both
def test_plane_of_other_cells(direction, factors, changes):
    made, step_s = curve.load(RETENTION), 0.25e-9
    other = dataclasses.replace(RETENTION, **changes)
    for volts in (0.48, 0.8):
        exact = fokker_planck(other, direction, step_s, 40, voltage_v=volts)
        drive = switching.drive(RETENTION, direction, volts, **factors)
        p = made.probability(direction, step_s * np.arange(1, 41), drive)
        assert np.abs(p - exact).max() < AIM


@both
@pytest.mark.parametrize("junction", [DEFAULT, RETENTION, STOCHASTIC], ids=lambda j: j.name)
def test_plane_has_no_kink_and_rises(direction, junction):
    made = curve.load(junction)
    volts = np.linspace(0, 1.9 * junction.v_write_v, 1901)
    drive = switching.drive(junction, direction, volts)
    for share in (0.25, 1.0):
        p = made.probability(direction, share * junction.t_write_s, drive)
        slope = np.diff(p) / np.diff(volts) * junction.v_write_v
        # Interpolation is linear between levels: the slope changes a little at each.
        assert np.abs(np.diff(slope)).max() < 0.3 * slope.max(), share
        assert (np.maximum.accumulate(p) - p).max() < 0.01
        assert p[0] < 1e-3
    assert p[-1] > 0.999


def test_no_kink_where_the_precessional_formula_sets_in():
    made, volts = curve.load(DEFAULT), np.linspace(0.1, 0.2, 101)
    p = made.probability(P_TO_AP, 2e-9, switching.drive(DEFAULT, P_TO_AP, volts))
    slope = np.diff(p) / np.diff(volts)
    # With the correction of the write voltage alone it jumps from 1 to 4, at 1.4 Ic0.
    assert np.abs(np.diff(slope)).max() < 0.15 * slope.max()


@both
@pytest.mark.parametrize("junction", [DEFAULT, RETENTION, STOCHASTIC], ids=lambda j: j.name)
def test_limits(direction, junction):
    made, lengths = curve.load(junction), np.linspace(0, 1.5, 31) * junction.t_write_s
    rest = switching.drive(junction, direction, 0.0)
    assert made.probability(direction, lengths, rest).max() < 1e-6  # of a millisecond and more
    strong = switching.drive(junction, direction, 10 * junction.v_write_v)
    p = made.probability(direction, lengths, strong)
    assert p[0] == 0
    assert p[1:].min() > 0.9


@both
@pytest.mark.parametrize("junction", [DEFAULT, RETENTION, STOCHASTIC], ids=lambda j: j.name)
def test_only_its_own_level_counts_at_the_write_voltage(direction, junction):
    made, lengths = curve.load(junction), np.linspace(0, 1.2, 241) * junction.t_write_s
    drive = switching.drive(junction, direction, stability=np.array([[1.0], [0.8], [1.3]]))
    knots = dict(zip(made.levels[direction].overdrive, made.levels[direction].knots, strict=True))
    y = switching.exponent(drive, lengths)
    own = levels.corrected(knots[float(switching.drive(junction, direction).overdrive)], y)
    expected = switching.probability_of(np.where(lengths > 0, own, np.inf))
    assert np.array_equal(made.probability(direction, lengths, drive), expected)


@both
@pytest.mark.parametrize("junction", [DEFAULT, RETENTION, STOCHASTIC], ids=lambda j: j.name)
@pytest.mark.parametrize("changes", [{}, {"t_write_s": 5e-8}, {"v_write_v": 0.2}], ids=str)
def test_ladder_has_the_write_voltage_and_is_dense_near_the_critical_current(
    direction, junction, changes
):
    junction = dataclasses.replace(junction, **changes)
    volts, overdrive = levels.ladder(junction, direction)
    assert junction.v_write_v in volts
    assert volts[0] == 0
    assert (np.diff(overdrive) > 0).all()
    assert len(volts) < 60
    assert overdrive == pytest.approx(switching.drive(junction, direction, volts).overdrive)
    # y = ln(-ln P) goes by 2 (i - 1) t / tau, so by no more than about 1 from level to level.
    growths = junction.t_write_s / junction.growth_time_s
    near = [
        b - a for a, b in itertools.pairwise(overdrive) if abs(a - 1) < 1 / growths > abs(b - 1)
    ]
    assert all(2 * step * growths < 1.6 for step in near)


def test_levels_survive_their_list():
    made = curve.load(DEFAULT)
    for direction, part in zip(DIRECTIONS.values(), made.levels, strict=True):
        back = levels.from_list(DEFAULT, direction, part.as_list())
        assert np.array_equal(back.overdrive, part.overdrive)
        assert all(map(np.array_equal, back.knots, part.knots))
        assert np.array_equal(back.angle, part.angle)


@pytest.mark.full
def test_a_device_that_hardly_holds_is_simulated_down_to_nothing():
    # A barrier of 4 kT: some cells flip by themselves within a pulse.
    weak = dataclasses.replace(
        DEFAULT, temperature_k=1000.0, mu0_hk_t=0.07, t_write_s=0.5e-9, curie_k=5000.0
    )
    made = curve.calibrated(weak, trials=1000, seed=3)
    for direction in DIRECTIONS.values():
        assert np.array_equal(made.levels[direction].overdrive, levels.ladder(weak, direction)[1])
        for voltage_v in (0.0, 0.1):
            pulse_s = np.array([0.2e-9, 0.5e-9])
            far, p, fresh = far_from_simulation(made, direction, voltage_v, pulse_s, 2048)
            assert not far, (voltage_v, p, fresh)

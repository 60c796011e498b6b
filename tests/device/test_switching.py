"""The switching formulas against Butler's, hand arithmetic and integration by scipy."""

import dataclasses
import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.integrate import solve_ivp

from golden import device
from golden.codes import AP_TO_P, P_TO_AP
from golden.device import switching
from golden.device.junction import DIRECTIONS
from golden.device.switching import Drive

DEFAULT, RETENTION, STOCHASTIC = (
    device.load(name) for name in ("default", "retention", "stochastic")
)
BOTH = (DEFAULT, RETENTION)


def drive_at(junction, overdrive, stability=None, critical_angle=math.pi / 2):
    delta = junction.stability if stability is None else stability
    return Drive(junction, *(np.asarray(x, float) for x in (overdrive, delta, critical_angle)))


def volts_for(junction, direction, overdrive):
    """The voltage that gives an overdrive, by bisection."""
    low, high = 0.0, 20.0
    for _ in range(80):
        middle = (low + high) / 2
        i = junction.current_a(direction, middle) / junction.critical_current_a
        low, high = (middle, high) if i < overdrive else (low, middle)
    return high


# --- limits and shape ---


@given(
    junction=st.sampled_from(BOTH),
    overdrive=st.floats(0, 12),
    stability=st.floats(10, 80),
    angle=st.floats(0.5, 2.5),
    lengths=st.lists(st.floats(0, 1e-6), min_size=2, max_size=6, unique=True),
)
def test_rises_from_0_with_the_length(junction, overdrive, stability, angle, lengths):
    drive = drive_at(junction, overdrive, stability, angle)
    p = switching.probability(drive, np.array([0.0, *sorted(lengths)]))
    assert p[0] == 0
    assert ((p >= 0) & (p <= 1)).all()
    assert (np.diff(p) >= -1e-12).all()


@given(junction=st.sampled_from(BOTH), overdrive=st.floats(1.01, 12), stability=st.floats(10, 80))
def test_every_cell_switches_in_the_end_above_the_critical_current(junction, overdrive, stability):
    decays = 30 / (overdrive - 1)  # the spread is then e^30 times that of equilibrium
    p = switching.probability(
        drive_at(junction, overdrive, stability), decays * junction.growth_time_s
    )
    assert 1 - p < 1e-6


@given(
    junction=st.sampled_from((DEFAULT, RETENTION, STOCHASTIC)),
    direction=st.sampled_from((AP_TO_P, P_TO_AP)),
    share=st.floats(0.05, 0.98),
    volts=st.lists(st.floats(0.7, 1.3), min_size=2, max_size=5, unique=True),
)
def test_rises_with_the_voltage(junction, direction, share, volts):
    volts = np.sort(volts) * junction.v_write_v
    drive = switching.drive(junction, direction, volts)
    p = switching.probability(drive, share * junction.t_write_s)
    # Among pulses too short to switch anything, weak ones come out a little too strong.
    assert (np.diff(p) >= -5e-4).all()


@given(
    junction=st.sampled_from(BOTH), overdrive=st.floats(1.05, 12), stability=st.floats(10, 60),
    time=st.floats(0.1, 20),
)  # fmt: skip
def test_a_higher_barrier_starts_closer_to_the_axis(junction, overdrive, stability, time):
    pulse_s = time * junction.growth_time_s
    p = [
        switching.probability(drive_at(junction, overdrive, s), pulse_s)
        for s in (stability, 1.2 * stability)
    ]
    assert p[1] <= p[0] + 1e-12


@pytest.mark.parametrize("junction", BOTH, ids=lambda junction: junction.name)
@pytest.mark.parametrize("decays", [0.1, 1.0, 10.0, 100.0])
def test_no_step_where_the_current_passes_the_critical_one(junction, decays):
    i = 1 + np.array([-1e-4, -1e-7, -2e-9, -1e-10, 0.0, 1e-10, 2e-9, 1e-7, 1e-4])
    p = switching.probability(drive_at(junction, i, 12.0), decays * junction.growth_time_s)
    # |dP / di| <= |dy / di| / e, and y = ln(-ln P) moves by at most 2 t / tau a unit of i.
    assert (np.abs(np.diff(p)) <= 2 * (1 + decays) * np.diff(i)).all()
    assert (np.diff(p) >= -1e-12).all()


@pytest.mark.parametrize("junction", [*BOTH, STOCHASTIC], ids=lambda junction: junction.name)
@pytest.mark.parametrize("direction", DIRECTIONS.values(), ids=DIRECTIONS)
def test_no_step_in_the_voltage(junction, direction):
    volts = np.linspace(0, 1.2, 4801) * junction.v_write_v
    p = switching.probability(switching.drive(junction, direction, volts), junction.t_write_s)
    assert p[0] < 1e-6
    assert p[-1] > 0.999
    # 1.5 % of the pulse's height at most over a step of 1 / 4000 of the voltage.
    assert np.abs(np.diff(p)).max() < 0.015


@pytest.mark.parametrize("junction", BOTH, ids=lambda junction: junction.name)
def test_nothing_overflows(junction):
    i = np.array([-5.0, -1.0, 0.0, 1e-12, 0.3, 1.0, 1.5, 50.0, 1e4])[:, None]
    pulse_s = np.array([0.0, 1e-30, 1e-12, 1e-9, 1.0, 1e9])
    p = switching.probability(drive_at(junction, i), pulse_s)
    assert np.isfinite(p).all()
    assert ((p >= 0) & (p <= 1)).all()
    assert (p[:, 0] == 0).all()
    assert (p[6:, 4:] == 1).all()


def test_a_current_the_wrong_way_holds_the_cell():
    p = switching.probability(drive_at(RETENTION, [-3.0, -1.0, -0.5, 0.0, 0.5]), 1e-3)
    assert (np.diff(p) >= 0).all()
    assert p[2] < 1e-40 < p[3] < p[4]


# --- against other sources ---


@pytest.mark.parametrize("overdrive", [1.4, 2.0, 5.0, 12.0])
@pytest.mark.parametrize("stability", [20.0, 60.0])
def test_butlers_equation_17(overdrive, stability):
    for decays in (0.2, 1.0, 3.0, 8.0):
        gain = math.exp(2 * (overdrive - 1) * decays)
        stay = -(math.pi**2) / 4 * stability * (overdrive - 1) / (overdrive * gain - 1)
        drive = drive_at(RETENTION, overdrive, stability)
        p = switching.probability(drive, decays * RETENTION.growth_time_s)
        assert p == pytest.approx(math.exp(stay), rel=1e-9)


@pytest.mark.parametrize("junction", BOTH, ids=lambda junction: junction.name)
def test_hand_over_is_straight_in_the_exponent(junction):
    """Halfway in current the mean of ln(-ln P) of both ends, and the ends are the regimes' own."""
    low, high = switching.THERMAL, switching.PRECESSIONAL
    length = 20 * junction.growth_time_s
    y = switching.exponent(drive_at(junction, [low, (low + high) / 2, high]), length)
    assert y[1] == pytest.approx((y[0] + y[2]) / 2, rel=1e-12)
    assert y[0] > y[1] > y[2]


def test_thermal_rate_of_a_perpendicular_layer_by_hand():
    # Delta = 40, i = 0.5, 1000 decay times: sqrt(40 / pi) (1 - 0.25) 0.5 exp(-10) = 6.07494e-5.
    rate = 3.5682482 * 0.375 * 4.5399930e-5
    assert rate == pytest.approx(6.07494e-5, rel=1e-5)
    p = switching.probability(drive_at(RETENTION, 0.5, 40.0), 1000 * RETENTION.growth_time_s)
    assert p == pytest.approx(1 - math.exp(-1000 * rate), rel=1e-4)


def test_thermal_rate_of_an_in_plane_layer_by_hand():
    # Delta = 20, i = 0.6: x = exp(-8) = 3.3546e-4 a tau0; 1 us is 1000 tau0.
    p = switching.probability(drive_at(DEFAULT, 0.6, 20.0), 1e-6)
    assert p == pytest.approx(1 - math.exp(-0.33546), rel=1e-4)


@pytest.mark.parametrize("junction", BOTH, ids=lambda junction: junction.name)
def test_idle_cells_keep_probabilities_far_below_rounding(junction):
    # exp(-60) a nanosecond is 1e-26: 1 - P is 1 in floating point, P is not 0.
    delta, decays = 60.0, 1e3
    rate = math.exp(-delta) / junction.tau0_s
    if junction.geometry == "perpendicular":
        rate = math.sqrt(delta / math.pi) * math.exp(-delta) / junction.growth_time_s
    pulse_s = decays * junction.growth_time_s
    p = switching.probability(drive_at(junction, 0.0, delta), pulse_s)
    assert p == pytest.approx(rate * pulse_s, rel=1e-4)
    assert 0 < p < 1e-20


def trajectory_angle(junction, direction, volts, start=1e-5):
    """A_c by integrating the angle's motion and undoing the linear growth."""
    sign = -1 if direction == AP_TO_P else 1
    on, off = (float(ohm) for ohm in junction.resistances_ohm(volts))

    def overdrive(angle):
        conductance = (1 / on + 1 / off) / 2 + sign * math.cos(angle) * (1 / on - 1 / off) / 2
        current = volts / (junction.r_access_ohm + 1 / conductance)
        return current / junction.critical_current_a

    def speed(_, angle):
        if junction.geometry == "perpendicular":
            return (overdrive(angle[0]) - math.cos(angle[0])) * math.sin(angle[0])
        return (overdrive(angle[0]) - 1) * angle[0]

    def equator(_, angle):
        return angle[0] - math.pi / 2

    equator.terminal = True
    run = solve_ivp(speed, (0, 1e3), [start], events=equator, rtol=1e-10, atol=1e-14)
    return start * math.exp((overdrive(0.0) - 1) * run.t_events[0][0])


@pytest.mark.parametrize("junction", [*BOTH, STOCHASTIC], ids=lambda junction: junction.name)
@pytest.mark.parametrize("direction", DIRECTIONS.values(), ids=DIRECTIONS)
@pytest.mark.parametrize("share", [0.9, 1.0, 1.2])
def test_critical_angle_is_that_of_the_noiseless_motion(junction, direction, share):
    volts = share * junction.v_write_v
    drive = switching.drive(junction, direction, volts)
    angle = trajectory_angle(junction, direction, volts)
    assert float(drive.critical_angle) == pytest.approx(angle, rel=2e-3)


def test_critical_angle_without_magnetoresistance_in_closed_form():
    # d angle / dt = (i - cos) sin: the whole of it integrates to tan, in-plane to pi / 2 itself.
    flat = {"r_off_ohm": 4000.0 * (1 + 1e-9), "half_tmr_v": math.inf}
    junction = dataclasses.replace(RETENTION, **flat)
    for i in (1.5, 2.0, 4.0):
        drive = switching.drive(junction, AP_TO_P, volts_for(junction, AP_TO_P, i))
        assert float(drive.overdrive) == pytest.approx(i, rel=1e-6)
        # ln A_c = lim (i - 1) t + ln start; t from partial fractions in c = cos(angle).
        start = 1e-4
        c = math.cos(start)
        less = 2 * math.sin(start / 2) ** 2  # 1 - c
        t = math.log(1 + c) / (2 * (i + 1)) - math.log(less) / (2 * (i - 1))
        t += (math.log(i - c) - math.log(i)) / (i * i - 1)
        closed = start * math.exp((i - 1) * t)
        assert float(drive.critical_angle) == pytest.approx(closed, rel=1e-3)
    plane = dataclasses.replace(DEFAULT, r_off_ohm=1500 * (1 + 1e-9))
    drive = switching.drive(plane, P_TO_AP)
    assert float(drive.critical_angle) == pytest.approx(math.pi / 2, rel=1e-6)


# --- what a drive is made of ---


@pytest.mark.parametrize("junction", [*BOTH, STOCHASTIC], ids=lambda junction: junction.name)
@pytest.mark.parametrize("direction", DIRECTIONS.values(), ids=DIRECTIONS)
def test_overdrive_is_the_current_over_the_critical_one(junction, direction):
    drive = switching.drive(junction, direction)
    current = junction.current_a(direction, junction.v_write_v)
    assert float(drive.overdrive) == pytest.approx(current / junction.critical_current_a, rel=1e-12)
    assert float(drive.stability) == junction.stability


def test_factors_are_those_of_the_cell():
    drive = switching.drive(
        DEFAULT, AP_TO_P, np.array([[0.8], [1.0]]),
        resistance=2.0, critical_current=np.array([1.0, 1.25, 0.8]), stability=1.5,
    )  # fmt: skip
    nominal = 1 / 2500 / DEFAULT.critical_current_a
    expected = nominal * np.array([[0.8], [1.0]]) / 2 / np.array([1.0, 1.25, 0.8])
    assert drive.overdrive == pytest.approx(expected, rel=1e-12)
    assert drive.stability == pytest.approx(np.full((2, 3), 1.5 * DEFAULT.stability))
    assert drive.critical_angle.shape == (2, 3)
    # Each cell by itself gives the same.
    alone = switching.drive(
        DEFAULT, AP_TO_P, 0.8, resistance=2.0, critical_current=1.25, stability=1.5
    )
    assert drive.critical_angle[0, 1] == pytest.approx(alone.critical_angle, rel=1e-12)
    p = switching.probability(drive, 1e-9)
    assert p[0, 1] == pytest.approx(switching.probability(alone, 1e-9), rel=1e-9)


@pytest.mark.parametrize(
    ("arguments", "error", "message"),
    [
        ({"direction": 2}, ValueError, r"^direction must be in 0 to 1, not 2$"),
        ({"direction": "up"}, TypeError, r"^direction must be an integer, not 'up'$"),
        ({"voltage_v": math.nan}, ValueError, r"^voltage_v\[\] must be finite, not nan$"),
        ({"voltage_v": np.array([1.0, math.inf])}, ValueError, r"^voltage_v\[1\] must be finite"),
        ({"voltage_v": "1 V"}, TypeError, r"^voltage_v must hold real numbers"),
        ({"resistance": 0.0}, ValueError, r"^resistance must be positive, not 0$"),
        ({"critical_current": -1.0}, ValueError, r"^critical_current must be positive, not -1$"),
        ({"stability": np.array([1.0, 0.0])}, ValueError, r"^stability must be positive, not 0$"),
    ],
)
def test_what_is_no_drive_is_refused(arguments, error, message):
    arguments = {"direction": AP_TO_P} | arguments
    with pytest.raises(error, match=message):
        switching.drive(DEFAULT, **arguments)


@pytest.mark.parametrize(
    ("pulse_s", "error", "message"),
    [
        (-1e-9, ValueError, r"^pulse_s must not be negative, not -1e-09$"),
        (np.array([1e-9, math.nan]), ValueError, r"^pulse_s\[1\] must be finite, not nan$"),
        ("long", TypeError, r"^pulse_s must hold real numbers"),
    ],
)
def test_what_is_no_length_is_refused(pulse_s, error, message):
    with pytest.raises(error, match=message):
        switching.probability(switching.drive(DEFAULT, AP_TO_P), pulse_s)


def test_lengths_broadcast():
    drive = switching.drive(DEFAULT, AP_TO_P, np.array([[0.9], [1.0]]))
    assert switching.probability(drive, np.linspace(0, 2e-9, 5)).shape == (2, 5)
    assert switching.probability(drive, np.zeros((0,))).shape == (2, 0)

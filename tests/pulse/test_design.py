"""Pulse coders against brute force, and against coded draws."""

import dataclasses
import math

import numpy as np
import pytest

from golden.codes import AP_TO_P, P_TO_AP
from golden.config import ArrayConfig
from golden.device import curve, junction
from golden.pulse import design
from golden.pulse.coder import encode
from golden.pulse.design import CoderConfig

FULL_S = 2e-9
JUNCTION = junction.load("default")
CURVE = curve.formula(JUNCTION)


def sigmoid(direction, pulse_s):
    """A junction with a dead zone and unequal directions, in closed form."""
    middle, width = ((0.9e-9, 0.12e-9), (0.5e-9, 0.07e-9))[direction]
    with np.errstate(over="ignore"):
        p = np.exp(-np.exp(-(np.asarray(pulse_s) - middle) / width))
    return np.where(np.asarray(pulse_s) > 0, p, 0.0)


def make(name="inverse", array=None, designed=sigmoid, full_s=FULL_S, **settings):
    keep = {key: settings.pop(key) for key in ("actual", "variants") if key in settings}
    coding = CoderConfig(coder=name, **settings)
    return design.design_table(designed, full_s, array or ArrayConfig(), coding, **keep)


def nus(codes):
    """nu of codes 1 ... codes - 2: half an octave apart, 1 at the end."""
    return [2 ** (-(codes - 2 - code) / 2) for code in range(1, codes - 1)]


# --- inverse ---


@pytest.mark.parametrize("draw_bits", [8, 16, 32])
@pytest.mark.parametrize("code_bits", range(2, 9))
def test_inverse_takes_the_nearest_step(code_bits, draw_bits):
    array = ArrayConfig(code_bits=code_bits, draw_bits=draw_bits)
    step_s = 5e-12
    table = make(array=array, step_s=step_s)
    assert table.draw_bits == draw_bits
    assert table.tick_s == step_s
    assert table.ticks[[0, -1]].tolist() == [[0, 0], [400, 400]]
    for direction in (AP_TO_P, P_TO_AP):
        curve_p = [float(sigmoid(direction, tick * step_s)) for tick in range(401)]
        for code, nu in enumerate(nus(array.codes), 1):
            wanted = math.tanh(3 * nu)
            tick = table.ticks[code, direction]
            best = min(abs(p - wanted) for p in curve_p)
            assert abs(curve_p[tick] - wanted) == pytest.approx(best, abs=1e-15), (code, direction)
        exact = [2**draw_bits * curve_p[tick] for tick in table.ticks[:, direction]]
        assert np.abs(table.thresholds[:, direction] - exact).max() <= 0.5 + 1e-6
    assert not table.by_length
    assert table.variants is None


def test_inverse_takes_the_full_pulse_where_the_junction_is_too_slow():
    table = make(designed=lambda direction, t: 0.6 * t / FULL_S)
    wanted = np.tanh(3 * np.array(nus(32)))
    assert (table.ticks[1:-1][wanted > 0.6] == 200).all()
    assert (table.thresholds[-1] == round(0.6 * 65536)).all()


def test_coarse_steps_may_leave_a_code_without_a_pulse():
    table = make(step_s=0.4e-9)
    assert table.ticks[1, P_TO_AP] == 0  # one step of 0.4 ns switches 1.5 %, wanted is 0.01 %
    assert table.thresholds[1].tolist() == [0, 0]
    assert table.ticks[-1].tolist() == [5, 5]


@pytest.mark.parametrize("steepness", [0.5, 3.0, 8.0])
def test_steepness_is_that_of_tanh(steepness):
    array = ArrayConfig(draw_bits=32)
    table = make(array=array, step_s=FULL_S / 60000, steepness=steepness)
    wanted = np.tanh(steepness * np.array(nus(32)))
    p = table.thresholds[1:-1] / 2**32
    assert np.abs(p - wanted[:, None]).max() < 2e-3


# --- linear ---


@pytest.mark.parametrize("code_bits", range(2, 9))
def test_linear_takes_the_length_itself(code_bits):
    array = ArrayConfig(code_bits=code_bits)
    table = make("linear", array)
    for code, nu in enumerate(nus(array.codes), 1):
        assert table.ticks[code].tolist() == [round(200 * nu)] * 2
    for direction in (AP_TO_P, P_TO_AP):
        p = sigmoid(direction, table.ticks[:, direction] * 1e-11)
        assert np.abs(table.thresholds[:, direction] - 65536 * p).max() <= 0.5 + 1e-6
    assert table.by_length
    assert table.levels == pytest.approx(table.ticks[:, 0] / 200)


# --- gated ---


@pytest.mark.parametrize("draw_bits", [8, 16, 32])
@pytest.mark.parametrize("code_bits", range(2, 9))
def test_gated_lets_a_share_of_full_pulses_through(code_bits, draw_bits):
    array = ArrayConfig(code_bits=code_bits, draw_bits=draw_bits)

    def weak(direction, pulse_s):
        return (0.999, 0.9)[direction] * np.asarray(pulse_s) / FULL_S

    table = make("gated", array, weak)
    for direction, full in ((AP_TO_P, 0.999), (P_TO_AP, 0.9)):
        assert table.thresholds[-1, direction] == round(full * 2**draw_bits)
        for code, nu in enumerate(nus(array.codes), 1):
            share = min(1.0, math.tanh(3 * nu) / full)
            exact = 2**draw_bits * share * full
            assert abs(table.thresholds[code, direction] - exact) <= 0.5 + 1e-6
            # The mean pulse: that share of the rows sees the whole of it.
            assert table.pulse_s[code, direction] == pytest.approx(
                share * FULL_S, abs=FULL_S / 65535
            )
    assert table.pulse_s[-1] == pytest.approx([FULL_S] * 2, rel=1e-12)


def test_gated_scales_with_what_the_full_pulse_really_does():
    table = make("gated", actual=lambda direction, t: 0.5 * sigmoid(direction, t))
    whole = make("gated")
    assert np.abs(table.thresholds - whole.thresholds / 2).max() <= 1


# --- designed, actual, variants ---


@pytest.mark.parametrize("name", design.CODERS)
def test_lengths_follow_the_design_and_thresholds_the_cells(name):
    def actual(direction, pulse_s):
        return sigmoid(direction, 0.9 * np.asarray(pulse_s))

    def variants(direction, pulse_s):
        return np.stack([actual(direction, k * np.asarray(pulse_s)) for k in (0.8, 1.0, 1.2)])

    table, nominal = make(name, actual=actual, variants=variants), make(name)
    assert np.array_equal(table.ticks, nominal.ticks)
    assert np.array_equal(table.thresholds, make(name, actual=actual).thresholds)
    assert (table.thresholds <= nominal.thresholds).all()
    assert table.variants.shape == (3, 32, 2)
    assert np.array_equal(table.variants[1], table.thresholds)
    assert (np.diff(table.variants, axis=0) >= 0).all()
    assert (table.variants[0] < table.variants[2]).any()


@pytest.mark.parametrize("name", design.CODERS)
@pytest.mark.parametrize("draw_bits", [8, 16, 32])
@pytest.mark.parametrize("code_bits", [2, 5, 8])
def test_every_device_gets_every_table(name, draw_bits, code_bits):
    array = ArrayConfig(code_bits=code_bits, draw_bits=draw_bits)
    table = make(name, array, CURVE.probability)
    assert table.thresholds.shape == (array.codes, 2)
    assert (np.diff(table.ticks, axis=0) >= 0).all()
    assert (table.thresholds[-1] > 0.99 * 2**draw_bits).all()


def test_a_falling_curve_is_levelled():
    table = make(designed=lambda direction, t: np.sin(np.pi * t / FULL_S) * 0.9)
    assert (np.diff(table.thresholds, axis=0) >= 0).all()
    low = np.tanh(3 * np.array(nus(32))) < 0.9
    assert (table.ticks[1:-1][low] <= 100).all()


# --- response ---


@pytest.mark.parametrize("name", design.CODERS)
def test_response_is_what_coded_draws_do(name, plausible):
    array = ArrayConfig()
    table, trials = make(name), 100_000
    nu = np.array([3e-4, 0.01, 0.1, 0.23, 0.5, 0.8, 0.97])
    rng = np.random.default_rng(1)
    response = design.response(table, nu)
    for k, each in enumerate(nu):
        kappa, code = encode(np.full((1, trials), each), table, array, rng)
        assert not kappa.any()
        for direction in (AP_TO_P, P_TO_AP):
            draws = rng.integers(0, table.scale, trials)
            hits = int((draws < table.thresholds[code[0], direction]).sum())
            assert plausible(hits, trials, response[k, direction], 14), (each, direction)


def test_response_at_codes_is_their_probability():
    table = make("linear")
    nu = np.array(nus(32))[-12:]
    exact = nu * 200 == np.rint(nu * 200)  # where rounding to whole steps moves nothing
    p = table.thresholds[-13:-1] / 65536
    assert design.response(table, nu[exact & (nu < 1)]) == pytest.approx(p[exact & (nu < 1)])


@pytest.mark.parametrize("name", design.CODERS)
def test_largest_error_is_the_largest_of_a_sweep_by_direction(name):
    table = make(name)
    nu = np.sort(np.random.default_rng(2).random(20000))
    errors = np.abs(design.response(table, nu) - np.tanh(3 * nu)[:, None]).max(axis=0)
    assert design.largest_error(table) == pytest.approx(errors, abs=1e-3)


def test_inverse_and_gated_are_far_nearer_to_tanh_than_linear():
    errors = {name: design.largest_error(make(name, step_s=1e-12)) for name in design.CODERS}
    assert (errors["linear"] > 0.4).all()
    assert (errors["inverse"] < 0.02).all()
    # The full pulse switches AP cells with 0.99989, P cells with 1: next to no loss.
    assert (errors["gated"] < 0.005).all()


def uneven(direction, pulse_s):
    return sigmoid(AP_TO_P, pulse_s) * (0.95 if direction == AP_TO_P else 0.5)


def test_no_change_gets_more_than_the_full_pulse(plausible):
    # Cells that switch less than the coder counts on: codes at nu = 1 and full differ a little.
    table, trials = make(actual=lambda k, t: (0.9, 0.8)[k] * sigmoid(k, t)), 100_000
    response = design.response(table, np.array([0.99]))
    assert response[0] == pytest.approx([0.9, 0.8], abs=1e-3)
    rng = np.random.default_rng(3)
    _, code = encode(np.full((1, trials), 0.99), table, ArrayConfig(), rng)
    for direction in (AP_TO_P, P_TO_AP):
        draws = rng.integers(0, table.scale, trials)
        hits = int((draws < table.thresholds[code[0], direction]).sum())
        assert plausible(hits, trials, response[0, direction], 2)
    assert design.largest_error(table)[P_TO_AP] == pytest.approx(0.995 - 0.8, abs=2e-3)


def test_largest_error_tells_the_directions_apart():
    # At nu = 1 both fall short of tanh 3 = 0.995 by what the full pulse lacks.
    _, p_to_ap = design.largest_error(make(designed=uneven, step_s=1e-12))
    assert p_to_ap == pytest.approx(0.995 - 0.5, abs=2e-3)


# --- refused ---


@pytest.mark.parametrize("full_s", [1e-9, 2e-9, 1e-7])
def test_step_must_fit_the_full_pulse(full_s):
    for step_s in (full_s * 1.01 * 2, full_s / 65540, full_s / 1e6):
        with pytest.raises(ValueError, match=r"^step_s must be between .* and t_write_s = "):
            make(full_s=full_s, step_s=step_s)
    for step_s in (full_s, full_s / 65535):
        table = make(full_s=full_s, step_s=step_s, designed=lambda d, t: t / (full_s * 1.01))
        assert table.ticks[-1].tolist() == [round(full_s / step_s)] * 2


@pytest.mark.parametrize(
    ("full_s", "error"), [(math.nan, ValueError), (-1e-9, ValueError), (None, TypeError)]
)
def test_full_pulse_must_be_a_length(full_s, error):
    with pytest.raises(error, match=r"^full_s must be "):
        make(full_s=full_s)


def test_full_pulse_must_switch():
    with pytest.raises(ValueError, match=r"^the full pulse of 2e-09 s must switch, but does not$"):
        make(designed=lambda direction, t: np.zeros_like(t))


@pytest.mark.parametrize(
    ("settings", "error", "message"),
    [
        ({"coder": "log"}, ValueError,
         r"^coder must be one of inverse, linear, gated, not 'log'$"),
        ({"steepness": 0.0}, ValueError,
         r"^steepness must be finite and in 0\.01 to 1e\+06, not 0\.0$"),
        ({"steepness": "3"}, TypeError, r"^steepness must be a number, not '3'$"),
        ({"step_s": 0.0}, ValueError, r"^step_s must be finite and in 1e-15 to 1, not 0\.0$"),
        ({"step_s": math.nan}, ValueError, r"^step_s must be finite and in 1e-15 to 1, not nan$"),
        ({"step_s": 2.0}, ValueError, r"^step_s must be finite and in 1e-15 to 1, not 2\.0$"),
    ],
)  # fmt: skip
def test_settings_are_checked(settings, error, message):
    with pytest.raises(error, match=message):
        CoderConfig(**settings)
    assert dataclasses.asdict(CoderConfig()) == {
        "coder": "inverse", "steepness": 3.0, "step_s": 1e-11,
    }  # fmt: skip


@pytest.mark.parametrize("nu", [[-0.1], [0.2, 1.0], [math.nan]])
def test_response_is_of_changes_below_a_step(nu):
    with pytest.raises(ValueError, match=r"^nu"):
        design.response(make(), np.array(nu))

"""The macrospin simulation against Boltzmann, Fokker and Planck, exact trajectories, and cmtj.

Statistical bounds are 5 standard errors of the mean (6e-7 by chance) or ``plausible``'s.
"""

import dataclasses
import math
import time

import numpy as np
import pytest
from fokker_planck import probability as fokker_planck
from scipy.integrate import dblquad, solve_ivp
from scipy.stats import fisher_exact

from golden import device
from golden.codes import AP_TO_P, P_TO_AP
from golden.device import macrospin
from golden.device.macrospin import Macrospin

HBAR, ELECTRON, GAMMA = 1.054572e-34, 1.602177e-19, 1.760860e11
DEFAULT, RETENTION = device.load("default"), device.load("retention")
SIGMAS = 5.0


def flat(junction, **values):
    """``junction`` with a resistance that hardly depends on its state, so a constant current."""
    values = {"half_tmr_v": math.inf, "r_off_ohm": junction.r_on_ohm * (1 + 1e-9)} | values
    return dataclasses.replace(junction, **values)


def volts_at(junction, overdrive):
    """Voltage for an overdrive of a flat junction."""
    ohm = junction.r_on_ohm + junction.r_access_ohm
    return overdrive * junction.critical_current_a * ohm


def cold(junction):
    return flat(junction, temperature_k=1e-6)


# --- thermal equilibrium ---


def boltzmann(junction):
    """Exact averages of x, y^2, z^2 over the half sphere around the easy axis."""
    delta = junction.stability
    hard = delta * (1 + junction.demagnetising_t / junction.mu0_hk_t)

    def average(f):
        def density(phi, angle):
            x, r = math.cos(angle), math.sin(angle)
            y, z = r * math.cos(phi), r * math.sin(phi)
            return f(x, y, z) * math.exp(-delta * y * y - hard * z * z) * r

        return dblquad(density, 0, math.pi / 2, 0, 2 * math.pi, epsabs=1e-12)[0]

    total = average(lambda x, y, z: 1)
    functions = (lambda x, y, z: x, lambda x, y, z: y * y, lambda x, y, z: z * z)
    return [average(f) / total for f in functions]


@pytest.mark.parametrize("junction", [RETENTION, DEFAULT], ids=lambda junction: junction.name)
def test_noise_heats_a_cold_start_to_the_boltzmann_distribution(junction):
    # From the pole itself, where no noise has been; damping 0.1 to get there soon.
    junction = dataclasses.replace(junction, damping=0.1)
    trials, rng = 2048, np.random.default_rng(1)
    model = Macrospin(junction, 1e-12)
    m = np.zeros((3, trials), np.float32)
    m[0] = 1
    decay = round(junction.growth_time_s / model.dt_s)
    m = model.run(m, 6 * decay, rng)
    squares = np.zeros((2, trials))
    samples = 16
    for _ in range(samples):
        m = model.run(m, decay // 2, rng)
        squares += np.square(m[1:]) / samples
    _, *exact = boltzmann(junction)
    for square, mean in zip(squares, exact, strict=True):
        error = square.std() / math.sqrt(trials)
        assert error < 0.02 * mean  # a bath off by a tenth would show
        assert abs(square.mean() - mean) < SIGMAS * error
    assert np.abs(np.square(m).sum(axis=0) - 1).max() < 1e-6


@pytest.mark.parametrize("stability", [5.0, 19.0])
@pytest.mark.parametrize("junction", [RETENTION, DEFAULT], ids=lambda junction: junction.name)
def test_equilibrium_sampler_against_quadrature(junction, stability):
    scale = stability / junction.stability
    junction = dataclasses.replace(junction, thickness_m=junction.thickness_m * scale)
    m = Macrospin(junction).equilibrium(20000, np.random.default_rng(2)).astype(float)
    assert m.shape == (3, 20000)
    assert np.abs(np.square(m).sum(axis=0) - 1).max() < 1e-6
    assert (m[0] > 0).all()
    for sample, mean in zip((m[0], m[1] ** 2, m[2] ** 2), boltzmann(junction), strict=True):
        assert abs(sample.mean() - mean) < SIGMAS * sample.std() / math.sqrt(20000)
    for sample in (m[1], m[2], m[1] * m[2]):
        assert abs(sample.mean()) < SIGMAS * sample.std() / math.sqrt(20000)


# --- without noise ---


def gilbert(junction, direction, volts):
    """dm/dt from Gilbert's implicit equation, solved as a 3 x 3 system at each instant."""
    toward = np.array([1.0 if direction == AP_TO_P else -1.0, 0, 0])
    volume = math.pi / 4 * junction.length_m * junction.width_m * junction.thickness_m
    moment = junction.mu0_ms_t / (4e-7 * math.pi) * volume
    on, off = (float(ohm) for ohm in junction.resistances_ohm(volts))

    def slope(_, m):
        field = np.array([junction.mu0_hk_t * m[0], 0, -junction.demagnetising_t * m[2]])
        ohm = 1 / ((1 / on + 1 / off) / 2 + m[0] * (1 / on - 1 / off) / 2)
        current = volts / (ohm + junction.r_access_ohm)
        a = HBAR * junction.polarisation * current / (2 * ELECTRON * moment)
        free = -GAMMA * (np.cross(m, field) + a * np.cross(m, np.cross(m, toward)))
        cross = np.array([[0, -m[2], m[1]], [m[2], 0, -m[0]], [-m[1], m[0], 0]])
        return np.linalg.solve(np.eye(3) - junction.damping * cross, free)

    return slope


@pytest.mark.parametrize(
    ("junction", "direction", "damping"),
    [
        (RETENTION, AP_TO_P, 0.02),
        (RETENTION, P_TO_AP, 0.2),
        (DEFAULT, AP_TO_P, 0.2),
        (DEFAULT, P_TO_AP, 0.01),
    ],
    ids=["retention", "retention-damped", "default-damped", "default"],
)
def test_cold_motion_is_that_of_gilberts_equation(junction, direction, damping):
    junction = dataclasses.replace(junction, temperature_k=1e-6, damping=damping)
    side = -1 if direction == AP_TO_P else 1
    start = np.array([side * math.sqrt(1 - 0.2**2 - 0.05**2), 0.2, 0.05])
    steps, dt_s = 3000, 2e-13
    model = Macrospin(junction, dt_s)
    m = start.astype(np.float32)[:, None]
    rng = np.random.default_rng(3)
    volts = 0.8
    slope = gilbert(junction, direction, volts)
    exact = solve_ivp(slope, (0, steps * dt_s), start, rtol=1e-9, atol=1e-10, dense_output=True).sol
    for part in range(1, 7):
        m = model.run(m, steps // 6, rng, volts, direction)
        # Heun's phase error is (w dt)^3 / 6 a step, with w of at most gamma (Bk + Bd) = 2.4e11 / s.
        assert m[:, 0] == pytest.approx(exact(part * steps // 6 * dt_s), abs=0.005)
    assert np.abs(exact(steps * dt_s) - start).max() > 0.1


def test_cold_switching_time_in_closed_form():
    # d angle / dt = (i - cos) sin / tau from the start to the equator, in partial fractions.
    junction = cold(RETENTION)
    i, starts = 3.0, np.array([0.02, 0.05, 0.1, 0.3])
    c = np.cos(starts)
    exact = np.log(1 + c) / (2 * (i + 1)) - np.log(1 - c) / (2 * (i - 1))
    exact += (np.log(i - c) - np.log(i)) / (i * i - 1)
    exact *= 1.0004 / (0.02 * GAMMA * junction.mu0_hk_t)
    model = Macrospin(junction)
    m = np.stack([-np.cos(starts), np.sin(starts), 0 * starts]).astype(np.float32)
    rng, step, crossed = np.random.default_rng(4), 5, np.zeros(4)
    for _ in range(round(1.1 * exact.max() / (step * model.dt_s))):
        before = m[0]
        m = model.run(m, step, rng, volts_at(junction, i))
        crossed += np.where(m[0] < 0, 1.0, np.where(before < 0, before / (before - m[0]), 0.0))
    assert (m[0] > 0).all()
    assert crossed * step * model.dt_s == pytest.approx(exact, rel=3e-3)


@pytest.mark.parametrize("overdrive", [0.0, 0.8, 1.2, 2.0])
@pytest.mark.parametrize("direction", [AP_TO_P, P_TO_AP])
@pytest.mark.parametrize("junction", [RETENTION, DEFAULT], ids=lambda junction: junction.name)
def test_amplitude_grows_above_the_critical_current_alone(junction, direction, overdrive):
    junction = cold(junction)
    model, rng = Macrospin(junction), np.random.default_rng(5)
    volts = volts_at(junction, overdrive)
    # Four phases of the precession: their mean energy does not beat with it.
    phases = np.arange(4) * math.pi / 2
    stiff = math.sqrt(1 + junction.demagnetising_t / junction.mu0_hk_t)
    y, z = 0.02 * np.cos(phases), 0.02 * np.sin(phases) / stiff
    x = np.sqrt(1 - y * y - z * z) * (-1 if direction == AP_TO_P else 1)
    m = np.stack([x, y, z]).astype(np.float32)
    steps = 800
    end = model.run(m, steps, rng, volts, direction)
    growth = np.log(model.energy(end).mean() / model.energy(m).mean()) / 2
    rate = growth / (steps * model.dt_s) * junction.growth_time_s
    assert rate == pytest.approx(overdrive - 1, abs=0.02)


# --- switching probability ---


@pytest.fixture(scope="module")
def constant_current():
    """P at 2, 4, 6, 8, 10 ns of 40 nm x 1.3 nm, Delta 60, 1.2 Ic0: simulated, and exact."""
    junction, trials = flat(RETENTION), 2048
    volts = volts_at(junction, 1.2)
    pulse_s = 2e-9 * np.arange(1, 6)
    p = macrospin.probability(
        junction, AP_TO_P, pulse_s, voltage_v=volts, trials=trials, seed=6, dt_s=2e-12
    )
    return np.rint(p * trials).astype(int), trials, fokker_planck(
        junction, AP_TO_P, 2e-9, 5, voltage_v=volts
    )  # fmt: skip


def test_constant_current_against_fokker_and_planck(constant_current, plausible):
    hits, trials, exact = constant_current
    for k in range(5):
        assert plausible(hits[k], trials, exact[k], 5), (k, hits[k] / trials, exact[k])


def test_constant_current_against_cmtj(constant_current, plausible):
    # cmtj 1.15.0 with SolverMode.Heun, 500 trials: P = .002, .252, .686, .898, .968.
    theirs = np.array([1, 126, 343, 449, 484])
    hits, trials, exact = constant_current
    for k in range(5):
        table = [[hits[k], trials - hits[k]], [theirs[k], 500 - theirs[k]]]
        assert fisher_exact(table).pvalue > 1e-6 / 5, (k, hits[k] / trials, theirs[k] / 500)
        assert plausible(theirs[k], 500, exact[k], 5)


@pytest.mark.parametrize("direction", [AP_TO_P, P_TO_AP])
def test_falling_resistance_against_fokker_and_planck(direction, plausible):
    trials, pulse_s = 2048, 0.5e-9 * np.arange(1, 5)
    p = macrospin.probability(RETENTION, direction, pulse_s, trials=trials, seed=7)
    exact = fokker_planck(RETENTION, direction, 0.5e-9, 4)
    assert 0.02 < exact[1] < 0.98
    for k in range(4):
        assert plausible(round(p[k] * trials), trials, exact[k], 8), (k, p[k], exact[k])


def test_result_does_not_depend_on_the_time_step():
    # Two samples of a binomial each; P about 1/2.
    trials, pulse_s = 4096, np.array([0.3e-9])
    p = [
        macrospin.probability(DEFAULT, P_TO_AP, pulse_s, trials=trials, seed=8 + i, dt_s=dt_s)[0]
        for i, dt_s in enumerate((1e-12, 0.5e-12))
    ]
    assert 0.2 < p[0] < 0.9
    hits = [round(each * trials) for each in p]
    table = [[n, trials - n] for n in hits]
    assert fisher_exact(table).pvalue > 1e-6


def test_no_pulse_no_switching():
    p = macrospin.probability(DEFAULT, AP_TO_P, np.array([0.0, 4e-13, 2e-12]), trials=500)
    assert p.tolist() == [0, 0, 0]


def test_every_trial_switches_under_a_long_strong_pulse():
    p = macrospin.probability(RETENTION, P_TO_AP, np.array([4e-9]), trials=500, dt_s=2e-12)
    assert p.tolist() == [1]


def test_same_seed_same_result_and_blocks_are_independent(monkeypatch):
    arguments = (DEFAULT, P_TO_AP, np.array([0.2e-9, 0.25e-9, 0.3e-9]))

    def run(trials, seed):
        return macrospin.probability(*arguments, trials=trials, seed=seed, dt_s=2e-12)

    monkeypatch.setattr(macrospin, "_BLOCK", 64)
    first = run(200, 1)
    assert run(200, 1).tolist() == first.tolist()
    assert run(200, 2).tolist() != first.tolist()
    assert first * 200 == pytest.approx(np.rint(first * 200), abs=1e-9)
    assert run(128, 1).tolist() != run(64, 1).tolist()  # else the second block repeats the first


def test_no_lengths_no_result():
    assert macrospin.probability(DEFAULT, AP_TO_P, np.zeros(0), trials=10).shape == (0,)


def test_the_start_of_a_run_is_left_alone():
    model, rng = Macrospin(DEFAULT), np.random.default_rng(9)
    m = model.equilibrium(10, rng)
    kept = m.copy()
    model.run(m, 3, rng, 1.0)
    assert np.array_equal(m, kept)
    assert np.array_equal(model.run(m, 0, rng), kept)
    assert model.run(m, 3, rng).dtype == np.float32


def test_cells_come_to_rest_in_the_nearer_well(plausible):
    model, rng = Macrospin(DEFAULT), np.random.default_rng(10)
    angles = np.array([0.1, 0.5, math.pi - 0.5, math.pi - 0.1])
    m = np.stack([np.cos(angles), np.sin(angles), 0 * angles]).astype(np.float32)
    assert model.switched(m, rng).tolist() == [True, True, False, False]
    top = np.zeros((3, 1000), np.float32)
    top[1, :500], top[1, 500:] = 1, -1
    assert plausible(int(model.switched(top, rng).sum()), 1000, 0.5, 1)


def test_energy_is_one_on_top_of_the_barrier():
    # In units of the barrier: 1 in the hard direction of the plane, 1 + Bd / Bk along the normal.
    m = np.eye(3, dtype=np.float32)
    assert Macrospin(DEFAULT).energy(m) == pytest.approx([0, 1, 1 + 1.25 / 0.1])
    assert Macrospin(RETENTION).energy(m) == pytest.approx([0, 1, 1])


@pytest.mark.parametrize(
    ("arguments", "error", "message"),
    [
        ({"direction": 2}, ValueError, r"^direction must be in 0 to 1, not 2$"),
        ({"pulse_s": [1e-9, 0.5e-9]}, ValueError, r"^pulse_s must not fall, from 0 on, not \[1e-"),
        ({"pulse_s": [-1e-9]}, ValueError, r"^pulse_s must not fall, from 0 on, not \[-1e-09\]$"),
        ({"pulse_s": [math.nan]}, ValueError, r"^pulse_s\[0\] must be finite, not nan$"),
        ({"pulse_s": 1e-9}, ValueError, r"^pulse_s must have 1 dimensions, not shape \(\)$"),
        ({"trials": 0}, ValueError, r"^trials must be at least 1, not 0$"),
        ({"trials": 1.5}, TypeError, r"^trials must be an integer, not 1\.5$"),
        ({"seed": -1}, ValueError, r"^seed must be in 0 to 36893488147419103231, not -1$"),
        ({"seed": None}, TypeError, r"^seed must be an integer, not None$"),
        ({"voltage_v": -0.1}, ValueError, r"^voltage_v must be finite and at least 0, not -0\.1$"),
        ({"dt_s": 2e-11}, ValueError, r"^dt_s must be finite and in 1e-16 to 1e-11, not 2e-11$"),
        ({"dt_s": 0.0}, ValueError, r"^dt_s must be finite and in 1e-16 to 1e-11, not 0\.0$"),
    ],
)  # fmt: skip
def test_bad_arguments_are_named(arguments, error, message):
    arguments = {"direction": AP_TO_P, "pulse_s": [1e-12], "trials": 10} | arguments
    with pytest.raises(error, match=message):
        macrospin.probability(DEFAULT, **arguments)


def test_another_simulator_agrees():
    cmtj = pytest.importorskip(
        "cmtj", reason="cmtj, the simulator to compare with, is not there: pip install .[oracle]"
    )
    junction, trials, pulse_s = flat(RETENTION), 400, 4e-9
    area = math.pi / 4 * 40e-9**2
    anisotropy = 1.2 / (4e-7 * math.pi) * junction.mu0_hk_t / 2  # J / m^3
    density = 1.2 * junction.critical_current_a / area
    cmtj_vector, constant = cmtj.CVector, cmtj.ScalarDriver.getConstantDriver
    rng = np.random.default_rng(11)
    # Boltzmann around -z: the density of sin^2 is exp(-Delta sin^2) / (2 cos), nearly exponential.
    s2 = rng.exponential(1 / junction.stability, trials)
    phi = rng.uniform(0, 2 * math.pi, trials)
    began, switched = time.perf_counter(), 0
    for k in range(trials):
        s = math.sqrt(s2[k])
        start = cmtj_vector(s * math.cos(phi[k]), s * math.sin(phi[k]), -math.sqrt(1 - s2[k]))
        layer = cmtj.Layer.createSTTLayer(
            "free", start, cmtj_vector(0, 0, 1), 1.2, 1.3e-9, area, [cmtj_vector(0, 0, 0)] * 3,
            0.02, 1.0, 0.0, 0.6,
        )  # fmt: skip
        layer.setReferenceLayer(cmtj_vector(0, 0, 1))
        layer.setSeed(k)
        cell = cmtj.Junction([layer])
        cell.setLayerAnisotropyDriver("free", constant(anisotropy))
        cell.setLayerTemperatureDriver("free", constant(300.0))
        cell.setLayerCurrentDriver("free", constant(density))
        cell.runSimulation(pulse_s, 1e-12, pulse_s, solverMode=cmtj.SolverMode.Heun)
        switched += cell.getLayerMagnetisation("free").z > 0
    theirs_s = (time.perf_counter() - began) / trials
    began, ours = time.perf_counter(), 4096
    p = macrospin.probability(
        junction, AP_TO_P, np.array([pulse_s]), voltage_v=volts_at(junction, 1.2), trials=ours
    )[0]
    ours_s = (time.perf_counter() - began) / ours
    hits = round(p * ours)
    print(f"P = {p:.4f}, cmtj {switched / trials:.4f}; "
          f"{1e3 * ours_s:.2f} ms a trial, cmtj {1e3 * theirs_s:.2f} ms")  # fmt: skip
    table = [[hits, ours - hits], [switched, trials - switched]]
    assert fisher_exact(table).pvalue > 1e-6

"""Optimisers against plain-Python scalars."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import integrate, stats

from golden.network.optim import OPTIMISERS, Adam, Gradient, Momentum, exponential_decay, tail_rms

GRADIENTS = st.lists(
    st.lists(st.floats(-1e3, 1e3), min_size=3, max_size=3), min_size=1, max_size=12
)


@given(GRADIENTS)
def test_adam_matches_scalars(gradients):
    optimiser = Adam()
    m, v = [0.0] * 3, [0.0] * 3
    for t, gradient in enumerate(gradients, start=1):
        step = optimiser.step("w", np.array(gradient), 0.01)
        for i, g in enumerate(gradient):
            m[i] = 0.9 * m[i] + 0.1 * g
            v[i] = 0.999 * v[i] + 0.001 * g * g
            rate = 0.01 * math.sqrt(1 - 0.999**t) / (1 - 0.9**t)
            want = -rate * m[i] / (math.sqrt(v[i]) + 1e-8)
            assert step[i] == pytest.approx(want, rel=1e-6, abs=1e-12)


@given(GRADIENTS)
def test_momentum_matches_scalars(gradients):
    optimiser = Momentum()
    m = [0.0] * 3
    for gradient in gradients:
        step = optimiser.step("w", np.array(gradient), 0.01)
        m = [0.9 * old + 0.1 * g for old, g in zip(m, gradient, strict=True)]
        np.testing.assert_allclose(optimiser.state["w.m"], m, rtol=1e-9, atol=1e-12)
        m = optimiser.state["w.m"].tolist()  # sums that cancel would magnify last digits below
        rms = math.sqrt(sum(x * x for x in m) / 3)
        want = [-0.01 * x / rms if rms else 0.0 for x in m]
        np.testing.assert_allclose(step, want, rtol=1e-9, atol=1e-300)


@given(GRADIENTS)
def test_gradient_is_scaled_by_its_root_mean_square_alone(gradients):
    optimiser = Gradient()
    for gradient in gradients:
        rms = math.sqrt(sum(g * g for g in gradient) / 3)
        want = [-0.01 * g / rms if rms else 0.0 for g in gradient]
        for dtype, rtol in ((np.float64, 1e-12), (np.float32, 1e-5)):
            if any(0 < abs(g) < 1e-15 for g in gradient):
                continue  # its square is no number of float32
            step = optimiser.step("w", np.array(gradient, dtype), 0.01)
            np.testing.assert_allclose(step, want, rtol=rtol, atol=1e-300)
    assert set(optimiser.state) <= {"w.steps"}


def test_gradients_factor_is_the_rate_over_the_root():
    assert Gradient.factor(4.0, 0.1) == pytest.approx(-0.05)
    assert Gradient.factor(0.0, 0.1) == 0


@pytest.mark.parametrize("k", [0.0, 0.5, 2.0, 3.5])
def test_the_rms_beyond_a_dead_zone_is_the_integral(k):
    tail, _ = integrate.quad(lambda z: (z - k) ** 2 * stats.norm.pdf(z), k, k + 20)
    assert tail_rms(k) == pytest.approx(math.sqrt(2 * tail), rel=1e-6)


@given(GRADIENTS, st.floats(0.1, 4.0), st.floats(0.01, 100.0))
def test_a_dead_zone_is_left_out_of_every_step(gradients, k, mean_square):
    for gradient in gradients:
        want = []
        for g in gradient:
            beyond = max(abs(g) / math.sqrt(mean_square) - k, 0.0) / tail_rms(k)
            want.append(-0.01 * math.copysign(beyond, g))
        step = Gradient(dead_zone=k).thresholded(np.array(gradient), mean_square, 0.01)
        np.testing.assert_allclose(step, want, rtol=1e-9, atol=1e-12)


def test_a_dead_zone_without_a_gradient_gives_no_step():
    assert not Gradient(dead_zone=2.0).thresholded(np.zeros(3), 0.0, 0.1).any()


def test_adam_starts_with_a_step_of_the_learning_rate():
    step = Adam().step("w", np.array([1e-3, -5.0]), 0.01)
    np.testing.assert_allclose(step, [-0.01, 0.01], rtol=1e-3)


@pytest.mark.parametrize("name", OPTIMISERS)
def test_nothing_to_learn_gives_no_step(name):
    optimiser = OPTIMISERS[name]()
    for _ in range(3):
        assert not optimiser.step("w", np.zeros((2, 3), np.float32), 0.1).any()


@pytest.mark.parametrize("name", OPTIMISERS)
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_step_keeps_shape_and_type(name, dtype):
    optimiser = OPTIMISERS[name]()
    tiny = np.full((2, 3), np.finfo(dtype).smallest_subnormal, dtype)
    for gradient in (np.ones((2, 3), dtype), tiny):
        step = optimiser.step("w", gradient, 0.1)
        assert (step.shape, step.dtype) == ((2, 3), dtype)
        assert np.isfinite(step).all()


@pytest.mark.parametrize("name", OPTIMISERS)
def test_state_is_all_it_remembers(name):
    rng = np.random.default_rng(1)
    gradients = rng.normal(size=(6, 4))
    unbroken = OPTIMISERS[name]()
    steps = [unbroken.step("w", g, 0.1) for g in gradients]
    first = OPTIMISERS[name]()
    for g in gradients[:3]:
        first.step("w", g, 0.1)
    second = OPTIMISERS[name]({k: v.copy() for k, v in first.state.items()})
    for g, want in zip(gradients[3:], steps[3:], strict=True):
        np.testing.assert_array_equal(second.step("w", g, 0.1), want)
    buffers = {f"w.{b}" for b in OPTIMISERS[name].BUFFERS}
    assert set(second.state) == buffers | {"w.steps"}


@pytest.mark.parametrize("name", OPTIMISERS)
def test_parameters_do_not_share_memory(name):
    alone, shared = OPTIMISERS[name](), OPTIMISERS[name]()
    shared.step("other", np.array([7.0]), 0.1)
    g = np.array([1.0, -2.0])
    np.testing.assert_array_equal(shared.step("w", g, 0.1), alone.step("w", g, 0.1))


def test_bytes_per_weight():
    assert Adam.bytes_per_weight() == 8
    assert Momentum.bytes_per_weight() == 4
    assert Gradient.bytes_per_weight() == 0
    assert Adam.bytes_per_weight(np.float64) == 16


def test_exponential_decay_meets_both_ends():
    rates = [exponential_decay(0.1, 0.001, epoch, 3) for epoch in range(3)]
    assert rates == pytest.approx([0.1, 0.01, 0.001])
    assert exponential_decay(0.1, 0.001, 0, 1) == 0.1
    with pytest.raises(ValueError, match=r"^epoch must be in 0 to 2, not 3$"):
        exponential_decay(0.1, 0.001, 3, 3)

"""Layers and loss against closed formulas, plain loops and finite differences."""

import functools

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from golden.array.golden import GoldenArray
from golden.codes import cell_weights
from golden.config import ArrayConfig
from golden.matrix.tiled import ArrayBank
from golden.network.layers import BN_ALPHA, BN_EPSILON, Activation, BatchNorm, squared_hinge
from golden.network.synapse_layers import Dense
from golden.pulse.table import tanh_table


def numeric_gradient(f, x, step=1e-6):
    """Central differences of the scalar function f of no arguments, at the array x it reads."""
    gradient = np.zeros_like(x)
    for index in np.ndindex(x.shape):
        keep = x[index]
        x[index] = keep + step
        above = f()
        x[index] = keep - step
        below = f()
        x[index] = keep
        gradient[index] = (above - below) / (2 * step)
    return gradient


def dense(n_in, n_out, rng, *, error_bits=8, synapse="ternary", dtype=np.float64):
    config = ArrayConfig(rows=4, cols=3, error_bits=error_bits, synapse=synapse)
    matrix = ArrayBank(GoldenArray, config, tanh_table(config), 0).matrix("layer1", n_in, n_out)
    bits = rng.integers(0, 2, (n_out, n_in, config.cells))
    matrix.program(bits)
    return Dense(matrix, dtype), cell_weights(bits).astype(int)


@pytest.mark.parametrize("synapse", ["ternary", "binary"])
def test_dense_forward_is_the_matrix_product(synapse):
    rng = np.random.default_rng(1)
    layer, weights = dense(9, 5, rng, synapse=synapse, dtype=np.float32)
    u = rng.integers(-1, 2, (7, 9))
    s = layer.forward(u, train=False)
    assert s.dtype == np.float32
    np.testing.assert_array_equal(s, u @ weights.T)


@pytest.mark.parametrize("error_bits", [2, 8, 16])
def test_dense_backward_is_exact_in_the_quantised_errors(error_bits):
    rng = np.random.default_rng(2)
    layer, weights = dense(9, 5, rng, error_bits=error_bits)
    u = rng.integers(-1, 2, (7, 9)).astype(np.int8)
    layer.forward(u, train=True)
    gradient = rng.normal(size=(7, 5))
    e = layer.backward(gradient)
    scale = np.abs(gradient).max() / (2 ** (error_bits - 1) - 1)
    d = np.array([[round(g / scale) for g in row] for row in gradient])  # half to even
    np.testing.assert_array_equal(e, (d @ weights) * scale)
    np.testing.assert_array_equal(layer.gradient(), (d.T @ u) * scale)


def test_dense_with_fine_errors_has_the_real_gradients():
    rng = np.random.default_rng(3)
    layer, weights = dense(9, 5, rng, error_bits=16)
    u = rng.integers(-1, 2, (7, 9)).astype(np.int8)
    layer.forward(u, train=True)
    gradient = rng.normal(size=(7, 5))
    half = np.abs(gradient).max() / 32767 / 2
    np.testing.assert_allclose(layer.backward(gradient), gradient @ weights, rtol=0, atol=5 * half)
    np.testing.assert_allclose(layer.gradient(), gradient.T @ u, rtol=0, atol=7 * half)


@functools.cache
def small_dense():
    return dense(2, 3, np.random.default_rng(4))[0]


@given(
    hnp.arrays(
        np.float32,
        st.tuples(st.integers(1, 4), st.just(3)),
        elements=st.floats(-(2.0**100), 2.0**100, width=32, allow_subnormal=True),
    )
)
def test_dense_quantises_any_finite_gradient_within_half_a_step(gradient):
    layer = small_dense()
    layer.forward(np.ones((len(gradient), 2), np.int8), train=True)
    layer.keep(gradient)
    # The first input is 1 throughout, so the gradient's column is the sum of the errors.
    scale = float(np.abs(gradient).max()) / 127
    bound = len(gradient) * scale * (0.5 + 1e-6)
    difference = layer.gradient()[:, 0] - gradient.sum(axis=0, dtype=np.float64)
    assert (np.abs(difference) <= bound).all()


def test_dense_spread_is_the_mean_square_of_terms_of_random_sign():
    rng = np.random.default_rng(11)
    layer, _ = dense(9, 5, rng)
    u = rng.integers(-1, 2, (7, 9)).astype(np.int8)
    layer.forward(u, train=True)
    gradient = rng.integers(-127, 128, (7, 5)).astype(float)
    gradient[0, 0] = 127  # so that the scale is 1
    layer.keep(gradient)
    terms = [np.outer(gradient[b], u[b]) for b in range(7)]
    want = sum((term**2).sum() for term in terms) / (9 * 5)
    assert layer.spread() == pytest.approx(want, rel=1e-9)
    signs = rng.choice([-1, 1], (4000, 7))
    totals = np.tensordot(signs, np.array(terms), 1)
    assert np.mean(totals**2) == pytest.approx(want, rel=0.1)


def test_dense_with_no_error_propagates_none():
    layer, _ = dense(4, 3, np.random.default_rng(5))
    layer.forward(np.ones((2, 4), np.int8), train=True)
    assert not layer.backward(np.zeros((2, 3))).any()
    assert not layer.gradient().any()


def test_dense_with_the_smallest_number_as_error():
    layer, _ = dense(4, 3, np.random.default_rng(5))
    layer.forward(np.ones((2, 4), np.int8), train=True)
    tiny = np.full((2, 3), 5e-324 * 100)
    layer.keep(tiny)
    assert np.isfinite(layer.gradient()).all()
    assert (np.abs(layer.gradient()) <= 2 * tiny.max() * 1.01).all()


def test_dense_evaluation_keeps_the_training_batch():
    rng = np.random.default_rng(6)
    layer, _ = dense(4, 3, rng)
    u = rng.integers(-1, 2, (2, 4)).astype(np.int8)
    layer.forward(u, train=True)
    layer.forward(-u, train=False)
    layer.keep(np.ones((2, 3)))
    np.testing.assert_allclose(layer.gradient(), np.tile(u.sum(axis=0), (3, 1)))


def test_dense_refuses_gradients_that_do_not_fit():
    layer, _ = dense(4, 3, np.random.default_rng(7))
    layer.forward(np.ones((2, 4), np.int8), train=True)
    with pytest.raises(ValueError, match=r"^gradient must have shape \(2, 3\), not \(2, 4\)$"):
        layer.keep(np.zeros((2, 4)))
    with pytest.raises(ValueError, match=r"^gradient must have 2 dimensions, not shape \(3,\)$"):
        layer.keep(np.zeros(3))
    bad = np.zeros((2, 3))
    bad[1, 2] = np.nan
    with pytest.raises(ValueError, match=r"^gradient\[1, 2\] must be finite, not nan$"):
        layer.keep(bad)
    with pytest.raises(TypeError, match=r"^gradient must hold real numbers, not <U1$"):
        layer.keep(np.array([["a"]]))


def test_batch_norm_training_follows_the_formula():
    rng = np.random.default_rng(8)
    norm = BatchNorm("layer1", 3, np.float64)
    norm.parameters["gamma"][:] = [1.0, -2.0, 0.5]
    norm.parameters["beta"][:] = [0.0, 1.0, -3.0]
    x = rng.normal(3, 2, (6, 3))
    y = norm.forward(x, train=True)
    for i in range(3):
        column = [float(v) for v in x[:, i]]
        mean = sum(column) / 6
        variance = sum((v - mean) ** 2 for v in column) / 6
        for b in range(6):
            normal = (column[b] - mean) / (variance + BN_EPSILON) ** 0.5
            want = norm.parameters["gamma"][i] * normal + norm.parameters["beta"][i]
            assert y[b, i] == pytest.approx(want, rel=1e-12)
        assert norm.statistics["mean"][i] == pytest.approx(BN_ALPHA * mean)
        assert norm.statistics["variance"][i] == pytest.approx(1 + BN_ALPHA * (variance - 1))


def test_batch_norm_evaluation_uses_the_running_statistics_and_changes_none():
    norm = BatchNorm("layer1", 2, np.float64)
    norm.statistics["mean"][:] = [1.0, 2.0]
    norm.statistics["variance"][:] = [4.0, 9.0]
    y = norm.forward(np.array([[3.0, 2.0]]), train=False)
    np.testing.assert_allclose(y, [[2 / np.sqrt(4 + BN_EPSILON), 0]])
    assert norm.statistics["mean"].tolist() == [1.0, 2.0]
    assert norm.statistics["variance"].tolist() == [4.0, 9.0]


def test_batch_norm_gradients_against_finite_differences():
    rng = np.random.default_rng(9)
    norm = BatchNorm("layer1", 4, np.float64)
    norm.parameters["gamma"][:] = rng.normal(size=4)
    norm.parameters["beta"][:] = rng.normal(size=4)
    x = rng.normal(1, 3, (5, 4))
    weight = rng.normal(size=(5, 4))

    def loss():
        return float((weight * norm.forward(x, train=True) ** 2).sum())

    y = norm.forward(x, train=True)
    at_x = norm.backward(2 * weight * y)
    gradients = dict(norm.gradients)
    np.testing.assert_allclose(at_x, numeric_gradient(loss, x), rtol=1e-5, atol=1e-7)
    for name, gradient in gradients.items():
        wanted = numeric_gradient(loss, norm.parameters[name])
        np.testing.assert_allclose(gradient, wanted, rtol=1e-5, atol=1e-7)


def test_batch_norm_keeps_its_dtype():
    norm = BatchNorm("layer1", 3)
    y = norm.forward(np.arange(12, dtype=np.float32).reshape(4, 3), train=True)
    gradient = norm.backward(y)
    arrays = [y, gradient, *norm.parameters.values(), *norm.gradients.values()]
    assert {array.dtype for array in [*arrays, *norm.statistics.values()]} == {np.dtype("f4")}


@pytest.mark.parametrize(("r", "a"), [(1.0, 0.5), (0.5, 0.5), (1.0, 1.5)])
def test_ternary_activation_and_its_window(r, a):
    layer = Activation(r, a)
    for value in (-3.0, -1.5, -1.0, -0.75, -0.5, -0.25, 0.0, 0.25, 0.5, 0.75, 1.0, 1.5, 3.0):
        x = np.array([[value]])
        assert layer.forward(x, train=True).tolist() == [[(value > r) - (value < -r)]]
        near = abs(value - r) <= a or abs(value + r) <= a
        # Where both windows overlap the height stays that of one.
        if min(abs(value - r), abs(value + r)) <= a:
            assert near
        assert layer.backward(np.array([[3.0]])) == pytest.approx(3 / (2 * a) if near else 0)


def test_ternary_window_has_the_weight_of_a_step():
    x = np.linspace(0, 3, 30001)[None]
    layer = Activation(1.0, 0.5)
    layer.forward(x, train=True)
    area = layer.backward(np.ones_like(x)).mean() * 3
    assert area == pytest.approx(1, abs=1e-3)


def test_binary_activation_is_the_sign_with_a_window_around_0():
    layer = Activation(0.0, 0.5)
    x = np.array([[-2.0, -0.5, -0.0, 0.0, 0.5, 0.6]])
    y = layer.forward(x, train=True)
    assert y.dtype == x.dtype
    assert y.tolist() == [[-1, -1, 1, 1, 1, 1]]
    assert layer.backward(np.ones((1, 6))).tolist() == [[0, 1, 1, 1, 1, 0]]


def test_squared_hinge_by_hand():
    scores = np.array([[2.0, -0.5, 0.0], [1.0, -1.0, -1.0]])
    loss, gradient = squared_hinge(scores, np.array([0, 1]))
    # Targets + - - and - + -: slacks 0, 0.5, 1 and 2, 2, 0.
    assert loss == pytest.approx((0.25 + 1 + 4 + 4) / 6)
    np.testing.assert_allclose(gradient, np.array([[0, 1, 2], [4, -4, 0]]) / 6)


def test_squared_hinge_gradient_against_finite_differences():
    rng = np.random.default_rng(10)
    scores, labels = rng.normal(size=(4, 3)), rng.integers(0, 3, 4)
    _, gradient = squared_hinge(scores, labels)
    wanted = numeric_gradient(lambda: squared_hinge(scores, labels)[0], scores)
    np.testing.assert_allclose(gradient, wanted, rtol=1e-5, atol=1e-9)


def test_squared_hinge_refuses_what_is_no_label():
    scores = np.zeros((2, 3))
    with pytest.raises(ValueError, match=r"^labels\[1\] must be in 0 to 2, not 3$"):
        squared_hinge(scores, np.array([0, 3]))
    with pytest.raises(ValueError, match=r"^labels must have shape \(2\), not \(3,\)$"):
        squared_hinge(scores, np.array([0, 1, 2]))
    with pytest.raises(TypeError, match=r"^labels must hold integers, not float64$"):
        squared_hinge(scores, np.array([0.0, 1.0]))
    with pytest.raises(ValueError, match=r"^scores\[0, 0\] must be finite, not inf$"):
        squared_hinge(np.full((1, 2), np.inf), np.array([0]))

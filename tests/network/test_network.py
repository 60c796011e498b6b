"""The network: start, gradients through all layers, updates, state."""

from functools import partial

import numpy as np
import pytest
from floatnet import check_gradients

from golden.array.golden import GoldenArray
from golden.codes import cell_weights
from golden.config import ArrayConfig
from golden.matrix.tiled import ArrayBank
from golden.network.layers import squared_hinge
from golden.network.network import Network
from golden.network.notation import Block
from golden.network.optim import Adam, Gradient, Momentum
from golden.network.synapse_network import populations
from golden.pulse.table import tanh_table


def network(sizes, *, rows=8, cols=8, synapse="ternary", seed=0, **options):
    """Dense layers from sizes[0] inputs to sizes[-1] classes."""
    config = ArrayConfig(rows=rows, cols=cols, synapse=synapse)
    bank = ArrayBank(GoldenArray, config, tanh_table(config), seed)
    blocks = [Block(n_out) for n_out in sizes[1:-1]]
    return Network(bank, sizes[:1], blocks, sizes[-1], **options)


def test_whole_network_gradients_against_finite_differences():
    assert check_gradients((5,), (Block(6), Block(4))) == 9


def test_layers_are_dense_norm_activation_without_the_last():
    net = network((20, 9, 4))
    kinds = [type(layer).__name__ for layer in net.layers]
    assert kinds == ["Dense", "BatchNorm", "Activation", "Dense", "BatchNorm"]
    assert [layer.name for layer in net.synapse_layers] == ["layer1", "layer2"]
    assert len(net.bank.arrays) == 5  # 3 x 9 columns and 2 x 4, of 8 each


def test_forward_is_the_composition_of_its_formulas():
    net = network((10, 6, 3), threshold=0.5, window=0.5, dtype=np.float64)
    rng = np.random.default_rng(2)
    net.initialise(rng, 0.5)
    for array in net.norm_arrays().values():
        array[:] = rng.uniform(0.5, 1.5, array.shape)
    u = rng.integers(-1, 2, (7, 10))
    w = net.weights()

    def normal(x, layer):
        mean, variance = w[f"{layer}.mean"], w[f"{layer}.variance"]
        y = (x - mean) / np.sqrt(variance + 1e-4)
        return w[f"{layer}.gamma"] * y + w[f"{layer}.beta"]

    hidden = normal(u @ w["layer1.weights"].T.astype(int), "layer1")
    hidden = np.sign(hidden) * (np.abs(hidden) > 0.5)
    scores = normal(hidden @ w["layer2.weights"].T, "layer2")
    np.testing.assert_allclose(net.forward(u), scores, rtol=1e-12)
    np.testing.assert_array_equal(net.predict(u), scores.argmax(axis=1))


@pytest.mark.parametrize("density", [0.0, 0.2, 1.0])
def test_ternary_start_has_the_density_and_both_zeros_alike(density, plausible):
    net = network((100, 100), rows=64, cols=64)
    net.initialise(np.random.default_rng(3), density)
    counts = populations(net.read()["layer1"])
    n = 10_000
    for state, share in {
        "+1": density / 2,
        "-1": density / 2,
        "0w": (1 - density) / 2,
        "0s": (1 - density) / 2,
    }.items():
        assert plausible(counts[state], n, share, tests=12)
    assert sum(counts.values()) == n


def test_binary_start_has_both_weights_alike(plausible):
    net = network((100, 100), rows=64, cols=64, synapse="binary")
    net.initialise(np.random.default_rng(4), 0.2)
    counts = populations(net.read()["layer1"])
    assert set(counts) == {"-1", "+1"}
    assert plausible(counts["+1"], 10_000, 0.5, tests=1)


def test_start_depends_on_the_generator_alone():
    def start(seed):
        net = network((9, 9))
        net.initialise(np.random.default_rng(seed), 0.3)
        return net.read()["layer1"]

    np.testing.assert_array_equal(start(1), start(1))
    assert (start(1) != start(2)).any()


def test_populations_count_every_state():
    bits = np.array([[[0, 0], [1, 0], [1, 0]], [[0, 1], [1, 1], [1, 1]]])
    assert populations(bits) == {"0s": 1, "+1": 2, "-1": 1, "0w": 2}
    assert populations(np.array([[[0], [1], [1]]])) == {"-1": 1, "+1": 2}


@pytest.mark.parametrize("synapse", ["ternary", "binary"])
@pytest.mark.parametrize("blind", [False, True])
def test_weights_move_only_as_the_gradient_says(synapse, blind):
    net = network((12, 5), synapse=synapse)
    net.initialise(np.random.default_rng(5), 0.5)
    rng = np.random.default_rng(6)
    u, labels = rng.integers(-1, 2, (30, 12)), rng.integers(0, 5, 30)
    before = cell_weights(net.read()["layer1"]).astype(int)
    net.backward(squared_hinge(net.forward(u, train=True), labels)[1])
    gradient = net.synapse_layers[0].gradient()
    switched = net.update(Momentum(), 0.3, rng, blind=blind)
    moved = cell_weights(net.read()["layer1"]) - before
    assert switched > 0
    assert moved.any()
    assert (moved * gradient <= 0).all()


def test_update_moves_batch_norm_by_the_optimisers_step():
    net = network((12, 5), dtype=np.float64)
    net.initialise(np.random.default_rng(5), 0.5)
    rng = np.random.default_rng(6)
    u, labels = rng.integers(-1, 2, (30, 12)), rng.integers(0, 5, 30)
    net.backward(squared_hinge(net.forward(u, train=True), labels)[1])
    net.update(Adam(), 0.01, rng)
    for what, start in {"gamma": 1, "beta": 0}.items():
        gradient = net.norms[0].gradients[what]
        # Adam's first step is the learning rate in the sign's direction.
        np.testing.assert_allclose(
            net.norms[0].parameters[what], start - 0.01 * np.sign(gradient), rtol=1e-3, atol=1e-5
        )


@pytest.mark.parametrize("synapse", ["ternary", "binary"])
@pytest.mark.parametrize(
    "optimiser",
    [Adam, Momentum, Gradient, partial(Gradient, dead_zone=2.0)],
    ids=["adam", "momentum", "gradient", "dead zone"],
)
def test_learns_a_separable_problem(synapse, optimiser):
    rng = np.random.default_rng(7)
    prototypes = rng.integers(-1, 2, (4, 16))
    labels = rng.integers(0, 4, 200)
    flips = rng.random((200, 16)) < 0.1
    u = np.where(flips, rng.integers(-1, 2, (200, 16)), prototypes[labels])
    net = network((16, 12, 4), synapse=synapse, threshold=0.5)
    net.initialise(rng, 0.3)
    steps = optimiser()
    for _ in range(60):
        net.backward(squared_hinge(net.forward(u, train=True), labels)[1])
        net.update(steps, 0.03, rng)
    for _ in range(30):
        net.forward(u, train=True)  # settle the running statistics
    assert np.mean(net.predict(u) == labels) > 0.97


def test_state_brings_everything_back():
    rng = np.random.default_rng(8)
    u, labels = rng.integers(-1, 2, (20, 10)), rng.integers(0, 3, 20)

    def train(net, steps, seed):
        coder = np.random.default_rng(seed)
        for _ in range(steps):
            net.backward(squared_hinge(net.forward(u, train=True), labels)[1])
            net.update(Momentum(), 0.1, coder)

    net, other = network((10, 6, 3)), network((10, 6, 3), seed=1)
    net.initialise(rng, 0.5)
    train(net, 5, 1)
    state = {name: array.copy() for name, array in net.state().items()}
    train(net, 5, 2)
    other.set_state(state)
    for name, array in other.state().items():
        np.testing.assert_array_equal(array, state[name])
    train(other, 5, 2)
    for name, array in other.state().items():
        np.testing.assert_array_equal(array, net.state()[name])


def test_state_that_does_not_fit_is_refused():
    net = network((10, 6, 3))
    state = net.state()
    with pytest.raises(ValueError, match=r"^layer1.gamma must have shape \(6,\), not \(5,\)$"):
        net.set_state(state | {"layer1.gamma": np.zeros(5)})
    with pytest.raises(ValueError, match=r"^array0.cells must have shape \(8, 8, 2\), not"):
        net.set_state(state | {"array0.cells": np.zeros((8, 8, 1), bool)})


def test_sizes_are_checked():
    with pytest.raises(ValueError, match=r"^classes must be at least 1, not 0$"):
        network((3, 2, 0))
    with pytest.raises(ValueError, match=r"^n_out must be at least 1, not 0$"):
        network((3, 0, 2))
    with pytest.raises(TypeError, match=r"^classes must be an integer, not 3.5$"):
        network((3, 3.5))


def test_inputs_are_checked():
    net = network((3, 2))
    with pytest.raises(ValueError, match=r"^u must have shape \(\*, 3\), not \(1, 4\)$"):
        net.forward(np.zeros((1, 4), int))
    with pytest.raises(ValueError, match=r"^u\[0, 1\] must be in -1 to 1, not 2$"):
        net.predict(np.array([[0, 2, 0]]))

"""Convolutions and pooling against plain loops, finite differences, and arrays."""

import numpy as np
import pytest
from floatnet import check_gradients
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from golden.array import frames
from golden.array.frames import Op
from golden.array.golden import GoldenArray
from golden.backend import NUMPY
from golden.backend.pooling import pool, unpool
from golden.codes import cell_weights
from golden.config import ArrayConfig
from golden.matrix.tiled import ArrayBank
from golden.matrix.whole_bank import WholeBank
from golden.network.layers import squared_hinge
from golden.network.network import Network
from golden.network.notation import Block, parse
from golden.network.synapse_layers import Conv
from golden.pulse.table import tanh_table

CONFIG = ArrayConfig(rows=8, cols=4, code_bits=3)


def arrays(config=CONFIG):
    return ArrayBank(GoldenArray, config, tanh_table(config), 1)


def whole(config=CONFIG):
    return WholeBank(config, tanh_table(config), 1)


def programmed(matrix, seed=1):
    shape = (matrix.n_out, matrix.n_in, matrix.config.cells)
    bits = np.random.default_rng(seed).integers(0, 2, shape).astype(bool)
    matrix.program(bits)
    return cell_weights(bits).astype(np.int64)


def convolved(x, weights, kernel, padding):
    """Sums (batch, height, width, n_out), a kernel laid on each place of each image."""
    batch, rows, cols, channels = x.shape
    filters = weights.reshape(-1, kernel, kernel, channels)
    places = [range(-padding, n + padding - kernel + 1) for n in (rows, cols)]
    s = np.zeros((batch, *map(len, places), len(filters)), np.int64)
    for i, top in enumerate(places[0]):
        for j, left in enumerate(places[1]):
            for dy in range(kernel):
                for dx in range(kernel):
                    y, z = top + dy, left + dx
                    if 0 <= y < rows and 0 <= z < cols:
                        s[:, i, j] += x[:, y, z].astype(np.int64) @ filters[:, dy, dx].T
    return s


def pools(x, side):
    """(batch, channel, row, column, values by rows) of each whole pool."""
    batch, rows, cols, channels = x.shape
    for b, c in np.ndindex(batch, channels):
        for i, j in np.ndindex(rows // side, cols // side):
            part = x[b, i * side : (i + 1) * side, j * side : (j + 1) * side, c]
            yield b, c, i, j, part.ravel().tolist()


IMAGES = hnp.arrays(
    np.float32,
    st.tuples(st.integers(1, 3), st.integers(1, 7), st.integers(1, 7), st.integers(1, 3)),
    elements=st.integers(-3, 3).map(float),
)


@given(IMAGES, st.integers(2, 3))
def test_pooling_and_its_reverse_by_the_pixel(x, side):
    largest, best = pool(x, side)
    batch, rows, cols, channels = x.shape
    assert largest.shape == (batch, rows // side, cols // side, channels)
    assert largest.dtype == x.dtype
    y = np.random.default_rng(1).normal(size=largest.shape).astype(np.float32)
    wanted = np.zeros_like(x)
    for b, c, i, j, values in pools(x, side):
        first = values.index(max(values))
        assert largest[b, i, j, c] == max(values)
        assert best[b, i, j, c] == first
        wanted[b, i * side + first // side, j * side + first % side, c] = y[b, i, j, c]
    np.testing.assert_array_equal(unpool(y, best, x.shape, side), wanted)


def sizes(draw, least=1):
    kernel = draw(st.integers(1, 4))
    padding = draw(st.integers(0, kernel - 1))
    rows, cols = (draw(st.integers(max(least, kernel - 2 * padding), 7)) for _ in range(2))
    return kernel, padding, (draw(st.integers(1, 3)), rows, cols, draw(st.integers(1, 3)))


@given(st.data())
def test_fold_is_the_transpose_of_unfold(data):
    kernel, padding, shape = sizes(data.draw)
    rng = np.random.default_rng(2)
    x = rng.integers(-9, 10, shape)
    patches = NUMPY.unfold(x, kernel, padding)
    sides = [n + 2 * padding - kernel + 1 for n in shape[1:3]]
    assert patches.shape == (shape[0], *sides, kernel**2 * shape[3])
    d = rng.integers(-9, 10, patches.shape)
    folded = NUMPY.fold(d, shape, kernel, padding)
    assert folded.shape == shape
    assert (patches * d).sum() == (x * folded).sum()


@given(st.data(), st.sampled_from([arrays, whole]), st.sampled_from([1, 127]))
def test_forward_is_a_convolution_and_its_largest(data, make, limit):
    kernel, padding, shape = sizes(data.draw)
    sides = [n + 2 * padding - kernel + 1 for n in shape[1:3]]
    pool = data.draw(st.integers(1, min(3, *sides)))
    matrix = make().matrix("m", kernel**2 * shape[3], data.draw(st.integers(1, 6)))
    weights = programmed(matrix)
    layer = Conv(matrix, kernel, padding, pool, limit=limit)
    x = np.random.default_rng(3).integers(-limit, limit + 1, shape)
    y = layer.forward(x.astype(np.float32), train=False)
    sums = convolved(x, weights, kernel, padding)
    wanted = np.zeros((shape[0], *(n // pool for n in sides), matrix.n_out))
    for b, c, i, j, values in pools(sums, pool):
        wanted[b, i, j, c] = max(values)
    np.testing.assert_array_equal(y, wanted)


@given(st.data(), st.sampled_from([arrays, whole]), st.sampled_from([1, 127]))
def test_errors_and_weight_gradients_are_exact_in_the_quantised_errors(data, make, limit):
    """Both are the coefficients of sum(d * sums), which is linear in images and in weights."""
    kernel, padding, shape = sizes(data.draw)
    sides = [n + 2 * padding - kernel + 1 for n in shape[1:3]]
    pool = data.draw(st.integers(1, min(2, *sides)))
    matrix = make().matrix("m", kernel**2 * shape[3], data.draw(st.integers(1, 4)))
    weights = programmed(matrix)
    layer = Conv(matrix, kernel, padding, pool, dtype=np.float64, limit=limit)
    rng = np.random.default_rng(4)
    x = rng.integers(-limit, limit + 1, shape)
    y = layer.forward(x.astype(np.float64), train=True)
    gradient = rng.integers(-127, 128, y.shape).astype(float)
    gradient[0, 0, 0, 0] = 127  # so that the scale is 1
    errors = layer.backward(gradient)
    d = np.zeros((shape[0], *sides, matrix.n_out), np.int64)
    for b, c, i, j, values in pools(convolved(x, weights, kernel, padding), pool):
        first = values.index(max(values))
        d[b, i * pool + first // pool, j * pool + first % pool, c] = gradient[b, i, j, c]
    wanted = np.zeros(shape, np.int64)
    total = np.zeros((matrix.n_out, kernel, kernel, shape[3]), np.int64)
    filters = weights.reshape(-1, kernel, kernel, shape[3])
    for i, j, dy, dx in np.ndindex(*sides, kernel, kernel):
        y, z = i + dy - padding, j + dx - padding
        if 0 <= y < shape[1] and 0 <= z < shape[2]:
            wanted[:, y, z] += d[:, i, j] @ filters[:, dy, dx]
            total[:, dy, dx] += d[:, i, j].T @ x[:, y, z]
    np.testing.assert_array_equal(errors, wanted)
    np.testing.assert_array_equal(layer.total(), total.reshape(matrix.n_out, -1))
    np.testing.assert_array_equal(layer.gradient(), total.reshape(matrix.n_out, -1))
    patches = NUMPY.unfold(x, kernel, padding).astype(np.int64)
    square = ((d**2).sum(axis=-1) * (patches**2).sum(axis=-1)).sum()
    assert layer.spread() == pytest.approx(square / (matrix.n_in * matrix.n_out), rel=1e-9)


@pytest.mark.parametrize(
    ("shape", "notation", "pairs"),
    [((5, 4, 2), "3C2p1-MP2-4C2", 9), ((4, 5, 1), "2C3p1-MP2-3FC", 9), ((3, 3, 2), "3C3", 6)],
)
def test_network_gradients_against_finite_differences(shape, notation, pairs):
    assert check_gradients(shape, parse(notation)) == pairs


def cycles(net):
    return sum(array.counters.cycles for array in net.bank.arrays)


@pytest.mark.parametrize("limit", [1, 127])
@pytest.mark.parametrize("synapse", ["ternary", "binary"])
def test_a_network_on_tiles_is_one_on_whole_matrices(synapse, limit):
    config = ArrayConfig(rows=8, cols=4, code_bits=3, synapse=synapse)
    rng = np.random.default_rng(5)
    blocks = parse("5C3p1-MP2-6C2-7FC")
    nets = [
        Network(bank, (7, 6, 2), blocks, 3, limit=limit) for bank in (arrays(config), whole(config))
    ]
    nets[0].initialise(rng, 0.5)
    nets[1].set_weights(nets[0].weights())
    x, labels = rng.integers(-limit, limit + 1, (9, 7, 6, 2)), rng.integers(0, 3, 9)
    before = [cycles(net) for net in nets]
    scores = [net.forward(x, train=True) for net in nets]
    np.testing.assert_array_equal(*scores)
    for net, s in zip(nets, scores, strict=True):
        net.backward(squared_hinge(s, labels)[1])
    costs = [cycles(net) - start for net, start in zip(nets, before, strict=True)]
    assert costs[0] == costs[1] > 0
    for one, other in zip(*(net.synapse_layers for net in nets), strict=True):
        np.testing.assert_array_equal(one.total(), other.total())
        # Floats differ in the order of their sums.
        np.testing.assert_allclose(one.gradient(), other.gradient(), rtol=1e-5)
    for one, other in zip(*(net.norms for net in nets), strict=True):
        for name in one.gradients:
            np.testing.assert_allclose(one.gradients[name], other.gradients[name], atol=1e-6)
    np.testing.assert_array_equal(*(net.predict(x) for net in nets))


@pytest.mark.parametrize("bits", [2, 4, 8])
def test_inputs_of_several_bits_are_read_plane_by_plane(bits):
    limit = 2 ** (bits - 1) - 1
    bank = arrays()
    matrix = bank.matrix("m", 9 * 2, 6)
    weights = programmed(matrix)
    layer = Conv(matrix, 3, 1, limit=limit)
    x = np.random.default_rng(6).integers(-limit, limit + 1, (2, 5, 4, 2))
    before = [array.counters.cycles for array in bank.arrays]
    y = layer.forward(x.astype(np.float32), train=False)
    cost = sum(array.counters.cycles for array in bank.arrays) - sum(before)
    np.testing.assert_array_equal(y, convolved(x, weights, 3, 1))
    read = sum(frames.cycles(Op.FORWARD, CONFIG, tile.width, 2 * 5 * 4) for tile in matrix.tiles)
    assert cost == (bits - 1) * read


def test_a_convolution_gives_no_errors_without_a_gradient():
    layer = Conv(whole().matrix("m", 4, 3), 2)
    layer.forward(np.ones((2, 3, 3, 1), np.float32), train=True)
    assert not layer.backward(np.zeros((2, 2, 2, 3), np.float32)).any()
    assert not layer.total().any()


def test_gradients_that_do_not_fit_are_refused():
    layer = Conv(whole().matrix("m", 4, 3), 2, pool=2)
    layer.forward(np.ones((2, 4, 5, 1), np.float32), train=True)
    with pytest.raises(
        ValueError, match=r"^gradient must have shape \(2, 1, 2, 3\), not \(2, 3, 4, 3\)$"
    ):
        layer.keep(np.zeros((2, 3, 4, 3), np.float32))
    with pytest.raises(ValueError, match=r"^gradient\[0, 0, 0, 1\] must be finite, not nan$"):
        layer.keep(np.full((2, 1, 2, 3), [0, np.nan, 0], np.float32))


def test_evaluation_keeps_the_training_batch():
    layer = Conv(whole().matrix("m", 4, 1), 2)
    x = np.random.default_rng(7).integers(-1, 2, (2, 3, 3, 1)).astype(np.float32)
    layer.forward(x, train=True)
    layer.forward(-x[:1], train=False)
    layer.keep(np.ones((2, 2, 2, 1), np.float32))
    wanted = [x[:, i : i + 2, j : j + 2].sum() for i in range(2) for j in range(2)]
    np.testing.assert_allclose(layer.gradient(), [wanted], rtol=1e-6)


def test_blocks_make_layers_of_their_sizes():
    net = Network(whole(), (7, 6, 2), (Block(5, 3, 1, 2), Block(4)), 3, limit=127)
    conv, dense, last = net.synapse_layers
    assert (conv.matrix.n_in, conv.matrix.n_out, conv.limit) == (18, 5, 127)
    assert (dense.matrix.n_in, dense.matrix.n_out, dense.limit) == (3 * 3 * 5, 4, 1)
    assert (last.matrix.n_in, last.matrix.n_out, last.limit) == (4, 3, 1)
    assert net.shapes == [(7, 6, 2), (3, 3, 5), (4,), (3,)]

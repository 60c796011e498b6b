"""Analog reads against circuit equations and plain integers."""

import numpy as np
import pytest

from golden.array.analog import AnalogRead, converted
from golden.config import ArrayConfig
from golden.device import junction
from golden.device.nonideal import NonIdealities

DEFAULT = junction.load("default")


def reading(config, settings, seed=0, spread=0.0):
    rng = np.random.default_rng(seed)
    shape = (config.cols, config.rows, config.cells)
    factors = np.exp(spread * rng.standard_normal(shape))
    return AnalogRead(config, DEFAULT, settings, factors, np.random.default_rng(seed)), factors


def case(config, seed=1, batch=20):
    rng = np.random.default_rng(seed)
    bits = rng.integers(0, 2, (config.cols, config.rows, config.cells)).astype(bool)
    u = rng.integers(-1, 2, (batch, config.rows))
    d = rng.integers(-128, 128, (batch, config.cols))
    ones = bits.astype(int)
    weights = ones[..., 0] - ones[..., 1] if config.cells == 2 else 2 * ones[..., 0] - 1
    return bits, u, d, weights


@pytest.mark.parametrize("synapse", ["ternary", "binary"])
def test_equal_cells_and_ideal_wires_give_the_exact_sums(synapse):
    config = ArrayConfig(rows=13, cols=7, synapse=synapse)
    bits, u, d, weights = case(config)
    analog, _ = reading(config, NonIdealities())
    assert np.array_equal(analog.forward(bits, u, 0), u @ weights.T)
    assert np.array_equal(analog.backward(bits, d, 0), d @ weights)


def test_unequal_cells_weigh_by_their_conductance():
    config = ArrayConfig(rows=5, cols=4)
    bits, *_ = case(config)
    analog, factors = reading(config, NonIdealities(), spread=0.1)
    part = analog.weights(bits[1:3], 1, forward=True)
    on, off = DEFAULT.r_on_ohm, DEFAULT.r_off_ohm
    for i in (1, 2):
        for j in range(5):
            g = [1 / ((on if bits[i, j, k] else off) * factors[i, j, k]) for k in (0, 1)]
            expected = (g[0] - g[1]) / (1 / on - 1 / off)
            assert part[i - 1, j] == pytest.approx(expected, rel=1e-5)


def ladder(g1, g2, volts, wire_ohm):
    """Current into a virtual ground at the near end of a wire with a node at each cell; the cells
    lead from +volts and -volts to the node. Kirchhoff's equations, solved whole."""
    n, y = len(volts), 1 / wire_ohm
    matrix = np.zeros((n, n))
    for k in range(n):
        matrix[k, k] = g1[k] + g2[k] + y + (y if k + 1 < n else 0)
        if k:
            matrix[k, k - 1] = matrix[k - 1, k] = -y
    nodes = np.linalg.solve(matrix, (g1 - g2) * volts)
    return nodes[0] * y


@pytest.mark.parametrize("direction", ["forward", "backward"])
def test_wires_take_what_kirchhoff_says_to_first_order(direction):
    config = ArrayConfig(rows=24, cols=24)
    bits, *_ = case(config, seed=3)
    on, off = 1 / DEFAULT.r_on_ohm, 1 / DEFAULT.r_off_ohm
    g = np.where(bits, on, off)
    rng = np.random.default_rng(4)
    drive = rng.integers(-1, 2, 24)
    for wire_ohm, allowed in ((0.01, 1e-4), (0.1, 1e-2)):
        analog, _ = reading(config, NonIdealities(wire_ohm=wire_ohm))
        weights = analog.weights(bits, 0, forward=direction == "forward")
        sums = weights @ drive if direction == "forward" else drive @ weights
        lines = g if direction == "forward" else g.swapaxes(0, 1)
        exact = np.array([ladder(line[:, 0], line[:, 1], drive, wire_ohm) for line in lines])
        exact /= on - off
        ideal = ((lines[..., 0] - lines[..., 1]) @ drive) / (on - off)
        scale = np.abs(ideal).max()
        assert np.abs(sums - exact).max() < allowed * scale
        # The model explains most of what the wire takes.
        assert np.abs(sums - exact).max() < 0.2 * np.abs(ideal - exact).max()


def test_a_wire_cannot_turn_a_current_round():
    config = ArrayConfig(rows=32, cols=4)
    bits, *_ = case(config)
    analog, _ = reading(config, NonIdealities(wire_ohm=1e3))
    plain, _ = reading(config, NonIdealities())
    weights, ideal = (x.weights(bits, 0, forward=True) for x in (analog, plain))
    assert (weights * ideal >= 0).all()


@pytest.mark.parametrize(("bits", "full_scale", "unit"), [(3, 0.0, 1), (4, 10.0, 1), (8, 0.0, 127),
                                                          (2, 1.0, 1), (12, 0.0, 1)])  # fmt: skip
def test_converter_rounds_and_saturates(bits, full_scale, unit):
    largest = 64
    sums = np.arange(-largest * unit, largest * unit + 1, max(1, unit // 3)) + 0.25
    got = converted(sums, unit, largest, bits, full_scale)
    assert got.dtype == np.int32
    top = 2 ** (bits - 1) - 1
    levels = [(full_scale or largest) * unit / top * k for k in range(-top, top + 1)]
    told = {round(level) for level in levels}
    for value, code in zip(sums.tolist(), got.tolist(), strict=True):
        assert code in told
        nearest = min(abs(level - value) for level in levels)
        assert abs(code - value) <= nearest + 0.5
    assert len(set(got.tolist())) == min(len(told), len(sums))


def test_a_converter_of_enough_bits_is_exact():
    sums = np.arange(-64, 65).astype(float)
    assert np.array_equal(converted(sums, 1, 64, 20, 0.0), sums)


def test_noise_beyond_all_measure_stays_a_sum():
    assert converted(np.array([1e30, -1e30]), 1, 4, 0, 0.0).tolist() == [2**30, -(2**30)]


def test_no_converter_is_an_exact_one():
    assert converted(np.array([-3.2, 2.6, 1e6]), 1, 4, 0, 0.0).tolist() == [-3, 3, 1_000_000]


def test_noise_has_its_standard_deviation():
    config = ArrayConfig(rows=8, cols=64)
    bits, *_ = case(config)
    settings = NonIdealities(adc_noise=4.0, backward_adc_noise=0.5)
    analog, _ = reading(config, settings)
    u, d = np.zeros((2000, 8), int), np.zeros((2000, 64), int)
    # Rounding to whole units adds 1/12; five standard errors of a standard deviation.
    forward = analog.forward(bits, u, 0)
    assert abs(forward.std() - np.hypot(4.0, 12**-0.5)) < 5 * 4 / np.sqrt(2 * forward.size)
    backward = analog.backward(bits, d, 0)
    sigma = 0.5 * config.max_error
    assert abs(backward.std() - sigma) < 5 * sigma / np.sqrt(2 * backward.size)
    again, _ = reading(config, settings)
    assert np.array_equal(again.forward(bits, u, 0), forward)

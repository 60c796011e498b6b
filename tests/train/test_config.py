"""Array parameters, and the checks that every public entry shares."""

import dataclasses
import math
import re
from fractions import Fraction

import numpy as np
import pytest

from golden import checks
from golden.config import ArrayConfig

RANGES = {
    "rows": (1, 4096),
    "cols": (1, 65535),
    "columns_per_cycle": (1, 64),
    "code_bits": (2, 8),
    "draw_bits": (8, 32),
    "error_bits": (2, 16),
    "variant_bits": (0, 4),
}


def test_defaults_are_valid_and_frozen():
    config = ArrayConfig()
    assert (config.rows, config.cols, config.synapse) == (64, 64, "ternary")
    with pytest.raises(dataclasses.FrozenInstanceError):
        config.rows = 3
    assert config == dataclasses.replace(config)
    assert hash(config) == hash(dataclasses.replace(config))


@pytest.mark.parametrize(("name", "limits"), RANGES.items())
def test_range_ends_are_allowed_and_what_lies_beyond_is_not(name, limits):
    low, high = limits
    for value in limits:
        assert getattr(ArrayConfig(**{name: value}), name) == value
    for value in (low - 1, high + 1, -5):
        with pytest.raises(ValueError, match=rf"^{name} must be in {low} to {high}, not {value}$"):
            ArrayConfig(**{name: value})


@pytest.mark.parametrize("name", RANGES)
@pytest.mark.parametrize("value", [16.0, "16", True, None, np.True_, [16], math.nan])
def test_other_types_are_refused(name, value):
    message = rf"^{name} must be an integer, not {re.escape(repr(value))}$"
    with pytest.raises(TypeError, match=message):
        ArrayConfig(**{name: value})


def test_numpy_integers_become_python_ones():
    config = ArrayConfig(rows=np.int16(5), cols=np.uint8(6))
    assert type(config.rows) is int
    assert type(config.cols) is int
    assert config == ArrayConfig(rows=5, cols=6)


@pytest.mark.parametrize("value", [9, 12, 24, 31])
def test_draw_bits_are_one_of_three(value):
    message = rf"^draw_bits must be one of \(8, 16, 32\), not {value}$"
    with pytest.raises(ValueError, match=message):
        ArrayConfig(draw_bits=value)


@pytest.mark.parametrize("value", ["Ternary", "", "quaternary", None, 2])
def test_unknown_synapses_are_refused(value):
    message = rf"^synapse must be one of ternary, binary, not {re.escape(repr(value))}$"
    with pytest.raises(ValueError, match=message):
        ArrayConfig(synapse=value)


def test_cols_are_whole_converter_groups():
    assert ArrayConfig(cols=12, columns_per_cycle=4).cols == 12
    with pytest.raises(ValueError, match=r"^cols must be a multiple of columns_per_cycle = 4, not"):
        ArrayConfig(cols=10, columns_per_cycle=4)


@pytest.mark.parametrize("value", [3, 6, 12])
def test_converter_groups_are_powers_of_two(value):
    message = rf"^columns_per_cycle must be a power of two, not {value}$"
    with pytest.raises(ValueError, match=message):
        ArrayConfig(cols=24, columns_per_cycle=value)


def test_only_keywords():
    with pytest.raises(TypeError, match=r"positional"):
        ArrayConfig(64, 64)


@pytest.mark.parametrize(
    ("synapse", "cells", "step", "max_kappa"), [("ternary", 2, 1, 2), ("binary", 1, 2, 1)]
)
def test_synapse_properties(synapse, cells, step, max_kappa):
    config = ArrayConfig(synapse=synapse)
    assert (config.cells, config.step, config.max_kappa) == (cells, step, max_kappa)
    assert config.step * config.max_kappa == 2


@pytest.mark.parametrize("code_bits", range(2, 9))
def test_codes(code_bits):
    assert ArrayConfig(code_bits=code_bits).codes == 2**code_bits


@pytest.mark.parametrize(("bits", "variants", "switching"), [(0, 1, 1), (1, 2, 1), (4, 16, 15)])
def test_variants(bits, variants, switching):
    config = ArrayConfig(variant_bits=bits)
    assert (config.variants, config.switching_variants) == (variants, switching)


@pytest.mark.parametrize("value", [0, 1, "True", None])
def test_counters_are_there_or_not(value):
    message = rf"^counters must be True or False, not {re.escape(repr(value))}$"
    with pytest.raises(TypeError, match=message):
        ArrayConfig(counters=value)


@pytest.mark.parametrize("rows", [1, 2, 3, 7, 8, 63, 64, 65, 4095, 4096])
def test_sum_bits_are_the_fewest_that_hold_every_sum(rows):
    bits = ArrayConfig(rows=rows).sum_bits
    assert -(1 << (bits - 1)) <= -rows <= rows < 1 << (bits - 1)
    assert not rows < 1 << (bits - 2)


@pytest.mark.parametrize("cols", [1, 2, 3, 64, 65535])
@pytest.mark.parametrize("error_bits", [2, 8, 16])
def test_back_bits_are_the_fewest_that_hold_every_row_sum(cols, error_bits):
    config = ArrayConfig(cols=cols, error_bits=error_bits)
    smallest, largest = -(2 ** (error_bits - 1)), 2 ** (error_bits - 1) - 1
    assert (config.max_error, -config.max_error - 1) == (largest, smallest)
    extreme = -smallest * cols  # every weight -1, every error the smallest
    assert -(1 << (config.back_bits - 1)) <= -extreme <= extreme < 1 << (config.back_bits - 1)
    assert not extreme < 1 << (config.back_bits - 2)
    assert extreme < 1 << 31  # the interface returns int32


@pytest.mark.parametrize("value", [3, np.int8(3), np.uint64(3), np.array(3)])
def test_integer_takes_every_integer(value):
    number = checks.integer("n", value, 3, 3)
    assert type(number) is int
    assert number == 3


def test_integer_without_an_upper_bound():
    assert checks.integer("n", 2**63 - 1, 0) == 2**63 - 1
    with pytest.raises(ValueError, match=r"^n must be at least 0, not -1$"):
        checks.integer("n", -1, 0)


@pytest.mark.parametrize(
    "value", [0.5, 1, np.float32(0.5), np.int8(1), Fraction(1, 2), np.array(0.5)]
)
def test_real_takes_every_real(value):
    number = checks.real("m", value, 0, 1)
    assert type(number) is float
    assert number == value


@pytest.mark.parametrize("value", [True, np.True_, "1", b"1", 1j, None, [1.0], np.ones(1)])
def test_real_refuses_other_types(value):
    with pytest.raises(TypeError, match=rf"^m must be a number, not {re.escape(repr(value))}$"):
        checks.real("m", value, 0)


@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf, -0.1, 1.5])
def test_real_refuses_what_is_not_in_range(value):
    message = rf"^m must be finite and in 0 to 1, not {re.escape(repr(value))}$"
    with pytest.raises(ValueError, match=message):
        checks.real("m", value, 0, 1)


def test_real_without_an_upper_bound():
    with pytest.raises(ValueError, match=r"^m must be finite and at least 0\.01, not 0\.0$"):
        checks.real("m", 0, 0.01)


def test_choice():
    assert checks.choice("rule", "blind", ("exact", "blind")) == "blind"
    with pytest.raises(ValueError, match=r"^rule must be one of exact, blind, not 'bland'$"):
        checks.choice("rule", "bland", ("exact", "blind"))


@pytest.mark.parametrize("dtype", [np.int8, np.uint8, np.int64, np.uint64, bool])
def test_integers_takes_every_integer_type(dtype):
    value = np.array([[0, 1, 1]], dtype)
    assert np.array_equal(checks.integers("u", value, (None, 3), 0, 1), value)
    assert checks.integers("u", [[0, 1, 1]], (1, 3), 0, 1).tolist() == [[0, 1, 1]]


@pytest.mark.parametrize("value", [[0.0, 1.0], ["0"], [None], [1j], []])
def test_integers_refuses_other_types(value):
    with pytest.raises(TypeError, match=r"^u must hold integers, not "):
        checks.integers("u", value, (None,), 0, 1)


@pytest.mark.parametrize("shape", [(2,), (2, 4), (4, 3), (1, 2, 3), ()])
def test_integers_refuses_other_shapes(shape):
    message = rf"^u must have shape \(\*, 3\), not {re.escape(str(shape))}$"
    if shape == (4, 3):
        message = rf"^u must have shape \(2, 3\), not {re.escape(str(shape))}$"
    with pytest.raises(ValueError, match=message):
        checks.integers("u", np.zeros(shape, int), (2 if shape == (4, 3) else None, 3), 0, 1)


@pytest.mark.parametrize("bad", [-2, 2, 127, -128])
def test_integers_names_the_first_value_out_of_range(bad):
    value = np.zeros((3, 4), np.int8)
    value[1, 2] = value[2, 0] = bad
    with pytest.raises(ValueError, match=rf"^u\[1, 2\] must be in -1 to 1, not {bad}$"):
        checks.integers("u", value, (None, 4), -1, 1)


def test_integers_compares_across_the_sign():
    top = (1 << 64) - 1
    assert checks.integers("s", np.array([top], np.uint64), (1,), 1, top)[0] == top
    with pytest.raises(ValueError, match=r"^s\[0\] must be in 1 to 18446744073709551615, not -1$"):
        checks.integers("s", np.array([-1]), (1,), 1, top)
    with pytest.raises(ValueError, match=r"^s\[0\] must be in -1 to 1, not 18446744073709551615$"):
        checks.integers("s", np.array([top], np.uint64), (1,), -1, 1)


def test_finite():
    assert checks.finite("x", [[1, 2]], 2).tolist() == [[1, 2]]
    with pytest.raises(TypeError, match=r"^x must hold real numbers, not complex128$"):
        checks.finite("x", np.zeros((1, 1), complex), 2)
    with pytest.raises(ValueError, match=r"^x must have 2 dimensions, not shape \(3,\)$"):
        checks.finite("x", np.zeros(3), 2)


@pytest.mark.parametrize("bad", [math.nan, math.inf, -math.inf])
def test_finite_names_the_first_bad_number(bad):
    value = np.zeros((2, 3), np.float32)
    value[1, 1] = value[1, 2] = bad
    with pytest.raises(ValueError, match=rf"^x\[1, 1\] must be finite, not {bad}$"):
        checks.finite("x", value, 2)

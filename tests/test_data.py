"""Data sets and their checks."""

import sys

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from golden import data
from golden.data import Split, load, ternarise


@pytest.fixture(scope="module")
def digits():
    return load("digits")


def test_digits_are_split_once_and_stratified(digits):
    assert (digits.name, digits.classes, digits.inputs) == ("digits", 10, 64)
    assert [len(a) for a in digits.arrays()] == [1197, 1197, 300, 300, 300, 300]
    total = np.bincount(np.concatenate(digits.arrays()[1::2]))
    for labels in digits.arrays()[1::2]:
        share = total * len(labels) / 1797
        assert (np.abs(np.bincount(labels, minlength=10) - share) <= 1).all()


def test_digits_are_all_there_as_trits(digits):
    from sklearn.datasets import load_digits

    pixels, labels = load_digits(return_X_y=True)
    wanted = [
        (int(label), *(-1 if p < data.DIGITS_LOW else int(p > data.DIGITS_HIGH) for p in image))
        for image, label in zip(pixels.tolist(), labels, strict=True)
    ]
    inputs, outputs = digits.arrays()[0::2], digits.arrays()[1::2]
    have = [
        (int(label), *image.tolist())
        for x, y in zip(inputs, outputs, strict=True)
        for image, label in zip(x, y, strict=True)
    ]
    assert sorted(have) == sorted(wanted)


def test_digits_are_the_same_every_time(digits):
    for one, other in zip(digits.arrays(), load("digits").arrays(), strict=True):
        np.testing.assert_array_equal(one, other)
        assert one.dtype == other.dtype


@given(st.integers(0, 16), st.integers(0, 16), st.integers(0, 16))
def test_ternarise(pixel, low, high):
    low, high = sorted((low, high))
    trit = ternarise(np.array([pixel]), low, high)[0]
    assert trit == (-1 if pixel < low else 1 if pixel > high else 0)


@pytest.mark.parametrize("name", ["MNIST", "", "Digits", None])
def test_unknown_data_set_names_the_known(name):
    with pytest.raises(ValueError, match=rf"^name must be one of .*, images, not {name!r}$"):
        load(name)


def test_missing_scikit_learn_names_the_extra(monkeypatch):
    monkeypatch.setitem(sys.modules, "sklearn.datasets", None)
    with pytest.raises(ModuleNotFoundError, match=r"^the digits .* 'spintrit\[demo\]'$"):
        load("digits")


def good():
    parts = {"train": 4, "val": 3, "test": 2}
    arrays = {f"x_{part}": np.zeros((n, 5), int) for part, n in parts.items()}
    return arrays | {f"y_{part}": np.arange(n) for part, n in parts.items()}


def test_split_keeps_small_types():
    split = Split("tiny", 4, **good())
    assert [array.dtype for array in split.arrays()] == [np.int8, np.int64] * 3


@pytest.mark.parametrize(
    ("change", "error", "message"),
    [
        ({"x_val": np.full((3, 5), 2)}, ValueError, r"x_val\[0, 0\] must be in -1 to 1, not 2"),
        ({"x_val": np.zeros((3, 6), int)}, ValueError, r"x_val must have shape \(\*, 5\), not .*"),
        ({"x_test": np.zeros((2, 5))}, TypeError, r"x_test must hold integers, not float64"),
        ({"x_train": np.zeros((0, 5), int)}, ValueError, r"x_train must not be empty"),
        ({"y_val": np.arange(4)}, ValueError, r"y_val must have shape \(3,?\), not \(4,\)"),
        ({"y_test": np.array([0, 4])}, ValueError, r"y_test\[1\] must be in 0 to 3, not 4"),
    ],
)
def test_split_refuses_what_does_not_fit(change, error, message):
    with pytest.raises(error, match=f"^{message}$"):
        Split("tiny", 4, **(good() | change))


def test_split_needs_two_classes():
    with pytest.raises(ValueError, match=r"^classes must be at least 2, not 1$"):
        Split("tiny", 1, **good())

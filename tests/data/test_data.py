"""Data sets and their checks."""

import dataclasses
import sys

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from golden import data
from golden.data import Split, crop_flip, load, quantise, ternarise
from golden.data.split import held_out


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


def test_digits_can_hold_out_more_and_keep_the_test_samples(digits):
    split = load("digits", validation=400)
    assert [len(a) for a in split.arrays()[::2]] == [1097, 400, 300]
    np.testing.assert_array_equal(split.x_test, digits.x_test)


def test_digits_are_trits_only():
    assert load("digits", input_bits=2).input_bits == 2
    with pytest.raises(ValueError, match=r"^input_bits must be 2 for the digits, not 8$"):
        load("digits", input_bits=8)
    with pytest.raises(ValueError, match=r"^root \(--data\) = 'x' has no effect with the digits$"):
        load("digits", root="x")


@given(st.integers(0, 16), st.integers(0, 16), st.integers(0, 16))
def test_ternarise(pixel, low, high):
    low, high = sorted((low, high))
    trit = ternarise(np.array([pixel]), low, high)[0]
    assert trit == (-1 if pixel < low else 1 if pixel > high else 0)


@pytest.mark.parametrize("name", ["MNIST", "", "Digits", None])
def test_unknown_data_set_names_the_known(name):
    known = "digits, mnist, fashion-mnist, cifar10, svhn, images"
    with pytest.raises(ValueError, match=rf"^name must be one of {known}, not {name!r}$"):
        load(name)


@pytest.mark.parametrize(
    ("bits", "error", "message"),
    [
        (1, ValueError, "input_bits must be 0 or in 2 to 8, not 1"),
        (9, ValueError, "input_bits must be in 0 to 8, not 9"),
        (2.0, TypeError, r"input_bits must be an integer, not 2\.0"),
    ],
)
def test_input_bits_are_checked_before_files_are_looked_for(bits, error, message):
    with pytest.raises(error, match=f"^{message}$"):
        load("mnist", input_bits=bits)


def test_missing_scikit_learn_names_the_extra(monkeypatch):
    monkeypatch.setitem(sys.modules, "sklearn.datasets", None)
    with pytest.raises(ModuleNotFoundError, match=r"^the digits .* pip install '\.\[demo\]'"):
        load("digits")


@pytest.mark.parametrize("bits", range(2, 9))
def test_quantise_every_pixel(bits):
    limit = 2 ** (bits - 1) - 1
    have = quantise(np.arange(256, dtype=np.uint8).reshape(2, 128), bits)
    assert (have.shape, have.dtype) == ((2, 128), np.int8)
    wanted = [round((p - 127.5) / 127.5 * limit) for p in range(256)]
    assert have.ravel().tolist() == wanted
    assert (min(wanted), max(wanted)) == (-limit, limit)
    assert wanted == [-w for w in wanted[::-1]]


def test_quantise_goes_by_blocks_and_takes_any_strides():
    pixels = np.random.default_rng(0).integers(0, 256, (3, 1000, 700), np.uint8)
    np.testing.assert_array_equal(
        quantise(pixels.transpose(2, 0, 1), 8), quantise(pixels, 8).transpose(2, 0, 1)
    )


@pytest.mark.parametrize(
    ("pixels", "bits", "error", "message"),
    [
        (np.zeros(3), 8, TypeError, "pixels must be uint8, not float64"),
        (np.zeros(3, np.uint8), 1, ValueError, "input_bits must be in 2 to 8, not 1"),
    ],
)
def test_quantise_refuses(pixels, bits, error, message):
    with pytest.raises(error, match=f"^{message}$"):
        quantise(pixels, bits)


@given(st.lists(st.integers(0, 4), max_size=60), st.data())
def test_held_out_is_stratified(labels, draw):
    labels = np.array(labels, int)
    count = draw.draw(st.integers(0, len(labels)))
    held = held_out(labels, count)
    assert held.dtype == bool
    assert held.shape == labels.shape
    assert held.sum() == count
    for label in set(labels.tolist()):
        share = count * (labels == label).mean()
        assert abs((held & (labels == label)).sum() - share) < 1
    np.testing.assert_array_equal(held, held_out(labels, count))


def test_held_out_takes_no_neighbours():
    """Within a class every sample is as likely as another, wherever it stands."""
    held = held_out(np.zeros(4000, int), 1000)
    assert np.abs(np.add.reduceat(held, range(0, 4000, 500)) - 125).max() < 60
    assert not np.array_equal(np.flatnonzero(held), np.arange(1000))


@pytest.mark.parametrize("count", [-1, 4])
def test_held_out_cannot_be_more_than_all(count):
    with pytest.raises(ValueError, match=rf"^count must be in 0 to 3, not {count}$"):
        held_out(np.array([0, 1, 0]), count)


def crop_flip_one_by_one(x, rng, pad, mirrored):
    """The oracle: every image for itself, by slices."""
    batch, height, width, channels = x.shape
    down, right = rng.integers(0, 2 * pad + 1, (2, batch))
    flip = rng.integers(0, 2, batch) if mirrored else [0] * batch
    out = np.empty_like(x)
    for n in range(batch):
        canvas = np.zeros((height + 2 * pad, width + 2 * pad, channels), x.dtype)
        canvas[pad : pad + height, pad : pad + width] = x[n]
        crop = canvas[down[n] : down[n] + height, right[n] : right[n] + width]
        out[n] = crop[:, ::-1] if flip[n] else crop
    return out


@given(
    st.tuples(st.integers(0, 4), st.integers(1, 6), st.integers(1, 6), st.integers(1, 3)),
    st.integers(0, 4),
    st.integers(0, 2**32),
    st.booleans(),
)
def test_crop_flip_equals_a_loop(shape, pad, seed, flip):
    x = np.random.default_rng(seed).integers(-127, 128, shape).astype(np.int8)
    before = x.copy()
    have = crop_flip(x, np.random.default_rng(seed), pad, flip=flip)
    want = crop_flip_one_by_one(x, np.random.default_rng(seed), pad, flip)
    np.testing.assert_array_equal(have, want)
    assert have.dtype == np.int8
    np.testing.assert_array_equal(x, before)


def test_crop_flip_needs_images():
    rng = np.random.default_rng(0)
    with pytest.raises(ValueError, match=r"^x must have 4 dimensions, not shape \(2, 3\)$"):
        crop_flip(np.zeros((2, 3)), rng)
    with pytest.raises(ValueError, match=r"^pad must be at least 0, not -1$"):
        crop_flip(np.zeros((1, 2, 2, 1)), rng, pad=-1)


def good(*shape):
    parts = {"train": 4, "val": 3, "test": 2}
    arrays = {f"x_{part}": np.zeros((n, *(shape or (5,))), int) for part, n in parts.items()}
    arrays["x_train"].reshape(4, -1)[0, 0] = 1
    return arrays | {f"y_{part}": np.arange(n) for part, n in parts.items()}


def test_split_keeps_small_types():
    split = Split("tiny", 4, **good())
    assert [array.dtype for array in split.arrays()] == [np.int8, np.int64] * 3
    assert (split.shape, split.inputs, split.input_bits, split.limit) == ((5,), 5, 2, 1)
    assert split.augment == "none"


def test_split_of_images():
    arrays = good(3, 4, 2)
    arrays["x_val"][0, 2, 3, 1] = -127
    split = Split("tiny", 4, **arrays, input_bits=8, augment="crop-flip")
    assert (split.shape, split.inputs, split.limit) == ((3, 4, 2), 24, 127)
    assert split.augment == "crop-flip"
    with pytest.raises(ValueError, match=r"^x_val\[0, 2, 3, 1\] must be in -63 to 63, not -127$"):
        dataclasses.replace(split, input_bits=7)


def test_split_does_not_copy_what_fits():
    arrays = {k: v.astype(np.int8 if k[0] == "x" else np.int64) for k, v in good(2, 2, 1).items()}
    split = Split("tiny", 4, **arrays)
    assert all(getattr(split, name) is array for name, array in arrays.items())


@pytest.mark.parametrize(
    ("change", "error", "message"),
    [
        ({"x_val": np.full((3, 5), 2)}, ValueError, r"x_val\[0, 0\] must be in -1 to 1, not 2"),
        ({"x_val": np.zeros((3, 6), int)}, ValueError, r"x_val must have shape \(\*, 5\), not .*"),
        ({"x_val": np.zeros((3, 5, 1, 1), int)}, ValueError, r"x_val must have shape .*"),
        ({"x_train": np.ones((4, 5), int)}, ValueError, r"x_train .* one input 4 times: tiny"),
        ({"names": ("a", "b", "c")}, ValueError, r"names must be 4 different names, not \('a', .*"),
        ({"names": ("a", "b", "c", "a")}, ValueError, r"names must be 4 different names, not .*"),
        ({"x_train": np.zeros((4, 5, 1), int)}, ValueError, r"x_train must .* \(\*, \*\), .*"),
        ({"x_test": np.zeros((2, 5))}, TypeError, r"x_test must hold integers, not float64"),
        ({"x_train": np.zeros((0, 5), int)}, ValueError, r"x_train must not be empty"),
        ({"y_val": np.arange(4)}, ValueError, r"y_val must have shape \(3,?\), not \(4,\)"),
        ({"y_test": np.array([0, 4])}, ValueError, r"y_test\[1\] must be in 0 to 3, not 4"),
        ({"input_bits": 9}, ValueError, r"input_bits must be in 2 to 8, not 9"),
        ({"augment": "flip"}, ValueError, r"augment must be one of none, crop, crop-flip, not .*"),
        ({"augment": "crop"}, ValueError, r"augment needs images, not vectors: tiny"),
    ],
)  # fmt: skip
def test_split_refuses_what_does_not_fit(change, error, message):
    with pytest.raises(error, match=f"^{message}$"):
        Split("tiny", 4, **(good() | change))


def test_split_needs_two_classes():
    with pytest.raises(ValueError, match=r"^classes must be at least 2, not 1$"):
        Split("tiny", 1, **good())

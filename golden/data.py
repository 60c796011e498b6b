"""Data sets, split once and for all, with ternary inputs."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from golden import checks

PARTS = ("train", "val", "test")


@dataclass(frozen=True, eq=False)
class Split:
    """Inputs, trits (N, n_in) int8, and labels, (N,) int64, for three purposes.

    ``test`` is for the one measurement at the end of a run and decides nothing.

    Raises
    ------
    TypeError, ValueError
        If an input is no trit, a label no class, or shapes do not fit each other.
    """

    name: str
    classes: int
    x_train: np.ndarray
    y_train: np.ndarray
    x_val: np.ndarray
    y_val: np.ndarray
    x_test: np.ndarray
    y_test: np.ndarray

    def arrays(self) -> tuple[np.ndarray, ...]:
        """All inputs and labels, in the order above."""
        return tuple(getattr(self, f"{axis}_{part}") for part in PARTS for axis in "xy")

    def __post_init__(self) -> None:
        checks.integer("classes", self.classes, 2)
        inputs = None
        for part in PARTS:
            x = checks.integers(f"x_{part}", getattr(self, f"x_{part}"), (None, inputs), -1, 1)
            if not x.size:
                raise ValueError(f"x_{part} must not be empty")
            inputs = x.shape[1]
            y = getattr(self, f"y_{part}")
            y = checks.integers(f"y_{part}", y, (len(x),), 0, self.classes - 1)
            object.__setattr__(self, f"x_{part}", np.ascontiguousarray(x, np.int8))
            object.__setattr__(self, f"y_{part}", np.ascontiguousarray(y, np.int64))

    @property
    def inputs(self) -> int:
        """Length of an input vector."""
        return self.x_train.shape[1]


# Pixels lie in 0 ... 16. Chosen, like the defaults of training, without the test samples.
DIGITS_LOW, DIGITS_HIGH = 3, 8


def ternarise(pixels: np.ndarray, low: float, high: float) -> np.ndarray:
    """Trits (int8) of pixels of any shape: -1 below ``low``, +1 above ``high``, else 0."""
    return (pixels > high).astype(np.int8) - (pixels < low).astype(np.int8)


def _digits() -> Split:
    """The 8x8 handwritten digits that scikit-learn carries: 1,797 of 10 classes.

    Split 1197 / 300 / 300, stratified. Source: Alpaydin and Kaynak, "Optical Recognition of
    Handwritten Digits", UCI repository, 1998 (its test part).
    """
    try:
        from sklearn.datasets import load_digits
        from sklearn.model_selection import train_test_split
    except ImportError:
        raise ModuleNotFoundError(
            "the digits are scikit-learn's: pip install 'spintrit[demo]'", name="sklearn"
        ) from None

    def split(x: np.ndarray, y: np.ndarray) -> list[np.ndarray]:
        return train_test_split(x, y, test_size=300, stratify=y, random_state=0)

    pixels, labels = load_digits(return_X_y=True)
    x = ternarise(pixels, DIGITS_LOW, DIGITS_HIGH)
    x, x_test, y, y_test = split(x, labels)
    x_train, x_val, y_train, y_val = split(x, y)
    return Split("digits", 10, x_train, y_train, x_val, y_val, x_test, y_test)


DATASETS: dict[str, Callable[[], Split]] = {"digits": _digits}


def load(name: str) -> Split:
    """The data set ``name``.

    Raises
    ------
    ValueError
        If there is none of that name.
    ModuleNotFoundError
        If what carries it is not installed; the message names the extra that is missing.
    """
    return DATASETS[checks.choice("name", name, tuple(DATASETS))]()

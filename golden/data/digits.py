"""The 8x8 handwritten digits of scikit-learn."""

import numpy as np

from golden import checks
from golden.data.pixels import ternarise
from golden.data.split import Split
from golden.extras import install

# Pixels are 0 to 16. Like the training defaults, these were chosen without the test samples.
LOW, HIGH = 3, 8
_HELD = 300


def digits(validation: int | None = None) -> Split:
    """1,797 digits of 10 classes, vectors of 64 trits, split 1197 / 300 / 300, stratified.

    Source: Alpaydin and Kaynak, "Optical Recognition of Handwritten Digits", UCI repository, 1998
    (its test part).
    """
    held = _HELD if validation is None else checks.integer("validation", validation, 10, 1487)
    try:
        from sklearn.datasets import load_digits
        from sklearn.model_selection import train_test_split
    except ImportError:
        raise ModuleNotFoundError(
            f"the digits are scikit-learn's: {install('demo')}", name="sklearn"
        ) from None

    def split(x: np.ndarray, y: np.ndarray, count: int) -> list[np.ndarray]:
        parts: list[np.ndarray] = train_test_split(
            x, y, test_size=count, stratify=y, random_state=0
        )
        return parts

    pixels, labels = load_digits(return_X_y=True)
    x = ternarise(pixels, LOW, HIGH)
    x, x_test, y, y_test = split(x, labels, _HELD)
    x_train, x_val, y_train, y_val = split(x, y, held)
    return Split("digits", 10, x_train, y_train, x_val, y_val, x_test, y_test)

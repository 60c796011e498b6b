"""A data set for training: three parts of inputs and labels."""

import math
from dataclasses import dataclass

import numpy as np

from golden import checks, files
from golden.data.augment import AUGMENTS
from golden.data.pixels import INPUT_BITS

PARTS = ("train", "val", "test")
_SEED = 20180531  # chooses the validation samples for all seeds of runs


@dataclass(frozen=True, eq=False)
class Split:
    """Inputs and labels in three parts: training, validation and test.

    The test part is for the measurement at the end of a run alone.

    Parameters
    ----------
    name : str
    classes : int
        Number of classes.
    x_train, x_val, x_test : ndarray of shape (N, n) or (N, height, width, channels), integer
        Inputs in [-limit, limit] with limit = 2^(input_bits - 1) - 1, kept as int8; two bits give
        trits.
    y_train, y_val, y_test : ndarray of shape (N,), integer
        Labels, kept as int64.
    input_bits : int
    augment : {"none", "crop", "crop-flip"}
        Random changes of training samples, see ``golden.data.crop_flip``.
    names : tuple of str
        Names of the classes in the order of the labels; by default their numbers.

    Raises
    ------
    TypeError, ValueError
        If an input is out of range, a label is no class, or shapes do not fit each other.
    """

    name: str
    classes: int
    x_train: np.ndarray
    y_train: np.ndarray
    x_val: np.ndarray
    y_val: np.ndarray
    x_test: np.ndarray
    y_test: np.ndarray
    input_bits: int = 2
    augment: str = "none"
    names: tuple[str, ...] = ()

    def arrays(self) -> tuple[np.ndarray, ...]:
        """All inputs and labels, in the order of the parameters."""
        return tuple(getattr(self, f"{axis}_{part}") for part in PARTS for axis in "xy")

    def __post_init__(self) -> None:
        bits = checks.integer("input_bits", self.input_bits, *INPUT_BITS)
        checks.keep(self, classes=checks.integer("classes", self.classes, 2), input_bits=bits)
        checks.choice("augment", self.augment, AUGMENTS)
        names = tuple(self.names) or tuple(map(str, range(self.classes)))
        if len(names) != self.classes or len(set(names)) != len(names):
            raise ValueError(f"names must be {self.classes} different names, not {names!r}")
        object.__setattr__(self, "names", names)
        shape: tuple[int | None, ...] = (None,) * (3 if np.ndim(self.x_train) == 4 else 1)
        if self.augment != "none" and len(shape) != 3:
            raise ValueError(f"augment needs images, not vectors: {self.name}")
        for part in PARTS:
            x = getattr(self, f"x_{part}")
            x = checks.integers(f"x_{part}", x, (None, *shape), -self.limit, self.limit)
            if not x.size:
                raise ValueError(f"x_{part} must not be empty")
            if part == "train" and len(x) > 1 and all(np.array_equal(x[0], other) for other in x):
                raise ValueError(f"x_train must not hold one input {len(x):,} times: {self.name}")
            shape = x.shape[1:]
            y = getattr(self, f"y_{part}")
            y = checks.integers(f"y_{part}", y, (len(x),), 0, self.classes - 1)
            object.__setattr__(self, f"x_{part}", np.ascontiguousarray(x, np.int8))
            object.__setattr__(self, f"y_{part}", np.ascontiguousarray(y, np.int64))

    def digest(self, part: str) -> str:
        """SHA-256 of the inputs and labels of one part, "train", "val" or "test"."""
        checks.choice("part", part, PARTS)
        return files.digest(getattr(self, f"x_{part}"), getattr(self, f"y_{part}"))

    @property
    def shape(self) -> tuple[int, ...]:
        """Shape of one input: (n,) or (height, width, channels)."""
        return self.x_train.shape[1:]

    @property
    def inputs(self) -> int:
        """Numbers in one input."""
        return math.prod(self.shape)

    @property
    def limit(self) -> int:
        """Largest magnitude that an input can have."""
        return (1 << self.input_bits - 1) - 1


def held_out(labels: np.ndarray, count: int) -> np.ndarray:
    """A boolean array of ``count`` samples for validation, always the same.

    The share of each class is kept, to within one sample.

    Parameters
    ----------
    labels : ndarray of shape (N,), integers from 0
    count : int
        0 to N.
    """
    checks.integers("labels", labels, (None,), 0, np.iinfo(np.int64).max)
    checks.integer("count", count, 0, len(labels))
    held = np.zeros(len(labels), bool)
    if not count:
        return held
    members = np.bincount(labels)
    quota, rest = np.divmod(members * count, len(labels))
    missing = count - int(quota.sum())  # these go to the largest remainders
    quota[np.argsort(-rest, kind="stable")[:missing]] += 1
    # numpy guarantees that the raw stream never changes.
    keys = np.random.PCG64(_SEED).random_raw(len(labels))
    order = np.lexsort((keys, labels))
    first = np.cumsum(members) - members
    sorted_labels = labels[order]
    rank = np.arange(len(labels)) - first[sorted_labels]
    held[order[rank < quota[sorted_labels]]] = True
    return held

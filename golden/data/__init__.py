"""Data sets with a fixed split: inputs are small integers, labels class numbers.

``load`` is the entry; the other modules read one kind of file each. To import them only numpy is
needed.
"""

import os
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

from golden import checks
from golden.data import cifar, idx, images, svhn
from golden.data.augment import crop_flip
from golden.data.digits import HIGH as DIGITS_HIGH
from golden.data.digits import LOW as DIGITS_LOW
from golden.data.digits import digits
from golden.data.download import Progress
from golden.data.pixels import INPUT_BITS, Raw, quantise, ternarise
from golden.data.places import Finder, locate
from golden.data.sources import SOURCES
from golden.data.split import Split, held_out

__all__ = [
    "DATASETS", "DIGITS_HIGH", "DIGITS_LOW", "Progress", "Split", "crop_flip", "load", "quantise",
    "ternarise",
]  # fmt: skip

VALIDATION = 5_000

_FILES: dict[str, tuple[Finder, Callable[[str, list[Path]], Raw]]] = {
    "mnist": (idx.find, idx.read),
    "fashion-mnist": (idx.find, idx.read),
    "cifar10": (cifar.find, cifar.read),
    "svhn": (svhn.find, svhn.read),
}
DATASETS = ("digits", *_FILES, "images")


def load(
    name: str,
    *,
    root: str | Path | None = None,
    input_bits: int = 0,
    download: bool = True,
    validation: int | None = None,
    augment: str = "",
    progress: Progress | None = None,
    classes: Sequence[str] = (),
    colour: bool = False,
) -> Split:
    """The data set ``name``, one of ``DATASETS``.

    Parameters
    ----------
    root : Path
        Folder of the files, for "images" also a zip file; the digits have none. The default is
        the environment variable SPINTRIT_DATA, else the system's folder and the user's cache.
    input_bits : int
        Bits of an input, 2 (trits) to 8; 0: 2 for digits and grey images, 8 for colour.
    download : bool
        Whether missing files may be downloaded; they go into the cache.
    validation : int
        Training samples held out for validation. The default is 300 for the digits, and a tenth,
        at most 5,000, for other sets.
    augment : str
        Augmentation of training images, one of ``golden.data.augment.AUGMENTS``; by default that of
        the data set.
    classes : sequence of str
        Names of the classes in the order of their labels, from ``Split.names`` of an earlier run;
        by default the data set's own. Folders of images are found by these names.
    colour : bool
        Grey images get three channels.
    progress : callable
        ``progress(file_name, done_bytes, total_bytes)`` during a download; the total may be None.

    Raises
    ------
    TypeError, ValueError
        If an argument is wrong, or a file damaged; the message names it.
    OSError
        If files are missing or cannot be downloaded; the message names the files and the folder
        for them.
    ModuleNotFoundError
        If a package for the data set is not installed; the message names the missing extra.
    """
    checks.choice("name", name, DATASETS)
    if root is not None and not isinstance(root, (str, os.PathLike)):
        raise TypeError(f"root must be a path, not {root!r}")
    root = None if root is None else Path(root)
    low, high = INPUT_BITS
    input_bits = checks.integer("input_bits", input_bits, 0, high)
    if 0 < input_bits < low:
        raise ValueError(f"input_bits must be 0 or in {low} to {high}, not {input_bits}")
    if name == "digits":
        if root is not None:
            raise ValueError(f"root (--data) = {str(root)!r} has no effect with the digits")
        if input_bits not in (0, 2):
            raise ValueError(f"input_bits must be 2 for the digits, not {input_bits}")
        split = digits(validation)
        split = replace(split, augment=augment) if augment else split
    elif name == "images":
        raw = images.read(images.find(root), classes, colour=colour)
        split = _split(raw, input_bits, validation, augment)
    else:
        find, read = _FILES[name]
        raw = read(name, locate(name, SOURCES[name], find, root, download, progress))
        split = _split(raw, input_bits, validation, augment)
    if classes and split.names != tuple(classes):
        raise ValueError(f"{name} has the classes {split.names}, not {tuple(classes)}")
    return split


def _split(raw: Raw, input_bits: int, validation: int | None, augment: str) -> Split:
    """The quantised split, with validation samples held out of the training part."""
    count = len(raw.y_train)
    if validation is None:
        validation = min(max(1, count // 10), VALIDATION)
    validation = checks.integer("validation", validation, 1, count - 1)
    bits = input_bits or (2 if raw.x_train.shape[3] == 1 else 8)
    held = held_out(raw.y_train, validation)
    x_train, x_test = quantise(raw.x_train, bits), quantise(raw.x_test, bits)
    return Split(
        raw.name, len(raw.classes),
        x_train[~held], raw.y_train[~held], x_train[held], raw.y_train[held], x_test, raw.y_test,
        input_bits=bits, augment=augment or raw.augment, names=raw.classes,
    )  # fmt: skip

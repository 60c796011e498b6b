"""Random crops and flips of training images."""

import numpy as np

from golden import checks

AUGMENTS = ("none", "crop", "crop-flip")


def crop_flip(
    x: np.ndarray, rng: np.random.Generator, pad: int = 4, *, flip: bool = True
) -> np.ndarray:
    """Images moved at random, with zeros at the edges, and half of them mirrored.

    Parameters
    ----------
    x : ndarray of shape (B, height, width, channels)
    rng : numpy.random.Generator
        Draws B offsets down, B offsets to the right, then B flips.
    pad : int
        Largest move in each direction, pixels.
    flip : bool
        Whether images are mirrored.

    Returns
    -------
    ndarray of the shape and type of ``x``
    """
    pad = checks.integer("pad", pad, 0)
    if x.ndim != 4:
        raise ValueError(f"x must have 4 dimensions, not shape {x.shape}")
    batch, height, width, _ = x.shape
    down, right = rng.integers(0, 2 * pad + 1, (2, batch, 1))
    mirrored = rng.integers(0, 2, (batch, 1)) > 0 if flip else np.zeros((batch, 1), bool)
    padded = np.pad(x, ((0, 0), (pad, pad), (pad, pad), (0, 0)))
    columns = np.arange(width)
    rows = down + np.arange(height)
    columns = right + np.where(mirrored, columns[::-1], columns)
    images = np.arange(batch)[:, None, None]
    moved: np.ndarray = padded[images, rows[:, :, None], columns[:, None, :]]
    return moved

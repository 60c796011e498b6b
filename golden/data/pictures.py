"""Picture files, read into one array of pixels."""

import io
import re
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from golden.checks import InputWarning
from golden.data.pixels import MAX_BYTES
from golden.data.places import reading
from golden.extras import install

_GREY = ("1", "L", "LA", "La")
_COLOUR = ("P", "PA", "RGB", "RGBA", "RGBa", "RGBX", "CMYK", "YCbCr", "HSV")
_ALPHA = {"LA": "LA", "La": "LA", "PA": "PA", "RGBA": "RGBA", "RGBa": "RGBA"}
_DEEP = ("I", "I;16", "I;16L", "I;16B", "I;16N")
_DEEP_COLOUR = re.compile(r"(?:LA|RGB\w*|CMYK);16[BLN]")  # Pillow keeps the upper 8 bits of these
_DEPTHS = (8, 10, 12, 14, 16)
_ONE_PICTURE = ("MPO",)  # formats whose further frames are views of the first
BACKGROUND = "white"
"""Background of transparent pixels."""


def pillow() -> Any:
    """The module ``PIL.Image``."""
    try:
        from PIL import Image
    except ImportError:
        raise ModuleNotFoundError(f"Pillow reads images: {install('demo')}", name="PIL") from None
    return Image


def suffixes() -> frozenset[str]:
    """File name extensions that Pillow reads, in lower case."""
    image_module = pillow()
    known = image_module.registered_extensions()
    return frozenset(end for end, form in known.items() if form in image_module.OPEN)


def decode(
    names: list[str],
    content: Callable[[str], bytes],
    where: Path,
    training: int,
    *,
    colour: bool = False,
) -> np.ndarray:
    """All pictures, (N, height, width, 1 or 3) uint8; one channel if all are grey.

    16-bit grey is read with the depth, 8 to 16 bits, of the largest value in the training part.

    Parameters
    ----------
    names : list of str
        Names of the files, the training part first.
    content : callable
        ``content(name)`` is the content of a file.
    where : Path
        The folder or file in messages.
    training : int
        Number of pictures in the training part.
    colour : bool
        Three channels even if all are grey.

    Raises
    ------
    ValueError
        If a file cannot be read or its size differs from the first (the message names it), or all
        together are too large.
    """
    image_module = pillow()
    images = np.empty((0, 0, 0, 1), np.uint8)
    deep = np.zeros(len(names), bool)  # 16-bit grey
    upper = np.full(len(names), 255)  # largest upper byte of 16-bit colours
    for n, name in enumerate(names):
        with reading(f"{where}: {name}", "an image"), warnings.catch_warnings():
            warnings.simplefilter("ignore")
            warnings.simplefilter("error", image_module.DecompressionBombWarning)
            image = image_module.open(io.BytesIO(content(name)))
        with image:
            # The size is known before any pixel is read.
            if not n:
                size = image.size
                channels = 1 if image.mode in _GREY + _DEEP else 3
                _bound(len(names), size[0], size[1], channels, where)
            if sorted(image.size) != sorted(size):
                raise _other_size(where, name, image.size, names[0], size)
            with reading(f"{where}: {name}", "an image"), warnings.catch_warnings():
                warnings.simplefilter("ignore")
                deep_colour = bool(_DEEP_COLOUR.search(str(image.tile)))
                pixels = _pixels(image, image_module)
        if not n:
            size = pixels.shape[1], pixels.shape[0]
            images = np.empty((len(names), *pixels.shape), pixels.dtype)
        if pixels.shape[:2] != images.shape[1:3]:
            height, width, _ = pixels.shape
            raise _other_size(where, name, (width, height), names[0], size)
        if pixels.dtype == np.uint16:
            deep[n] = True
            images = images.astype(np.uint16, copy=False)
        elif deep_colour:
            upper[n] = pixels.max()
        if pixels.shape[2] > images.shape[3]:
            images = _coloured(images, where)
        images[n] = pixels
    if upper[:training].max() < 1 << _DEPTHS[-2] - 8:
        raise ValueError(
            f"{where}: 16-bit colours of the training part use at most the lower "
            f"{_DEPTHS[-2]} bits, but only the upper 8 bits are read: save them with 8 bits"
        )
    if deep.any():
        images = _shallow(images, deep, names, where, training)
    return _coloured(images, where) if colour and images.shape[3] == 1 else images


def _pixels(image: Any, image_module: Any) -> np.ndarray:
    """A picture in its right orientation, (height, width, 1 or 3): uint16 for 16-bit grey, else
    uint8. A picture with equal channels is grey."""
    from PIL import ImageOps

    frames = getattr(image, "n_frames", 1)
    if frames > 1 and image.format not in _ONE_PICTURE:
        raise ValueError(f"it has {frames} frames or pages, not one")
    if image.mode not in _GREY + _COLOUR + _DEEP:
        raise ValueError(f"its pixels are of mode {image.mode}")
    image = ImageOps.exif_transpose(image)
    alpha = image.mode in _ALPHA or "transparency" in image.info
    if image.mode in _DEEP:
        values = np.asarray(image)
        if alpha:
            raise ValueError("it is 16-bit grey with a transparent value")
        if values.min() < 0 or values.max() >= 1 << _DEPTHS[-1]:
            raise ValueError(f"its values are {values.min()} to {values.max()}, not 0 to 65535")
        return values.astype(np.uint16)[..., None]
    if alpha:
        image = image.convert(_ALPHA.get(image.mode, image.mode)).convert("RGBA")
        behind = image_module.new("RGBA", image.size, BACKGROUND)
        image = image_module.alpha_composite(behind, image)
    elif image.mode in _GREY:
        return np.asarray(image.convert("L"))[..., None]
    pixels = np.asarray(image.convert("RGB"))
    grey = (pixels == pixels[..., :1]).all()
    return pixels[..., :1] if grey else pixels


def _shallow(
    images: np.ndarray, deep: np.ndarray, names: list[str], where: Path, training: int
) -> np.ndarray:
    """All pictures as uint8; ``deep`` ones are scaled by the depth of the training part."""
    bits = _DEPTHS[-1]
    if deep[:training].any():
        top = int(images[:training][deep[:training]].max())
        bits = next(depth for depth in _DEPTHS if top < 1 << depth)
        if bits < _DEPTHS[-1]:
            warnings.warn(
                f"{where}: values of 16-bit pictures reach {top} in the training part and are "
                f"read as {bits} bits",
                InputWarning, 2,
            )  # fmt: skip
    for n in np.flatnonzero(deep):
        if images[n].max() >= 1 << bits:
            raise ValueError(
                f"{where}: {names[n]} holds the value {images[n].max()}, but the training part "
                f"has {bits} bits"
            )
        images[n] >>= bits - 8
    return images.astype(np.uint8)


def _coloured(images: np.ndarray, where: Path) -> np.ndarray:
    """Grey images with three equal channels."""
    count, height, width, _ = images.shape
    _bound(count, width, height, 3, where)
    return np.repeat(images, 3, axis=3)


def _bound(count: int, width: int, height: int, channels: int, where: Path) -> None:
    total = count * width * height * channels
    if total > MAX_BYTES:
        raise ValueError(
            f"{where}: {count:,} pictures of {width} x {height} pixels take {total:,} bytes, "
            f"more than {MAX_BYTES:,}"
        )


def _other_size(
    where: Path, name: str, size: tuple[int, int], first: str, wanted: tuple[int, int]
) -> ValueError:
    return ValueError(
        f"{where}: {name} is {size[0]} x {size[1]} pixels, not {wanted[0]} x {wanted[1]} as {first}"
    )

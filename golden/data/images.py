"""Any image files, sorted into ``train/<class>/`` and ``test/<class>/``, in a folder or a zip."""

import io
import warnings
import zipfile
from collections.abc import Callable
from pathlib import Path, PurePosixPath
from typing import Any

import numpy as np

from golden.data.pixels import Raw
from golden.data.places import given_root, reading
from golden.extras import install

PARTS = ("train", "test")
_LAYOUT = "train/<class>/* and test/<class>/*"
_GREY = ("1", "L", "LA", "La", "I;16", "I;16L", "I;16B", "I;16N")
_COLOUR = ("P", "PA", "RGB", "RGBA", "RGBa", "RGBX", "CMYK", "YCbCr", "LAB", "HSV")

Files = dict[str, dict[str, list[str]]]
"""Names of files by part and class, sorted."""


def find(root: Path | None) -> Path:
    """The folder or zip file: ``root`` itself, or ``images`` or ``images.zip`` in it."""
    given = given_root(root)
    if given is None:
        raise FileNotFoundError(
            f"images need --data or SPINTRIT_DATA: a folder or zip of {_LAYOUT}"
        )
    if given.is_file() or any((given / part).is_dir() for part in PARTS):
        return given
    for path in (given / "images", given / "images.zip"):
        if path.exists():
            return path
    raise FileNotFoundError(f"no images in {given}: put {_LAYOUT} there, or name a zip of them")


def _sort(names: list[str], where: Path) -> Files:
    """Sort names ``[top/]part/class/file``; hidden files and what lies elsewhere is left out.

    Raises
    ------
    ValueError
        If there is no training or no test part, no two classes, or more than one folder on top.
    """
    files: Files = {part: {} for part in PARTS}
    tops = set()
    for name in sorted(names):
        top, part, kind, file = ("", "", "", *PurePosixPath(name).parts)[-4:]
        if part not in PARTS or name.startswith("__MACOSX") or "." in (kind[:1], file[:1]):
            continue
        tops.add(top)
        files[part].setdefault(kind, []).append(name)
    if len(tops) > 1:
        raise ValueError(f"{where} has more than one folder with {_LAYOUT}")
    for part in PARTS:
        if not files[part]:
            raise ValueError(f"{where} has no {part} part: images are due in {_LAYOUT}")
    if len(files["train"]) < 2:
        raise ValueError(f"{where} must have two classes at least in train")
    for kind in files["test"]:
        if kind not in files["train"]:
            raise ValueError(f"{where}: test/{kind} is no class of the training part")
    return files


def _pixels(content: bytes, image_module: Any) -> np.ndarray:
    """An image as (height, width, 1 or 3) uint8."""
    with image_module.open(io.BytesIO(content)) as image:
        if image.mode not in _GREY + _COLOUR:
            raise ValueError(f"its pixels are of mode {image.mode}")
        if image.mode.startswith("I;16"):
            return (np.asarray(image) >> 8).astype(np.uint8)[..., None]
        grey = image.mode in _GREY
        pixels = np.asarray(image.convert("L" if grey else "RGB"))
        return pixels[..., None] if grey else pixels


def _decode(names: list[str], content: Callable[[str], bytes], where: Path) -> np.ndarray:
    """All images, (N, height, width, channels); grey ones among colour become colour.

    Raises
    ------
    ValueError
        Naming the file, if one cannot be read or has another size than the first.
    """
    try:
        from PIL import Image
    except ImportError:
        raise ModuleNotFoundError(f"Pillow reads images: {install('demo')}", name="PIL") from None
    images = np.empty((0, 0, 0, 1), np.uint8)
    for n, name in enumerate(names):
        with reading(f"{where}: {name}", "an image"), warnings.catch_warnings():
            warnings.simplefilter("ignore")
            warnings.simplefilter("error", Image.DecompressionBombWarning)
            pixels = _pixels(content(name), Image)
        if not n:
            images = np.empty((len(names), *pixels.shape), np.uint8)
        if pixels.shape[:2] != images.shape[1:3]:
            (height, width), wanted = pixels.shape[:2], images.shape[1:3]
            raise ValueError(
                f"{where}: {name} is {width} x {height} pixels, not {wanted[1]} x {wanted[0]} as "
                f"{names[0]}"
            )
        if pixels.shape[2] > images.shape[3]:
            images = np.repeat(images, 3, axis=3)
        images[n] = pixels
    return images


def read(where: Path) -> Raw:
    """The data set in a folder or zip file, whose name it takes; colour is to be augmented.

    Raises
    ------
    ValueError
        If the layout is another, or naming the file that is damaged or of another size.
    """
    name = where.resolve().name
    if where.is_dir():
        below = [path for part in PARTS for path in where.glob(f"{part}/*/*") if path.is_file()]
        files = _sort([path.relative_to(where).as_posix() for path in below], where)
        return _raw(name, files, lambda file: (where / file).read_bytes(), where)
    with reading(where, "a zip file"):
        archive = zipfile.ZipFile(where)
    with archive:
        files = _sort([info.filename for info in archive.infolist() if not info.is_dir()], where)
        return _raw(Path(name).stem, files, archive.read, where)


def _raw(name: str, files: Files, content: Callable[[str], bytes], where: Path) -> Raw:
    classes = list(files["train"])
    flat = [file for part in PARTS for kind in files[part].values() for file in kind]
    x = _decode(flat, content, where)
    labels = [
        np.repeat([classes.index(kind) for kind in files[part]], [*map(len, files[part].values())])
        for part in PARTS
    ]
    count = len(labels[0])
    return Raw(
        name, len(classes), x[:count], labels[0], x[count:], labels[1],
        "crop-flip" if x.shape[3] == 3 else "none",
    )  # fmt: skip

"""Folders and zips of small pictures for tests."""

import io
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
from datafiles import some


def picture(
    pixels: np.ndarray, form: str = "png", mode: str | None = None, **options: Any
) -> bytes:
    """The content of a picture file; the options are those of Pillow's ``save``."""
    from PIL import Image

    buffer = io.BytesIO()
    image = Image.fromarray(pixels)
    (image.convert(mode) if mode else image).save(buffer, form, **options)
    return buffer.getvalue()


def images(*shape: int, form: str = "png") -> tuple[dict[str, bytes], np.ndarray]:
    """Names and contents of 20 and 4 images of two classes."""
    x, _ = some(24, *shape)
    names = [f"train/{kind}/{n:02}.{form}" for kind in ("cat", "dog") for n in range(10)]
    names += [f"test/{kind}/{n}.{form}" for kind in ("cat", "dog") for n in range(2)]
    return dict(zip(names, [picture(image, form) for image in x], strict=True)), x


def write_images(root: Path, files: dict[str, bytes], packed: bool, top: str = "") -> Path:
    """The folder or zip file that holds ``files``."""
    if packed:
        with zipfile.ZipFile(root / "two-pets.zip", "w") as archive:
            for name, content in files.items():
                archive.writestr(top + name, content)
        return root / "two-pets.zip"
    for name, content in files.items():
        path = root / "two-pets" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
    return root / "two-pets"

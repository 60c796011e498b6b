"""Folders and zips of image files, read and damaged."""

import io
import sys
import zipfile

import numpy as np
import pytest
from datafiles import same_samples, some

from golden.data import load, quantise


@pytest.fixture
def root(tmp_path, monkeypatch):
    monkeypatch.delenv("SPINTRIT_DATA", raising=False)
    folder = tmp_path / "root"
    folder.mkdir()
    return folder


def picture(pixels, form="png", mode=None):
    from PIL import Image

    buffer = io.BytesIO()
    image = Image.fromarray(pixels)
    (image.convert(mode) if mode else image).save(buffer, form)
    return buffer.getvalue()


def images(*shape, form="png"):
    """Names and contents of 20 and 4 images of two classes."""
    x, _ = some(24, *shape)
    names = [f"train/{kind}/{n:02}.{form}" for kind in ("cat", "dog") for n in range(10)]
    names += [f"test/{kind}/{n}.{form}" for kind in ("cat", "dog") for n in range(2)]
    return dict(zip(names, [picture(image, form) for image in x], strict=True)), x


def write_images(root, files, packed, top=""):
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


@pytest.mark.parametrize("packed", [True, False])
@pytest.mark.parametrize("form", ["png", "bmp", "ppm"])
@pytest.mark.parametrize("shape", [(4, 6), (4, 6, 3)])
def test_images(root, shape, form, packed):
    files, x = images(*shape, form=form)
    files |= {
        "README": b"",
        "train/cat/.hidden": b"",
        "train/.git/x": b"",
        "__MACOSX/train/a/b": b"",
    }
    split = load("images", root=write_images(root, files, packed))
    colour = len(shape) == 3
    assert (split.name, split.classes, split.shape) == ("two-pets", 2, (4, 6, 3 if colour else 1))
    assert (split.input_bits, split.augment) == ((8, "crop-flip") if colour else (2, "none"))
    assert len(split.x_val) == 2
    x = x if colour else x[..., None]
    same_samples(split, x[:20], np.repeat([0, 1], 10), x[20:], [0, 0, 1, 1])


def test_jpeg_images_and_folder_on_top(root):
    files, _ = images(8, 8, 3, form="jpeg")
    where = write_images(root, files, packed=True, top="pets/")
    assert load("images", root=where).shape == (8, 8, 3)


@pytest.mark.parametrize("name", ["images", "images.zip"])
def test_images_within_a_folder(root, monkeypatch, name):
    where = write_images(root, images(4, 4)[0], packed=name == "images.zip")
    where.rename(root / name)
    monkeypatch.setenv("SPINTRIT_DATA", str(root))
    assert load("images", validation=6).name == "images"


def test_modes_of_images(root):
    """Palette, alpha and CMYK are colour; one bit, 16 bits and alpha over grey are grey."""
    files, x = images(4, 6)
    grey = files | {
        "test/cat/0.png": picture(x[0], mode="LA"),
        "test/cat/1.png": picture(x[0].astype(np.uint16) * 257),
        "test/dog/0.png": picture(np.where(x[0] > 127, 255, 0).astype(np.uint8), mode="1"),
    }
    split = load("images", root=write_images(root, grey, packed=True), input_bits=8)
    wanted = quantise(x[0], 8)[..., None]
    np.testing.assert_array_equal(split.x_test[0], wanted)
    np.testing.assert_array_equal(split.x_test[1], wanted)
    np.testing.assert_array_equal(split.x_test[2], np.where(wanted > 0, 127, -127))
    colour = files | {
        "test/dog/0.png": picture(x[0], mode="P"), "test/dog/1.png": picture(x[0], mode="RGBA"),
    }  # fmt: skip
    split = load("images", root=write_images(root, colour, packed=True))
    assert split.shape == (4, 6, 3)
    np.testing.assert_array_equal(split.x_test[2], np.repeat(wanted, 3, axis=2))
    np.testing.assert_array_equal(split.x_test[3], np.repeat(wanted, 3, axis=2))
    assert (split.x_train[..., :1] == split.x_train).all()


LARGER = picture(np.zeros((5, 6), np.uint8))
FLOATS = picture(np.zeros((4, 6), np.float32), "tiff")


@pytest.mark.parametrize("packed", [True, False])
@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"train/dog/03.png": LARGER},
         ": train/dog/03.png is 6 x 5 pixels, not 6 x 4 as train/cat/00.png"),
        ({"test/dog/1.png": b"text"}, ": test/dog/1.png is damaged or not an image: .*"),
        ({"test/dog/1.png": LARGER[:-30]}, ": test/dog/1.png is damaged or not an image: .*"),
        ({"test/dog/1.tif": FLOATS}, ": test/dog/1.tif is .*: its pixels are of mode F"),
        ({"test/emu/1.png": LARGER}, ": test/emu is no class of the training part"),
    ],
)  # fmt: skip
def test_wrong_image_is_refused_by_name(root, change, message, packed):
    where = write_images(root, images(4, 6)[0] | change, packed)
    with pytest.raises(ValueError, match=f"^{where}{message}$"):
        load("images", root=where)


def test_cut_jpeg_is_refused_by_name(root):
    files, _ = images(16, 16, 3, form="jpeg")
    files["train/cat/05.jpeg"] = files["train/cat/05.jpeg"][:-60]
    where = write_images(root, files, packed=True)
    with pytest.raises(ValueError, match=rf"^{where}: train/cat/05\.jpeg is damaged or not an im"):
        load("images", root=where)


@pytest.mark.parametrize("packed", [True, False])
@pytest.mark.parametrize(
    ("part", "message"),
    [
        ("test", "has no test part: images are due in train/<class>/.*"),
        ("train", "has no train part: .*"),
        ("train/dog", "must have two classes at least in train"),
    ],
)
def test_missing_part_is_told(root, part, message, packed):
    files = {k: v for k, v in images(4, 6)[0].items() if not k.startswith(part + "/")}
    where = write_images(root, files, packed)
    with pytest.raises(ValueError, match=f"^{where} {message}$"):
        load("images", root=where)


def test_two_folders_on_top_are_refused(root):
    files = images(4, 6)[0]
    both = {f"{top}/{name}": content for top in "ab" for name, content in files.items()}
    where = write_images(root, both, packed=True)
    with pytest.raises(ValueError, match=f"^{where} has more than one folder with "):
        load("images", root=where)


@pytest.mark.parametrize("damage", ["cut", "no zip", "flipped"])
def test_damaged_zip_is_refused_by_name(root, damage):
    where = write_images(root, images(4, 6)[0], packed=True)
    content = where.read_bytes()
    at = content.index(b"IDAT")
    changed = {
        "cut": content[:-100],
        "no zip": b"text",
        "flipped": content[:at] + b"X" + content[at + 1 :],
    }
    where.write_bytes(changed[damage])
    with pytest.raises(ValueError, match=f"^{where}.* is damaged or not an? (zip file|image): "):
        load("images", root=where)


def test_images_need_a_place(root):
    with pytest.raises(FileNotFoundError, match=r"^images need --data or SPINTRIT_DATA: "):
        load("images")
    with pytest.raises(FileNotFoundError, match=rf"^no images in {root}: put train/<class>/\* "):
        load("images", root=root)


def test_missing_pillow_names_the_extra(root, monkeypatch):
    where = write_images(root, images(4, 6)[0], packed=True)
    monkeypatch.setitem(sys.modules, "PIL", None)
    with pytest.raises(ModuleNotFoundError, match=r"^Pillow reads .* 'spintrit\[demo\]'$"):
        load("images", root=where)

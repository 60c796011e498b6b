"""Folders and zips of image files, read and damaged."""

import os
import sys
import zipfile

import numpy as np
import pytest
from datafiles import same_samples
from pictures import images, picture, write_images

from golden.checks import InputWarning
from golden.data import load, quantise


@pytest.fixture
def root(tmp_path, monkeypatch):
    monkeypatch.delenv("SPINTRIT_DATA", raising=False)
    folder = tmp_path / "root"
    folder.mkdir()
    return folder


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
        "train/cat/Thumbs.db": b"",
        "test/dog/desktop.ini": b"",
        "test/ehthumbs.db": b"",
        "train/dog/._00.png": b"",
        "train/.DS_Store": b"",
        "train/cat/@eaDir/00.png": b"",
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
    """A file's mode does not decide: a picture with three equal channels is grey."""
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
    colour = np.stack([x[0], x[1], x[2]], axis=-1)
    mixed = files | {
        "test/dog/0.png": picture(x[0], mode="RGBA"), "test/dog/1.png": picture(colour),
    }  # fmt: skip
    split = load("images", root=write_images(root, mixed, packed=True))
    assert split.shape == (4, 6, 3)
    np.testing.assert_array_equal(split.x_test[2], np.repeat(wanted, 3, axis=2))
    np.testing.assert_array_equal(split.x_test[3], quantise(colour, 8))
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
        ("test", "has no test part: images must be in train/<class>/.*"),
        ("train", "has no train part: .*"),
        ("train/dog", "must have at least two classes in train"),
    ],
)
def test_missing_part_is_told(root, part, message, packed):
    files = {k: v for k, v in images(4, 6)[0].items() if not k.startswith(part + "/")}
    where = write_images(root, files, packed)
    with pytest.raises(ValueError, match=f"^{where} {message}$"):
        load("images", root=where)


@pytest.mark.parametrize(
    ("tops", "named"),
    [(("a/", "b/"), "'a' and 'b'"), (("x/a/", "y/a/"), "'x/a' and 'y/a'"),
     (("", "b/"), "'.' and 'b'"), (("a/", "a/b/"), "'a' and 'a/b'")],
)  # fmt: skip
def test_two_folders_on_top_are_refused(root, tops, named):
    files = images(4, 6)[0]
    both = {f"{top}{name}": content for top in tops for name, content in files.items()}
    where = write_images(root, both, packed=True)
    with pytest.raises(ValueError, match=f"^{where} has more than one folder .*: {named}$"):
        load("images", root=where)


@pytest.mark.parametrize("packed", [True, False])
@pytest.mark.parametrize(
    "name",
    ["train/cat/siamese/1.png", "train/1.JPG", "test/test/cat/1.png", "train/cat/a/b/1.gif"],
)
def test_pictures_below_and_beside_classes_are_refused_by_name(root, name, packed):
    where = write_images(root, images(4, 6)[0] | {name: LARGER}, packed)
    message = rf"^{where} holds pictures that are not directly in a class's folder \(.*\): {name}$"
    with pytest.raises(ValueError, match=message):
        load("images", root=where)


@pytest.mark.parametrize("packed", [True, False])
def test_pictures_of_another_part_are_told(root, packed):
    files = images(4, 6)[0]
    files |= {f"val/cat/{n}.png": LARGER for n in range(3)} | {"val/notes.txt": b""}
    where = write_images(root, files, packed)
    message = f"^{where}: pictures outside train and test are not used: val/cat/0.png and 2 more$"
    with pytest.warns(InputWarning, match=message):
        assert len(load("images", root=where).x_test) == 4


def test_classes_of_one_case_and_files_of_another_are_all_there(root):
    """A zip made on one system need not unpack on another."""
    files = images(4, 6)[0]
    files |= {"train/cat/00.PNG": files["train/cat/00.png"], "train/Cat/1.Png": LARGER[:0]}
    files["train/Cat/1.Png"] = files["train/cat/01.png"]
    split = load("images", root=write_images(root, files, packed=True))
    assert split.names == ("Cat", "cat", "dog")
    assert len(split.x_train) + len(split.x_val) == 22


@pytest.mark.filterwarnings("ignore:Duplicate name")
def test_name_that_comes_twice_in_a_zip_is_refused(root):
    where = write_images(root, images(4, 6)[0], packed=True)
    with zipfile.ZipFile(where, "a") as archive:
        archive.writestr("train/cat/00.png", LARGER)
    with pytest.raises(ValueError, match=rf"^{where} holds train/cat/00\.png more than once$"):
        load("images", root=where)


def test_size_of_a_zip_is_bounded_before_it_is_unpacked(root, monkeypatch):
    where = write_images(root, images(4, 6)[0], packed=True)
    with zipfile.ZipFile(where) as archive:
        total = sum(info.file_size for info in archive.infolist())
    monkeypatch.setattr("golden.data.images.MAX_BYTES", total - 1)
    with pytest.raises(ValueError, match=f"^{where} unpacks to {total:,} bytes, more than "):
        load("images", root=where)


def test_links_are_followed_to_classes_and_files_alone(root):
    where = write_images(root, images(4, 6)[0], packed=False)
    wanted = load("images", root=where)
    (where / "train" / "cat").rename(root / "kept")
    (where / "train" / "cat").symlink_to(root / "kept")
    (root / "kept" / "00.png").rename(root / "first.png")
    (root / "kept" / "00.png").symlink_to(root / "first.png")
    have = load("images", root=where)
    np.testing.assert_array_equal(have.x_train, wanted.x_train)
    (root / "kept" / "more").symlink_to(where / "test")
    with pytest.raises(ValueError, match=r"train/cat/more is a link to a folder below a class$"):
        load("images", root=where)
    (root / "kept" / "more").unlink()
    (root / "kept" / "lost.png").symlink_to(root / "none")
    with pytest.raises(ValueError, match=r"train/cat/lost\.png is a broken link or no regular f"):
        load("images", root=where)


def test_folder_that_cannot_be_read_is_told(root, monkeypatch):
    where = write_images(root, images(4, 6)[0], packed=False)
    scan = os.scandir

    def denied(path):
        if str(path).endswith("train/dog"):
            raise PermissionError(13, "Permission denied", str(path))
        return scan(path)

    monkeypatch.setattr(os, "scandir", denied)
    with pytest.raises(PermissionError, match=r"train/dog"):
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
    with pytest.raises(ModuleNotFoundError, match=r"^Pillow reads .* pip install '\.\[demo\]'"):
        load("images", root=where)

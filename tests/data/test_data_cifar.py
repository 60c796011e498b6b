"""CIFAR-10's versions, written here as they are published, read, and damaged; pickles that bite."""

import gzip
import pickle
import shutil
import struct
import tarfile

import numpy as np
import pytest
from datafiles import same_samples, some

from golden.data import cifar, load, quantise, unpickle

BATCH = 20


@pytest.fixture
def root(tmp_path):
    folder = tmp_path / "root"
    folder.mkdir()
    return folder


@pytest.fixture
def small_batches(monkeypatch):
    monkeypatch.setattr(cifar, "BATCH", BATCH)


def python2_pickle(pixels, labels):
    """A batch exactly as Python 2 wrote it: protocol 2, every string of bytes."""

    def text(string):
        return b"U" + bytes([len(string)]) + string

    def integer(number):
        return b"K" + bytes([number])

    content = pixels.tobytes()
    array = (
        b"cnumpy.core.multiarray\n_reconstruct\ncnumpy\nndarray\n" + integer(0) + b"\x85"
        + text(b"b") + b"\x87R(" + integer(1) + b"M" + struct.pack("<H", len(pixels))
        + b"M" + struct.pack("<H", pixels.shape[1]) + b"\x86cnumpy\ndtype\n" + text(b"u1")
        + integer(0) + integer(1) + b"\x87R(" + integer(3) + text(b"|") + b"NNNJ\xff\xff\xff\xff"
        + b"J\xff\xff\xff\xff" + integer(0) + b"tb\x89T" + struct.pack("<I", len(content))
        + content + b"tb"
    )  # fmt: skip
    numbers = b"](" + b"".join(map(integer, labels.tolist())) + b"e"
    return b"\x80\x02}(" + text(b"data") + array + text(b"labels") + numbers + b"u."


def python3_pickle(pixels, labels):
    return pickle.dumps({b"data": pixels, b"labels": labels.tolist()}, protocol=2)


def binary(pixels, labels):
    return np.hstack([labels[:, None].astype(np.uint8), pixels]).tobytes()


FORMS = {
    "binary": ("cifar-10-batches-bin", "cifar-10-binary.tar.gz", ".bin", binary),
    "python2": ("cifar-10-batches-py", "cifar-10-python.tar.gz", "", python2_pickle),
    "python3": ("cifar-10-batches-py", "cifar-10-python.tar.gz", "", python3_pickle),
}


def write_cifar(root, form, packed, change=None):
    """Six batches in a folder or its archive; ``change`` is done to the content of the third."""
    folder, archive, suffix, write = FORMS[form]
    x, y = some(6 * BATCH, 3072)
    names = [*(f"data_batch_{n}" for n in range(1, 6)), "test_batch"]
    (root / folder).mkdir()
    (root / folder / "readme.html").write_text("more")
    for n, name in enumerate(names):
        at = slice(n * BATCH, (n + 1) * BATCH)
        content = write(x[at], y[at])
        if change and n == 2:
            content = change(content)
        (root / folder / f"{name}{suffix}").write_bytes(content)
    if packed:
        with tarfile.open(root / archive, "w:gz") as tar:
            tar.add(root / folder, folder)
        shutil.rmtree(root / folder)
    return x.reshape(-1, 3, 32, 32).transpose(0, 2, 3, 1), y


@pytest.mark.parametrize("packed", [True, False])
@pytest.mark.parametrize("form", list(FORMS))
def test_cifar(root, small_batches, form, packed):
    x, y = write_cifar(root, form, packed)
    split = load("cifar10", root=root, validation=30)
    assert (split.name, split.classes, split.shape) == ("cifar10", 10, (32, 32, 3))
    assert (split.input_bits, split.augment) == (8, "crop-flip")
    same_samples(split, x[:-BATCH], y[:-BATCH], x[-BATCH:], y[-BATCH:])
    # A row of the file: red, green, blue, each by rows.
    assert split.x_test[0, 0, 1, 2] == quantise(x[-BATCH, 0, 1, 2:], 8)[0]


def test_cifar_from_within_its_folder(root, small_batches):
    write_cifar(root, "binary", packed=False)
    load("cifar10", root=root / "cifar-10-batches-bin", validation=30)


def evil(_):
    return b"cos\nsystem\n(S'touch evil'\ntR."


def evil_numpy(_):
    return b"cnumpy\nload\n(S'x'\ntR."


def replace_in_pickle(old, new):
    return lambda content: content.replace(old, new, 1)


BIN, PY = "data_batch_3.bin", "data_batch_3"


@pytest.mark.parametrize("packed", [True, False])
@pytest.mark.parametrize(
    ("form", "change", "message"),
    [
        ("binary", lambda c: c[:-1], "it has 61459 bytes, not 61460"),
        ("binary", lambda c: b"\x0a" + c[1:], "its labels are not all in 0 to 9"),
        ("python2", lambda c: c[:-100], ".*"),
        ("python2", lambda c: b"", "Ran out of input"),
        ("python2", evil, r"it asks for os\.system"),
        ("python2", evil_numpy, r"it asks for numpy\.load"),
        ("python2", lambda c: pickle.dumps([1, 2]), "it holds a list, not a dict"),
        ("python2", lambda c: pickle.dumps({b"data": 1}), "it has no data and labels"),
        ("python2", lambda c: python2_pickle(*some(19, 3072)), r"its data are \(19, 3072\), .*"),
        ("python2", lambda c: python2_pickle(some(20, 3072)[0], np.arange(19)), r"its labels .*"),
        ("python2", lambda c: python2_pickle(some(20, 3072)[0], np.arange(20)), r".* 0 to 9"),
        ("python2", lambda c: python3_pickle(np.dtype("u1"), np.arange(20)), "it holds a dtype .*"),
        ("python2", replace_in_pickle(b"y\ndtype", b"y\nndarray"), "an array has no type"),
        ("python2", replace_in_pickle(b"U\x02u1", b"U\x02O8"), r"an array's type is b'O8', not u1"),
        ("python3", replace_in_pickle(b"latin1", b"utf_16"), ".*"),
        ("python3", lambda c: pickle.dumps({b"data": 1, b"labels": [1]}, 2), "its data .*"),
    ],
)  # fmt: skip
def test_damaged_cifar_is_refused_by_name(
    root, small_batches, monkeypatch, form, change, message, packed
):
    monkeypatch.chdir(root)
    write_cifar(root, form, packed, change)
    folder, archive, suffix, _ = FORMS[form]
    where = f"{archive}: " if packed else f"{folder}/"
    named = f"^{root}/{where}data_batch_3{suffix} is damaged or not a batch of CIFAR-10: "
    with pytest.raises(ValueError, match=f"{named}{message}$"):
        load("cifar10", root=root, validation=30)
    assert not (root / "evil").exists()


@pytest.mark.parametrize("form", ["binary", "python2"])
@pytest.mark.parametrize("damage", ["cut", "flipped", "no gzip", "empty", "lacks", "no tar"])
def test_damaged_archive_is_refused_by_name(root, small_batches, form, damage):
    write_cifar(root, form, packed=damage != "lacks")
    folder, archive, suffix, _ = FORMS[form]
    path = root / archive
    if damage == "lacks":
        (root / folder / f"data_batch_4{suffix}").unlink()
        with tarfile.open(path, "w:gz") as tar:
            tar.add(root / folder, folder)
    content = path.read_bytes()
    changed = {
        "cut": content[: len(content) // 2],
        "flipped": content[:-8] + bytes([content[-8] ^ 1]) + content[-7:],  # the checksum's byte
        "no gzip": b"<html>not found</html>",
        "empty": b"",
        "lacks": content,
        "no tar": gzip.compress(b"no tar" * 1000),
    }
    path.write_bytes(changed[damage])
    message = f"^{path} is damaged or not a packed CIFAR-10: "
    message += f"it lacks data_batch_4{suffix}$" if damage == "lacks" else ""
    with pytest.raises(ValueError, match=message):
        load("cifar10", root=root, validation=30)


@pytest.mark.parametrize(
    "value",
    [1, "text", b"bytes", [1, ["x"]], {"a": np.arange(6, dtype=np.uint8).reshape(2, 3).T}],
)
def test_unpickle_plain(value):
    have = unpickle.loads(pickle.dumps(value, protocol=2))
    np.testing.assert_equal(have, value)


class Evil:
    def __reduce__(self):
        return print, ("ran",)


@pytest.mark.parametrize("protocol", range(pickle.HIGHEST_PROTOCOL + 1))
@pytest.mark.parametrize("value", [Evil(), np.float64(1), range(3), np.array([Evil()])])
def test_unpickle_runs_nothing(value, protocol, capsys):
    content = pickle.dumps(value, protocol=protocol)
    with pytest.raises((pickle.UnpicklingError, ValueError)):
        unpickle.loads(content)
    assert not capsys.readouterr().out


@pytest.mark.parametrize(
    "content",
    [
        b"cnumpy\nndarray\n)\x81.",  # an object of a class that is none
        b"cnumpy\nndarray\n}S'x'\nI1\nsb.",  # attributes of a name
        b"cnumpy\nndarray\nN}S'kind'\nS'array'\ns\x86b.",
        b"cnumpy\ndtype\n(tR.",
        b"Pid\n.",
    ],
)
def test_unpickle_gives_names_no_life(content):
    with pytest.raises(Exception):  # noqa: B017, PT011  (any: the reader turns all into one)
        unpickle.loads(content)

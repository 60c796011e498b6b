"""IDX files and SVHN, written here in their original formats, read, and damaged; where they lie."""

import dataclasses
import functools
import gzip
import io
import struct
import sys
from pathlib import Path

import numpy as np
import pytest
from datafiles import STEMS, idx_bytes, same_samples, some, write_idx, write_svhn
from hypothesis import given
from hypothesis import strategies as st

from golden.data import download, idx, load, matfile


@pytest.fixture(autouse=True)
def nowhere_else(monkeypatch, tmp_path):
    """No folder but the one that a test names, and no network."""
    monkeypatch.delenv("SPINTRIT_DATA", raising=False)
    monkeypatch.setenv("SPINTRIT_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr(download, "urllib", None)


@pytest.fixture
def root(tmp_path):
    folder = tmp_path / "root"
    folder.mkdir()
    return folder


@pytest.mark.parametrize("packed", [True, False])
@pytest.mark.parametrize(
    ("name", "folder"),
    [
        ("mnist", "."), ("mnist", "mnist"), ("mnist", "MNIST/raw"), ("fashion-mnist", "."),
        ("fashion-mnist", "fashion-mnist"), ("fashion-mnist", "FashionMNIST/raw"),
    ],
)  # fmt: skip
def test_idx_sets(root, name, folder, packed):
    x, y, x_test, y_test = write_idx(root / folder, packed)
    split = load(name, root=root, validation=10)
    assert (split.name, split.classes, split.shape) == (name, 10, (5, 4, 1))
    assert (split.input_bits, split.augment) == (2, "none")
    assert np.bincount(split.y_val).tolist() == [1] * 10
    same_samples(split, x[..., None], y, x_test[..., None], y_test)
    assert load(name, root=root, validation=10, input_bits=5).limit == 15


def test_idx_by_the_other_spelling_and_the_environment(root, monkeypatch):
    write_idx(root, packed=False, spelling=".idx")
    monkeypatch.setenv("SPINTRIT_DATA", str(root))
    assert len(load("mnist", validation=1).x_train) == 39


def test_named_folder_comes_first(root):
    write_idx(root / "mnist")
    write_idx(root)
    (root / f"{STEMS[0]}.gz").write_bytes(b"damaged")
    load("mnist", root=root, validation=10)


def test_system_folder_serves_without_root(root, monkeypatch):
    write_idx(root)
    source = download.SOURCES["fashion-mnist"]
    assert source.system is not None
    system = download.Source(source.files, source.mirrors, source.folders, root)
    monkeypatch.setitem(download.SOURCES, "fashion-mnist", system)
    assert load("fashion-mnist", validation=10).name == "fashion-mnist"


def test_cache_serves_without_root(tmp_path):
    write_idx(tmp_path / "cache" / "data" / "mnist")
    assert load("mnist", validation=10, download=False).name == "mnist"


@given(st.lists(st.integers(0, 3), min_size=1, max_size=3), st.integers(0, 99))
def test_idx_round_trip(shape, seed):
    array = np.random.default_rng(seed).integers(0, 256, shape, np.uint8)
    have = idx.array("file", idx_bytes(array), array.ndim)
    np.testing.assert_array_equal(have, array)
    assert have.shape == array.shape


# Without the time, for the sake of the tests' names: each of pytest's workers makes its own.
packed = functools.partial(gzip.compress, mtime=0)
GOOD = idx_bytes(some(40, 5, 4)[0])


@pytest.mark.parametrize(
    ("stem", "content", "message"),
    [
        (0, packed(GOOD)[:-20], "is damaged or not a gzip file: .*"),
        (0, b"no gzip", "is damaged or not a gzip file: .*"),
        (0, packed(GOOD)[:-8] + bytes(8), "is damaged or not a gzip file: CRC check .*"),
        (0, b"", "is damaged or not .*"),
        (0, packed(b""), "is damaged or not an IDX file: it starts with nothing"),
        (0, packed(b"\1" + GOOD[1:]), "is .* not an IDX file: it starts with 01000803"),
        (0, packed(GOOD[:2] + b"\x0d" + GOOD[3:]), ".*: its type code is 0x0d, not 0x08"),
        (0, packed(idx_bytes(range(30))), ".*: it has 1 dimensions, not 3"),
        (0, packed(GOOD[:-1]), r".*: shape \(40, 5, 4\) takes 816 bytes, 815 are there"),
        (0, packed(GOOD + b"\0"), r".*: shape \(40, 5, 4\) takes 816 bytes, 817 are there"),
        (0, packed(idx_bytes(np.zeros((39, 5, 4)))), "holds 39 images, .* 40 labels"),
        (1, packed(idx_bytes([9] * 30 + [10] * 10)), ": label 30 must be in 0 to 9, not 10"),
        (2, packed(idx_bytes(np.zeros((20, 4, 5)))), r"holds .* \(4, 5\) .* \(5, 4\)"),
    ],
)  # fmt: skip
def test_damaged_idx_is_refused_by_name(root, stem, content, message):
    write_idx(root)
    path = root / f"{STEMS[stem]}.gz"
    path.write_bytes(content)
    with pytest.raises(ValueError, match=f"^{path} ?{message}$"):
        load("mnist", root=root, validation=10)


def test_one_set_is_not_taken_for_another(root, monkeypatch):
    _, y, *_ = write_idx(root)
    monkeypatch.setitem(idx._TRAIN_LABELS, "mnist", idx._md5(idx_bytes(y)))
    load("mnist", root=root, validation=10)
    with pytest.raises(ValueError, match=r"labels-idx1-ubyte.gz belongs to mnist, not to fashion"):
        load("fashion-mnist", root=root, validation=10)


@pytest.mark.parametrize("name", list(download.SOURCES))
def test_missing_files_are_named_with_their_source(root, name):
    """Nothing is fetched into a folder that the user names."""
    with pytest.raises(FileNotFoundError) as caught:
        load(name, root=root)
    message, source = str(caught.value), download.SOURCES[name]
    assert message.startswith(f"no {name} in {root}: ")
    assert message.endswith(f"{', '.join(source.files)} from {source.mirrors[0]} into {root}")
    assert "apt install" not in message  # it would not be looked for there
    assert "\n" not in message


def test_a_package_serves_where_the_variable_names_another_folder(root, tmp_path, monkeypatch):
    source = download.SOURCES["fashion-mnist"]
    monkeypatch.setenv("SPINTRIT_DATA", str(root))
    system = tmp_path / "system"
    monkeypatch.setitem(
        download.SOURCES, "fashion-mnist", dataclasses.replace(source, system=system)
    )
    with pytest.raises(FileNotFoundError, match=r": apt install dataset-fashion-mnist, or put "):
        load("fashion-mnist")
    x, *_ = write_idx(system)
    assert len(load("fashion-mnist").x_train) == len(x) - 4
    write_idx(root / "fashion-mnist")
    (system / "train-labels-idx1-ubyte.gz").write_bytes(b"damaged")
    load("fashion-mnist")  # the folder named comes first


def test_a_tenth_is_for_validation_and_augmentation_can_be_chosen(root):
    write_svhn(root)
    split = load("svhn", root=root, augment="none")
    assert (len(split.x_train), len(split.x_val), split.augment) == (36, 4, "none")


def test_missing_files_without_download_name_the_cache(tmp_path):
    with pytest.raises(FileNotFoundError, match=rf" into {tmp_path}/cache/data/svhn$"):
        load("svhn", download=False)


def test_cache_is_the_users(monkeypatch, tmp_path):
    monkeypatch.delenv("SPINTRIT_CACHE")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    with pytest.raises(FileNotFoundError, match=rf" into {tmp_path}/spintrit/data/mnist$"):
        load("mnist", download=False)


def test_unreadable_file_is_not_called_damaged(root, monkeypatch):
    write_idx(root)

    def denied(path, *_):
        raise PermissionError(13, "Permission denied", str(path))

    monkeypatch.setattr(Path, "open", denied)
    with pytest.raises(PermissionError, match=r"Permission denied: '.*-ubyte\.gz'$"):
        load("mnist", root=root)


def test_missing_platformdirs_names_the_extra(monkeypatch):
    monkeypatch.delenv("SPINTRIT_CACHE")
    monkeypatch.setitem(sys.modules, "platformdirs", None)
    with pytest.raises(ModuleNotFoundError, match=r"'\.\[demo\]' in .*, or give --data or SPIN"):
        load("mnist")


@pytest.mark.parametrize("validation", [0, 40])
def test_validation_leaves_something_to_train(root, validation):
    write_idx(root)
    with pytest.raises(ValueError, match=rf"^validation must be in 1 to 39, not {validation}$"):
        load("mnist", root=root, validation=validation)


@pytest.mark.parametrize("packed", [True, False])
@pytest.mark.parametrize("folder", [".", "svhn", "SVHN"])
def test_svhn(root, folder, packed):
    arrays = write_svhn(root / folder, packed)
    (root / folder / "extra_32x32.mat").write_bytes(b"not read")
    split = load("svhn", root=root, validation=10)
    assert (split.name, split.classes, split.shape) == ("svhn", 10, (32, 32, 3))
    assert (split.input_bits, split.augment) == (8, "crop")
    same_samples(split, *arrays)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"X": np.zeros((32, 32, 3, 20))}, r"X is float64 \(32, 32, 3, 20\), not uint8 .*"),
        ({"X": np.zeros((32, 3, 32, 20), np.uint8)}, r"X is uint8 \(32, 3, 32, 20\), not uint8 .*"),
        ({"X": np.zeros((32, 32, 3, 19), np.uint8)}, "it holds 19 images and 20 labels"),
        ({"y": np.zeros((20, 1))}, "y holds something else than 1 to 10"),
        ({"y": np.full((20, 1), 11)}, "y holds something else than 1 to 10"),
        ({"y": np.full((20, 1), 1.5)}, "y holds something else than 1 to 10"),
        ({"z": 1}, "it has no X and y"),
    ],
)
def test_wrong_svhn_is_refused_by_name(root, change, message):
    from scipy.io import savemat

    write_svhn(root)
    path = root / "test_32x32.mat"
    good = {"X": np.zeros((32, 32, 3, 20), np.uint8), "y": np.ones((20, 1))}
    savemat(path, change if "z" in change else good | change)
    with pytest.raises(ValueError, match=f"^{path} is damaged or not a file of SVHN: {message}$"):
        load("svhn", root=root, validation=10)


@pytest.mark.parametrize("packed", [True, False])
@pytest.mark.parametrize("keep", [0, 100, 20_000])
def test_cut_svhn_is_refused_by_name(root, keep, packed):
    write_svhn(root, packed)
    path = root / "train_32x32.mat"
    path.write_bytes(path.read_bytes()[:keep])
    with pytest.raises(ValueError, match=f"^{path} is damaged or not a file of SVHN: "):
        load("svhn", root=root, validation=10)


@given(
    st.sampled_from(["i1", "u1", "i2", "u2", "i4", "u4", "i8", "u8", "f4", "f8"]),
    st.lists(st.integers(0, 3), min_size=2, max_size=4),
    st.booleans(),
)
def test_matfile_reads_what_scipy_writes(kind, shape, packed):
    from scipy.io import savemat

    array = np.random.default_rng(0).integers(0, 100, shape).astype(kind)
    others = {"text": "text", "complex": np.array([1j]), "cell": {"a": 1}, "x" * 31: 7}
    file = io.BytesIO()
    savemat(file, {**others, "X": array}, do_compression=packed)
    have = matfile.loads(file.getvalue())
    assert sorted(have) == ["X", "x" * 31]
    np.testing.assert_array_equal(have["X"], array, strict=True)


def mat(body, version=0x100, order="<"):
    return bytes(124) + struct.pack(f"{order}2H", version, 0x4D49) + body


def element(kind, content, order="<"):
    return struct.pack(f"{order}2I", kind, len(content)) + content + bytes(-len(content) % 8)


def matrix(order="<", stored=2, shape=(2, 2), numbers=b"\1\2\3\4"):
    """A matrix X of doubles, stored as bytes."""
    return element(14, b"".join([
        element(6, struct.pack(f"{order}2I", 6, 0), order),
        element(5, struct.pack(f"{order}{len(shape)}i", *shape), order),
        struct.pack(f"{order}I", 1 << 16 | 1) + b"X\0\0\0",
        element(stored, numbers, order),
    ]), order)  # fmt: skip


@pytest.mark.parametrize("order", ["<", ">"])
def test_matfile_of_either_byte_order(order):
    have = matfile.loads(mat(matrix(order), order=order))
    np.testing.assert_array_equal(have["X"], [[1.0, 3.0], [2.0, 4.0]], strict=True)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "it has no head of a MATLAB 5 file"),
        (bytes(200), "it has no head of a MATLAB 5 file"),
        (mat(b"", 0x200), r"its version is 0x0200, not 0x0100 \(MATLAB's -v6 and -v7\)"),
        (mat(matrix()[:-1]), "it ends within an element"),
        (mat(matrix() + b"more"), "it ends within an element"),
        (mat(matrix(stored=233)), "an array has the type code 233"),
        (mat(matrix(shape=(2, 3))), r"an array of shape \(2, 3\) has 4 numbers"),
        (mat(matrix(shape=(-2, -2))), r"an array of shape \(-2, -2\) has 4 numbers"),
        (mat(matrix(shape=())), r"an array of shape \(\) has 4 numbers"),
    ],
)
def test_damaged_matfile(content, message):
    with pytest.raises(ValueError, match=f"^{message}$"):
        matfile.loads(content)

"""Small files of named sets that announce much: refused before memory is taken."""

import contextlib
import gzip
import io
import pickle
import struct
import tarfile
import tracemalloc
import zlib

import pytest
from datafiles import STEMS, write_idx, write_svhn

from golden.data import cifar, idx, load, matfile, svhn, unpickle

MEGABYTE = 1 << 20


@pytest.fixture(autouse=True)
def little_memory():
    """No test takes more than 16 megabytes of Python's memory."""
    tracemalloc.start()
    yield
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 16 * MEGABYTE


@pytest.fixture(scope="module")
def bomb():
    """A hundred megabytes of zeros, packed."""
    packer = zlib.compressobj(9, wbits=31)
    return b"".join([packer.compress(bytes(MEGABYTE)) for _ in range(100)] + [packer.flush()])


@pytest.mark.parametrize("packed", [True, False])
def test_idx_that_announces_a_huge_shape(tmp_path, packed):
    write_idx(tmp_path, packed)
    path = tmp_path / (STEMS[0] + (".gz" if packed else ""))
    head = struct.pack(">HBB3I", 0, 8, 3, 60_000, 9000, 9000)
    path.write_bytes(gzip.compress(head) if packed else head)
    message = r"its head announces 4,860,000,000,016 bytes, more than 2,147,483,648$"
    with pytest.raises(ValueError, match=f"^{path} is damaged .*: {message}"):
        load("mnist", root=tmp_path)


def test_idx_that_unpacks_to_more_than_it_announces(tmp_path, bomb):
    write_idx(tmp_path)
    path = tmp_path / f"{STEMS[0]}.gz"
    path.write_bytes(gzip.compress(struct.pack(">HBB3I", 0, 8, 3, 40, 5, 4)) + bomb)
    with pytest.raises(ValueError, match=r"shape \(40, 5, 4\) takes 816 bytes, 817 are there$"):
        load("mnist", root=tmp_path)
    path.write_bytes(bomb)
    with pytest.raises(ValueError, match=r"its type code is 0x00, not 0x08$"):
        load("mnist", root=tmp_path)


def test_idx_is_read_as_far_as_its_head_says(tmp_path):
    (tmp_path / "x").write_bytes(struct.pack(">HBBI", 0, 8, 1, 3) + bytes(MEGABYTE))
    assert len(idx.unpack(tmp_path / "x", 1)) == 8 + 3 + 1


def mat(*elements):
    body = b"".join(struct.pack("<2I", kind, len(content)) + content for kind, content in elements)
    return bytes(124) + struct.pack("<2H", 0x100, 0x4D49) + body


def test_matlab_file_that_unpacks_to_much(monkeypatch):
    monkeypatch.setattr(matfile, "MAX_BYTES", 4 * MEGABYTE)
    content = zlib.compress(bytes(10 * MEGABYTE))
    with pytest.raises(ValueError, match=r"^it unpacks to more than 4,194,304 bytes$"):
        matfile.loads(mat((15, content)))
    content = zlib.compress(struct.pack("<2I", 1, 3 * MEGABYTE) + bytes(3 * MEGABYTE))
    with pytest.raises(ValueError, match=r"^it unpacks to more than 4,194,304 bytes$"):
        matfile.loads(mat((15, content), (15, content)))


def test_matlab_bytes_that_are_numbers_of_eight(monkeypatch):
    monkeypatch.setattr(matfile, "MAX_BYTES", 4 * MEGABYTE)
    count = MEGABYTE
    parts = [(6, struct.pack("<2I", 6, 0)), (5, struct.pack("<2i", count, 1)), (1, b"X" + bytes(7)),
             (2, bytes(count))]  # fmt: skip
    body = b"".join(struct.pack("<2I", kind, len(c)) + c for kind, c in parts)
    with pytest.raises(ValueError, match=r"^an array of shape \(1048576, 1\) takes too much memor"):
        matfile.loads(mat((14, body)))


def test_large_file_of_svhn_is_not_read(tmp_path, monkeypatch):
    """A file of holes has its size at once."""
    write_svhn(tmp_path)
    path = tmp_path / svhn.FILES[1]
    with path.open("r+b") as file:
        file.truncate(3 << 30)
    with pytest.raises(ValueError, match=rf"{path} has 3,221,225,472 bytes, more than 2,147,483,6"):
        load("svhn", root=tmp_path)


@pytest.mark.parametrize(
    "content",
    [
        b"\x80\x02]r\x00\x00\x00\x40.",  # a list, remembered as number 2^30
        b"\x80\x05\x96" + struct.pack("<Q", 1 << 62) + b".",  # so many bytes
        b"\x80\x04\x95" + struct.pack("<Q", 1 << 62) + b"N.",  # a frame
        b"\x80\x04\x8e" + struct.pack("<Q", 1 << 40) + b".",
        b"\x80\x02\x8b" + struct.pack("<I", 1 << 30) + b".",  # digits of an integer
    ],
)
def test_pickle_that_announces_much(content):
    refused = (ValueError, MemoryError, OverflowError, pickle.UnpicklingError)
    with contextlib.suppress(*refused):
        assert not unpickle.loads(content)


@pytest.mark.parametrize("packed", [True, False])
def test_file_of_cifar_is_bounded(tmp_path, monkeypatch, packed):
    names = [f"data_batch_{n}.bin" for n in range(1, 6)] + ["test_batch.bin"]
    monkeypatch.setattr(cifar, "BATCH", 20)
    large = bytes(5 * MEGABYTE)
    if packed:
        where = tmp_path / "cifar-10-binary.tar.gz"
        with tarfile.open(where, "w:gz") as tar:
            info = tarfile.TarInfo(f"cifar-10-batches-bin/{names[0]}")
            info.size = len(large)
            tar.addfile(info, io.BytesIO(large))
    else:
        for name in names:
            (tmp_path / name).write_bytes(large)
    with pytest.raises(ValueError, match=r"data_batch_1\.bin is damaged .*: it has more th"):
        load("cifar10", root=tmp_path)

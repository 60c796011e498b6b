"""Files are replaced whole or not at all, and errors name them."""

import errno
import os
import resource
import subprocess
import sys
from pathlib import Path

import pytest
from training import trainer

from golden import files
from golden.train.trainer import METRICS


def test_only_regular_files_are_replaced(tmp_path):
    pipe, target, link = (tmp_path / name for name in ("pipe", "target", "link"))
    os.mkfifo(pipe)
    with pytest.raises(OSError, match=r"not a regular file: '.*pipe'$"):
        files.write_atomically(pipe, b"new")
    assert pipe.is_fifo()
    target.write_bytes(b"old")
    link.symlink_to(target)
    files.write_atomically(link, b"new")
    assert link.is_symlink()
    assert target.read_bytes() == b"new"
    assert {path.name for path in tmp_path.iterdir()} == {"pipe", "target", "link"}


def test_a_failed_write_leaves_old_content_and_nothing_else(tmp_path, monkeypatch):
    path = tmp_path / "file"
    path.write_bytes(b"old")

    def fail(_):
        raise OSError("disk full")

    monkeypatch.setattr(files.os, "fsync", fail)
    with pytest.raises(OSError, match="disk full"):
        files.write_atomically(path, b"new")
    assert [(p.name, p.read_bytes()) for p in tmp_path.iterdir()] == [("file", b"old")]


def test_an_interrupt_when_the_file_is_in_place_stays_an_interrupt(tmp_path, monkeypatch):
    path, replace = tmp_path / "file", os.replace

    def interrupted(*paths):
        replace(*paths)
        raise KeyboardInterrupt

    monkeypatch.setattr(files.os, "replace", interrupted)
    with pytest.raises(KeyboardInterrupt):
        files.write_atomically(path, b"new")
    assert [(p.name, p.read_bytes()) for p in tmp_path.iterdir()] == [("file", b"new")]


@pytest.mark.parametrize("code", [errno.ENOSPC, errno.EDQUOT, errno.EIO])
@pytest.mark.parametrize("call", ["fsync", "replace"])
def test_a_full_disk_is_told_with_the_file(tmp_path, monkeypatch, call, code):
    def fail(*_):
        raise OSError(code, os.strerror(code))

    monkeypatch.setattr(files.os, call, fail)
    with pytest.raises(OSError, match=rf"{os.strerror(code)}: '{tmp_path}/file'$") as caught:
        files.write_atomically(tmp_path / "file", b"new")
    assert caught.value.errno == code
    assert not list(tmp_path.iterdir())


@pytest.fixture
def small_files():
    """No file may grow beyond 4 KiB."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (4096, before[1]))
    yield
    resource.setrlimit(resource.RLIMIT_FSIZE, before)


def test_a_file_that_grows_too_large_is_named(tmp_path, small_files):
    with pytest.raises(OSError, match=rf"File too large: '{tmp_path}/file'$"):
        files.write_atomically(tmp_path / "file", bytes(5000))
    assert not list(tmp_path.iterdir())


def test_a_line_that_cannot_be_appended_names_its_file(tmp_path, small_files):
    def fill(epoch, batch, _):
        if (epoch, batch) == (1, 1):
            (tmp_path / METRICS).write_text(" " * 4090)

    run = trainer(tmp_path, on_batch=fill)
    run._save = lambda: None
    with pytest.raises(OSError, match=rf"File too large: '{tmp_path}/{METRICS}'$"):
        run.run()


def test_a_missing_folder_is_told_by_the_file_that_was_asked_for(tmp_path):
    path = tmp_path / "none" / "file"
    with pytest.raises(FileNotFoundError, match=rf"'{path}'$"):
        files.write_atomically(path, b"")


def test_permissions_are_those_of_the_umask_or_of_the_file_replaced(tmp_path):
    path = tmp_path / "file"
    before = os.umask(0o027)
    try:
        files.write_atomically(path, b"new")
        assert path.stat().st_mode & 0o777 == 0o640
        path.chmod(0o604)
        files.write_atomically(path, b"newer")
    finally:
        os.umask(before)
    assert path.stat().st_mode & 0o777 == 0o604


def test_links_beside_a_file_are_not_followed(tmp_path):
    victim = tmp_path / "victim"
    victim.write_bytes(b"old")
    (tmp_path / "file.part").symlink_to(victim)
    files.write_atomically(tmp_path / "file", b"new")
    assert victim.read_bytes() == b"old"
    assert (tmp_path / "file").read_bytes() == b"new"


def test_what_killed_writers_have_left_goes_with_the_next_write(tmp_path):
    with subprocess.Popen([sys.executable, "-c", ""]) as child:
        pass
    dead, alive = child.pid, os.getppid()
    kept = [f"file.{alive}-01234567.part", f"file.{dead}-0123.part", f"other.{dead}-01234567.part"]
    for name in (f"file.{dead}-01234567.part", *kept):
        (tmp_path / name).write_bytes(b"half")
    files.write_atomically(tmp_path / "file", b"new")
    assert sorted(path.name for path in tmp_path.iterdir()) == sorted(["file", *kept])


def test_names_as_long_as_the_file_system_takes(tmp_path):
    for name in ("n" * 255, "\N{GREEK SMALL LETTER ALPHA}" * 127):
        files.write_atomically(tmp_path / name, b"new")
        assert (tmp_path / name).read_bytes() == b"new"


WRITER = """
import sys
from pathlib import Path
from golden import files
files.os.fsync = lambda _: None  # more writes, and closer together
for _ in range(500):
    files.write_atomically(Path(sys.argv[1]), sys.argv[2].encode() * 50_000)
"""


def test_two_writers_never_show_a_torn_or_empty_file(tmp_path):
    path, whole = tmp_path / "file", {b"a" * 50_000, b"b" * 50_000}
    command = [sys.executable, "-c", WRITER, str(path)]
    root = Path(files.__file__).parents[1]
    children = [subprocess.Popen([*command, letter], cwd=root) for letter in "ab"]
    seen = set()
    while any(child.poll() is None for child in children):
        if path.exists():
            content = path.read_bytes()
            assert content in whole, f"{len(content)} bytes of {set(content)}"
            seen.add(content)
    assert [child.returncode for child in children] == [0, 0]
    assert seen == whole
    assert list(tmp_path.iterdir()) == [path]

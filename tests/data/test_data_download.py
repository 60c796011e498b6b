"""Fetching from servers in this process: whole, in pieces, wrong, and not at all."""

import gzip
import hashlib
import http.server
import threading
import urllib.parse

import pytest
from commands import spintrit
from datafiles import STEMS, write_idx
from rich.progress import Progress
from servers import serving

from golden.data import SOURCES, download, load
from golden.data.download import DownloadError, fetch
from golden.data.sources import Source
from spintrit.report.progress import ConsoleProgress
from spintrit.runs.source import Source as RunSource

CONTENT = bytes(range(256)) * 2000


class Server(http.server.ThreadingHTTPServer):
    """Serves ``files``; ``cuts`` answers end after half of what is due; notes what is asked for."""

    def __init__(self, ranges=True, cuts=0):
        super().__init__(("127.0.0.1", 0), Handler)
        self.files, self.ranges, self.cuts = {}, ranges, cuts
        self.length, self.asked = True, []
        self.url = f"http://127.0.0.1:{self.server_port}/"
        self.host = f"127.0.0.1:{self.server_port}"


class Handler(http.server.BaseHTTPRequestHandler):
    server: Server

    def do_GET(self):
        name = urllib.parse.unquote(self.path[1:])
        wanted = self.headers["Range"]
        self.server.asked.append((name, wanted))
        content = self.server.files.get(name)
        if content is None:
            self.send_error(404)
            return
        start = 0
        if wanted and self.server.ranges:
            start = int(wanted.removeprefix("bytes=").removesuffix("-"))
            if start >= len(content):
                self.send_error(416)
                return
            self.send_response(206)
            self.send_header("Content-Range", f"bytes {start}-{len(content) - 1}/{len(content)}")
        else:
            self.send_response(200)
        rest = content[start:]
        if self.server.length:
            self.send_header("Content-Length", str(len(rest)))
        self.end_headers()
        if self.server.cuts:
            self.server.cuts -= 1
            rest = rest[: len(rest) // 2]
        self.wfile.write(rest)

    def log_message(self, *_):
        pass


@pytest.fixture
def serve(monkeypatch):
    """``serve(ranges=True, cuts=0)`` starts a server."""
    monkeypatch.setattr(download, "PAUSE_S", 0.0)
    monkeypatch.setattr(download, "TIMEOUT_S", 5.0)

    with serving() as begin:

        def start(**options):
            server = Server(**options)
            server.files["file"] = CONTENT
            begin(server)
            return server

        yield start


def source(*servers, content=CONTENT):
    md5 = hashlib.md5(content).hexdigest()
    return Source({"file": md5}, tuple(server.url for server in servers), ("here",))


def contents(folder):
    return {path.name: path.read_bytes() for path in folder.iterdir()}


def test_file_arrives_once(serve, tmp_path):
    server, steps = serve(), []
    folder = tmp_path / "a" / "b"
    fetch("set", source(server), folder, lambda *step: steps.append(step))
    assert contents(folder) == {"file": CONTENT}
    assert steps[-1] == ("file", len(CONTENT), len(CONTENT))
    assert [done for _, done, _ in steps] == sorted({done for _, done, _ in steps})
    fetch("set", source(server), folder)
    assert server.asked == [("file", None)]


def test_cut_connection_is_resumed(serve, tmp_path):
    server, steps = serve(cuts=3), []
    fetch("set", source(server), tmp_path, lambda *step: steps.append(step))
    assert contents(tmp_path) == {"file": CONTENT}
    n = len(CONTENT)
    ranges = [wanted for _, wanted in server.asked]
    assert ranges == [None, *(f"bytes={n - n // 2**k}-" for k in (1, 2, 3))]
    assert {total for *_, total in steps} == {n}


def test_server_without_ranges_starts_over(serve, tmp_path):
    server = serve(ranges=False, cuts=2)
    fetch("set", source(server), tmp_path)
    assert contents(tmp_path) == {"file": CONTENT}
    assert len(server.asked) == 3


def test_server_without_length(serve, tmp_path):
    server, steps = serve(), []
    server.length = False
    fetch("set", source(server), tmp_path, lambda *step: steps.append(step))
    assert contents(tmp_path) == {"file": CONTENT}
    assert steps[-1] == ("file", len(CONTENT), None)


def test_next_mirror_goes_on_where_one_gave_up(serve, tmp_path):
    bad, good = serve(cuts=99), serve()
    fetch("set", source(bad, good), tmp_path)
    assert contents(tmp_path) == {"file": CONTENT}
    assert len(bad.asked) == 1 + download.RETRIES
    [(_, wanted)] = good.asked
    assert wanted is not None


@pytest.mark.parametrize("kept", [1, len(CONTENT) // 2, len(CONTENT)])
def test_part_of_an_earlier_run_is_continued(serve, tmp_path, kept):
    (tmp_path / "file.part").write_bytes(CONTENT[:kept])
    server = serve()
    fetch("set", source(server), tmp_path)
    assert contents(tmp_path) == {"file": CONTENT}
    assert server.asked == [("file", f"bytes={kept}-")]


@pytest.mark.parametrize("part", [b"wrong", CONTENT + b"more", b"?" * len(CONTENT)])
def test_wrong_part_of_an_earlier_run_is_given_up(serve, tmp_path, part):
    (tmp_path / "file.part").write_bytes(part)
    server = serve()
    fetch("set", source(server), tmp_path)
    assert contents(tmp_path) == {"file": CONTENT}
    assert server.asked == [("file", f"bytes={len(part)}-"), ("file", None)]


def test_wrong_checksum_takes_the_next_mirror(serve, tmp_path):
    bad, good = serve(), serve()
    bad.files["file"] = b"<html>sign in</html>"
    fetch("set", source(bad, good), tmp_path)
    assert contents(tmp_path) == {"file": CONTENT}
    assert (len(bad.asked), good.asked) == (1, [("file", None)])


def test_wrong_checksum_everywhere_leaves_nothing(serve, tmp_path):
    server = serve()
    wanted = source(server, content=b"other")
    with pytest.raises(DownloadError) as caught:
        fetch("set", wanted, tmp_path)
    have = hashlib.md5(CONTENT).hexdigest()
    reason = f"{server.host}: file has MD5 {have}, not {wanted.files['file']}"
    assert str(caught.value) == (
        f"cannot download set ({reason}): put file from {server.url} into {tmp_path}, or give "
        "--data or SPINTRIT_DATA"
    )
    assert contents(tmp_path) == {}


def test_dead_mirrors_are_told(serve, tmp_path):
    lacking, closed = serve(), serve()
    lacking.files.clear()
    closed.socket.close()
    with pytest.raises(DownloadError) as caught:
        fetch("set", source(lacking, closed), tmp_path)
    message = str(caught.value)
    assert f"({lacking.host}: HTTP Error 404: Not Found; {closed.host}: [Errno " in message
    assert f": put file from {lacking.url} into {tmp_path}, or give --data or " in message
    assert "\n" not in message
    assert contents(tmp_path) == {}


def test_gives_up_after_cuts_and_keeps_what_came(serve, tmp_path):
    server = serve(cuts=99)
    with pytest.raises(DownloadError, match=rf"\({server.host}: cut after \d+ of {len(CONTENT)} b"):
        fetch("set", source(server), tmp_path)
    [(name, kept)] = contents(tmp_path).items()
    assert name == "file.part"
    assert len(kept) > len(CONTENT) // 2
    assert CONTENT.startswith(kept)


def test_only_what_is_missing_is_fetched(serve, tmp_path):
    server = serve()
    server.files["other"] = b"other"
    both = Source(
        {"file": hashlib.md5(CONTENT).hexdigest(), "other": hashlib.md5(b"other").hexdigest()},
        (server.url,), ("here",),
    )  # fmt: skip
    (tmp_path / "file").write_bytes(b"mine")
    fetch("set", both, tmp_path)
    assert contents(tmp_path) == {"file": b"mine", "other": b"other"}


def test_calls_for_one_folder_wait_for_each_other(serve, tmp_path):
    server = serve()
    threads = [
        threading.Thread(target=fetch, args=("set", source(server), tmp_path)) for _ in range(4)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert contents(tmp_path) == {"file": CONTENT}
    assert server.asked == [("file", None)]


def test_unwritable_folder_is_the_users_to_mend(serve, tmp_path):
    (tmp_path / "file.part").mkdir()
    with pytest.raises(IsADirectoryError, match=r"file\.part"):
        fetch("set", source(serve()), tmp_path)


@pytest.fixture
def mnist(serve, tmp_path, monkeypatch):
    """A server of a small MNIST, and the cache that it goes into."""
    server = serve()
    write_idx(tmp_path / "served")
    files = contents(tmp_path / "served")
    server.files |= files
    md5 = {name: hashlib.md5(content).hexdigest() for name, content in files.items()}
    monkeypatch.setitem(SOURCES, "mnist", Source(md5, (server.url,), ("mnist",)))
    monkeypatch.delenv("SPINTRIT_DATA", raising=False)
    monkeypatch.setenv("SPINTRIT_CACHE", str(tmp_path / "cache"))
    return server, tmp_path / "cache" / "data" / "mnist"


def test_load_fetches_into_the_cache_once(mnist):
    server, folder = mnist
    names = []
    split = load("mnist", validation=10, progress=lambda name, *_: names.append(name))
    assert list(dict.fromkeys(names)) == [name for name, _ in server.asked]
    assert sorted(contents(folder)) == sorted(f"{stem}.gz" for stem in STEMS)
    assert gzip.decompress((folder / f"{STEMS[3]}.gz").read_bytes())[8:] == bytes(
        split.y_test.tolist()
    )
    load("mnist", validation=10)
    assert len(server.asked) == 4


@pytest.mark.parametrize("how", ["argument", "environment", "forbidden"])
def test_load_fetches_nothing_unasked(mnist, tmp_path, monkeypatch, how):
    server, _ = mnist
    if how == "environment":
        monkeypatch.setenv("SPINTRIT_DATA", str(tmp_path))
    with pytest.raises(FileNotFoundError, match=r"^no mnist in "):
        load("mnist", root=tmp_path if how == "argument" else None, download=how != "forbidden")
    assert not server.asked


def test_downloads_move_a_bar(mnist, monkeypatch):
    server, _ = mnist
    shown = []
    monkeypatch.setattr(Progress, "add_task", lambda self, name, **_: shown.append(name) or 0)
    moved = []
    monkeypatch.setattr(Progress, "update", lambda self, task, **told: moved.append(told))
    split = RunSource(dataset="mnist").load(ConsoleProgress())
    assert shown == [name for name, _ in server.asked]
    assert sorted(shown) == sorted(f"{stem}.gz" for stem in STEMS)
    assert moved[-1]["completed"] == moved[-1]["total"] > 0
    assert len(split.y_test) == 20


def test_a_command_trains_on_what_it_fetched(mnist, tmp_path):
    out = tmp_path / "run"
    options = "--array fast --network 4FC --epochs 1 --batch 10"
    assert spintrit(f"train --dataset mnist {options} --out {out}") == 0
    assert (out / "summary.json").exists()

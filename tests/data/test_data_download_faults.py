"""Fetching from servers that answer wrongly: the next mirror is asked, and what arrived is kept."""

import contextlib
import errno
import hashlib
import http.client
import os
import re
import socketserver
import time

import pytest
from servers import serving

from golden.data import download
from golden.data.download import DownloadError, fetch
from golden.data.sources import SOURCES, Source

CONTENT = bytes(range(256)) * 400
SIZE = len(CONTENT)


class Server(socketserver.ThreadingTCPServer):
    """Answers each request by the next of ``acts``, and by the last one from then on."""

    allow_reuse_address = True
    daemon_threads = True

    def __init__(self, *acts):
        super().__init__(("127.0.0.1", 0), Handler)
        self.acts, self.asked = acts, []
        self.host = f"127.0.0.1:{self.server_address[1]}"
        self.url = f"http://{self.host}/"


class Handler(socketserver.StreamRequestHandler):
    server: Server

    def handle(self):
        head = b""
        while not head.endswith(b"\r\n\r\n"):
            head += self.rfile.readline()
        found = re.search(rb"Range: bytes=(\d+)-", head)
        start = int(found[1]) if found else 0
        acts = self.server.acts
        act = acts[min(len(self.server.asked), len(acts) - 1)]
        self.server.asked.append(start)
        with contextlib.suppress(OSError):  # the other side may have gone, as it should
            act(self, start)

    def send(self, content):
        self.wfile.write(content)
        self.wfile.flush()


def reply(status="200 OK", body=CONTENT, **fields):
    """An act: a whole answer, with head lines by name."""

    def act(handler, _):
        head = [f"HTTP/1.1 {status}", "Connection: close"]
        head += [f"{name.replace('_', '-')}: {value}" for name, value in fields.items()]
        handler.send("\r\n".join([*head, "", ""]).encode() + body)

    return act


def good(handler, start):
    if start:
        span = f"bytes {start}-{SIZE - 1}/{SIZE}"
        act = reply("206 Partial Content", CONTENT[start:], Content_Range=span,
                    Content_Length=SIZE - start)  # fmt: skip
    else:
        act = reply(Content_Length=SIZE)
    act(handler, start)


def stalls(count):
    """An act: ``count`` bytes, then nothing more."""

    def act(handler, start):
        good_part = reply(body=CONTENT[:count], Content_Length=SIZE)
        good_part(handler, start)
        time.sleep(1.0)

    return act


def trickle(handler, _):
    handler.send(f"HTTP/1.1 200 OK\r\nContent-Length: {SIZE}\r\n\r\n".encode())
    for byte in CONTENT:
        handler.send(bytes([byte]))
        time.sleep(0.01)


def trickled_head(handler, _):
    handler.send(b"HTTP/1.1 200 OK\r\n")
    for number in range(1000):
        handler.send(f"X{number}: x\r\n".encode())
        time.sleep(0.02)


def endless(handler, _):
    handler.send(b"HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n")
    while True:
        handler.send(b"\0" * 65536)


def endless_chunks(handler, _):
    handler.send(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
    while True:
        handler.send(b"10000\r\n" + b"\0" * 65536 + b"\r\n")


def loop(handler, _):
    reply("302 Found", b"", Location=handler.server.url + "file")(handler, 0)


@pytest.fixture
def serve(monkeypatch):
    for name, value in {"PAUSE_S": 0.0, "TIMEOUT_S": 0.3, "ANSWER_S": 1.0}.items():
        monkeypatch.setattr(download, name, value)

    with serving() as begin:

        def start(*acts):
            server = Server(*acts)
            begin(server)
            return server

        yield start


def source(*servers, sizes=True):
    md5 = hashlib.md5(CONTENT).hexdigest()
    urls = tuple(server.url for server in servers)
    return Source({"file": md5}, urls, ("here",), sizes={"file": SIZE} if sizes else {})


FAULTS = {
    "length too large": (reply(Content_Length=SIZE + 1), f"announces {SIZE + 1} bytes, not {SIZE}"),
    "length huge": (reply(Content_Length=10**30), f"announces {10**30} bytes, not {SIZE}"),
    "length too small": (reply(Content_Length=5), f"announces 5 bytes, not {SIZE}"),
    "another file": (reply(body=b"<html>", Content_Length=6), f"announces 6 bytes, not {SIZE}"),
    "location no address": (reply("302 Found", Location="http://[bad"), ".*IPv6.*"),
    "location no port": (reply("302 Found", Location="http://127.0.0.1:no/"), ".*port.*"),
    "location no host": (reply("302 Found", Location="http:///x"), ".*"),
    "location no name": (reply("302 Found", Location="http://a..b/"), ".*"),
    "location a file": (reply("302 Found", Location="file:///etc/passwd"), ".* is not allowed"),
    "location missing": (reply("302 Found"), "HTTP Error 302: Found"),
    "redirected for ever": (loop, ".*infinite loop.*"),
    "no http": (lambda handler, _: handler.send(b"220 ftp\r\n\r\n"), ".*220 ftp.*"),
    "gone": (lambda handler, _: None, ".*without response"),
    "range unasked": (
        reply("206 Partial Content", CONTENT[9:], Content_Range=f"bytes 9-{SIZE - 1}/{SIZE}"),
        "sent another range than asked for, from byte 0 on",
    ),
    "416 unasked": (reply("416 Range Not Satisfiable"), "HTTP Error 416: Range Not Satisfiable"),
    "bad chunks": (reply(body=b"zz\r\nx", Transfer_Encoding="chunked"), ".*"),
    "encoded": (reply(body=bytes(SIZE), Content_Encoding="gzip"), ".* has MD5 .*"),
    "endless": (endless, f"sends more than {SIZE} bytes"),
    "endless chunks": (endless_chunks, f"sends more than {SIZE} bytes"),
    "endless head": (trickled_head, r"no answer in 1 s|.*header.*"),
    "silent": (lambda *_: time.sleep(1.0), ".*timed out"),
}  # fmt: skip


@pytest.mark.parametrize("fault", FAULTS)
def test_next_mirror_has_the_file(serve, tmp_path, fault):
    act, _ = FAULTS[fault]
    bad, fine = serve(act), serve(good)
    fetch("set", source(bad, fine), tmp_path)
    assert (tmp_path / "file").read_bytes() == CONTENT
    assert bad.asked
    assert fine.asked


@pytest.mark.parametrize("fault", FAULTS)
def test_all_mirrors_are_told(serve, tmp_path, fault):
    act, reason = FAULTS[fault]
    bad, none = serve(act), serve(reply("404 Not Found"))
    missing = f"{none.host}: HTTP Error 404: Not Found"
    with pytest.raises(DownloadError, match=rf"\({bad.host}: (?:{reason}); {missing}\): put file"):
        fetch("set", source(bad, none), tmp_path)


@pytest.mark.parametrize("length", ["abc", "-5", "", "1e9", "12, 13"])
def test_length_that_is_no_number_is_as_none(serve, tmp_path, length):
    server = serve(reply(Content_Length=length))
    fetch("set", source(server), tmp_path)
    assert (tmp_path / "file").read_bytes() == CONTENT


@pytest.mark.parametrize("count", [1, 1000, 70_000])
def test_what_came_before_a_stall_is_kept(serve, tmp_path, count):
    """However little it is."""
    server = serve(stalls(count), good)
    fetch("set", source(server), tmp_path)
    assert server.asked == [0, count]
    assert (tmp_path / "file").read_bytes() == CONTENT


def test_answer_without_length_that_is_cut_is_continued(serve, tmp_path):
    server = serve(reply(body=CONTENT[:5000]), good)
    fetch("set", source(server), tmp_path)
    assert server.asked == [0, 5000]
    assert (tmp_path / "file").read_bytes() == CONTENT


def test_part_of_a_range_is_continued(serve, tmp_path):
    (tmp_path / "file.part").write_bytes(CONTENT[:100])
    some = reply("206 Partial Content", CONTENT[100:300], Content_Range=f"bytes 100-299/{SIZE}",
                 Content_Length=200)  # fmt: skip
    server = serve(some, good)
    fetch("set", source(server), tmp_path)
    assert server.asked == [100, 300]
    assert (tmp_path / "file").read_bytes() == CONTENT


def test_wrong_range_starts_over(serve, tmp_path):
    (tmp_path / "file.part").write_bytes(CONTENT[:100])
    wrong = reply("206 Partial Content", CONTENT[50:], Content_Range=f"bytes 50-{SIZE - 1}/{SIZE}")
    server = serve(wrong, good)
    fetch("set", source(server), tmp_path)
    assert server.asked == [100, 0]
    assert (tmp_path / "file").read_bytes() == CONTENT


@pytest.mark.parametrize("kept", [b"?" * 100, b"?" * SIZE, CONTENT + b"more", b"?" * 10 * SIZE])
def test_wrong_part_is_given_up(serve, tmp_path, kept):
    (tmp_path / "file.part").write_bytes(kept)
    server = serve(good)
    fetch("set", source(server), tmp_path)
    assert server.asked == ([100, 0] if len(kept) == 100 else [0])
    assert (tmp_path / "file").read_bytes() == CONTENT


def test_whole_part_needs_no_server(serve, tmp_path):
    (tmp_path / "file.part").write_bytes(CONTENT)
    server = serve(good)
    fetch("set", source(server), tmp_path)
    assert not server.asked


def test_mirror_that_is_too_slow_is_given_up(serve, tmp_path, monkeypatch):
    monkeypatch.setattr(download, "WINDOW_S", 0.3)
    slow, fine = serve(trickle), serve(good)
    start = time.monotonic()
    fetch("set", source(slow, fine), tmp_path)
    assert time.monotonic() - start < 5
    assert slow.asked == [0]
    assert fine.asked[0] > 0  # what came is kept
    assert (tmp_path / "file").read_bytes() == CONTENT


def test_size_is_bounded_where_it_is_not_known(serve, tmp_path, monkeypatch):
    monkeypatch.setattr(download, "MAX_BYTES", 200_000)
    server, large = serve(endless), serve(reply(Content_Length=200_001))
    with pytest.raises(DownloadError) as caught:
        fetch("set", source(server, large, sizes=False), tmp_path)
    assert f"{server.host}: sends more than 200000 bytes" in str(caught.value)
    assert f"{large.host}: announces 200001 bytes, more than 200000" in str(caught.value)
    assert not any(tmp_path.iterdir())


def test_full_disk_names_the_file(serve, tmp_path, monkeypatch):
    real = os.fsync

    def full(descriptor):
        if os.path.isfile(f"/proc/self/fd/{descriptor}"):  # noqa: PTH113
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        real(descriptor)

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(OSError, match=r"No space left on device: '.*file\.part'$") as caught:
        fetch("set", source(serve(good)), tmp_path)
    assert not isinstance(caught.value, DownloadError)


def test_network_error_in_the_middle_is_no_error_of_the_disk(serve, tmp_path, monkeypatch):
    """Such as EHOSTUNREACH, which has no class of its own."""
    read, failed = http.client.HTTPResponse.read1, []

    def unreachable(self, *arguments):
        if not failed:
            failed.append(True)
            raise OSError(errno.EHOSTUNREACH, os.strerror(errno.EHOSTUNREACH))
        return read(self, *arguments)

    monkeypatch.setattr("http.client.HTTPResponse.read1", unreachable)
    fetch("set", source(serve(good)), tmp_path)
    assert failed
    assert (tmp_path / "file").read_bytes() == CONTENT


@pytest.mark.parametrize("name", list(SOURCES))
def test_sizes_of_published_files_are_known(name):
    assert SOURCES[name].sizes.keys() == SOURCES[name].files.keys()

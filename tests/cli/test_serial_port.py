"""The host's end of a serial line, against another end that says what a test likes."""

import os
import select
import time
import tty

import numpy as np
import pytest

from golden.config import ArrayConfig
from spintrit.board.array import SerialArray
from spintrit.board.port import SerialTransport

SILENT = r"^the accelerator on /dev/\S+ gave no answer while {} was waited for$"


class Line:
    """The other end of a line on which nobody listens, to say what one likes."""

    def __init__(self):
        self.inside, self.outside = os.openpty()
        tty.setraw(self.outside)
        self.transport = SerialTransport(os.ttyname(self.outside))

    def heard(self, count):
        """What has come in, of which a read may give a part; ``count`` bytes at least."""
        heard = b""
        while len(heard) < count and select.select([self.inside], [], [], 10)[0]:
            heard += os.read(self.inside, 4096)
        return heard

    def close(self):
        self.transport.close()
        os.close(self.inside)
        os.close(self.outside)


@pytest.fixture
def deaf():
    line = Line()
    yield line
    line.close()


@pytest.mark.parametrize(
    ("answer", "what"),
    [
        (b"", "gave no answer while an answer to the read of register 0x24 was waited for"),
        (b"r\0", "gave no answer while an answer to the read of register 0x24 was waited for"),
        (b"?", "answered '\\?' to the read of register 0x24"),
        (b"w", "answered 'w' to the read of register 0x24"),
        (b"x", "sent 'x', which begins no message"),
    ],
)
def test_what_is_no_answer_is_an_error(deaf, answer, what):
    if what.startswith("gave no answer"):
        deaf.transport.patience = 0.05
    os.write(deaf.inside, answer)
    with pytest.raises(RuntimeError, match=f"^the accelerator on /dev/\\S+ {what}$"):
        deaf.transport.read_register(0x24)
    assert deaf.heard(2) == b"R\x24"


def test_words_and_answers_may_come_in_any_order(deaf):
    os.write(deaf.inside, b"o\1\0\0\0r\7\0\0\0l\2\0\0\0l\3\0\0\0w")
    assert deaf.transport.read_register(0) == 7
    assert deaf.transport.receive().tolist() == [1, 2]
    deaf.transport.write_register(0x30, 0x1234)
    assert deaf.transport.receive().tolist() == [3]
    deaf.transport.send(np.array([5, 1 << 31], np.uint32))
    expected = b"R\0W\x30\x34\x12\0\0S\2\0\5\0\0\0\0\0\0\x80"
    assert deaf.heard(len(expected)) == expected


def test_answer_instead_of_a_packet_is_an_error(deaf):
    os.write(deaf.inside, b"?")
    with pytest.raises(RuntimeError, match=r"answered '\?' instead of a packet$"):
        deaf.transport.receive()


def test_missing_device_is_one_clear_line(tmp_path):
    with pytest.raises(OSError, match="nowhere") as caught:
        SerialTransport(str(tmp_path / "nowhere"))
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("answer", [b"", b"o\1\0\0", b"o\1\0\0\0", b"o\1\0\0\0l\0"])
def test_packet_that_stays_away_or_is_cut_short_ends_soon(deaf, answer):
    deaf.transport.patience = 0.05
    os.write(deaf.inside, answer)
    with pytest.raises(RuntimeError, match=SILENT.format("a packet")):
        deaf.transport.receive()


@pytest.mark.parametrize("answer", [b"o\1\0\0", b"o\1\0\0\0", b"o\1\0\0\0l\0"])
def test_results_that_have_begun_must_go_on(deaf, answer):
    deaf.transport.patience = 0.05
    os.write(deaf.inside, answer)
    with pytest.raises(RuntimeError, match=SILENT.format("a program's results")):
        deaf.transport.receive_results()


def test_results_of_a_program_are_waited_for(deaf):
    deaf.transport.patience, deaf.transport.program_patience = 0.01, 0.3
    start = time.monotonic()
    with pytest.raises(RuntimeError, match=SILENT.format("a program's results")):
        deaf.transport.receive_results()
    assert time.monotonic() - start >= 0.3


def test_patience_begins_when_all_bytes_are_sent(deaf):
    """At 1200 baud 43 bytes take 0.36 s."""
    line = deaf.transport
    line.baud, line.patience = 1200, 0.01
    start = time.monotonic()
    line.send(np.zeros(10, np.uint32))
    with pytest.raises(RuntimeError, match=SILENT.format("a packet")):
        line.receive()
    assert time.monotonic() - start >= 0.35


def test_array_that_loses_a_byte_of_an_answer_ends_the_run_soon(deaf):
    deaf.transport.patience = 0.05
    array = SerialArray(ArrayConfig(rows=4, cols=4), deaf.transport)
    os.write(deaf.inside, b"o\0\0\0\0" * 4 + b"o\0\0\0\0l\0\0\0")
    with pytest.raises(RuntimeError, match=SILENT.format("a packet")):
        array.forward(np.zeros((1, 4), int))


@pytest.mark.parametrize("baud", [0, 299, 12_000_001, 3_000_000_000])
def test_rate_that_no_line_has_is_refused(baud):
    with pytest.raises(ValueError, match=rf"^baud must be in 300 to 12000000, not {baud}$"):
        SerialTransport("/dev/null", baud)

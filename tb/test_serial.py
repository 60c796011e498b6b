"""The accelerator behind its serial line, by the driver that a board has, against the twin."""

import os
import select
import tty

import numpy as np
import pytest

from golden import spec
from golden.accel.compiler import Plan, Settings, sized
from golden.accel.driver import AcceleratorDriver, discover
from golden.accel.lockstep import LockstepAccelerator
from golden.accel.network import ChipNetwork
from golden.accel.twin import GoldenAccelerator
from golden.config import ArrayConfig
from golden.ptable import tanh_table
from golden.registers import by_name
from golden.spec import Block
from sim.uart import SerialBoard
from spintrit.serial_port import LONGEST_PACKET, SerialTransport

BLOCKS = [*spec.parse("5FC"), Block(3)]
SHAPE, BATCH = (6,), 3
CONFIG = sized(BLOCKS, SHAPE, ArrayConfig(rows=4, code_bits=2, draw_bits=8), 2, BATCH)


@pytest.fixture(scope="module")
def board():
    with SerialBoard(CONFIG) as board:
        yield board


@pytest.fixture
def line(board):
    transport = SerialTransport(board.port)
    yield transport
    transport.close()


def test_training_step_over_the_line_equals_the_twin(line):
    assert discover(line) == CONFIG
    block = LockstepAccelerator(GoldenAccelerator(CONFIG), AcceleratorDriver(CONFIG, line))
    plan = Plan(BLOCKS, SHAPE, CONFIG, BATCH, Settings())
    network = ChipNetwork(block, plan, tanh_table(CONFIG.array), 3)
    rng = np.random.default_rng(2)
    network.initialise(rng, 0.5)
    u, labels = rng.integers(-1, 2, (BATCH, *SHAPE)), rng.integers(0, 3, BATCH)
    step = network.train_step(u, labels, None, 0.4, None)
    assert step.switched
    network.predict(u)
    block.verify()
    assert block.compared > 500


def test_refused_register_is_named_and_the_line_goes_on(line):
    with pytest.raises(RuntimeError, match=r"refused the write to register 0x00$"):
        line.write_register(0, 1)
    with pytest.raises(RuntimeError, match=r"refused the read of register 0xfc$"):
        line.read_register(0xFC)
    batch = by_name()["BATCH"].address
    line.write_register(batch, 7)
    assert line.read_register(batch) == 7
    line.write_register(by_name()["CONTROL"].address, 4)  # clears the fault
    assert not line.read_register(by_name()["STATUS"].address)


@pytest.mark.parametrize("length", [0, LONGEST_PACKET + 1])
def test_packet_that_no_command_can_hold_is_refused(line, length):
    with pytest.raises(
        ValueError, match=rf"^a packet on a serial line .* 65535 words, not {length}$"
    ):
        line.send(np.zeros(length, np.uint32))
    assert line.read_register(0) == 0x53505254


def test_silence_tells_what_was_waited_for(line):
    line.program_patience = 0.05
    with pytest.raises(RuntimeError, match=r"gave no answer while a packet was waited for$"):
        line.receive()


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

"""The accelerator behind its serial line, by the driver that a board has, against the twin."""

import numpy as np
import pytest

from golden.accel.compiler import Plan, Settings, sized
from golden.accel.driver import AcceleratorDriver, discover
from golden.accel.lockstep import LockstepAccelerator
from golden.accel.network import ChipNetwork
from golden.accel.twin import GoldenAccelerator
from golden.config import ArrayConfig
from golden.network import notation
from golden.network.notation import Block
from golden.pulse.table import tanh_table
from golden.registers import by_name
from sim.uart import SerialBoard
from spintrit.board.port import LONGEST_PACKET, SerialTransport
from tb.test_boards import ACCELERATOR

BLOCKS = [*notation.parse("5FC"), Block(3)]
SHAPE, BATCH = (6,), 3
CONFIG = sized(BLOCKS, SHAPE, ArrayConfig(rows=4, code_bits=2, draw_bits=8), 2, BATCH)


@pytest.fixture(scope="module")
def board():
    # The accelerator of tb/test_boards.py, which is compiled once for both.
    with SerialBoard(ACCELERATOR.config(), ACCELERATOR.divisor()) as board:
        yield board


@pytest.fixture
def line(board):
    transport = SerialTransport(board.port)
    yield transport
    transport.close()


@pytest.mark.full  # tb/test_boards.py has such a step on another configuration
def test_training_step_over_the_line_equals_the_twin():
    with SerialBoard(CONFIG) as board:
        line = SerialTransport(board.port)
        training_step(line)
        line.close()


def training_step(line):
    assert discover(line) == CONFIG
    block = LockstepAccelerator(GoldenAccelerator(CONFIG), AcceleratorDriver(CONFIG, line))
    plan = Plan(BLOCKS, SHAPE, CONFIG, BATCH, Settings())
    network = ChipNetwork(block, plan, tanh_table(CONFIG.array), 3)
    rng = np.random.default_rng(2)
    network.initialise(rng, 0.5)
    u, labels = rng.integers(-1, 2, (BATCH, *SHAPE)), rng.integers(0, 3, BATCH)
    step = network.train_step(u, labels, 0.4)
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

# amaranth: UnusedElaboratable=no
"""The whole accelerator: what a driver says to the golden one, said to the hardware, word for
word."""

import numpy as np
import pytest
from accel_line import CONFIG, FRAME, play
from accel_server import Server

from golden.accel.compiler import Plan, Settings, sized
from golden.accel.driver import AcceleratorDriver
from golden.accel.interface import Space
from golden.accel.network import ChipNetwork
from golden.accel.program import assemble
from golden.accel.transport import Transport
from golden.accel.twin import GoldenAccelerator
from golden.array.frames import Op
from golden.config import ArrayConfig
from golden.network import notation
from golden.network.notation import Block
from golden.pulse.table import tanh_table
from hdl.accel.accelerator_top import Accelerator


class Recorder(Transport):
    """Notes what is said to a server and what it answers."""

    def __init__(self, server):
        self.server, self.said = server, []

    def write_register(self, address, value):
        self.server.write_register(address, value)
        self.said.append(("write", address, value))

    def read_register(self, address):
        self.said.append(("read", address, self.server.read_register(address)))
        return self.said[-1][2]

    def send(self, words):
        self.server.send(words)
        self.said.append(("send", words.tolist()))

    def receive(self):
        answer = self.server.receive()
        self.said.append(("receive", answer.tolist()))
        return answer


def plain(answer):
    """A frame's answer without the cells switched, where its command switches none."""
    *words, low, high = answer if answer[0] & 0xFF == FRAME else [*answer, 0, 0]
    counts = low >> 8 & 0xF in (Op.UPDATE, Op.AGE)
    return [*words, low, high] if counts else [*words, low & 0xFFFF]


async def replay(line, said):
    for number, (what, first, *rest) in enumerate(said):
        if what == "write":
            await line.write(first, *rest)
        elif what == "read":
            assert (number, hex(first), await line.read(first)) == (number, hex(first), *rest)
        elif what == "send":
            await line.send(first)
        else:
            heard = plain(await line.receive())
            assert list(map(hex, heard)) == list(map(hex, plain(first))), f"answer {number}"


def everything(chip):
    """Read all state."""
    for space in Space:
        if space not in (Space.GENERATORS, Space.PROGRAM):
            chip.read(space)
    chip.generators()
    for number in range(chip.config.tiles):
        chip.tile(number).read()
        chip.tile(number).generators()
        chip.tile(number).activity()
    chip.counts()


# Network, input, classes, tiles, batches, settings.
NETWORKS = {
    "dense": ("3FC", (3,), 3, 1, (3, 2), {"blind": True}),
    "images": ("3C2p1-MP2", (2, 3, 2), 2, 2, (3,), {"dead_zone": 0.5}),
}


@pytest.mark.parametrize("case", NETWORKS)
def test_a_training_step_is_the_golden_ones(case):
    """Everything that a driver does: cells, table, programs; memories and counters after."""
    network, shape, classes, tiles, sizes, settings = NETWORKS[case]
    blocks = [*notation.parse(network), Block(classes)]
    array = ArrayConfig(rows=2, code_bits=2, draw_bits=8)
    config = sized(blocks, shape, array, tiles, 3)
    plan = Plan(blocks, shape, config, 3, Settings(**settings))
    recorder = Recorder(Server(GoldenAccelerator(config)))
    chip = AcceleratorDriver(config, recorder)
    net = ChipNetwork(chip, plan, tanh_table(config.array), 1)
    net.initialise(np.random.default_rng(1), 0.5)
    rng = np.random.default_rng(2)
    for size in sizes:
        u, labels = rng.integers(-1, 2, (size, *shape)), rng.integers(0, classes, size)
        assert net.train_step(u, labels, 1.0).switched
    net.predict(u[:1])
    everything(chip)

    async def test(line):
        await replay(line, recorder.said)

    play(config, test)


def test_stalls_change_nothing():
    recorder = Recorder(Server(GoldenAccelerator(CONFIG)))
    chip, rng = AcceleratorDriver(CONFIG, recorder), np.random.default_rng(5)
    for space in Space:
        if space not in (Space.RESULTS, Space.GENERATORS):
            words, shape, low, high = chip.layout(space)
            values = rng.integers(low, high + 1, (words, *shape))
            if space is Space.THRESHOLDS:
                values[..., 2] &= 1
                values[..., 3] >>= 8
            chip.write(space, values[: words // 2 + 1], words - words // 2 - 1)
            chip.read(space, words // 2)
    chip.seed(3, 5)
    chip.tile(1).program(rng.integers(0, 2, (3, 4, 2)), 1)
    chip.tile(1).forward(rng.integers(-1, 2, (2, 4)))
    chip.tile(0).backward(rng.integers(-9, 9, (2, 4)))
    chip.write(Space.PROGRAM, assemble([]))
    chip.run(0, 2)
    everything(chip)

    async def test(line):
        await replay(line, recorder.said)

    play(CONFIG, test, stalls=0.4)


def test_cells_switched_by_a_program_are_not_the_next_frames():
    """UPDATE reports its own, and a training step has been before."""
    blocks = [Block(2)]
    config = sized(blocks, (3,), ArrayConfig(rows=2, code_bits=2, draw_bits=8), 1, 2)
    plan = Plan(blocks, (3,), config, 2, Settings())
    recorder = Recorder(Server(GoldenAccelerator(config)))
    net = ChipNetwork(AcceleratorDriver(config, recorder), plan, tanh_table(config.array), 1)
    u, labels = np.array([[1, -1, 0], [0, 1, 1]]), np.array([0, 1])
    assert net.train_step(u, labels, 1.0).switched
    none = np.zeros((1, 2), int)
    assert net.bank.arrays[0].update(none, none) == 0

    async def test(line):
        await replay(line, recorder.said)

    play(config, test)


@pytest.mark.parametrize("config", [None, ArrayConfig()])
def test_config_must_be_one(config):
    with pytest.raises(TypeError, match=r"^config must be an AcceleratorConfig, not "):
        Accelerator(config)

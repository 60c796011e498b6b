"""Driver and twin of the accelerator behind its AXI ports; runs inside the simulator."""

import logging

import cocotb
import numpy as np
from cocotb.clock import Clock
from cocotb.task import resume
from cocotb.triggers import RisingEdge, SimTimeoutError, with_timeout
from cocotbext.axi import (
    AxiLiteBus,
    AxiLiteMaster,
    AxiResp,
    AxiStreamBus,
    AxiStreamFrame,
    AxiStreamSink,
    AxiStreamSource,
)

from golden.accel.compiler import Plan, Settings, sized
from golden.accel.driver import AcceleratorDriver
from golden.accel.interface import Counts, Space
from golden.accel.lockstep import LockstepAccelerator
from golden.accel.network import ChipNetwork
from golden.accel.packets import HEADER
from golden.accel.transport import Transport
from golden.accel.twin import GoldenAccelerator
from golden.array import frames
from golden.config import ArrayConfig
from golden.network import notation
from golden.network.notation import Block
from golden.pulse.table import tanh_table
from golden.registers import Fault, by_name

PERIOD_NS = 10
BLOCKS = [*notation.parse("5FC"), Block(3)]
SHAPE, BATCH, SEED = (6,), 4, 3
ARRAY = ArrayConfig(rows=4, code_bits=2, draw_bits=8, counters=False)
CONFIG = sized(BLOCKS, SHAPE, ARRAY, 2, BATCH)
WRITABLE = [space for space in Space if space not in (Space.RESULTS, Space.GENERATORS)]
_PATIENCE_NS = 20_000 * PERIOD_NS
_DONE, _FAULT = 1, 2  # flags of IRQ_ENABLE and IRQ_PENDING


class AxiTransport(Transport):
    """The ports of the design for synchronous code (see ``cocotb.task.bridge``)."""

    def __init__(self, dut, rng: np.random.Generator, *, stalled: bool):
        self.dut, self._rng, self._stalled = dut, rng, stalled
        logging.getLogger(f"cocotb.{dut._name}").setLevel("WARNING")
        self.registers = AxiLiteMaster(AxiLiteBus.from_prefix(dut, "s_axil"), dut.clk, dut.rst)
        self.source = AxiStreamSource(AxiStreamBus.from_prefix(dut, "s_axis"), dut.clk, dut.rst)
        self.sink = AxiStreamSink(AxiStreamBus.from_prefix(dut, "m_axis"), dut.clk, dut.rst)
        write, read = self.registers.write_if, self.registers.read_if
        channels = (write.aw_channel, write.w_channel, write.b_channel, read.ar_channel,
                    read.r_channel, self.source, self.sink)  # fmt: skip
        for part in (*channels, write, read):
            part.log.setLevel("ERROR")
        if stalled:
            for channel in channels:
                channel.set_pause_generator(self._pauses(rng.spawn(1)[0]))

    @staticmethod
    def _pauses(rng):
        """Bursts of random density."""
        while True:
            share = rng.choice([0.0, 0.3, 0.7, 0.95])
            yield from (rng.random(rng.integers(5, 30)) < share).tolist()

    def write_register(self, address: int, value: int) -> None:
        answer = self._wait(self.registers.write(address, value.to_bytes(4, "little")))
        self._check(answer.resp, address)

    def read_register(self, address: int) -> int:
        answer = self._wait(self.registers.read(address, 4))
        self._check(answer.resp, address)
        return int.from_bytes(answer.data, "little")

    @staticmethod
    def _check(response, address):
        if response != AxiResp.OKAY:
            raise RuntimeError(f"refused: register {address:#04x}")

    def queue(self, words) -> None:
        """Send a packet without waiting."""
        self.source.send_nowait(AxiStreamFrame(np.array(words, "<u4").tobytes()))

    def send(self, words: np.ndarray) -> None:
        self.queue(words)
        self._wait(self.source.wait())

    def receive(self) -> np.ndarray:
        return np.frombuffer(bytes(self._wait(self.sink.recv()).tdata), "<u4")

    def hold_results(self, held: bool) -> None:
        """Stop accepting words, or continue."""

        async def hold():
            self.sink.clear_pause_generator()
            self.sink.pause = held
            if self._stalled and not held:
                self.sink.set_pause_generator(self._pauses(self._rng.spawn(1)[0]))

        resume(hold)()

    def wait(self, cycles: int) -> None:
        """Wait for some clock cycles."""

        async def pass_by():
            for _ in range(cycles):
                await RisingEdge(self.dut.clk)

        resume(pass_by)()

    def set(self, signal, value: int) -> None:
        """Drive an input from the next clock edge on."""

        async def drive():
            signal.value = value
            await RisingEdge(self.dut.clk)

        resume(drive)()

    @staticmethod
    def _wait(awaitable):
        async def until():
            try:
                return await with_timeout(awaitable, _PATIENCE_NS, "ns")
            except SimTimeoutError:
                raise RuntimeError("the accelerator hangs") from None

        return resume(until)()


class Bench:
    """An accelerator and its twin in lock step, with a network on both."""

    def __init__(self, dut, *, stalled: bool, stream: int):
        self.dut = dut
        self.rng = np.random.default_rng([cocotb.RANDOM_SEED, stream])
        self.port = AxiTransport(dut, self.rng, stalled=stalled)
        self.config = CONFIG
        self.plan = Plan(BLOCKS, SHAPE, CONFIG, BATCH, Settings())

    @staticmethod
    async def clock(dut) -> None:
        """Clock and the first reset."""
        Clock(dut.clk, PERIOD_NS, unit="ns").start()
        dut.rst.value = 1
        for _ in range(3):
            await RisingEdge(dut.clk)
        dut.rst.value = 0

    def prepare(self) -> None:
        """Give every memory and cell a value: their values at power-up are undefined."""
        self.driver = AcceleratorDriver(CONFIG, self.port)
        self.twin = GoldenAccelerator(CONFIG)
        self.block = LockstepAccelerator(self.twin, self.driver)
        for space in WRITABLE:
            words, shape, low, high = self.block.layout(space)
            if space is Space.THRESHOLDS:
                low, high = 0, 1
            values = self.rng.integers(max(low, -128), min(high, 127) + 1, (words, *shape))
            self.block.write(space, values)
        for tile in self._tiles():
            tile.program(self.rng.integers(0, 2, tile.shape))
        self.network = ChipNetwork(self.block, self.plan, tanh_table(ARRAY), SEED)
        self.network.initialise(self.rng, 0.5)
        self.write("IRQ_ENABLE", _DONE | _FAULT)

    def _tiles(self):
        return [self.block.tile(n) for n in range(CONFIG.tiles)]

    def read(self, register: str) -> int:
        """Read a register."""
        return self.port.read_register(by_name()[register].address)

    def write(self, register: str, value: int) -> None:
        """A register."""
        self.port.write_register(by_name()[register].address, value)

    def control(self, *names: str) -> None:
        """Bits of CONTROL."""
        fields = {f.name: f.mask for f in by_name()["CONTROL"].fields}
        self.write("CONTROL", sum(fields[name] for name in names))

    def start(self, *, train: bool = False, at: int | None = None) -> np.ndarray:
        """Start a program on random samples and wait for nothing; returns these."""
        u = self.rng.integers(-1, 2, (BATCH, *SHAPE))
        if at is None:
            at = 0 if train else self.plan.infer_at
            self.network._load(at, (BATCH, 0.4) if train else (BATCH,))
            self.block.write(Space.ACTIVATIONS, self.plan.inputs(u))
        self.write("PC", at)
        self.write("BATCH", BATCH)
        self.write("IRQ_PENDING", _DONE | _FAULT)
        self.control("start")
        return u

    def results(self, *, at: int) -> None:
        """Check that the answer of a program is the twin's."""
        answer = self.port.receive()
        assert int(answer[0]) == frames.control(HEADER, op=4), hex(int(answer[0]))
        twin = self.twin.run(at, BATCH)
        assert (answer[1:] & 0xFFFF == twin[:, 0]).all()
        assert (answer[1:] >> 16 == twin[:, 1].astype(np.uint16)).all()

    def refused(self, op: int, space: int, fault: Fault) -> None:
        """Check an answer that is only a first word with a fault."""
        answer = self.port.receive().tolist()
        assert answer == [frames.control(HEADER, op=op, space=space, fault=fault)], answer

    def expect(self, cause: Fault, what: int | None = None, *, done: bool = False) -> None:
        """Check the status and the interrupt, and that both go away when they are cleared."""
        for _ in range(100):  # what comes late by the other channel
            if self.read("STATUS") >> 8 & 15 == cause:
                break
        status, pending = self.read("STATUS"), self.read("IRQ_PENDING")
        assert status >> 8 & 15 == cause, f"status {status:#010x}, not {cause!r}"
        assert status >> 1 & 1 == bool(cause), f"status {status:#010x}"
        assert not status & 1, "busy"
        assert what is None or status >> 16 == what, f"status {status:#010x}, not at {what:#x}"
        flags = _DONE * done | _FAULT * bool(cause)
        assert pending == flags, f"pending {pending}, not {flags}"
        assert int(self.dut.irq.value) == bool(flags)
        for enabled in range(4):
            self.write("IRQ_ENABLE", enabled)
            assert int(self.dut.irq.value) == bool(enabled & flags), f"enabled {enabled}"
        self.control("clear")
        self.write("IRQ_PENDING", _DONE)
        assert int(self.dut.irq.value) == bool(flags & _FAULT)
        self.write("IRQ_PENDING", _FAULT)
        assert not int(self.dut.irq.value)
        assert self.read("STATUS") == 0
        assert self.read("IRQ_PENDING") == 0

    def reset(self, cycles: int = 2) -> None:
        """Reset both; cells, tables and memories stay."""
        self.port.set(self.dut.rst, 1)
        self.port.wait(cycles)
        self.port.set(self.dut.rst, 0)
        self.port.sink.clear()
        assert self.read("STATUS") == 0
        assert self.read("IRQ_ENABLE") == 0
        self.write("IRQ_ENABLE", _DONE | _FAULT)
        for n, tile in enumerate(self._tiles()):
            tile.seed(SEED, n * 8)
        self.block.seed(SEED, 16)

    def intact(self, spaces=WRITABLE) -> None:
        """Memories, generators and cells are the twin's, and so is a training step from here on;
        nothing else comes out."""
        self.control("reset_counters")
        self.twin._counts = Counts()
        for space in spaces:
            self.block.read(space)
        for tile in self._tiles():
            tile.verify()
        self.block.generators()
        if len(spaces) < len(WRITABLE):  # what a program has left unfinished
            for space in WRITABLE:
                if space not in spaces:
                    self.driver.write(space, self.twin.read(space))
        self.train()
        for space in WRITABLE:
            self.block.read(space)
        for tile in self._tiles():
            tile.verify()
        self.block.generators()
        self.port.wait(50)
        assert self.port.sink.empty(), "a packet that nobody waited for"
        self.expect(Fault.NONE, done=True)

    def train(self, size: int = BATCH) -> None:
        """A training step on both: results, losses and all counters, cycles too."""
        u, labels = self.rng.integers(-1, 2, (size, *SHAPE)), self.rng.integers(0, 3, size)
        self.network.train_step(u, labels, 0.4)
        self.block.read(Space.RESULTS, 0, size)

"""The driver of an accelerator behind a transport: simulated RTL, a board's serial line."""

import numpy as np

from golden import checks
from golden.accel import packets
from golden.accel.config import AcceleratorConfig
from golden.accel.interface import Accelerator, Counts, ProgramError, Space
from golden.accel.packets import HEADER, PacketOp
from golden.accel.transport import Transport
from golden.array import frames
from golden.array.driver import FramedArray
from golden.array.frames import Op
from golden.array.interface import SynapseArray
from golden.config import ArrayConfig
from golden.registers import FAULT_TEXTS, FIXED, PARAMETERS, Fault, by_name

_REGISTERS = by_name()
_LONGEST = 0xFFFF - 2  # most 32-bit words of a WRITE, without its header


def _control(transport: Transport, **bits: int) -> None:
    """Write 1 to bits of CONTROL."""
    register = _REGISTERS["CONTROL"]
    value = sum(bits.get(field.name, 0) << field.low for field in register.fields)
    transport.write_register(register.address, value)


def _answer(transport: Transport, op: PacketOp) -> np.ndarray:
    """The answer to a packet; results that another host did not receive are skipped."""
    receive = transport.receive_results if op is PacketOp.RUN else transport.receive
    while True:
        words = receive()
        found = frames.field(HEADER, "op", int(words[0]))
        if found == op:
            return words
        if found != PacketOp.RUN:
            raise RuntimeError(f"the accelerator answers operation {found}, not {op.name}")


class TileArray(FramedArray):
    """A tile of an accelerator, driven by FRAME packets; its cycles follow the formula."""

    def __init__(self, config: ArrayConfig, transport: Transport, number: int):
        super().__init__(config)
        self._transport, self._number = transport, number

    def command(self, frame: np.ndarray, results: int) -> tuple[np.ndarray, int]:
        self._transport.send(packets.frame(self._number, frame))
        answer = _answer(self._transport, PacketOp.FRAME)
        parts = -(-frames.result_bits(self.config) // 32)
        fault = frames.field(HEADER, "fault", int(answer[0]))
        if fault:
            _control(self._transport, clear=1)
            raise RuntimeError(f"tile {self._number}: {FAULT_TEXTS[Fault(fault)]}")
        count, rest = divmod(len(answer) - 1, parts)
        if rest or not 1 <= count <= results + 1:
            raise RuntimeError(f"tile {self._number} answered with {len(answer)} words")
        words = answer[1:].reshape(count, parts)
        trailer = int(words[-1, 0]) | int(words[-1, 1]) << 32
        if frames.field(frames.TRAILER, "cause", trailer):
            _control(self._transport, clear=1)
        self._count_cycles(frame, words)
        return words[:-1], trailer

    def _count_cycles(self, frame: np.ndarray, words: np.ndarray) -> None:
        header = int(frame[0, 0]) | int(frame[0, 1]) << 32
        op = Op(frames.field(frames.HEADER, "op", header))
        count = frames.field(frames.HEADER, "count", header)
        data = len(frame) - 1
        batch = data // count if op is Op.BACKWARD else data
        self.counters.cycles += frames.cycles(op, self.config, count, batch)


class AcceleratorDriver(Accelerator):
    """An accelerator at the other end of a transport.

    Parameters
    ----------
    config : AcceleratorConfig
    transport : Transport

    Raises
    ------
    ValueError
        If there is no accelerator, or one of another configuration; the message names the register.
    RuntimeError
        If it does not answer.
    """

    def __init__(self, config: AcceleratorConfig, transport: Transport):
        super().__init__(config)
        self.transport = transport
        for name, value in constants(config).items():
            register, field = name.split(".")
            found = self._field(register, field)
            if found != value:
                raise ValueError(f"{register}.{field} must be {value}, not {found}")
        if self._field("STATUS", "busy"):  # another host has started a program
            _control(self.transport, stop=1)
            self.transport.receive_results()
        _control(self.transport, clear=1, reset_counters=1)
        self._tiles = [TileArray(config.array, transport, n) for n in range(config.tiles)]

    def tile(self, number: int) -> SynapseArray:
        return self._tiles[checks.integer("number", number, 0, self.config.tiles - 1)]

    def counts(self) -> Counts:
        values = {}
        for name in Counts.__dataclass_fields__:
            low = self._read_register(name.upper())
            values[name] = low | self._read_register(f"{name.upper()}_HIGH") << 32
        return Counts(**values)

    def status(self) -> tuple[Fault, int]:
        """The first fault since the last clear, and its place."""
        return Fault(self._field("STATUS", "cause")), self._field("STATUS", "what")

    def _read_register(self, name: str) -> int:
        return self.transport.read_register(_REGISTERS[name].address)

    def _field(self, register: str, name: str) -> int:
        (field,) = (f for f in _REGISTERS[register].fields if f.name == name)
        return (self._read_register(register) & field.mask) >> field.low

    def _refused(self) -> None:
        """Raise RuntimeError if there is a fault, and clear it."""
        fault, what = self.status()
        if fault:
            _control(self.transport, clear=1)
            raise RuntimeError(f"the accelerator refused {what:#06x}: {FAULT_TEXTS[fault]}")

    def _write(self, space: Space, values: np.ndarray, first: int) -> None:
        # The length must fit every transport and the packet's count.
        most = _LONGEST // -(-packets.space_words(self.config)[space][1] // 32)
        for start in range(0, len(values), most):
            part = values[start : start + most]
            self.transport.send(packets.write(space, first + start, part, self.config))
        self._refused()

    def _read(self, space: Space, first: int, count: int) -> np.ndarray:
        self.transport.send(packets.read(space, first, count))
        answer = _answer(self.transport, PacketOp.READ)
        bits = packets.space_words(self.config)[space][1]
        if len(answer) != 1 + count * -(-bits // 32):
            self._refused()
            raise RuntimeError(f"the accelerator answered with {len(answer)} words")
        return packets.from_words(space, answer[1:].reshape(count, -1), self.config)

    def _seed(self, states: np.ndarray) -> None:
        self._write(Space.GENERATORS, states, 0)

    def _generators(self) -> np.ndarray:
        return self._read(Space.GENERATORS, 0, self.config.tiles)

    def _run(self, pc: int, batch: int) -> np.ndarray:
        for name, value in (("PC", pc), ("BATCH", batch)):
            self.transport.write_register(_REGISTERS[name].address, value)
        _control(self.transport, start=1, clear=1)
        answer = _answer(self.transport, PacketOp.RUN)
        fault = Fault(frames.field(HEADER, "fault", int(answer[0])))
        if fault:
            _, where = self.status()
            _control(self.transport, clear=1)
            raise ProgramError(where, FAULT_TEXTS[fault])
        return packets.results_of(answer[1:])


def discover(transport: Transport) -> AcceleratorConfig:
    """The configuration of the accelerator at the other end.

    Raises
    ------
    ValueError
        If it is no spintrit accelerator, or its interface version is unknown.
    RuntimeError
        If it does not answer.
    """
    for name, value in FIXED.items():
        register = name.removesuffix(".value")
        found = transport.read_register(_REGISTERS[register].address)
        if found != value:
            raise ValueError(f"{register} must be {value:#010x}, not {found:#010x}")
    read: dict[str, int] = {}
    for register in PARAMETERS:
        word = transport.read_register(_REGISTERS[register].address)
        for field in _REGISTERS[register].fields:
            read[field.name] = (word & field.mask) >> field.low
    array = ArrayConfig(
        synapse="ternary" if read.pop("cells") == 2 else "binary",
        counters=bool(read.pop("counters")),
        **{
            name: read.pop(name)
            for name in ("rows", "cols", "code_bits", "draw_bits", "error_bits", "variant_bits")
        },
    )
    return AcceleratorConfig(array=array, **read)


def constants(config: AcceleratorConfig) -> dict[str, int]:
    """Values of an accelerator's constant registers, by "REGISTER.field"."""
    array = config.array
    return {
        "SHAPE.rows": array.rows,
        "SHAPE.cols": array.cols,
        "LAYOUT.tiles": config.tiles,
        "LAYOUT.cells": array.cells,
        "LAYOUT.code_bits": array.code_bits,
        "LAYOUT.draw_bits": array.draw_bits,
        "LAYOUT.error_bits": array.error_bits,
        "MEMORY.activation_words": config.activation_words,
        "MEMORY.error_words": config.error_words,
        "MEMORY2.positions": config.positions,
        "MEMORY2.program_words": config.program_words,
        "MEMORY3.threshold_words": config.threshold_words,
        "MEMORY3.variant_bits": array.variant_bits,
        "MEMORY3.counters": int(array.counters),
    }

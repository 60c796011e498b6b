"""The golden accelerator behind registers and packets: a device for drivers, without hardware."""

from collections import deque

import numpy as np

from golden.accel import packets
from golden.accel.driver import constants
from golden.accel.interface import ProgramError, Space
from golden.accel.packets import HEADER, RANGE, PacketOp
from golden.accel.transport import Transport
from golden.accel.twin import GoldenAccelerator
from golden.array import frames
from golden.array.controller import GoldenController
from golden.registers import COUNTERS, FIXED, REGISTERS, Fault, Register, by_name

_REGISTERS = by_name()
_ANSWERED = (PacketOp.READ, PacketOp.FRAME)


class AcceleratorController(Transport):
    """The golden twin of an accelerator's registers and packets.

    A program ends within the write that starts it. Therefore no packet is refused as ``BUSY``, and
    no running program can be stopped.

    Parameters
    ----------
    chip : GoldenAccelerator
        The accelerator. Its memories, tiles and counts may be read.

    Attributes
    ----------
    fault : Fault
        The first fault since it was last cleared.
    what : int
        The low half of the packet's first word, or the program word, of this fault.
    answers : deque of list of int
        Answers that the host has not received yet.

    References
    ----------
    Hardware twins: ``hdl.accel.packets.Packets``, ``hdl.bus.registers.RegisterFile``.
    """

    def __init__(self, chip: GoldenAccelerator):
        self.chip = chip
        self.fault, self.what = Fault.NONE, 0
        config = chip.config
        tiles = (chip.tile(number) for number in range(config.tiles))
        self._tiles = [GoldenController(config.array, tile) for tile in tiles]
        self._constants = FIXED | constants(config)
        self._written = dict.fromkeys(("PC", "BATCH", "IRQ_ENABLE", "IRQ_PENDING"), 0)
        self._before = chip.counts()
        self._high = 0
        self.answers: deque[list[int]] = deque()

    # --- registers ---

    def write_register(self, address: int, value: int) -> None:
        register = self._register(address)
        if register.access == "ro":
            raise self._refused(address)
        value &= sum(field.mask for field in register.fields)
        if register.access == "rw":
            self._written[register.name] = value
        elif register.access == "w1c":
            self._written[register.name] &= ~value
        else:
            self._act(**{field.name: bool(value & field.mask) for field in register.fields})

    def read_register(self, address: int) -> int:
        register = self._register(address)
        if register.name in self._written:
            return self._written[register.name]
        if register.access == "wo":
            return 0
        if register.name in COUNTERS:
            name = register.name.lower()
            count: int = getattr(self.chip.counts(), name) - getattr(self._before, name)
            self._high = count >> 32 & 0xFFFFFFFF
            return count & 0xFFFFFFFF
        if register.name.removesuffix("_HIGH") in COUNTERS:
            return self._high
        values = self._constants
        if register.name == "STATUS":
            status = {"fault": bool(self.fault), "cause": self.fault, "what": self.what}
            values = {f"STATUS.{name}": int(value) for name, value in status.items()}
        name = register.name
        return sum(values.get(f"{name}.{f.name}", 0) << f.low for f in register.fields)

    def _register(self, address: int) -> Register:
        """The register at a byte address; the lowest two bits are ignored."""
        for register in REGISTERS:
            if register.address >> 2 == address >> 2:
                return register
        raise self._refused(address)

    def _refused(self, address: int) -> RuntimeError:
        self.note(Fault.REGISTER, 0)
        return RuntimeError(f"the accelerator refused register {address:#04x}")

    def note(self, fault: Fault, what: int) -> None:
        """Note a fault; the first one stays."""
        if not self.fault:
            self.fault, self.what = fault, what
        self._pend("fault")

    def _pend(self, name: str) -> None:
        (field,) = (f for f in _REGISTERS["IRQ_PENDING"].fields if f.name == name)
        self._written["IRQ_PENDING"] |= field.mask

    def _act(self, *, start: bool, stop: bool, clear: bool, reset_counters: bool) -> None:
        """Execute bits of CONTROL."""
        if clear:
            self.fault, self.what = Fault.NONE, 0
        if reset_counters:
            self._before = self.chip.counts()
        if start:
            self._run(Fault.STOPPED if stop else Fault.NONE)

    def _run(self, fault: Fault) -> None:
        """Run the program, unless there is a ``fault`` already; its answer is the next one."""
        where, results = 0, np.zeros((0, 2), np.int64)
        batch, pc = self._written["BATCH"], self._written["PC"]
        if not fault and not 1 <= batch <= self.chip.config.positions:
            fault = Fault.PROGRAM
        if not fault and pc >= self.chip.config.program_words:
            fault, where = Fault.PROGRAM, pc
        if not fault:
            try:
                results = self.chip.run(pc, batch)
            except ProgramError as error:
                fault, where = Fault.PROGRAM, error.pc
        if fault:
            self.note(fault, where)
        self._pend("done")
        words = packets.to_words(Space.RESULTS, results, self.chip.config)
        self._answer(PacketOp.RUN, 0, fault, words)

    # --- packets ---

    def receive(self) -> np.ndarray:
        if not self.answers:
            raise RuntimeError("the accelerator has no answer")
        return np.array(self.answers.popleft(), np.uint32)

    def send(self, words: np.ndarray) -> None:
        first, *rest = np.asarray(words, np.uint32).tolist()
        op, space = (frames.field(HEADER, name, first) for name in ("op", "space"))
        fault = self._packet_fault(op, space, rest)
        if not fault and op == PacketOp.FRAME:
            self._frame(space, rest)
        elif not fault and op == PacketOp.WRITE:
            fault = self._write(Space(space), rest)
        elif not fault:
            self._read(Space(space), rest[0])
        if fault:
            self.note(fault, first & 0xFFFF)
            if op in _ANSWERED:
                self._answer(op, space, fault)

    def _packet_fault(self, op: int, space: int, rest: list[int]) -> Fault:
        """The fault that is found before execution."""
        config = self.chip.config
        if op not in (PacketOp.WRITE, *_ANSWERED):
            return Fault.PACKET
        if space >= (config.tiles if op == PacketOp.FRAME else len(Space)):
            return Fault.RANGE
        if not rest:
            return Fault.SHORT
        if op == PacketOp.FRAME:
            return Fault.NONE
        first, count = (frames.field(RANGE, name, rest[0]) for name in ("first", "count"))
        if not count or first + count > packets.space_words(config)[Space(space)][0]:
            return Fault.RANGE
        if op == PacketOp.READ:
            return Fault.LONG if rest[1:] else Fault.NONE
        if space == Space.RESULTS:
            return Fault.RANGE
        return Fault.NONE if rest[1:] else Fault.SHORT

    def _answer(
        self, op: int, space: int, fault: Fault = Fault.NONE, words: np.ndarray | None = None
    ) -> None:
        data = [] if words is None else words.ravel().tolist()
        self.answers.append([frames.control(HEADER, op=op, space=space, fault=fault), *data])

    def _write(self, space: Space, rest: list[int]) -> Fault:
        """Write the complete words that were announced. Returns the fault, if any."""
        config, chip = self.chip.config, self.chip
        first, count = (frames.field(RANGE, name, rest[0]) for name in ("first", "count"))
        bits = packets.space_words(config)[space][1]
        size = -(-bits // 32)
        words = np.array(rest[1:], np.uint32)
        whole = words[: min(count, len(words) // size) * size].reshape(-1, size)
        fault = Fault.NONE
        if len(words) != count * size:
            fault = Fault.SHORT if len(words) < count * size else Fault.LONG
        if bits < 32:
            whole = whole & np.uint32((1 << bits) - 1)
        values = packets.from_words(space, whole, config)
        if space is Space.GENERATORS:
            states = chip.generators()
            for number, state in enumerate(values, first):
                if state:
                    states[number] = state
                else:  # zero would never change
                    fault = Fault.RANGE
            chip.set_generators(states)
        elif len(values):
            chip.write(space, values, first)
        return fault

    def _read(self, space: Space, place: int) -> None:
        first, count = (frames.field(RANGE, name, place) for name in ("first", "count"))
        chip = self.chip
        if space is Space.GENERATORS:
            values = chip.generators()[first : first + count]
        else:
            values = chip.read(space, first, count)
        words = packets.to_words(space, values, chip.config)
        self._answer(PacketOp.READ, space, words=words)

    def _frame(self, number: int, parts: list[int]) -> None:
        """Answer a frame for a tile; a word that is cut short is padded with zeros."""
        array = self.chip.config.array
        what = frames.control(HEADER, op=PacketOp.FRAME, space=number)
        width = frames.data_bits(array)
        size = -(-width // 32)
        missing = -len(parts) % size
        if missing:
            self.note(Fault.SHORT, what)
        words = np.array([*parts, *[0] * missing], np.uint32).reshape(-1, size)
        mask = (1 << width) - 1
        frame = [word & mask for word in frames.to_integers(words)]
        answer = self._tiles[number].answer(frame).words
        if frames.field(frames.TRAILER, "cause", answer[-1]):
            self.note(Fault.FRAME, what)
        result = frames.from_integers(answer, frames.result_bits(array))
        self._answer(PacketOp.FRAME, number, words=result)

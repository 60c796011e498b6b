"""The golden controller: the frames of ``golden.array.frames`` on a golden array.

It answers any command frame, sound or malformed, with the words, the error cause and the cycle
count of the hardware. Drivers, benches and tests talk to it where no hardware is at hand.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from golden.array import frames, lfsr
from golden.array.frames import (
    DATALESS_OPS,
    HEADER,
    RANGELESS_OPS,
    TRAILER,
    WORD_OPS,
    Cause,
    Op,
)
from golden.array.golden import GoldenArray
from golden.codes import ILLEGAL, TRIT_BITS, ZERO, decode_trits
from golden.config import ArrayConfig
from golden.pulse.table import TICK_BITS

Words = list[int]


@dataclass(frozen=True)
class Answer:
    """The answer to a frame.

    Attributes
    ----------
    what : str
        The command in words, for messages.
    words : list of int
        Result words, then the trailer.
    fault : Cause
        What is wrong with this frame.
    cause : Cause
        The ``cause`` port next to the trailer: the sticky cause after this frame.
    cycles : int or None
        Clock cycles from header to trailer without stalls; None for a frame with a fault.
    """

    what: str
    words: Words
    fault: Cause
    cause: Cause
    cycles: int | None


@dataclass(frozen=True)
class _Command:
    """A frame taken apart: the fields of its header, and its data words."""

    header: int
    op: int
    first: int
    count: int
    blind: bool
    data: Words


@dataclass
class _Done:
    """The effect of a command: result words, faults in the order in which they are found."""

    results: Words
    faults: list[Cause]
    switched: int = 0


class GoldenController:
    """The golden twin of a controller and its array.

    Parameters
    ----------
    config : ArrayConfig
    array : GoldenArray, optional
        The array to drive, of this configuration; a new one by default.

    Attributes
    ----------
    array : GoldenArray
        Its cells, variants, table, generators and activity may be read.
    cause : Cause
        The sticky cause: the first fault since the last STATUS or reset.
    cycles : int
        Clock cycles of all frames without a fault.

    References
    ----------
    Hardware twins: ``hdl.array.controller.Controller``, ``hdl.array.array_top.ArrayTop``.
    """

    def __init__(self, config: ArrayConfig, array: GoldenArray | None = None):
        self.config = config
        self.array = GoldenArray(config) if array is None else array
        self.cause = Cause.NONE
        self.cycles = 0
        self._execute: dict[Op, Callable[[_Command], _Done]] = {
            Op.STATUS: self._status,
            Op.PROGRAM: self._program,
            Op.READ: self._read,
            Op.FORWARD: self._forward,
            Op.BACKWARD: self._backward,
            Op.UPDATE: self._update,
            Op.LOAD_TABLE: self._load_table,
            Op.SEED: self._seed,
            Op.GENERATORS: self._generators,
            Op.VARIANTS: self._load_variants,
            Op.AGE: self._age,
            Op.COUNTERS: self._counters,
        }

    def reset(self) -> None:
        """Reset: generators at power-up, no activity, no cause; everything else stays."""
        self.array.reset()
        self.cause = Cause.NONE

    def command(self, frame: np.ndarray, results: int) -> tuple[np.ndarray, int]:
        """Answer a frame of a driver; see ``golden.array.driver.FrameTransport``."""
        *words, trailer = self.answer(frames.to_integers(frame)).words
        if len(words) > results:
            raise RuntimeError(
                f"the golden controller answered with {len(words)} results, not at most {results}"
            )
        return frames.from_integers(words, frames.result_bits(self.config)), trailer

    def answer(self, frame: Sequence[int]) -> Answer:
        """Execute a frame.

        Parameters
        ----------
        frame : sequence of int
            The header word, then the data words, each of at most
            ``golden.array.frames.data_bits`` bits.

        Returns
        -------
        Answer

        Raises
        ------
        ValueError
            If ``frame`` is empty, or a word is negative or has too many bits.
        """
        command = self._taken_apart(frame)
        done = _Done([], [self._header_fault(command)])
        if done.faults[0] is Cause.NONE:
            done = self._execute[Op(command.op)](command)
        fault = next((fault for fault in done.faults if fault is not Cause.NONE), Cause.NONE)
        self.cause = reported = self.cause or fault
        if command.op == Op.STATUS and fault is Cause.NONE:
            self.cause = Cause.NONE
        trailer = frames.control(TRAILER, cause=reported, op=command.op, switched=done.switched)
        cycles = self._cycles(command) if fault is Cause.NONE else None
        self.cycles += cycles or 0
        return Answer(_described(command), [*done.results, trailer], fault, self.cause, cycles)

    def _taken_apart(self, frame: Sequence[int]) -> _Command:
        width = frames.data_bits(self.config)
        if not frame:
            raise ValueError(f"frame must have a header word, not {frame!r}")
        for i, word in enumerate(frame):
            if word < 0 or word >> width:
                raise ValueError(f"frame[{i}] must be a word of {width} bits, not {word:#x}")
        header = frame[0] & ((1 << frames.CONTROL_BITS) - 1)
        op, first, count, blind = (
            frames.field(HEADER, name, header) for name in ("op", "first", "count", "blind")
        )
        return _Command(header, op, first, count, bool(blind), list(frame[1:]))

    def _header_fault(self, command: _Command) -> Cause:
        """The fault that the controller finds before the first step."""
        config, op = self.config, command.op
        fields = [HEADER[name] for name in HEADER if name != "blind" or config.cells == 2]
        used = sum(((1 << width) - 1) << low for low, width in fields)
        if op not in frames.known(config) or command.header & ~used:
            return Cause.OPCODE
        if op not in RANGELESS_OPS and not self._in_range(command):
            return Cause.RANGE
        if op in DATALESS_OPS:
            return Cause.LONG if command.data else Cause.NONE
        return Cause.NONE if command.data else Cause.SHORT

    def _in_range(self, command: _Command) -> bool:
        """Whether a header's range lies within the columns, or the rows of the table."""
        config, first, count = self.config, command.first, command.count
        size = frames.table_rows(config) if command.op == Op.LOAD_TABLE else config.cols
        unit = config.columns_per_cycle if command.op in WORD_OPS else 1
        return bool(count) and first + count <= size and not (first % unit or count % unit)

    def _cycles(self, command: _Command) -> int:
        """Clock cycles of a frame without a fault."""
        config, op, batch = self.config, Op(command.op), len(command.data)
        if op is Op.BACKWARD:
            batch = batch * config.columns_per_cycle // command.count
        # A STATUS has no steps, whatever the fields of its header.
        count = 0 if op is Op.STATUS else command.count
        return frames.cycles(op, config, count, max(1, batch))

    def _data(self, command: _Command) -> tuple[np.ndarray, Cause]:
        """The data words that the header announces, as far as there are any; SHORT or LONG."""
        wanted = frames.steps(Op(command.op), self.config, command.count)
        data, late = command.data[:wanted], Cause.NONE
        if len(command.data) != wanted:
            late = Cause.SHORT if len(data) < wanted else Cause.LONG
        return self._packed(data), late

    def _packed(self, data: Words) -> np.ndarray:
        return frames.from_integers(data, frames.data_bits(self.config))

    def _results(self, bits: np.ndarray) -> Words:
        """Result words of bits of shape (n, ...)."""
        return frames.to_integers(frames.to_words(bits, frames.result_bits(self.config)))

    # --- the commands ---

    def _status(self, command: _Command) -> _Done:
        return _Done([], [])

    def _program(self, command: _Command) -> _Done:
        words, late = self._data(command)
        self.array.program(frames.bits_of(self.config, words), command.first)
        return _Done([], [late])

    def _read(self, command: _Command) -> _Done:
        bits = self.array.read(command.first, command.count)
        return _Done(self._results(bits.swapaxes(1, 2)), [])

    def _forward(self, command: _Command) -> _Done:
        config = self.config
        planes = frames.from_words(self._packed(command.data), TRIT_BITS, config.rows)
        codes = planes.swapaxes(1, 2) @ np.array([1, 2])
        illegal = codes == ILLEGAL
        u = decode_trits(np.where(illegal, ZERO, codes))
        sums = self.array.forward(u, command.first, command.count)
        groups = sums.reshape(-1, config.columns_per_cycle)
        faults = [Cause.TRIT] if illegal.any() else []
        return _Done(self._results(frames.to_bits(groups, config.sum_bits)), faults)

    def _backward(self, command: _Command) -> _Done:
        config, data = self.config, command.data
        wanted = frames.steps(Op.BACKWARD, config, command.count)
        whole = len(data) // wanted * wanted
        done = _Done([], [])
        if whole:
            d = self._errors(data[:whole]).reshape(-1, command.count)
            sums = self.array.backward(d, command.first)
            done.results = self._results(frames.to_bits(sums, config.back_bits))
        if data[whole:]:  # a vector without an end gives no sums, but it is counted
            d = self._errors(data[whole:])
            self.array.count_read("backward", d, command.first, d.shape[1])
            done.faults.append(Cause.SHORT)
        return done

    def _errors(self, data: Words) -> np.ndarray:
        """The errors in data words of BACKWARD, of shape (1, errors)."""
        config = self.config
        bits = frames.from_words(self._packed(data), config.columns_per_cycle, config.error_bits)
        return frames.from_bits(bits, signed=True).reshape(1, -1)

    def _update(self, command: _Command) -> _Done:
        config = self.config
        words, late = self._data(command)
        bits = frames.from_words(words, config.rows, frames.pulse_bits(config))
        code = frames.from_bits(bits[..., : config.code_bits], signed=False)
        kappa = frames.from_bits(bits[..., config.code_bits : -1], signed=False)
        sign = np.where(bits[..., -1], 1, -1)
        kept = np.minimum(kappa, config.max_kappa)
        switched = self.array.update(kept * sign, code * sign, command.first, blind=command.blind)
        value = Cause.VALUE if (kappa > kept).any() else Cause.NONE
        return _Done([], [value, late], switched)

    def _load_table(self, command: _Command) -> _Done:
        config, wide = self.config, self.config.draw_bits + 1
        words, late = self._data(command)
        bits = frames.from_words(words, 1, frames.table_bits(config))[:, 0]
        thresholds = frames.from_bits(bits[:, : 2 * wide].reshape(-1, 2, wide), signed=False)
        ticks = frames.from_bits(bits[:, 2 * wide :].reshape(-1, 2, TICK_BITS), signed=False)
        index = np.arange(command.first, command.first + len(bits))
        no_pulse = (index < config.variants * config.codes) & (index % config.codes == 0)
        bad = (thresholds > 1 << config.draw_bits).any(axis=1) | no_pulse & bits.any(axis=1)
        self.array.load_rows(index[~bad], thresholds[~bad], ticks[~bad])
        return _Done([], [Cause.VALUE if bad.any() else Cause.NONE, late])

    def _seed(self, command: _Command) -> _Done:
        config = self.config
        words, late = self._data(command)
        states = self.array.power_up_states()
        onward = lfsr.leap_matrix(config.draw_bits)
        planes = frames.from_words(words, config.cells, config.rows).swapaxes(1, 2)
        for plane in planes.astype(np.uint64):
            states = lfsr.leap(states, onward) ^ plane << np.uint64(lfsr.STATE_BITS - 1)
        self.array.put_generators(states)
        return _Done([], [late])

    def _generators(self, command: _Command) -> _Done:
        draws = self.array.draw(lfsr.STATE_BITS)
        return _Done(self._results((draws & 1).astype(np.uint8).swapaxes(1, 2)), [])

    def _load_variants(self, command: _Command) -> _Done:
        config = self.config
        words, late = self._data(command)
        shape = len(words), config.variant_bits, config.cells, config.rows
        planes = frames.from_words(words, 1, int(np.prod(shape[1:]))).reshape(shape)
        variants = frames.from_bits(planes.transpose(0, 3, 2, 1), signed=False)
        self.array.load_variants(variants, command.first)
        return _Done([], [late])

    def _age(self, command: _Command) -> _Done:
        return _Done([], [], self.array.age_as_loaded(command.first, command.count))

    def _counters(self, command: _Command) -> _Done:
        return _Done(list(self.array.activity().values()), [])


def _described(command: _Command) -> str:
    name = Op(command.op).name if command.op in list(Op) else str(command.op)
    return f"{name} {command.first}+{command.count}, {len(command.data)} data words"

"""What the array answers to any frame, sound or malformed: ``golden.protocol`` on golden cells."""

from dataclasses import dataclass

import numpy as np

from golden import lfsr, protocol
from golden.activity import Activity
from golden.array import GoldenArray
from golden.codes import ILLEGAL, ZERO, cell_weights, decode_trits
from golden.config import ArrayConfig
from golden.protocol import HEADER, KAPPA_BITS, TRAILER, Cause, Op
from golden.ptable import TICK_BITS

Words = list[int]


_DATALESS = (Op.STATUS, Op.READ, Op.GENERATORS, Op.AGE, Op.COUNTERS)
_RANGELESS = (Op.STATUS, Op.SEED, Op.GENERATORS, Op.COUNTERS)
_TAPS = (0, 9, 19, 29)  # written out again, not those of ``golden.lfsr``


@dataclass
class Answer:
    """The answer to a frame.

    ``words``: results and trailer. ``cause``: the cause port next to the trailer. ``cycles``: from
    header to trailer without stalls, of a sound frame.
    """

    what: str
    words: Words
    cause: Cause
    cycles: int | None


def integers(words: np.ndarray) -> Words:
    """Frame words as ``golden.protocol`` packs them, (n, k) uint32, as integers."""
    return [int.from_bytes(word.tobytes(), "little") for word in words.astype("<u4")]


def packed(words: Words, width: int) -> np.ndarray:
    """The reverse, for words of ``width`` bits."""
    size = -(-width // 32) * 4
    octets = b"".join(word.to_bytes(size, "little") for word in words)
    return np.frombuffer(octets, "<u4").reshape(len(words), size // 4)


def stepped(states: np.ndarray, count: int) -> np.ndarray:
    """Generator states ``count`` single steps on, bit by bit."""
    for _ in range(count):
        new = np.bitwise_xor.reduce([states >> np.uint64(tap) for tap in _TAPS])
        states = states >> np.uint64(1) | new << np.uint64(63)
    return states


class AgeingByCell(GoldenArray):
    """A golden array whose two cells of a synapse may age each by a threshold of its own.

    ``ageing``: by variant, state and cell.
    """

    def __init__(self, config: ArrayConfig):
        super().__init__(config)
        self.ageing = np.zeros((config.variants, 2, 2), np.int64)

    def _age(self, first: int, count: int) -> int:
        draws = self._streams.draw(count)
        switched = 0
        for at in np.ndindex(draws.shape):
            place = first + at[0], *at[1:]
            variant, cell = self._variants[place], at[2]
            stuck = self.config.variant_bits and variant == self.config.variants - 1
            limit = self.ageing[variant, int(self._bits[place]), cell]
            if not stuck and draws[at] < limit:
                self._bits[place] ^= True
                switched += 1
        self._weights[:] = cell_weights(self._bits)
        self._lines.clear()
        self._activity_counts.add(columns_aged=count, cells_aged=switched)
        return switched


class ArrayModel:
    """Golden array behind frames; as after reset, with the cells in AP and no table."""

    def __init__(self, config: ArrayConfig):
        self.config = config
        self.array = AgeingByCell(config)
        self._sticky = Cause.NONE

    def reset(self) -> None:
        """What reset does: generators, counters and error as at first, all else as it is."""
        self.array.set_generators(self._power_up())
        self.array._activity_counts = Activity()
        self._sticky = Cause.NONE

    def answer(self, frame: Words) -> Answer:
        """Do what a frame, header first, says."""
        header, data = frame[0] & ((1 << protocol.CONTROL_BITS) - 1), frame[1:]
        op = protocol.field(HEADER, "op", header)
        first, count = (protocol.field(HEADER, name, header) for name in ("first", "count"))
        blind = bool(protocol.field(HEADER, "blind", header))
        self._switched = 0
        faults, results = [self._header_fault(header, op, first, count, len(data))], []
        if faults[0] is Cause.NONE:
            results, faults = self._execute(Op(op), first, count, blind, data)
        fault = next((fault for fault in faults if fault is not Cause.NONE), Cause.NONE)
        self._sticky = reported = self._sticky or fault
        if op == Op.STATUS and fault is Cause.NONE:
            self._sticky = Cause.NONE
        trailer = protocol.control(TRAILER, cause=reported, op=op, switched=self._switched)
        name = f"{Op(op).name if op in list(Op) else op} {first}+{count}, {len(data)} data words"
        cycles = None
        if fault is Cause.NONE:
            batch = max(1, len(data))
            if op == Op.BACKWARD:
                batch = len(data) * self.config.columns_per_cycle // count
            # A STATUS has no steps whatever its header's fields.
            cycles = protocol.cycles(Op(op), self.config, 0 if op == Op.STATUS else count, batch)
        return Answer(name, [*results, trailer], self._sticky, cycles)

    def _header_fault(self, header: int, op: int, first: int, count: int, words: int) -> Cause:
        config = self.config
        fields = [HEADER[name] for name in HEADER if name != "blind" or config.cells == 2]
        known = sum(((1 << width) - 1) << low for low, width in fields)
        if op not in protocol.known(config) or header & ~known:
            return Cause.OPCODE
        if op not in _RANGELESS:
            size = protocol.table_rows(config) if op == Op.LOAD_TABLE else config.cols
            unit = config.columns_per_cycle if op in (Op.FORWARD, Op.BACKWARD) else 1
            if not count or first + count > size or first % unit or count % unit:
                return Cause.RANGE
        if op in _DATALESS and words:
            return Cause.LONG
        if op not in _DATALESS and not words:
            return Cause.SHORT
        return Cause.NONE

    def _execute(
        self, op: Op, first: int, count: int, blind: bool, data: Words
    ) -> tuple[Words, list[Cause]]:
        """Result words, and faults in the order in which they are found."""
        config, array = self.config, self.array
        faults: list[Cause] = []
        if op not in _DATALESS and op is not Op.FORWARD:
            wanted = protocol.steps(op, config, count)
            if op is Op.BACKWARD:
                rest = data[len(data) // wanted * wanted :]
                data = data[: len(data) - len(rest)]
                late = self._cut_short(rest, first) if rest else Cause.NONE
            else:
                late = Cause((len(data) < wanted) * Cause.SHORT + (len(data) > wanted) * Cause.LONG)
                data = data[:wanted]
        else:
            late = Cause.NONE
        words = packed(data, protocol.data_bits(config))
        results: Words = []
        if op is Op.PROGRAM:
            array.program(protocol.bits_of(config, words), first)
        elif op is Op.READ:
            bits = array.read(first, count).swapaxes(1, 2)
            results = self._results(bits)
        elif op is Op.FORWARD:
            codes = protocol.from_words(words, 2, config.rows).swapaxes(1, 2) @ [1, 2]
            illegal = codes == ILLEGAL
            faults = [Cause.TRIT] * bool(illegal.any())
            sums = array.forward(decode_trits(np.where(illegal, ZERO, codes)), first, count)
            groups = sums.reshape(-1, config.columns_per_cycle)
            results = self._results(protocol.to_bits(groups, config.sum_bits))
        elif op is Op.BACKWARD:
            if len(words):
                errors = array.backward(self._errors(words).reshape(-1, count), first)
                results = self._results(protocol.to_bits(errors, config.back_bits))
        elif op is Op.UPDATE:
            faults = self._update(words, first, blind)
        elif op is Op.LOAD_TABLE:
            faults = self._load_table(words, first)
        elif op is Op.SEED:
            self._seed(words)
        elif op is Op.GENERATORS:
            results = self._draw()
        elif op is Op.VARIANTS:
            shape = len(words), config.variant_bits, config.cells, config.rows
            planes = protocol.from_words(words, 1, int(np.prod(shape[1:]))).reshape(shape)
            array.load_variants(
                protocol.from_bits(planes.transpose(0, 3, 2, 1), signed=False), first
            )
        elif op is Op.AGE:
            self._switched = array._age(first, count)
        elif op is Op.COUNTERS:
            results = list(array.activity().values())
        return results, [*faults, late]

    def _errors(self, words: np.ndarray) -> np.ndarray:
        """Errors of BACKWARD's words, one after the other."""
        bits = protocol.from_words(words, self.config.columns_per_cycle, self.config.error_bits)
        return protocol.from_bits(bits, signed=True).reshape(1, -1)

    def _cut_short(self, rest: Words, first: int) -> Cause:
        """A vector of BACKWARD without an end gives no sums, but counts."""
        d = self._errors(packed(rest, protocol.data_bits(self.config)))
        self.array._count_read("backward", d, first, d.shape[1])
        return Cause.SHORT

    def _results(self, bits: np.ndarray) -> Words:
        return integers(protocol.to_words(bits, protocol.result_bits(self.config)))

    def _update(self, words: np.ndarray, first: int, blind: bool) -> list[Cause]:
        config = self.config
        bits = protocol.from_words(words, config.rows, protocol.pulse_bits(config))
        code = protocol.from_bits(bits[..., : config.code_bits], signed=False)
        kappa = protocol.from_bits(bits[..., config.code_bits : -1], signed=False)
        assert bits.shape[-1] == config.code_bits + KAPPA_BITS + 1
        sign = np.where(bits[..., -1], 1, -1)
        kept = np.minimum(kappa, config.max_kappa)
        self._switched = self.array.update(kept * sign, code * sign, first, blind=blind)
        return [Cause.VALUE] * bool((kappa > kept).any())

    def _load_table(self, words: np.ndarray, first: int) -> list[Cause]:
        config, wide = self.config, self.config.draw_bits + 1
        bits = protocol.from_words(words, 1, protocol.table_bits(config))[:, 0]
        fields = bits[:, : 2 * wide].reshape(-1, 2, wide), bits[:, 2 * wide :]
        rows = protocol.from_bits(fields[0], signed=False)
        ticks = protocol.from_bits(fields[1].reshape(-1, 2, TICK_BITS), signed=False)
        index = np.arange(first, first + len(rows))
        pulse = index < config.variants * config.codes
        bad = (rows > 1 << config.draw_bits).any(axis=1)
        bad |= pulse & (index % config.codes == 0) & bits.any(axis=1)
        for i in np.flatnonzero(~bad):
            self._load_row(int(index[i]), rows[i], ticks[i])
        return [Cause.VALUE] * bool(bad.any())

    def _load_row(self, index: int, thresholds: np.ndarray, ticks: np.ndarray) -> None:
        config, array = self.config, self.array
        pulses = config.variants * config.codes
        if index >= pulses:
            array.ageing[divmod(index - pulses, 2)] = thresholds
            return
        variant, code = divmod(index, config.codes)
        if not config.variant_bits or variant < config.variants - 1:
            array._table[index] = thresholds
        if variant == 0:
            array._ticks[code] = ticks

    def _power_up(self) -> np.ndarray:
        """The generators' states after reset."""
        states = lfsr.stream_states(0, 0, protocol.generators(self.config))
        return states.reshape(self.config.rows, self.config.cells)

    def _seed(self, words: np.ndarray) -> None:
        """From power-up on, a draw and a bit to turn for each word, however few there are."""
        config, states = self.config, self._power_up()
        bits = protocol.from_words(words, config.cells, config.rows).swapaxes(1, 2)
        for plane in bits.astype(np.uint64):
            states = stepped(states, config.draw_bits) ^ plane << np.uint64(63)
        self.array.set_generators(states)

    def _draw(self) -> Words:
        """Lowest bits of 64 draws, after which the generators stand there."""
        states, planes = self.array.generators(), []
        for _ in range(64):
            planes.append((states & np.uint64(1)).T)
            states = stepped(states, self.config.draw_bits)
        self.array.set_generators(states)
        return self._results(np.stack(planes))

"""An accelerator at the other end of a transport: packets, frames, registers taken apart by hand.

A golden accelerator does the work; nothing here but it is shared with the driver.
"""

from collections import deque

import numpy as np

from golden.accel.driver import Transport
from golden.accel.interface import ProgramError, Space
from golden.accel.twin import GoldenAccelerator
from golden.activity import COUNTERS as ACTIVITY
from golden.lfsr import stream_states

_COUNTS = ("cycles", "forward_cycles", "forward_busy", "backward_cycles", "backward_busy",
           "update_cycles", "update_busy", "pulses", "switched", "loss")  # fmt: skip
RANGE, PROGRAM, STOPPED = 2, 6, 9  # faults


def leapt(state, steps):
    """A generator's state some single steps on."""
    for _ in range(steps):
        new = (state ^ state >> 9 ^ state >> 19 ^ state >> 29) & 1
        state = state >> 1 | new << 63
    return state


def fields(word, *widths):
    """Fields of an integer, the lowest first."""
    found = []
    for width in widths:
        found.append(word & ((1 << width) - 1))
        word >>= width
    return found


def pack(values, width):
    """An integer of fields of one width, the first lowest."""
    return sum((int(v) & ((1 << width) - 1)) << width * i for i, v in enumerate(values))


def signed(value, width):
    return value - (1 << width) * (value >> width - 1)


def parts(word, count):
    return [word >> 32 * i & 0xFFFFFFFF for i in range(count)]


def joined(words, size):
    """Integers of ``size`` words of 32 bits each."""
    assert len(words) % size == 0, "the packet ends within a word"
    return [pack(words[i : i + size], 32) for i in range(0, len(words), size)]


class Server(Transport):
    """``refuse``: the fault of the next packet; ``silent``: no answers any more."""

    def __init__(self, chip: GoldenAccelerator):
        self.chip, self.config, self.array = chip, chip.config, chip.config.array
        self.answers, self.log = deque(), []
        self.refuse, self.cause, self.what, self.silent = 0, 0, 0, False
        self.pc = self.batch = self.high = 0
        self.before = dict.fromkeys(_COUNTS, 0)
        array, config = self.array, self.config
        self.constants = {
            0x00: 0x53505254,
            0x04: 0x00010000,
            0x08: array.rows | array.cols << 16,
            0x0C: config.tiles | array.cells << 8 | array.code_bits << 12 | array.draw_bits << 16
            | array.error_bits << 24,
            0x10: config.activation_words | config.error_words << 16,
            0x14: config.positions | config.program_words << 16,
            0x18: config.threshold_words | array.variant_bits << 16 | array.counters << 19,
        }  # fmt: skip

    # Registers.

    def write_register(self, address, value):
        self.log.append((address, value))
        if address == 0x30:
            self.pc = value
        elif address == 0x34:
            self.batch = value
        elif address == 0x20:
            start, stop, clear, reset = fields(value, 1, 1, 1, 1)
            assert not stop
            if clear:
                self.cause = self.what = 0
            if reset:
                self.before = vars(self.chip.counts()).copy()
            if start:
                self._run()
        else:
            raise RuntimeError(f"no register {address:#x} to write")

    def read_register(self, address):
        if address in self.constants:
            return self.constants[address]
        if address == 0x24:
            return bool(self.cause) << 1 | self.cause << 8 | self.what << 16
        index, high = divmod(address - 0x40, 8)
        if not 0 <= index < len(_COUNTS):
            raise RuntimeError(f"no register {address:#x} to read")
        if high:
            return self.high
        name = _COUNTS[index]
        value = vars(self.chip.counts())[name] - self.before[name]
        self.high = value >> 32
        return value & 0xFFFFFFFF

    def _fault(self, cause, what):
        if not self.cause:
            self.cause, self.what = cause, what

    def _run(self):
        try:
            results = self.chip.run(self.pc, self.batch).tolist()
        except ProgramError as error:
            self._fault(PROGRAM, error.pc)
            self.answers.append([4 | PROGRAM << 16])
            return
        self.answers.append([4] + [label | (score & 0xFFFF) << 16 for label, score in results])

    # Packets.

    def receive(self):
        if self.silent or not self.answers:
            raise RuntimeError("no answer")
        return np.array(self.answers.popleft(), np.uint32)

    def send(self, words):
        assert words.dtype == np.uint32
        first, *rest = words.tolist()
        op, space, reserved = fields(first, 8, 8, 16)
        assert not reserved
        if self.refuse:
            self._fault(self.refuse, first & 0xFFFF)
            if op != 1:
                self.answers.append([first | self.refuse << 16])
            self.refuse = 0
        elif op == 3:
            self.answers.append([first, *self._frame(self.chip.tile(space), rest)])
        else:
            start, count = fields(rest[0], 16, 16)
            if op == 1:
                self._take(Space(space), start, count, rest[1:])
            else:
                assert (op, len(rest)) == (2, 1)
                self.answers.append([first, *self._give(Space(space), start, count)])

    def _size(self, space):
        """32-bit words of a word."""
        rows = self.array.rows
        bits = {Space.ACTIVATIONS: 2 * rows, Space.ERRORS: 8 * rows, Space.WINDOWS: 3 * rows,
                Space.THRESHOLDS: 96 * self.config.tiles, Space.GENERATORS: 64}  # fmt: skip
        return -(-bits.get(space, 32) // 32)

    def _take(self, space, start, count, words):
        rows, values = self.array.rows, []
        whole = joined(words, self._size(space))
        assert len(whole) == count, "words are missing, or too many"
        for word in whole:
            if space is Space.ACTIVATIONS:
                nonzero, negative = (fields(part, *[1] * rows) for part in fields(word, rows, rows))
                values.append([n - 2 * (n & m) for n, m in zip(nonzero, negative, strict=True)])
            elif space is Space.ERRORS:
                values.append([signed(part, 8) for part in fields(word, *[8] * rows)])
            elif space is Space.WINDOWS:
                planes = (fields(part, *[1] * rows) for part in fields(word, *[rows] * 3))
                values.append([a + 2 * b + 4 * c for a, b, c in zip(*planes, strict=True)])
            elif space is Space.THRESHOLDS:
                values.append([])
                for part in fields(word, *[96] * self.config.tiles):
                    upper, _, turned, lower, _, offset, _ = fields(part, 28, 3, 1, 28, 4, 20, 12)
                    values[-1].append([signed(upper, 28), signed(lower, 28), turned])
                    values[-1][-1].append(signed(offset, 20))
            else:
                values.append(word)
        if space is Space.GENERATORS:
            assert (start, count) == (0, self.config.tiles)
            self.chip.set_generators(np.array(values, np.uint64))
        else:
            self.chip.write(space, np.array(values), start)

    def _give(self, space, start, count):
        if space is Space.GENERATORS:
            values = self.chip.generators()[start : start + count].tolist()
        else:
            values = self.chip.read(space, start, count).tolist()
        out = []
        for value in values:
            if space is Space.ACTIVATIONS:
                word = pack([v != 0 for v in value], 1)
                word |= pack([v < 0 for v in value], 1) << self.array.rows
            elif space is Space.ERRORS:
                word = pack(value, 8)
            elif space is Space.WINDOWS:
                word = pack([v >> i & 1 for i in range(3) for v in value], 1)
            elif space is Space.THRESHOLDS:
                word = 0
                for upper, lower, turned, offset in reversed(value):
                    word = word << 32 | offset & 0xFFFFF
                    word = word << 32 | lower & 0xFFFFFFF
                    word = word << 32 | turned << 31 | upper & 0xFFFFFFF
            elif space is Space.RESULTS:
                word = value[0] | (value[1] & 0xFFFF) << 16
            else:
                word = value
            out += parts(word, self._size(space))
        return out

    # Frames, of an array with columns_per_cycle = 1.

    def _frame(self, tile, words):
        array, rows, cells = self.array, self.array.rows, self.array.cells
        size = -(-max(64, 8 * rows, rows * (array.code_bits + 3), 2 * (array.draw_bits + 17)) // 32)
        answer_size = -(-max(64, rows * array.back_bits, rows * cells) // 32)
        header, *data = joined(words, size)
        op, blind, _, first, count = fields(header, 4, 1, 11, 16, 16)
        results, switched = [], 0
        plane = [1] * rows
        if op == 1:
            bits = [[fields(p, *plane) for p in fields(w, *[rows] * cells)] for w in data]
            tile.program(np.array(bits).swapaxes(1, 2), first)
            assert len(data) == count
        elif op == 2:
            for column in tile.read(first, count).tolist():
                results.append(pack([row[c] for c in range(cells) for row in column], 1))
        elif op == 3:
            for word in data:
                nonzero, negative = (fields(part, *plane) for part in fields(word, rows, rows))
                u = [[n - 2 * m for n, m in zip(nonzero, negative, strict=True)]]
                results += [pack([s], array.sum_bits) for s in tile.forward(u, first, count)[0]]
        elif op == 4:
            d = np.array([signed(word & 0xFF, 8) for word in data]).reshape(-1, count)
            results = [pack(e, array.back_bits) for e in tile.backward(d, first).tolist()]
        elif op == 5:
            pulses = [[fields(p, array.code_bits, 2, 1) for p in
                       fields(w, *[array.code_bits + 3] * rows)] for w in data]  # fmt: skip
            code, kappa, up = np.moveaxis(np.array(pulses), -1, 0)
            sign = 2 * up - 1
            switched = tile.update(sign * kappa, sign * code, first, blind=bool(blind))
        elif op == 6:
            k = array.draw_bits + 1
            lines = np.array([fields(w, k, k, 16, 16) for w in data])
            for i, line in enumerate(lines, first):
                ageing = i - array.variants * array.codes
                if ageing >= 0:  # the two thresholds, for a synapse's two cells, are the same
                    tile._ageing[ageing // 2, ageing % 2] = line[0]
                    continue
                tile._table[i] = line[:2]
                if i < array.codes:
                    tile._ticks[i] = line[2:]
        elif op == 7:
            states = stream_states(0, 0, rows * cells).tolist()
            for word in data:
                states = [
                    leapt(state, array.draw_bits)
                    ^ (word >> i % cells * rows + i // cells & 1) << 63
                    for i, state in enumerate(states)
                ]
            tile.set_generators(np.array(states, np.uint64).reshape(rows, cells))
        elif op == 8:
            states = tile.generators().ravel().tolist()
            results = []
            for _ in range(64):
                low = (np.array(states, np.uint64).reshape(rows, cells).T & np.uint64(1)).ravel()
                results.append(sum(bit << i for i, bit in enumerate(low.tolist())))
                states = [leapt(state, array.draw_bits) for state in states]
            tile.set_generators(np.array(states, np.uint64).reshape(rows, cells))
        elif op == 9:
            n = array.variant_bits
            planes = np.array([fields(w, *[1] * (n * cells * rows)) for w in data])
            planes = planes.reshape(count, n, cells, rows)
            index = (planes << np.arange(n)[:, None, None]).sum(axis=1)
            tile.load_variants(index.swapaxes(1, 2), first)
        elif op == 10:
            switched = tile._age(first, count)
        elif op == 11:
            activity = tile.activity()
            results = [activity[name] for name in ACTIVITY]
        else:
            assert op == 0
        results.append(op << 8 | switched << 16)
        return [part for word in results for part in parts(word, answer_size)]

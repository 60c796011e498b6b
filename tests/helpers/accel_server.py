"""A golden accelerator at the other end of a transport, with faults on demand.

Every packet and register is compared with what the functions here decode by hand. Nothing but the
golden accelerator itself is shared with the driver: two equal mistakes do not hide each other.
"""

import numpy as np

from golden.accel.controller import AcceleratorController
from golden.accel.interface import Space
from golden.accel.twin import GoldenAccelerator
from golden.registers import Fault

WRITE, READ, FRAME = 1, 2, 3


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


class Server(AcceleratorController):
    """``refuse``: the fault of the next packet; ``silent``: no answers any more; ``log``: every
    register that was written, with its value."""

    def __init__(self, chip: GoldenAccelerator):
        super().__init__(chip)
        self.config, self.array = chip.config, chip.config.array
        self.refuse, self.silent = 0, False
        self.log: list[tuple[int, int]] = []
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

        for address, value in self.constants.items():
            assert super().read_register(address) == value, hex(address)

    def write_register(self, address, value):
        self.log.append((address, value))
        super().write_register(address, value)

    def read_register(self, address):
        found = super().read_register(address)
        if address == 0x24:
            assert found == bool(self.fault) << 1 | self.fault << 8 | self.what << 16
        return self.constants.get(address, found)

    def receive(self):
        if self.silent:
            raise RuntimeError("no answer")
        return super().receive()

    def send(self, words):
        assert words.dtype == np.uint32
        first, *rest = words.tolist()
        op, space, reserved = fields(first, 8, 8, 16)
        assert not reserved
        if self.refuse:
            fault, self.refuse = self.refuse, 0
            self.note(Fault(fault), first & 0xFFFF)
            if op != WRITE:
                self.answers.append([first | fault << 16])
            return
        super().send(words)
        assert not self.fault or op == FRAME, "a driver's packets have no fault"
        if op == FRAME:
            self._check_frame(first, rest)
            return
        start, count = fields(rest[0], 16, 16)
        values = self._held(Space(space), start, count)
        if op == WRITE:
            assert self._values(Space(space), count, rest[1:]) == values
        else:
            assert (op, len(rest)) == (READ, 1)
            assert self.answers[-1] == [first, *self._words(Space(space), values)]

    def _check_frame(self, first, rest):
        """Whole words to the tile and back; of an array with columns_per_cycle = 1."""
        array, rows, cells = self.array, self.array.rows, self.array.cells
        column = max(8, array.code_bits + 3, cells * max(1, array.variant_bits)) * rows
        joined(rest, -(-max(64, column, 2 * (array.draw_bits + 17)) // 32))
        head, *answer = self.answers[-1]
        assert head == first
        size = -(-max(64, rows * array.back_bits, rows * cells) // 32)
        assert fields(joined(answer, size)[-1], 8, 4)[1] == rest[0] & 15

    def _held(self, space, start, count):
        """What the accelerator holds."""
        if space is Space.GENERATORS:
            return self.chip.generators()[start : start + count].tolist()
        return self.chip.read(space, start, count).tolist()

    def _size(self, space):
        """32-bit words of a word."""
        rows = self.array.rows
        bits = {Space.ACTIVATIONS: 2 * rows, Space.ERRORS: 8 * rows, Space.WINDOWS: 3 * rows,
                Space.THRESHOLDS: 96 * self.config.tiles, Space.GENERATORS: 64}  # fmt: skip
        return -(-bits.get(space, 32) // 32)

    def _values(self, space, count, words):
        """Values of a packet's words."""
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
        return values

    def _words(self, space, values):
        """A packet's words of values."""
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

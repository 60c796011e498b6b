"""Random command frames: sound ones, and malformed ones of every cause."""

from collections.abc import Iterator

import numpy as np

from golden.array import frames, lfsr
from golden.array.controller import Words
from golden.array.frames import HEADER, Cause, Op
from golden.codes import ILLEGAL
from golden.config import ArrayConfig
from golden.pulse.table import TICK_BITS


class Stimulus:
    """Frames for an array of ``config``, drawn from ``rng``; header first, as integers."""

    def __init__(self, config: ArrayConfig, rng: np.random.Generator):
        self.config, self.rng = config, rng

    def sound(self, op: Op, *, batch: int = 3) -> Words:
        """A command without fault on a random range of columns."""
        return getattr(self, f"_{op.name.lower()}")(batch)

    def prologue(self) -> list[Words]:
        """Frames after which nothing is left of what was before a reset."""
        cols, rest = self.config.cols, [self.table(), self.status()]
        if not self.config.variant_bits:
            return [self.program(0, cols), *rest]
        # PROGRAM reaches every cell while none is stuck.
        free, some = (self.variants(0, cols, end) for end in (1, self.config.variants))
        return [free, self.program(0, cols), some, *rest]

    def epilogue(self) -> list[Words]:
        """Frames that show the whole state."""
        counters = [self._counters(0)] * self.config.counters
        return [self.read(0, self.config.cols), self._generators(0), *counters, self.status()]

    def sequence(self, count: int) -> list[Words]:
        """``count`` sound frames between prologue and epilogue, every command among them."""
        known = frames.known(self.config)
        often = self.rng.choice([*known, Op.UPDATE, Op.UPDATE], max(0, count - len(known)))
        ops = [*known, *often]
        self.rng.shuffle(ops)
        body = [self.sound(Op(op)) for op in ops]
        return [*self.prologue(), *body, *self.epilogue()]

    def header(self, op: int, **fields: int) -> int:
        """A header word."""
        return frames.control(HEADER, op=op, **fields)

    def status(self) -> Words:
        """STATUS."""
        return [self.header(Op.STATUS)]

    def program(self, first: int, count: int) -> Words:
        """PROGRAM of random bits."""
        shape = (count, self.config.rows, self.config.cells)
        bits = self.rng.integers(0, 2, shape, np.uint8)
        return frames.to_integers(frames.program_frame(self.config, bits, first))

    def read(self, first: int, count: int) -> Words:
        """READ."""
        return frames.to_integers(frames.read_frame(self.config, first, count))

    def variants(self, first: int, count: int, end: int) -> Words:
        """VARIANTS, indices below ``end``."""
        shape = (count, self.config.rows, self.config.cells)
        indices = self.rng.integers(0, end, shape)
        return frames.to_integers(frames.variants_frame(self.config, indices, first))

    def table(self) -> Words:
        """LOAD_TABLE, all rows, most probabilities neither 0 nor 1."""
        return self._rows(0, frames.table_rows(self.config), certain=True)

    def _rows(self, first: int, count: int, *, certain: bool = False) -> Words:
        """LOAD_TABLE at random; all full pulses certain, or not."""
        config = self.config
        thresholds = self.rng.integers(0, (1 << config.draw_bits) + 1, (count, 2))
        ticks = self.rng.integers(0, 1 << TICK_BITS, (count, 2))
        index = np.arange(first, first + count)
        code = np.where(index < config.variants * config.codes, index % config.codes, -1)
        thresholds[code == 0] = ticks[code == 0] = 0
        if certain:
            thresholds[code == config.codes - 1] = 1 << config.draw_bits
        return frames.to_integers(frames.table_frame(config, thresholds, ticks, first))

    def _range(self, size: int, unit: int = 1) -> tuple[int, int]:
        """First and count of a part of ``size``; often the whole."""
        if self.rng.random() < 0.3:
            return 0, size
        first = int(self.rng.integers(size // unit))
        return first * unit, int(self.rng.integers(1, size // unit - first + 1)) * unit

    def _status(self, _: int) -> Words:
        return self.status()

    def _program(self, _: int) -> Words:
        return self.program(*self._range(self.config.cols))

    def _read(self, _: int) -> Words:
        return self.read(*self._range(self.config.cols))

    def _forward(self, batch: int) -> Words:
        u = self.rng.integers(-1, 2, (int(self.rng.integers(1, batch + 1)), self.config.rows))
        first, count = self._range(self.config.cols, self.config.columns_per_cycle)
        return frames.to_integers(frames.forward_frame(self.config, u, first, count))

    def _backward(self, batch: int) -> Words:
        limit = self.config.max_error
        first, count = self._range(self.config.cols, self.config.columns_per_cycle)
        d = self.rng.integers(-limit - 1, limit + 1, (int(self.rng.integers(1, batch + 1)), count))
        d[self.rng.random(d.shape) < 0.1] = -limit - 1
        return frames.to_integers(frames.backward_frame(self.config, d, first))

    def _update(self, _: int) -> Words:
        config, rng = self.config, self.rng
        first, count = self._range(config.cols)
        shape = (count, config.rows)
        sign = rng.choice([-1, 1], shape)
        kappa = rng.integers(0, config.max_kappa + 1, shape) * (rng.random(shape) < 0.4)
        code = rng.integers(0, config.codes, shape)
        blind = bool(rng.integers(2))
        frame = frames.update_frame(config, kappa * sign, code * sign, first, blind)
        return frames.to_integers(frame)

    def _load_table(self, _: int) -> Words:
        return self._rows(*self._range(frames.table_rows(self.config)))

    def _seed(self, _: int) -> Words:
        seed = int(self.rng.integers(1 << 32))
        states = lfsr.stream_states(seed, 0, frames.generators(self.config))
        shape = (self.config.rows, self.config.cells)
        return frames.to_integers(frames.seed_frame(self.config, states.reshape(shape)))

    def _generators(self, _: int) -> Words:
        return [self.header(Op.GENERATORS)]

    def _variants(self, _: int) -> Words:
        return self.variants(*self._range(self.config.cols), self.config.variants)

    def _age(self, _: int) -> Words:
        return frames.to_integers(frames.age_frame(self.config, *self._range(self.config.cols)))

    def _counters(self, _: int) -> Words:
        return [self.header(Op.COUNTERS)]

    def malformed(self) -> Iterator[tuple[Cause, Words]]:
        """Frames of every kind of fault, with the cause of each."""
        yield from self.empty()
        yield from ((Cause.OPCODE, frame) for frame in self._unknown())
        yield from ((Cause.RANGE, frame) for frame in self._out_of_range())
        known = set(frames.known(self.config))
        for op in sorted(known & {Op.PROGRAM, Op.UPDATE, Op.LOAD_TABLE, Op.SEED, Op.VARIANTS}):
            frame = self.sound(op)
            yield Cause.SHORT, frame[:1]
            if len(frame) > 2:
                yield Cause.SHORT, frame[: int(self.rng.integers(2, len(frame)))]
            extra = [frame[-1]] * int(self.rng.integers(1, 4))
            yield Cause.LONG, [*frame, *extra]
        yield Cause.SHORT, self._forward(1)[:1]
        backward = self.header(Op.BACKWARD, count=self.config.cols)
        per_vector = self.config.cols // self.config.columns_per_cycle
        yield Cause.SHORT, [backward]
        if per_vector > 1:
            yield Cause.SHORT, [backward, *[1] * (2 * per_vector - 1)]
        for op in sorted(known & {Op.STATUS, Op.READ, Op.GENERATORS, Op.AGE, Op.COUNTERS}):
            yield Cause.LONG, [*self.sound(op), 0]
            yield Cause.LONG, [*self.sound(op), *[(1 << 64) - 1] * 3]
        yield Cause.TRIT, self._illegal_trit()
        yield from ((Cause.VALUE, frame) for frame in self._bad_values())

    def empty(self) -> Iterator[tuple[Cause, Words]]:
        """Every command that takes a range without a column or row, every one that takes data words
        without one."""
        known, cols = frames.known(self.config), self.config.cols
        rangeless = (Op.STATUS, Op.SEED, Op.GENERATORS, Op.COUNTERS)
        dataless = (Op.STATUS, Op.READ, Op.GENERATORS, Op.AGE, Op.COUNTERS)
        for op in known:
            if op not in rangeless:
                for first in (0, cols):
                    yield Cause.RANGE, [self.header(op, first=first)]
                    yield Cause.RANGE, [self.header(op, first=first), 0, 0]
            if op not in dataless:
                yield Cause.SHORT, [self.header(op, count=self.config.columns_per_cycle)]

    def _unknown(self) -> Iterator[Words]:
        known = frames.known(self.config)
        for op in sorted(set(range(1 << HEADER["op"][1])) - set(known)):
            yield [self.header(op, first=0, count=1), *[0] * int(self.rng.integers(3))]
        reserved = [*range(5, 16), *range(48, 64)]
        for bit in self.rng.choice(reserved, 3, replace=False):
            op = Op(self.rng.choice(known))
            frame = self.sound(op)
            yield [frame[0] | 1 << int(bit), *frame[1:]]
        if self.config.cells == 1:
            frame = self._update(0)
            yield [self.header(Op.UPDATE, count=self.config.cols, blind=1), *frame[1:]]

    def _out_of_range(self) -> Iterator[Words]:
        cols, unit = self.config.cols, self.config.columns_per_cycle
        ranges = [(0, 0), (0, cols + unit), (cols, unit), (cols - unit, 2 * unit), (65535, 65535)]
        ops = [Op.PROGRAM, Op.READ, Op.FORWARD, Op.BACKWARD, Op.UPDATE, Op.AGE]
        for op in [*ops, *[Op.VARIANTS] * (self.config.variant_bits > 0)]:
            first, count = ranges[self.rng.integers(len(ranges))]
            data = [] if op in (Op.READ, Op.AGE) else [0] * int(self.rng.integers(4))
            yield [self.header(op, first=first, count=count), *data]
        if unit > 1:
            yield [self.header(Op.FORWARD, first=1, count=unit), 0]
            yield [self.header(Op.BACKWARD, first=0, count=unit - 1), 0]
        yield [self.header(Op.LOAD_TABLE, first=1, count=frames.table_rows(self.config)), 0]

    def _illegal_trit(self) -> Words:
        codes = np.tile(self.rng.integers(0, 4, self.config.rows), (2, 1))
        codes[1, self.rng.integers(self.config.rows)] = ILLEGAL
        header = self.header(Op.FORWARD, count=self.config.cols)
        planes = np.stack([codes & 1, codes >> 1], axis=1)
        return frames.to_integers(frames.frame(self.config, header, planes))

    def _bad_values(self) -> Iterator[Words]:
        config, rng = self.config, self.rng
        pulse = frames.pulse_bits(config)
        for kappa in range(config.max_kappa + 1, 4):
            row = int(rng.integers(config.rows))
            bits = (int(rng.integers(2)) << 2 | kappa) << config.code_bits
            yield [self.header(Op.UPDATE, count=1), bits << row * pulse]
        scale = 1 << config.draw_bits
        first = int(rng.integers(config.variants)) * config.codes
        for code_0 in ([0, 1, 0, 0], [scale, 0, 0, 0], [0, 0, 1, 0], [0, 0, 0, 1 << 15]):
            rows = np.array([code_0])
            yield frames.to_integers(frames.table_frame(config, rows[:, :2], rows[:, 2:], first))
        ageing = config.variants * config.codes
        for first in (config.codes - 2, ageing, frames.table_rows(config) - 2):
            bad = rng.integers(0, scale + 1, (2, 2))
            bad[rng.integers(2), rng.integers(2)] = rng.integers(scale + 1, 2 * scale)
            yield frames.to_integers(frames.table_frame(config, bad, bad % 7, first))

    def noise(self) -> Words:
        """A frame of anything: most headers near a sound one, data words at random."""
        config, rng = self.config, self.rng
        op, blind = int(rng.integers(len(Op) + 1)), int(rng.integers(4) == 0)
        first, count = (int(x) for x in rng.integers(0, config.cols + 1, 2))
        header = self.header(op, first=first // 2, count=max(1, count // 2), blind=blind)
        width = frames.data_bits(config)
        words = [int.from_bytes(rng.bytes(-(-width // 8)), "little") for _ in range(count)]
        return [header, *(word & ((1 << width) - 1) for word in words)]

"""Dialogues with the hardware: the frame of every command and the whole answer to it.

The golden controller gives the answers. Each is compared with what a golden array of its own does
when its methods are called, which no frame reaches.
"""

from dataclasses import dataclass

import numpy as np
from hdl_sim import integers, number, stepped

from golden.array import frames, lfsr
from golden.array.controller import GoldenController
from golden.array.frames import HEADER, TRAILER, Cause, Op
from golden.array.golden import GoldenArray
from golden.codes import trit_bit_planes
from golden.config import ArrayConfig
from golden.pulse.table import TICK_BITS, tanh_table


@dataclass
class Exchange:
    """A command frame and its answer: words of results, then the trailer.

    ``steps``: N of a well-formed command. ``cause``: the sticky cause once the answer is out.
    """

    name: str
    frame: list[int]
    answer: list[int]
    cause: Cause
    steps: int | None = None


def header(op, first=0, count=0, **fields):
    return frames.control(HEADER, op=op, first=first, count=count, **fields)


class Twin:
    """A golden controller with the frame of every command, and a golden array beside it."""

    def __init__(self, config: ArrayConfig):
        self.config = config
        self.golden = GoldenArray(config)
        self.controller = GoldenController(config)

    def exchange(self, name, frame, *, results=(), switched=0, steps=None, cause=Cause.NONE):
        """``frame`` (integers) and its answer, which must be ``results`` with this ``cause``, or
        the sticky one from before."""
        sticky = self.controller.cause or cause
        answer = self.controller.answer(frame)
        op = frames.field(HEADER, "op", frame[0])
        trailer = frames.control(TRAILER, cause=sticky, op=op, switched=switched)
        assert (answer.words, answer.fault) == ([*results, trailer], cause), name
        assert answer.cycles == (None if steps is None else steps + 19), name
        return Exchange(name, frame, answer.words, answer.cause, steps)

    def _well_formed(self, op, words, steps, results=(), switched=0):
        answer = {"results": results, "switched": switched, "steps": steps}
        return self.exchange(op.name, integers(words), **answer)

    def results(self, values, width):
        """Result words of ``values`` of shape (n, ...), each of ``width`` bits."""
        bits = frames.to_bits(np.asarray(values), width)
        return integers(frames.to_words(bits, frames.result_bits(self.config)))

    def status(self):
        """Reports the cause and clears it."""
        return self._well_formed(Op.STATUS, frames.frame(self.config, header(Op.STATUS)), 0)

    def reset(self):
        for part in (self.golden, self.controller):
            part.reset()

    def program(self, bits, first=0):
        self.golden.program(bits, first)
        frame = frames.program_frame(self.config, bits, first)
        return self._well_formed(Op.PROGRAM, frame, len(bits))

    def read(self, first=0, count=None):
        bits = self.golden.read(first, count)
        frame = frames.read_frame(self.config, first, len(bits))
        return self._well_formed(Op.READ, frame, len(bits), self.results(bits.swapaxes(1, 2), 1))

    def sums(self, u, first, count):
        """Result words of FORWARD."""
        sums = self.golden.forward(u, first, count)
        groups = sums.reshape(-1, self.config.columns_per_cycle)
        return self.results(groups, self.config.sum_bits)

    def forward(self, u, first=0, count=None):
        count = self.config.cols - first if count is None else count
        results = self.sums(u, first, count)
        frame = frames.forward_frame(self.config, u, first, count)
        return self._well_formed(Op.FORWARD, frame, len(results), results)

    def errors(self, d, first):
        """Result words of BACKWARD."""
        return self.results(self.golden.backward(d, first), self.config.back_bits)

    def backward(self, d, first=0):
        frame = frames.backward_frame(self.config, d, first)
        steps = d.size // self.config.columns_per_cycle
        return self._well_formed(Op.BACKWARD, frame, steps, self.errors(d, first))

    def update(self, kappa, code, first=0, blind=False):
        switched = self.golden.update(kappa, code, first, blind=blind)
        frame = frames.update_frame(self.config, kappa, code, first, blind)
        return self._well_formed(Op.UPDATE, frame, len(code), switched=switched)

    def load_table(self, table):
        count = self.config.switching_variants
        variants = [table.thresholds] * count if table.variants is None else table.variants[:count]
        return self.load_rows(np.concatenate(variants), np.concatenate([table.ticks] * count))

    def load_rows(self, thresholds, ticks, first=0):
        """Rows of the table, (count, 2) each, whatever they are for."""
        config = self.config
        self.golden.load_rows(np.arange(first, first + len(thresholds)), thresholds, ticks)
        frame = frames.table_frame(config, thresholds, ticks, first)
        return self._well_formed(Op.LOAD_TABLE, frame, len(thresholds))

    def load_ageing(self, thresholds):
        """By variant and state."""
        rows = np.repeat(thresholds.reshape(-1, 1), 2, axis=1)
        return self.load_rows(rows, 0 * rows, self.config.variants * self.config.codes)

    def random_rows(self, rng):
        """Any part of the table at random, pulse lengths too."""
        total, codes = frames.table_rows(self.config), self.config.codes
        first, end = sorted(rng.choice(total + 1, 2, replace=False).tolist())
        thresholds = rng.integers(0, (1 << self.config.draw_bits) + 1, (end - first, 2))
        ticks = rng.integers(0, 1 << TICK_BITS, thresholds.shape)
        index = np.arange(first, end)
        pulse = index < self.config.variants * codes
        none = (index % codes == 0) & pulse
        thresholds[none] = ticks[none] = 0
        return self.load_rows(thresholds, ticks, first)

    def load_variants(self, variants, first=0):
        self.golden.load_variants(variants, first)
        frame = frames.variants_frame(self.config, variants, first)
        return self._well_formed(Op.VARIANTS, frame, len(variants))

    def age(self, first, count):
        """AGE alone, by the thresholds that are loaded."""
        switched = self.golden.age_as_loaded(first, count)
        frame = frames.age_frame(self.config, first, count)
        return self._well_formed(Op.AGE, frame, count, switched=switched)

    def counters(self):
        counts = list(self.golden.activity().values())
        frame = frames.frame(self.config, header(Op.COUNTERS))
        return self._well_formed(Op.COUNTERS, frame, len(counts), counts)

    def power_up(self):
        """The generators' states at first, one a row and cell."""
        return lfsr.stream_states(0, 0, frames.generators(self.config)).tolist()

    def put(self, states):
        """States that the generators have come to."""
        shape = self.config.rows, self.config.cells
        self.golden.put_generators(np.array(states, np.uint64).reshape(shape))

    def led(self, words):
        """States to which the words of a SEED, however few, lead: bit by bit."""
        config, states = self.config, self.power_up()
        for word in words:
            for i, state in enumerate(states):
                row, cell = divmod(i, config.cells)
                turned = word >> cell * config.rows + row & 1
                states[i] = stepped(state, config.draw_bits) ^ turned << 63
        return states

    def drawn(self, states):
        """The words of a GENERATORS at ``states``, and the states after it."""
        config, words = self.config, []
        for _ in range(64):
            low = np.array([state & 1 for state in states]).reshape(config.rows, config.cells)
            words.append(number(low.T))
            states = [stepped(state, config.draw_bits) for state in states]
        return words, states

    def seed(self, seed, first_stream=0):
        states = lfsr.stream_states(seed, first_stream, frames.generators(self.config))
        return self.set_generators(states.reshape(self.config.rows, self.config.cells))

    def set_generators(self, states):
        self.golden.set_generators(states)
        frame = frames.seed_frame(self.config, states)
        assert self.led(integers(frame)[1:]) == states.ravel().tolist()
        return self._well_formed(Op.SEED, frame, len(frame) - 1)

    def generators(self):
        """They go on by 64 draws."""
        words, states = self.drawn(self.golden.generator_states.ravel().tolist())
        self.put(states)
        frame = frames.frame(self.config, header(Op.GENERATORS))
        return self._well_formed(Op.GENERATORS, frame, len(words), words)

    def span(self, rng, unit=1):
        """A random range of columns, aligned to ``unit``: first, count."""
        first, end = sorted(rng.choice(self.config.cols // unit + 1, 2, replace=False).tolist())
        return first * unit, (end - first) * unit

    def cells(self, rng, count):
        return rng.integers(0, 2, (count, self.config.rows, self.config.cells))

    def variants(self, rng, count):
        return rng.integers(0, self.config.variants, (count, self.config.rows, self.config.cells))

    def trits(self, rng, batch):
        return rng.integers(-1, 2, (batch, self.config.rows))

    def pulses(self, rng, count):
        """Random kappa and code, of one sign."""
        sign = rng.choice([-1, 1], (count, self.config.rows))
        kappa = sign * rng.integers(0, self.config.max_kappa + 1, sign.shape)
        return kappa, sign * rng.integers(0, self.config.codes, sign.shape)

    def random(self, op, rng):
        """A random command ``op``."""
        limit = self.config.max_error
        first, count = self.span(rng)
        u_first, u_count = self.span(rng, self.config.columns_per_cycle)
        batch = int(rng.integers(1, 4))
        match op:
            case Op.STATUS:
                return self.status()
            case Op.PROGRAM:
                return self.program(self.cells(rng, count), first)
            case Op.READ:
                return self.read(first, count)
            case Op.FORWARD:
                return self.forward(self.trits(rng, batch), u_first, u_count)
            case Op.BACKWARD:
                d = rng.integers(-limit - 1, limit + 1, (batch, u_count))
                return self.backward(d, u_first)
            case Op.UPDATE:
                return self.update(*self.pulses(rng, count), first, blind=bool(rng.integers(2)))
            case Op.LOAD_TABLE:
                return self.random_rows(rng)
            case Op.VARIANTS:
                return self.load_variants(self.variants(rng, count), first)
            case Op.AGE:
                return self.age(first, count)
            case Op.COUNTERS:
                return self.counters()
            case Op.SEED:
                return self.seed(*rng.integers(0, 1000, 2).tolist())
        return self.generators()

    def everything(self):
        """All cells, generators and counters; those of the array beside it are the same."""
        ours, other = self.controller.array, self.golden
        for name in ("cells", "variants", "thresholds", "ticks", "ageing", "generator_states"):
            assert np.array_equal(getattr(ours, name), getattr(other, name)), name
        state = [self.read(), self.generators()]
        return [*state, self.counters()] if self.config.counters else state

    def dialogue(self, rng):
        """Every command at least once, in a random order, updates more often; all state after."""
        often = [Op.UPDATE, Op.UPDATE, Op.READ, Op.FORWARD, Op.BACKWARD, Op.AGE]
        ops = rng.permutation([*frames.known(self.config), *often])
        return [self.random(Op(op), rng) for op in ops.tolist()] + self.everything()

    def prepare(self, rng):
        """Cells, generators and table filled; the cells' variants, if they have any."""
        seed = int(rng.integers(1000))
        cells = self.cells(rng, self.config.cols)
        ageing = rng.integers(0, 1 << self.config.draw_bits, (self.config.variants, 2)) // 2
        dialogue = [
            self.program(cells),
            self.seed(seed),
            self.load_table(tanh_table(self.config)),
            self.load_ageing(ageing),
        ]
        if self.config.variant_bits:
            dialogue.append(self.load_variants(self.variants(rng, self.config.cols)))
        return dialogue


def planes(u):
    """The word of one input vector."""
    return number(trit_bit_planes(u[None]))

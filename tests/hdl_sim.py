"""The hardware in Amaranth's simulator: a clock, streams with stalls, a golden array that answers.

A ``Twin`` makes command frames and, from the golden array, the whole answer to each; ``converse``
plays frames to the hardware with gaps on either stream; ``check`` compares, word for word.
"""

from dataclasses import dataclass, field

import numpy as np
from amaranth.hdl import Cat
from amaranth.sim import Simulator

from golden import lfsr, protocol, trit
from golden.array import GoldenArray
from golden.config import ArrayConfig
from golden.protocol import HEADER, TRAILER, Cause, Op
from golden.ptable import TICK_BITS, tanh_table

CLOCK_S = 1e-6
PATIENCE = 400  # cycles without a word in or out, of which all chains here take fewer
LONGEST = 500  # words of an answer, more than any here has
SETTLING = 12  # cycles after the last answer in which no other word may follow


def simulate(component, testbench, *, clocked=True):
    """Run the async ``testbench(ctx)`` to its end."""
    simulator = Simulator(component)
    if clocked:
        simulator.add_clock(CLOCK_S)
    simulator.add_testbench(testbench)
    simulator.run()


def number(bits):
    """The integer of an array of bits, flattened, the first lowest."""
    return sum(1 << i for i in np.flatnonzero(np.ravel(bits)).tolist())


def integers(words):
    """Words of shape (n, k), uint32, as ``n`` integers."""
    return [sum(part << 32 * i for i, part in enumerate(word)) for word in words.tolist()]


def random_word(rng, width):
    """An integer of ``width`` random bits."""
    return number(rng.integers(0, 2, width))


# --- what is said and what is to be heard ---


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
    return protocol.control(HEADER, op=op, first=first, count=count, **fields)


class Twin:
    """A golden array that tells the frame of every command and the answer that is due."""

    def __init__(self, config: ArrayConfig):
        self.config = config
        self.golden = GoldenArray(config)
        self.cause = Cause.NONE

    def exchange(self, name, frame, *, results=(), switched=0, steps=None, cause=Cause.NONE):
        """``frame`` (integers) answered by ``results``, its ``cause`` sticky if it is the first."""
        self.cause = self.cause or cause
        op = protocol.field(HEADER, "op", frame[0])
        trailer = protocol.control(TRAILER, cause=self.cause, op=op, switched=switched)
        return Exchange(name, frame, [*results, trailer], self.cause, steps)

    def _well_formed(self, op, words, steps, results=(), switched=0):
        answer = {"results": results, "switched": switched, "steps": steps}
        return self.exchange(op.name, integers(words), **answer)

    def results(self, values, width):
        """Result words of ``values`` of shape (n, ...), each of ``width`` bits."""
        bits = protocol.to_bits(np.asarray(values), width)
        return integers(protocol.to_words(bits, protocol.result_bits(self.config)))

    def status(self):
        """Reports the cause and clears it."""
        reported = self._well_formed(Op.STATUS, protocol.frame(self.config, header(Op.STATUS)), 0)
        self.cause = reported.cause = Cause.NONE
        return reported

    def program(self, bits, first=0):
        self.golden.program(bits, first)
        frame = protocol.program_frame(self.config, bits, first)
        return self._well_formed(Op.PROGRAM, frame, len(bits))

    def read(self, first=0, count=None):
        bits = self.golden.read(first, count)
        frame = protocol.read_frame(self.config, first, len(bits))
        return self._well_formed(Op.READ, frame, len(bits), self.results(bits.swapaxes(1, 2), 1))

    def sums(self, u, first, count):
        """Result words of FORWARD."""
        sums = self.golden.forward(u, first, count)
        groups = sums.reshape(-1, self.config.columns_per_cycle)
        return self.results(groups, self.config.sum_bits)

    def forward(self, u, first=0, count=None):
        count = self.config.cols - first if count is None else count
        results = self.sums(u, first, count)
        frame = protocol.forward_frame(self.config, u, first, count)
        return self._well_formed(Op.FORWARD, frame, len(results), results)

    def errors(self, d, first):
        """Result words of BACKWARD."""
        return self.results(self.golden.backward(d, first), self.config.back_bits)

    def backward(self, d, first=0):
        frame = protocol.backward_frame(self.config, d, first)
        steps = d.size // self.config.columns_per_cycle
        return self._well_formed(Op.BACKWARD, frame, steps, self.errors(d, first))

    def update(self, kappa, code, first=0, blind=False):
        switched = self.golden.update(kappa, code, first, blind=blind)
        frame = protocol.update_frame(self.config, kappa, code, first, blind)
        return self._well_formed(Op.UPDATE, frame, len(code), switched=switched)

    def load_table(self, table):
        count = self.config.switching_variants
        variants = [table.thresholds] * count if table.variants is None else table.variants[:count]
        return self.load_rows(np.concatenate(variants), np.concatenate([table.ticks] * count))

    def load_rows(self, thresholds, ticks, first=0):
        """Rows of the table, (count, 2) each, whatever they are for."""
        self.golden._load_table(thresholds, ticks, first)
        frame = protocol.table_frame(self.config, thresholds, ticks, first)
        return self._well_formed(Op.LOAD_TABLE, frame, len(thresholds))

    def random_rows(self, rng):
        """Any part of the table at random, pulse lengths too."""
        total, codes = protocol.table_rows(self.config), self.config.codes
        first, end = sorted(rng.choice(total + 1, 2, replace=False).tolist())
        thresholds = rng.integers(0, (1 << self.config.draw_bits) + 1, (end - first, 2))
        ticks = rng.integers(0, 1 << TICK_BITS, thresholds.shape)
        index = np.arange(first, end)
        none = (index % codes == 0) & (index < self.config.variants * codes)
        thresholds[none] = ticks[none] = 0
        return self.load_rows(thresholds, ticks, first)

    def load_variants(self, variants, first=0):
        self.golden.load_variants(variants, first)
        frame = protocol.variants_frame(self.config, variants, first)
        return self._well_formed(Op.VARIANTS, frame, len(variants))

    def age(self, first, count):
        """AGE alone, by the ageing rows that there are."""
        switched = self.golden._age(first, count)
        frame = protocol.age_frame(self.config, first, count)
        return self._well_formed(Op.AGE, frame, count, switched=switched)

    def counters(self):
        counts = list(self.golden.activity().values())
        frame = protocol.frame(self.config, header(Op.COUNTERS))
        return self._well_formed(Op.COUNTERS, frame, len(counts), counts)

    def chain(self):
        """The generators' chain, K bits a word, the first out first."""
        return integers(protocol.seed_frame(self.config, self.golden.generators())[1:])

    def seed(self, seed, first_stream=0):
        states = lfsr.stream_states(seed, first_stream, protocol.generators(self.config))
        return self.set_generators(states.reshape(self.config.rows, self.config.cells))

    def set_generators(self, states):
        self.golden.set_generators(states)
        frame = protocol.seed_frame(self.config, states)
        return self._well_formed(Op.SEED, frame, len(frame) - 1)

    def generators(self):
        chain = self.chain()
        frame = protocol.frame(self.config, header(Op.GENERATORS))
        return self._well_formed(Op.GENERATORS, frame, len(chain), chain)

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
        """All cells, generators and counters."""
        state = [self.read(), self.generators()]
        return [*state, self.counters()] if self.config.counters else state

    def dialogue(self, rng):
        """Every command at least once, in a random order, updates more often; all state after."""
        often = [Op.UPDATE, Op.UPDATE, Op.READ, Op.FORWARD, Op.BACKWARD, Op.AGE]
        ops = rng.permutation([*protocol.known(self.config), *often])
        return [self.random(Op(op), rng) for op in ops.tolist()] + self.everything()

    def prepare(self, rng):
        """Cells, generators and table filled; the cells' variants, if they have any."""
        seed = int(rng.integers(1000))
        cells = self.cells(rng, self.config.cols)
        ageing = rng.integers(0, 1 << self.config.draw_bits, (self.config.variants, 2)) // 2
        last = self.config.variants * self.config.codes
        dialogue = [
            self.program(cells),
            self.seed(seed),
            self.load_table(tanh_table(self.config)),
            self.load_rows(ageing, 0 * ageing, last),
        ]
        if self.config.variant_bits:
            dialogue.append(self.load_variants(self.variants(rng, self.config.cols)))
        return dialogue


def planes(u):
    """The word of one input vector."""
    return number(trit.planes(u[None]))


# --- saying it ---


@dataclass
class Record:
    """What was heard. ``accepted``: the cycle of each header; ``ended``: of each trailer."""

    answers: list[list[int]] = field(default_factory=list)
    causes: list[int] = field(default_factory=list)
    accepted: list[int] = field(default_factory=list)
    ended: list[int] = field(default_factory=list)


async def converse(ctx, top, frames, *, gaps=0.0, waits=0.0, seed=0):
    """Play ``frames`` (lists of integers) to ``top`` and hear an answer to each.

    ``gaps`` is the share of cycles without a word for ``i``, ``waits`` of those that do not take
    one from ``o``. Where ``i`` is not valid its payload is random.
    """
    rng = np.random.default_rng(seed)
    words = [
        (word, i == 0, i == len(frame) - 1) for frame in frames for i, word in enumerate(frame)
    ]
    record, answer, held = Record(), [], None
    place, cycle, quiet, offering = 0, 0, 0, False
    width = len(top.i.p.data)
    # One assignment a cycle: the simulator settles after each.
    inputs = Cat(top.i.p.data, top.i.p.last, top.i.valid, top.o.ready)
    outputs = (top.i.ready, top.o.valid, top.o.p.data, top.o.p.last, top.cause)
    while len(record.answers) < len(frames):
        if not offering and place < len(words) and not rng.random() < gaps:
            offering = True
        word, _, end = words[place] if offering else (random_word(rng, width), 0, rng.integers(2))
        ready = not rng.random() < waits
        ctx.set(inputs, word | int(end) << width | offering << width + 1 | ready << width + 2)
        _, _, taken, given, data, last, cause = await ctx.tick().sample(*outputs)
        if held is not None:
            assert (given, data, last) == (1, *held), f"cycle {cycle}: a word was not held"
        held = (data, last) if given and not ready else None
        quiet += 1
        if offering and taken:
            if words[place][1]:
                record.accepted.append(cycle)
            place, quiet, offering = place + 1, 0, False
        if given and ready:
            answer.append(data)
            assert len(answer) <= LONGEST, f"answer {len(record.answers)} does not end, seed {seed}"
            quiet = 0
            if last:
                record.answers.append(answer)
                record.ended.append(cycle)
                record.causes.append(cause)
                answer = []
        cycle += 1
        assert quiet < PATIENCE, (
            f"nothing moves: {place} of {len(words)} words sent, "
            f"{len(record.answers)} of {len(frames)} answers, seed {seed}"
        )
    assert place == len(words), f"answered before {words[place:]} were sent, seed {seed}"
    ctx.set(top.i.valid, 0)
    ctx.set(top.o.ready, 1)
    for _ in range(SETTLING):
        *_, given = await ctx.tick().sample(top.o.valid)
        assert not given, "a word after the last answer"
    return record


def check(record, exchanges, *, timed=False):
    """Every word of every answer, the ``cause`` port, and, without stalls, the cycles."""
    for k, (exchange, answer) in enumerate(zip(exchanges, record.answers, strict=True)):
        where = f"frame {k} ({exchange.name})"
        assert [hex(word) for word in answer] == [hex(word) for word in exchange.answer], where
        # The port follows the trailer's own register: both change with the same edge.
        assert record.causes[k] == exchange.cause, where
        if timed and exchange.steps is not None:
            steps = exchange.steps
            assert record.ended[k] - record.accepted[k] + 1 == steps + protocol.OVERHEAD, where
            if k + 1 < len(exchanges):
                assert record.accepted[k + 1] - record.accepted[k] == steps + 2, where


def play(top, dialogues):
    """Run ``dialogues``, each a list of exchanges and the settings of ``converse``, one after the
    other on one array, and check each."""

    async def testbench(ctx):
        for exchanges, stalls in dialogues:
            record = await converse(ctx, top, [e.frame for e in exchanges], **stalls)
            check(record, exchanges, timed=not (stalls.get("gaps") or stalls.get("waits")))

    simulate(top, testbench)

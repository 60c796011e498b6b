"""The hardware in Amaranth's simulator: a clock, and streams with stalls.

``converse`` plays frames to the hardware with gaps on either stream; ``check`` compares the answers
with those of ``hdl_twin``, word for word.
"""

import sys
from dataclasses import dataclass, field

import numpy as np
from amaranth.hdl import Cat
from amaranth.sim import Simulator

from golden.array.frames import OVERHEAD

CLOCK_S = 1e-6
PATIENCE = 400  # cycles without a word in or out, of which all commands here take fewer
NEXT_HEADER = 9  # cycles beyond its steps after which a command's header is followed by another
LONGEST = 500  # words of an answer, more than any here has
SETTLING = 20  # cycles after the last answer in which no other word may follow


def run(simulator):
    """Run a simulation to its end.

    Coverage is not measured meanwhile: that would take three times as long, and the hardware's
    lines ran when the simulator was made.
    """
    tracer = sys.gettrace()
    sys.settrace(None)
    try:
        simulator.run()
    finally:
        sys.settrace(tracer)


def simulate(component, testbench, *, clocked=True):
    """Run the async ``testbench(ctx)`` to its end."""
    simulator = Simulator(component)
    if clocked:
        simulator.add_clock(CLOCK_S)
    simulator.add_testbench(testbench)
    run(simulator)


def number(bits):
    """The integer of an array of bits, flattened, the first lowest."""
    return sum(1 << i for i in np.flatnonzero(np.ravel(bits)).tolist())


def integers(words):
    """Words of shape (n, k), uint32, as ``n`` integers."""
    return [sum(part << 32 * i for i, part in enumerate(word)) for word in words.tolist()]


def stepped(state, count):
    """A generator's state ``count`` single steps on: the new bit, the exclusive-or of four, enters
    at the top."""
    for _ in range(count):
        new = state ^ state >> 9 ^ state >> 19 ^ state >> 29
        state = state >> 1 | (new & 1) << 63
    return state


def random_word(rng, width):
    """An integer of ``width`` random bits."""
    return number(rng.integers(0, 2, width))


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
        if timed:  # otherwise the next frame's may be there before this trailer is taken
            assert record.causes[k] == exchange.cause, where
        if timed and exchange.steps is not None:
            steps = exchange.steps
            assert record.ended[k] - record.accepted[k] + 1 == steps + OVERHEAD, where
            if k + 1 < len(exchanges):
                assert record.accepted[k + 1] - record.accepted[k] == steps + NEXT_HEADER, where


def play(top, dialogues):
    """Run ``dialogues``, each a list of exchanges and the settings of ``converse``, one after the
    other on one array, and check each."""

    async def testbench(ctx):
        for exchanges, stalls in dialogues:
            record = await converse(ctx, top, [e.frame for e in exchanges], **stalls)
            check(record, exchanges, timed=not (stalls.get("gaps") or stalls.get("waits")))

    simulate(top, testbench)

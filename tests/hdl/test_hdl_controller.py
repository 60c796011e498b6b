# amaranth: UnusedElaboratable=no
"""Malformed frames: each is flagged, answered once, and leaves the array as the golden one is."""

import copy
import dataclasses
from itertools import islice

import numpy as np
import pytest
from hdl_sim import converse, integers, play, random_word, simulate
from hdl_twin import Twin, header, planes

from golden.array import frames
from golden.array.controller import GoldenController
from golden.array.frames import HEADER, TRAILER, Cause, Op
from golden.config import ArrayConfig
from golden.pulse.table import ProbabilityTable
from hdl.array.array_top import ArrayTop

CONFIGS = {
    "ternary": ArrayConfig(rows=3, cols=4, columns_per_cycle=2, draw_bits=8, code_bits=3),
    "binary": ArrayConfig(
        rows=3, cols=5, synapse="binary", draw_bits=8, code_bits=3, counters=False
    ),
    "variants": ArrayConfig(
        rows=3, cols=4, columns_per_cycle=2, draw_bits=8, code_bits=3, variant_bits=1
    ),
}
COLUMN_OPS = (Op.PROGRAM, Op.READ, Op.FORWARD, Op.BACKWARD, Op.UPDATE, Op.AGE, Op.VARIANTS)
DATALESS_OPS = (Op.STATUS, Op.READ, Op.GENERATORS, Op.AGE, Op.COUNTERS)
STALLS = {"gaps": 0.3, "waits": 0.3}
CODES = 8
# Rows of either table may replace those of the other: no column falls.
LOW = 32 * np.arange(CODES)
HIGH = np.where(LOW > 0, LOW + 16, 0)


def table(thresholds):
    both = np.stack([thresholds, thresholds // 2], axis=1)
    return ProbabilityTable(both, both * 3, 1e-12, 8)


def table_frame(config, table):
    return integers(frames.table_frame(config, table.thresholds, table.ticks, 0))


def junk(config, rng, count):
    return [random_word(rng, frames.data_bits(config)) for _ in range(count)]


def nothing_done(twin, name, frame, cause):
    return twin.exchange(name, frame, cause=cause)


# --- the frames of each cause, with what they do to the golden array ---


def opcode(twin, rng):
    config = twin.config
    for op in set(range(16)) - set(frames.known(config)):
        frame = [header(op, count=1), *junk(config, rng, op % 4)]
        yield nothing_done(twin, f"op {op}", frame, Cause.OPCODE)
    used = sum(((1 << width) - 1) << low for low, width in HEADER.values())
    if config.cells == 1:
        used &= ~header(0, blind=1)
    reserved = [bit for bit in range(frames.CONTROL_BITS) if not used >> bit & 1]
    assert len(reserved) == 27 + (config.cells == 1)
    for bit in reserved:
        op = Op(int(rng.choice(frames.known(config))))
        frame = [header(op, count=1) | 1 << bit, *junk(config, rng, int(rng.integers(3)))]
        yield nothing_done(twin, f"{op.name} with bit {bit}", frame, Cause.OPCODE)


def ranges(twin, rng):
    config = twin.config
    cols, unit = config.cols, config.columns_per_cycle
    beyond = [(0, cols + unit), (cols, unit), (cols - unit, 2 * unit), (0xFFFC, 4), (0, 0x8000)]
    bad = {op: [(0, 0), (unit, 0), (0xFFFF, 0xFFFF), *beyond] for op in COLUMN_OPS}
    if unit > 1:
        for op in (Op.FORWARD, Op.BACKWARD):
            bad[op] += [(0, 1), (1, 1), (1, 2), (2, 1), (1, 3)]
    rows = (CODES + 2) * config.variants
    beyond = [(0, rows + 1), (rows, 1), (rows - 1, 2)]
    bad[Op.LOAD_TABLE] = [(0, 0), *beyond, (0xFFFF, 1), (0xFFF8, 8)]
    for op, spans in bad.items():
        if op not in frames.known(config):
            continue
        for i, (first, count) in enumerate(spans):
            frame = [header(op, first, count), *junk(config, rng, i % 3)]
            yield nothing_done(twin, f"{op.name} {first} {count}", frame, Cause.RANGE)


def short(twin, rng):
    config, golden = twin.config, twin.golden
    cols = config.cols
    for op in frames.known(config):
        if op not in DATALESS_OPS:
            frame = [header(op, count=cols - cols % config.columns_per_cycle)]
            yield nothing_done(twin, f"{op.name} without data", frame, Cause.SHORT)
    for done in range(1, cols):
        cells = twin.cells(rng, cols)
        frame = integers(frames.program_frame(config, cells, 0))[: done + 1]
        golden.program(cells[:done])
        yield twin.exchange(f"PROGRAM {done}", frame, cause=Cause.SHORT)

        kappa, code = twin.pulses(rng, cols - 1)
        if done < cols - 1:
            frame = integers(frames.update_frame(config, kappa, code, 1, False))[: done + 1]
            switched = golden.update(kappa[:done], code[:done], 1)
            name = f"UPDATE {done}"
            yield twin.exchange(name, frame, switched=switched, cause=Cause.SHORT)

    groups = cols // config.columns_per_cycle
    for whole in range(3):
        for part in range(1, groups):
            d = rng.integers(-128, 128, (whole + 1, cols))
            frame = integers(frames.backward_frame(config, d, 0))
            frame = frame[: 1 + whole * groups + part]
            results = twin.errors(d[:whole], 0) if whole else ()
            # The vector that is cut short counts as far as it goes.
            end = part * config.columns_per_cycle
            golden.count_read("backward", d[whole:, :end], 0, end)
            yield twin.exchange(
                f"BACKWARD {whole} {part}", frame, results=results, cause=Cause.SHORT
            )

    for done in (1, 4, 7):
        yield twin.load_table(table(LOW))
        frame = table_frame(config, table(HIGH))[: done + 1]
        mixed = np.where(np.arange(CODES) < done, HIGH, LOW)
        golden.load_table(table(mixed))
        yield twin.exchange(f"LOAD_TABLE {done}", frame, cause=Cause.SHORT)

    for done in (1, 8, 13, 63):
        yield twin.seed(int(rng.integers(1000)))
        words = junk(config, rng, done)
        twin.put(twin.led(words))
        yield twin.exchange(f"SEED {done}", [header(Op.SEED), *words], cause=Cause.SHORT)


def long(twin, rng):
    config = twin.config
    for extra in (1, 2, 9):
        words = junk(config, rng, extra)
        for op in set(DATALESS_OPS) & set(frames.known(config)):
            yield nothing_done(twin, op.name, [header(op, count=1), *words], Cause.LONG)
        exchanges = (
            lambda: twin.program(twin.cells(rng, 2), 1),
            lambda: twin.update(*twin.pulses(rng, 3), 1),
            lambda: twin.load_table(table(LOW)),
            lambda: twin.seed(int(rng.integers(1000))),
            *[lambda: twin.load_variants(twin.variants(rng, 2), 1)] * (config.variant_bits > 0),
        )
        for make in exchanges:
            before = copy.deepcopy(twin.controller)
            done = make()
            twin.controller = before  # it is to hear the longer frame alone
            switched = frames.field(TRAILER, "switched", done.answer[0])
            frame = done.frame + words
            yield twin.exchange(done.name, frame, switched=switched, cause=Cause.LONG)


def trits(twin, rng):
    config = twin.config
    cols = config.cols
    for row in range(config.rows):
        for place in range(3):
            u = twin.trits(rng, 3)
            u[place, row] = 0
            frame = [header(Op.FORWARD, count=cols), *map(planes, u)]
            frame[1 + place] |= 1 << config.rows + row
            results = twin.sums(u, 0, cols)
            yield twin.exchange(f"row {row} of {place}", frame, results=results, cause=Cause.TRIT)
    frame = [header(Op.FORWARD, count=cols), ((1 << config.rows) - 1) << config.rows]
    results = twin.sums(np.zeros((1, config.rows), int), 0, cols)
    yield twin.exchange("all rows", frame, results=results, cause=Cause.TRIT)


def values(twin, rng):
    config, golden = twin.config, twin.golden
    width = frames.pulse_bits(config)
    for large in range(config.max_kappa + 1, 4):
        for row in range(config.rows):
            for place in range(2):
                kappa, code = twin.pulses(rng, 2)
                kappa[place, row] = config.max_kappa * (1 if code[place, row] >= 0 else -1)
                frame = integers(frames.update_frame(config, kappa, code, 1, False))
                field = row * width + config.code_bits
                frame[1 + place] += large - config.max_kappa << field
                assert frame[1 + place] >> field & 3 == large
                switched = golden.update(kappa, code, 1)
                name = f"kappa {large} in row {row} of {place}"
                yield twin.exchange(name, frame, switched=switched, cause=Cause.VALUE)

    for code in (0, 1, 5, 7):
        for column, bad in (
            (0, 257),
            (1, 257),
            (0, 511),
            (1, 511),
            *[(0, 1), (1, 1)][: 2 * (not code)],
        ):
            yield twin.load_table(table(LOW))
            frame = table_frame(config, table(HIGH))
            good = frame[1 + code]
            frame[1 + code] = good & ~(511 << 9 * column) | bad << 9 * column
            golden.load_table(table(np.where(np.arange(CODES) == code, LOW, HIGH)))
            yield twin.exchange(f"threshold {bad} of {code}", frame, cause=Cause.VALUE)

    for bit in (18, 33, 34, 49):
        frame = table_frame(config, table(LOW))
        frame[1] |= 1 << bit
        golden.load_table(table(LOW))
        yield twin.exchange(f"bit {bit} of no pulse", frame, cause=Cause.VALUE)
    ageing = config.variants * CODES
    for row in range(2 * config.variants):
        for bad in (257, 257 << 9, 511 | 511 << 9):
            frame = [header(Op.LOAD_TABLE, ageing + row, 1), bad]
            yield twin.exchange(f"threshold of ageing {row}", frame, cause=Cause.VALUE)
            yield twin.age(0, config.cols)


FRAMES = {
    Cause.OPCODE: opcode,
    Cause.RANGE: ranges,
    Cause.SHORT: short,
    Cause.LONG: long,
    Cause.TRIT: trits,
    Cause.VALUE: values,
}


@pytest.mark.covering(1)
@pytest.mark.parametrize(
    ("synapse", "stalls"),
    [("ternary", {}), ("variants", STALLS), ("binary", STALLS)],
    ids=["ternary-flowing", "variants-stalled", "binary-stalled"],
)
@pytest.mark.parametrize("cause", FRAMES, ids=lambda c: c.name)
def test_malformed_frames(cause, synapse, stalls):
    """After each: STATUS tells and clears, all cells and generators as expected, an update too."""
    twin, rng = Twin(CONFIGS[synapse]), np.random.default_rng(cause)
    dialogue = [twin.program(twin.cells(rng, twin.config.cols)), twin.seed(7)]
    dialogue.append(twin.load_table(table(LOW)))
    sound = len(dialogue)
    for exchange in FRAMES[cause](twin, rng):
        dialogue.append(exchange)
        if exchange.steps is None:
            assert exchange.cause == cause
            dialogue.append(twin.status())
            pulses = twin.pulses(rng, twin.config.cols)
            dialogue += [*twin.everything(), twin.update(*pulses)]
            dialogue.append(twin.forward(twin.trits(rng, 1)))
    assert len(dialogue) >= sound + 6 * 10
    dialogue += [twin.status(), *twin.everything()]
    play(ArrayTop(twin.config), [(dialogue, {**stalls, "seed": int(cause)})])


@pytest.mark.parametrize("synapse", CONFIGS)
def test_a_generator_of_zero_stays_zero_and_is_no_error(synapse):
    """No driver asks for it, but the array takes it; it draws 0 until there is another seed."""
    config = CONFIGS[synapse]
    twin, rng = Twin(config), np.random.default_rng(9)
    dialogue = []
    for place in [*range(frames.generators(config)), None]:
        states = rng.integers(1, 1 << 62, (config.rows, config.cells)).astype(np.uint64)
        states.ravel()[place] = 0
        frame = integers(frames.seed_frame(config, states))
        assert twin.led(frame[1:]) == states.ravel().tolist()
        dialogue.append(twin.exchange(f"zero {place}", frame, steps=64))
        after = states.ravel().tolist()
        for _ in range(2):
            words, after = twin.drawn(after)
            name = f"generators with zero {place}"
            draw = twin.exchange(name, [header(Op.GENERATORS)], results=words, steps=64)
            dialogue.append(draw)
    dialogue += [twin.seed(3), *twin.everything(), twin.status()]
    play(ArrayTop(config), [(dialogue, {})])


def test_boundaries_are_not_errors():
    """The last legal value on the good side of each check."""
    twin, rng = Twin(CONFIGS["ternary"]), np.random.default_rng(0)
    top = np.full((4, 3), 1)
    dialogue = [
        twin.program(twin.cells(rng, 4)),
        twin.program(twin.cells(rng, 1), 3),
        twin.read(3, 1),
        twin.load_table(table(np.where(LOW > 0, 256, 0))),
        twin.forward(twin.trits(rng, 1), 2, 2),
        twin.backward(rng.integers(-128, 128, (1, 2)), 2),
        twin.update(2 * top, 7 * top),
        twin.update(-2 * top, -7 * top),
        twin.set_generators(np.full((3, 2), 1 << 63, np.uint64)),
        twin.set_generators(np.ones((3, 2), np.uint64)),
        *twin.everything(),
    ]
    frame = table_frame(twin.config, table(HIGH))
    twin.golden.load_table(table(np.where(np.arange(CODES) < 5, 256 * (LOW > 0), 256)))
    dialogue.append(
        twin.exchange(
            "last codes",
            [header(Op.LOAD_TABLE, 5, 3), *[256 | 128 << 9 | 768 << 18 | 384 << 34] * 3],
            steps=3,
        )
    )
    assert len(frame) == CODES + 1
    play(ArrayTop(twin.config), [(dialogue, {})])


def test_first_cause_stays():
    """Through other causes and sound commands, until STATUS, and only a sound STATUS."""
    twin, rng = Twin(CONFIGS["ternary"]), np.random.default_rng(1)
    dialogue = twin.prepare(rng)
    first = next(trits(twin, rng))
    dialogue += [first, nothing_done(twin, "range", [header(Op.READ, 4, 1)], Cause.RANGE)]
    assert dialogue[-1].cause == Cause.TRIT
    dialogue += [twin.read(), next(values(twin, rng)), *islice(short(twin, rng), 3)]
    dialogue += [nothing_done(twin, "long status", [header(Op.STATUS), 0, 0], Cause.LONG)]
    dialogue += [twin.generators(), twin.forward(twin.trits(rng, 2))]
    assert {exchange.cause for exchange in dialogue[4:]} == {Cause.TRIT}
    dialogue += [twin.status(), twin.status(), *twin.everything()]
    dialogue += [nothing_done(twin, "long status", [header(Op.STATUS), 0], Cause.LONG)]
    dialogue += [nothing_done(twin, "op 9", [header(9)], Cause.OPCODE), twin.status(), twin.read()]
    causes = [exchange.cause for exchange in dialogue[-4:]]
    assert causes == [Cause.LONG, Cause.LONG, Cause.NONE, Cause.NONE]
    play(ArrayTop(twin.config), [(dialogue, {})])


def test_one_frame_with_two_causes_tells_the_first():
    twin, rng = Twin(CONFIGS["ternary"]), np.random.default_rng(2)
    dialogue = twin.prepare(rng)
    kappa, code = twin.pulses(rng, 2)
    kappa[0, 0], code[0, 0] = 2, 0
    frame = integers(frames.update_frame(twin.config, kappa, code, 1, False))
    frame[1] |= 3 << twin.config.code_bits
    switched = twin.golden.update(kappa, code, 1)
    frame += junk(twin.config, rng, 2)
    dialogue.append(twin.exchange("VALUE, LONG", frame, switched=switched, cause=Cause.VALUE))
    dialogue += [twin.status(), *twin.everything()]
    frame = [header(Op.READ, 4, 1) | 1 << 63, 0]
    dialogue += [nothing_done(twin, "OPCODE, RANGE, LONG", frame, Cause.OPCODE), twin.status()]
    frame = [header(Op.READ, 4, 1), 0]
    dialogue += [nothing_done(twin, "RANGE, LONG", frame, Cause.RANGE), twin.status()]
    play(ArrayTop(twin.config), [(dialogue, {})])


@pytest.mark.parametrize("synapse", CONFIGS)
def test_nonsense_gets_one_answer_a_frame(synapse):
    """Random frames of any length: one answer each, then a sound dialogue on the same array."""
    # What counters show depends on all that was.
    config = dataclasses.replace(CONFIGS[synapse], counters=False)
    rng = np.random.default_rng(6)
    sent = []
    for _ in range(150):
        small = int(rng.integers(3)) > 0
        span = rng.integers(0, config.cols + 1 if small else 1 << 16, 2).tolist()
        word = header(
            int(rng.integers(0, len(Op) if small else 16)), *span, blind=int(rng.integers(2))
        )
        sent.append([word, *junk(config, rng, int(rng.integers(0, 12)))])
        sent.append([header(Op.STATUS)])
    twin = Twin(config)
    free = np.zeros((config.cols, config.rows, config.cells), int)
    dialogue = [twin.load_variants(free)] if config.variant_bits else []
    dialogue += twin.prepare(rng) + twin.dialogue(rng)
    top = ArrayTop(config)

    async def testbench(ctx):
        record = await converse(ctx, top, sent, gaps=0.2, waits=0.2, seed=1)
        controller = GoldenController(config)
        for frame, answer in zip(sent, record.answers, strict=True):
            assert frames.field(TRAILER, "op", answer[-1]) == frame[0] & 15
            expected = controller.answer(frame)
            assert answer == expected.words, expected.what
        causes = {frames.field(TRAILER, "cause", answer[-1]) for answer in record.answers[1::2]}
        assert causes >= {Cause.NONE, Cause.OPCODE, Cause.RANGE, Cause.SHORT, Cause.LONG}
        record = await converse(ctx, top, [exchange.frame for exchange in dialogue])
        assert record.answers == [exchange.answer for exchange in dialogue]

    simulate(top, testbench)

"""Golden controller and driver against an array of plain integers that decodes frames by hand."""

import contextlib
import io
import re
from pathlib import Path

import numpy as np
import pytest
from frame_decoder import (  # fmt: skip
    AGE,
    BACKWARD,
    COUNTED,
    COUNTERS,
    FORWARD,
    GENERATORS,
    LOAD_TABLE,
    LONG,
    NONE,
    OPCODE,
    PROGRAM,
    RANGE,
    READ,
    SEED,
    SHORT,
    STATUS,
    TRIT,
    UPDATE,
    VALUE,
    VARIANTS,
    PlainArray,
    header,
    joined,
    trailer_fields,
)
from hypothesis import given, settings
from hypothesis import strategies as st

from golden.array.controller import GoldenController
from golden.array.driver import ArrayDriver
from golden.array.frames import TRAILER, Cause, control, read_frame
from golden.array.golden import GoldenArray
from golden.array.lfsr import stream_states
from golden.array.lockstep import LockstepArray
from golden.config import ArrayConfig
from golden.pulse.table import ProbabilityTable, tanh_table

CONFIGS = [
    ArrayConfig(rows=3, cols=4, columns_per_cycle=2, draw_bits=8, code_bits=2, error_bits=4),
    ArrayConfig(rows=2, cols=3, synapse="binary", draw_bits=8, code_bits=2, error_bits=3),
    ArrayConfig(rows=3, cols=2, draw_bits=16, code_bits=3, variant_bits=1),
    ArrayConfig(rows=2, cols=4, synapse="binary", columns_per_cycle=4, code_bits=2, variant_bits=2),
    ArrayConfig(rows=5, cols=3, draw_bits=32, code_bits=2, error_bits=16, counters=False),
]
each_config = pytest.mark.parametrize("config", CONFIGS, ids=lambda c: f"{c.rows}x{c.cols}")
OPS = [PROGRAM, READ, FORWARD, BACKWARD, UPDATE, LOAD_TABLE, SEED, GENERATORS, VARIANTS, AGE,
       COUNTERS, STATUS]  # fmt: skip
DATALESS = (STATUS, READ, GENERATORS, AGE, COUNTERS)
DAMAGES = ["none"] * 12 + ["cut", "more", "op", "range", "reserved", "bit", "noise"]


def plain(config):
    """The array of plain integers."""
    return PlainArray(
        config.rows, config.cols, 2 if config.synapse == "ternary" else 1,
        config.columns_per_cycle, config.code_bits, config.draw_bits, config.error_bits,
        config.variant_bits, config.counters,
        stream_states(0, 0, config.rows * config.cells).tolist(),
    )  # fmt: skip


class Frames:
    """Random frames, header and words put together by hand."""

    def __init__(self, array, rng):
        self.array, self.rng = array, rng

    def integers(self, low, high, count):
        """Integers from ``low`` to ``high``."""
        return self.rng.integers(low, high + 1, count).tolist()

    def span(self, size, unit=1):
        """First and count of a random range."""
        ends = sorted(self.rng.choice(size // unit + 1, 2, replace=False).tolist())
        return ends[0] * unit, (ends[1] - ends[0]) * unit

    def noise(self):
        return joined(self.integers(0, 1, self.array.data_bits), 1)

    def sound(self, op):
        array, rows, per = self.array, self.array.rows, self.array.per
        unit = array.unit if op in (FORWARD, BACKWARD) else 1
        size = len(array.table) if op == LOAD_TABLE else array.cols
        first, count = self.span(size, unit)
        batch, blind = self.integers(1, 3, 1)[0], 0
        words = []
        if op == PROGRAM:
            words = [joined(self.integers(0, 1, rows * per), 1) for _ in range(count)]
        elif op == FORWARD:
            for _ in range(batch):
                trits = self.integers(-1, 1, rows)
                planes = [t != 0 for t in trits] + [t < 0 for t in trits]
                words.append(joined(map(int, planes), 1))
        elif op == BACKWARD:
            words = [joined(self.integers(0, 2**array.error_bits - 1, unit), array.error_bits)
                     for _ in range(batch * count // unit)]  # fmt: skip
        elif op == UPDATE:
            blind = int(per == 2 and self.rng.random() < 0.5)
            for _ in range(count):
                code = self.integers(0, array.codes - 1, rows)
                kappa, up = self.integers(0, per, rows), self.integers(0, 1, rows)
                fields = zip(code, kappa, up, strict=True)
                pulses = [c + array.codes * (k + 4 * u) for c, k, u in fields]
                words.append(joined(pulses, array.pulse_bits))
        elif op == LOAD_TABLE:
            words = [self.row(index) for index in range(first, first + count)]
        elif op == SEED:
            words = [joined(self.integers(0, 1, rows * per), 1) for _ in range(64)]
        elif op == VARIANTS:
            bits = rows * per * array.variant_bits
            words = [joined(self.integers(0, 1, bits), 1) for _ in range(count)]
        if op in (STATUS, SEED, GENERATORS, COUNTERS):
            first = count = 0
        return [header(op, first, count, blind), *words]

    def row(self, index):
        """A row of the table."""
        array = self.array
        if index < array.kinds * array.codes and index % array.codes == 0:
            return 0
        thresholds = self.integers(0, 2**array.draw_bits, 2)
        return joined(thresholds, array.draw_bits + 1) + (
            joined(self.integers(0, 65535, 2), 16) << 2 * array.draw_bits + 2
        )

    def damaged(self, frame, damage):
        head, *words = frame
        pick = int(self.rng.integers(1 << 30))
        if damage == "cut":
            return frame[: 1 + pick % max(1, len(words))]
        if damage == "more":
            return [*frame, *[self.noise() for _ in range(1 + pick % 3)]]
        if damage == "op":
            return [head // 16 * 16 + pick % 16, *words]
        if damage == "range":
            first, count = self.integers(0, self.array.cols + 2, 2)
            return [header(head % 16, first, count), *words]
        if damage == "reserved":
            return [head | 1 << [*range(5, 16), *range(48, 64)][pick % 27], *words]
        if damage == "bit" and words:
            words[pick % len(words)] ^= 1 << pick % self.array.data_bits
            return [head, *words]
        if damage == "noise":
            return [head, *[self.noise() for _ in words]]
        return frame

    def random(self):
        """Any frame, mostly a sound one."""
        op = OPS[int(self.rng.integers(len(OPS)))]
        return self.damaged(self.sound(op), DAMAGES[int(self.rng.integers(len(DAMAGES)))])

    def prologue(self):
        """Every cell, every row of the table."""
        array = self.array
        cells = [joined(self.integers(0, 1, array.rows * array.per), 1) for _ in range(array.cols)]
        table = [self.row(index) for index in range(len(array.table))]
        return [
            [header(PROGRAM, 0, array.cols), *cells],
            [header(LOAD_TABLE, 0, len(table)), *table],
        ]


def same_state(array, golden):
    """All cells, variants, generators, rows of the table and counters."""
    assert golden.cells.astype(int).tolist() == array.cells
    assert golden.variants.tolist() == array.variants
    assert golden.generator_states.ravel().tolist() == array.states
    switching = max(1, array.kinds - 1)
    for variant in range(switching):  # stuck cells have rows without effect
        rows = array.table[variant * array.codes :][: array.codes]
        assert golden.thresholds[variant].tolist() == [row for row, _ in rows]
        ageing = array.table[array.kinds * array.codes + 2 * variant :][:2]
        assert golden.ageing[variant].tolist() == [row[: array.per] for row, _ in ageing]
    assert golden.ticks.tolist() == [ticks for _, ticks in array.table[: array.codes]]
    if array.counting:
        assert list(golden.activity_counts.counts().values()) == list(array.counts.values())


@settings(max_examples=40)
@given(config=st.sampled_from(CONFIGS), seed=st.integers(0, 2**32 - 1))
def test_any_frames_get_the_answers_of_plain_integers(config, seed):
    """Sound and damaged frames: words, cause, fault, cycles and, after each, the whole state."""
    controller, array = GoldenController(config), plain(config)
    frames = Frames(array, np.random.default_rng(seed))
    cycles = 0
    for frame in [*frames.prologue(), *[frames.random() for _ in range(25)]]:
        expected, fault, spent = array.answer(frame)
        answer = controller.answer(frame)
        assert answer.words == expected, answer.what
        assert (answer.fault, answer.cause) == (fault, array.sticky), answer.what
        assert answer.cycles == spent, answer.what
        assert controller.cause == array.sticky
        same_state(array, controller.array)
        cycles += spent or 0
    assert controller.cycles == cycles


def test_the_random_frames_meet_every_command_and_every_fault():
    seen, sticky = set(), 0
    for seed, config in enumerate(CONFIGS * 4):
        array = plain(config)
        frames = Frames(array, np.random.default_rng(seed))
        for frame in [*frames.prologue(), *[frames.random() for _ in range(50)]]:
            words, fault, _ = array.answer(frame)
            trailer = trailer_fields(words[-1])
            seen.add((trailer["op"] if fault == NONE else -1, fault))
            sticky += trailer["cause"] != fault
    assert seen >= {(op, NONE) for op in OPS}
    assert seen >= {(-1, fault) for fault in (OPCODE, RANGE, SHORT, LONG, TRIT, VALUE)}
    assert sticky


class Wire:
    """A transport to an array of plain integers."""

    def __init__(self, config):
        self.array, self.cycles = plain(config), 0

    def command(self, frame, results):
        parts = -(-self.array.data_bits // 32)
        assert frame.shape[1] == parts
        assert frame.dtype == np.uint32
        integers = [joined(word, 32) for word in frame.tolist()]
        *words, trailer = self.array.answer(integers)[0]
        assert len(words) == results
        size = -(-self.array.result_bits // 32)
        split = [[word >> 32 * i & 0xFFFFFFFF for i in range(size)] for word in words]
        return np.array(split, np.uint32).reshape(len(words), size), trailer


def exercise(array, rng):
    """Every command of the interface on random data."""
    config = array.config
    shape = config.cols, config.rows
    limit = config.max_error
    array.verify()
    for round_ in range(4):
        thresholds = rng.integers(
            0, (1 << config.draw_bits) + 1, (config.variants, config.codes, 2)
        )
        thresholds = np.sort(thresholds, axis=1)
        thresholds[:, 0] = 0
        ticks = rng.integers(0, 1 << 16, (config.codes, 2))
        ticks[0] = 0
        table = ProbabilityTable(thresholds[0], ticks, 1e-12, config.draw_bits, variants=thresholds)
        array.load_table(tanh_table(config) if round_ == 3 else table)
        array.seed(round_, 5)
        if config.variant_bits:
            array.load_variants(rng.integers(0, config.variants, (*shape, config.cells)))
        array.program(rng.integers(0, 2, (*shape, config.cells)))
        array.forward(rng.integers(-1, 2, (2, config.rows)))
        array.backward(rng.integers(-limit - 1, limit + 1, (2, config.cols)))
        sign = rng.choice([-1, 1], shape)
        kappa = sign * rng.integers(0, config.max_kappa + 1, shape) * rng.integers(0, 2, shape)
        code = sign * rng.integers(0, config.codes, shape)
        array.update(kappa, code, blind=bool(round_ % 2))
        array.age(rng.integers(0, 1 << config.draw_bits, (config.switching_variants, 2)))
        array.update(kappa[:1], code[:1], config.cols - 1)
        array.verify()


@each_config
def test_the_driver_speaks_to_plain_integers_as_to_an_array(config):
    driver = ArrayDriver(config, Wire(config))
    driver_cycles = GoldenArray(config)
    pair = LockstepArray(driver_cycles, driver)
    driver_cycles._tick = lambda *_: None  # plain integers have no clock
    exercise(pair, np.random.default_rng(1))
    assert pair.compared > 200


@each_config
def test_the_driver_speaks_to_the_golden_controller_as_to_an_array(config):
    """In the cycles of every command, too."""
    device = GoldenController(config)
    pair = LockstepArray(GoldenArray(config), ArrayDriver(config, device))
    exercise(pair, np.random.default_rng(2))
    assert pair.compared > 200
    assert pair.other.counters.cycles == device.cycles > 0


def test_a_driver_hears_of_a_fault_and_goes_on():
    config = CONFIGS[0]
    device = GoldenController(config)
    driver = ArrayDriver(config, device)
    device.answer([header(15)])
    with pytest.raises(RuntimeError, match=r"^the array answered with error OPCODE and 4 results"):
        driver.read()
    assert device.cause is Cause.NONE
    assert not driver.read().any()


def test_a_longer_answer_than_the_driver_expects_is_an_error():
    device = GoldenController(CONFIGS[0])
    frame = read_frame(CONFIGS[0], 0, 2)
    with pytest.raises(RuntimeError, match=r"answered with 2 results, not at most 1$"):
        device.command(frame, 1)


@pytest.mark.parametrize(
    ("frame", "message"),
    [
        ([], r"^frame must have a header word, not \[\]$"),
        ([1, -1], r"^frame\[1\] must be a word of 64 bits, not -0x1$"),
        ([1 << 64], r"^frame\[0\] must be a word of 64 bits, not 0x10000000000000000$"),
    ],
)
def test_a_frame_must_be_one(frame, message):
    with pytest.raises(ValueError, match=message):
        GoldenController(CONFIGS[0]).answer(frame)


def test_a_reset_leaves_cells_and_table():
    config = CONFIGS[0]
    device, frames = GoldenController(config), Frames(plain(config), np.random.default_rng(3))
    for frame in [*frames.prologue(), [header(UPDATE, 0, 4), 7, 7, 7, 7], [header(15)]]:
        device.answer(frame)
    cells, thresholds = device.array.cells, device.array.thresholds
    device.reset()
    assert device.cause is Cause.NONE
    assert device.array.generator_states.ravel().tolist() == frames.array.power_up
    counts = device.answer([header(COUNTERS)]).words[:-1]
    assert len(counts) == len(COUNTED)
    assert not any(counts)
    assert (device.array.cells == cells).all()
    assert cells.any()
    assert (device.array.thresholds == thresholds).all()


def test_the_page_of_the_hardware_prints_what_it_says():
    """Its Python with a golden controller; the block before it makes ``config``."""
    page = (Path(__file__).parents[2] / "docs" / "hardware.md").read_text()
    [code] = [
        code
        for code in re.findall(r"```python\n(.*?)```", page, re.DOTALL)
        if "GoldenController" in code
    ]
    output = io.StringIO()
    with contextlib.redirect_stdout(output):
        exec(compile(code, "hardware.md", "exec"), {"config": ArrayConfig(rows=64, cols=64)})
    promised = re.findall(r"print\(.*\)  # (.+)", code)
    assert output.getvalue().splitlines() == promised
    assert len(promised) == 2


def test_trailer_fields_are_those_of_the_protocol():
    word = control(TRAILER, cause=5, op=9, switched=0xFFFFFFFF)
    assert trailer_fields(word) == {"cause": 5, "op": 9, "switched": 0xFFFFFFFF}

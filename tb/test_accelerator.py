"""The Verilated accelerator against its twin: every memory, cell, generator and counter."""

from dataclasses import dataclass, field, replace
from functools import cache

import numpy as np
import pytest

from golden.accel.compiler import Plan, Settings, sized
from golden.accel.config import AcceleratorConfig
from golden.accel.interface import Counts, ProgramError, Space
from golden.accel.lockstep import LockstepAccelerator
from golden.accel.network import ChipNetwork
from golden.accel.program import Code, Instruction, assemble
from golden.accel.twin import GoldenAccelerator
from golden.config import ArrayConfig
from golden.network import notation
from golden.network.notation import Block
from golden.pulse.table import tanh_table
from golden.registers import by_name
from sim.accelerator import RtlAccelerator, build

pytestmark = pytest.mark.usefixtures("quick")


@dataclass(frozen=True)
class Case:
    """A network, and how it is trained."""

    network: str
    shape: tuple[int, ...]
    classes: int
    batch: int
    settings: Settings = field(default_factory=Settings)
    adc: int = 0
    learning_rate: float = 0.3

    @property
    def blocks(self):
        return [*notation.parse(self.network), Block(self.classes)]


# No number of outputs or inputs fits its words: groups and rows are left over everywhere.
DENSE = {
    "dense": Case("7FC", (10,), 3, 5),
    "deep-blind": Case("9FC-5FC", (7,), 5, 4, Settings(blind=True, learn=0, dead_zone=0.5)),
    "binary-activation": Case("11FC", (13,), 3, 4, Settings(threshold=0.0, window=0.7)),
    "adc": Case("8FC", (30,), 4, 3, Settings(dead_zone=1.0), adc=2),
    "batch-1": Case("6FC", (4,), 3, 1, Settings(learn=5)),
}
IMAGES = {
    "image": Case("5C3p1-MP2-6C2-9FC", (5, 6, 3), 4, 3, Settings(dead_zone=0.2)),
    "image-padding-2": Case("3C3p2-7C3p1-MP2-5FC", (3, 4, 1), 3, 2, Settings(learn=0, window=0.3)),
}
DESIGNS = {
    "ternary-6x2": (ArrayConfig(rows=6), 2, {**DENSE, **IMAGES}),
    "binary-4x4": (
        ArrayConfig(rows=4, synapse="binary", draw_bits=8, code_bits=3), 4, {**DENSE, **IMAGES},
    ),
    # Words of errors in five parts, of eight lanes each.
    "ternary-35x1": (
        ArrayConfig(rows=35, draw_bits=8, code_bits=3), 1,
        {name: {**DENSE, **IMAGES}[name] for name in ("dense", "batch-1", "image")},
    ),
}  # fmt: skip
LARGE = ("binary-4x4", "ternary-35x1")  # left to make test-full


def around(array: ArrayConfig, tiles: int, cases) -> AcceleratorConfig:
    """The smallest accelerator that holds each of the cases."""
    each = [sized(case.blocks, case.shape, array, tiles, case.batch) for case in cases]
    sizes = {
        name: max(getattr(config, name) for config in each)
        for name in ("activation_words", "error_words", "positions", "threshold_words",
                     "program_words")
    }  # fmt: skip
    cols = max(config.array.cols for config in each)
    return AcceleratorConfig(array=replace(array, cols=cols), tiles=tiles, **sizes)


CONFIGS = {
    name: around(array, tiles, cases.values()) for name, (array, tiles, cases) in DESIGNS.items()
}


class Limited(Plan):
    """A plan whose sums are clipped."""

    adc = 0

    def _forward(self, layer, batch, *, train):
        return replace(super()._forward(layer, batch, train=train), adc=self.adc)


@cache
def built(design: str):
    """The library of a design; what it is made of takes seconds."""
    return build(CONFIGS[design])


def lockstep(design: str) -> LockstepAccelerator:
    config = CONFIGS[design]
    return LockstepAccelerator(GoldenAccelerator(config), RtlAccelerator(config, built(design)))


def train(block: LockstepAccelerator, case: Case) -> None:
    """Three training steps and a prediction; all that both hold is compared after each."""
    block.verify()  # at power-up
    plan = Limited(case.blocks, case.shape, block.config, case.batch, case.settings)
    plan.adc = case.adc
    network = ChipNetwork(block, plan, tanh_table(block.config.array), 3)
    rng = np.random.default_rng(5)
    network.initialise(rng, 0.4)
    losses = []
    for size in (case.batch, case.batch, max(case.batch - 1, 1)):  # the last batch is shorter
        u = rng.integers(-1, 2, (size, *case.shape))
        labels = rng.integers(0, case.classes, size)
        step = network.train_step(u, labels, case.learning_rate)
        losses.append(step.loss)
        block.verify()
    counts = block.counts()
    assert all(count for name, count in vars(counts).items() if name != "switched"), counts
    assert counts.switched or case.batch == 1  # a batch of one is its own mean: no error is left
    assert len(set(losses)) == 3
    if case.settings.learn:
        assert block.read(Space.THRESHOLDS)[..., 3].any()
    before = block.compared
    classes = network.predict(rng.integers(-1, 2, (2 * case.batch + 1, *case.shape)))
    assert len(set(classes.tolist())) <= case.classes
    block.verify()
    assert block.compared > before


@pytest.mark.parametrize(
    ("design", "name"),
    [
        pytest.param(design, name, marks=[pytest.mark.full] if design in LARGE else [])
        for design, (_, _, cases) in DESIGNS.items()
        for name in cases
    ],
)
def test_training_equals_the_twin(design, name):
    train(lockstep(design), DESIGNS[design][2][name])


@pytest.mark.parametrize(
    "design",
    [
        pytest.param(design, marks=[pytest.mark.full] if design in LARGE else [])
        for design in DESIGNS
    ],
)
def test_memories_hold_what_is_written(design):
    """All of each, then a part; ``read`` and ``verify`` compare with the twin."""
    block, rng = lockstep(design), np.random.default_rng(7)
    for space in Space:
        if space in (Space.RESULTS, Space.GENERATORS):
            continue
        words, shape, low, high = block.layout(space)
        values = rng.integers(low, high + 1, (words, *shape))
        if space is Space.THRESHOLDS:
            values[..., 2] &= 1
            values[..., 3] >>= 8
        block.write(space, values)
        before = block.read(space)
        block.write(space, values[:2], words - 2)
        assert (block.read(space) != before).any()
    block.verify()


SOUND = Instruction(code=Code.FORWARD, score=1)


@pytest.mark.parametrize("design", ["ternary-6x2"])
@pytest.mark.parametrize(
    "wrong",
    [
        Instruction(code=9),
        replace(SOUND, groups=0),
        replace(SOUND, columns=0),
        replace(SOUND, in_base=60000),
        replace(SOUND, cells=60000),
        replace(SOUND, thresholds=60000),
        replace(SOUND, state=200),
        replace(SOUND, train=1, errors=60000),
        replace(SOUND, score=0, out_base=60000),
        Instruction(code=Code.BACKWARD, in_errors=60000),
        Instruction(code=Code.BACKWARD, errors=60000),
        Instruction(code=Code.UPDATE, in_base=60000),
        Instruction(code=Code.UPDATE, learn=3, thresholds=60000),
    ],
    ids=lambda step: "-".join(
        [Code(step.code).name if step.code < 4 else "unknown"]
        + [f"{n}{v}" for n, v in vars(step).items() if v != getattr(SOUND, n) and n != "code"]
    ),
)
def test_wrong_program_fails_at_the_same_word(design, wrong):
    block = lockstep(design)
    program = assemble([SOUND, wrong])
    block.write(Space.PROGRAM, program)
    with pytest.raises(ProgramError, match=rf"^program word {len(program) // 3}: "):
        block.run(0, 1)
    # How far it came is the hardware's own affair; what it must not touch is as it was.
    block.other.transport.write_register(by_name()["CONTROL"].address, 8)  # resets the counters
    block.reference._counts = Counts()
    for space in (Space.PROGRAM, Space.LABELS, Space.THRESHOLDS, Space.STATES):
        block.read(space)
    for number in range(block.config.tiles):
        block.tile(number).read()
    if wrong.code != Code.UPDATE:  # which draws as it goes
        block.generators()
        for number in range(block.config.tiles):
            block.tile(number).generators()
    block.run(2 * len(program) // 3, 1)  # END alone
    assert block.counts().cycles

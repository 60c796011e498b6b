"""Two accelerators in lock step: equal ones pass and are counted, any difference is named."""

import numpy as np
import pytest

from golden.accel.compiler import Plan, Settings, sized
from golden.accel.interface import Counts, ProgramError, Space
from golden.accel.lockstep import LockstepAccelerator
from golden.accel.network import ChipNetwork
from golden.accel.program import Code, Instruction, assemble
from golden.accel.twin import GoldenAccelerator
from golden.array.lockstep import LockstepArray, Mismatch
from golden.config import ArrayConfig
from golden.network import notation
from golden.network.notation import Block
from golden.pulse.table import tanh_table

BLOCKS = [*notation.parse("5FC"), Block(3)]
BATCH = 4
CONFIG = sized(BLOCKS, (6,), ArrayConfig(rows=4, code_bits=3), 2, BATCH)
WRITABLE = [space for space in Space if space not in (Space.RESULTS, Space.GENERATORS)]


def trained(faulty=GoldenAccelerator, reference=GoldenAccelerator):
    """A pair that has done two training steps, and its network."""
    block = LockstepAccelerator(reference(CONFIG), faulty(CONFIG))
    network = ChipNetwork(
        block, Plan(BLOCKS, (6,), CONFIG, BATCH, Settings()), tanh_table(CONFIG.array), 3
    )
    rng = np.random.default_rng(1)
    network.initialise(rng, 0.5)
    for size in (BATCH, BATCH - 1):
        network.train_step(rng.integers(-1, 2, (size, 6)), rng.integers(0, 3, size), 0.4)
    return block, network


class OneMoreSwitched(GoldenAccelerator):
    def counts(self):
        counts = super().counts()
        counts.switched += counts.switched > 0
        return counts


class OneMoreCycle(GoldenAccelerator):
    def _run(self, pc, batch):
        self._counts.cycles += 1
        return super()._run(pc, batch)


class WrongScore(GoldenAccelerator):
    def _run(self, pc, batch):
        results = super()._run(pc, batch)
        results[2, 1] += 5
        return results


class OtherClass(GoldenAccelerator):
    def _run(self, pc, batch):
        results = super()._run(pc, batch)
        results[1, 0] ^= 1
        return results


def test_equal_accelerators_pass_and_are_counted():
    block, network = trained()
    alone = GoldenAccelerator(CONFIG)
    before = block.compared
    block.verify()
    words = sum(alone.read(space).size for space in Space if space is not Space.GENERATORS)
    cells = 2 * CONFIG.array.rows * CONFIG.array.cols * 2
    assert block.compared - before > words + cells
    assert network.predict(np.ones((BATCH, 6), np.int8)).shape == (BATCH,)
    counts = block.counts()
    assert counts == block.reference.counts()
    assert counts.cycles
    assert counts.switched
    assert isinstance(block.tile(1), LockstepArray)
    assert block.tile(1) is block.tile(1)
    assert (block.generators() == block.reference.generators()).all()


def test_results_are_those_of_one_accelerator():
    block, _ = trained()
    alone = GoldenAccelerator(CONFIG)
    for space in WRITABLE:
        alone.write(space, block.read(space))
    for number in range(CONFIG.tiles):
        alone.tile(number).load_table(tanh_table(CONFIG.array))
        alone.tile(number).set_state(block.tile(number).state())
    alone.set_generators(block.generators())
    batch = BATCH - 1
    assert (block.run(0, batch) == alone.run(0, batch)).all()
    assert (block.read(Space.ACTIVATIONS) == alone.read(Space.ACTIVATIONS)).all()


@pytest.mark.parametrize(
    ("faulty", "what"),
    [
        (OneMoreSwitched, r"^counter switched differs: expected \d+, got \d+$"),
        (OneMoreCycle, r"^counter cycles differs: expected (\d+), got \d+$"),
        (WrongScore, r"^result differs at sample 2, part 1: "),
        (OtherClass, r"^result differs at sample 1, part 0: "),
    ],
)
def test_what_a_program_does_is_compared(faulty, what):
    with pytest.raises(Mismatch, match=what):
        trained(faulty)


@pytest.mark.parametrize("space", [space for space in Space if space is not Space.GENERATORS])
def test_every_memory_is_compared(space):
    block, _ = trained()
    block.verify()
    memory = block.other._memory(space)
    last = tuple(size - 1 for size in memory.shape)
    memory[last] ^= 1
    with pytest.raises(Mismatch, match=rf"^{space.name} differs at .* {last[0]}\b") as caught:
        block.verify()
    assert list(caught.value.where.values()) == list(last)
    assert caught.value.count == 1
    with pytest.raises(Mismatch):
        block.read(space, last[0])
    if last[0]:
        block.read(space, 0, last[0])  # those before are equal


def test_generators_and_tiles_are_compared():
    block, _ = trained()
    block.other.seed(8)
    with pytest.raises(Mismatch, match=r"^coder generator differs at tile 0: "):
        block.verify()
    block, _ = trained()
    tile = block.other.tile(1)
    bits = tile.read(3, 1)
    bits[0, 2, 1] ^= True
    tile.program(bits, 3)
    with pytest.raises(
        Mismatch, match=r"^cell bit differs at tile 1, column 3, row 2, cell 1: "
    ) as caught:
        block.verify()
    assert caught.value.count == 1


def test_commands_to_tiles_are_compared():
    block, _ = trained()
    block.other.tile(0).program(~block.other.tile(0).read())
    with pytest.raises(Mismatch, match=r"^column sum differs at sample 0, column "):
        block.tile(0).forward(np.ones((2, 4), np.int8))


def failing(at):
    """An accelerator whose program fails at a word, or not if ``at`` is None."""

    class Failing(GoldenAccelerator):
        def _run(self, pc, batch):
            if at is not None:
                raise ProgramError(at, "as wished")
            return np.zeros((batch, 2), np.int64)

    return Failing(CONFIG)


def test_programs_that_fail_must_fail_at_the_same_word():
    for wrong in (Instruction(code=Code.FORWARD, groups=0), Instruction(code=9)):
        block, _ = trained()
        block.write(Space.PROGRAM, assemble([Instruction(code=Code.END)]), 0)
        block.write(Space.PROGRAM, assemble([wrong]), 21)
        with pytest.raises(ProgramError, match=r"^program word 21: "):
            block.run(21, 1)
    for pair, what in (((4, 25), "word of the instruction at fault differs: expected 4, got 25"),
                       ((4, None), "number of accelerators that fail differs: expected 2, got 1"),
                       ((None, 4), "number of accelerators that fail differs")):  # fmt: skip
        block = LockstepAccelerator(*(failing(at) for at in pair))
        with pytest.raises(Mismatch, match=what):
            block.run(0, 1)


def test_two_of_one_configuration_are_needed():
    golden = GoldenAccelerator(CONFIG)
    with pytest.raises(TypeError, match=r"^other must be an Accelerator, not None"):
        LockstepAccelerator(golden, None)
    with pytest.raises(TypeError, match=r"^reference must be an Accelerator, not 3"):
        LockstepAccelerator(3, golden)
    larger = GoldenAccelerator(sized(BLOCKS, (6,), CONFIG.array, 1, BATCH))
    with pytest.raises(ValueError, match=r"^other must have config "):
        LockstepAccelerator(golden, larger)
    block, _ = trained()
    with pytest.raises(ValueError, match="number"):
        block.tile(2)
    assert block.counts() != Counts()

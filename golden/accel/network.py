"""A network on an accelerator, which gets samples, labels and a learning rate from the host."""

from typing import Any

import numpy as np

from golden import checks
from golden.accel.compiler import Plan
from golden.accel.config import OFFSET_BITS, SCORE_FRACTION
from golden.accel.interface import Accelerator, Space
from golden.accel.program import Code, Instruction, assemble
from golden.accel.twin import GoldenAccelerator
from golden.array.interface import SynapseArray
from golden.config import ArrayConfig
from golden.matrix.reads import Reads
from golden.network.synapse_network import Step, SynapseNetwork
from golden.pulse.table import ProbabilityTable


class ChipMatrix:
    """The weights of a layer in an accelerator's tiles, a matrix (n_in, n_out).

    Attributes
    ----------
    reads : golden.matrix.reads.Reads or None
        Counter of the reads of its cells, if any.
    """

    def __init__(self, accelerator: Accelerator, plan: Plan, number: int):
        self._accelerator, self._plan = accelerator, plan
        self._layer = layer = plan.layers[number]
        self.name, self.n_in, self.n_out = layer.name, layer.n_in, layer.n_out
        self.config: ArrayConfig = accelerator.config.array
        self.reads: Reads | None = None

    def program(self, bits: np.ndarray) -> None:
        """Write cell bits of shape (n_out, n_in, cells)."""
        form, array, layer = self._layer.form, self.config, self._layer
        bits = checks.integers("bits", bits, (self.n_out, self.n_in, array.cells), 0, 1)
        for number in range(self._accelerator.config.tiles):
            part = bits[self._plan.columns(layer, number)]
            full = np.zeros((form.groups, form.taps * array.rows, array.cells), np.uint8)
            full[: len(part), layer.rows(array)] = part
            by_tap = full.reshape(form.groups, form.taps, array.rows, array.cells).swapaxes(0, 1)
            columns = by_tap.reshape(-1, array.rows, array.cells)
            self._accelerator.tile(number).program(columns, form.cells)

    def read(self) -> np.ndarray:
        """Cell bits, (n_out, n_in, cells), bool."""
        form, array, layer = self._layer.form, self.config, self._layer
        bits = np.empty((self.n_out, self.n_in, array.cells), bool)
        for number in range(self._accelerator.config.tiles):
            columns = self._accelerator.tile(number).read(form.cells, form.taps * form.groups)
            columns = columns.reshape(form.taps, form.groups, array.rows, array.cells)
            full = columns.swapaxes(0, 1).reshape(form.groups, -1, array.cells)
            own = self._plan.columns(layer, number)
            bits[own] = full[: len(range(*own.indices(self.n_out))), layer.rows(array)]
        return bits

    def age(self, thresholds: np.ndarray) -> int:
        """Switch cells at random, the effect of reading or time. Returns the cells switched.

        Thresholds are those of ``golden.array.golden.SynapseArray.age``.
        """
        form = self._layer.form
        tiles = map(self._accelerator.tile, range(self._accelerator.config.tiles))
        return sum(tile.age(thresholds, form.cells, form.taps * form.groups) for tile in tiles)


class ChipLayer:
    """A layer's name and matrix."""

    def __init__(self, matrix: ChipMatrix):
        self.name, self.matrix = matrix.name, matrix


class ChipBank:
    """The tiles of an accelerator as a bank of arrays."""

    def __init__(self, accelerator: Accelerator, table: ProbabilityTable):
        self.accelerator, self.table = accelerator, table
        self.config = accelerator.config.array
        self.arrays: list[SynapseArray] = [
            accelerator.tile(i) for i in range(accelerator.config.tiles)
        ]
        self.matrices: list[ChipMatrix] = []
        self.size = len(self.arrays)

    def cycles(self) -> int:
        """Clock cycles of programs, and of the host's commands to tiles."""
        commands = sum(array.counters.cycles for array in self.arrays)
        return self.accelerator.counts().cycles + commands

    def counting(self, batch: int) -> bool:
        """The tiles count everything."""
        return True

    def used(self, number: int) -> int:
        """Columns of a tile that belong to a matrix."""
        return self.config.cols


class ChipNetwork(SynapseNetwork):
    """The layers of a ``plan`` on an accelerator.

    Parameters
    ----------
    accelerator : Accelerator
    plan : Plan
    table : ProbabilityTable
    seed : int
        Tile k gets the streams of array k (see ``golden.matrix.tiled.ArrayBank``); the coders get
        the streams after the last tile's.

    Raises
    ------
    ValueError
        If the plan is for another accelerator, or the table for other arrays.
    """

    bank: ChipBank

    def __init__(self, accelerator: Accelerator, plan: Plan, table: ProbabilityTable, seed: int):
        if plan.config != accelerator.config:
            raise ValueError(f"plan must be for {accelerator.config}, not for {plan.config}")
        self._accelerator, self._plan = accelerator, plan
        self.bank = ChipBank(accelerator, table)
        array = accelerator.config.array
        each = array.rows * array.cells
        for number, tile in enumerate(self.bank.arrays):
            tile.load_table(table)
            tile.seed(seed, number * each)
        accelerator.seed(seed, len(self.bank.arrays) * each)
        self.synapse_layers: list[ChipLayer] = [
            ChipLayer(ChipMatrix(accelerator, plan, number)) for number in range(len(plan.layers))
        ]
        self.bank.matrices = [layer.matrix for layer in self.synapse_layers]
        self._memories: GoldenAccelerator | None = None  # a copy, to count reads from
        # Clear lanes and borders that this network never writes: they are read.
        for space in (Space.ACTIVATIONS, Space.ERRORS, Space.WINDOWS, Space.THRESHOLDS):
            words, shape, *_ = accelerator.layout(space)
            accelerator.write(space, np.zeros((words, *shape), np.int8))
        accelerator.write(Space.STATES, plan.states())
        self._loaded: dict[int, Any] = {}

    def train_step(self, u: np.ndarray, labels: np.ndarray, learning_rate: float) -> Step:
        """Train on a batch of at most the plan's size, on the accelerator alone."""
        before, classes = self._accelerator.counts(), self._plan.layers[-1].n_out
        labels = checks.integers("labels", labels, (len(u),), 0, classes - 1)
        self._load(0, (len(u), learning_rate))
        self._accelerator.write(Space.LABELS, labels)
        chosen = self._run(0, u)
        self._count_reads(self._plan.train_program(len(u), learning_rate), len(u))
        after = self._accelerator.counts()
        one = 1 << 2 * SCORE_FRACTION
        loss = (after.loss - before.loss) / one / (len(u) * classes)
        return Step(loss, chosen, after.switched - before.switched)

    def predict(self, u: np.ndarray) -> np.ndarray:
        size = self._plan.batch
        classes = []
        for start in range(0, len(u), size):
            part = u[start : start + size]
            self._load(self._plan.infer_at, (len(part),))
            classes.append(self._run(self._plan.infer_at, part))
            self._count_reads(self._plan.infer_program(len(part)), len(part))
        return np.concatenate(classes)

    def _load(self, at: int, settings: tuple[Any, ...]) -> None:
        """Write the program of training or inference for a batch, unless it is there already."""
        if self._loaded.get(at) == settings:
            return
        plan = self._plan
        program = plan.infer_program(*settings) if at else plan.train_program(*settings)
        self._accelerator.write(Space.PROGRAM, assemble(program), at)
        self._loaded[at] = settings

    def _run(self, pc: int, u: np.ndarray) -> np.ndarray:
        words = self._plan.inputs(u)
        self._accelerator.write(Space.ACTIVATIONS, words, self._plan.layers[0].form.in_base)
        return self._accelerator.run(pc, len(u))[:, 0]

    def _count_reads(self, program: list[Instruction], batch: int) -> None:
        """Count the reads of a program, from inputs and errors in the memories after it."""
        if not any(matrix.reads for matrix in self.bank.matrices):
            return
        copy = self._memories = self._memories or GoldenAccelerator(self._accelerator.config)
        for space in (Space.ACTIVATIONS, Space.ERRORS, Space.WINDOWS):
            copy.write(space, self._accelerator.read(space))
        for step in program:
            reads = self.bank.matrices[step.state].reads
            assert reads  # all matrices count, or none
            if step.code == Code.FORWARD:
                reads.add(rows=copy.drives(step, batch))
            elif step.code == Code.BACKWARD:
                reads.add(columns=copy.drives(step, batch))

    def verify(self) -> None:
        """Compare all memories of a lock-step accelerator."""
        self._accelerator.verify()

    def host_norms(self) -> dict[str, np.ndarray]:
        parts = self._accelerator.read(Space.THRESHOLDS)
        found = {}
        for layer in self._plan.layers:
            own = parts[layer.form.thresholds : layer.form.thresholds + layer.form.groups]
            found[f"{layer.name}.thresholds"] = own.reshape(-1, own.shape[-1])[: layer.n_out]
        return found

    def _norms(self, arrays: dict[str, np.ndarray]) -> list[tuple[np.ndarray, int]]:
        tiles = self._accelerator.config.tiles
        words = []
        for layer in self._plan.layers:
            name = f"{layer.name}.thresholds"
            low, high = self._accelerator.layout(Space.THRESHOLDS)[2:]
            new = checks.integers(name, arrays[name], (layer.n_out, 4), low, high)
            top = 1 << OFFSET_BITS - 1
            checks.integers(f"{name}[:, 2]", new[:, 2], (None,), 0, 1)
            checks.integers(f"{name}[:, 3]", new[:, 3], (None,), -top, top - 1)
            full = np.zeros((layer.form.groups * tiles, 4), np.int64)
            full[: layer.n_out] = new
            words.append((full.reshape(-1, tiles, 4), layer.form.thresholds))
        return words

    def _set_norms(self, norms: list[tuple[np.ndarray, int]]) -> None:
        for words, first in norms:
            self._accelerator.write(Space.THRESHOLDS, words, first)

    def state(self) -> dict[str, np.ndarray]:
        self._loaded.clear()  # a resumed run loads its programs again, and so must every run
        accelerator = self._accelerator
        own = {"sizes": accelerator.read(Space.STATES), "coders": accelerator.generators()}
        return super().state() | own

    def check_state(self, state: dict[str, np.ndarray]) -> None:
        super().check_state(state)
        words, _, low, high = self._accelerator.layout(Space.STATES)
        checks.integers("sizes", state["sizes"], (words,), low, high)
        tiles = self._accelerator.config.tiles
        checks.integers("coders", state["coders"], (tiles,), 1, (1 << 64) - 1)

    def set_state(self, state: dict[str, np.ndarray]) -> None:
        super().set_state(state)
        self._accelerator.write(Space.STATES, state["sizes"])
        self._accelerator.set_generators(state["coders"])

"""Two accelerators in lock-step: every value of one must be equal to the other's."""

from dataclasses import asdict

import numpy as np

from golden import checks
from golden.accel.interface import Accelerator, Counts, ProgramError, Space
from golden.array.lockstep import LockstepArray, Mismatch, compare

# Names of the indices of a space's values.
_AXES = {
    Space.PROGRAM: ("word",),
    Space.ACTIVATIONS: ("word", "row"),
    Space.ERRORS: ("word", "row"),
    Space.WINDOWS: ("word", "row"),
    Space.LABELS: ("sample",),
    Space.THRESHOLDS: ("word", "tile", "part"),
    Space.STATES: ("state",),
    Space.RESULTS: ("sample", "part"),
}


class LockstepAccelerator(Accelerator):
    """Runs ``reference`` and ``other`` side by side and compares all values that they return.

    Raises Mismatch at the first difference in words that are read, in results and counters
    (cycles too) of a program, or in the place where a program fails. The memories after a failed
    program may differ.
    """

    def __init__(self, reference: Accelerator, other: Accelerator):
        for name, block in (("reference", reference), ("other", other)):
            if not isinstance(block, Accelerator):
                raise TypeError(f"{name} must be an Accelerator, not {block!r}")
        super().__init__(reference.config)
        if other.config != reference.config:
            raise ValueError(f"other must have config {reference.config}, not {other.config}")
        self.reference, self.other = reference, other
        self._tiles = [
            LockstepArray(reference.tile(n), other.tile(n)) for n in range(self.config.tiles)
        ]
        self._compared = 0

    @property
    def compared(self) -> int:
        """Values compared so far, those of the tiles included."""
        return self._compared + sum(tile.compared for tile in self._tiles)

    def tile(self, number: int) -> LockstepArray:
        return self._tiles[checks.integer("number", number, 0, self.config.tiles - 1)]

    def counts(self) -> Counts:
        counts, got = self.reference.counts(), asdict(self.other.counts())
        for name, expected in asdict(counts).items():
            if got[name] != expected:
                raise Mismatch(f"counter {name}", {}, expected, got[name], 1)
        self._compared += len(got)
        return counts

    def verify(self) -> None:
        """Compare every word of every memory, every generator and counter, and all tiles."""
        for space in _AXES:
            self.read(space)
        self.generators()
        self.counts()
        for number, tile in enumerate(self._tiles):
            try:
                tile.verify()
            except Mismatch as mismatch:
                raise mismatch.of(tile=number) from None

    def _write(self, space: Space, values: np.ndarray, first: int) -> None:
        for block in (self.reference, self.other):
            block._write(space, values, first)

    def _read(self, space: Space, first: int, count: int) -> np.ndarray:
        expected, got = (block._read(space, first, count) for block in (self.reference, self.other))
        self._compared += compare(space.name, expected, got, _AXES[space], first)
        return expected

    def _seed(self, states: np.ndarray) -> None:
        for block in (self.reference, self.other):
            block._seed(states)

    def _generators(self) -> np.ndarray:
        expected, got = (block._generators() for block in (self.reference, self.other))
        self._compared += compare("coder generator", expected, got, ("tile",))
        return expected

    def _run(self, pc: int, batch: int) -> np.ndarray:
        results, failures = [], []
        for block in (self.reference, self.other):
            try:
                results.append(block._run(pc, batch))
            except ProgramError as error:
                failures.append(error)
        if failures:
            if results:
                raise Mismatch("number of accelerators that fail", {}, 2, 1, 1)
            first, second = failures
            if first.pc != second.pc:
                raise Mismatch("word of the instruction at fault", {}, first.pc, second.pc, 1)
            raise first
        self._compared += compare("result", results[0], results[1], _AXES[Space.RESULTS])
        self.counts()
        return results[0]

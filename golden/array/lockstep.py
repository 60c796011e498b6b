"""Two arrays in lock-step: every value that one returns must be equal to the other's."""

from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np

from golden.array.interface import SynapseArray


class Mismatch(Exception):
    """Two arrays differ.

    Attributes
    ----------
    what : str
        The command or state that differs.
    where : dict of str to int or str
        Index of the first difference by name, e.g. ``sample``, ``column``; layer when known.
    expected, got : int
        The reference's and the other's value there.
    count : int
        Number of values that differ in this comparison.
    """

    def __init__(self, what: str, where: dict[str, int | str], expected: int, got: int, count: int):
        self.what, self.where, self.expected, self.got = what, where, expected, got
        self.count = count
        place = " at " * bool(where) + ", ".join(f"{name} {i}" for name, i in where.items())
        super().__init__(f"{what} differs{place}: expected {expected}, got {got}")

    def of(self, **where: int | str) -> "Mismatch":
        """The same mismatch with more indices."""
        return Mismatch(self.what, where | self.where, self.expected, self.got, self.count)

    def within(self, layer: str, row: int, column: int) -> "Mismatch":
        """The same mismatch in a part of a layer that starts at its ``row`` and ``column``."""
        where: dict[str, int | str] = {"layer": layer}
        shift = {"row": row, "column": column}
        for name, index in self.where.items():
            where[name] = int(index) + shift[name] if name in shift else index
        return Mismatch(self.what, where, self.expected, self.got, self.count)


def compare(
    what: str, expected: np.ndarray, got: np.ndarray, axes: tuple[str, ...], *start: int
) -> int:
    """Number of values compared; raises Mismatch at the first that differs.

    ``axes`` names the indices of ``what``, ``start`` is added to the first of them.
    """
    if expected.shape != got.shape:
        raise ValueError(f"{what}: shapes {expected.shape} and {got.shape} differ")
    differ = expected != got
    if differ.any():
        index = np.unravel_index(int(np.argmax(differ)), differ.shape)
        offset = [*start, *[0] * (len(axes) - len(start))]
        where: dict[str, int | str] = {
            axis: int(i) + o for axis, i, o in zip(axes, index, offset, strict=True)
        }
        count = int(np.count_nonzero(differ))
        raise Mismatch(what, where, int(expected[index]), int(got[index]), count)
    return expected.size


class LockstepArray(SynapseArray):
    """Runs ``reference`` and ``other`` side by side and compares all values that they return.

    Raises Mismatch at the first command that differs in a value or in its cycle count.

    Attributes
    ----------
    compared : int
        Values compared so far.
    """

    def __init__(self, reference: SynapseArray, other: SynapseArray):
        for name, array in (("reference", reference), ("other", other)):
            if not isinstance(array, SynapseArray):
                raise TypeError(f"{name} must be a SynapseArray, not {array!r}")
        super().__init__(reference.config)
        if other.config != reference.config:
            raise ValueError(f"other must have config {reference.config}, not {other.config}")
        self.reference, self.other = reference, other
        self.counters = reference.counters
        self.compared = 0

    def verify(self) -> None:
        """Compare every cell bit, every generator state and every activity counter."""
        self.read()
        self.generators()
        if self.config.counters:
            self.activity()

    def _same(
        self, what: str, expected: np.ndarray, got: np.ndarray, axes: tuple[str, ...], *start: int
    ) -> np.ndarray:
        self.compared += compare(what, expected, got, axes, *start)
        return expected

    @contextmanager
    def _cycles(self, what: str) -> Iterator[None]:
        pair = (self.reference.counters, self.other.counters)
        before = [c.cycles for c in pair]
        yield
        spent = [c.cycles - b for c, b in zip(pair, before, strict=True)]
        self.compared += 1
        if spent[0] != spent[1]:
            raise Mismatch(f"{what} cycle count", {}, spent[0], spent[1], 1)

    def _program(self, bits: np.ndarray, first: int) -> None:
        with self._cycles("program"):
            self.reference._program(bits, first)
            self.other._program(bits, first)

    def _read(self, first: int, count: int) -> np.ndarray:
        with self._cycles("read"):
            pair = self.reference._read(first, count), self.other._read(first, count)
            return self._same("cell bit", *pair, ("column", "row", "cell"), first)

    def _forward(self, u: np.ndarray, first: int, count: int) -> np.ndarray:
        with self._cycles("forward"):
            pair = self.reference._forward(u, first, count), self.other._forward(u, first, count)
            return self._same("column sum", *pair, ("sample", "column"), 0, first)

    def _backward(self, d: np.ndarray, first: int) -> np.ndarray:
        with self._cycles("backward"):
            pair = self.reference._backward(d, first), self.other._backward(d, first)
            return self._same("row sum", *pair, ("sample", "row"))

    def _update(self, kappa: np.ndarray, code: np.ndarray, first: int, blind: bool) -> int:
        with self._cycles("update"):
            pair = [
                np.array([array._update(kappa, code, first, blind)])
                for array in (self.reference, self.other)
            ]
            return int(self._same("cells switched", pair[0], pair[1], ("command",))[0])

    def _load_table(self, thresholds: np.ndarray, ticks: np.ndarray) -> None:
        with self._cycles("load_table"):
            self.reference._load_table(thresholds, ticks)
            self.other._load_table(thresholds, ticks)

    def _load_ageing(self, thresholds: np.ndarray) -> None:
        with self._cycles("load_ageing"):
            self.reference._load_ageing(thresholds)
            self.other._load_ageing(thresholds)

    def _load_variants(self, variants: np.ndarray, first: int) -> None:
        with self._cycles("load_variants"):
            self.reference._load_variants(variants, first)
            self.other._load_variants(variants, first)

    def _age(self, first: int, count: int) -> int:
        with self._cycles("age"):
            pair = [np.array([array._age(first, count)]) for array in (self.reference, self.other)]
            return int(self._same("cells aged", pair[0], pair[1], ("command",))[0])

    def _activity(self) -> dict[str, int]:
        with self._cycles("activity"):
            expected, got = self.reference._activity(), self.other._activity()
            for name, count in expected.items():
                self.compared += 1
                if got[name] != count:
                    raise Mismatch(f"activity counter {name}", {}, count, got[name], 1)
            return expected

    def _set_generators(self, states: np.ndarray) -> None:
        with self._cycles("seed"):
            self.reference._set_generators(states)
            self.other._set_generators(states)

    def _generators(self) -> np.ndarray:
        with self._cycles("generators"):
            pair = self.reference._generators(), self.other._generators()
            return self._same("generator state", *pair, ("row", "cell"))

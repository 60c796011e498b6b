"""The protocol of cells: what training needs of an array, or of a whole matrix."""

from typing import Protocol

import numpy as np

from golden.array.activity import Counters


class CellArray(Protocol):
    """Cells of a bank: an array, or a whole matrix. See ``golden.array.interface.SynapseArray``."""

    counters: Counters

    @property
    def shape(self) -> tuple[int, ...]:
        """Shape of the cells: (cols, rows, cells)."""

    def program(self, bits: np.ndarray) -> None:
        """Write cell bits of ``shape``."""

    def load_variants(self, variants: np.ndarray) -> None:
        """Give the cells their variants, integers of ``shape``."""

    def age(self, thresholds: np.ndarray, first: int = 0, count: int | None = None) -> int:
        """Switch cells of columns at random, as time does. Returns the cells switched."""

    def activity(self) -> dict[str, int]:
        """Counts by the names of ``golden.array.activity.COUNTERS``."""

    def state(self) -> dict[str, np.ndarray]:
        """State for ``set_state``."""

    def check_state(self, state: dict[str, np.ndarray]) -> None:
        """Raise KeyError, TypeError or ValueError if a ``state`` does not fit."""

    def set_state(self, state: dict[str, np.ndarray]) -> None:
        """Restore a ``state``."""

    def verify(self) -> None:
        """Compare all state with a second array, if there is one."""

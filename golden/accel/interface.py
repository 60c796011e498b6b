"""The interface of every accelerator: numpy, simulated RTL, a board."""

from abc import ABC, abstractmethod
from dataclasses import dataclass
from enum import IntEnum
from typing import Any

import numpy as np

from golden import checks
from golden.accel.config import (
    ERROR_LIMIT,
    OFFSET_BITS,
    SCORE_BITS,
    STATES,
    THRESHOLD_BITS,
    WINDOW_BITS,
    AcceleratorConfig,
)
from golden.accel.program import Code
from golden.accel.timing import Cycles
from golden.array import lfsr
from golden.array.interface import SynapseArray


class Space(IntEnum):
    """Memories that a host can write and read while no program runs."""

    PROGRAM = 0
    ACTIVATIONS = 1
    ERRORS = 2
    WINDOWS = 3
    LABELS = 4
    THRESHOLDS = 5
    STATES = 6
    RESULTS = 7
    GENERATORS = 8


class ProgramError(ValueError):
    """A program that cannot run; ``pc`` is the word of the instruction at fault."""

    def __init__(self, pc: int, problem: str):
        self.pc, self.problem = pc, problem
        super().__init__(f"program word {pc}: {problem}")


@dataclass
class Counts:
    """Counters of an accelerator.

    Parameters
    ----------
    cycles : int
        Clock cycles of programs.
    forward_cycles, backward_cycles, update_cycles : int
        Clock cycles of the instructions of a kind.
    forward_busy, backward_busy, update_busy : int
        Those of them in which lanes work.
    pulses : int
        Columns pulsed.
    switched : int
        Cells switched.
    loss : int
        Sum of squared slacks, in units of 2^(-2 SCORE_FRACTION).
    """

    cycles: int = 0
    forward_cycles: int = 0
    forward_busy: int = 0
    backward_cycles: int = 0
    backward_busy: int = 0
    update_cycles: int = 0
    update_busy: int = 0
    pulses: int = 0
    switched: int = 0
    loss: int = 0

    def phase(self, code: Code, spent: Cycles) -> None:
        """Count an instruction."""
        for what, value in (("cycles", spent.total), ("busy", spent.busy)):
            name = f"{code.name.lower()}_{what}"
            setattr(self, name, getattr(self, name) + value)


class Accelerator(ABC):
    """Tiles, memories and programs.

    In a new accelerator all memories are zero, the tiles are new (see ``SynapseArray``), and the
    coders' generators have the first streams of seed 0. Every method raises TypeError or ValueError
    for a wrong shape or type or a value out of range; the message names argument and value.
    """

    def __init__(self, config: AcceleratorConfig):
        if not isinstance(config, AcceleratorConfig):
            raise TypeError(f"config must be an AcceleratorConfig, not {config!r}")
        self.config = config

    def layout(self, space: Space) -> tuple[int, tuple[int, ...], int, int]:
        """Words of a space, shape of a word's values, and their lowest and highest value."""
        if not isinstance(space, Space):
            raise TypeError(f"space must be a Space, not {space!r}")
        config = self.config
        rows, tiles = (config.array.rows,), config.tiles
        top = 1 << THRESHOLD_BITS - 1
        return {
            Space.PROGRAM: (config.program_words, (), 0, (1 << 32) - 1),
            Space.ACTIVATIONS: (config.activation_words, rows, -1, 1),
            Space.ERRORS: (config.error_words, rows, -ERROR_LIMIT - 1, ERROR_LIMIT),
            Space.WINDOWS: (config.error_words, rows, 0, (1 << WINDOW_BITS) - 1),
            Space.LABELS: (config.positions, (), 0, (1 << 16) - 1),
            Space.THRESHOLDS: (config.threshold_words, (tiles, 4), -top, top - 1),
            Space.STATES: (STATES, (), 0, (1 << 16) - 1),
            Space.RESULTS: (config.positions, (2,), -(1 << SCORE_BITS - 1), (1 << 16) - 1),
        }[space]

    def write(self, space: Space, values: Any, first: int = 0) -> None:
        """Write words from ``first`` on.

        Parameters
        ----------
        space : Space
            Any but GENERATORS (see ``seed``) and RESULTS.
        values : ndarray of shape (count, ...), integer
            - PROGRAM, LABELS, STATES: (count,).
            - ACTIVATIONS (trits), ERRORS, WINDOWS: (count, rows).
            - THRESHOLDS: (count, tiles, 4), upper and lower threshold, whether the sign is
              inverted, and the learnt offset. In a score layer: mean, scale, 0 and offset.
        first : int
            First word.
        """
        if space in (Space.GENERATORS, Space.RESULTS):
            raise ValueError(f"space must be one that can be written, not {space.name}")
        words, shape, low, high = self.layout(space)
        values = checks.integers("values", values, (None, *shape), low, high)
        if space is Space.THRESHOLDS:
            top, every = 1 << OFFSET_BITS - 1, (None, self.config.tiles)
            checks.integers("values[..., 2]", values[..., 2], every, 0, 1)
            checks.integers("values[..., 3]", values[..., 3], every, -top, top - 1)
        first = checks.integer("first", first, 0, words - 1)
        if not 1 <= len(values) <= words - first:
            raise ValueError(
                f"values must have 1 to {words - first} words from {first} on, not {len(values)}"
            )
        self._write(space, values, first)

    def read(self, space: Space, first: int = 0, count: int | None = None) -> np.ndarray:
        """Words in the form of ``write``; RESULTS: (count, 2), class and score."""
        if space is Space.GENERATORS:
            raise ValueError("space must not be GENERATORS: see generators()")
        words = self.layout(space)[0]
        first = checks.integer("first", first, 0, words - 1)
        count = checks.integer("count", words - first if count is None else count, 1, words - first)
        return self._read(space, first, count)

    def seed(self, seed: int, first_stream: int = 0) -> None:
        """Give the coder of each tile a generator stream of ``seed``, from ``first_stream`` on."""
        self._seed(lfsr.stream_states(seed, first_stream, self.config.tiles))

    def set_generators(self, states: np.ndarray) -> None:
        """Set the coders' generators, uint64 of shape (tiles,), none zero."""
        states = checks.integers("states", states, (self.config.tiles,), 1, (1 << 64) - 1)
        self._seed(states.astype(np.uint64))

    def generators(self) -> np.ndarray:
        """States of the coders' generators, uint64 of shape (tiles,)."""
        return self._generators()

    def run(self, pc: int, batch: int) -> np.ndarray:
        """Run the program from word ``pc`` on a batch.

        Returns
        -------
        ndarray of shape (batch, 2), int64
            Class and score of each sample, from the last score layer.

        Raises
        ------
        ProgramError
            If an instruction is unknown, or reaches beyond a memory.
        """
        pc = checks.integer("pc", pc, 0, self.config.program_words - 1)
        batch = checks.integer("batch", batch, 1, self.config.positions)
        return self._run(pc, batch)

    def verify(self) -> None:  # noqa: B027  (a default, not a duty)
        """Compare all memories with a second accelerator; by default there is none."""

    @abstractmethod
    def tile(self, number: int) -> SynapseArray:
        """The array of a tile."""

    @abstractmethod
    def counts(self) -> Counts:
        """Counters since the accelerator was made."""

    @abstractmethod
    def _write(self, space: Space, values: np.ndarray, first: int) -> None: ...
    @abstractmethod
    def _read(self, space: Space, first: int, count: int) -> np.ndarray: ...
    @abstractmethod
    def _seed(self, states: np.ndarray) -> None: ...
    @abstractmethod
    def _generators(self) -> np.ndarray: ...
    @abstractmethod
    def _run(self, pc: int, batch: int) -> np.ndarray: ...

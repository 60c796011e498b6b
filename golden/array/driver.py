"""Drivers of an array behind command frames: compiled RTL, an accelerator's tile, a board."""

from abc import abstractmethod
from typing import Protocol

import numpy as np

from golden.array import frames
from golden.array.frames import HEADER, TRAILER, Cause, Op
from golden.array.interface import SynapseArray
from golden.config import ArrayConfig


class FrameTransport(Protocol):
    """A carrier of command frames to an array and of its answers back.

    ``golden.array.controller.GoldenController`` is one that needs no hardware.
    """

    @property
    def cycles(self) -> int:
        """Clock cycles that the array has taken so far; a transport that cannot know says 0."""

    def command(self, frame: np.ndarray, results: int) -> tuple[np.ndarray, int]:
        """Send a frame and take its answer; see ``FramedArray.command``."""


class FramedArray(SynapseArray):
    """A ``SynapseArray`` that sends each command as a frame of ``golden.array.frames``."""

    @abstractmethod
    def command(self, frame: np.ndarray, results: int) -> tuple[np.ndarray, int]:
        """Send a frame and take its answer.

        Parameters
        ----------
        frame : ndarray of shape (words, ceil(data_bits / 32)), uint32
        results : int
            Most result words that the command may give.

        Returns
        -------
        words : ndarray of shape (n, ceil(result_bits / 32)), uint32
            Result words.
        trailer : int

        Raises
        ------
        RuntimeError
            If the array does not answer; it is of no further use then.
        """

    def _run(self, frame: np.ndarray, results: int = 0) -> tuple[np.ndarray, int]:
        words, trailer = self.command(frame, results)
        cause = frames.field(TRAILER, "cause", trailer)
        if cause:  # cleared, so that it does not stick to later commands
            self.command(frames.frame(self.config, frames.control(HEADER, op=Op.STATUS)), 0)
        if cause or len(words) != results:
            raise RuntimeError(
                f"the array answered with error {Cause(cause).name} "
                f"and {len(words)} results, not {results}"
            )
        return words, trailer

    def _program(self, bits: np.ndarray, first: int) -> None:
        self._run(frames.program_frame(self.config, bits, first))

    def _read(self, first: int, count: int) -> np.ndarray:
        words, _ = self._run(frames.read_frame(self.config, first, count), count)
        return frames.bits_of(self.config, words)

    def _forward(self, u: np.ndarray, first: int, count: int) -> np.ndarray:
        frame = frames.forward_frame(self.config, u, first, count)
        results = frames.steps(Op.FORWARD, self.config, count, len(u))
        return frames.sums_of(self.config, self._run(frame, results)[0], count)

    def _backward(self, d: np.ndarray, first: int) -> np.ndarray:
        words, _ = self._run(frames.backward_frame(self.config, d, first), len(d))
        return frames.errors_of(self.config, words)

    def _update(self, kappa: np.ndarray, code: np.ndarray, first: int, blind: bool) -> int:
        _, trailer = self._run(frames.update_frame(self.config, kappa, code, first, blind))
        return frames.field(TRAILER, "switched", trailer)

    def _load_table(self, thresholds: np.ndarray, ticks: np.ndarray) -> None:
        self._run(frames.table_frame(self.config, thresholds, ticks, 0))

    def _load_variants(self, variants: np.ndarray, first: int) -> None:
        self._run(frames.variants_frame(self.config, variants, first))

    def _load_ageing(self, thresholds: np.ndarray) -> None:
        self._run(frames.ageing_frame(self.config, thresholds))

    def _age(self, first: int, count: int) -> int:
        _, trailer = self._run(frames.age_frame(self.config, first, count))
        return frames.field(TRAILER, "switched", trailer)

    def _activity(self) -> dict[str, int]:
        results = frames.steps(Op.COUNTERS, self.config)
        frame = frames.frame(self.config, frames.control(HEADER, op=Op.COUNTERS))
        return frames.counts_of(self._run(frame, results)[0])

    def _set_generators(self, states: np.ndarray) -> None:
        self._run(frames.seed_frame(self.config, states))

    def _generators(self) -> np.ndarray:
        results = frames.steps(Op.GENERATORS, self.config)
        frame = frames.frame(self.config, frames.control(HEADER, op=Op.GENERATORS))
        states = frames.states_of(self.config, self._run(frame, results)[0])
        self._set_generators(states)
        return states


class ArrayDriver(FramedArray):
    """The driver of an array at the other end of a transport.

    Parameters
    ----------
    config : ArrayConfig
        The array's configuration; the frames do not contain it.
    transport : FrameTransport
    """

    def __init__(self, config: ArrayConfig, transport: FrameTransport):
        super().__init__(config)
        self.transport = transport

    def command(self, frame: np.ndarray, results: int) -> tuple[np.ndarray, int]:
        before = self.transport.cycles
        answer = self.transport.command(frame, results)
        self.counters.cycles += self.transport.cycles - before
        return answer

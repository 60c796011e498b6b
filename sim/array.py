"""The RTL array as an object."""

import time
import weakref
from pathlib import Path

import numpy as np

from golden.array import frames
from golden.array.driver import FramedArray
from golden.config import ArrayConfig
from sim import library

_PATIENCE = 1000  # cycles without a word in or out; a sound array never pauses for ten


class RtlArray(FramedArray):
    """Verilated RTL behind the array interface; one call runs a whole command.

    Parameters
    ----------
    config : ArrayConfig
    path : Path
        A library of ``sim.library.build`` for this config; compiled first if not given.

    Attributes
    ----------
    seconds : float
        Wall-clock time spent in the library.

    Raises
    ------
    ToolError, OSError
        If the library cannot be built.
    """

    def __init__(self, config: ArrayConfig, path: Path | None = None):
        super().__init__(config)
        self._library = library.load(path or library.build(config))
        self._handle = self._library.spintrit_open()
        weakref.finalize(self, self._library.spintrit_close, self._handle)
        self.seconds = 0.0
        self._result_words = -(-frames.result_bits(config) // 32)

    def command(self, frame: np.ndarray, results: int) -> tuple[np.ndarray, int]:
        frame = np.ascontiguousarray(frame, np.uint32)
        out = np.empty((results + 1, self._result_words), np.uint32)
        before = self._library.spintrit_cycles(self._handle)
        start = time.perf_counter()
        taken = self._library.spintrit_command(
            self._handle, frame.ctypes.data, len(frame), out.ctypes.data, len(out), _PATIENCE
        )
        self.seconds += time.perf_counter() - start
        self.counters.cycles += self._library.spintrit_cycles(self._handle) - before
        if taken < 1:
            raise RuntimeError("the RTL array gave no answer or too long a one")
        trailer = int(out[taken - 1, 0]) | int(out[taken - 1, 1]) << 32
        return out[: taken - 1], trailer

    def bare_forward(self, u: np.ndarray, cycles: int) -> None:
        """Hold one vector u of trits, shape (rows,), on the input of an endless FORWARD frame for
        ``cycles`` clock cycles in a plain C++ loop: what a benchmark compares with. The array is
        then within a frame, and of no further use."""
        frame = frames.forward_frame(self.config, u[None], 0, self.config.cols)
        self._library.spintrit_bare(
            self._handle, frame[0].ctypes.data, frame[1].ctypes.data, cycles
        )

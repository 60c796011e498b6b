"""The RTL accelerator as an object."""

import ctypes
import time
import weakref
from pathlib import Path

import numpy as np

from golden.accel.config import AcceleratorConfig
from golden.accel.driver import AcceleratorDriver
from golden.accel.transport import Transport
from sim import library
from synth.accelerator import ACCELERATOR_NAME, accelerator_verilog

_DRIVER = Path(__file__).with_name("accelerator.cpp")
_PATIENCE = 10_000  # cycles for a word to be taken
_LONGEST = 1 << 40  # cycles of a program
_VALUE = ctypes.POINTER(ctypes.c_uint32)
_FUNCTIONS: library.Functions = {
    "spintrit_irq": (ctypes.c_int, [library.HANDLE]),
    "spintrit_write": (ctypes.c_int, [library.HANDLE, ctypes.c_uint32, ctypes.c_uint32]),
    "spintrit_read": (ctypes.c_int, [library.HANDLE, ctypes.c_uint32, _VALUE]),
    "spintrit_send": (ctypes.c_int, [library.HANDLE, library.WORDS, library.COUNT, library.COUNT]),
    "spintrit_await": (library.COUNT, [library.HANDLE, library.COUNT]),
    "spintrit_take": (None, [library.HANDLE, library.WORDS]),
}


def build(config: AcceleratorConfig) -> Path:
    """Compile the accelerator, once for each design; returns the library's path. Raises as
    ``sim.library.build``."""
    return library.build_with(
        accelerator_verilog(config), ACCELERATOR_NAME, "Vaccelerator", _DRIVER, "accelerator"
    )


class Verilated(Transport):
    """A compiled accelerator behind its AXI ports.

    Attributes
    ----------
    seconds : float
        Wall-clock time spent in the library.
    patience : int
        Cycles to wait for a packet.
    """

    def __init__(self, path: Path):
        self._library = library.load_with(path, _FUNCTIONS)
        self._handle = self._library.spintrit_open()
        weakref.finalize(self, self._library.spintrit_close, self._handle)
        self.seconds, self.patience = 0.0, _LONGEST

    @property
    def cycles(self) -> int:
        """Clock cycles since reset, all of them."""
        cycles: int = self._library.spintrit_cycles(self._handle)
        return cycles

    @property
    def irq(self) -> bool:
        """The interrupt line."""
        return bool(self._library.spintrit_irq(self._handle))

    def write_register(self, address: int, value: int) -> None:
        self._answered(address, self._library.spintrit_write(self._handle, address, value))

    def read_register(self, address: int) -> int:
        value = ctypes.c_uint32()
        self._answered(address, self._library.spintrit_read(self._handle, address, value))
        return value.value

    @staticmethod
    def _answered(address: int, response: int) -> None:
        if response:
            what = "refused" if response > 0 else "did not answer"
            raise RuntimeError(f"the RTL accelerator {what} an access to register {address:#04x}")

    def send(self, words: np.ndarray) -> None:
        words = np.ascontiguousarray(words, np.uint32)
        start = time.perf_counter()
        failed = self._library.spintrit_send(self._handle, words.ctypes.data, len(words), _PATIENCE)
        self.seconds += time.perf_counter() - start
        if failed:
            raise RuntimeError("the RTL accelerator does not take a packet")

    def receive(self) -> np.ndarray:
        start = time.perf_counter()
        count = self._library.spintrit_await(self._handle, self.patience)
        self.seconds += time.perf_counter() - start
        if count < 0:
            raise RuntimeError("the RTL accelerator gave no answer")
        words = np.empty(count, np.uint32)
        self._library.spintrit_take(self._handle, words.ctypes.data)
        return words


class RtlAccelerator(AcceleratorDriver):
    """The compiled RTL of a configuration; compiled first if no ``path`` is given."""

    transport: Verilated

    def __init__(self, config: AcceleratorConfig, path: Path | None = None):
        super().__init__(config, Verilated(path or build(config)))

"""The RTL accelerator behind a serial line, as a device of this machine."""

import ctypes
import os
import select
import threading
import tty
from pathlib import Path

from golden.accel.config import AcceleratorConfig
from hdl.uart import LEAST_DIVISOR
from sim import library
from synth.accelerator import ACCELERATOR_NAME, accelerator_verilog

_DRIVER = Path(__file__).with_name("uart.cpp")
_SLICE = 4000  # cycles between two looks at the line
_ROOM = _SLICE // (10 * LEAST_DIVISOR) + 1
_FUNCTIONS: library.Functions = {
    "spintrit_uart": (
        library.COUNT,
        [library.HANDLE, library.COUNT, ctypes.c_char_p, library.COUNT, library.WORDS,
         library.COUNT],
    ),
}  # fmt: skip


def build(config: AcceleratorConfig, divisor: int = LEAST_DIVISOR) -> Path:
    """Compile the accelerator, once for each design; returns the library's path. Raises as
    ``sim.library.build``."""
    text = accelerator_verilog(config, uart_divisor=divisor)
    return library.build_with(text, ACCELERATOR_NAME, "Vuart", _DRIVER)


class SerialBoard:
    """A compiled ``UartAccelerator`` at a pseudo-terminal, simulated by a thread of its own.

    Attributes
    ----------
    port : str
        The device to open.
    """

    def __init__(self, config: AcceleratorConfig):
        path = build(config)
        self._library = library.load_with(path, _FUNCTIONS)
        self._inside, self._outside = os.openpty()
        tty.setraw(self._outside)
        self.port = os.ttyname(self._outside)
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._run, name="serial board", daemon=True)
        self._thread.start()

    def close(self) -> None:
        """End the simulation and take the device away."""
        self._over.set()
        self._thread.join()
        os.close(self._inside)
        os.close(self._outside)

    def __enter__(self) -> "SerialBoard":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _run(self) -> None:
        handle = self._library.spintrit_open()
        out = (ctypes.c_uint8 * _ROOM)()
        while not self._over.is_set():
            ready, _, _ = select.select([self._inside], [], [], 0)
            heard = os.read(self._inside, 4096) if ready else b""
            given = self._library.spintrit_uart(
                handle, LEAST_DIVISOR, heard, len(heard), ctypes.addressof(out), _SLICE
            )
            said = bytes(out[:given])
            while said:
                said = said[os.write(self._inside, said) :]
        self._library.spintrit_close(handle)

"""The RTL accelerator, or an RTL array, behind a serial line, as a device of this machine."""

import ctypes
import os
import select
import threading
import tty
from pathlib import Path

from golden.accel.config import AcceleratorConfig
from golden.config import ArrayConfig
from hdl.bus.uart import LEAST_DIVISOR
from sim import library
from synth.accelerator import (
    ACCELERATOR_NAME,
    UART_ARRAY_NAME,
    accelerator_verilog,
    uart_array_verilog,
)

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


def build(config: AcceleratorConfig | ArrayConfig, divisor: int = LEAST_DIVISOR) -> Path:
    """Compile the accelerator, or the array, once for each design; returns the library's path.
    Raises as ``sim.library.build``."""
    if isinstance(config, ArrayConfig):
        text, name = uart_array_verilog(config, divisor), UART_ARRAY_NAME
    else:
        text, name = accelerator_verilog(config, uart_divisor=divisor), ACCELERATOR_NAME
    return library.build_with(text, name, "Vuart", _DRIVER, "serial line")


class SerialBoard:
    """A compiled ``UartAccelerator`` or ``UartArray`` at a pseudo-terminal. A thread of its own
    simulates it.

    Parameters
    ----------
    config : AcceleratorConfig or ArrayConfig
    divisor : int
        Clock cycles per bit.

    Attributes
    ----------
    port : str
        The device to open.
    """

    def __init__(self, config: AcceleratorConfig | ArrayConfig, divisor: int = LEAST_DIVISOR):
        path = build(config, divisor)
        self._divisor = divisor
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
                handle, self._divisor, heard, len(heard), ctypes.addressof(out), _SLICE
            )
            said = bytes(out[:given])
            while said:
                said = said[os.write(self._inside, said) :]
        self._library.spintrit_close(handle)

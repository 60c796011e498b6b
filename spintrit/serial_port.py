"""An accelerator on a board's serial line."""

import time
from collections import deque

import numpy as np
import serial

from golden.accel.driver import Transport

LONGEST_PACKET = 0xFFFF  # words that one command can announce
_LENGTHS = {"w": 0, "e": 0, "?": 0, "r": 4, "o": 4, "l": 4}


class SerialTransport(Transport):
    """Speaks the protocol of ``hdl.uart``.

    The line has no flow control. What training needs is paced by its answers; commands to a tile
    that take data and give results at once, FORWARD and BACKWARD, can overrun it.

    Parameters
    ----------
    port : str
        Device of the serial line.
    baud : int
        Bits a second; the accelerator's divisor is its clock over this.
    patience : float
        Seconds to wait for the answer of a register.
    program_patience : float
        Seconds to wait for a packet, which may be a program's.

    Raises
    ------
    OSError
        If there is no such device, or it cannot be opened.
    ValueError
        If the device cannot have that ``baud``.
    """

    def __init__(
        self, port: str, baud: int = 115200, patience: float = 2.0, program_patience: float = 3600.0
    ):
        self.port, self.patience, self.program_patience = port, patience, program_patience
        self._line = serial.Serial(port, baud, timeout=0, exclusive=True)
        self._line.reset_input_buffer()
        self._bytes = bytearray()
        self._words: list[int] = []  # of a packet that is not complete
        self._packets: deque[np.ndarray] = deque()

    def close(self) -> None:
        """Give the device back."""
        self._line.close()

    def write_register(self, address: int, value: int) -> None:
        self._line.write(b"W" + bytes([address]) + value.to_bytes(4, "little"))
        self._answer("w", f"the write to register {address:#04x}")

    def read_register(self, address: int) -> int:
        self._line.write(b"R" + bytes([address]))
        data = self._answer("r", f"the read of register {address:#04x}")
        return int.from_bytes(data, "little")

    def send(self, words: np.ndarray) -> None:
        if not 1 <= len(words) <= LONGEST_PACKET:
            raise ValueError(
                f"a packet on a serial line must have 1 to {LONGEST_PACKET} words, not {len(words)}"
            )
        head = b"S" + len(words).to_bytes(2, "little")
        self._line.write(head + np.ascontiguousarray(words, "<u4").tobytes())

    def receive(self) -> np.ndarray:
        deadline = time.monotonic() + self.program_patience
        while not self._packets:
            kind, _ = self._message(deadline, "a packet")
            if kind not in "ol":
                raise self._failure(f"answered {kind!r} instead of a packet")
        return self._packets.popleft()

    def _answer(self, wanted: str, what: str) -> bytes:
        """The bytes of the answer to a register access; words that come before it are kept."""
        deadline = time.monotonic() + self.patience
        while True:
            kind, data = self._message(deadline, f"an answer to {what}")
            if kind == wanted:
                return data
            if kind == "e":
                raise self._failure(f"refused {what}")
            if kind not in "ol":
                raise self._failure(f"answered {kind!r} to {what}")

    def _message(self, deadline: float, what: str) -> tuple[str, bytes]:
        """The next message, of which words are put aside."""
        kind = chr(self._take(1, deadline, what)[0])
        if kind not in _LENGTHS:
            raise self._failure(f"sent {kind!r}, which begins no message")
        data = self._take(_LENGTHS[kind], deadline, what)
        if kind in "ol":
            self._words.append(int.from_bytes(data, "little"))
        if kind == "l":
            self._packets.append(np.array(self._words, np.uint32))
            self._words.clear()
        return kind, data

    def _take(self, count: int, deadline: float, what: str) -> bytes:
        while len(self._bytes) < count:
            left = deadline - time.monotonic()
            if left <= 0:
                raise self._failure(f"gave no answer while {what} was waited for")
            self._line.timeout = min(left, 1.0)
            self._bytes += self._line.read(max(count - len(self._bytes), self._line.in_waiting))
        taken = bytes(self._bytes[:count])
        del self._bytes[:count]
        return taken

    def _failure(self, what: str) -> RuntimeError:
        return RuntimeError(f"the accelerator on {self.port} {what}")

"""An accelerator on a board's serial line."""

import time
from collections import deque

import numpy as np
import serial

from golden import checks
from golden.accel.transport import Transport
from golden.array.serial import BAUDS

LONGEST_PACKET = 0xFFFF  # words that one command can announce
_BYTE_BITS = 10  # on the line, start and stop bit included
_LENGTHS = {"w": 0, "e": 0, "?": 0, "r": 4, "o": 4, "l": 4}


class SerialTransport(Transport):
    """The host's side of the protocol of ``hdl.bus.uart``.

    The line has no flow control. The commands of training are paced by their answers. FORWARD and
    BACKWARD to a tile take data and give results at the same time, and can overrun the line.

    Parameters
    ----------
    port : str
        Device of the serial line.
    baud : int
        Bits per second; the accelerator's divisor is its clock divided by ``baud``.
    patience : float
        Timeout for an answer or the rest of one, seconds without a byte.
    program_patience : float
        Seconds to wait for the first byte of a program's results.

    Raises
    ------
    OSError
        If there is no such device, or it cannot be opened.
    TypeError, ValueError
        If ``baud`` is not a standard rate, or the device does not support it.
    """

    def __init__(
        self, port: str, baud: int = 115200, patience: float = 5.0, program_patience: float = 3600.0
    ):
        self.baud = checks.integer("baud", baud, *BAUDS)
        self.port, self.patience, self.program_patience = port, patience, program_patience
        self._sent_at = 0.0  # when the last byte to the board is through
        self._line = serial.Serial(port, baud, timeout=0, exclusive=True)
        self._line.reset_input_buffer()
        self._bytes = bytearray()
        self._words: list[int] = []  # of a packet that is not complete
        self._packets: deque[np.ndarray] = deque()

    def close(self) -> None:
        """Close the device."""
        self._line.close()

    def write_register(self, address: int, value: int) -> None:
        self._give(b"W" + bytes([address]) + value.to_bytes(4, "little"))
        self._answer("w", f"the write to register {address:#04x}")

    def read_register(self, address: int) -> int:
        self._give(b"R" + bytes([address]))
        data = self._answer("r", f"the read of register {address:#04x}")
        return int.from_bytes(data, "little")

    def send(self, words: np.ndarray) -> None:
        if not 1 <= len(words) <= LONGEST_PACKET:
            raise ValueError(
                f"a packet on a serial line must have 1 to {LONGEST_PACKET} words, not {len(words)}"
            )
        head = b"S" + len(words).to_bytes(2, "little")
        self._give(head + np.ascontiguousarray(words, "<u4").tobytes())

    def receive(self) -> np.ndarray:
        return self._packet(self.patience, "a packet")

    def receive_results(self) -> np.ndarray:
        return self._packet(self.program_patience, "a program's results")

    def _packet(self, patience: float, what: str) -> np.ndarray:
        while not self._packets:
            # The words of a packet follow each other at once.
            kind, _ = self._message(self.patience if self._words else patience, what)
            if kind not in "ol":
                raise self._failure(f"answered {kind!r} instead of {what}")
        return self._packets.popleft()

    def _answer(self, wanted: str, what: str) -> bytes:
        """The bytes of the answer to a register access; words that come before it are kept."""
        while True:
            kind, data = self._message(self.patience, f"an answer to {what}")
            if kind == wanted:
                return data
            if kind == "e":
                raise self._failure(f"refused {what}")
            if kind not in "ol":
                raise self._failure(f"answered {kind!r} to {what}")

    def _message(self, patience: float, what: str) -> tuple[str, bytes]:
        """The next message, of which words are put aside; ``patience`` is for its first byte."""
        kind = chr(self._take(1, patience, what)[0])
        if kind not in _LENGTHS:
            raise self._failure(f"sent {kind!r}, which begins no message")
        data = self._take(_LENGTHS[kind], self.patience, what)
        if kind in "ol":
            self._words.append(int.from_bytes(data, "little"))
        if kind == "l":
            self._packets.append(np.array(self._words, np.uint32))
            self._words.clear()
        return kind, data

    def _give(self, data: bytes) -> None:
        # The system takes bytes faster than a slow line passes them on.
        self._sent_at = max(time.monotonic(), self._sent_at) + _BYTE_BITS * len(data) / self.baud
        self._line.write(data)

    def _take(self, count: int, patience: float, what: str) -> bytes:
        heard_at = max(time.monotonic(), self._sent_at)
        while len(self._bytes) < count:
            left = heard_at + patience - time.monotonic()
            if left <= 0:
                raise self._failure(f"gave no answer while {what} was waited for")
            self._line.timeout = min(left, 1.0)
            data = self._line.read(max(count - len(self._bytes), self._line.in_waiting))
            if data:
                heard_at = max(time.monotonic(), self._sent_at)
                self._bytes += data
        taken = bytes(self._bytes[:count])
        del self._bytes[:count]
        return taken

    def _failure(self, what: str) -> RuntimeError:
        return RuntimeError(f"the accelerator on {self.port} {what}")

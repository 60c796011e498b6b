"""An array on a board's serial line, with which the host trains."""

import numpy as np

from golden.accel.transport import Transport
from golden.array import frames, serial
from golden.array.driver import FramedArray
from golden.array.frames import HEADER, Op
from golden.config import ArrayConfig


class SerialArray(FramedArray):
    """The array of ``hdl.board.uart_array`` at the other end of a ``transport``.

    Its cycles are those of the commands' formula. Vectors go one a frame: the line has no flow
    control, and results are longer on it than vectors.

    Parameters
    ----------
    config : ArrayConfig
        What ``discover`` finds.
    transport : Transport
        As ``spintrit.board.port.SerialTransport``.
    """

    def __init__(self, config: ArrayConfig, transport: Transport):
        super().__init__(config)
        self._transport = transport

    def command(self, frame: np.ndarray, results: int) -> tuple[np.ndarray, int]:
        self._transport.send(np.ascontiguousarray(frame, np.uint32).ravel())
        answer = self._transport.receive()
        header = int(frame[0, 0]) | int(frame[0, 1]) << 32
        op = Op(frames.field(HEADER, "op", header))
        parts = serial.result_parts(op, self.config)
        count, rest = divmod(len(answer) - serial.TRAILER_PARTS, parts)
        if rest or not 0 <= count <= results:
            raise RuntimeError(f"the array answered {op.name} with {len(answer)} words")
        words = np.zeros((count, serial.parts(frames.result_bits(self.config))), np.uint32)
        words[:, :parts] = answer[: count * parts].reshape(count, parts)
        low, high = answer[count * parts :].tolist()
        taken = frames.field(HEADER, "count", header)
        self.counters.cycles += frames.cycles(op, self.config, taken)
        return words, low | high << 32

    def _forward(self, u: np.ndarray, first: int, count: int) -> np.ndarray:
        self._same_frame(len(u))
        return np.concatenate([super(SerialArray, self)._forward(x[None], first, count) for x in u])

    def _backward(self, d: np.ndarray, first: int) -> np.ndarray:
        self._same_frame(len(d))
        return np.concatenate([super(SerialArray, self)._backward(x[None], first) for x in d])

    def _same_frame(self, vectors: int) -> None:
        """Count the vectors as those of one command, as other arrays do."""
        self.counters.cycles -= (vectors - 1) * frames.OVERHEAD


def discover(transport: Transport) -> ArrayConfig:
    """Read the configuration of the array at the other end.

    Raises
    ------
    ValueError
        If the device is not an array of this project, or has an unknown interface version.
    RuntimeError
        If it does not answer.
    """
    return serial.config_of({at: transport.read_register(at) for at in serial.ADDRESSES})


def agree(asked: ArrayConfig, found: ArrayConfig) -> None:
    """Raises ValueError if a board's array is not of the requested kind."""
    for name in ("synapse", "code_bits", "draw_bits", "variant_bits"):
        wanted, has = getattr(asked, name), getattr(found, name)
        if wanted != has:
            raise ValueError(f"{name} must be the board's {has}, not {wanted}")


class BoardArray:
    """Factory of the single array of a board, for a bank of arrays.

    Parameters
    ----------
    transport : Transport

    Attributes
    ----------
    config : ArrayConfig
        The board's.

    Raises
    ------
    ValueError, RuntimeError
        As ``discover``.
    """

    def __init__(self, transport: Transport):
        self._transport, self._made = transport, False
        self.config = discover(transport)

    def like(self, asked: ArrayConfig) -> ArrayConfig:
        """The board's configuration, which is used instead of the requested one; raises ValueError
        if its cells are not of the requested kind."""
        agree(asked, self.config)
        return self.config

    def __call__(self, config: ArrayConfig) -> SerialArray:
        self.like(config)
        if self._made:
            raise ValueError(
                f"network must fit the board's array of {self.config.rows} rows and "
                f"{self.config.cols} columns"
            )
        self._made = True
        return SerialArray(self.config, self._transport)

"""The transport between an accelerator and its driver."""

from abc import ABC, abstractmethod

import numpy as np


class Transport(ABC):
    """A carrier of words to an accelerator and back.

    ``golden.accel.controller.AcceleratorController`` is one that needs no hardware.
    """

    @abstractmethod
    def write_register(self, address: int, value: int) -> None:
        """Write a register; raises RuntimeError if it is refused or there is no answer."""

    @abstractmethod
    def read_register(self, address: int) -> int:
        """Read a register; raises as ``write_register``."""

    @abstractmethod
    def send(self, words: np.ndarray) -> None:
        """Send a packet, uint32; raises RuntimeError if it is not accepted."""

    @abstractmethod
    def receive(self) -> np.ndarray:
        """Receive the next packet, uint32; raises RuntimeError if there is none."""

    def receive_results(self) -> np.ndarray:
        """Receive the results of a program, after its end; raises as ``receive``."""
        return self.receive()

"""The transport between an accelerator and its driver, as both sides see it."""

from abc import ABC, abstractmethod

import numpy as np


class Transport(ABC):
    """A carrier of words to an accelerator and back.

    ``golden.accel.controller.AcceleratorController`` is one that needs no hardware.
    """

    @abstractmethod
    def write_register(self, address: int, value: int) -> None:
        """Raises RuntimeError if the accelerator refuses it or does not answer."""

    @abstractmethod
    def read_register(self, address: int) -> int:
        """Raises as ``write_register``."""

    @abstractmethod
    def send(self, words: np.ndarray) -> None:
        """Send a packet, uint32; raises RuntimeError if it is not taken."""

    @abstractmethod
    def receive(self) -> np.ndarray:
        """The next packet, uint32; raises RuntimeError if none comes."""

    def receive_results(self) -> np.ndarray:
        """As ``receive``, after the start of a program, which has to end first."""
        return self.receive()

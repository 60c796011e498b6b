"""Clock cycles of the accelerator's instructions, by formula."""

from dataclasses import dataclass

from golden.accel.config import AcceleratorConfig
from golden.accel.program import Instruction


@dataclass(frozen=True)
class Cycles:
    """Of one instruction: all, and those with lanes at work."""

    total: int
    busy: int


def cycles(step: Instruction, batch: int, config: AcceleratorConfig) -> Cycles:
    return Cycles(0, 0)


def problem(step: Instruction, batch: int, config: AcceleratorConfig) -> str:
    return ""

"""One synapse array: its interface, the golden model, its command frames and their drivers."""

from golden.array.controller import GoldenController
from golden.array.driver import ArrayDriver, FrameTransport
from golden.array.golden import GoldenArray
from golden.array.interface import SynapseArray
from golden.array.lockstep import LockstepArray, Mismatch

__all__ = [
    "ArrayDriver",
    "FrameTransport",
    "GoldenArray",
    "GoldenController",
    "LockstepArray",
    "Mismatch",
    "SynapseArray",
]

"""Targets that need a simulator or a board, and every target by its name on the command line."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol, cast

from golden.accel.transport import Transport
from golden.array.golden import GoldenArray
from golden.array.interface import SynapseArray
from golden.array.lockstep import LockstepArray
from golden.backend import AUTO
from golden.config import ArrayConfig
from golden.matrix.tiled import ArrayBank
from golden.network.notation import Block
from golden.pulse.table import ProbabilityTable
from golden.targets import Equip, Golden, HostTarget, OnChip, Part, Target, Whole

if TYPE_CHECKING:
    from golden.accel.config import AcceleratorConfig
    from golden.accel.interface import Accelerator
    from sim.accelerator import RtlAccelerator
    from sim.array import RtlArray
    from spintrit.board.array import BoardArray

ARRAYS = ("golden", "fast", "rtl", "both")
SERIAL = "serial:"  # before the name of a board's port


class _Pair(Protocol[Part]):
    """Two arrays, or two accelerators, in lock step."""

    reference: Part
    other: Part


@dataclass(frozen=True)
class _Simulated(HostTarget):
    """RTL in Verilator, compiled once for each configuration."""

    _libraries: dict[ArrayConfig, Path] = field(
        default_factory=dict, init=False, repr=False, compare=False
    )

    matrices = "arrays"
    simulated = True
    preparing = "compiling the RTL array (once per design) ..."

    def prepare(self, array: ArrayConfig) -> None:
        if array not in self._libraries:
            from sim import library  # the golden array alone needs no hardware tools

            self._libraries[array] = library.build(array)

    def array(self, config: ArrayConfig) -> SynapseArray:
        """A new array."""
        return self._rtl_array(config)

    def _rtl_array(self, config: ArrayConfig) -> "RtlArray":
        from sim.array import RtlArray

        self.prepare(config)
        return RtlArray(config, self._libraries[config])

    def _rtl_accelerator(self, config: "AcceleratorConfig") -> "RtlAccelerator":
        from sim.accelerator import RtlAccelerator

        return RtlAccelerator(config)


@dataclass(frozen=True)
class Rtl(_Simulated):
    """The RTL in Verilator."""

    text = "rtl"

    def accelerator(self, config: "AcceleratorConfig") -> "Accelerator":
        return self._rtl_accelerator(config)

    def rtl(self, part: Any) -> Any:
        return part


@dataclass(frozen=True)
class Lockstep(_Simulated):
    """RTL and golden model in lock step: all their values must be equal."""

    text = "both"
    compares = True

    def array(self, config: ArrayConfig) -> SynapseArray:
        return LockstepArray(GoldenArray(config), self._rtl_array(config))

    def accelerator(self, config: "AcceleratorConfig") -> "Accelerator":
        from golden.accel.lockstep import LockstepAccelerator
        from golden.accel.twin import GoldenAccelerator

        return LockstepAccelerator(GoldenAccelerator(config), self._rtl_accelerator(config))

    def rtl(self, part: Any) -> Any:
        return part.other

    def counted(self, part: Part) -> Part:
        return cast("_Pair[Part]", part).reference


@dataclass(frozen=True)
class Board(HostTarget):
    """The array, or with ``OnChip`` the accelerator, on a board's serial line.

    Parameters
    ----------
    port : str
        PORT or PORT@BAUD. The line is opened when it is first used.
    """

    port: str
    _open: list[Transport] = field(default_factory=list, init=False, repr=False, compare=False)

    matrices = "arrays"
    by_formula = True

    @property
    def text(self) -> str:
        return f"{SERIAL}{self.port}"

    def settle(self, array: ArrayConfig) -> ArrayConfig:
        """The board's configuration; raises ValueError if its cells are not of the kind of
        ``array``."""
        return self._maker().like(array)

    def bank(
        self, config: ArrayConfig, table: ProbabilityTable, seed: int, equip: Equip | None = None
    ) -> ArrayBank:
        return ArrayBank(self._maker(), config, table, seed, equip)

    def array(self, config: ArrayConfig) -> SynapseArray:
        return self._maker()(config)

    def accelerator(self, config: "AcceleratorConfig") -> "Accelerator":
        """The board's accelerator; raises ValueError if its configuration differs."""
        found = self._accelerator(config.array)
        if found.config != config:
            raise ValueError(f"config must be the board's {found.config}, not {config}")
        return found

    def accelerator_for(
        self, blocks: Sequence[Block], shape: Sequence[int], array: ArrayConfig, tiles: int,
        batch: int,
    ) -> "Accelerator":  # fmt: skip
        """The board's accelerator, whatever its size; raises ValueError if its cells are not of
        the kind of ``array``."""
        return self._accelerator(array)

    def close(self) -> None:
        for line in self._open:
            close = getattr(line, "close", None)
            if close:
                close()
        self._open.clear()

    def _accelerator(self, array: ArrayConfig) -> "Accelerator":
        from golden.accel.driver import AcceleratorDriver, discover
        from spintrit.board.array import agree

        found = discover(self._line())
        agree(array, found.array)
        return AcceleratorDriver(found, self._line())

    def _maker(self) -> "BoardArray":
        from spintrit.board.array import BoardArray

        return BoardArray(self._line())

    def _line(self) -> Transport:
        if not self._open:
            self._open.append(line(self.port))
        return self._open[0]


def line(port: str) -> Transport:
    """The transport of a board at PORT or PORT@BAUD.

    Raises
    ------
    ValueError
        If ``port`` is neither, or no line has that rate.
    OSError
        If there is no such device, or it cannot be opened.
    """
    from spintrit.board.port import SerialTransport

    name, _, baud = port.partition("@")
    if baud and not baud.isdecimal():
        raise ValueError(
            f"array must name a port as {SERIAL}PORT or {SERIAL}PORT@BAUD, not {port!r}"
        )
    return SerialTransport(name, int(baud)) if baud else SerialTransport(name)


def host_target(text: str, compute: str = "numpy", products: str = AUTO) -> HostTarget:
    """The target under the host that the option ``--array`` names.

    Parameters
    ----------
    text : str
        One of ``ARRAYS``, or "serial:PORT".
    compute : str
        The option ``--backend``; only for whole matrices.
    products : str
        The option ``--products``; only for whole matrices.

    Raises
    ------
    ValueError
        If there is no such target, or it has no such back end or products.
    """
    found: HostTarget
    if text == Whole.text:
        return Whole(compute, products)
    if text.startswith(SERIAL) and text != SERIAL:
        found = Board(text.removeprefix(SERIAL))
    else:
        known = {each.text: each for each in (Golden, Rtl, Lockstep)}
        if text not in known:
            names = ", ".join(ARRAYS)
            raise ValueError(f"target (--array) must be one of {names}, {SERIAL}PORT, not {text!r}")
        found = known[text]()
    for name, value, own in (
        ("backend", compute, found.compute),
        ("products", products, AUTO),
    ):
        if value not in (own, AUTO):
            raise ValueError(f"{name} {value} needs array {Whole.text}, not {text}")
    return found


def target(
    text: str, compute: str = "numpy", tiles: int = 0, products: str = AUTO
) -> Target:  # fmt: skip
    """A target by its name on the command line.

    Parameters
    ----------
    text : str
        "golden", "fast", "rtl", "both" or "serial:PORT", as the option ``--array``.
    compute : {"numpy", "torch", "cuda", "auto"}
        Back end of "fast", as the option ``--backend``.
    tiles : int
        Arrays of an accelerator that trains on chip, a power of two; with 0 the host trains.
    products : {"auto", "int8", "float32"}
        How PyTorch multiplies whole numbers, as the option ``--products``.

    Raises
    ------
    TypeError, ValueError
        If there is no such target, or it has no such back end or no accelerator.
    """
    found = host_target(text, compute, products)
    return OnChip(found, tiles) if tiles else found


def as_host(target: str | HostTarget) -> HostTarget:
    """A host target by its text or as it is; raises TypeError for anything else."""
    if isinstance(target, str):
        return host_target(target)
    if not isinstance(target, HostTarget):
        raise TypeError(f"target must be a text or a HostTarget, not {target!r}")
    return target

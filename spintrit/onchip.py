"""Training on the accelerator: which one, and what it has done."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from golden import checks, spec
from golden.accel.compiler import Plan, Settings, sized
from golden.accel.config import AcceleratorConfig
from golden.accel.interface import Accelerator
from golden.accel.network import ChipNetwork
from golden.accel.twin import GoldenAccelerator
from golden.config import ArrayConfig
from golden.data import Split
from golden.defaults import ON_CHIP
from golden.environment import Conditions
from golden.spec import Block
from golden.trainconfig import TrainConfig

SERIAL = "serial:"  # before the name of a port, in the place of a kind of array


@dataclass(frozen=True, kw_only=True)
class Chip:
    """An accelerator.

    Parameters
    ----------
    tiles : int
        Arrays that work side by side, a power of two.
    """

    tiles: int = 1

    def __post_init__(self) -> None:
        checks.keep(self, tiles=checks.integer("tiles", self.tiles, 1))


def network(kind: str, chip: Chip) -> Callable[[TrainConfig, Split, Conditions], ChipNetwork]:
    """What makes a trainer's network (see ``golden.train.Trainer``).

    Parameters
    ----------
    kind : str
        "golden", "rtl", "both" in lock step, or ``SERIAL`` and a port's name.
    chip : Chip
    """

    def make(config: TrainConfig, split: Split, around: Conditions) -> ChipNetwork:
        for name in ("optimiser", "batch_norm"):
            if getattr(config, name) != ON_CHIP[name]:
                raise ValueError(
                    f"on-chip training needs {name} {ON_CHIP[name]}, not {getattr(config, name)}"
                )
        if split.input_bits != 2:
            raise ValueError(f"on-chip training needs input_bits 2, not {split.input_bits}")
        blocks = [*spec.parse(config.network), Block(split.classes)]
        settings = Settings(
            threshold=config.activation_threshold,
            window=config.window,
            blind=config.rule == "blind",
            dead_zone=config.dead_zone,
        )
        if kind.startswith(SERIAL):
            block = _on_board(kind.removeprefix(SERIAL))
            agree(around.config, block.config.array)
        else:
            wanted = sized(blocks, split.shape, around.config, chip.tiles, config.batch)
            block = accelerator(kind, wanted)
        plan = Plan(blocks, split.shape, block.config, config.batch, settings)
        made = ChipNetwork(block, plan, around.table, config.seed)
        for number, array in enumerate(made.bank.arrays):
            around.equip(array, number)
        return made

    return make


def accelerator(kind: str, config: AcceleratorConfig) -> Accelerator:
    """An accelerator of a kind, "golden", "rtl" or "both"."""
    if kind == "golden":
        return GoldenAccelerator(config)
    # Numpy alone needs no hardware tools.
    from golden.accel.lockstep import LockstepAccelerator
    from sim.accelerator import RtlAccelerator

    rtl = RtlAccelerator(config)
    return rtl if kind == "rtl" else LockstepAccelerator(GoldenAccelerator(config), rtl)


def _on_board(port: str) -> Accelerator:
    from golden.accel.driver import AcceleratorDriver, discover

    transport = line(port)
    return AcceleratorDriver(discover(transport), transport)


def line(port: str) -> Any:
    """The transport of a board at PORT or PORT@BAUD.

    Raises
    ------
    ValueError
        If ``port`` is neither, or no line has that rate.
    OSError
        If there is no such device, or it cannot be opened.
    """
    from spintrit.serial_port import SerialTransport

    name, _, baud = port.partition("@")
    if baud and not baud.isdecimal():
        raise ValueError(
            f"array must name a port as {SERIAL}PORT or {SERIAL}PORT@BAUD, not {port!r}"
        )
    return SerialTransport(name, int(baud)) if baud else SerialTransport(name)


def agree(asked: ArrayConfig, found: ArrayConfig) -> None:
    """Raises ValueError if a board's array is not of the kind that was asked for."""
    for name in ("synapse", "code_bits", "draw_bits", "variant_bits"):
        wanted, has = getattr(asked, name), getattr(found, name)
        if wanted != has:
            raise ValueError(f"{name} must be the board's {has}, not {wanted}")

"""The FPGA boards that bitstreams are made for."""

import importlib
from collections.abc import Callable
from dataclasses import dataclass, replace
from fractions import Fraction
from typing import Any

from amaranth.lib import wiring

from golden import checks
from golden.accel.compiler import sized
from golden.accel.config import AcceleratorConfig
from golden.array import serial
from golden.config import ArrayConfig
from golden.extras import install
from golden.matrix.tiled import columns_taken
from golden.network import notation
from golden.network.notation import Block
from hdl.accel.accelerator_top import UartAccelerator
from hdl.board import pll
from hdl.board.uart_array import UartArray
from hdl.bus.uart import checked

BAUD_TOLERANCE = Fraction(1, 50)  # a byte's last bit is then read a fifth of a bit off its middle


@dataclass(frozen=True, kw_only=True)
class Workload:
    """The network and batch that memories are sized for.

    Parameters
    ----------
    network : str
        Hidden layers, in the notation or by name (see ``golden.network.notation``).
    inputs : tuple of int
        Shape of a sample.
    classes : int
    batch : int
        Samples in an accelerator's memories; an array alone has none.
    """

    network: str = "128FC"
    inputs: tuple[int, ...] = (64,)
    classes: int = 10
    batch: int = 128  # memories of up to 512 words: a block RAM is half as wide with more

    def accelerator(self, array: ArrayConfig, tiles: int = 1) -> AcceleratorConfig:
        """The smallest accelerator for this workload, with arrays like ``array``; errors as for
        ``golden.accel.compiler.sized``."""
        return sized(self._blocks(), self.inputs, array, tiles, self.batch)

    def array(self, array: ArrayConfig) -> ArrayConfig:
        """``array`` with the number of columns that the host uses (see ``golden.matrix.tiled``).

        Raises
        ------
        TypeError, ValueError
            If the network does not fit its inputs, or needs more columns than an array can have.
        """
        sizes = notation.matrices(self._blocks(), self.inputs)
        return replace(array, cols=columns_taken(sizes, array))

    def _blocks(self) -> list[Block]:
        classes = checks.integer("classes", self.classes, 1)
        return [*notation.parse(notation.load(self.network)[0]), Block(classes)]


@dataclass(frozen=True, kw_only=True)
class Board:
    """A board and its design.

    Parameters
    ----------
    name, title : str
    platform : str
        Module and class of its pins, as "module:class".
    family : {"ecp5", "ice40"}
    target : str
        Name of the FPGA in ``synth.targets``.
    oscillator : int
        Frequency of its crystal, hertz.
    hertz, baud : int
        Requested clock, and bits per second on the serial line.
    lights : int
        LEDs to use, at most 3.
    accelerator : bool
        True: the accelerator, which trains on chip; False: an array, and the host trains.
    array : ArrayConfig
        The array; its number of columns follows from ``work``.
    work : Workload
    program : str
        The command that writes the bitstream to the board; ``{file}`` is replaced.
    """

    name: str
    title: str
    platform: str
    family: str
    target: str
    oscillator: int
    hertz: int
    baud: int
    lights: int
    accelerator: bool
    array: ArrayConfig
    work: Workload = Workload()
    program: str

    def config(self) -> AcceleratorConfig | ArrayConfig:
        """The configuration of the component; errors as for ``Workload``."""
        if self.accelerator:
            return self.work.accelerator(self.array)
        return self.work.array(self.array)

    def clock(self) -> Fraction:
        """Frequency of the clock, hertz. The PLL's clock may differ from ``hertz`` by up to 1 %.

        Raises
        ------
        ValueError
            If the PLL cannot make it.
        """
        if self.hertz == self.oscillator:
            return Fraction(self.hertz)
        makers: dict[str, Callable[[int, int], pll.Ecp5Pll | pll.Ice40Pll]]
        makers = {"ecp5": pll.ecp5, "ice40": pll.ice40}
        setting = makers[self.family](self.oscillator, self.hertz)
        made: Fraction = setting.hertz(self.oscillator)
        return made

    def divisor(self) -> int:
        """Clock cycles per bit.

        Raises
        ------
        ValueError
            If the clock is impossible or too slow for the line, or no whole number of cycles is
            near the length of a bit.
        """
        clock = self.clock()
        divisor = max(round(clock / self.baud), 1)
        if abs(clock / divisor - self.baud) > BAUD_TOLERANCE * self.baud:
            raise ValueError(
                f"baud must be within 2 % of {float(clock):.12g} Hz over a whole number, "
                f"not {self.baud}"
            )
        cycles: int = checked(divisor)
        return cycles

    def component(self) -> wiring.Component:
        """The design behind clock and pins; errors as for ``config`` and ``divisor``."""
        config = self.config()
        if isinstance(config, AcceleratorConfig):
            return UartAccelerator(config, self.divisor())
        return UartArray(config, self.divisor())

    def pins(self) -> Any:
        """A new object of its platform.

        Raises
        ------
        ImportError
            If amaranth-boards is not installed.
        """
        module, _, name = self.platform.partition(":")
        try:
            return getattr(importlib.import_module(module), name)()
        except ModuleNotFoundError as error:
            raise ImportError(f"boards need amaranth-boards ({error}): {install('fpga')}") from None

    def training(self) -> str:
        """The options of ``spintrit train`` for training on the board."""
        array, default = self.config(), ArrayConfig()
        shape = array.array if isinstance(array, AcceleratorConfig) else array
        words = ["--on-chip"] if self.accelerator else []
        words += [f"--array serial:/dev/ttyUSB0@{self.baud}"]
        if self.work.network != Workload().network:
            words += [f"--network {self.work.network}"]
        if self.accelerator:
            words += [f"--batch {self.work.batch}"]
        for name in ("synapse", "code_bits", "draw_bits", "variant_bits"):
            if getattr(shape, name) != getattr(default, name):
                words.append(f"--{name.replace('_', '-')} {getattr(shape, name)}")
        return " ".join(words)


BOARDS = {
    board.name: board
    for board in (
        Board(
            name="ulx3s-85f",
            title="Radiona ULX3S, Lattice LFE5U-85F",
            platform="amaranth_boards.ulx3s:ULX3S_85F_Platform",
            family="ecp5",
            target="ecp5-85k",
            oscillator=25_000_000,
            hertz=25_000_000,
            baud=1_000_000,
            lights=3,
            accelerator=True,
            array=ArrayConfig(rows=64, counters=False),
            program="openFPGALoader -b ulx3s {file}",
        ),
        Board(
            name="icebreaker",
            title="1BitSquared iCEBreaker, Lattice iCE40UP5K",
            platform="amaranth_boards.icebreaker:ICEBreakerPlatform",
            family="ice40",
            target="ice40up5k",
            oscillator=12_000_000,
            hertz=24_000_000,
            baud=1_000_000,
            lights=2,
            accelerator=False,
            array=ArrayConfig(rows=7, code_bits=4, draw_bits=8, counters=False),
            program="openFPGALoader -b ice40_generic {file}",
        ),
    )
}


def board(name: str, *, rows: int | None = None, baud: int | None = None,
          hertz: int | None = None, work: Workload | None = None) -> Board:  # fmt: skip
    """A board by name; arguments that are given replace its own settings.

    Raises
    ------
    TypeError, ValueError
        If there is no such board, or an argument is not of its type or outside its range.
    """
    checks.choice("board", name, tuple(BOARDS))
    found = BOARDS[name]
    if rows is not None:
        found = replace(found, array=replace(found.array, rows=rows))
    if baud is not None:
        found = replace(found, baud=checks.integer("baud", baud, *serial.BAUDS))
    if hertz is not None:
        found = replace(found, hertz=checks.integer("hertz", hertz, 1_000_000, 400_000_000))
    if work is not None:
        found = replace(found, work=work)
    found.divisor()
    found.config()
    return found

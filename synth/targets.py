"""FPGAs that designs are synthesised for, and the area of their cells."""

import re
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from golden import checks
from synth.passes import copies, outputs, pairs

NUMBERS = ("lut4", "ff", "bram", "dsp", "memory_bits")  # of an Area
FREQ_MHZ = 100.0  # what placement aims at if nothing else is said
CONSTRAINTS = "pins.cst"  # file in the folder where nextpnr runs
Cells = Mapping[str, Mapping[str, Any]]  # of one module of a netlist


@dataclass(frozen=True)
class Area:
    """FPGA resources of a netlist.

    Parameters
    ----------
    lut4 : int
        Four-input LUTs that logic, carries and LUT memories occupy.
    ff, bram, dsp : int
        Registers, memory blocks, multiplier blocks.
    memory_bits : int
        Bits of memories that stay unmapped; only with target ``generic``.
    other : dict
        Number of cells of each type that the target's table does not know; not counted above.
    """

    lut4: int = 0
    ff: int = 0
    bram: int = 0
    dsp: int = 0
    memory_bits: int = 0
    other: dict[str, int] = field(default_factory=dict)

    def __sub__(self, part: "Area") -> "Area":
        left = {name: getattr(self, name) - getattr(part, name) for name in NUMBERS}
        return Area(**left, other=dict(Counter(self.other) - Counter(part.other)))

    def times(self, count: int) -> "Area":
        """Area of ``count`` such netlists."""
        sums = {name: getattr(self, name) * count for name in NUMBERS}
        return Area(**sums, other={name: n * count for name, n in self.other.items()})


@dataclass(frozen=True, kw_only=True)
class Target:
    """An FPGA, the tools' options for it, and its cells.

    Parameters
    ----------
    title : str
        Device, package and speed grade.
    synthesis : str
        Yosys script that flattens the hierarchy; ``{top}`` is replaced.
    placer : str
        Name of nextpnr's package; empty if there is no place and route.
    arguments : tuple of str
        Options of nextpnr.
    logic : str
        nextpnr's name of the cells with LUTs.
    luts : dict
        Four-input LUTs of a cell, by type.
    ffs, brams, dsps, free : str
        Regular expressions of cell types; ``free`` cells occupy nothing.
    constraints : str
        Text of the file that places the harness's pins, if nextpnr needs it.
    carry : str
        Cell type of carries that share a LUT's place where that LUT has the same inputs.
    changes : tuple of callable
        Passes that change a module of Yosys' JSON in place; each returns the number of changed
        cells.
    """

    name: str
    title: str
    synthesis: str
    placer: str = ""
    arguments: tuple[str, ...] = ()
    logic: str = ""
    luts: Mapping[str, int]
    ffs: str
    brams: str = ""
    dsps: str = ""
    free: str = ""
    carry: str = ""
    constraints: str = ""
    changes: tuple[Callable[[dict[str, Any]], int], ...] = ()

    def area(self, cells: Cells) -> Area:
        """Count the cells of one module of Yosys' JSON."""
        types = Counter(cell["type"] for cell in cells.values())
        lone = lone_carries(cells, self.carry) if self.carry else 0
        sums = Counter(lut4=lone)
        other = {}
        for name, count in types.items():
            if name in self.luts:
                sums["lut4"] += self.luts[name] * count
            elif re.fullmatch(self.ffs, name):
                sums["ff"] += count
            elif re.fullmatch(self.brams, name):
                sums["bram"] += count
            elif re.fullmatch(self.dsps, name):
                sums["dsp"] += count
            elif name == "$mem_v2":
                continue
            elif name not in (self.carry, "$scopeinfo") and not re.fullmatch(self.free, name):
                other[name] = count
        sums["memory_bits"] = sum(
            int(cell["parameters"]["SIZE"], 2) * int(cell["parameters"]["WIDTH"], 2)
            for cell in cells.values()
            if cell["type"] == "$mem_v2"
        )
        return Area(**sums, other=other)


def lone_carries(cells: Cells, carry: str) -> int:
    """iCE40 carries that share no place with a LUT: such a LUT has the carry's two operands and its
    carry-in at I1, I2 and I3."""

    def inputs(cell: Mapping[str, Any], *ports: str) -> tuple[Any, ...]:
        return tuple(tuple(cell["connections"].get(port, ())) for port in ports)

    luts = Counter(
        inputs(cell, "I1", "I2", "I3") for cell in cells.values() if cell["type"] == "SB_LUT4"
    )
    carries = Counter(
        inputs(cell, "I0", "I1", "CI") for cell in cells.values() if cell["type"] == carry
    )
    return sum((carries - luts).values())


def _ecp5(size: str) -> Target:
    return Target(
        name=f"ecp5-{size}",
        title=f"Lattice LFE5U-{size[:-1]}F, CABGA381, speed grade 6",
        synthesis="synth_ecp5 -top {top}",
        placer="nextpnr-ecp5",
        # Faster than the default placer on arrays of 64 rows.
        arguments=(f"--{size}", "--package", "CABGA381", "--speed", "6", "--placer", "static",
                   "--lpf-allow-unconstrained"),
        logic="TRELLIS_COMB",
        # As nextpnr counts: a carry cell is a slice, a 16 x 4 memory two slices and the two LUTs
        # that its write port replaces.
        luts={"LUT4": 1, "CCU2C": 2, "TRELLIS_DPR16X4": 6},
        ffs="TRELLIS_FF",
        brams="DP16KD|PDPW16KD",
        dsps="MULT18X18D|ALU54B",
        free="PFUMX|L6MUX21|TRELLIS_IO|VHI|VLO",
        changes=(outputs.merge, pairs.merge, copies.split),
    )  # fmt: skip


def _ice40(name: str, title: str, synthesis: str, *arguments: str) -> Target:
    return Target(
        name=name,
        title=f"Lattice {title}",
        synthesis=f"synth_ice40 {synthesis} -top {{top}}",
        placer="nextpnr-ice40",
        arguments=(*arguments, "--pcf-allow-unconstrained"),
        logic="ICESTORM_LC",
        luts={"SB_LUT4": 1},
        carry="SB_CARRY",
        ffs="SB_DFF.*",
        brams="SB_RAM40_4K.*|SB_SPRAM256KA",
        dsps="SB_MAC16",
        free="SB_IO|SB_GB|SB_GB_IO",
    )


_GENERIC = """synth -top {top} -flatten -run begin:fine
opt -fast -full
opt -undriven -fine
techmap
opt -fast
abc -lut 4
opt -fast
clean
"""

TARGETS = {
    target.name: target
    for target in (
        _ecp5("85k"),
        _ecp5("25k"),
        _ice40(
            "ice40up5k", "iCE40UP5K, SG48", "-device u -dsp", "--up5k", "--package", "sg48"
        ),
        _ice40("ice40hx8k", "iCE40HX8K, CT256", "-device hx", "--hx8k", "--package", "ct256"),
        Target(
            name="gowin",
            title="Gowin GW1NR-9C, QN88P, speed grade C6/I5",
            synthesis="synth_gowin -top {top}",
            placer="nextpnr-himbaechel-gowin",
            arguments=("--device", "GW1NR-LV9QN88PC6/I5", "--vopt", "family=GW1N-9C",
                       "--vopt", f"cst={CONSTRAINTS}"),
            constraints="".join(
                f'IO_LOC "{port}" {pin};\n'
                for port, pin in (("clk", 52), ("rst", 4), ("i", 18), ("o", 17))
            ),
            logic="LUT4",
            # A memory takes four LUTs of a tile of eight, and nextpnr leaves the other four free.
            luts={"LUT1": 1, "LUT2": 1, "LUT3": 1, "LUT4": 1, "ALU": 1,
                  "RAM16SDP1": 8, "RAM16SDP2": 8, "RAM16SDP4": 8},
            ffs="DFF.*",
            brams="SPX?9?|SDPB?|SDPX9B?|DPB?|DPX9B?|pROM|pROMX9",
            dsps="MULT.*|ALU54D|PADD.*",
            free="MUX2_LUT.|IBUF|OBUF|GND|VCC|GSR",
        ),
        Target(
            name="generic",
            title="LUTs of four inputs, no place and route; memories are left as they are",
            synthesis=_GENERIC,
            luts={"$lut": 1},
            ffs=r"\$_S?DFFE?_.*_|\$_DFFSRE?_.*_|\$_SDFFCE_.*_|\$_ALDFFE?_.*_",
        ),
    )
}  # fmt: skip


def target(name: str) -> Target:
    """The target of this name.

    Raises
    ------
    ValueError
        If there is none.
    """
    checks.choice("target", name, tuple(TARGETS))
    return TARGETS[name]

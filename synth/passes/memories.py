"""Removal of memories from a design: their connections become its ports."""

import re
import tempfile
from pathlib import Path

from synth import yosys

# Where a write is off, what its address and data are is left open; here they are as if it were on.
_COLLECT = """
read_verilog design.v
hierarchy -check -top {top}
proc
flatten
opt_clean
opt_expr -mux_undef
memory_collect
write_rtlil design.il
"""
_OPEN = """
read_rtlil open.il
write_verilog -noattr open.v
"""
_CELL = re.compile(r"^  cell \$mem_v2 (\S+)\n(.*?)^  end\n", re.MULTILINE | re.DOTALL)
_PARAMETER = re.compile(r"parameter \\(\w+) (\d+)$", re.MULTILINE)
_CONNECTION = re.compile(r"connect \\(\w+) (.+)")
# Width of a connection: its ports times one of these, or one bit each.
_WIDTHS = {"DATA": "WIDTH", "ADDR": "ABITS", "EN": "WIDTH"}


def without_memories(verilog: str, top: str) -> str:
    """Verilog without its memories; the text itself if it has none. New ports, named after each
    memory, carry the data that it read and all its inputs.

    Raises
    ------
    ToolError
        If Yosys is missing or fails.
    """
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch)
        (folder / "design.v").write_text(verilog)
        yosys.run(_COLLECT.format(top=top), folder)
        design = (folder / "design.il").read_text()
        cells = _CELL.findall(design)
        if not cells:
            return verilog
        count = len(re.findall(r"^  wire .*?(?:input|output|inout) \d+ ", design, re.MULTILINE))
        for name, body in cells:
            lines = []
            for port, width, way, signal in _ports(body):
                count += 1
                wire = f"\\{name.lstrip(chr(92))}_{port}"
                pair = (signal, wire) if way == "input" else (wire, signal)
                lines += [
                    f"  wire width {width} {way} {count} {wire}\n",
                    "  connect {} {}\n".format(*pair),
                ]
            design = _CELL.sub(lambda _: "".join(lines), design, count=1)  # noqa: B023
        (folder / "open.il").write_text(design)
        yosys.run(_OPEN, folder)
        return (folder / "open.v").read_text()


def _ports(body: str) -> list[tuple[str, int, str, str]]:
    """A memory's connections: name, width, direction of the new port, signal."""
    parameters = {name: int(value) for name, value in _PARAMETER.findall(body)}
    found = []
    for port, signal in _CONNECTION.findall(body):
        side, _, kind = port.partition("_")
        width = parameters[f"{side}_PORTS"] * (
            1 if port == "RD_EN" else parameters.get(_WIDTHS.get(kind, ""), 1)
        )
        # A clock is an input already, and a memory's resets are constants here.
        if width and kind in _WIDTHS:
            found.append((port, width, "input" if port == "RD_DATA" else "output", signal))
    return found

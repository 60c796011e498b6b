"""Move registers behind an ECP5's block RAMs into their output registers. Yosys does not.

Data are valid 5.8 ns after the clock without the output register, and 1.0 ns with it. The register
has the clock of the read port, and an enable of its own.
"""

from collections import Counter
from typing import Any

_MEMORY, _REGISTER = "DP16KD", "TRELLIS_FF"
_WIDTH = 18
_WIDE = 36  # both halves of the outputs are one word, which port B reads
Cell = dict[str, Any]


def merge(module: dict[str, Any]) -> int:
    """Move registers into the block RAMs of a module of Yosys' JSON.

    The registers behind a port are moved if each used bit of its data feeds exactly one register,
    and if they have the port's clock, one clock enable, no reset, and the initial value 0.

    Returns
    -------
    int
        Number of registers that were moved.
    """
    cells = module["cells"]
    readers: Counter[Any] = Counter()
    registers: dict[Any, str] = {}  # by the bit that each takes
    for name, cell in cells.items():
        for port, bits in cell["connections"].items():
            if cell["port_directions"][port] == "input":
                readers.update(bits)
        if cell["type"] == _REGISTER:
            registers[_bit(cell, "DI")] = name
    for declared in module["ports"].values():
        readers.update(declared["bits"])
    gone = 0
    for memory in [cell for cell in cells.values() if cell["type"] == _MEMORY]:
        wide = int(memory["parameters"]["DATA_WIDTH_B"], 2) == _WIDE
        for halves in ("AB",) if wide else ("A", "B"):
            data = [f"DO{half}{i}" for half in halves for i in range(_WIDTH)]
            seen = {out: _bit(memory, out) for out in data if readers[_bit(memory, out)]}
            if seen and all(readers[bit] == 1 and bit in registers for bit in seen.values()):
                found = {out: registers[bit] for out, bit in seen.items()}
                gone += _move(cells, memory, halves, found)
    return gone


def _move(cells: dict[str, Cell], memory: Cell, halves: str, found: dict[str, str]) -> int:
    """Move the registers ``found`` behind outputs into the memory if they qualify."""
    read = halves[-1]
    kinds = {_kind(cells[name]) for name in found.values()}
    clock = ("CLK", _bit(memory, f"CLK{read}"))
    if len(kinds) > 1 or (kind := kinds.pop()) is None or kind[0] != clock:
        return 0
    if _bit(memory, f"RST{read}") != "0":
        return 0
    for out, name in found.items():
        memory["connections"][out] = cells.pop(name)["connections"]["Q"]
    for half in halves:
        memory["parameters"][f"REGMODE_{half}"] = "OUTREG"
        memory["connections"][f"OCE{half}"] = [kind[1]]
    return len(found)


def _kind(register: Cell) -> tuple[tuple[str, Any], Any] | None:
    """A register's clock and enable; None if it has other controls."""
    parameters = register["parameters"]
    enabled = parameters["CEMUX"].strip()  # Yosys ends a string with a space if it looks like bits
    if enabled not in ("CE", "1") or parameters["REGSET"] != "RESET":
        return None
    if _bit(register, "LSR") not in (None, "0"):
        return None
    enable = _bit(register, "CE") if enabled == "CE" else "1"
    return (parameters["CLKMUX"], _bit(register, "CLK")), enable


def _bit(cell: Cell, port: str) -> Any:
    """The bit at a port of one; None if it is not connected."""
    bits = cell["connections"].get(port)
    return bits[0] if bits else None

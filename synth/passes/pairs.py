"""Put two memories of a component into one block RAM of an ECP5. Yosys uses one for each.

A block RAM has two ports that read and write, each with its own address. Two memories fit if each
needs one port and half of the words.
"""

import re
from typing import Any

_MEMORY = "DP16KD"
_TOP = "AD{}13"  # the address bit that selects the half
_PARAMETERS = ("DATA_WIDTH_{}", "REGMODE_{}", "WRITEMODE_{}", "CSDECODE_{}")
_SHARED = ("RESETMODE", "ASYNC_RESET_RELEASE", "GSR")
_NUMBERS = re.compile(r"_\d+(\.\d+)*$")
_PORT_A = re.compile(r"(DI|AD|CE|OCE|CLK|WE|RST|CS|DO)A(\d*)")
Cell = dict[str, Any]


def merge(module: dict[str, Any]) -> int:
    """Merge pairs of block RAMs in a module of Yosys' JSON.

    A pair has names that differ only in their last numbers, such as ``table_0`` and ``table_1``. In
    both, port B is idle, half of the words are enough, and the initial values are 0.

    Returns
    -------
    int
        Number of block RAMs that were saved.
    """
    cells, gone = module["cells"], 0
    waiting: dict[tuple[str, ...], str] = {}
    for name in sorted(cells):
        cell = cells[name]
        if cell["type"] != _MEMORY or not _half(cell):
            continue
        kind = (_NUMBERS.sub("", name), *(cell["parameters"].get(each, "") for each in _SHARED))
        if kind not in waiting:
            waiting[kind] = name
            continue
        _join(cells[waiting.pop(kind)], cells.pop(name))
        gone += 1
    return gone


def _half(cell: Cell) -> bool:
    """Whether a memory uses only port A and half of the words, and starts as 0."""
    parameters, connections = cell["parameters"], cell["connections"]
    blank = all(
        set(value) <= set("0x") for name, value in parameters.items() if name.startswith("INITVAL")
    )
    return blank and connections["CEB"] == ["0"] and connections[_TOP.format("A")] == ["0"]


def _join(first: Cell, second: Cell) -> None:
    """Give ``first`` the port A of ``second`` as its port B, on the other half of the words."""
    for port, bits in second["connections"].items():
        if found := _PORT_A.fullmatch(port):
            first["connections"][f"{found[1]}B{found[2]}"] = bits
    first["connections"][_TOP.format("B")] = ["1"]
    parameters = second["parameters"]
    for each in _PARAMETERS:
        first["parameters"][each.format("B")] = parameters[each.format("A")]
    first["parameters"]["CLKBMUX"] = parameters["CLKAMUX"].replace("CLKA", "CLKB")

"""Copies of an ECP5's registers and LUTs that feed much, each for what is near: Yosys makes none.

A signal for every row of an array has to reach all of the chip in a cycle; from a register for each
few rows it has two cycles for that.
"""

from typing import Any

MOST = 64  # inputs that a cell feeds
_OUTPUTS = {"TRELLIS_FF": "Q", "LUT4": "Z"}
Cell = dict[str, Any]
Reader = tuple[str, str, int]  # a cell, its port, a bit of that


def split(module: dict[str, Any], most: int = MOST) -> int:
    """Copy each register and LUT of a module of a netlist, as Yosys writes it in JSON, that feeds
    more than ``most`` inputs of cells; cells whose names are near get the same copy.

    Copies count as inputs of the cells before them, which may so be copied, too.

    Returns
    -------
    int
        How many cells have come.
    """
    cells, nets = module["cells"], module["netnames"]
    readers: dict[Any, set[Reader]] = {}
    drivers: dict[Any, str] = {}
    for name, cell in cells.items():
        for port, bits in cell["connections"].items():
            if cell["port_directions"][port] == "input":
                for i, bit in enumerate(bits):
                    readers.setdefault(bit, set()).add((name, port, i))
        if cell["type"] in _OUTPUTS:
            drivers[cell["connections"][_OUTPUTS[cell["type"]]][0]] = name
    called = {bit: name for name, net in nets.items() for bit in net["bits"]}
    free = 1 + max(bit for bit in (*called, *readers, *drivers, 1) if isinstance(bit, int))
    pending = [bit for bit in drivers if len(readers.get(bit, ())) > most]
    made = 0
    while pending:
        bit = pending.pop()
        first, *others = _groups(readers[bit], most)
        readers[bit] = set(first)
        name = drivers[bit]
        cell = cells[name]
        inputs = [bits[0] for port, bits in cell["connections"].items()
                  if cell["port_directions"][port] == "input"]  # fmt: skip
        for k, group in enumerate(others, 1):
            copy = f"{name}_copy{k}"
            output = {_OUTPUTS[cell["type"]]: [free]}
            cells[copy] = cell | {"connections": cell["connections"] | output}
            nets[f"{called.get(bit, name)}_copy{k}"] = {"bits": [free], "hide_name": 1}
            for reader, port, i in group:
                bits = cells[reader]["connections"][port]
                cells[reader]["connections"][port] = [*bits[:i], free, *bits[i + 1 :]]
            readers[free] = set(group)
            for port, bits in cell["connections"].items():
                if cell["port_directions"][port] == "input":
                    readers[bits[0]].add((copy, port, 0))
            free, made = free + 1, made + 1
        pending += [
            before for before in dict.fromkeys(inputs)
            if before in drivers and len(readers[before]) > most and before not in pending
        ]  # fmt: skip
    return made


def _groups(readers: set[Reader], most: int) -> list[list[Reader]]:
    """Equal parts, each of at most ``most``, in the order of names."""
    count = -(-len(readers) // most)
    size = -(-len(readers) // count)
    ordered = sorted(readers)
    return [ordered[i : i + size] for i in range(0, len(ordered), size)]

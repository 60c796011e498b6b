"""Copies of an ECP5's registers and LUTs with a high fan-out. Yosys makes none.

A signal for every row of an array has to cross the chip in one cycle. With a register for each few
rows it has two cycles.
"""

from collections import Counter
from collections.abc import Collection
from typing import Any

MOST = 24  # inputs that a cell feeds
# Clear and enable of registers: those of a tile, eight, share wires, and each signal more is a
# constraint on which may be neighbours.
CONTROLS = ("LSR", "CE")
SHARE = 4  # of them that count as one input
_OUTPUTS = {"TRELLIS_FF": "Q", "LUT4": "Z"}
Cell = dict[str, Any]
Reader = tuple[str, str, int]  # a cell, its port, a bit of that


def split(module: dict[str, Any], most: int = MOST) -> int:
    """Copy each register and LUT with a fan-out of more than ``most`` inputs of cells, in a module
    of Yosys' JSON; cells with neighbouring names get the same copy.

    Copies count as inputs of the cells before them, which may then be copied, too. A signal that
    clears a quarter of all registers is the reset, and is not copied.

    Returns
    -------
    int
        Number of new cells.
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
    called = {
        bit: name if len(net["bits"]) == 1 else f"{name}[{i}]"
        for name, net in nets.items()
        for i, bit in enumerate(net["bits"])
    }
    free = 1 + max(bit for bit in (*called, *readers, *drivers, 1) if isinstance(bit, int))
    registers = sum(cell["type"] == "TRELLIS_FF" for cell in cells.values())

    def too_many(bit: Any) -> bool:
        feeds = readers.get(bit, ())
        clears = sum(port == "LSR" for _, port, _ in feeds)
        return _load(feeds) > most and (4 * clears < registers or clears <= most)

    pending = [bit for bit in drivers if too_many(bit)]
    copied: Counter[str] = Counter()  # by cell: it may feed more again, once others are copied
    while pending:
        bit = pending.pop()
        first, *others = _groups(readers[bit], most)
        readers[bit] = set(first)
        name = drivers[bit]
        cell = cells[name]
        inputs = [bits[0] for port, bits in cell["connections"].items()
                  if cell["port_directions"][port] == "input"]  # fmt: skip
        for group in others:
            copied[name] += 1
            suffix = f"_copy{copied[name]}"
            connections = cell["connections"] | {_OUTPUTS[cell["type"]]: [free]}
            cells[name + suffix] = cell | {"connections": connections}
            nets[f"{called.get(bit, name)}{suffix}"] = {"bits": [free], "hide_name": 1}
            drivers[free], readers[free] = name + suffix, set(group)
            for port, bits in connections.items():
                if cell["port_directions"][port] == "input":
                    readers[bits[0]].add((name + suffix, port, 0))
            for reader, port, i in group:
                bits = cells[reader]["connections"][port]
                cells[reader]["connections"][port] = [*bits[:i], free, *bits[i + 1 :]]
            free += 1
        pending += [
            before for before in dict.fromkeys(inputs)
            if before in drivers and too_many(before) and before not in pending
        ]  # fmt: skip
    return copied.total()


def _load(readers: Collection[Reader]) -> float:
    """The fan-out that these inputs count as."""
    controls = sum(port in CONTROLS for _, port, _ in readers)
    return len(readers) - controls + controls / SHARE


def _groups(readers: set[Reader], most: int) -> list[list[Reader]]:
    """Equal parts, in the order of names, of data and of controls, none counting more than
    ``most``."""
    groups = []
    for share, size in ((False, most), (True, most * SHARE)):
        ordered = sorted(reader for reader in readers if (reader[1] in CONTROLS) == share)
        count = max(-(-len(ordered) // size), 1)
        size = -(-len(ordered) // count)
        groups += [ordered[i : i + size] for i in range(0, len(ordered), size or 1)]
    return groups

"""Registers and LUTs that feed much are copied, and nothing else changes."""

import copy
import itertools
from collections import Counter

import pytest

from synth.netlist import netlist
from synth.passes import copies

CLOCK = 2


def register(taken, given):
    connections = {"CLK": [CLOCK], "DI": [taken], "Q": [given]}
    directions = {"CLK": "input", "DI": "input", "Q": "output"}
    return {
        "type": "TRELLIS_FF", "parameters": {}, "port_directions": directions,
        "connections": connections,
    }  # fmt: skip


def lut(given, *taken):
    ports = dict(zip("ABCD", taken, strict=False))
    directions = dict.fromkeys(ports, "input") | {"Z": "output"}
    connections = {port: [bit] for port, bit in ports.items()} | {"Z": [given]}
    return {
        "type": "LUT4", "parameters": {}, "port_directions": directions,
        "connections": connections,
    }  # fmt: skip


def design(count):
    """A register before a LUT before ``count`` registers: bits 10 and 11, then 100 up."""
    cells = {"first": register(3, 10), "middle": lut(11, 10, "1")}
    cells |= {f"row_{i:04}": register(11, 100 + i) for i in range(count)}
    ports = {"i": {"bits": [3]}, "o": {"bits": [100 + i for i in range(count)]}}
    nets = {"first": {"bits": [10]}, "middle": {"bits": [11]}, "clk": {"bits": [CLOCK]}}
    return {"cells": cells, "ports": ports, "netnames": nets}


def origin(module, bit):
    """What a bit is made of: the cells before it, by their names without the copies' numbers."""
    for name, cell in module["cells"].items():
        output = {"TRELLIS_FF": "Q", "LUT4": "Z"}[cell["type"]]
        if cell["connections"][output] == [bit]:
            inputs = sorted(set(cell["connections"]) - {output})
            return name.split("_copy")[0], [
                origin(module, cell["connections"][port][0]) for port in inputs
            ]
    return bit


def fans(module):
    return Counter(
        bits[0]
        for cell in module["cells"].values()
        for port, bits in cell["connections"].items()
        if cell["port_directions"][port] == "input" and bits[0] != CLOCK
    )


@pytest.mark.parametrize("count", [1, 4, 5, 16, 17, 200])
def test_no_register_or_lut_feeds_more(count):
    module, before = design(count), design(count)
    made = copies.split(module, most=4)
    assert len(module["cells"]) == len(before["cells"]) + made
    assert (made > 0) == (count > 4)
    driven = {bit: fan for bit, fan in fans(module).items() if bit not in (3, "1")}
    assert max(driven.values()) <= 4
    for i in range(count):
        assert origin(module, 100 + i) == origin(before, 100 + i)
    assert copies.split(module, most=4) == 0


def test_nets_for_yosys_are_called_as_no_cell():
    """Copies of copies have nets by their own name."""
    module = design(200)
    cells = module["cells"]
    cells["first"] = cells.pop("first")  # is copied before what it feeds
    cells |= {f"direct_{i}": register(10, 1000 + i) for i in range(9)}
    module["netnames"] = {"a": {"bits": [10]}, "b": {"bits": [11]}, "clk": {"bits": [CLOCK]}}
    copies.split(module, most=4)
    nets = module["netnames"]
    assert cells.keys() & nets.keys()
    told = netlist.apart(nets, cells)
    assert not cells.keys() & told.keys()
    assert list(told.values()) == list(nets.values())


def test_neighbours_share_a_copy():
    module = design(8)
    assert copies.split(module, most=4) == 1
    taken = [module["cells"][f"row_{i:04}"]["connections"]["DI"][0] for i in range(8)]
    assert [len(list(group)) for _, group in itertools.groupby(taken)] == [4, 4]
    assert "middle_copy1" in module["netnames"]


@pytest.mark.parametrize("luts", [3, 5, 40])
@pytest.mark.parametrize("first", [False, True])
def test_what_feeds_copies_is_copied_as_often_as_that_takes(luts, first):
    """A register of ``luts`` LUTs, each of nine registers; it is split before or after them."""
    cells = {f"lut_{i:02}": lut(20 + i, 10, 10) for i in range(luts)}
    register_cell = {"source": register(3, 10)}
    cells = register_cell | cells if first else cells | register_cell
    for i in range(luts):
        cells |= {f"row_{i:02}_{j}": register(20 + i, 1000 + 10 * i + j) for j in range(9)}
    ports = {"o": {"bits": [1000 + 10 * i + j for i in range(luts) for j in range(9)]}}
    nets = {"many": {"bits": [20 + i for i in range(luts)]}, "source": {"bits": [10]}}
    module = {"cells": cells, "ports": ports, "netnames": nets}
    before = copy.deepcopy(module)
    made = copies.split(module, most=4)
    assert len(module["cells"]) == len(before["cells"]) + made
    assert len(module["netnames"]) == len(before["netnames"]) + made
    assert max(fan for bit, fan in fans(module).items() if bit != 3) <= 4
    for bit in ports["o"]["bits"]:
        assert origin(module, bit) == origin(before, bit)


def test_a_register_that_holds_itself():
    """Each copy reads one of them."""
    module = {
        "cells": {"held": lut(10, 10)} | {f"row_{i}": register(10, 100 + i) for i in range(9)},
        "ports": {},
        "netnames": {"held": {"bits": [10]}},
    }
    copies.split(module, most=4)
    given = {
        cell["connections"]["Z"][0] for cell in module["cells"].values() if cell["type"] == "LUT4"
    }
    assert len(given) == len([name for name in module["cells"] if name.startswith("held")])
    for cell in module["cells"].values():
        assert cell["connections"].get("A", cell["connections"].get("DI"))[0] in given
    assert max(fans(module).values()) <= 4


def controlled(count, others, port):
    """A register that clears or enables ``count`` others, and ``others`` besides."""
    cells = {"source": register(3, 10)}
    for i in range(count + others):
        cell = register(5, 100 + i)
        if i < count:
            cell["connections"][port] = [10]
            cell["port_directions"][port] = "input"
        cells[f"row_{i:04}"] = cell
    return {"cells": cells, "ports": {}, "netnames": {"source": {"bits": [10]}}}


@pytest.mark.parametrize("port", copies.CONTROLS)
@pytest.mark.parametrize(("count", "made"), [(16, 0), (17, 1), (33, 2)])
def test_controls_count_a_quarter(port, count, made):
    assert copies.split(controlled(count, 4 * count, port), most=4) == made


def test_reset_stays_one():
    assert copies.split(controlled(100, 0, "LSR"), most=4) == 0
    assert copies.split(controlled(100, 400, "LSR"), most=4) == 6
    assert copies.split(controlled(100, 0, "CE"), most=4) == 6

"""Which block RAMs share one, and how."""

import copy
import re

import pytest

from synth.passes import pairs

CLOCK, OTHER = 2, 3


def memory(base, width=18, **changes):
    """A block RAM of port A alone; its bits are ``base`` up."""
    bits = {f"DIA{i}": base + i for i in range(18)} | {f"DOA{i}": base + 20 + i for i in range(18)}
    bits |= {f"ADA{i}": base + 40 + i for i in range(13)} | {"ADA13": "0"}
    bits |= {"CEA": base + 60, "WEA": base + 61, "OCEA": "1", "CLKA": CLOCK, "RSTA": "0"}
    bits |= {f"CSA{i}": "0" for i in range(3)}
    idle = {re.sub(r"A(\d*)$", r"B\1", port): "x" for port in bits}
    idle |= {"CEB": "0", "WEB": "0", "CLKB": "0"}
    connections = {port: [bit] for port, bit in (bits | idle).items()}
    parameters = {
        "DATA_WIDTH_A": f"{width:032b}", "DATA_WIDTH_B": f"{18:032b}", "REGMODE_A": "OUTREG",
        "REGMODE_B": "NOREG", "WRITEMODE_A": "NORMAL", "WRITEMODE_B": "READBEFOREWRITE",
        "CSDECODE_A": "0b000", "CSDECODE_B": "0b000", "CLKAMUX": "CLKA", "CLKBMUX": "CLKB",
        "RESETMODE": "SYNC", "ASYNC_RESET_RELEASE": "SYNC", "GSR": "DISABLED",
        "INITVAL_00": "x0" * 160,
    }  # fmt: skip
    for name, value in changes.items():
        (connections if name in connections else parameters)[name] = value
    return {"type": "DP16KD", "parameters": parameters, "connections": connections}


def module(**cells):
    return {"cells": cells}


def test_the_second_is_port_b_of_the_first():
    first, second = memory(100), memory(200, width=9, CLKA=[OTHER], CLKAMUX="INV")
    design = module(table_0=copy.deepcopy(first), table_1=second)
    assert pairs.merge(design) == 1
    [(name, cell)] = design["cells"].items()
    assert name == "table_0"
    found, gone = cell["connections"], second["connections"]
    for port, bits in first["connections"].items():
        if port.startswith(("DIA", "DOA", "ADA", "CSA")) or port in ("CEA", "WEA", "OCEA", "CLKA"):
            assert found[port] == bits
    for i in range(18):
        assert (found[f"DIB{i}"], found[f"DOB{i}"]) == (gone[f"DIA{i}"], gone[f"DOA{i}"])
    assert [found[f"ADB{i}"] for i in range(14)] == [[240 + i] for i in range(13)] + [["1"]]
    assert [found[f"{port}B"] for port in ("CE", "WE", "OCE", "CLK", "RST")] == [
        [260], [261], ["1"], [OTHER], ["0"],
    ]  # fmt: skip
    assert {n: v for n, v in cell["parameters"].items() if n[-2:] == "_B" or n == "CLKBMUX"} == {
        "DATA_WIDTH_B": f"{9:032b}", "REGMODE_B": "OUTREG", "WRITEMODE_B": "NORMAL",
        "CSDECODE_B": "0b000", "CLKBMUX": "INV",
    }  # fmt: skip
    assert pairs.merge(design) == 0


def test_neighbours_alone():
    names = [f"lane_{j}.table_{i}.0.0" for j in range(12) for i in range(2)] + ["odd_1", "even_1"]
    design = module(**{name: memory(100 * k) for k, name in enumerate(names)})
    assert pairs.merge(design) == 12
    assert set(design["cells"]) == {name for name in names if "table_1" not in name}
    for j in range(12):
        at = 100 * names.index(f"lane_{j}.table_1.0.0")
        assert design["cells"][f"lane_{j}.table_0.0.0"]["connections"]["DIB0"] == [at]


@pytest.mark.parametrize(
    "change",
    [
        {"CEB": [7]},
        {"ADA13": [7]},
        {"INITVAL_00": "x0" * 159 + "01"},
        {"RESETMODE": "ASYNC"},
        {"GSR": "ENABLED"},
    ],
    ids=lambda change: next(iter(change)),
)
@pytest.mark.parametrize("place", [0, 1])
def test_others_stay_alone(change, place):
    cells = [memory(100), memory(200)]
    cells[place] = memory(100 * (1 + place), **change)
    design = module(table_0=cells[0], table_1=cells[1])
    before = copy.deepcopy(design)
    assert pairs.merge(design) == 0
    assert design == before

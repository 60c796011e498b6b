"""Registers that go into block RAMs, and those that must not."""

import copy

import pytest

from synth.passes import outputs

CLOCK, ENABLE, OTHER = 2, 3, 4


def memory(width=18, **ports):
    """A block RAM whose data of port B are bits 100, 101, ... and of port A 200, 201, ..."""
    data = {
        f"DO{half}{i}": [base + i] for half, base in (("A", 200), ("B", 100)) for i in range(18)
    }
    connections = data | {
        "CLKA": [CLOCK], "CLKB": [CLOCK], "RSTA": ["0"], "RSTB": ["0"], "OCEA": ["0"],
        "OCEB": ["1"], "ADB0": [50],
    } | ports  # fmt: skip
    return {
        "type": "DP16KD",
        "parameters": {
            "DATA_WIDTH_B": f"{width:032b}", "REGMODE_A": "NOREG", "REGMODE_B": "NOREG",
        },
        "port_directions": {p: "output" if p.startswith("DO") else "input" for p in connections},
        "connections": connections,
    }  # fmt: skip


def register(taken, given, enable=ENABLE, **parameters):
    connections = {"CLK": [CLOCK], "DI": [taken], "LSR": ["0"], "Q": [given]}
    if enable != "1":
        connections["CE"] = [enable]
    defaults = {"CEMUX": "CE" if enable != "1" else "1 ", "CLKMUX": "CLK", "REGSET": "RESET"}
    return {
        "type": "TRELLIS_FF",
        "parameters": defaults | parameters,
        "port_directions": {p: "output" if p == "Q" else "input" for p in connections},
        "connections": connections,
    }


def design(bits, width=18, enable=ENABLE, **ports):
    """A memory with a register behind each of ``bits``; their outputs are bits 300 up."""
    cells = {"memory": memory(width, **ports)}
    for i, bit in enumerate(bits):
        cells[f"register_{i}"] = register(bit, 300 + i, enable)
    seen = [300 + i for i in range(len(bits))]
    return {"cells": cells, "ports": {"o": {"direction": "output", "bits": seen}}}


@pytest.mark.parametrize("enable", [ENABLE, "1"])
@pytest.mark.parametrize("count", [1, 17, 18])
def test_registers_of_a_port_go_in(count, enable):
    module = design(range(100, 100 + count), enable=enable)
    assert outputs.merge(module) == count
    [cell] = module["cells"].values()
    assert [cell["connections"][f"DOB{i}"] for i in range(count)] == [
        [300 + i] for i in range(count)
    ]
    assert (cell["parameters"]["REGMODE_A"], cell["parameters"]["REGMODE_B"]) == ("NOREG", "OUTREG")
    assert (cell["connections"]["OCEA"], cell["connections"]["OCEB"]) == (["0"], [enable])
    assert outputs.merge(module) == 0


def test_wide_words_have_both_halves():
    """Port B reads them, so that its enable is that of both."""
    module = design([*range(100, 118), *range(200, 210)], width=36)
    assert outputs.merge(module) == 28
    [cell] = module["cells"].values()
    for half in "AB":
        assert cell["parameters"][f"REGMODE_{half}"] == "OUTREG"
        assert cell["connections"][f"OCE{half}"] == [ENABLE]


def unmerged(module, change):
    """Nothing goes once ``change`` is made."""
    assert outputs.merge(copy.deepcopy(module)) > 0
    change(module)
    before = copy.deepcopy(module)
    assert outputs.merge(module) == 0
    assert module == before


def set_of(cell, kind, **values):
    def change(module):
        module["cells"][cell][kind].update(values)

    return change


REFUSED = {
    "another clock": set_of("register_1", "connections", CLK=[OTHER]),
    "another enable": set_of("register_1", "connections", CE=[OTHER]),
    "the other edge": set_of("register_1", "parameters", CLKMUX="INV"),
    "an inverted enable": set_of("register_1", "parameters", CEMUX="INV"),
    "a reset": set_of("register_1", "connections", LSR=[OTHER]),
    "comes up as 1": set_of("register_1", "parameters", REGSET="SET"),
    "the memory's reset": set_of("memory", "connections", RSTB=[OTHER]),
    "a bit that is also a port": lambda m: m["ports"]["o"]["bits"].append(101),
    "a bit with logic behind it": lambda m: m["cells"].update(
        lut={"type": "LUT4", "parameters": {}, "port_directions": {"A": "input", "Z": "output"},
             "connections": {"A": [101], "Z": [400]}}
    ),
    "two registers": lambda m: m["cells"].update(twin=register(101, 401)),
    "a bit without a register": lambda m: m["cells"].pop("register_1") and m["ports"]["o"][
        "bits"
    ].append(101),
}  # fmt: skip


@pytest.mark.parametrize("why", REFUSED)
def test_all_of_a_port_or_nothing(why):
    unmerged(design(range(100, 103)), REFUSED[why])


def test_half_of_a_wide_word_does_not_go():
    module = design([100, 200], width=36)
    unmerged(module, set_of("register_1", "connections", CE=[OTHER]))

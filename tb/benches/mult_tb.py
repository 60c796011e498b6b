"""The four kinds of multiplier that an ECP5 has by its operands' signs, and their cocotb test."""

import cocotb
import numpy as np
from amaranth.hdl import Instance, Module
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out
from cocotb.triggers import Timer

BITS = 18
SIGNS = [(0, 0), (0, 1), (1, 0), (1, 1)]
EDGES = [0, 1, 2, (1 << BITS - 1) - 1, 1 << BITS - 1, (1 << BITS - 1) + 1, (1 << BITS) - 1]
RANDOM = 2000


def ports(name: str, value) -> dict:
    """Ports of one bit each, as Yosys has them."""
    return {f"{name}{i}": value[i] for i in range(len(value))}


class Multipliers(wiring.Component):
    """A MULT18X18D for each pair of signs, connected as Yosys connects them.

    Members
    -------
    a, b : In(18)
    product_00, ..., product_11 : Out(36)
        Product of a and b; the digits of its name are 1 for a signed operand, a's first.
    """

    def __init__(self):
        super().__init__(
            {"a": In(BITS), "b": In(BITS)} | {f"product_{a}{b}": Out(2 * BITS) for a, b in SIGNS}
        )

    def elaborate(self, platform):
        m = Module()
        for signed_a, signed_b in SIGNS:
            inputs = ports("A", self.a) | ports("B", self.b) | {f"C{i}": 0 for i in range(BITS)}
            inputs |= {"SIGNEDA": signed_a, "SIGNEDB": signed_b, "SOURCEA": 0, "SOURCEB": 0}
            outputs = ports("P", getattr(self, f"product_{signed_a}{signed_b}"))
            m.submodules += Instance(
                "MULT18X18D",
                **{f"i_{name}": value for name, value in inputs.items()},
                **{f"o_{name}": value for name, value in outputs.items()},
            )
        return m


@cocotb.test(timeout_time=1, timeout_unit="ms")
async def products_are_those_of_integers(dut):
    """All pairs of the operands' edges, and random ones."""
    rng = np.random.default_rng(cocotb.RANDOM_SEED)
    pairs = [(a, b) for a in EDGES for b in EDGES]
    pairs += rng.integers(1 << BITS, size=(RANDOM, 2)).tolist()
    for a, b in pairs:
        dut.a.value, dut.b.value = a, b
        await Timer(1, unit="ns")
        for signed_a, signed_b in SIGNS:
            got = int(getattr(dut, f"product_{signed_a}{signed_b}").value)
            expected = number(a, signed_a) * number(b, signed_b) % (1 << 2 * BITS)
            assert got == expected, (a, b, signed_a, signed_b, got, expected)


def number(bits: int, signed: int) -> int:
    """The number that an operand's bits represent."""
    return bits - (signed * bits >> BITS - 1 << BITS)

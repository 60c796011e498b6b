"""Products for which an ECP5 has multipliers, and their cocotb test against integers."""

import itertools
import random

import cocotb
from amaranth.hdl import Module
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out
from cocotb.triggers import Timer

BITS = 18
SIGNS = tuple(itertools.product((False, True), repeat=2))  # of the operands
RANDOM = 2000  # pairs


def port(signs: tuple[bool, bool]) -> str:
    return "o_" + "".join("us"[sign] for sign in signs)


def width(sign: bool, signs: tuple[bool, bool]) -> int:
    """Of an operand; an unsigned one next to a signed one gets a sign, too."""
    return BITS if sign or not any(signs) else BITS - 1


class Products(wiring.Component):
    """Products of ``a`` and ``b``, each taken as signed and as unsigned."""

    def __init__(self) -> None:
        outputs = {port(signs): Out(2 * BITS) for signs in SIGNS}
        super().__init__({"a": In(BITS), "b": In(BITS)} | outputs)

    def elaborate(self, platform: object) -> Module:
        m = Module()
        for signs in SIGNS:
            a, b = (
                bits.as_signed() if sign else bits[: width(sign, signs)]
                for bits, sign in zip((self.a, self.b), signs, strict=True)
            )
            m.d.comb += getattr(self, port(signs)).eq(a * b)
        return m


def taken(bits: int, sign: bool, signs: tuple[bool, bool]) -> int:
    """An operand's value."""
    value = bits % (1 << width(sign, signs))
    return value - (sign and value >> BITS - 1) * (1 << BITS)


@cocotb.test()
async def products(dut):
    """Extremes, and random operands."""
    ends = (0, 1, (1 << BITS - 1) - 1, 1 << BITS - 1, (1 << BITS) - 1)
    pairs = list(itertools.product(ends, repeat=2))
    pairs += [(random.getrandbits(BITS), random.getrandbits(BITS)) for _ in range(RANDOM)]
    for pair in pairs:
        dut.a.value, dut.b.value = pair
        await Timer(1, "ns")
        for signs in SIGNS:
            a, b = (taken(bits, sign, signs) for bits, sign in zip(pair, signs, strict=True))
            found = int(getattr(dut, port(signs)).value)
            assert found == a * b % (1 << 2 * BITS), f"{port(signs)}: {a} * {b} gave {found:#x}"

"""Memories that fill a block RAM of an ECP5 in each of its shapes, and their cocotb test."""

import os

import cocotb
import numpy as np
from amaranth.hdl import ClockSignal, Instance, Module, Signal, unsigned
from amaranth.lib import wiring
from amaranth.lib.memory import Memory
from amaranth.lib.wiring import In, Out
from cocotb.clock import Clock
from cocotb.triggers import FallingEdge

WIDTHS = (1, 2, 4, 9, 18, 36)
BYTE = 9  # what has a write enable of its own
ADDRESS_BITS = 14  # of words of one bit
CYCLES = 3000


def depth(width: int) -> int:
    """Words of ``width`` bits in a block RAM: the widths below a byte leave its ninth bit out."""
    return (1 << ADDRESS_BITS) // (width // BYTE * 8 or width)


class Memories(wiring.Component):
    """One memory a width, with equal inputs as far as each is wide.

    Parameters
    ----------
    registered : bool
        Data out of a register of its own enable, ``out_en``, behind each memory; nothing is read
        while it is written, since Yosys then puts logic between the two.
    """

    def __init__(self, registered: bool):
        self._registered = registered
        super().__init__(
            {
                "write_addr": In(ADDRESS_BITS),
                "write_en": In(max(WIDTHS) // BYTE),
                "write_data": In(max(WIDTHS)),
                "read_addr": In(ADDRESS_BITS),
                "read_en": In(1),
                "out_en": In(1),
            }
            | {f"read_data_{width}": Out(width) for width in WIDTHS}
        )

    def elaborate(self, platform):
        m = Module()
        for width in WIDTHS:
            m.submodules[f"memory_{width}"] = memory = Memory(
                shape=unsigned(width), depth=depth(width), init=initial(width),
                attrs={"ram_style": "block"},
            )  # fmt: skip
            write = memory.write_port(granularity=min(width, BYTE))
            data = getattr(self, f"read_data_{width}")
            m.d.comb += [
                write.addr.eq(self.write_addr),
                write.en.eq(self.write_en),
                write.data.eq(self.write_data),
            ]
            if not self._registered:
                read = memory.read_port()
                m.d.comb += [
                    read.addr.eq(self.read_addr),
                    read.en.eq(self.read_en),
                    data.eq(read.data),
                ]
                continue
            read = memory.read_port(domain="comb")
            clash = write.en.any() & (write.addr == read.addr)
            found, register = (Signal(width, name=f"{name}_{width}", reset_less=True)
                               for name in ("found", "register"))  # fmt: skip
            m.d.comb += [read.addr.eq(self.read_addr), data.eq(register)]
            with m.If(self.read_en & ~clash):
                m.d.sync += found.eq(read.data)
            with m.If(self.out_en):
                m.d.sync += register.eq(found)
        return m


class ResetRegisters(wiring.Component):
    """A block RAM of zeros whose output registers are reset by ``clear``, which no netlist has.

    Members
    -------
    clear, out_en : In(1)
    a, b : Out(1)
        A bit of each port.
    """

    def __init__(self):
        super().__init__({"clear": In(1), "out_en": In(1), "a": Out(1), "b": Out(1)})

    def elaborate(self, platform):
        m = Module()
        m.d.sync += Signal().eq(1)  # there is a clock
        ports = {"CLK{}": ClockSignal(), "CE{}": 1, "OCE{}": self.out_en, "WE{}": 0}
        ports |= {"RST{}": self.clear} | {f"CS{{}}{i}": 0 for i in range(3)}
        ports |= {f"AD{{}}{i}": 0 for i in range(ADDRESS_BITS)}
        m.submodules.memory = Instance(
            "DP16KD",
            **{f"p_REGMODE_{side}": "OUTREG" for side in "AB"},
            **{f"i_{n.format(side)}": value for n, value in ports.items() for side in "AB"},
            o_DOA0=self.a,
            o_DOB17=self.b,
        )
        return m


def initial(width: int) -> list[int]:
    """Words at power-up, no two of them alike where they are wide."""
    return [(i * 0x9E3779B97) >> 5 & ((1 << width) - 1) for i in range(depth(width))]


def write(memory: list[int], width: int, address: int, enables: int, data: int) -> None:
    """Write the enabled bytes of a word of ``width`` bits."""
    bytes_ = range(max(WIDTHS) // BYTE)
    changed = sum(((1 << BYTE) - 1) << BYTE * i for i in bytes_ if enables >> i & 1)
    changed &= (1 << width) - 1
    place = address % depth(width)
    memory[place] = memory[place] & ~changed | data & changed


@cocotb.test(timeout_time=1, timeout_unit="ms")
async def memories_hold_what_is_written(dut):
    """Random reads and writes, often of one word in one cycle; a read then gives the old one. What
    is read comes a register later or not."""
    rng = np.random.default_rng(cocotb.RANDOM_SEED)
    words = {width: initial(width) for width in WIDTHS}
    registered = bool(int(os.environ["REGISTERED"]))
    found: dict[int, int] = {}  # in the memories' own outputs
    expected: dict[int, int] = {}
    if int(dut.clk.value):  # the clock came up high: an edge, which wrote the inputs' random values
        inputs = [int(getattr(dut, f"write_{name}").value) for name in ("addr", "en", "data")]
        for width, memory in words.items():
            write(memory, width, *inputs)
    # Before the first edge: inputs come up with random values, which would be written.
    for name in ("rst", "write_en", "read_en", "out_en"):
        getattr(dut, name).value = 0
    Clock(dut.clk, 10, unit="ns").start()
    bytes_ = max(WIDTHS) // BYTE
    near = [int(rng.integers(1 << ADDRESS_BITS)) for _ in range(4)]

    def address():
        kind = rng.integers(3)
        return near[kind] ^ int(rng.integers(4)) if kind else int(rng.integers(1 << ADDRESS_BITS))

    await FallingEdge(dut.clk)
    for _ in range(CYCLES):
        write_addr, read_addr = address(), address()
        enables = int(rng.integers(1 << bytes_)) * int(rng.integers(2))
        data, read = int(rng.integers(1 << max(WIDTHS))), int(rng.integers(4) > 0)
        out = int(rng.integers(4) > 0)
        dut.out_en.value = out
        dut.write_addr.value, dut.read_addr.value = write_addr, read_addr
        dut.write_en.value, dut.write_data.value, dut.read_en.value = enables, data, read
        await FallingEdge(dut.clk)
        for width, memory in words.items():
            if out and width in found:
                expected[width] = found[width]
            reads = read
            if registered and enables & ((1 << -(-width // BYTE)) - 1):
                reads = read and (write_addr - read_addr) % depth(width)
            if reads:
                found[width] = memory[read_addr % depth(width)]
            if not registered and width in found:
                expected[width] = found[width]
            write(memory, width, write_addr, enables, data)
            if width in expected:
                got = int(getattr(dut, f"read_data_{width}").value)
                assert got == expected[width], (width, read_addr, got, expected[width])


@cocotb.test(timeout_time=1, timeout_unit="us")
async def reset_of_an_output_register_comes_out_wrong(dut):
    """The registers show ones after a reset until they are loaded, and zeros before."""
    Clock(dut.clk, 10, unit="ns").start()
    for clear, out_en, expected in ((0, 1, 0), (1, 0, 1), (0, 0, 1), (0, 1, 0), (1, 1, 1)):
        dut.clear.value, dut.out_en.value = clear, out_en
        await FallingEdge(dut.clk)
        assert (int(dut.a.value), int(dut.b.value)) == (expected, expected), (clear, out_en)

"""Marks for linters in the generated Verilog."""

from amaranth.hdl import Signal, Value


def unused(m, value):
    """Give bits that nothing reads a reader, so that linters do not warn of them."""
    reader = Signal(name="unused", attrs={"keep": 1})
    m.d.comb += reader.eq(Value.cast(value).any())

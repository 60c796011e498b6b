"""Marks for linters in the generated Verilog."""

from amaranth.hdl import Signal, Value


def unused(m, value):
    """Gives unread bits a reader: a wire named ``unused``. Linters then do not warn of them."""
    reader = Signal(name="unused", attrs={"keep": 1})
    m.d.comb += reader.eq(Value.cast(value).any())

"""Delay lines."""

from amaranth.hdl import Module, Signal, Value


def delayed(m: Module, signal, cycles: int, name: str = "", *, reset_less: bool = False):
    """``signal`` delayed by ``cycles`` registers. An expression needs a ``name``.

    ``reset_less``: keep these registers out of reset. For data that is qualified by a valid flag.
    """
    name = name or Value.cast(signal).name
    for i in range(cycles):
        later = Signal.like(signal, name=f"{name}_d{i + 1}", reset_less=reset_less)
        m.d.sync += later.eq(signal)
        signal = later
    return signal

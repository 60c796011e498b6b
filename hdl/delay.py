"""Values of earlier cycles."""

from amaranth.hdl import Module, Signal, Value


def delayed(m: Module, signal, cycles: int, name: str = "", *, reset_less: bool = False):
    """``signal`` of ``cycles`` cycles before; an expression needs a ``name``.

    With ``reset_less`` reset does not clear what is under way: for values of which nothing comes
    without a flag beside them.
    """
    name = name or Value.cast(signal).name
    for i in range(cycles):
        later = Signal.like(signal, name=f"{name}_d{i + 1}", reset_less=reset_less)
        m.d.sync += later.eq(signal)
        signal = later
    return signal

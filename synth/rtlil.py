"""Designs as RTLIL, the input format of Yosys."""

import contextlib
import gc
from collections.abc import Iterator

from amaranth.back import rtlil
from amaranth.lib import wiring


def convert(component: wiring.Component, name: str) -> str:
    """RTLIL of a component as module ``name``; its members become the ports."""
    with uncollected():
        text: str = rtlil.convert(component, name=name, emit_src=False)
    return text


@contextlib.contextmanager
def uncollected() -> Iterator[None]:
    """The garbage collector at rest.

    Amaranth makes millions of objects that last until the design is written; the collector, which
    looks through them again and again, takes a third of the time.
    """
    enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if enabled:
            gc.enable()

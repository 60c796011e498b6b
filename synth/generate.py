"""Verilog generation: the same parameters give the same bytes."""

from amaranth.back import verilog
from amaranth.lib.wiring import Component

from golden.config import ArrayConfig
from hdl.top import ArrayTop

TOP_NAME = "spintrit_array"


def component_verilog(component: Component, name: str) -> str:
    """Verilog of a component as module ``name``; ports are its members, flat (``i__payload``)."""
    return verilog.convert(component, name=name, emit_src=False, strip_internal_attrs=True)


def array_verilog(config: ArrayConfig) -> str:
    """Verilog of ``hdl.top.ArrayTop`` as module ``spintrit_array``."""
    return component_verilog(ArrayTop(config), TOP_NAME)

"""Verilog of the accelerator, and what build systems want to know of it."""

from golden.accel.config import AcceleratorConfig
from hdl.accel.top import AxiAccelerator, UartAccelerator
from synth.generate import checked_name, component_verilog, headed

ACCELERATOR_NAME = "spintrit_accelerator"


def accelerator_verilog(
    config: AcceleratorConfig, name: str = ACCELERATOR_NAME, uart_divisor: int = 0
) -> str:
    """Verilog of ``hdl.accel.top.AxiAccelerator`` as module ``name``, or, with a ``uart_divisor``,
    of ``UartAccelerator``.

    Raises
    ------
    ValueError
        If ``name`` is not a plain Verilog identifier.
    """
    top = UartAccelerator(config, uart_divisor) if uart_divisor else AxiAccelerator(config)
    return headed(str(config), component_verilog(top, checked_name(name)))

"""The accelerator's files: Verilog, C header, register table and FuseSoC core file."""

from golden import registers
from golden.accel.config import AcceleratorConfig
from golden.config import ArrayConfig
from hdl.accel.accelerator_top import AxiAccelerator, UartAccelerator
from hdl.board.uart_array import UartArray
from hdl.bus import uart
from synth.generate import checked_name, component_verilog, headed

ACCELERATOR_NAME = "spintrit_accelerator"
UART_ARRAY_NAME = "spintrit_uart_array"
VERSION = "0.1.0"
# Expressions are computed in full width, then truncated to their targets.
_ALLOWED = ("UNUSEDSIGNAL", "WIDTHEXPAND", "WIDTHTRUNC")

# CAPI2, see https://fusesoc.readthedocs.io/en/stable/ref/capi2.html
_CORE = """CAPI=2:
name: spintrit:ip:{name}:{version}
description: Trains ternary neural networks inside arrays of magnetic tunnel junctions

filesets:
  rtl:
    files:
      - {name}.v: {{file_type: verilogSource-2005}}
  software:
    files:
      - spintrit_regs.h: {{file_type: user}}

targets:
  default: &default
    filesets: [rtl, software]
    toplevel: {name}
  lint:
    <<: *default
    description: Lint with Verilator
    flow: lint
    flow_options:
      tool: verilator
      verilator_options: [-Wall]
"""


def accelerator_verilog(
    config: AcceleratorConfig, name: str = ACCELERATOR_NAME, uart_divisor: int = 0
) -> str:
    """Verilog of ``hdl.accel.accelerator_top.AxiAccelerator`` as module ``name``, or, with a
    ``uart_divisor``, of ``UartAccelerator``.

    Raises
    ------
    ValueError
        If ``name`` is not a plain Verilog identifier.
    """
    name = checked_name(name)
    uart_divisor = uart.checked(uart_divisor) if uart_divisor else 0
    top = UartAccelerator(config, uart_divisor) if uart_divisor else AxiAccelerator(config)
    return headed(str(config), component_verilog(top, name), *_ALLOWED)


def uart_array_verilog(config: ArrayConfig, divisor: int, name: str = UART_ARRAY_NAME) -> str:
    """Verilog of ``hdl.board.uart_array.UartArray`` as module ``name``; errors as for that and
    ``accelerator_verilog``."""
    top = UartArray(config, divisor)
    return headed(str(config), component_verilog(top, checked_name(name)), *_ALLOWED)


def ip_files(
    config: AcceleratorConfig, name: str = ACCELERATOR_NAME, uart_divisor: int = 0
) -> dict[str, str]:
    """All files of the block by name: Verilog, FuseSoC core, C header and register table.

    Raises
    ------
    ValueError
        As ``accelerator_verilog``.
    """
    return {
        f"{name}.v": accelerator_verilog(config, name, uart_divisor),
        f"{name}.core": _CORE.format(name=name, version=VERSION),
        "spintrit_regs.h": registers.c_header(),
        "registers.md": registers.markdown(),
    }

"""Serial framing: commands of ``golden.array.frames`` between a host and an array.

The protocol of the line is in ``hdl.bus.uart``. The registers are read only. They are some of
``golden.registers``, at the same addresses, with another ID. ``S`` takes a command frame; ``o`` and
``l`` bring its result frame. A word is sent in as many parts of 32 bits as it needs, low bits
first.
"""

from golden.array import frames
from golden.array.activity import COUNT_BITS
from golden.array.frames import Op
from golden.config import ArrayConfig
from golden.registers import by_name

ARRAY_ID = 0x53504152
VERSION = 0x00010000
BAUDS = 300, 12_000_000  # lowest and highest of any line
TRAILER_PARTS = frames.CONTROL_BITS // 32
SHAPE = ("SHAPE", "LAYOUT", "MEMORY3")  # registers that hold the array's parameters
_REGISTERS = by_name()
ADDRESSES = tuple(_REGISTERS[name].address for name in ("ID", "VERSION", *SHAPE))


def parts(bits: int) -> int:
    """Parts of a word of ``bits`` bits."""
    return -(-bits // 32)


def result_parts(op: Op, config: ArrayConfig) -> int:
    """Parts of a result word of a command. The sum of a column has its own, shorter word."""
    widths = {
        Op.READ: config.rows * config.cells,
        Op.FORWARD: config.sum_bits,
        Op.BACKWARD: config.rows * config.back_bits,
        Op.GENERATORS: config.rows * config.cells,
        Op.COUNTERS: COUNT_BITS,
    }
    return parts(widths.get(op, 1))


def registers(config: ArrayConfig) -> dict[int, int]:
    """Values of an array's registers by address.

    Raises
    ------
    ValueError
        If the array reads several columns in a cycle, for which the registers have no field.
    """
    if config.columns_per_cycle != 1:
        raise ValueError(
            f"columns_per_cycle must be 1 behind a serial line, not {config.columns_per_cycle}"
        )
    values = {
        "rows": config.rows,
        "cols": config.cols,
        "tiles": 1,
        "cells": config.cells,
        "code_bits": config.code_bits,
        "draw_bits": config.draw_bits,
        "error_bits": config.error_bits,
        "variant_bits": config.variant_bits,
        "counters": int(config.counters),
    }
    words = {_REGISTERS["ID"].address: ARRAY_ID, _REGISTERS["VERSION"].address: VERSION}
    for name in SHAPE:
        register = _REGISTERS[name]
        words[register.address] = sum(values.get(f.name, 0) << f.low for f in register.fields)
    return words


def config_of(words: dict[int, int]) -> ArrayConfig:
    """The configuration of the array whose registers hold ``words``, by address.

    Raises
    ------
    ValueError
        If the ID is not an array's, or the version is not known.
    """
    for name, wanted in (("ID", ARRAY_ID), ("VERSION", VERSION)):
        found = words[_REGISTERS[name].address]
        if found != wanted:
            raise ValueError(f"{name} must be {wanted:#010x}, not {found:#010x}")
    read = {
        field.name: (words[_REGISTERS[name].address] & field.mask) >> field.low
        for name in SHAPE
        for field in _REGISTERS[name].fields
    }
    names = ("rows", "cols", "code_bits", "draw_bits", "error_bits", "variant_bits")
    return ArrayConfig(
        synapse="ternary" if read["cells"] == 2 else "binary",
        counters=bool(read["counters"]),
        **{name: read[name] for name in names},
    )

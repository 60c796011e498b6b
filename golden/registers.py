"""The accelerator's registers: the one table for hardware, drivers, documents and C.

Registers have 32 bits and byte addresses. The lowest two bits of an address are ignored.

Access:

- ``ro``: read only. Constants, the present state, and counters.
- ``rw``: read and write; 0 after reset. A write changes only the bytes whose strobe is set.
- ``wo``: a written 1 acts once. The register reads as 0.
- ``w1c``: flags; writing a 1 clears a flag. A flag that is set and cleared in the same cycle stays.

Bits outside the fields read as 0, and writes to them are ignored.

Latency: a register is read in one cycle of the internal bus, and a write takes effect in the next
cycle. AXI4-Lite answers 4 cycles after the last beat.

Ordering: a counter has 64 bits. A read of its low word latches its high word. All ``*_HIGH``
registers then read as this high word, until another low word is read. So read the low word first.

Errors: a write to a read-only register, and an access to an address without a register, are
refused. They change nothing, the bus reports an error, and ``STATUS`` has the fault ``REGISTER``.
"""

from dataclasses import dataclass
from enum import IntEnum

ADDRESS_BITS = 8
DATA_BITS = 32
ACCESSES = ("ro", "rw", "wo", "w1c")


@dataclass(frozen=True)
class Field:
    """Bits ``low`` to ``low + width - 1`` of a register. Without text: its only field."""

    name: str
    low: int
    width: int
    text: str

    @property
    def mask(self) -> int:
        """Ones where the field is in its register."""
        return ((1 << self.width) - 1) << self.low


@dataclass(frozen=True)
class Register:
    """A register at byte address ``address``; ``access`` is one of ``ACCESSES``."""

    name: str
    address: int
    access: str
    fields: tuple[Field, ...]
    text: str


class Fault(IntEnum):
    """Faults of the accelerator. The first one stays in STATUS until it is cleared."""

    NONE = 0
    PACKET = 1
    RANGE = 2
    SHORT = 3
    LONG = 4
    BUSY = 5
    PROGRAM = 6
    FRAME = 7
    REGISTER = 8
    STOPPED = 9


FAULT_TEXTS = {
    Fault.NONE: "none",
    Fault.PACKET: "unknown packet",
    Fault.RANGE: "address beyond its memory",
    Fault.SHORT: "packet ends too early",
    Fault.LONG: "packet is too long",
    Fault.BUSY: "packet or start while a program runs",
    Fault.PROGRAM: "unknown instruction, or one of its addresses is beyond its memory",
    Fault.FRAME: "an array refused a frame",
    Fault.REGISTER: "write to a read-only register, or access to an address without a register",
    Fault.STOPPED: "a program was stopped",
}

# The 64-bit counters, in the order of their addresses.
COUNTERS = {
    "CYCLES": "clock cycles while a program runs",
    "FORWARD_CYCLES": "cycles in FORWARD instructions",
    "FORWARD_BUSY": "cycles in FORWARD instructions with lanes at work",
    "BACKWARD_CYCLES": "cycles in BACKWARD instructions",
    "BACKWARD_BUSY": "cycles in BACKWARD instructions with lanes at work",
    "UPDATE_CYCLES": "cycles in UPDATE instructions",
    "UPDATE_BUSY": "cycles in UPDATE instructions with lanes at work",
    "PULSES": "columns pulsed",
    "SWITCHED": "cells switched",
    "LOSS": "sum of squared slacks, in 1/1024",
}
_FIRST_COUNTER = 0x40


def _counters() -> tuple[Register, ...]:
    pairs: list[Register] = []
    for i, (name, text) in enumerate(COUNTERS.items()):
        address = _FIRST_COUNTER + 8 * i
        word = (Field("value", 0, 32, ""),)
        pairs += [
            Register(name, address, "ro", word, text),
            Register(f"{name}_HIGH", address + 4, "ro", word, "high word"),
        ]
    return tuple(pairs)


# fmt: off
REGISTERS: tuple[Register, ...] = (
    Register("ID", 0x00, "ro", (
        Field("value", 0, 32, ""),
    ), "identification: 0x53505254, SPRT in ASCII"),
    Register("VERSION", 0x04, "ro", (
        Field("value", 0, 32, ""),
    ), "version of the interface, major number in the high half: 0x00010000"),
    Register("SHAPE", 0x08, "ro", (
        Field("rows", 0, 16, "rows of an array"),
        Field("cols", 16, 16, "columns of an array"),
    ), "size of an array"),
    Register("LAYOUT", 0x0C, "ro", (
        Field("tiles", 0, 8, "number of arrays"),
        Field("cells", 8, 2, "junctions in a synapse"),
        Field("code_bits", 12, 4, "width of a pulse code"),
        Field("draw_bits", 16, 6, "width of a random draw"),
        Field("error_bits", 24, 5, "width of an error"),
    ), "tiles, and widths of the arrays"),
    Register("MEMORY", 0x10, "ro", (
        Field("activation_words", 0, 16, "words of activations"),
        Field("error_words", 16, 16, "words of errors"),
    ), "memory sizes"),
    Register("MEMORY2", 0x14, "ro", (
        Field("positions", 0, 16, "sums of a column: samples times output pixels"),
        Field("program_words", 16, 16, "words of program"),
    ), "memory sizes"),
    Register("MEMORY3", 0x18, "ro", (
        Field("threshold_words", 0, 16, "words of thresholds"),
        Field("variant_bits", 16, 3, "width of a cell's variant"),
        Field("counters", 19, 1, "the arrays have activity counters"),
    ), "memory size, and options of the arrays"),
    Register("CONTROL", 0x20, "wo", (
        Field("start", 0, 1, "run the program at PC"),
        Field("stop", 1, 1, "stop the program"),
        Field("clear", 2, 1, "clear the fault"),
        Field("reset_counters", 3, 1, "set all counters to 0"),
    ), "commands"),
    Register("STATUS", 0x24, "ro", (
        Field("busy", 0, 1, "a program runs"),
        Field("fault", 1, 1, "a fault is stored"),
        Field("cause", 8, 4, "cause of the fault, see below"),
        Field("what", 16, 16, "16 bits of the packet's header, or word address of the instruction"),
    ), "state and fault"),
    Register("IRQ_ENABLE", 0x28, "rw", (
        Field("done", 0, 1, "interrupt at the end of a program"),
        Field("fault", 1, 1, "interrupt at a fault"),
    ), "interrupt enables"),
    Register("IRQ_PENDING", 0x2C, "w1c", (
        Field("done", 0, 1, "a program has ended"),
        Field("fault", 1, 1, "a fault has occurred"),
    ), "interrupt flags"),
    Register("PC", 0x30, "rw", (
        Field("value", 0, 16, "word address in the program memory"),
    ), "start address of the program"),
    Register("BATCH", 0x34, "rw", (
        Field("value", 0, 16, "number of samples"),
    ), "batch size"),
    *_counters(),
)
# fmt: on

# Fields with the same constant in all accelerators; registers with constants of one accelerator.
FIXED = {"ID.value": 0x53505254, "VERSION.value": 0x00010000}
PARAMETERS = ("SHAPE", "LAYOUT", "MEMORY", "MEMORY2", "MEMORY3")


def by_name() -> dict[str, Register]:
    """The registers by their names."""
    return {register.name: register for register in REGISTERS}


def markdown() -> str:
    """The text of ``docs/registers.md``."""
    assert __doc__ is not None
    _, about = __doc__.split("\n\n", 1)
    lines = [
        "# Registers of the accelerator",
        "",
        "Written by `python -m synth.registers` from"
        " [`golden/registers.py`](../golden/registers.py),",
        "as is the C header [`spintrit_regs.h`](../synth/spintrit_regs.h).",
        "",
        *about.replace("``", "`").strip().splitlines(),
        "",
        "| address | register | access | bits | field | meaning |",
        "|---|---|---|---|---|---|",
    ]
    for register in REGISTERS:
        lines.append(
            f"| `0x{register.address:02X}` | `{register.name}` | {register.access} | | |"
            f" {register.text} |"
        )
        for field in filter(lambda field: field.text, register.fields):
            top = field.low + field.width - 1
            bits = f"{field.low}" if field.width == 1 else f"{top}:{field.low}"
            lines.append(f"| | | | {bits} | `{field.name}` | {field.text} |")
    lines += ["", "## Faults", "", "| `cause` | fault | meaning |", "|---|---|---|"]
    lines += [f"| {int(fault)} | `{fault.name}` | {FAULT_TEXTS[fault]} |" for fault in Fault]
    return "\n".join(lines) + "\n"


def c_header() -> str:
    """The text of ``spintrit_regs.h``: C99, macros and an enumeration alone.

    ``SPINTRIT_STATUS`` is an address, ``SPINTRIT_STATUS_CAUSE_MASK`` a field's bits in place,
    ``SPINTRIT_STATUS_CAUSE_SHIFT`` its lowest bit.
    """
    lines = [
        "/* Registers of the accelerator.",
        " * Written by python -m synth.registers from golden/registers.py. */",
        "#ifndef SPINTRIT_REGS_H",
        "#define SPINTRIT_REGS_H",
    ]
    for register in REGISTERS:
        name = f"SPINTRIT_{register.name}"
        lines += ["", f"/* {register.access}: {register.text} */"]
        lines.append(f"#define {name} 0x{register.address:02X}u")
        for field in register.fields:
            macro = f"{name}_{field.name.upper()}"
            if field.text:
                lines.append(f"#define {macro}_SHIFT {field.low} /* {field.text} */")
                lines.append(f"#define {macro}_MASK 0x{field.mask:08X}u")
            fixed = FIXED.get(f"{register.name}.{field.name}")
            if fixed is not None:
                lines.append(f"#define {macro} 0x{fixed:08X}u")
    lines += ["", "/* STATUS, cause */", "enum spintrit_fault {"]
    for fault in Fault:
        comma = "," if fault is not max(Fault) else ""
        lines.append(f"    SPINTRIT_FAULT_{fault.name} = {int(fault)}{comma}")
        lines[-1] += f" /* {FAULT_TEXTS[fault]} */"
    lines += ["};", "", "#endif"]
    return "\n".join(lines) + "\n"

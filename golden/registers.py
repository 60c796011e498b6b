"""The accelerator's registers: the one table for hardware, drivers, documents and C.

32-bit registers at byte addresses, the lowest two bits of which are ignored. Access is

- ``ro``: read only. Constants, the state of now, and counters.
- ``rw``: read and write; 0 after reset. Only the bytes that a write strobes change.
- ``wo``: a written 1 acts once; reads as 0.
- ``w1c``: flags that stay until a 1 is written; one that is raised and cleared at once stays.

A counter has 64 bits. Reading its low word latches its high word, which is what every ``*_HIGH``
then reads as, until another low word is read: read a pair low word first. Writing a read-only
register, and reading or writing where there is none, is refused and changes nothing. Bits of no
field read as 0 and ignore what is written.
"""

from dataclasses import dataclass
from enum import IntEnum

ADDRESS_BITS = 8
DATA_BITS = 32
ACCESSES = ("ro", "rw", "wo", "w1c")


@dataclass(frozen=True)
class Field:
    """Bits ``low`` to ``low + width - 1`` of a register; without text it is the whole register."""

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
    """Why the accelerator stopped; the first fault stays until it is cleared."""

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
    Fault.LONG: "packet goes on too long",
    Fault.BUSY: "packet or start while a program runs",
    Fault.PROGRAM: "unknown instruction, or an address of it is beyond its memory",
    Fault.FRAME: "an array refused a frame",
    Fault.REGISTER: "write to a read-only register, or access where there is none",
    Fault.STOPPED: "a program was stopped",
}

# The 64-bit counters, in the order of their addresses.
COUNTERS = {
    "CYCLES": "clock cycles of programs",
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
    ), "what this is: 0x53505254"),
    Register("VERSION", 0x04, "ro", (
        Field("value", 0, 32, ""),
    ), "of the interface, major in the high half: 0x00010000"),
    Register("SHAPE", 0x08, "ro", (
        Field("rows", 0, 16, "rows of an array"),
        Field("cols", 16, 16, "columns of an array"),
    ), "size of an array"),
    Register("LAYOUT", 0x0C, "ro", (
        Field("tiles", 0, 8, "arrays"),
        Field("cells", 8, 2, "junctions of a synapse"),
        Field("code_bits", 12, 4, "bits of a pulse code"),
        Field("draw_bits", 16, 6, "bits of a random draw"),
        Field("error_bits", 24, 5, "bits of an error"),
    ), "what the arrays are made of"),
    Register("MEMORY", 0x10, "ro", (
        Field("activation_words", 0, 16, "words of activations"),
        Field("error_words", 16, 16, "words of errors"),
    ), "sizes of memories"),
    Register("MEMORY2", 0x14, "ro", (
        Field("positions", 0, 16, "positions"),
        Field("program_words", 16, 16, "words of program"),
    ), "sizes of memories"),
    Register("MEMORY3", 0x18, "ro", (
        Field("threshold_words", 0, 16, "words of thresholds"),
        Field("variant_bits", 16, 3, "bits of a cell's variant"),
        Field("counters", 19, 1, "arrays count their activity"),
    ), "sizes of memories, and what the arrays have besides"),
    Register("CONTROL", 0x20, "wo", (
        Field("start", 0, 1, "run the program from PC on"),
        Field("stop", 1, 1, "stop the program"),
        Field("clear", 2, 1, "clear the fault"),
        Field("reset_counters", 3, 1, "set all counters to 0"),
    ), "what to do"),
    Register("STATUS", 0x24, "ro", (
        Field("busy", 0, 1, "a program runs"),
        Field("fault", 1, 1, "there is a fault"),
        Field("cause", 8, 4, "which one, see below"),
        Field("what", 16, 16, "where the fault was found"),
    ), "what it does"),
    Register("IRQ_ENABLE", 0x28, "rw", (
        Field("done", 0, 1, "interrupt at the end of a program"),
        Field("fault", 1, 1, "interrupt at a fault"),
    ), "flags of IRQ_PENDING that interrupt"),
    Register("IRQ_PENDING", 0x2C, "w1c", (
        Field("done", 0, 1, "a program has ended"),
        Field("fault", 1, 1, "there was a fault"),
    ), "what has happened"),
    Register("PC", 0x30, "rw", (
        Field("value", 0, 16, "program word"),
    ), "where start begins"),
    Register("BATCH", 0x34, "rw", (
        Field("value", 0, 16, "samples"),
    ), "samples of a batch"),
    *_counters(),
)
# fmt: on

# Constants: those of every accelerator by "REGISTER.field", and the registers of those of each.
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

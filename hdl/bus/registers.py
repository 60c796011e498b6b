"""Register file of the accelerator, generated from the table in ``golden.registers``."""

import functools
import operator

from amaranth.hdl import Cat, Const, Module, Mux, Signal
from amaranth.lib import data, wiring
from amaranth.lib.wiring import In, Out

from golden.registers import (
    ADDRESS_BITS,
    COUNTERS,
    DATA_BITS,
    FIXED,
    PARAMETERS,
    REGISTERS,
    Register,
    by_name,
)
from hdl.lib.lint import unused


def register_bus() -> wiring.Signature:
    """The bus from a front end to the registers.

    Members
    -------
    write, read : Out(1)
        An access, one cycle long; never both at once.
    address : Out(8)
        Byte address; its lowest two bits are ignored.
    data, strobe : Out(32), Out(4)
        The word to write, and a flag for each byte to write.
    answer : In(32)
        The word read, in the cycle after ``read``.
    error : In(1)
        The access of the cycle before was refused.
    """
    return wiring.Signature(
        {
            "write": Out(1),
            "read": Out(1),
            "address": Out(ADDRESS_BITS),
            "data": Out(DATA_BITS),
            "strobe": Out(DATA_BITS // 8),
            "answer": In(DATA_BITS),
            "error": In(1),
        }
    )


def fields_layout(name: str) -> data.StructLayout:
    """The fields of a register, packed without gaps."""
    return data.StructLayout({field.name: field.width for field in by_name()[name].fields})


def in_place(register: Register, fields: data.View) -> Cat:
    """The word of a register from its fields."""
    parts, end = [], 0
    for field in register.fields:
        parts += [Const(0, field.low - end), fields[field.name]]
        end = field.low + field.width
    return Cat(*parts, Const(0, DATA_BITS - end))


class RegisterFile(wiring.Component):
    """The registers of the accelerator.

    Latency: the answer comes in the cycle after the access. A write takes effect in that cycle,
    too. One access a cycle; it never stalls.

    Parameters
    ----------
    constants : dict of str to int
        The fields of the registers in ``golden.registers.PARAMETERS``, by "REGISTER.field".

    Members
    -------
    bus : In(register_bus())
    control : Out(struct)
        A pulse of one cycle for each 1 written.
    status : In(struct)
        The value of STATUS.
    irq_enable, pc, batch : Out(struct)
        The values written.
    set_irq_pending : In(struct)
        Sets flags. A set wins over a clear in the same cycle.
    irq_pending : Out(struct)
    cycles, forward_cycles, ... loss : In(64)
        The counters of ``golden.registers.COUNTERS``.
    error_seen : Out(1)
        A pulse for each refused access.
    irq : Out(1)
        A flag is pending and enabled.

    Raises
    ------
    ValueError
        If a constant is missing, unknown or too wide for its field.

    References
    ----------
    ``golden.registers``.
    """

    def __init__(self, constants: dict[str, int]):
        names = {f"{name}.{field.name}" for name in PARAMETERS for field in by_name()[name].fields}
        if set(constants) != names:
            wrong = ", ".join(sorted(set(constants) ^ names))
            raise ValueError(f"Constants missing or unknown: {wrong}")
        self._constants = {**FIXED, **constants}
        members = {"bus": In(register_bus()), "error_seen": Out(1), "irq": Out(1)}
        for register in REGISTERS:
            name = register.name.lower()
            if register.access in ("rw", "wo", "w1c"):
                members[name] = Out(fields_layout(register.name))
            if register.access == "w1c":
                members[f"set_{name}"] = In(fields_layout(register.name))
            elif register.name in COUNTERS:
                members[name] = In(2 * DATA_BITS)
            elif register.access == "ro" and self._is_live(register):
                members[name] = In(fields_layout(register.name))
        for register in REGISTERS:
            for field in register.fields:
                value = self._constants.get(f"{register.name}.{field.name}", 0)
                if not 0 <= value < 1 << field.width:
                    raise ValueError(
                        f"{register.name}.{field.name} must have {field.width} bits, not {value!r}"
                    )
        super().__init__(members)

    def _is_live(self, register):
        """Whether a read-only register is neither constant nor counter."""
        return (
            f"{register.name}.{register.fields[0].name}" not in self._constants
            and register.name.removesuffix("_HIGH") not in COUNTERS
        )

    def elaborate(self, platform):
        m = Module()
        bus = self.bus
        mask = Cat(lane.replicate(8) for lane in bus.strobe)
        high = Signal(DATA_BITS)
        chosen = Signal(len(REGISTERS))
        m.d.comb += chosen.eq(Cat(bus.address[2:] == r.address >> 2 for r in REGISTERS))

        answers, writable = [], []
        for here, register in zip(chosen, REGISTERS, strict=True):
            answers.append(Mux(here, self._word(register, high), 0))
            if register.access != "ro":
                writable.append(here)
                self._write(m, register, bus.write & here, mask)
            if register.name in COUNTERS:
                with m.If(bus.read & here):
                    m.d.sync += high.eq(getattr(self, register.name.lower())[DATA_BITS:])
        m.d.sync += [
            bus.answer.eq(functools.reduce(operator.or_, answers)),
            bus.error.eq((bus.read & ~chosen.any()) | (bus.write & ~Cat(writable).any())),
        ]
        flags = self.irq_pending.as_value() & self.irq_enable.as_value()
        m.d.comb += [self.irq.eq(flags.any()), self.error_seen.eq(bus.error)]

        used = functools.reduce(
            operator.or_, (f.mask for r in REGISTERS if r.access != "ro" for f in r.fields)
        )
        spare = [bus.data[i] for i in range(DATA_BITS) if not used >> i & 1]
        lanes = [bus.strobe[i] for i in range(DATA_BITS // 8) if not used >> 8 * i & 0xFF]
        unused(m, Cat(bus.address[:2], *spare, *lanes))
        return m

    def _word(self, register, high):
        """The value that a read of a register returns."""
        name = register.name.lower()
        if register.name in COUNTERS:
            return getattr(self, name)[:DATA_BITS]
        if register.name.removesuffix("_HIGH") in COUNTERS:
            return high
        if register.access == "wo":
            return Const(0, DATA_BITS)
        if register.access == "ro" and not self._is_live(register):
            values = (
                self._constants[f"{register.name}.{f.name}"] << f.low for f in register.fields
            )
            return Const(sum(values), DATA_BITS)
        return in_place(register, getattr(self, name))

    def _write(self, m, register, stb, mask):
        """The next value of each field of a register; ``stb`` writes it."""
        name = register.name.lower()
        for field in register.fields:
            now = getattr(self, name)[field.name]
            bits = mask[field.low : field.low + field.width]
            new = self.bus.data[field.low : field.low + field.width] & bits
            if register.access == "rw":
                with m.If(stb):
                    m.d.sync += now.eq(new | (now & ~bits))
                continue
            ones = Mux(stb, new, 0)
            if register.access == "w1c":
                ones = (now & ~ones) | getattr(self, f"set_{name}")[field.name]
            m.d.sync += now.eq(ones)

# amaranth: UnusedElaboratable=no
"""The register file: every bit of every register, as its access says."""

import numpy as np
import pytest
from hdl_sim import simulate

from golden.registers import COUNTERS, FIXED, PARAMETERS, REGISTERS, by_name
from hdl.bus.registers import RegisterFile

CONSTANTS = {  # each constant another number
    f"{name}.{field.name}": (37 * i + 5) % (1 << field.width)
    for name in PARAMETERS
    for i, field in enumerate(by_name()[name].fields)
}
ADDRESSES = {register.name: register.address for register in REGISTERS}
FULL = (1 << 32) - 1
UNMAPPED = [a for a in range(0, 256, 4) if a not in ADDRESSES.values()]


def word(name, values):
    """A register's word, of the values of its fields."""
    return sum(values[field.name] << field.low for field in by_name()[name].fields)


async def access(ctx, file, address, data=None, strobe=15):
    """One access and, at once, its answer; then a cycle without any."""
    ctx.set(file.bus.address, address)
    ctx.set(file.bus.data, data or 0)
    ctx.set(file.bus.strobe, strobe)
    stb = file.bus.read if data is None else file.bus.write
    ctx.set(stb, 1)
    await ctx.tick()
    ctx.set(stb, 0)
    return ctx.get(file.bus.answer), ctx.get(file.bus.error)


async def read(ctx, file, name):
    answer, error = await access(ctx, file, ADDRESSES[name])
    assert not error
    return answer


def run(testbench):
    file = RegisterFile(CONSTANTS)

    async def bench(ctx):
        await testbench(ctx, file)

    simulate(file, bench)


def test_constants():
    async def testbench(ctx, file):
        values = {**CONSTANTS, **FIXED}
        for register in REGISTERS:
            if f"{register.name}.{register.fields[0].name}" in values:
                fields = {f.name: values[f"{register.name}.{f.name}"] for f in register.fields}
                assert await read(ctx, file, register.name) == word(register.name, fields)
        assert await read(ctx, file, "ID") == 0x53505254

    run(testbench)


def test_status_shows_every_field_in_its_place():
    async def testbench(ctx, file):
        rng = np.random.default_rng(1)
        for _ in range(10):
            values = {
                field.name: int(rng.integers(1 << field.width))
                for field in by_name()["STATUS"].fields
            }
            ctx.set(file.status, values)
            assert await read(ctx, file, "STATUS") == word("STATUS", values)

    run(testbench)


@pytest.mark.parametrize("name", [r.name for r in REGISTERS if r.access == "rw"])
def test_read_write_by_the_byte(name):
    async def testbench(ctx, file):
        rng = np.random.default_rng(2)
        fields = sum(field.mask for field in by_name()[name].fields)
        port, expected = getattr(file, name.lower()), 0
        assert await read(ctx, file, name) == 0
        for strobe in [15, 0, 1, 2, 4, 8, *rng.integers(0, 16, 20).tolist()]:
            value = int(rng.integers(1 << 32))
            bits = sum(0xFF << 8 * lane for lane in range(4) if strobe >> lane & 1)
            expected = (expected & ~bits | value & bits) & fields
            # The lowest bits of an address do not count.
            at = ADDRESSES[name] + int(rng.integers(4))
            assert (await access(ctx, file, at, value, strobe))[1] == 0
            assert await read(ctx, file, name) == expected
            for field in by_name()[name].fields:
                assert ctx.get(port[field.name]) == (expected & field.mask) >> field.low

    run(testbench)


def test_pulses_are_one_cycle_long():
    async def testbench(ctx, file):
        for value in range(16):
            assert await access(ctx, file, ADDRESSES["CONTROL"], value) == (0, 0)
            assert ctx.get(file.control.as_value()) == value
            await ctx.tick()
            assert ctx.get(file.control.as_value()) == 0
        await access(ctx, file, ADDRESSES["CONTROL"], 15, 14)
        assert ctx.get(file.control.as_value()) == 0
        assert await read(ctx, file, "CONTROL") == 0
        assert ctx.get(file.control.as_value()) == 0

    run(testbench)


def test_flags_and_interrupt():
    """Raised, seen, cleared one by one, and raised while being cleared."""

    async def testbench(ctx, file):
        pending = 0
        for enable in range(4):
            await access(ctx, file, ADDRESSES["IRQ_ENABLE"], enable)
            for raised in range(4):
                ctx.set(file.set_irq_pending.as_value(), raised)
                await ctx.tick()
                ctx.set(file.set_irq_pending.as_value(), 0)
                pending |= raised
                assert await read(ctx, file, "IRQ_PENDING") == pending
                assert ctx.get(file.irq_pending.as_value()) == pending
                assert ctx.get(file.irq) == bool(pending & enable)
                for clear in (0, raised & 1):
                    assert (await access(ctx, file, ADDRESSES["IRQ_PENDING"], clear))[1] == 0
                    pending &= ~clear
                    assert ctx.get(file.irq) == bool(pending & enable)
                    assert ctx.get(file.irq_pending.as_value()) == pending
        await access(ctx, file, ADDRESSES["IRQ_PENDING"], FULL, 14)
        assert ctx.get(file.irq_pending.as_value()) == pending
        ctx.set(file.set_irq_pending.as_value(), 1)
        await access(ctx, file, ADDRESSES["IRQ_PENDING"], FULL)
        assert ctx.get(file.irq_pending.as_value()) == 1

    run(testbench)


def test_a_pair_is_of_one_moment():
    """The low word latches its high word, whatever the counter does meanwhile."""

    async def testbench(ctx, file):
        for i, name in enumerate(COUNTERS):
            counter = getattr(file, name.lower())
            before = (i + 1) << 32 | FULL - i
            ctx.set(counter, before)
            low = await read(ctx, file, name)
            ctx.set(counter, (i + 2) << 32)
            await access(ctx, file, ADDRESSES["ID"])
            await access(ctx, file, ADDRESSES[name], 0)  # refused, latches nothing
            high = await read(ctx, file, f"{name}_HIGH")
            assert high << 32 | low == before, name
            assert await read(ctx, file, name) == 0
            assert await read(ctx, file, f"{name}_HIGH") == i + 2

    run(testbench)


def test_what_is_refused():
    async def testbench(ctx, file):
        for address in UNMAPPED:
            for data in (None, FULL):
                assert await access(ctx, file, address, data) == (0, 1), hex(address)
                assert ctx.get(file.error_seen) == 1
                await ctx.tick()
                assert (ctx.get(file.error_seen), ctx.get(file.bus.error)) == (0, 0)
        for register in REGISTERS:
            assert (await access(ctx, file, register.address))[1] == 0
            _, error = await access(ctx, file, register.address, 0)
            assert error == (register.access == "ro"), register.name
            assert ctx.get(file.error_seen) == error

    run(testbench)


def test_accesses_in_every_cycle():
    async def testbench(ctx, file):
        ctx.set(file.bus.strobe, 15)
        ctx.set(file.bus.address, ADDRESSES["PC"])
        for value in range(1, 20):
            ctx.set(file.bus.data, value)
            ctx.set(file.bus.write, 1)
            ctx.set(file.bus.read, 0)
            await ctx.tick()
            ctx.set(file.bus.write, 0)
            ctx.set(file.bus.read, 1)
            await ctx.tick()
            assert ctx.get(file.bus.answer) == value

    run(testbench)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"SHAPE.rows": None}, r"^Constants missing or unknown: SHAPE\.rows$"),
        ({"SHAPE.depth": 1}, r"^Constants missing or unknown: SHAPE\.depth$"),
        ({"ID.value": 1}, r"^Constants missing or unknown: ID\.value$"),
        ({"LAYOUT.cells": 4}, r"^LAYOUT\.cells must have 2 bits, not 4$"),
        ({"SHAPE.rows": -1}, r"^SHAPE\.rows must have 16 bits, not -1$"),
    ],
    ids=["missing", "unknown", "fixed", "wide", "negative"],
)
def test_constants_must_be_those_of_the_table(change, message):
    constants = {k: v for k, v in {**CONSTANTS, **change}.items() if v is not None}
    with pytest.raises(ValueError, match=message):
        RegisterFile(constants)

# amaranth: UnusedElaboratable=no
"""Packets, programs and register accesses that the accelerator refuses, by hand."""

from dataclasses import replace

import numpy as np
import pytest
from accel_line import (
    BATCH,
    CONFIG,
    CONTROL,
    FRAME,
    GENERATORS,
    LABELS,
    PC,
    READ,
    RESULTS,
    RUN,
    STATUS,
    WRITE,
    head,
    play,
)

from golden.accel.controller import AcceleratorController
from golden.accel.interface import ProgramError, Space
from golden.accel.program import Code, Instruction, assemble
from golden.accel.twin import GoldenAccelerator
from golden.registers import COUNTERS, Fault, by_name

REFUSED = [
    ([head(0)], Fault.PACKET, False),
    ([head(RUN), 1, 2], Fault.PACKET, False),
    ([head(200, 3)], Fault.PACKET, False),
    ([head(WRITE, 9), 1 << 16, 0], Fault.RANGE, False),
    ([head(READ, 9), 1 << 16], Fault.RANGE, True),
    ([head(FRAME, 2), 0, 0], Fault.RANGE, True),
    ([head(WRITE, RESULTS), 1 << 16, 0], Fault.RANGE, False),
    ([head(WRITE, LABELS), 0 << 16, 0], Fault.RANGE, False),
    ([head(WRITE, LABELS), 5 | 2 << 16, 0, 0], Fault.RANGE, False),
    ([head(READ, LABELS), 6 | 1 << 16], Fault.RANGE, True),
    ([head(READ, LABELS), 0xFFFF | 0xFFFF << 16], Fault.RANGE, True),
    ([head(READ, GENERATORS), 1 | 2 << 16], Fault.RANGE, True),
    ([head(WRITE, LABELS)], Fault.SHORT, False),
    ([head(READ, LABELS)], Fault.SHORT, True),
    ([head(FRAME, 0)], Fault.SHORT, True),
    ([head(WRITE, LABELS), 1 << 16], Fault.SHORT, False),
    ([head(WRITE, LABELS), 3 << 16, 1, 2], Fault.SHORT, False),
    ([head(WRITE, GENERATORS), 1 << 16, 1], Fault.SHORT, False),
    ([head(READ, LABELS), 1 << 16, 0], Fault.LONG, True),
    ([head(WRITE, LABELS), 1 << 16, 1, 2], Fault.LONG, False),
    ([head(WRITE, LABELS), 1 << 16, 1, 2, 3, 4], Fault.LONG, False),
    ([head(WRITE, GENERATORS), 1 << 16, 0, 0], Fault.RANGE, False),
]  # fmt: skip


def test_packets_that_are_refused():
    """Told by STATUS, answered if an answer is due, and forgotten with ``clear``."""

    async def test(line):
        await line.send([head(WRITE, LABELS), 6 << 16, 10, 11, 12, 13, 14, 15])
        assert await line.read(STATUS) == 0
        for packet, fault, answered in REFUSED:
            await line.send(packet)
            if answered:
                assert await line.receive() == [packet[0] & 0xFFFF | int(fault) << 16], packet
            found = await line.read(STATUS)
            assert found == 0b10 | int(fault) << 8 | (packet[0] & 0xFFFF) << 16, packet
            # The first fault stays, and packets that are sound are taken.
            await line.send([head(0)])
            assert await line.read(STATUS) == found
            await line.send([head(READ, LABELS), 3 | 3 << 16])
            assert await line.receive() == [head(READ, LABELS), 13, 14, 15], packet
            await line.write(CONTROL, 4)
            assert await line.read(STATUS) == 0

    play(CONFIG, test)


def test_golden_packets_that_are_refused():
    """The golden controller reports the same faults and gives the same answers."""
    golden = AcceleratorController(GoldenAccelerator(CONFIG))

    def said(*words):
        golden.send(np.array(words, np.uint32))
        return golden.answers.popleft() if golden.answers else None

    said(head(WRITE, LABELS), 6 << 16, 10, 11, 12, 13, 14, 15)
    for packet, fault, answered in REFUSED:
        refusal = [packet[0] & 0xFFFF | int(fault) << 16]
        assert said(*packet) == (refusal if answered else None), packet
        found = golden.read_register(STATUS)
        assert found == 0b10 | int(fault) << 8 | (packet[0] & 0xFFFF) << 16, packet
        assert said(head(0)) is None
        assert golden.read_register(STATUS) == found
        assert said(head(READ, LABELS), 3 | 3 << 16) == [head(READ, LABELS), 13, 14, 15], packet
        golden.write_register(CONTROL, 4)
        assert golden.read_register(STATUS) == 0
    said(head(WRITE, LABELS), 1 | 3 << 16, 21, 22)
    said(head(WRITE, LABELS), 4 | 1 << 16, 24, 25)
    # A label of 1 comes from the packets that are too long: the announced words are written.
    assert said(head(READ, LABELS), 6 << 16)[1:] == [1, 21, 22, 13, 24, 15]


def test_golden_frames_programs_and_registers_that_are_refused():
    """As the hardware does in the tests here."""
    golden = AcceleratorController(GoldenAccelerator(CONFIG))
    registers = by_name()
    for frame in ([1], [1, 0, 0], [0xF, 0]):
        golden.send(np.array([head(FRAME, 1), *frame], np.uint32))
        answer = golden.receive()
        assert answer[0] == head(FRAME, 1)
        assert answer[-2] & 7
        short = len(frame) % 2
        status = golden.read_register(STATUS)
        assert status >> 8 & 0xF == (Fault.SHORT if short else Fault.FRAME)
        golden.write_register(CONTROL, 4)
        golden.send(np.array([head(FRAME, 1), 0, 0], np.uint32))
        golden.receive()
        golden.write_register(CONTROL, 4)
    for batch in (0, 7, 65535):
        golden.write_register(BATCH, batch)
        golden.write_register(CONTROL, 1)
        assert golden.receive().tolist() == [head(RUN, 0, Fault.PROGRAM)]
        assert golden.read_register(STATUS) == 0b10 | Fault.PROGRAM << 8
        golden.write_register(BATCH, 6)
        golden.write_register(CONTROL, 1 | 4)
        assert golden.receive().tolist() == [head(RUN), *[0] * 6]
    golden.write_register(CONTROL, 1 | 2)
    assert golden.receive().tolist() == [head(RUN, 0, Fault.STOPPED)]
    pending = registers["IRQ_PENDING"].address
    assert golden.read_register(pending) == 3
    golden.write_register(pending, 1)
    assert golden.read_register(pending) == 2
    golden.write_register(CONTROL, 4 | 8)
    assert [golden.read_register(registers[name].address) for name in COUNTERS] == [0] * 10
    for access in (
        lambda: golden.read_register(0xFC),
        lambda: golden.write_register(0xFC, 0),
        lambda: golden.write_register(0, 0),
    ):
        with pytest.raises(RuntimeError, match=r"^the accelerator refused register 0x(fc|00)$"):
            access()
        assert golden.read_register(STATUS) == 0b10 | Fault.REGISTER << 8
        golden.write_register(CONTROL, 4)
    assert golden.read_register(CONTROL) == 0


def test_what_came_before_the_end_of_a_short_packet_is_written():
    async def test(line):
        await line.send([head(WRITE, LABELS), 1 | 3 << 16, 21, 22])
        await line.send([head(WRITE, LABELS), 4 | 1 << 16, 24, 25])
        await line.send([head(READ, LABELS), 6 << 16])
        assert await line.receive() == [head(READ, LABELS), 0, 21, 22, 0, 24, 0]

    play(CONFIG, test)


def test_frames_that_a_tile_refuses():
    """The tile's own answer comes, with its cause; too short a word is a fault of the packet."""

    async def test(line):
        for frame in ([1], [1, 0, 0], [0xF, 0]):
            await line.send([head(FRAME, 1), *frame])
            answer = await line.receive()
            assert answer[0] == head(FRAME, 1)
            assert answer[-2] & 7
            status = await line.read(STATUS)
            short = len(frame) % 2  # a word of this array is two words of 32 bits
            assert status >> 8 & 0xF == (Fault.SHORT if short else Fault.FRAME)
            await line.write(CONTROL, 4)
            await line.send([head(FRAME, 1), 0, 0])  # STATUS, which clears the tile's cause
            await line.receive()
            await line.write(CONTROL, 4)

    play(CONFIG, test)


def test_while_a_program_runs_packets_and_starts_are_refused():
    program = [Instruction(code=Code.FORWARD, positions=2, kernel_height=2)]

    async def test(line):
        words = assemble(program).tolist()
        await line.send([head(WRITE, 0), len(words) << 16, *words])
        await line.write(BATCH, 2)
        await line.write(CONTROL, 1)
        assert await line.read(STATUS) == 1
        await line.write(CONTROL, 1)
        assert await line.read(STATUS) & 0xFFFE == 0b10 | Fault.BUSY << 8
        await line.write(CONTROL, 4)
        await line.send([head(READ, LABELS), 1 << 16])
        await line.send([head(WRITE, LABELS), 1 << 16, 9])
        assert await line.receive() == [head(READ, LABELS, Fault.BUSY)]
        assert await line.receive() == [head(RUN), 0, 0]
        assert await line.read(STATUS) == 0b10 | Fault.BUSY << 8 | head(READ, LABELS) << 16
        await line.send([head(READ, LABELS), 1 << 16])
        assert await line.receive() == [head(READ, LABELS), 0]

    play(CONFIG, test)


def test_a_program_can_be_stopped():
    step = Instruction(code=Code.FORWARD, positions=6, kernel_height=4, in_sample=0)

    async def test(line):
        words = assemble([step]).tolist()
        await line.send([head(WRITE, 0), len(words) << 16, *words])
        await line.write(BATCH, 6)
        await line.write(CONTROL, 1)
        for _ in range(30):
            assert await line.read(STATUS) == 1
        await line.write(CONTROL, 2)
        assert await line.receive() == [head(RUN, 0, Fault.STOPPED)]
        assert await line.read(STATUS) == 0b10 | Fault.STOPPED << 8
        await line.write(CONTROL, 4 | 8 | 1)
        assert (await line.receive())[0] == head(RUN)

    play(CONFIG, test)


@pytest.mark.parametrize("both", [False, True], ids=["one-after-the-other", "in-one-write"])
def test_a_start_that_is_stopped_before_it_begins_is_answered(both):
    """It waits for the packet under way, whose words are not lost."""

    async def test(line):
        await line.send([head(WRITE, LABELS), 6 << 16, 10, 11, 12, 13, 14, 15])
        await line.write(BATCH, 2)
        packet = [head(WRITE, LABELS), 1 | 2 << 16, 7, 8]
        for word in packet[:2]:
            while not await line.step(word):
                pass
        if both:
            await line.write(CONTROL, 1 | 2)
        else:
            await line.write(CONTROL, 1)
            assert await line.read(STATUS) == 1
            await line.write(CONTROL, 2)
        await line.send(packet[2:])
        assert await line.receive() == [head(RUN, 0, Fault.STOPPED)]
        assert await line.read(STATUS) == 0b10 | Fault.STOPPED << 8
        await line.write(CONTROL, 4)
        await line.send([head(READ, LABELS), 6 << 16])
        assert await line.receive() == [head(READ, LABELS), 10, 7, 8, 13, 14, 15]
        await line.send([head(READ, RESULTS), 2 << 16])
        assert await line.receive() == [head(READ, RESULTS), 0, 0]
        # It does not run later, either.
        assert await line.read(STATUS) == 0
        await line.write(CONTROL, 1)
        assert await line.receive() == [head(RUN), 0, 0]

    play(CONFIG, test)


@pytest.mark.parametrize("batch", [0, 7, 65535])
def test_a_batch_that_results_do_not_hold_is_refused(batch):
    """Even by a program that is but an end."""

    async def test(line):
        await line.write(BATCH, batch)
        await line.write(CONTROL, 1)
        assert await line.receive() == [head(RUN, 0, Fault.PROGRAM)]
        assert await line.read(STATUS) == 0b10 | Fault.PROGRAM << 8
        await line.write(BATCH, 6)
        await line.write(CONTROL, 1 | 4)
        assert await line.receive() == [head(RUN), *[0] * 6]

    play(CONFIG, test)


def test_results_are_of_the_batch_that_ran():
    """A new batch and start before they are taken change nothing in them."""

    async def test(line):
        await line.write(BATCH, 2)
        await line.write(CONTROL, 1)
        for _ in range(60):  # nobody listens
            line.ctx.set(line.inputs, 0)
            line.held = 0
            await line.ctx.tick()
        await line.write(BATCH, 6)
        line.ctx.set(line.access, 1 | 0xF << 2 | CONTROL << 6 | 1 << 14)
        await line.step()
        line.ctx.set(line.access, 0)
        assert await line.receive() == [head(RUN), 0, 0]
        assert await line.receive() == [head(RUN), *[0] * 6]

    play(CONFIG, test)


FITS = Instruction(code=Code.FORWARD, positions=2, groups=2, columns=4)


FAIL = [
    {"code": 7},
    {"in_base": 6},
    {"cells": 3},
    {"out_base": 6},
    {"thresholds": 2},
    {"errors": 4, "train": 1},
    {"code": 2, "errors": 4},
    {"code": 2, "in_errors": 4},
    {"code": 2, "cells": 3},
    {"code": 3, "errors": 4},
    {"code": 3, "in_base": 6},
    {"code": 3, "cells": 3},
    {"code": 3, "thresholds": 2, "learn": 1},
    {"positions": 1},
    {"positions": 3},
]


def test_programs_that_fail_in_both():
    """The hardware says where, and goes on with the next program."""
    programs = []
    for change in FAIL:
        programs.append(assemble([replace(FITS, **change)]).tolist()[:21])
        golden = GoldenAccelerator(CONFIG)
        golden.write(Space.PROGRAM, assemble([FITS]))
        golden.write(Space.PROGRAM, programs[-1], 21)
        with pytest.raises(ProgramError) as error:
            golden.run(0, 2)
        assert error.value.pc == 21

    async def test(line):
        await line.write(BATCH, 2)
        await line.send([head(WRITE, 0), 42 << 16, *assemble([FITS]).tolist()])
        await line.send([head(WRITE, 0), 43 | 21 << 16, *assemble([]).tolist()])
        for words, change in zip(programs, FAIL, strict=True):
            await line.send([head(WRITE, 0), 21 | 21 << 16, *words])
            await line.write(PC, 0)
            await line.write(CONTROL, 1)
            assert await line.receive() == [head(RUN, 0, Fault.PROGRAM)], change
            assert await line.read(STATUS) == 0b10 | Fault.PROGRAM << 8 | 21 << 16
            await line.write(CONTROL, 4)
            await line.write(PC, 43)
            await line.write(CONTROL, 1)
            assert (await line.receive())[0] == head(RUN)
            assert await line.read(STATUS) == 0

    play(CONFIG, test)


def test_interrupts():
    registers = by_name()
    enable, pending = registers["IRQ_ENABLE"].address, registers["IRQ_PENDING"].address

    async def test(line):
        await line.write(enable, 1)
        await line.write(BATCH, 1)
        await line.send([head(0)])
        assert not line.ctx.get(line.dut.irq)
        assert await line.read(pending) == 2
        await line.send([head(WRITE, 0), 21 << 16, *assemble([]).tolist()])
        await line.write(CONTROL, 1)
        await line.receive()
        assert line.ctx.get(line.dut.irq)
        assert await line.read(pending) == 3
        await line.write(pending, 1)
        assert not line.ctx.get(line.dut.irq)
        await line.write(enable, 2)
        assert line.ctx.get(line.dut.irq)

    play(CONFIG, test)


def test_a_register_that_is_none_is_a_fault():
    async def test(line):
        line.ctx.set(line.dut.bus.address, 0xFC)
        line.ctx.set(line.dut.bus.read, 1)
        await line.ctx.tick()
        line.ctx.set(line.dut.bus.read, 0)
        assert line.ctx.get(line.dut.bus.error)
        await line.ctx.tick()
        assert await line.read(STATUS) == 0b10 | Fault.REGISTER << 8

    play(CONFIG, test)


def test_counters_start_anew():
    async def test(line):
        await line.send([head(WRITE, 0), 21 << 16, *assemble([]).tolist()])
        await line.write(BATCH, 1)
        cycles = by_name()["CYCLES"].address
        for _ in range(2):
            await line.write(CONTROL, 1)
            await line.receive()
        assert await line.read(cycles) == 48
        await line.write(CONTROL, 8)
        assert [await line.read(by_name()[name].address) for name in COUNTERS] == [0] * 10

    play(CONFIG, test)

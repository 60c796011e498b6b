"""cocotb tests of the registers behind a serial line; started by ``tb/test_uart_tb.py``.

The far end of the line is that of cocotbext-uart.
"""

import random
from collections import deque

import cocotb
from cocotb.clock import Clock
from cocotb.triggers import ReadOnly, RisingEdge, Timer
from cocotbext.uart import UartSink, UartSource

TESTS = 6  # with their parameters
PERIOD_NS = 10
DIVISOR, PAUSE_BITS = 8, 12
BIT_NS = DIVISOR * PERIOD_NS
ID, PC, BATCH, NOWHERE = 0x00, 0x30, 0x34, 0xFC
IDENTITY = (0x53505254).to_bytes(4, "little")


class Bench:
    """The far end, and an accelerator that takes words and gives some."""

    def __init__(self, dut, *, bit_ns=BIT_NS):
        self.dut = dut
        self.rng = random.Random(cocotb.RANDOM_SEED)
        self.source = UartSource(dut.rx, baud=round(1e9 / bit_ns))
        self.sink = UartSink(dut.tx, baud=round(1e9 / BIT_NS))
        for end in (self.source, self.sink):
            end.log.setLevel("WARNING")
        self.taken = []  # (data, last)
        self.give = deque()  # (data, last)

    async def start(self):
        dut = self.dut
        for name in ("status", "set_irq_pending", "o__valid", "i__ready"):
            getattr(dut, name).value = 0
        dut.rst.value = 1
        Clock(dut.clk, PERIOD_NS, unit="ns").start()
        await Timer(3 * PERIOD_NS, "ns")
        dut.rst.value = 0
        await Timer(11 * BIT_NS, "ns")  # before reset the sink hears anything
        self.sink.clear()
        cocotb.start_soon(self._accelerate())

    async def _accelerate(self):
        dut = self.dut
        while True:
            await RisingEdge(dut.clk)
            if int(dut.i__valid.value) and int(dut.i__ready.value):
                word = int(dut.i__payload.value)
                self.taken.append((word & 0xFFFFFFFF, word >> 32))
            if int(dut.o__valid.value) and int(dut.o__ready.value):
                self.give.popleft()
            dut.i__ready.value = int(self.rng.random() < 0.1)
            dut.o__valid.value = bool(self.give)
            if self.give:
                data, last = self.give[0]
                dut.o__payload.value = data | last << 32

    async def say(self, message):
        await self.source.write(message)

    async def hear(self, message):
        """The next bytes are these."""
        heard = bytearray()
        while len(heard) < len(message):
            heard += await self.sink.read(1)
        assert bytes(heard) == message, f"heard {bytes(heard)!r}, not {message!r}"

    async def silence(self):
        """Nothing is said for a while."""
        await self.source.wait()
        await Timer(40 * BIT_NS, "ns")
        assert self.sink.empty(), bytes(self.sink.read_nowait())

    async def level(self, level, bits):
        """Hold the line."""
        self.dut.rx.value = level
        await Timer(round(bits * BIT_NS), "ns")
        self.dut.rx.value = 1


def write(address, value):
    return b"W" + bytes([address]) + value.to_bytes(4, "little")


def packet(words):
    octets = b"".join(word.to_bytes(4, "little") for word in words)
    return b"S" + len(words).to_bytes(2, "little") + octets


@cocotb.test(timeout_time=50, timeout_unit="ms")
@cocotb.parametrize(bit_ns=[BIT_NS - 2, BIT_NS, BIT_NS + 2])
async def registers(dut, bit_ns):
    """Reads, writes, refusals and unknown bytes in random order, with a far end 2.5 % off."""
    bench = Bench(dut, bit_ns=bit_ns)
    await bench.start()
    words = {ID: int.from_bytes(IDENTITY, "little"), PC: 0, BATCH: 0}
    for _ in range(60):
        kind, value = bench.rng.random(), bench.rng.getrandbits(32)
        address = bench.rng.choice([*words, NOWHERE])
        if kind < 0.45:
            await bench.say(b"R" + bytes([address]))
            known = address in words
            await bench.hear(b"r" + words[address].to_bytes(4, "little") if known else b"e")
        elif kind < 0.9:
            await bench.say(write(address, value))
            writable = address in (PC, BATCH)
            await bench.hear(b"w" if writable else b"e")
            if writable:
                words[address] = value & 0xFFFF
        else:
            await bench.say(bytes([bench.rng.choice(b"\0wr?\xff")]))
            await bench.hear(b"?")
    assert int(dut.pc.value) == words[PC]
    assert int(dut.batch.value) == words[BATCH]
    await bench.silence()


@cocotb.test(timeout_time=50, timeout_unit="ms")
async def packets_both_ways(dut):
    """All words come whole and in order, while writes go on; one packet is longer than 256."""
    bench = Bench(dut)
    await bench.start()
    sent, given, writes = [], [], 0
    for length in (1, 0, 5, 258, 2, 3):
        words = [bench.rng.getrandbits(32) for _ in range(length)]
        await bench.say(packet(words))
        sent += [(word, i == length - 1) for i, word in enumerate(words)]
        for _ in range(3):
            await bench.say(write(PC, writes))
            writes += 1
    for _ in range(60):
        given.append((bench.rng.getrandbits(32), bench.rng.getrandbits(1)))
    bench.give += given
    heard, words = 0, []
    while heard < writes or len(words) < len(given):
        kind = (await bench.sink.read(1))[0]
        if kind == ord("w"):
            heard += 1
            continue
        data = bytearray()
        while len(data) < 4:
            data += await bench.sink.read(1)
        words.append((int.from_bytes(data, "little"), {ord("o"): 0, ord("l"): 1}[kind]))
    assert words == given
    assert bench.taken == sent
    await bench.silence()
    assert int(dut.pc.value) == writes - 1


@cocotb.test(timeout_time=50, timeout_unit="ms")
async def broken_lines(dut):
    """Spikes, breaks and bytes without a stop bit are no bytes; commands cut short are given up."""
    bench = Bench(dut)
    await bench.start()
    for _ in range(10):
        await bench.level(0, 0.3)  # a spike
        await bench.level(1, 1)
        await bench.silence()
        await bench.level(0, 30)  # a break
        await bench.level(1, 1)
        await bench.say(b"R" + bytes([ID]))
        await bench.hear(b"r" + IDENTITY)
        command = write(BATCH, bench.rng.getrandbits(32))
        await bench.say(command[: bench.rng.randrange(1, len(command))])
        await bench.source.wait()
        await Timer((1 << PAUSE_BITS) * PERIOD_NS, "ns")
        await bench.hear(b"?")
        assert int(dut.batch.value) == 0
    await bench.say(packet([1, 2, 3])[:-3])
    await bench.hear(b"?")
    assert bench.taken == [(1, 0), (2, 0), (0, 1)]


@cocotb.test(timeout_time=50, timeout_unit="ms")
async def reset_in_a_command(dut):
    """Reset at any time: nothing of the old is said, and the next command is understood."""
    bench = Bench(dut)
    await bench.start()
    for _ in range(20):
        bench.give += [(0, 0)] * 3
        await bench.say(packet([5, 6]) + b"R" + bytes([ID]) + write(PC, 7))
        await Timer(bench.rng.randrange(1, 150 * BIT_NS), "ns")
        await RisingEdge(dut.clk)
        dut.rst.value = 1
        bench.give.clear()
        bench.source.clear()
        await bench.source.wait()
        await RisingEdge(dut.clk)
        await ReadOnly()
        assert int(dut.tx.value) == 1
        await Timer(11 * BIT_NS, "ns")  # the sink's byte under way
        await RisingEdge(dut.clk)
        dut.rst.value = 0
        bench.sink.clear()
        assert int(dut.pc.value) == 0
        await bench.say(b"R" + bytes([ID]) + write(PC, 9))
        await bench.hear(b"r" + IDENTITY + b"w")
        await bench.silence()

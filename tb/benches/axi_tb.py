"""cocotb tests of the registers behind AXI4-Lite; started by ``tb/test_axi_tb.py``.

The master is that of cocotbext-axi. The expected responses come from ``Model``, which shares
nothing with the hardware: addresses and masks are written out here.
"""

import itertools
import random

import cocotb
from cocotb.clock import Clock
from cocotb.triggers import RisingEdge, gather
from cocotbext.axi import AxiLiteBus, AxiLiteMaster, AxiResp

TESTS = 9  # with their parameters
PERIOD_NS = 10
CONSTANTS = {0x00: 0x53505254, 0x04: 0x00010000}
READ_WRITE = {0x28: 0x3, 0x30: 0xFFFF, 0x34: 0xFFFF}
CONTROL, STATUS, PENDING = 0x20, 0x24, 0x2C
PARAMETERS = range(0x08, 0x1C, 4)
COUNTERS = {
    0x40: "cycles",
    0x48: "forward_cycles",
    0x50: "forward_busy",
    0x58: "backward_cycles",
    0x60: "backward_busy",
    0x68: "update_cycles",
    0x70: "update_busy",
    0x78: "pulses",
    0x80: "switched",
    0x88: "loss",
}


class Model:
    """The registers as a dictionary of words."""

    def __init__(self, parameters):
        self.words = {**CONSTANTS, **parameters, **dict.fromkeys(READ_WRITE, 0)}
        self.words |= {CONTROL: 0, STATUS: 0, PENDING: 0}
        self.counters = dict.fromkeys(COUNTERS, 0)
        self.high = 0

    def read(self, address):
        """Word and response."""
        address &= ~3
        if address in self.counters:
            self.high = self.counters[address] >> 32
            return self.counters[address] & 0xFFFFFFFF, AxiResp.OKAY
        if address - 4 in self.counters:
            return self.high, AxiResp.OKAY
        if address in self.words:
            return self.words[address], AxiResp.OKAY
        return 0, AxiResp.SLVERR

    def write(self, address, octets):
        """Response, and the pulses that follow."""
        lowest = 8 * (address & 3)
        value = int.from_bytes(octets, "little") << lowest
        bits = (1 << 8 * len(octets)) - 1 << lowest
        address &= ~3
        if address in READ_WRITE:
            bits &= READ_WRITE[address]
            self.words[address] = self.words[address] & ~bits | value & bits
        elif address == PENDING:
            self.words[address] &= ~value
        elif address == CONTROL:
            return AxiResp.OKAY, value & 15
        else:
            return AxiResp.SLVERR, 0
        return AxiResp.OKAY, 0


class Bench:
    """Master, monitors and model."""

    def __init__(self, dut, *, paused, stream=0):
        self.dut, self.paused = dut, paused
        self.rng = random.Random(f"{cocotb.RANDOM_SEED} {stream}")
        self.pulses = []  # of CONTROL
        self.errors = 0  # cycles of error_seen

    async def start(self):
        """Clock, reset, master, monitors."""
        dut = self.dut
        for name in ("status", "set_irq_pending", *COUNTERS.values()):
            getattr(dut, name).value = 0
        dut.rst.value = 1
        Clock(dut.clk, PERIOD_NS, unit="ns").start()
        self.master = AxiLiteMaster(AxiLiteBus.from_entity(dut), dut.clk, dut.rst)
        for channel in (
            *(getattr(self.master.write_if, f"{name}_channel") for name in ("aw", "w", "b")),
            *(getattr(self.master.read_if, f"{name}_channel") for name in ("ar", "r")),
        ):
            channel.log.setLevel("WARNING")
            if self.paused:
                channel.set_pause_generator(self._pauses(self.rng.random()))
        for part in (self.master.write_if, self.master.read_if):
            part.log.setLevel("ERROR")  # a reset of what is under way is meant
        await self.wait(3)
        dut.rst.value = 0
        await self.wait(2)
        cocotb.start_soon(self._monitor())
        parameters = {
            address: int.from_bytes((await self.master.read(address, 4)).data, "little")
            for address in PARAMETERS
        }
        self.model = Model(parameters)
        assert len(set(parameters.values())) == len(parameters)

    def _pauses(self, seed):
        """Bursts of random density."""
        rng = random.Random(seed)
        while True:
            share = rng.choice([0.0, 0.3, 0.7, 0.95])
            for _ in range(rng.randrange(5, 30)):
                yield rng.random() < share

    async def wait(self, cycles):
        for _ in range(cycles):
            await RisingEdge(self.dut.clk)

    async def _monitor(self):
        """Pulses, and whether responses are held until they are taken."""
        dut, held = self.dut, {}
        payloads = {"b": (dut.bresp,), "r": (dut.rresp, dut.rdata)}
        while True:
            await RisingEdge(dut.clk)
            if int(dut.rst.value):
                held = {}
                continue
            for channel, payload in payloads.items():
                valid = int(getattr(dut, f"{channel}valid").value)
                now = [int(signal.value) for signal in payload]
                if channel in held:
                    assert valid, f"{channel}valid was withdrawn"
                    assert held.pop(channel) == now, f"{channel} was not held"
                if valid and not int(getattr(dut, f"{channel}ready").value):
                    held[channel] = now
            self.errors += int(dut.error_seen.value)
            if int(dut.control.value):
                self.pulses.append(int(dut.control.value))

    async def read(self, address):
        """One word, as it should be."""
        expected = self.model.read(address)
        answer = await self.master.read(address & ~3, 4)
        got = int.from_bytes(answer.data, "little"), answer.resp
        assert got == expected, f"{address:#x}: got {got}, expected {expected}"

    async def write(self, address, octets):
        """Bytes within a word; returns ``Model.write``'s word on it."""
        expected = self.model.write(address, octets)
        answer = await self.master.write(address, octets)
        assert answer.resp == expected[0], f"{address:#x}: got {answer.resp}, expected {expected}"
        return expected

    def any_bytes(self):
        """An address, and bytes to write there."""
        writable = (*READ_WRITE, CONTROL, CONTROL, PENDING, PENDING)
        mapped = (*self.model.words, *COUNTERS, *(address + 4 for address in COUNTERS))
        word = self.rng.choice(self.rng.choice([writable, writable, mapped, range(0, 256, 4)]))
        low = self.rng.choice([0, 0, 0, 1, 2, 3])
        return word + low, self.rng.randbytes(self.rng.randint(1, 4 - low))


@cocotb.test(timeout_time=20, timeout_unit="ms")
@cocotb.parametrize(paused=[False, True], stream=[0, 1])
async def every_access(dut, paused, stream):
    """Accesses one after the other, while what the registers show changes in between."""
    bench = Bench(dut, paused=paused, stream=stream)
    await bench.start()
    rng, model = bench.rng, bench.model
    pulses, errors = [], 0
    for _ in range(400):
        kind = rng.random()
        if kind < 0.15:
            address = rng.choice([*COUNTERS])
            model.counters[address] = rng.getrandbits(64)
            getattr(dut, COUNTERS[address]).value = model.counters[address]
        elif kind < 0.25:
            values = {0: rng.getrandbits(1), 1: rng.getrandbits(1)}
            values |= {8: rng.getrandbits(4), 16: rng.getrandbits(16)}
            model.words[STATUS] = sum(value << low for low, value in values.items())
            packed = model.words[STATUS] & 3 | values[8] << 2 | values[16] << 6
            dut.status.value = packed
        elif kind < 0.35:
            raised = rng.getrandbits(2)
            dut.set_irq_pending.value = raised
            await bench.wait(1)
            dut.set_irq_pending.value = 0
            await bench.wait(1)
            model.words[PENDING] |= raised
        elif kind < 0.65:
            address = bench.any_bytes()[0]
            errors += model.read(address)[1] != AxiResp.OKAY
            await bench.read(address)
        else:
            response, pulse = await bench.write(*bench.any_bytes())
            errors += response != AxiResp.OKAY
            pulses += [pulse] if pulse else []
        await bench.wait(1)
        enabled = model.words[0x28] & model.words[PENDING]
        assert int(dut.irq.value) == bool(enabled)
        assert int(dut.irq_pending.value) == model.words[PENDING]
        assert int(dut.pc.value) == model.words[0x30]
        assert int(dut.batch.value) == model.words[0x34]
    assert bench.pulses == pulses
    assert bench.errors == errors
    assert pulses
    assert errors


@cocotb.test(timeout_time=20, timeout_unit="ms")
@cocotb.parametrize(paused=[False, True])
async def counters_that_run(dut, paused):
    """A pair is one of the numbers that the counter was while its low word was read."""
    bench = Bench(dut, paused=paused)
    await bench.start()
    history = [0]

    async def count():
        while True:
            await RisingEdge(dut.clk)
            history.append((history[-1] + bench.rng.getrandbits(31)) & (1 << 64) - 1)
            dut.loss.value = history[-1]

    cocotb.start_soon(count())
    for _ in range(100):
        begin = len(history) - 1
        low = await bench.master.read(0x88, 4)
        end = len(history)
        await bench.wait(bench.rng.randrange(10))
        high = await bench.master.read(0x8C, 4)
        assert int.from_bytes(low.data + high.data, "little") in history[begin:end]


@cocotb.test(timeout_time=20, timeout_unit="ms")
@cocotb.parametrize(paused=[False, True])
async def reads_and_writes_at_once(dut, paused):
    """What is read is what was there at some moment from the question to the answer."""
    bench = Bench(dut, paused=paused)
    await bench.start()
    history = {address: [0] for address in READ_WRITE}
    written = dict.fromkeys(READ_WRITE, 0)  # those of the history that are there for certain

    async def write():
        for _ in range(150):
            address = bench.rng.choice([*READ_WRITE])
            octets = bench.rng.randbytes(4)
            value = int.from_bytes(octets, "little") & READ_WRITE[address]
            history[address].append(value)
            answer = await bench.master.write(address, octets)
            assert answer.resp == AxiResp.OKAY
            written[address] += 1

    async def read():
        for _ in range(150):
            address = bench.rng.choice([*READ_WRITE, 0x00, 0xFC])
            earliest = written.get(address)
            answer = await bench.master.read(address, 4)
            got = int.from_bytes(answer.data, "little")
            if address in history:
                assert answer.resp == AxiResp.OKAY
                assert got in history[address][earliest:], hex(address)
            else:
                expected = {0x00: (CONSTANTS[0], AxiResp.OKAY), 0xFC: (0, AxiResp.SLVERR)}
                assert (got, answer.resp) == expected[address]

    await gather(write(), read())


@cocotb.test(timeout_time=20, timeout_unit="ms")
async def reset_in_transactions(dut):
    """Reset at any time: no answer of the old, registers as at first, sound answers."""
    bench = Bench(dut, paused=True)
    await bench.start()
    for _ in range(60):
        for address in itertools.chain(READ_WRITE, (PENDING, CONTROL)):
            bench.master.init_write(address, b"\xff" * 4)
            bench.master.init_read(address, 4)
        dut.set_irq_pending.value = 3
        await bench.wait(bench.rng.randrange(1, 40))
        dut.set_irq_pending.value = 0
        dut.rst.value = 1
        await bench.wait(bench.rng.randrange(1, 4))
        dut.rst.value = 0
        await bench.wait(1)
        assert not int(dut.bvalid.value)
        assert not int(dut.rvalid.value)
        bench.model = Model({address: bench.model.words[address] for address in PARAMETERS})
        await bench.read(0x00)
        for address in (*READ_WRITE, PENDING, 0x8C):
            await bench.read(address)
        await bench.write(0x34, bench.rng.randbytes(4))
        await bench.read(0x34)

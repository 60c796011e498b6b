"""AXI4-Lite against a dictionary, channel by channel, with every kind of pause.

The benches in ``tb`` drive it by a master of another author; this one looks into each cycle.
"""

import numpy as np
import pytest
from amaranth.hdl import Module
from amaranth.lib import wiring
from hdl_sim import simulate
from test_hdl_registers import ADDRESSES, CONSTANTS, UNMAPPED

from hdl.bus.axi import AxiLite, Response
from hdl.bus.registers import RegisterFile

PATIENCE = 100  # cycles without a beat


class Channels:
    """A master that drives all five channels in every cycle and keeps the standard's rules."""

    def __init__(self, ctx, axi, seed, gaps, waits):
        self.ctx, self.axi = ctx, axi
        self.rng = np.random.default_rng(seed)
        self.gaps, self.waits = gaps, waits
        self.to_send = {"aw": [], "w": [], "ar": []}  # payloads, oldest first
        self.received = {"b": [], "r": []}
        self.taken = {"aw": 0, "w": 0, "ar": 0}
        self._offering = dict.fromkeys(self.to_send, False)
        self._held = {}
        self.cycle = 0

    async def step(self):
        """One cycle."""
        ctx, axi = self.ctx, self.axi
        for channel, queue in self.to_send.items():
            if queue and (self._offering[channel] or self.rng.random() >= self.gaps[channel]):
                self._offering[channel] = True
                for name, value in queue[0].items():
                    ctx.set(getattr(axi, name), value)
            elif channel != "w":  # whatever is there without valid does not count
                ctx.set(getattr(axi, f"{channel}addr"), int(self.rng.integers(256)))
            ctx.set(getattr(axi, f"{channel}valid"), self._offering[channel])
        for channel in self.received:
            ctx.set(getattr(axi, f"{channel}ready"), self.rng.random() >= self.waits[channel])
        names = ("awready", "wready", "arready", "bvalid", "bready", "rvalid", "rready")
        names += ("bresp", "rresp", "rdata")
        signals = [axi.bus.write & axi.bus.read, *(getattr(axi, name) for name in names)]
        _, _, both, *values = await ctx.tick().sample(*signals)
        assert not both, "a write and a read on the bus"
        seen = dict(zip(names, values, strict=True))
        for channel in self.to_send:
            if self._offering[channel] and seen[f"{channel}ready"]:
                self.to_send[channel].pop(0)
                self.taken[channel] += 1
                self._offering[channel] = False
        for channel, fields in (("b", ("bresp",)), ("r", ("rresp", "rdata"))):
            payload = tuple(seen[name] for name in fields)
            valid, ready = seen[f"{channel}valid"], seen[f"{channel}ready"]
            if channel in self._held:
                assert valid, f"{channel}valid was withdrawn"
                assert payload == self._held[channel], f"{channel} was not held"
            self._held.pop(channel, None)
            if valid and ready:
                self.received[channel].append(payload)
            elif valid:
                self._held[channel] = payload
        self.cycle += 1
        # No response comes before all that it answers.
        writes = min(self.taken["aw"], self.taken["w"])
        assert len(self.received["b"]) <= writes
        assert len(self.received["r"]) <= self.taken["ar"]

    def write(self, address, data, strobe=15):
        self.to_send["aw"].append({"awaddr": address})
        self.to_send["w"].append({"wdata": data, "wstrb": strobe})

    def read(self, address):
        self.to_send["ar"].append({"araddr": address})

    async def drain(self):
        """Until all is answered."""
        writes = len(self.received["b"]) + self._open("aw", "b")
        reads = len(self.received["r"]) + self._open("ar", "r")
        quiet, before = 0, None
        while (len(self.received["b"]), len(self.received["r"])) != (writes, reads):
            await self.step()
            now = (*self.taken.values(), *map(len, self.received.values()))
            quiet = quiet + 1 if now == before else 0
            before = now
            assert quiet < PATIENCE, "nothing moves"
        for _ in range(8):
            await self.step()
        assert (len(self.received["b"]), len(self.received["r"])) == (writes, reads)

    def _open(self, question, answer):
        asked = self.taken[question] + len(self.to_send[question])
        return asked - len(self.received[answer])


def run(testbench, **stalls):
    m = Module()
    m.submodules.axi = axi = AxiLite()
    m.submodules.file = file = RegisterFile(CONSTANTS)
    wiring.connect(m, axi.bus, file.bus)
    gaps = {name: stalls.get(name, 0) for name in ("aw", "w", "ar")}
    waits = {name: stalls.get(name, 0) for name in ("b", "r")}

    async def bench(ctx):
        await testbench(ctx, Channels(ctx, axi, 1, gaps, waits), file)

    simulate(m, bench)


STALLS = {
    "none": {},
    "late-address": {"aw": 0.9},
    "late-data": {"w": 0.9},
    "slow-responses": {"b": 0.9, "r": 0.8},
    "all": {"aw": 0.6, "w": 0.6, "ar": 0.6, "b": 0.6, "r": 0.6},
}
each_stall = pytest.mark.parametrize("stalls", STALLS.values(), ids=STALLS)


@each_stall
def test_writes_then_reads(stalls):
    async def testbench(ctx, channels, file):
        rng = np.random.default_rng(3)
        model, expected = {"PC": 0, "BATCH": 0, "IRQ_ENABLE": 0}, []
        names = list(model)
        for _ in range(40):
            name = names[rng.integers(3)]
            value, strobe = int(rng.integers(1 << 32)), int(rng.integers(16))
            channels.write(ADDRESSES[name], value, strobe)
            bits = sum(0xFF << 8 * i for i in range(4) if strobe >> i & 1)
            bits &= 3 if name == "IRQ_ENABLE" else 0xFFFF
            model[name] = model[name] & ~bits | value & bits
        await channels.drain()
        assert channels.received["b"] == [(Response.OKAY,)] * 40
        for _ in range(40):
            name = names[rng.integers(3)]
            channels.read(ADDRESSES[name] + int(rng.integers(4)))
            expected.append((Response.OKAY, model[name]))
        await channels.drain()
        assert channels.received["r"] == expected

    run(testbench, **stalls)


@each_stall
def test_reads_and_writes_at_once(stalls):
    """Each goes its way: a constant is read while registers are written."""

    async def testbench(ctx, channels, file):
        for i in range(60):
            channels.write(ADDRESSES["ID"] if i % 3 == 0 else ADDRESSES["PC"], i)
            channels.read(UNMAPPED[i % 5] if i % 4 == 0 else ADDRESSES["ID"])
        await channels.drain()
        assert channels.received["b"] == [
            (Response.SLVERR if i % 3 == 0 else Response.OKAY,) for i in range(60)
        ]
        assert channels.received["r"] == [
            (Response.SLVERR, 0) if i % 4 == 0 else (Response.OKAY, 0x53505254) for i in range(60)
        ]
        assert ctx.get(file.pc.value) == 59

    run(testbench, **stalls)


def test_neither_starves():
    """With both always there, they take turns."""

    async def testbench(ctx, channels, file):
        for _ in range(30):
            channels.write(ADDRESSES["PC"], 1)
            channels.read(ADDRESSES["PC"])
        while channels.to_send["aw"] or channels.to_send["ar"]:
            await channels.step()
            assert abs(channels.taken["aw"] - channels.taken["ar"]) <= 1
        await channels.drain()

    run(testbench)


def test_a_response_that_waits_does_not_block_the_other_channel():
    async def testbench(ctx, channels, file):
        channels.waits["b"] = 1
        channels.write(ADDRESSES["PC"], 7)
        for _ in range(20):
            channels.read(ADDRESSES["PC"])
        while len(channels.received["r"]) < 20:
            await channels.step()
        assert channels.received["b"] == []
        assert channels.received["r"][-1] == (Response.OKAY, 7)
        channels.waits["b"] = 0
        await channels.drain()
        channels.waits["r"] = 1
        channels.read(ADDRESSES["PC"])
        for i in range(20):
            channels.write(ADDRESSES["PC"], i)
        while len(channels.received["b"]) < 21:
            await channels.step()
        assert len(channels.received["r"]) == 20
        channels.waits["r"] = 0
        await channels.drain()

    run(testbench)


def test_latency():
    """A response is there 4 cycles after the last beat that it needs."""

    async def testbench(ctx, channels, file):
        for ask, answer in ((channels.write, "b"), (channels.read, "r")):
            ask(*(ADDRESSES["PC"], 1)[: 2 if answer == "b" else 1])
            begin = channels.cycle
            while not channels.received[answer]:
                await channels.step()
            assert channels.cycle - begin == 1 + 4

    run(testbench)


def test_ready_and_valid_wait_for_nobody():
    """Outputs in a cycle are the same whatever the inputs of that cycle are."""

    async def testbench(ctx, channels, file):
        axi = channels.axi
        inputs = [axi.awvalid, axi.wvalid, axi.arvalid, axi.bready, axi.rready]
        outputs = [axi.awready, axi.wready, axi.arready, axi.bvalid, axi.rvalid, axi.rdata]
        outputs += [axi.bresp.as_value(), axi.rresp.as_value(), axi.bus.write, axi.bus.read]
        rng = np.random.default_rng(4)
        for _ in range(200):
            seen = set()
            for _ in range(3):
                for signal in (*inputs, axi.awaddr, axi.wdata, axi.wstrb, axi.araddr):
                    ctx.set(signal, int(rng.integers(1 << len(signal))))
                seen.add(tuple(ctx.get(output) for output in outputs))
            assert len(seen) == 1
            await ctx.tick()

    run(testbench)

"""The accelerator as an IP block: streams and registers."""

from amaranth.hdl import Module, Signal
from amaranth.lib import stream, wiring
from amaranth.lib.wiring import In, Out

from golden.accel.config import AcceleratorConfig
from golden.accel.driver import constants
from golden.registers import Fault
from hdl.accel.accelerator_core import COUNTERS, AcceleratorCore
from hdl.accel.packets import WORD, Packets
from hdl.bus.axi import AxiLite
from hdl.bus.registers import RegisterFile, register_bus
from hdl.bus.uart import UartBridge


class Accelerator(wiring.Component):
    """Core, packets and registers, for any front end.

    Latency: a register access is answered in the next cycle. A program starts 2 cycles after the
    write of CONTROL.start, or when the packet that is under way has ended.

    Ordering: packets one at a time; see ``hdl.accel.packets.Packets``. The first fault stays in
    STATUS until it is cleared.

    Parameters
    ----------
    config : AcceleratorConfig

    Members
    -------
    bus : In(register_bus())
        Register accesses.
    i, o : In, Out(stream of packets' words)
        Packets from the host; answers and results.
    irq : Out(1)
        Level: an enabled flag of IRQ_PENDING is set.

    Raises
    ------
    TypeError
        If ``config`` is not an AcceleratorConfig.

    References
    ----------
    Registers: ``golden.registers``; packets: ``golden.accel.packets``.
    """

    def __init__(self, config: AcceleratorConfig):
        if not isinstance(config, AcceleratorConfig):
            raise TypeError(f"config must be an AcceleratorConfig, not {config!r}")
        self.config = config
        super().__init__(
            {
                "bus": In(register_bus()),
                "i": In(stream.Signature(WORD)),
                "o": Out(stream.Signature(WORD)),
                "irq": Out(1),
            }
        )

    def elaborate(self, platform):
        m = Module()
        config = self.config
        m.submodules.core = core = AcceleratorCore(config)
        m.submodules.packets = packets = Packets(config)
        m.submodules.registers = registers = RegisterFile(constants(config))
        wiring.connect(m, wiring.flipped(self.bus), registers.bus)
        wiring.connect(m, wiring.flipped(self.i), packets.i)
        wiring.connect(m, wiring.flipped(self.o), packets.o)
        wiring.connect(m, packets.host, core.host)
        for n, tile in enumerate(core.tiles):
            wiring.connect(m, getattr(packets, f"frame_i_{n}"), tile.i)
            wiring.connect(m, tile.o, getattr(packets, f"frame_o_{n}"))

        early = self._start(m, core, packets, registers)
        self._fault(m, core, packets, registers, early)
        return m

    def _start(self, m, core, packets, registers):
        """Starts programs. A program waits for the packet that is under way. Returns the flag that
        a program is stopped before it begins."""
        control = registers.control
        waiting = Signal()
        busy = Signal()
        cancelled = Signal()
        early = Signal()
        m.d.comb += [
            busy.eq(waiting | core.running),
            core.start.eq(waiting & packets.ready & ~cancelled & ~control.stop),
            core.stop.eq(control.stop),
            core.pc.eq(registers.pc.value),
            packets.busy.eq(busy),
            early.eq(cancelled & packets.ready),
            packets.done.eq(core.done | early),
            packets.batch.eq(core.batch),
            core.reset_counters.eq(control.reset_counters),
        ]
        with m.If(core.start | early):
            m.d.sync += [waiting.eq(0), cancelled.eq(0)]
        with m.Elif(control.start & ~busy):
            m.d.sync += [
                waiting.eq(1), cancelled.eq(control.stop), core.batch.eq(registers.batch.value)
            ]  # fmt: skip
        with m.Elif(control.stop & waiting):
            m.d.sync += cancelled.eq(1)
        m.d.comb += [getattr(registers, name).eq(core.counters[name]) for name in COUNTERS]
        m.d.comb += registers.status.busy.eq(busy)
        self._busy = busy
        return early

    def _fault(self, m, core, packets, registers, early):
        """Status and interrupts. The first fault is kept until it is cleared."""
        control, busy = registers.control, self._busy
        cause = Signal(4)
        what = Signal(16)
        fault = Signal(4)
        place = Signal(16)
        ended = Signal(4)
        with m.If(early | (core.stopped & ~core.failed)):
            m.d.comb += ended.eq(Fault.STOPPED)
        with m.Elif(core.failed):
            m.d.comb += ended.eq(Fault.PROGRAM)
        m.d.comb += packets.done_fault.eq(ended)
        with m.If(packets.fault.any()):
            m.d.comb += [fault.eq(packets.fault), place.eq(packets.what)]
        with m.Elif(packets.done & ended.any()):
            m.d.comb += [fault.eq(ended), place.eq(core.where)]
        with m.Elif(control.start & busy):
            m.d.comb += fault.eq(Fault.BUSY)
        with m.Elif(registers.error_seen):
            m.d.comb += fault.eq(Fault.REGISTER)
        with m.If(control.clear):
            m.d.sync += [cause.eq(fault), what.eq(place)]
        with m.Elif(~cause.any()):
            m.d.sync += [cause.eq(fault), what.eq(place)]
        m.d.comb += [
            registers.status.fault.eq(cause.any()),
            registers.status.cause.eq(cause),
            registers.status.what.eq(what),
            registers.set_irq_pending.done.eq(packets.done),
            registers.set_irq_pending.fault.eq(fault.any()),
            self.irq.eq(registers.irq),
        ]


_AXI = ("awaddr", "awprot", "awvalid", "awready", "wdata", "wstrb", "wvalid", "wready", "bresp",
        "bvalid", "bready", "araddr", "arprot", "arvalid", "arready", "rdata", "rresp", "rvalid",
        "rready")  # fmt: skip
_STREAMS = {
    **{f"s_axis_{name}": In for name in ("tvalid", "tdata", "tlast")},
    "s_axis_tready": Out,
    **{f"m_axis_{name}": Out for name in ("tvalid", "tdata", "tlast")},
    "m_axis_tready": In,
}


class AxiAccelerator(wiring.Component):
    """The accelerator with AXI4-Lite registers and AXI4-Stream packets.

    Latency and ordering of the registers: ``hdl.bus.axi.AxiLite``; of the packets:
    ``hdl.accel.packets.Packets``.

    Parameters
    ----------
    config : AcceleratorConfig

    Members
    -------
    s_axil_* : AXI4-Lite, 8 address bits
        Registers.
    s_axis_*, m_axis_* : AXI4-Stream of 32 bits
        Packets in, answers and results out.
    irq : Out(1)
    """

    def __init__(self, config: AcceleratorConfig):
        self._config = config
        self._axi = AxiLite()
        axi = self._axi.signature.members
        super().__init__(
            {f"s_axil_{name}": axi[name] for name in _AXI}
            | {n: flow(32 if n.endswith("tdata") else 1) for n, flow in _STREAMS.items()}
            | {"irq": Out(1)}
        )

    def elaborate(self, platform):
        m = Module()
        m.submodules.accelerator = block = Accelerator(self._config)
        m.submodules.axi = axi = self._axi
        wiring.connect(m, axi.bus, block.bus)
        members = axi.signature.members
        for name in _AXI:
            inner, outer = getattr(axi, name), getattr(self, f"s_axil_{name}")
            m.d.comb += inner.eq(outer) if members[name].flow is In else outer.eq(inner)
        m.d.comb += [
            block.i.valid.eq(self.s_axis_tvalid),
            block.i.p.data.eq(self.s_axis_tdata),
            block.i.p.last.eq(self.s_axis_tlast),
            self.s_axis_tready.eq(block.i.ready),
            self.m_axis_tvalid.eq(block.o.valid),
            self.m_axis_tdata.eq(block.o.p.data),
            self.m_axis_tlast.eq(block.o.p.last),
            block.o.ready.eq(self.m_axis_tready),
            self.irq.eq(block.irq),
        ]
        return m


class UartAccelerator(wiring.Component):
    """The accelerator behind a serial line.

    Commands and flow control: ``hdl.bus.uart``.

    Parameters
    ----------
    config : AcceleratorConfig
    divisor : int
        Clock cycles a bit, >= 4.

    Members
    -------
    rx : In(1)
        Asynchronous.
    tx : Out(1)
    irq : Out(1)
    """

    def __init__(self, config: AcceleratorConfig, divisor: int):
        self._config, self._bridge = config, UartBridge(divisor)
        super().__init__({"rx": In(1, init=1), "tx": Out(1, init=1), "irq": Out(1)})

    def elaborate(self, platform):
        m = Module()
        m.submodules.accelerator = block = Accelerator(self._config)
        m.submodules.bridge = bridge = self._bridge
        wiring.connect(m, bridge.bus, block.bus)
        wiring.connect(m, bridge.i, block.i)
        wiring.connect(m, block.o, bridge.o)
        m.d.comb += [bridge.rx.eq(self.rx), self.tx.eq(bridge.tx), self.irq.eq(block.irq)]
        return m

"""AXI4-Lite in front of the registers."""

from amaranth.hdl import Cat, Module, Mux, Signal
from amaranth.lib import enum, wiring
from amaranth.lib.wiring import In, Out

from golden.registers import ADDRESS_BITS, DATA_BITS
from hdl.bus.registers import register_bus
from hdl.lib.lint import unused


class Response(enum.Enum, shape=2):
    """How an access went (Arm IHI 0022, A3.4.4)."""

    OKAY = 0
    SLVERR = 2


class AxiLite(wiring.Component):
    """AXI4-Lite subordinate, with at most one write and one read in progress.

    Latency: the response comes 4 cycles after the last beat of its access if no other access is
    in progress. No output depends on an input of the same cycle.

    Ordering: each channel has a register, so the beats of a write come in any order. A complete
    access whose response register is free goes to the bus. If a read and a write are both
    complete, they take turns.

    Stalls: a response that is not taken blocks accesses of its kind only.

    Members
    -------
    awaddr, awprot, awvalid : In; awready : Out
    wdata, wstrb, wvalid : In; wready : Out
    bresp, bvalid : Out; bready : In
    araddr, arprot, arvalid : In; arready : Out
    rdata, rresp, rvalid : Out; rready : In
        As in the standard; ``prot`` is ignored. The response to a refused access is SLVERR.
    bus : Out(register_bus())

    References
    ----------
    Arm IHI 0022, AMBA AXI protocol specification, chapter B1.
    """

    awaddr: In(ADDRESS_BITS)
    awprot: In(3)
    awvalid: In(1)
    awready: Out(1)
    wdata: In(DATA_BITS)
    wstrb: In(DATA_BITS // 8)
    wvalid: In(1)
    wready: Out(1)
    bresp: Out(Response)
    bvalid: Out(1)
    bready: In(1)
    araddr: In(ADDRESS_BITS)
    arprot: In(3)
    arvalid: In(1)
    arready: Out(1)
    rdata: Out(DATA_BITS)
    rresp: Out(Response)
    rvalid: Out(1)
    rready: In(1)
    bus: Out(register_bus())

    def elaborate(self, platform):
        m = Module()
        bus = self.bus
        unused(m, Cat(self.awprot, self.arprot))
        has_aw = Signal()
        has_w = Signal()
        has_ar = Signal()
        write_address = Signal(ADDRESS_BITS)
        read_address = Signal(ADDRESS_BITS)

        m.d.comb += [self.awready.eq(~has_aw), self.wready.eq(~has_w), self.arready.eq(~has_ar)]
        with m.If(self.awready):
            m.d.sync += [has_aw.eq(self.awvalid), write_address.eq(self.awaddr)]
        with m.If(self.wready):
            m.d.sync += [has_w.eq(self.wvalid), bus.data.eq(self.wdata), bus.strobe.eq(self.wstrb)]
        with m.If(self.arready):
            m.d.sync += [has_ar.eq(self.arvalid), read_address.eq(self.araddr)]
        with m.If(self.bready):
            m.d.sync += self.bvalid.eq(0)
        with m.If(self.rready):
            m.d.sync += self.rvalid.eq(0)

        # Choose, access, answer: a cycle each. At the next choice the response to this access is
        # pending, so the other kind has its turn.
        accessing = Signal()
        answering = Signal()
        was_write = Signal()
        can_write = Signal()
        can_read = Signal()
        m.d.comb += [
            accessing.eq(bus.write | bus.read),
            can_write.eq(has_aw & has_w & ~self.bvalid),
            can_read.eq(has_ar & ~self.rvalid),
        ]
        m.d.sync += [bus.write.eq(0), bus.read.eq(0), answering.eq(accessing)]
        with m.If(bus.write):
            m.d.sync += [has_aw.eq(0), has_w.eq(0)]
        with m.Elif(bus.read):
            m.d.sync += has_ar.eq(0)
        with m.Elif(answering):
            response = Mux(bus.error, Response.SLVERR, Response.OKAY)
            with m.If(was_write):
                m.d.sync += [self.bvalid.eq(1), self.bresp.eq(response)]
            with m.Else():
                m.d.sync += [
                    self.rvalid.eq(1),
                    self.rdata.eq(bus.answer),
                    self.rresp.eq(response),
                ]
        with m.Else():
            m.d.sync += [
                bus.write.eq(can_write),
                bus.read.eq(can_read & ~can_write),
                bus.address.eq(Mux(can_write, write_address, read_address)),
                was_write.eq(can_write),
            ]
        return m

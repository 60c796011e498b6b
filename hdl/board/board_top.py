"""A component with a serial line on a board: clock, reset, pins and lights."""

from amaranth.hdl import (
    ClockDomain,
    ClockSignal,
    Elaboratable,
    Instance,
    Module,
    ResetSignal,
    Signal,
)
from amaranth.lib import io
from amaranth.lib.cdc import FFSynchronizer

from hdl.board import pll

# iCE40's block RAMs read as zeros for some microseconds after configuration.
RESET_BITS = 10  # reset lasts 2^RESET_BITS cycles of the steady clock
LIGHT_BITS = 20  # a light stays on for 2^LIGHT_BITS cycles
FAMILIES = ("ecp5", "ice40")


class Clock(Elaboratable):
    """Drives the domain ``sync`` from a board's oscillator.

    Reset lasts until the clock is steady, and 2^``RESET_BITS`` cycles more.

    Parameters
    ----------
    hertz : int
        Frequency of ``sync``. At the oscillator's frequency there is no PLL.
    family : {"ecp5", "ice40"}

    Raises
    ------
    ValueError
        When elaborated, if the PLL cannot make ``hertz``.
    """

    def __init__(self, hertz: int, family: str):
        self._hertz, self._family = hertz, family

    def elaborate(self, platform):
        m = Module()
        source = int(platform.default_clk_frequency)
        pin = platform.request(platform.default_clk, dir="-")
        clock = Signal(attrs={"keep": 1})
        steady = Signal()
        if self._hertz == source:
            m.submodules.pin = buffer = io.Buffer("i", pin)
            m.d.comb += [clock.eq(buffer.i), steady.eq(1)]
        else:
            locked = Signal()
            if self._family == "ice40":
                m.submodules.pll = _ice40(pll.ice40(source, self._hertz), pin, clock, locked)
            else:
                m.submodules.pin = buffer = io.Buffer("i", pin)
                m.submodules.pll = _ecp5(pll.ecp5(source, self._hertz), buffer.i, clock, locked)
            m.submodules.locked = FFSynchronizer(locked, steady, o_domain="start")
        m.domains.start = start = ClockDomain(reset_less=True, local=True)
        count = Signal(RESET_BITS)
        ready = Signal()
        m.d.comb += [
            start.clk.eq(clock),
            ClockSignal("sync").eq(clock),
            ResetSignal("sync").eq(~ready),
        ]
        with m.If(~steady):
            m.d.start += [count.eq(0), ready.eq(0)]
        with m.Elif(count.all()):
            m.d.start += ready.eq(1)
        with m.Else():
            m.d.start += count.eq(count + 1)
        return m


def _ecp5(settings: pll.Ecp5Pll, source, clock, locked) -> Instance:
    return Instance(
        "EHXPLLL",
        # Loop filter: the values that the vendor's tools set for any frequency.
        a_ICP_CURRENT="12",
        a_LPF_RESISTOR="8",
        a_MFG_ENABLE_FILTEROPAMP="1",
        a_MFG_GMCREF_SEL="2",
        p_PLLRST_ENA="DISABLED",
        p_INTFB_WAKE="DISABLED",
        p_STDBY_ENABLE="DISABLED",
        p_DPHASE_SOURCE="DISABLED",
        p_OUTDIVIDER_MUXA="DIVA",
        p_CLKI_DIV=settings.clki_div,
        p_CLKFB_DIV=settings.clkfb_div,
        p_CLKOP_ENABLE="ENABLED",
        p_CLKOP_DIV=settings.clkop_div,
        p_CLKOP_CPHASE=settings.clkop_div - 1,
        p_CLKOP_FPHASE=0,
        p_FEEDBK_PATH="CLKOP",
        i_CLKI=source,
        i_CLKFB=clock,
        i_RST=0,
        i_STDBY=0,
        i_PHASESEL0=0,
        i_PHASESEL1=0,
        i_PHASEDIR=0,
        i_PHASESTEP=0,
        i_PHASELOADREG=0,
        i_PLLWAKESYNC=0,
        i_ENCLKOP=0,
        o_CLKOP=clock,
        o_LOCK=locked,
    )


def _ice40(settings: pll.Ice40Pll, pin, clock, locked) -> Instance:
    return Instance(
        "SB_PLL40_PAD",
        p_FEEDBACK_PATH="SIMPLE",
        p_DIVR=settings.divr,
        p_DIVF=settings.divf,
        p_DIVQ=settings.divq,
        p_FILTER_RANGE=settings.filter_range,
        i_PACKAGEPIN=pin.io,  # the PLL is its buffer
        i_RESETB=1,
        i_BYPASS=0,
        o_PLLOUTGLOBAL=clock,
        o_LOCK=locked,
    )


class BoardTop(Elaboratable):
    """A component on a board.

    The first light blinks about once a second. The second shows received bytes, the third bytes
    sent.

    Parameters
    ----------
    component : wiring.Component
        It has the members ``rx`` and ``tx`` of a serial line.
    hertz : int
        Clock of the component.
    family : {"ecp5", "ice40"}
    lights : int
        LEDs to use.

    Raises
    ------
    ValueError
        When elaborated, if the PLL cannot make ``hertz``.
    """

    def __init__(self, component, hertz: int, family: str, lights: int):
        self._component, self._hertz = component, hertz
        self._family, self._lights = family, lights

    def elaborate(self, platform):
        m = Module()
        m.domains.sync = ClockDomain()
        m.submodules.clock = Clock(self._hertz, self._family)
        m.submodules.core = core = self._component
        uart = platform.request("uart", dir="-")
        m.submodules.rx = rx = io.Buffer("i", uart.rx)
        m.submodules.tx = tx = io.Buffer("o", uart.tx)
        m.d.comb += [core.rx.eq(rx.i), tx.o.eq(core.tx)]

        beat = Signal((self._hertz // 2).bit_length() + 1)
        heard = Signal(init=1)
        m.submodules.heard = FFSynchronizer(rx.i, heard, init=1)
        m.d.sync += beat.eq(beat + 1)
        shown = [beat[-1], held(m, ~heard, "in"), held(m, ~core.tx, "out")]
        for number in range(self._lights):
            light = io.Buffer("o", platform.request("led", number, dir="-"))
            m.submodules[f"led_{number}"] = light
            m.d.comb += light.o.eq(shown[number])
        return m


def held(m, flag, name: str) -> Signal:
    """``flag``, extended by 2^``LIGHT_BITS`` cycles."""
    left = Signal(LIGHT_BITS, name=f"light_{name}")
    with m.If(flag):
        m.d.sync += left.eq(-1)
    with m.Elif(left.any()):
        m.d.sync += left.eq(left - 1)
    return left.any()

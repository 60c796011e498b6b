"""Arrays with one deliberate fault each; the tests have to notice every one."""

import contextlib
import itertools
from collections.abc import Callable, Iterator
from unittest import mock

from amaranth.hdl import Module, Mux, Signal
from amaranth.lib.wiring import In

import hdl.array.lane
import hdl.array.read_path
import hdl.array.synapse_array
import hdl.array.write_path
from golden.array import lfsr
from golden.config import ArrayConfig
from hdl.array.activity import Activity
from hdl.array.lane import Lane
from hdl.array.lfsr import Lfsr
from hdl.lib.accumulator import RowAccumulator
from hdl.lib.dot import TernaryDot
from synth.generate import TOP_NAME, FlatArray, component_verilog

CONFIG = ArrayConfig(rows=4, cols=4, variant_bits=2)
ROW, COLUMN = 2, 1  # of the fault, where it has one


class FlippedDot(TernaryDot):
    """The sign of one row's weight is turned."""

    def elaborate(self, platform):
        m = Module()
        m.submodules.sound = sound = TernaryDot(length=len(self.w_nonzero))
        m.d.comb += [
            getattr(sound, name).eq(getattr(self, name))
            for name in ("w_nonzero", "u_nonzero", "u_negative")
        ]
        m.d.comb += [
            sound.w_negative.eq(self.w_negative ^ (1 << ROW)),
            self.sum.eq(sound.sum),
        ]
        return m


class NegatedAccumulator(RowAccumulator):
    """The sum has the wrong sign."""

    def elaborate(self, platform):
        m = Module()
        m.submodules.sound = sound = RowAccumulator(
            columns=len(self.nonzero), error_bits=CONFIG.error_bits, sum_bits=len(self.sum)
        )
        m.d.comb += [
            getattr(sound, name).eq(getattr(self, name))
            for name in ("add", "last", "nonzero", "negative", "d", "minus")
        ]
        m.d.comb += self.sum.eq(-sound.sum)
        return m


class WrongTap(Lfsr):
    """The last tap is one too low."""

    def elaborate(self, platform):
        with mock.patch("hdl.array.lfsr.TAPS", (*lfsr.TAPS[:-1], lfsr.TAPS[-1] - 1)):
            return super().elaborate(platform)


class CrossedLane(Lane):
    """Each cell of a synapse has the other's variant."""

    def elaborate(self, platform):
        m = Module()
        m.submodules.sound = sound = Lane(self._config, init=self._init)
        _connect(m, self, sound, "variants")
        m.d.comb += [sound.variants[i].eq(self.variants[1 - i]) for i in range(2)]
        return m


class ForgetfulActivity(Activity):
    """One row's drives are not counted."""

    def elaborate(self, platform):
        m = Module()
        m.submodules.sound = sound = Activity(self._config)
        _connect(m, self, sound, "u")
        m.d.comb += sound.u.eq(self.u & ~(1 << ROW))
        return m


def _connect(m, outer, inner, *apart):
    """All members but those ``apart``."""
    for name, member in outer.signature.members.items():
        pair = getattr(inner, name), getattr(outer, name)
        if name not in apart:
            m.d.comb += pair[0].eq(pair[1]) if member.flow is In else pair[1].eq(pair[0])


class LateArray(FlatArray):
    """A register too many on the output; it holds the stream's rules."""

    def elaborate(self, platform):
        m = super().elaborate(platform)
        out = self.top.o
        m.d.comb += out.ready.eq(~self.o_valid | self.o_ready)
        late = {name: Signal.like(getattr(self, name)) for name in ("o_data", "o_last")}
        valid = Signal()
        with m.If(out.ready):
            m.d.sync += [
                valid.eq(out.valid),
                late["o_data"].eq(out.p.data),
                late["o_last"].eq(out.p.last),
            ]
        m.d.comb += self.o_valid.eq(valid)
        m.d.comb += [getattr(self, name).eq(signal) for name, signal in late.items()]
        return m


class LeakyArray(FlatArray):
    """Results go on when nobody takes them."""

    def elaborate(self, platform):
        m = super().elaborate(platform)
        m.d.comb += self.top.o.ready.eq(1)
        return m


@contextlib.contextmanager
def _flipped_sign() -> Iterator[type[FlatArray]]:
    with mock.patch.object(hdl.array.read_path, "TernaryDot", FlippedDot):
        yield FlatArray


@contextlib.contextmanager
def _stuck_bit() -> Iterator[type[FlatArray]]:
    sound = hdl.array.synapse_array.SynapseArray._memory

    def memory(self, m, *others):
        bits, _ = sound(self, m, *others)
        stuck = Signal.like(bits)
        m.d.comb += stuck.eq(Mux(self._index == COLUMN, bits & ~(1 << ROW), bits))
        return stuck, stuck

    with mock.patch.object(hdl.array.synapse_array.SynapseArray, "_memory", memory):
        yield FlatArray


@contextlib.contextmanager
def _wrong_tap() -> Iterator[type[FlatArray]]:
    victim = int(lfsr.stream_states(0, 0, CONFIG.rows * CONFIG.cells)[ROW * CONFIG.cells])

    def make(*, draw_bits, init):
        return (WrongTap if init == victim else Lfsr)(draw_bits=draw_bits, init=init)

    with mock.patch.object(hdl.array.lane, "Lfsr", make):
        yield FlatArray


@contextlib.contextmanager
def _wrong_sign_backward() -> Iterator[type[FlatArray]]:
    rows = itertools.count()

    def make(**sizes):
        return (NegatedAccumulator if next(rows) == ROW else RowAccumulator)(**sizes)

    with mock.patch.object(hdl.array.read_path, "RowAccumulator", make):
        yield FlatArray


@contextlib.contextmanager
def _crossed_variants() -> Iterator[type[FlatArray]]:
    with mock.patch.object(hdl.array.write_path, "Lane", CrossedLane):
        yield FlatArray


@contextlib.contextmanager
def _lost_count() -> Iterator[type[FlatArray]]:
    with mock.patch.object(hdl.array.synapse_array, "Activity", ForgetfulActivity):
        yield FlatArray


@contextlib.contextmanager
def _late() -> Iterator[type[FlatArray]]:
    yield LateArray


@contextlib.contextmanager
def _leaky() -> Iterator[type[FlatArray]]:
    yield LeakyArray


FAULTS: dict[str, Callable[[], contextlib.AbstractContextManager[type[FlatArray]]]] = {
    "flipped sign": _flipped_sign,
    "stuck bit": _stuck_bit,
    "wrong tap": _wrong_tap,
    "wrong sign backward": _wrong_sign_backward,
    "crossed variants": _crossed_variants,
    "lost count": _lost_count,
    "a cycle late": _late,
    "lost words": _leaky,
}


def verilog(fault: str) -> str:
    """The array of ``CONFIG`` with a fault."""
    with FAULTS[fault]() as top:
        return component_verilog(top(CONFIG), TOP_NAME)

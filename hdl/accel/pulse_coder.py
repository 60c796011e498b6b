"""Pulse coder: turns a lane's sum of error times input into whole steps and a pulse code."""

from amaranth.hdl import Cat, Module, Mux, Signal, signed
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from golden.accel import arithmetic
from golden.accel.config import CHANGE_FRACTION, FRACTION, AcceleratorConfig
from golden.array.lfsr import STATE_BITS, TAPS
from hdl.accel.loops import lookup
from hdl.array.lane import pulse_layout
from hdl.lib.adders import adder_tree
from hdl.lib.delay import delayed

MEAN_BITS = FRACTION + 2
LATENCY = 7  # cycles from a lane's sum to its pulse


class PulseCoder(wiring.Component):
    """Turns a lane's sum into whole steps and a pulse code, one lane a cycle.

    Pipeline: 2 mean subtracted, 3 magnitude, 4 rate, 5 dead zone and limit, 6 steps and code, 7
    random rounding: the pulse. It never stalls.

    Parameters
    ----------
    config : AcceleratorConfig
    init : int
        State of the generator at power-up.

    Members
    -------
    valid : In(1)
        A lane enters.
    sum, bias : In
        The lane's sum, and the sum of its column's errors.
    mean : In
        Mean of the lane's input, two cycles after ``valid``.
    factor, shift, dead : In
        The change is |x| factor / 2^shift - dead.
    pulse : Out(pulse_layout); ready : Out(1)
        Seven cycles after ``valid``.
    size : Out; sized : Out(1)
        Magnitude of the sum without the part of the mean, four cycles after ``valid``.
    state : In(64); load : In(1)
        Sets the generator.
    generator : Out(64)

    References
    ----------
    Golden twin: ``golden.accel.arithmetic.split``.
    """

    def __init__(self, config: AcceleratorConfig, init: int):
        self._config = config
        bits = config.product_bits
        self._sum_bits = bits + FRACTION + 1
        super().__init__(
            {
                "valid": In(1),
                "sum": In(signed(bits)),
                "bias": In(signed(bits)),
                "mean": In(signed(MEAN_BITS)),
                "factor": In(9),
                "shift": In(6),
                "dead": In(24),
                "pulse": Out(pulse_layout(config.array)),
                "ready": Out(1),
                "size": Out(bits + 1),
                "sized": Out(1),
                "load": In(1),
                "state": In(STATE_BITS),
                "generator": Out(STATE_BITS, init=init),
            }
        )

    def elaborate(self, platform):
        m = Module()
        array, width = self._config.array, self._sum_bits
        one = 1 << CHANGE_FRACTION
        stages = [self.valid] + [delayed(m, self.valid, i + 1) for i in range(LATENCY)]

        # 2: the sum and its bias meet the lane's mean.
        own, bias = delayed(m, self.sum, 2), delayed(m, self.bias, 2)
        free = Signal(signed(width))
        m.d.sync += free.eq((own << FRACTION) - bias * self.mean)
        # 3: magnitude.
        size = Signal(width)
        negative = Signal()
        m.d.sync += [size.eq(Mux(free < 0, -free, free)), negative.eq(free < 0)]
        m.d.comb += [self.size.eq(size >> FRACTION), self.sized.eq(stages[4])]
        # 4: the change, 5: less the dead zone and cut.
        product = Signal(width + 9)
        m.d.sync += product.eq(size * self.factor)
        change = Signal(width + 9)
        most = array.max_kappa * one
        m.d.comb += change.eq(product >> self.shift)
        cut = Signal(range(most + 1))
        with m.If(change > self.dead):
            m.d.sync += cut.eq(Mux(change - self.dead > most, most, change - self.dead))
        with m.Else():
            m.d.sync += cut.eq(0)
        # 6: whole steps, and the two codes around the rest.
        values = arithmetic.levels(array).tolist()
        rest = cut[:CHANGE_FRACTION]
        code = Signal(array.code_bits)
        m.d.comb += code.eq(adder_tree([rest >= value for value in values[1:-1]]))
        over = Signal(CHANGE_FRACTION)
        gap = Signal(CHANGE_FRACTION + 1)
        gaps = [b - a for a, b in zip(values, [*values[1:], values[-1]], strict=True)]
        kappa = Signal(2)
        low = Signal(array.code_bits)
        m.d.sync += [
            kappa.eq(cut >> CHANGE_FRACTION),
            low.eq(code),
            over.eq(rest - lookup(code, values[:-1], CHANGE_FRACTION)),
            gap.eq(lookup(code, gaps[:-1], CHANGE_FRACTION + 1)),
        ]
        # 7: rounded at random.
        draw = self.generator[: array.draw_bits]
        up = (over << array.draw_bits) > draw * gap
        upward = ~delayed(m, negative, 3)
        m.d.comb += [
            self.ready.eq(stages[7]),
            self.pulse.code.eq(low + up),
            self.pulse.kappa.eq(kappa),
            self.pulse.up.eq(upward),
        ]
        new = self.generator[TAPS[0] : TAPS[0] + array.draw_bits]
        for tap in TAPS[1:]:
            new = new ^ self.generator[tap : tap + array.draw_bits]
        with m.If(self.load):
            m.d.sync += self.generator.eq(self.state)
        with m.Elif(stages[7]):
            m.d.sync += self.generator.eq(Cat(self.generator[array.draw_bits :], new))
        return m

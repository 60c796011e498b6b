"""Threshold unit of one tile: statistics, thresholds, comparators and score of a column."""

from amaranth.hdl import Cat, Module, Mux, Signal, signed
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from golden.accel.config import (
    AVERAGE_SHIFT,
    FRACTION,
    OFFSET_BITS,
    OFFSET_FRACTION,
    SCALE_SHIFT,
    SCORE_BITS,
    SCORE_FRACTION,
    THRESHOLD_BITS,
    TOTAL_BITS,
    WINDOW_BITS,
    AcceleratorConfig,
)
from hdl.accel.divider import Divider
from hdl.accel.layouts import instruction_layout, threshold_layout, total_layout
from hdl.accel.loops import clip
from hdl.lib.delay import delayed
from hdl.lib.lint import unused

FINE_BITS = TOTAL_BITS + FRACTION + 1
_THRESHOLD = signed(THRESHOLD_BITS)


class ThresholdUnit(wiring.Component):
    """Compares a column's totals with thresholds from its statistics.

    Pipeline of a position: cycle 0 address, 1 total, 2 differences, 3 comparisons and product, 4
    outputs. One position a cycle; it never stalls.

    Calculations 0 and 1 give the mean, 2 and 3 the mean absolute deviation, 4 to 7 the bounds, 7
    and 8 the learnt offset: each product is used one calculation later. The scale of a score layer
    is valid ``THRESHOLD_BITS`` cycles after calculation 8.

    Parameters
    ----------
    config : AcceleratorConfig

    Members
    -------
    instruction : In
    column_sum : In
        Sum of the column's totals.
    total : In
        Total of a position, a cycle after its address.
    measured : In(1)
        ``total`` counts for the mean absolute deviation.
    calculation : In(4); calculating : In(1)
        Number of the calculation: 0 to 8, one after the other.
    stored : In; new : Out
        The column's thresholds, before the batch and after.
    take_stored, take_new : In(1)
        Select the thresholds that are used from now on.
    nonzero, negative : Out(1); window : Out; score : Out
        Results of the position whose address came four cycles ago.

    References
    ----------
    Golden twin: ``golden.accel.arithmetic``.
    """

    def __init__(self, config: AcceleratorConfig):
        self._config = config
        super().__init__(
            {
                "instruction": In(instruction_layout()),
                "column_sum": In(signed(config.sum_bits)),
                "total": In(total_layout()),
                "measured": In(1),
                "calculation": In(4),
                "calculating": In(1),
                "stored": In(threshold_layout()),
                "new": Out(threshold_layout()),
                "take_stored": In(1),
                "take_new": In(1),
                "nonzero": Out(1),
                "negative": Out(1),
                "window": Out(WINDOW_BITS),
                "score": Out(signed(SCORE_BITS)),
            }
        )

    def elaborate(self, platform):
        m = Module()
        unused(m, self.instruction)
        self._mean = mean = Signal(_THRESHOLD, name="mean")
        self._spread = spread = Signal(THRESHOLD_BITS, name="spread")
        self._reach = reach = Signal(THRESHOLD_BITS, name="reach")
        self._inner = Signal(THRESHOLD_BITS + 8, name="inner")
        self._outer = Signal(THRESHOLD_BITS + 8, name="outer")
        self._deviations = Signal(
            THRESHOLD_BITS + self._config.positions.bit_length(), name="deviations"
        )
        self._calculate(m, mean, spread, reach, self._inner, self._outer, self._deviations)
        self._compare(m, *self._thresholds(m))
        return m

    def _thresholds(self, m):
        """New thresholds from the statistics, and those in use: upper, lower, sign turned."""
        step, stored, mean, reach = self.instruction, self.stored, self._mean, self._reach
        m.submodules.divider = divider = Divider(THRESHOLD_BITS)
        m.d.comb += [
            divider.start.eq(self.calculating & (self.calculation == 8)),
            divider.dividend.eq(step.scale),
            divider.divisor.eq(self._spread),
        ]
        first = Signal(_THRESHOLD)
        second = Signal(_THRESHOLD)
        m.d.comb += [
            first.eq(Mux(step.score, mean, mean + reach)),
            second.eq(Mux(step.score, divider.quotient, mean - reach)),
            self.new.eq(stored),
            self.new.upper.eq(stored.upper + ((first - stored.upper) >> AVERAGE_SHIFT)),
            self.new.lower.eq(stored.lower + ((second - stored.lower) >> AVERAGE_SHIFT)),
        ]
        upper = Signal(_THRESHOLD)
        lower = Signal(_THRESHOLD)
        turned = Signal()
        with m.If(self.take_stored):
            m.d.sync += [upper.eq(stored.upper), lower.eq(stored.lower), turned.eq(stored.turned)]
        with m.If(self.take_new):
            m.d.sync += [upper.eq(first), lower.eq(second), turned.eq(0)]
        return upper, lower, turned

    def _compare(self, m, upper, lower, turned):
        """Outputs of a position. Cycle 1: total; 2: differences; 3: value, window and product; 4:
        score."""
        step, deviations = self.instruction, self._deviations
        fine = Signal(signed(FINE_BITS))
        off_mean = Signal(signed(FINE_BITS + 1))
        far = Signal(FINE_BITS + 1)
        over = Signal(signed(FINE_BITS + 1))
        under = Signal(signed(FINE_BITS + 1))
        m.d.comb += fine.eq(self.total.total << FRACTION)
        m.d.sync += [off_mean.eq(fine - self._mean), over.eq(fine - upper), under.eq(fine - lower)]
        m.d.comb += far.eq(Mux(off_mean < 0, -off_mean, off_mean))
        with m.If(delayed(m, self.measured, 1)):
            m.d.sync += deviations.eq(deviations + far)
        minus = Signal()
        plus = Signal()
        near = Signal()
        m.d.sync += [
            minus.eq(under < 0),
            plus.eq(Mux(step.binary, under >= 0, over > 0)),
            near.eq((far >= self._inner) & (far <= self._outer)),
            self.nonzero.eq(plus | minus),
            self.negative.eq(Mux(turned, plus, minus)),
            self.window.eq(Cat(near, delayed(m, self.total.place, 2, "place"))),
        ]
        scaled = Signal(signed(FINE_BITS + 1 + THRESHOLD_BITS))
        m.d.sync += scaled.eq(over * lower)
        unused(m, scaled[:SCALE_SHIFT])
        offset = Signal(signed(SCORE_BITS + 1))
        top = (1 << (SCORE_BITS - 1)) - 1
        m.d.comb += offset.eq(
            step.offset + (self.stored.offset >> (OFFSET_FRACTION - SCORE_FRACTION))
        )
        m.d.sync += self.score.eq(clip((scaled >> SCALE_SHIFT) + offset, -top - 1, top))

    def _calculate(self, m, mean, spread, reach, inner, outer, deviations):
        """Calculations 0 to 8 on one multiplier. A product is valid a cycle later."""
        step, calculation, calculating = self.instruction, self.calculation, self.calculating
        width = max(self._config.sum_bits, len(deviations) + 1)
        operand = Signal(signed(width))
        factor = Signal(signed(OFFSET_BITS + 1))
        product = Signal(signed(width + OFFSET_BITS + 1))
        shift = Signal(7)
        shifted = Signal(signed(width + OFFSET_BITS + 1))
        coarse = Signal(7)
        m.d.comb += shifted.eq(product >> shift)
        m.d.sync += product.eq(operand * factor)
        m.d.comb += [coarse.eq(step.mean_shift + FRACTION), shift.eq(FRACTION)]
        with m.If(calculation == 0):
            m.d.comb += [operand.eq(self.column_sum), factor.eq(step.mean_factor)]
        with m.Elif(calculation == 1):
            m.d.comb += shift.eq(step.mean_shift)
            with m.If(calculating):
                m.d.sync += [mean.eq(shifted), deviations.eq(0)]
        with m.Elif(calculation == 2):
            m.d.comb += [operand.eq(deviations), factor.eq(step.mean_factor)]
        with m.Elif(calculation == 3):
            m.d.comb += shift.eq(coarse)
            m.d.sync += spread.eq(Mux(shifted.any(), shifted, 1))
        with m.Elif(calculation == 4):
            m.d.comb += [operand.eq(spread), factor.eq(step.bound)]
        with m.Elif(calculation == 5):
            m.d.comb += [operand.eq(spread), factor.eq(step.inner)]
            m.d.sync += reach.eq(shifted)
        with m.Elif(calculation == 6):
            m.d.comb += [operand.eq(spread), factor.eq(step.outer)]
            m.d.sync += inner.eq(shifted)
        with m.Elif(calculation == 7):
            m.d.comb += [operand.eq(spread), factor.eq(self.stored.offset)]
            with m.If(calculating):
                m.d.sync += outer.eq(shifted)
        with m.Else():
            m.d.comb += shift.eq(OFFSET_FRACTION)
            with m.If(calculating & ~step.score):
                m.d.sync += mean.eq(mean - shifted)

"""Errors at a layer's inputs: row sums of all tiles, scaled to eight bits."""

from amaranth.hdl import Cat, Module, Mux, Signal, signed
from amaranth.lib import data, wiring
from amaranth.lib.wiring import In, Out

from golden.accel.config import ERROR_LIMIT, MOST_PARTS, AcceleratorConfig
from hdl.lib.adders import adder_tree
from hdl.lib.delay import delayed

_BITS = ERROR_LIMIT.bit_length() + 1


class Requantise(wiring.Component):
    """x / 2^shift, halves to even, clipped to +-127.

    Latency: part 0 of the word comes 2 cycles after ``valid``, then one part a cycle.

    Ordering: words must come at least ``AcceleratorConfig.error_parts`` cycles apart;
    ``hdl.accel.issue.Issue`` ensures it. It never stalls.

    Parameters
    ----------
    config : AcceleratorConfig

    Members
    -------
    valid : In(1)
        ``errors`` hold the row sums of a word.
    shift : In(5)
    errors : In, one for each tile and row
    write : Out(1); part : Out(3); word : Out(8 times the lanes of a part)
        A part for the memory of errors.
    last : Out(1)
        With ``write``: the last part of the word.
    busy : Out(1)
        Parts are in the pipeline.

    References
    ----------
    Golden twin: ``golden.accel.arithmetic.requantise``.
    """

    def __init__(self, config: AcceleratorConfig):
        self._config = config
        rows = data.ArrayLayout(signed(config.array.back_bits), config.array.rows)
        super().__init__(
            {
                "valid": In(1),
                "shift": In(5),
                "errors": In(data.ArrayLayout(rows, config.tiles)),
                "write": Out(1),
                "part": Out(range(MOST_PARTS)),
                "word": Out(config.error_part * _BITS),
                "last": Out(1),
                "busy": Out(1),
            }
        )

    def elaborate(self, platform):
        m = Module()
        config = self._config
        rows, lanes, parts = config.array.rows, config.error_part, config.error_parts
        width = config.array.back_bits + config.tiles.bit_length()

        totals = [Signal(signed(width), name=f"total_{j}") for j in range(rows)]
        left = Signal(range(parts + 1))
        with m.If(self.valid):
            m.d.sync += left.eq(parts)
            m.d.sync += [
                t.eq(adder_tree([e[j] for e in self.errors])) for j, t in enumerate(totals)
            ]
        with m.Elif(left.any()):
            m.d.sync += left.eq(left - 1)
            m.d.sync += [t.eq(later) for t, later in zip(totals, totals[lanes:], strict=False)]
        m.d.sync += [self.write.eq(left.any()), self.last.eq(left == 1)]
        if parts > 1:
            m.d.sync += self.part.eq(Mux(delayed(m, self.valid, 1), 0, self.part + 1))
        m.d.comb += self.busy.eq(self.valid | left.any() | self.write)

        # To even: half of the last place less one is added, and the place itself. A shift by more
        # than the width leaves 0 as one by the width does.
        shift = Signal(range(width + 1))
        half = Signal(width)
        m.d.comb += [
            shift.eq(Mux(self.shift > width, width, self.shift)),
            half.eq(((1 << shift) >> 1) - shift.any()),
        ]
        scaled = []
        for j, total in enumerate(totals[:lanes]):
            odd = Signal(name=f"odd_{j}")
            near = Signal(signed(width + 1), name=f"near_{j}")
            down = Signal(signed(width + 1), name=f"down_{j}")
            m.d.comb += [
                odd.eq(Cat(total, total[-1]).bit_select(shift, 1) & shift.any()),
                near.eq(total + half + odd),
                down.eq(near >> shift),
            ]
            # Clipped by its bits, since comparing takes a chain of carries for each bound.
            low, high, negative = down[: _BITS - 1], down[_BITS - 1 : -1], down[-1]
            over = ~negative & high.any()
            under = negative & (~high.all() | ~low.any())
            limit = Mux(negative, -ERROR_LIMIT, ERROR_LIMIT)
            error = Signal(_BITS, name=f"error_{j}")
            m.d.sync += error.eq(Mux(over | under, limit, down))
            scaled.append(error)
        m.d.comb += self.word.eq(Cat(scaled))
        return m

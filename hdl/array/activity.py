"""Activity counters: events of the cells, for energy estimates."""

from amaranth.hdl import Cat, Const, Module, Mux, Signal, unsigned
from amaranth.lib import data, wiring
from amaranth.lib.memory import Memory
from amaranth.lib.wiring import In, Out

from golden.array.activity import COUNT_BITS, COUNTERS
from golden.array.frames import Op
from golden.codes import AP_TO_P, P_TO_AP
from golden.config import ArrayConfig
from golden.pulse.table import TICK_BITS
from hdl.array.lane import outcome_layout
from hdl.lib.adders import adder_tree, popcount

_COLUMN_COUNTERS = {
    Op.PROGRAM: "columns_programmed",
    Op.READ: "columns_read",
    Op.UPDATE: "columns_updated",
    Op.AGE: "columns_aged",
}
OPS = (*_COLUMN_COUNTERS, Op.FORWARD, Op.BACKWARD)


def ticks_layout() -> data.ArrayLayout:
    """Pulse lengths of one code: AP to P in the low bits, then P to AP."""
    return data.ArrayLayout(unsigned(TICK_BITS), 2)


class Activity(wiring.Component):
    """The activity counters and the pulse lengths that some of them add.

    Pipeline: cycle 0 the step, when its draws are compared; 1 and 2 sums; 3 the counters. The next
    command reads counters that include the step. It never stalls.

    Parameters
    ----------
    config : ArrayConfig

    Members
    -------
    active : In(1, for each of ``OPS``)
        This cycle has a step of that command.
    first : In(1)
        FORWARD, BACKWARD: the step is the first of a vector.
    u, d : In(rows), In(columns)
        Inputs, and errors, that are not zero.
    word : In(columns x cells x rows)
        The cells that are read.
    outcomes : In(outcome_layout, a row and direction)
        UPDATE: outcomes of this step.
    aged, switched : In
        AGE: ``switched`` is valid, and counted in the same cycle.
    load, index, ticks : In
        Write the pulse lengths ``ticks`` of code ``index`` in the same cycle.
    select : In
        Index into ``golden.array.activity.COUNTERS``.
    count : Out(64)
        The selected counter.

    References
    ----------
    Golden twin: ``golden.array.activity.Activity``.
    """

    def __init__(self, config: ArrayConfig):
        self._config = config
        rows, cells, columns = config.rows, config.cells, config.columns_per_cycle
        outcomes = data.ArrayLayout(data.ArrayLayout(outcome_layout(config), 2), rows)
        super().__init__(
            {
                "active": In(len(OPS)),
                "first": In(1),
                "u": In(rows),
                "d": In(columns),
                "word": In(columns * cells * rows),
                "outcomes": In(outcomes),
                "aged": In(1),
                "switched": In((rows * cells).bit_length()),
                "load": In(1),
                "index": In(config.code_bits),
                "ticks": In(ticks_layout()),
                "select": In(range(len(COUNTERS))),
                "count": Out(COUNT_BITS),
            }
        )

    def elaborate(self, platform):
        m = Module()
        # The step in the second stage, and in the third.
        before, due = Signal.like(self.active), Signal.like(self.active)
        m.d.sync += [before.eq(self.active), due.eq(before)]
        amounts = {name: (op, 1) for op, name in _COLUMN_COUNTERS.items()}
        amounts |= self._reads(m, before) | self._pulses(m, before)
        counters = []
        for name in COUNTERS:
            if name == "cells_aged":
                counts, amount = self.aged, self.switched
            else:
                op, amount = amounts[name]
                counts = due[OPS.index(op)]
            counter = Signal(COUNT_BITS, name=name)
            with m.If(counts):
                m.d.sync += counter.eq(counter + amount)
            counters.append(counter)
        with m.Switch(self.select):
            for i, counter in enumerate(counters):
                with m.Case(i):
                    m.d.comb += self.count.eq(counter)
        return m

    def _registered(self, m, stage, ops, value):
        """``value`` a cycle later, held while ``stage`` does not hold a step of ``ops``."""
        ops = (ops,) if isinstance(ops, Op) else ops
        register = Signal.like(value, reset_less=True)
        with m.If(Cat(stage[OPS.index(op)] for op in ops).any()):
            m.d.sync += register.eq(value)
        return register

    def _reads(self, m, before):
        """Amounts that FORWARD and BACKWARD add: counter -> command, amount."""
        config = self._config
        rows, columns, directions = config.rows, config.columns_per_cycle, (Op.FORWARD, Op.BACKWARD)
        forward = Signal()
        m.d.comb += forward.eq(self.active[OPS.index(Op.FORWARD)])
        # Driven synapses whose product is not 0; and driven ones with a further cell in P.
        products, further = [], []
        for i in range(columns):
            driven = Signal(rows, name=f"driven_{i}")
            m.d.comb += driven.eq(Mux(forward, self.u, self.d[i].replicate(rows)))
            column = self.word.word_select(i, rows * config.cells)
            if config.cells == 2:
                products.append(driven & (column[:rows] ^ column[rows:]))
                further.append(driven & column[:rows] & column[rows:])
            else:
                products.append(driven)
                further.append(driven & column)

        products, further, u, d, first = (
            self._registered(m, self.active, directions, value)
            for value in (Cat(products), Cat(further), self.u, self.d, self.first)
        )
        inputs, errors = popcount(m, u), popcount(m, d)
        synapses = Mux(
            before[OPS.index(Op.FORWARD)],
            Cat(Const(0, columns.bit_length() - 1), inputs),
            adder_tree([Mux(d[i], rows, 0) for i in range(columns)]),
        )
        products, further = popcount(m, products), popcount(m, further)
        in_p = products + 2 * further if config.cells == 2 else further
        shared = {
            "products": products,
            "cells_p": in_p,
            "cells_ap": (synapses * config.cells - in_p).as_unsigned(),
        }
        shared = {name: self._registered(m, before, directions, n) for name, n in shared.items()}
        drives = Mux(first, inputs, 0), errors
        starts = self._registered(m, before, Op.BACKWARD, first)
        conversions = columns, Mux(starts, rows, 0)
        amounts = {}
        for i, op in enumerate(directions):
            each = {"conversions": conversions[i], **shared}
            each["drives"] = self._registered(m, before, op, drives[i])
            amounts |= {f"{op.name.lower()}_{what}": (op, n) for what, n in each.items()}
        return amounts

    def _pulses(self, m, before):
        """Amounts that UPDATE adds: counter -> command, amount."""
        config = self._config
        outcomes = data.View(
            self.outcomes.shape(),
            self._registered(m, self.active, Op.UPDATE, self.outcomes.as_value()),
        )
        amounts = {}
        for direction, name in ((AP_TO_P, "p"), (P_TO_AP, "ap")):
            ticks = Memory(shape=unsigned(TICK_BITS), depth=config.codes, init=[])
            m.submodules[f"ticks_{name}"] = ticks
            write = ticks.write_port()
            m.d.comb += [
                write.en.eq(self.load),
                write.addr.eq(self.index),
                write.data.eq(self.ticks[direction]),
            ]
            lengths, planes = [], {"idle": [], "failed": [], "switched": []}
            for row in outcomes:
                outcome = row[direction]
                read = ticks.read_port(domain="comb")
                m.d.comb += read.addr.eq(outcome.code)
                lengths.append(read.data)
                pulse = outcome.code.any()
                planes["idle"].append(pulse & outcome.idle)
                planes["failed"].append(pulse & ~outcome.idle & ~outcome.switched)
                planes["switched"].append(outcome.switched)
            for what, plane in planes.items():
                values = {
                    "pulses": popcount(m, Cat(plane)),
                    "ticks": adder_tree(
                        [Mux(bit, t, 0) for bit, t in zip(plane, lengths, strict=True)]
                    ),
                }
                for kind, value in values.items():
                    register = self._registered(m, before, Op.UPDATE, value)
                    amounts[f"{kind}_{name}_{what}"] = Op.UPDATE, register
        return amounts

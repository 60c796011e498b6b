"""The behavioural synapse array: cell bits in a column-serial memory, one lane of logic per row.

Everything of the array proper (cells, reading, switching) is behind ``array_port``, so that a real
macro can take this component's place under the same controller.
"""

import functools
import itertools
import operator

from amaranth.hdl import Cat, Module, Mux, Signal, signed, unsigned
from amaranth.lib import data, wiring
from amaranth.lib.memory import Memory
from amaranth.lib.wiring import In, Out

from golden import lfsr, protocol
from golden.activity import COUNT_BITS
from golden.config import ArrayConfig
from golden.protocol import Cause, Op
from hdl.accumulator import RowAccumulator
from hdl.activity import OPS as COUNTED_OPS
from hdl.activity import Activity
from hdl.count import count_ones
from hdl.dot import TernaryDot
from hdl.lane import Lane, row_layout, threshold_layout

OP_BITS = protocol.HEADER["op"][1]
CAUSE_BITS = protocol.TRAILER["cause"][1]
LATENCY = 5
COUNTED = 8
VISIBLE = 7
_COUNT_CUTS = (4,)


def index_bits(config: ArrayConfig) -> int:
    """Width of a step index: a column, a table row, a leap of the generators, or a counter."""
    ends = protocol.steps(Op.SEED, config), protocol.steps(Op.COUNTERS, config)
    return (max(config.cols, protocol.table_rows(config), *ends) - 1).bit_length()


def array_port(config: ArrayConfig) -> wiring.Signature:
    """One step a cycle into the array, its result ``LATENCY`` cycles later.

    A column written by a step is seen by steps from ``VISIBLE`` cycles later on; the controller
    never issues one sooner, since it waits before a trailer.

    Members, seen from the controller
    ---------------------------------
    valid, op, index : Out
        A step of command ``op`` on column, table row, leap or counter ``index`` (FORWARD and
        BACKWARD: the first of ``columns_per_cycle`` columns).
    blind : Out(1)
        UPDATE: the rule; a binary array has but one, and no such member.
    first : Out(1)
        The step is the first of its frame (FORWARD: of a vector).
    last : Out(1)
        BACKWARD: a vector ends with the step, or is broken off where there is none.
    operand : Out
        Data word of the step issued a cycle ago.
    sums : In
        FORWARD: the column sums.
    errors : In
        BACKWARD: the row sums of the vector that ended.
    word : In
        READ: the column's bits, plane by plane; GENERATORS: the lowest bits of the draws, likewise;
        COUNTERS: the count.
    switched : In
        UPDATE, AGE: number of cells that switched, ``COUNTED`` cycles after; 0 for other steps.
    fault : In
        ``Cause`` found in the operand.
    """
    rows, columns = config.rows, config.columns_per_cycle
    return wiring.Signature(
        {
            "valid": Out(1),
            "op": Out(OP_BITS),
            "index": Out(index_bits(config)),
            "first": Out(1),
            "last": Out(1),
            "operand": Out(protocol.operand_bits(config)),
            "sums": In(data.ArrayLayout(signed(config.sum_bits), columns)),
            "errors": In(data.ArrayLayout(signed(config.back_bits), rows)),
            "word": In(max(rows * config.cells, COUNT_BITS)),
            "switched": In((rows * config.cells).bit_length()),
            "fault": In(CAUSE_BITS),
        }
        | ({"blind": Out(1)} if config.cells == 2 else {})
    )


class Step(data.Struct):
    """What the stages after the first know of a step; ``ops`` has a bit for each command, none if
    there is no step."""

    ops: len(Op)
    first: 1
    last: 1
    blind: 1


class SynapseArray(wiring.Component):
    """Behavioural array of ``config.rows`` lanes.

    A step goes through stages, one a cycle: 1, memories are read and the operand comes; 2, both are
    registered, and everything but UPDATE and AGE is decided; 3, the table's rows are known; 4,
    thresholds are read; 5, results are out, and draws are compared; 6, cells are written back; the
    count of those that switched takes two more.

    Parameters
    ----------
    config : ArrayConfig
    init : sequence of int
        First words of the cell memory at power-up; the rest are 0, all cells in AP.

    Members
    -------
    port : In(array_port)

    References
    ----------
    Golden twin: ``golden.array.GoldenArray``.
    """

    def __init__(self, config: ArrayConfig, init=()):
        self._config, self._init = config, list(init)
        super().__init__({"port": In(array_port(config))})

    def elaborate(self, platform):
        m = Module()
        port, config = self.port, self._config
        cells = config.rows * config.cells
        steps, index, operand = self._stages(m)

        def active(which: Op, stage: int = 2):
            """Whether a stage holds a step of this command."""
            return steps[stage].ops[which]

        fault = Signal.like(port.fault)
        flips = Signal(cells)
        columns = [Signal.like(port.word, name=f"column_{stage}") for stage in (2, 3, 4, 5, 6)]
        m.d.sync += [late.eq(early) for early, late in itertools.pairwise(columns)]
        variants = self._variants(m, index, operand, active)
        written = columns[-1][:cells] ^ flips
        bits, word = self._memory(m, index, operand, variants, written, active)
        self._read(m, steps, operand, word, active, fault)
        lengths, load = self._table(m, index, operand, active, fault)
        lanes = self._lanes(m, steps, index, operand, bits, variants, load, active)
        kappas = Cat(lane.pulse.kappa > config.max_kappa for lane in lanes)
        with m.If(active(Op.UPDATE) & kappas.any()):
            m.d.comb += fault.eq(Cause.VALUE)

        m.d.comb += columns[0].eq(bits)
        lows = Cat(lane.low[i] for i in range(config.cells) for lane in lanes)
        with m.If(active(Op.GENERATORS)):
            m.d.comb += columns[0].eq(lows)
        switching = Cat(lane.flips[i] for i in range(config.cells) for lane in lanes)
        if config.counters:
            pulses = lengths, load & ~index[config.code_bits :].any()
            count = self._activity(m, steps, index, operand, word, lanes, pulses, active)
            with m.If(active(Op.COUNTERS)):
                m.d.comb += columns[0].eq(count)
        m.d.sync += flips.eq(0)
        with m.If(active(Op.UPDATE, 5) | active(Op.AGE, 5)):
            m.d.sync += flips.eq(switching)
        switched = count_ones(
            m, flips, cuts=_COUNT_CUTS, register=lambda value: self._later(m, value, 1, reset=True)
        )
        m.d.comb += [
            port.word.eq(columns[-2]),
            port.switched.eq(self._later(m, switched, 1, reset=True)),
            port.fault.eq(self._later(m, fault, 3, reset=True)),
        ]
        return m

    def _later(self, m, value, cycles, *, reset=False):
        """``value`` some cycles later; with a ``reset`` only where something comes of it by itself,
        without a step."""
        for _ in range(cycles):
            register = Signal(len(value), name=f"{getattr(value, 'name', 'value')}_later",
                              reset_less=not reset)  # fmt: skip
            m.d.sync += register.eq(value)
            value = register
        return value

    def _stages(self, m):
        """The steps by stage, 2 to 6, and stage 2's index and operand."""
        port = self.port
        # Stage 1: the step whose column the memory has just read.
        valid = Signal()
        op = Signal.like(port.op)
        first = Signal()
        last = Signal()
        blind = Signal()
        early = Signal.like(port.index)
        index = Signal.like(port.index)
        operand = Signal.like(port.operand, reset_less=True)
        m.d.sync += [
            valid.eq(port.valid),
            op.eq(port.op),
            early.eq(port.index),
            first.eq(port.first),
            last.eq(port.last),
            index.eq(early),
            # The operand of ageing is a pulse of nothing: lanes count on it.
            operand.eq(Mux(op == Op.AGE, 0, port.operand)),
        ]
        if self._config.cells == 2:
            m.d.sync += blind.eq(port.blind)
        step = Signal(Step)
        m.d.comb += [
            step.ops.eq(Cat(valid & (op == which) for which in Op)),
            step.first.eq(first),
            step.last.eq(last),
            step.blind.eq(blind),
        ]
        self._starting = step.ops[Op.SEED] & first
        steps = {}
        for stage in (2, 3, 4, 5, 6):
            held = Signal(Step, name=f"step_{stage}")
            m.d.sync += held.eq(step)
            steps[stage] = step = held
        return steps, index, operand

    def _memory(self, m, index, operand, variants, written, active):
        """Cell memory, ``written`` back in stage 6. Returns stage 2's column, and the memory word
        that holds it."""
        port, config = self.port, self._config
        per_word = config.columns_per_cycle
        width = config.rows * config.cells
        shift = per_word.bit_length() - 1
        m.submodules.cells = memory = Memory(
            shape=unsigned(width * per_word), depth=config.cols // per_word, init=self._init
        )
        read, write = memory.read_port(domain="comb"), memory.write_port(granularity=width)
        found = Signal(width * per_word, reset_less=True)
        m.d.comb += read.addr.eq(port.index[shift:])
        # No step reads what is being written; told so that synthesis need not care.
        clash = write.en.any() & (write.addr == read.addr)
        with m.If(port.valid & ~clash):
            m.d.sync += found.eq(read.data)
        word = selected = self._later(m, found, 1)
        for i in reversed(range(shift)):
            half = len(selected) // 2
            chosen = Signal(half, name=f"chosen_{i}")
            m.d.comb += chosen.eq(Mux(index[i], selected[half:], selected[:half]))
            selected = chosen
        bits = Signal(width)
        m.d.comb += bits.eq(selected)

        # PROGRAM writes in stage 2, UPDATE and AGE in stage 6; never at once, see ``array_port``.
        programmed = operand[:width]
        if variants:
            stuck = functools.reduce(operator.and_, variants)
            programmed = (programmed & ~stuck) | (bits & stuck)
        programming = active(Op.PROGRAM)
        place = Signal((config.cols - 1).bit_length())
        new = Signal(width)
        m.d.comb += [
            place.eq(Mux(programming, index, self._later(m, index, 4))),
            new.eq(Mux(programming, programmed, written)),
            write.addr.eq(place[shift:]),
            write.data.eq(Cat(new for _ in range(per_word))),
        ]
        with m.If(programming | active(Op.UPDATE, 6) | active(Op.AGE, 6)):
            m.d.comb += write.en.eq((1 << place[:shift]) if shift else 1)
        return bits, word

    def _read(self, m, steps, operand, word, active, fault):
        """Column converters and row accumulators."""
        port, config = self.port, self._config
        rows, cells = config.rows, config.cells
        u_nonzero, u_negative = operand[:rows], operand[rows : 2 * rows]
        with m.If(active(Op.FORWARD) & (u_negative & ~u_nonzero).any()):
            m.d.comb += fault.eq(Cause.TRIT)

        def planes(word, stage):
            """Which weights of each column of a memory word are not zero, which negative."""
            nonzero, negative = [], []
            for i in range(config.columns_per_cycle):
                column = word[i * rows * cells : (i + 1) * rows * cells]
                nonzero.append(Signal(rows, name=f"nonzero_{stage}_{i}"))
                negative.append(Signal(rows, name=f"negative_{stage}_{i}"))
                if cells == 2:
                    m.d.comb += [
                        nonzero[i].eq(column[:rows] ^ column[rows:]),
                        negative[i].eq(column[rows:]),
                    ]
                else:
                    m.d.comb += [nonzero[i].eq(~0), negative[i].eq(~column)]
            return nonzero, negative

        nonzero, negative = planes(word, 2)
        for i in range(config.columns_per_cycle):
            m.submodules[f"dot_{i}"] = dot = TernaryDot(length=rows)
            m.d.comb += [
                dot.w_nonzero.eq(nonzero[i]),
                dot.w_negative.eq(negative[i]),
                dot.u_nonzero.eq(u_nonzero),
                dot.u_negative.eq(u_negative),
                port.sums[i].eq(dot.sum),
            ]

        # The accumulators are a cycle faster than the converters.
        nonzero, negative = planes(self._later(m, word, 1), 3)
        width = config.error_bits * config.columns_per_cycle
        d = data.View(
            data.ArrayLayout(signed(config.error_bits), config.columns_per_cycle),
            self._later(m, operand[:width], 1),
        )
        for j in range(rows):
            m.submodules[f"accumulator_{j}"] = accumulator = RowAccumulator(
                columns=config.columns_per_cycle,
                error_bits=config.error_bits,
                sum_bits=config.back_bits,
            )
            m.d.comb += [
                accumulator.add.eq(active(Op.BACKWARD, 3)),
                accumulator.last.eq(steps[3].last),
                accumulator.nonzero.eq(Cat(plane[j] for plane in nonzero)),
                accumulator.negative.eq(Cat(plane[j] for plane in negative)),
                accumulator.d.eq(d),
                port.errors[j].eq(accumulator.sum),
            ]

    def _variants(self, m, index, operand, active):
        """Memory of variant indices. Returns their bits in stage 2's column, a plane each."""
        port, config = self.port, self._config
        if not config.variant_bits:
            return []
        size = config.rows * config.cells
        m.submodules.variants = memory = Memory(
            shape=unsigned(size * config.variant_bits), depth=config.cols, init=[]
        )
        read, write = memory.read_port(), memory.write_port()
        m.d.comb += [
            read.en.eq(port.valid),
            read.addr.eq(port.index),
            write.en.eq(active(Op.VARIANTS)),
            write.addr.eq(index),
            write.data.eq(operand),
        ]
        held = self._later(m, read.data, 1)
        return [held[i * size : (i + 1) * size] for i in range(config.variant_bits)]

    def _table(self, m, index, operand, active, fault):
        """Looks at rows of the table. Returns its pulse lengths, and whether a row is to be
        written."""
        config, layout = self._config, threshold_layout(self._config)
        loaded = data.View(layout, operand[: layout.size])
        ticks = operand[layout.size : protocol.table_bits(config)]
        ageing = index[config.code_bits + config.variant_bits]
        bad_row = Cat(loaded[i] > 1 << config.draw_bits for i in range(2)).any() | (
            ~ageing & ~index[: config.code_bits].any() & Cat(loaded, ticks).any()
        )
        with m.If(active(Op.LOAD_TABLE) & bad_row):
            m.d.comb += fault.eq(Cause.VALUE)
        return ticks, active(Op.LOAD_TABLE) & ~bad_row

    def _lanes(self, m, steps, index, operand, bits, variants, load, active):
        """The lanes."""
        port, config = self.port, self._config
        rows, cells = config.rows, config.cells
        states = lfsr.stream_states(0, 0, protocol.generators(config)).reshape(rows, cells)
        row = Signal(row_layout(config))
        with m.If(index[config.code_bits + config.variant_bits]):
            m.d.comb += [row.age.eq(1), row.state.eq(index[0]), row.variant.eq(index[1:])]
        with m.Else():
            m.d.comb += [row.code.eq(index), row.variant.eq(index[config.code_bits :])]
        # A cycle after its row has been looked at.
        writing = self._later(m, load, 1, reset=True)
        written = self._later(m, row.as_value(), 1)
        thresholds = self._later(m, operand[: threshold_layout(config).size], 1)
        lanes = []
        for j in range(rows):
            m.submodules[f"lane_{j}"] = lane = Lane(config, init=tuple(states[j].tolist()))
            m.d.comb += [
                lane.age.eq(active(Op.AGE)),
                lane.bits.eq(Cat(bits[j + i * rows] for i in range(cells))),
                lane.pulse.eq(operand.word_select(j, protocol.pulse_bits(config))),
                lane.draw.eq(active(Op.UPDATE, 5) | active(Op.AGE, 5)),
                lane.load.eq(writing),
                lane.row.eq(written),
                lane.thresholds.eq(thresholds),
                lane.restart.eq(self._starting),
                lane.advance.eq(active(Op.SEED) | active(Op.GENERATORS)),
                lane.inject.eq(Cat(
                    operand[j + i * rows] & active(Op.SEED) for i in range(cells)
                )),
            ]  # fmt: skip
            if cells == 2:
                m.d.comb += lane.blind.eq(steps[2].blind)
            for i in range(cells) if variants else ():
                m.d.comb += lane.variants[i].eq(Cat(plane[j + i * rows] for plane in variants))
            lanes.append(lane)
        return lanes

    def _activity(self, m, steps, index, operand, word, lanes, pulses, active):
        """The counters. Returns the one that the step asks for."""
        port, config, (lengths, load) = self.port, self._config, pulses
        m.submodules.activity = activity = Activity(config)
        errors = [operand.word_select(i, config.error_bits) for i in range(len(activity.d))]
        nonzero = Signal(len(errors))
        m.d.comb += nonzero.eq(Cat(d.any() for d in errors))
        m.d.comb += [
            activity.active.eq(Cat(active(op, 5) for op in COUNTED_OPS)),
            activity.first.eq(steps[5].first),
            activity.u.eq(self._later(m, operand[: config.rows], 3)),
            activity.d.eq(self._later(m, nonzero, 3)),
            activity.word.eq(self._later(m, word, 3)),
            activity.aged.eq(self._later(m, active(Op.AGE, 6), 2, reset=True)),
            activity.switched.eq(port.switched),
            activity.load.eq(load),
            activity.index.eq(index),
            activity.ticks.eq(lengths),
            activity.select.eq(index),
        ]
        for outcomes, lane in zip(activity.outcomes, lanes, strict=True):
            m.d.comb += outcomes.eq(lane.outcomes)
        return activity.count

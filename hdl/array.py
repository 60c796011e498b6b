"""The behavioural synapse array: cell bits in a column-serial memory, one lane of logic per row.

Everything of the array proper (cells, reading, switching) is behind ``array_port``, so that a real
macro can take this component's place under the same controller.
"""

import functools
import operator

from amaranth.hdl import Cat, Const, Module, Mux, Signal, signed, unsigned
from amaranth.lib import data, wiring
from amaranth.lib.memory import Memory
from amaranth.lib.wiring import In, Out

from golden import lfsr, protocol
from golden.activity import COUNT_BITS
from golden.config import ArrayConfig
from golden.protocol import Cause, Op
from golden.ptable import AP_TO_P, P_TO_AP
from hdl.accumulator import RowAccumulator
from hdl.activity import OPS as COUNTED_OPS
from hdl.activity import Activity
from hdl.count import count_ones
from hdl.dot import TernaryDot
from hdl.lane import Lane, threshold_layout

OP_BITS = protocol.HEADER["op"][1]
CAUSE_BITS = protocol.TRAILER["cause"][1]


def index_bits(config: ArrayConfig) -> int:
    """Width of a step index: a column, a table row, a word of the chain, or a counter."""
    ends = protocol.steps(Op.SEED, config), protocol.steps(Op.COUNTERS, config)
    return (max(config.cols, protocol.table_rows(config), *ends) - 1).bit_length()


def array_port(config: ArrayConfig) -> wiring.Signature:
    """One step a cycle into the array, its result two cycles later.

    A column written by a step is seen by steps from three cycles later on; the controller never
    issues one sooner (a trailer and a header lie between).

    Members, seen from the controller
    ---------------------------------
    en : Out(1)
        The pipeline moves; while low nothing in the array changes.
    valid, op, index : Out
        A step of command ``op`` on column, table row, chain word or counter ``index`` (FORWARD and
        BACKWARD: the first of ``columns_per_cycle`` columns).
    blind : Out(1)
        UPDATE: the rule; a binary array has but one, and no such member.
    first : Out(1)
        BACKWARD: the sums start from zero.
    operand : Out
        Data word of the step issued a cycle ago.
    sums : In
        FORWARD: the column sums, two cycles after the step.
    errors : In
        BACKWARD: the row sums up to and with the step two cycles ago.
    word : In
        READ: the column's bits, plane by plane; GENERATORS: the chain's word; COUNTERS: the count;
        two cycles after.
    switched : In
        UPDATE, AGE: number of cells that switched, two cycles after; 0 for other steps.
    fault : In
        ``Cause`` found in the operand, two cycles after the step.
    """
    rows, columns = config.rows, config.columns_per_cycle
    return wiring.Signature(
        {
            "en": Out(1),
            "valid": Out(1),
            "op": Out(OP_BITS),
            "index": Out(index_bits(config)),
            "first": Out(1),
            "operand": Out(protocol.operand_bits(config)),
            "sums": In(data.ArrayLayout(signed(config.sum_bits), columns)),
            "errors": In(data.ArrayLayout(signed(config.back_bits), rows)),
            "word": In(max(rows * config.cells, config.draw_bits, COUNT_BITS)),
            "switched": In((rows * config.cells).bit_length()),
            "fault": In(CAUSE_BITS),
        }
        | ({"blind": Out(1)} if config.cells == 2 else {})
    )


class SynapseArray(wiring.Component):
    """Behavioural array of ``config.rows`` lanes.

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
        port = self.port

        # Stage 1: the step whose column the memory has just read.
        valid = Signal()
        op = Signal.like(port.op)
        index = Signal.like(port.index)
        first = Signal()
        blind = Signal()
        fault = Signal.like(port.fault)
        with m.If(port.en):
            m.d.sync += [
                port.fault.eq(fault),
                valid.eq(port.valid),
                op.eq(port.op),
                index.eq(port.index),
                first.eq(port.first),
            ]
            if self._config.cells == 2:
                m.d.sync += blind.eq(port.blind)

        # Whether stage 1 holds a step of this command. The stall joins only where registers load:
        # nothing but them may depend on ``o.ready`` in the same cycle.
        def active(which: Op):
            return valid & (op == which)

        # Stage 2: results, and what is written back.
        column = Signal.like(port.word)
        flips = Signal(self._config.rows * self._config.cells)
        operand = port.operand
        bits, word = self._memory(m, index, operand, column, flips, active)
        variants = self._variants(m, index, operand, active)
        self._read(m, first, operand, word, active, fault)
        tables, ticks = self._table(m, index, operand, active, fault)
        lanes = self._lanes(m, blind, operand, bits, variants, tables, active)
        kappas = Cat(lane.pulse.kappa > self._config.max_kappa for lane in lanes)
        with m.If(active(Op.UPDATE) & kappas.any()):
            m.d.comb += fault.eq(Cause.VALUE)
        draw = self._chain(m, op, index, operand, lanes, active, fault)
        count = Const(0)
        if self._config.counters:
            count = self._activity(m, index, first, operand, word, lanes, ticks, active)
        switching = Cat(lane.flips[i] for i in range(self._config.cells) for lane in lanes)
        written = operand
        if variants:
            stuck = functools.reduce(operator.and_, variants)
            written = (operand[: len(bits)] & ~stuck) | (bits & stuck)
        with m.If(port.en):
            m.d.sync += flips.eq(0)
            with m.If(active(Op.UPDATE) | active(Op.AGE)):
                m.d.sync += flips.eq(switching)
            with m.If(op == Op.PROGRAM):
                m.d.sync += column.eq(written)
            with m.Elif(op == Op.GENERATORS):
                m.d.sync += column.eq(draw)
            with m.Elif(op == Op.COUNTERS):
                m.d.sync += column.eq(count)
            with m.Else():
                m.d.sync += column.eq(bits)
        m.d.comb += [port.word.eq(column), port.switched.eq(count_ones(m, flips))]
        return m

    def _memory(self, m, index, operand, column, flips, active):
        """Cell memory. Returns stage 1's column and the memory word that holds it."""
        port, config = self.port, self._config
        per_word = config.columns_per_cycle
        width = config.rows * config.cells
        shift = per_word.bit_length() - 1
        m.submodules.cells = memory = Memory(
            shape=unsigned(width * per_word), depth=config.cols // per_word, init=self._init
        )
        read = memory.read_port()
        m.d.comb += [read.en.eq(port.en & port.valid), read.addr.eq(port.index[shift:])]
        selected = read.data
        for i in reversed(range(shift)):
            half = len(selected) // 2
            chosen = Signal(half, name=f"chosen_{i}")
            m.d.comb += chosen.eq(Mux(index[i], selected[half:], selected[:half]))
            selected = chosen
        bits = Signal(width)
        m.d.comb += bits.eq(selected)

        write = memory.write_port(granularity=width)
        writing = Signal()
        place = Signal((config.cols - 1).bit_length())
        with m.If(port.en):
            m.d.sync += [
                writing.eq(active(Op.PROGRAM) | active(Op.UPDATE) | active(Op.AGE)),
                place.eq(index),
            ]
        m.d.comb += [
            write.addr.eq(place[shift:]),
            write.data.eq(Cat(column[:width] ^ flips for _ in range(per_word))),
        ]
        with m.If(port.en & writing):
            m.d.comb += write.en.eq((1 << place[:shift]) if shift else 1)
        return bits, read.data

    def _read(self, m, first, operand, word, active, fault):
        """Column converters and row accumulators."""
        port, config = self.port, self._config
        rows, cells = config.rows, config.cells
        u_nonzero, u_negative = operand[:rows], operand[rows : 2 * rows]
        with m.If(active(Op.FORWARD) & (u_negative & ~u_nonzero).any()):
            m.d.comb += fault.eq(Cause.TRIT)

        nonzero = [Signal(rows, name=f"nonzero_{i}") for i in range(config.columns_per_cycle)]
        negative = [Signal(rows, name=f"negative_{i}") for i in range(config.columns_per_cycle)]
        for i in range(config.columns_per_cycle):
            column = word[i * rows * cells : (i + 1) * rows * cells]
            if cells == 2:
                m.d.comb += [
                    nonzero[i].eq(column[:rows] ^ column[rows:]),
                    negative[i].eq(column[rows:]),
                ]
            else:
                m.d.comb += [nonzero[i].eq(~0), negative[i].eq(~column)]

        for i in range(config.columns_per_cycle):
            m.submodules[f"dot_{i}"] = dot = TernaryDot(length=rows)
            m.d.comb += [
                dot.en.eq(port.en & active(Op.FORWARD)),
                dot.w_nonzero.eq(nonzero[i]),
                dot.w_negative.eq(negative[i]),
                dot.u_nonzero.eq(u_nonzero),
                dot.u_negative.eq(u_negative),
                port.sums[i].eq(dot.sum),
            ]

        d = data.View(
            data.ArrayLayout(signed(config.error_bits), config.columns_per_cycle),
            operand[: config.error_bits * config.columns_per_cycle],
        )
        for j in range(rows):
            m.submodules[f"accumulator_{j}"] = accumulator = RowAccumulator(
                columns=config.columns_per_cycle,
                error_bits=config.error_bits,
                sum_bits=config.back_bits,
            )
            m.d.comb += [
                accumulator.en.eq(port.en & active(Op.BACKWARD)),
                accumulator.first.eq(first),
                accumulator.nonzero.eq(Cat(plane[j] for plane in nonzero)),
                accumulator.negative.eq(Cat(plane[j] for plane in negative)),
                accumulator.d.eq(d),
                port.errors[j].eq(accumulator.sum),
            ]

    def _variants(self, m, index, operand, active):
        """Memory of variant indices. Returns their bits in stage 1's column, a plane each."""
        port, config = self.port, self._config
        if not config.variant_bits:
            return []
        planes = data.ArrayLayout(config.rows * config.cells, config.variant_bits)
        m.submodules.variants = memory = Memory(shape=planes, depth=config.cols, init=[])
        read, write = memory.read_port(), memory.write_port()
        m.d.comb += [
            read.en.eq(port.en & port.valid),
            read.addr.eq(port.index),
            write.en.eq(port.en & active(Op.VARIANTS)),
            write.addr.eq(index),
            write.data.eq(operand),
        ]
        return list(read.data)

    def _table(self, m, index, operand, active, fault):
        """Memories of thresholds, for pulses and for ageing, by direction. Returns them, and the
        pulse lengths that are loaded with whether they are variant 0's."""
        port, config = self.port, self._config
        layout = threshold_layout(config)
        codes, rows = config.code_bits, config.code_bits + config.variant_bits
        loaded = data.View(layout, operand[: layout.size])
        ticks = operand[layout.size : protocol.table_bits(config)]
        ageing = index[rows]
        bad_row = Cat(loaded[i] > 1 << config.draw_bits for i in range(2)).any() | (
            ~ageing & ~index[:codes].any() & Cat(loaded, ticks).any()
        )
        with m.If(active(Op.LOAD_TABLE) & bad_row):
            m.d.comb += fault.eq(Cause.VALUE)
        sound = active(Op.LOAD_TABLE) & ~bad_row
        tables = {"pulse": [], "ageing": []}
        # By direction, since most readers want but one; a memory of one row would have no address.
        for direction in range(2):
            for name, depth, chosen in (
                ("pulse", 1 << rows, ~ageing),
                ("ageing", max(2, config.variants), ageing),
            ):
                memory = Memory(shape=unsigned(config.draw_bits + 1), depth=depth, init=[])
                m.submodules[f"{name}_{direction}"] = memory
                write = memory.write_port()
                m.d.comb += [
                    write.en.eq(port.en & sound & chosen),
                    write.addr.eq(index),
                    write.data.eq(loaded[direction]),
                ]
                tables[name].append(memory)
        return tables, (ticks, sound & ~index[codes:].any())

    def _lanes(self, m, blind, operand, bits, variants, tables, active):
        """The lanes, wired but for their chain."""
        port, config = self.port, self._config
        rows, cells = config.rows, config.cells
        states = lfsr.stream_states(0, 0, protocol.generators(config)).reshape(rows, cells)
        lanes, ageing = [], None
        for j in range(rows):
            m.submodules[f"lane_{j}"] = lane = Lane(config, init=tuple(states[j].tolist()))
            m.d.comb += [
                lane.en.eq(port.en),
                lane.update.eq(active(Op.UPDATE) | active(Op.AGE)),
                lane.age.eq(active(Op.AGE)),
                lane.bits.eq(Cat(bits[j + i * rows] for i in range(cells))),
                lane.pulse.eq(operand.word_select(j, protocol.pulse_bits(config))),
            ]
            if cells == 2:
                m.d.comb += lane.blind.eq(blind)
            own = [Cat(plane[j + i * rows] for plane in variants) for i in range(cells)]
            for direction, memory in enumerate(tables["pulse"]):
                i = direction if cells == 2 else 0
                driven = Signal(config.variant_bits, name=f"variant_{j}_{direction}")
                m.d.comb += driven.eq(
                    Mux(lane.pulse.up, own[i], own[1 - i]) if cells == 2 else own[i]
                )
                read = memory.read_port(domain="comb")
                m.d.comb += [
                    read.addr.eq(Cat(lane.codes[i], driven)),
                    lane.thresholds[direction].eq(read.data),
                ]
            for i in range(cells):
                if variants or not lanes:
                    ageing = [memory.read_port(domain="comb") for memory in tables["ageing"]]
                # A cell in AP can only go to P, and the reverse.
                leave = Mux(lane.bits[i], ageing[P_TO_AP].data, ageing[AP_TO_P].data)
                m.d.comb += lane.ageing[i].eq(leave)
                if variants:
                    places = lane.variants[i], *(read.addr for read in ageing)
                    m.d.comb += [place.eq(own[i]) for place in places]
            lanes.append(lane)
        return lanes

    def _chain(self, m, op, index, operand, lanes, active, fault):
        """The generators' chain through all lanes. Returns the word that leaves it."""
        port, config = self.port, self._config
        # A generator's state enters as 64 / K words; all zero it would never leave zero.
        phase = index[: (lfsr.STATE_BITS // config.draw_bits).bit_length() - 1]
        incoming = operand[: config.draw_bits]
        zero_before = Signal()
        zero = Signal()
        repaired = Signal()
        m.d.comb += [
            zero.eq(((phase == 0) | zero_before) & ~incoming.any()),
            repaired.eq(phase.all() & zero),
        ]
        with m.If(active(Op.SEED)):
            with m.If(port.en):
                m.d.sync += zero_before.eq(zero)
            with m.If(repaired):
                m.d.comb += fault.eq(Cause.VALUE)

        link = chain = Signal(config.draw_bits)
        for lane in lanes:
            m.d.comb += [
                lane.shift.eq(active(Op.SEED) | active(Op.GENERATORS)),
                lane.chain_in.eq(link),
            ]
            link = lane.chain_out
        sealed = Cat(incoming[:-1], incoming[-1] | repaired)
        m.d.comb += chain.eq(Mux(op == Op.SEED, sealed, link))
        return link

    def _activity(self, m, index, first, operand, word, lanes, ticks, active):
        """The counters. Returns the one that the step asks for."""
        port, config, (lengths, load) = self.port, self._config, ticks
        m.submodules.activity = activity = Activity(config)
        errors = [operand.word_select(i, config.error_bits) for i in range(len(activity.d))]
        m.d.comb += [
            activity.en.eq(port.en),
            activity.active.eq(Cat(active(op) for op in COUNTED_OPS)),
            activity.first.eq(first),
            activity.u.eq(operand[: config.rows]),
            activity.d.eq(Cat(d.any() for d in errors)),
            activity.word.eq(word),
            activity.switched.eq(port.switched),
            activity.load.eq(load),
            activity.index.eq(index),
            activity.ticks.eq(lengths),
            activity.select.eq(index),
        ]
        for outcomes, lane in zip(activity.outcomes, lanes, strict=True):
            m.d.comb += outcomes.eq(lane.outcomes)
        return activity.count

"""The behavioural synapse array: cell bits in a column-serial memory, one lane of logic per row.

Everything of the array proper (cells, reading, switching) is behind ``hdl.port``, so that a real
macro can take this component's place under the same controller.
"""

import functools
import itertools
import operator

from amaranth.hdl import Cat, Module, Mux, Signal, unsigned
from amaranth.lib import data, wiring
from amaranth.lib.memory import Memory
from amaranth.lib.wiring import In

from golden import protocol
from golden.config import ArrayConfig
from golden.protocol import Cause, Op
from hdl.activity import OPS as COUNTED_OPS
from hdl.activity import Activity
from hdl.count import count_ones
from hdl.delay import delayed
from hdl.lane import row_layout, threshold_layout
from hdl.port import array_port
from hdl.reading import Reading
from hdl.switching import Switching

_COUNT_CUTS = (4,)


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
        switching = self._switch(m, steps, index, operand, bits, variants, load, active, fault)

        m.d.comb += columns[0].eq(bits)
        with m.If(active(Op.GENERATORS)):
            m.d.comb += columns[0].eq(switching.low)
        if config.counters:
            pulses = lengths, load & ~index[config.code_bits :].any(), switching.outcomes
            count = self._activity(m, steps, index, operand, word, pulses, active)
            with m.If(active(Op.COUNTERS)):
                m.d.comb += columns[0].eq(count)
        m.d.sync += flips.eq(0)
        with m.If(active(Op.UPDATE, 5) | active(Op.AGE, 5)):
            m.d.sync += flips.eq(switching.flips)
        switched = count_ones(
            m, flips, cuts=_COUNT_CUTS, register=lambda value: delayed(m, value, 1, "switched")
        )
        m.d.comb += [
            port.word.eq(columns[-2]),
            port.switched.eq(delayed(m, switched, 1, "switched_sum")),
            port.fault.eq(delayed(m, fault, 3)),
        ]
        return m

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
        word = selected = delayed(m, found, 1, reset_less=True)
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
            place.eq(Mux(programming, index, delayed(m, index, 4, reset_less=True))),
            new.eq(Mux(programming, programmed, written)),
            write.addr.eq(place[shift:]),
            write.data.eq(Cat(new for _ in range(per_word))),
        ]
        with m.If(programming | active(Op.UPDATE, 6) | active(Op.AGE, 6)):
            m.d.comb += write.en.eq((1 << place[:shift]) if shift else 1)
        return bits, word

    def _read(self, m, steps, operand, word, active, fault):
        """Dot products and row sums."""
        port, config = self.port, self._config
        rows = config.rows
        m.submodules.reading = reading = Reading(config)
        m.d.comb += [
            reading.word.eq(word),
            reading.u_nonzero.eq(operand[:rows]),
            reading.u_negative.eq(operand[rows : 2 * rows]),
            reading.d.eq(operand),
            reading.add.eq(active(Op.BACKWARD)),
            reading.last.eq(steps[2].last),
            port.sums.eq(reading.sums),
            port.errors.eq(reading.errors),
        ]
        with m.If(active(Op.FORWARD) & (reading.u_negative & ~reading.u_nonzero).any()):
            m.d.comb += fault.eq(Cause.TRIT)

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
        held = delayed(m, read.data, 1, reset_less=True)
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

    def _switch(self, m, steps, index, operand, bits, variants, load, active, fault):
        """The lanes."""
        config = self._config
        row = Signal(row_layout(config))
        with m.If(index[config.code_bits + config.variant_bits]):
            m.d.comb += [row.age.eq(1), row.state.eq(index[0]), row.variant.eq(index[1:])]
        with m.Else():
            m.d.comb += [row.code.eq(index), row.variant.eq(index[config.code_bits :])]
        thresholds = operand[: threshold_layout(config).size]
        m.submodules.switching = switching = Switching(config)
        size = config.rows * config.cells
        m.d.comb += [
            switching.bits.eq(bits),
            switching.pulses.eq(operand),
            switching.age.eq(active(Op.AGE)),
            switching.draw.eq(active(Op.UPDATE, 5) | active(Op.AGE, 5)),
            # A cycle after its row has been looked at.
            switching.load.eq(delayed(m, load, 1, "load")),
            switching.row.eq(delayed(m, row, 1, "row", reset_less=True)),
            switching.thresholds.eq(delayed(m, thresholds, 1, "thresholds", reset_less=True)),
            switching.restart.eq(self._starting),
            switching.advance.eq(active(Op.SEED) | active(Op.GENERATORS)),
            switching.inject.eq(operand[:size] & active(Op.SEED).replicate(size)),
        ]
        if config.cells == 2:
            m.d.comb += switching.blind.eq(steps[2].blind)
        if variants:
            m.d.comb += switching.variants.eq(Cat(variants))
        pulses = (
            operand.word_select(j, protocol.pulse_bits(config))[config.code_bits :]
            for j in range(config.rows)
        )
        large = Cat(pulse[: protocol.KAPPA_BITS] > config.max_kappa for pulse in pulses)
        with m.If(active(Op.UPDATE) & large.any()):
            m.d.comb += fault.eq(Cause.VALUE)
        return switching

    def _activity(self, m, steps, index, operand, word, pulses, active):
        """The counters. Returns the one that the step asks for."""
        port, config, (lengths, load, outcomes) = self.port, self._config, pulses
        m.submodules.activity = activity = Activity(config)
        errors = [operand.word_select(i, config.error_bits) for i in range(len(activity.d))]
        nonzero = Signal(len(errors))
        m.d.comb += nonzero.eq(Cat(d.any() for d in errors))
        driven = delayed(m, operand[: config.rows], 3, "driven", reset_less=True)
        m.d.comb += [
            activity.active.eq(Cat(active(op, 5) for op in COUNTED_OPS)),
            activity.first.eq(steps[5].first),
            activity.u.eq(driven),
            activity.d.eq(delayed(m, nonzero, 3, reset_less=True)),
            activity.word.eq(delayed(m, word, 3, reset_less=True)),
            activity.aged.eq(delayed(m, active(Op.AGE, 6), 2, "aged")),
            activity.switched.eq(port.switched),
            activity.load.eq(load),
            activity.index.eq(index),
            activity.ticks.eq(lengths),
            activity.select.eq(index),
            activity.outcomes.eq(outcomes),
        ]
        return activity.count

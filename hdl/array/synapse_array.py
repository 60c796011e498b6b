"""The behavioural synapse array: cell bits in a column-serial memory, one lane of logic per row.

Cells, reading and switching are behind ``hdl.array.port``. A real macro can replace this component
under the same controller.
"""

import functools
import itertools
import operator

from amaranth.hdl import Cat, Module, Mux, Signal, unsigned
from amaranth.lib import data, wiring
from amaranth.lib.memory import Memory
from amaranth.lib.wiring import In

from golden.array import frames
from golden.array.frames import Cause, Op
from golden.config import ArrayConfig
from hdl.array.activity import OPS as COUNTED_OPS
from hdl.array.activity import Activity
from hdl.array.lane import row_layout, threshold_layout
from hdl.array.port import array_port
from hdl.array.read_path import ReadPath
from hdl.array.write_path import WritePath
from hdl.lib.adders import popcount
from hdl.lib.delay import delayed
from hdl.lib.lint import unused

_COUNT_CUTS = (2, 6)
_GROUP = 16  # rows whose faults are combined in one cycle


class SynapseArray(wiring.Component):
    """Behavioural array of ``config.rows`` lanes.

    Pipeline: cycle 1 memories read, operand in; 2 both registered; 3 both at the rows, command
    decoded, PROGRAM writes; 4 generators seeded, table rows found and loaded; 5 and 6 thresholds
    read; 6 results; 7 draws compared; 8 cells written back; 11 number of switched cells. One step a
    cycle.

    Stalls: none. The controller keeps dependent steps apart.

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
    Golden twin: ``golden.array.golden.GoldenArray``.
    """

    def __init__(self, config: ArrayConfig, init=()):
        self._config, self._init = config, list(init)
        super().__init__({"port": In(array_port(config))})

    def elaborate(self, platform):
        m = Module()
        port, config = self.port, self._config
        cells = config.rows * config.cells
        self._stages(m)
        # UPDATE and AGE write cells; their draws are compared in stage 7.
        draws = delayed(m, self._op(Op.UPDATE) | self._op(Op.AGE), 3, "draws")
        drawing = delayed(m, draws, 1)
        flips = Signal(cells)
        columns = [Signal.like(port.word, name=f"column_{stage}") for stage in (3, 4, 5, 6)]
        held = delayed(m, columns[0], 1)
        m.d.comb += columns[1].eq(held)
        m.d.sync += [late.eq(early) for early, late in itertools.pairwise(columns[1:])]
        column = delayed(m, columns[-1][:cells], 2, "column", reset_less=True)
        variants = self._variants(m)
        bits, word = self._memory(m, variants, column ^ flips, drawing)
        illegal = self._read(m, word)
        table, wrong = self._table(m)
        switching, large = self._switch(m, bits, variants, table, draws)

        m.d.comb += columns[0].eq(bits)
        if config.counters:
            count = self._activity(m, word, table, switching.outcomes)
            with m.If(self._op(Op.COUNTERS)):
                m.d.comb += columns[0].eq(count)
        with m.If(delayed(m, self._op(Op.GENERATORS), 1)):
            m.d.comb += columns[1].eq(switching.low)
        # Bits beyond count and draws may have no reader.
        unused(m, Cat(columns[0], held, columns[1]))
        m.d.sync += flips.eq(0)
        with m.If(drawing):
            m.d.sync += flips.eq(switching.flips)
        switched = popcount(
            m, flips, cuts=_COUNT_CUTS, register=lambda value: delayed(m, value, 1, "switched")
        )
        trit = self._later(m, Op.FORWARD, illegal, "trit_fault")
        value = self._later(m, Op.UPDATE, large, "value_fault") | wrong
        m.d.comb += [
            port.word.eq(columns[-1]),
            port.switched.eq(delayed(m, switched, 1, "switched_sum")),
            port.fault.eq(Mux(trit, Cause.TRIT, Mux(value, Cause.VALUE, Cause.NONE))),
        ]
        return m

    def _op(self, which: Op):
        """Whether stage 3 holds a step of this command."""
        return self._ops[which]

    def _later(self, m, op: Op, flags, name: str):
        """Whether a step of this command is in stage 6 and had any of ``flags`` in stage 3.

        The flags of all rows are combined over three cycles.
        """
        flags = delayed(m, flags, 1, f"{name}_rows", reset_less=True)
        groups = Cat(flags[i : i + _GROUP].any() for i in range(0, len(flags), _GROUP))
        groups = delayed(m, groups, 1, f"{name}_groups", reset_less=True)
        return delayed(m, groups.any() & delayed(m, self._op(op), 2), 1, name)

    def _stages(self, m):
        """Stages 1 to 3: the step, its index and operand."""
        port = self.port
        # Stage 1: the step whose column the memory has just read.
        valid = Signal()
        op = Signal.like(port.op)
        first = Signal()
        last = Signal()
        early = Signal.like(port.index, reset_less=True)
        m.d.sync += [
            valid.eq(port.valid),
            op.eq(port.op),
            first.eq(port.first),
            last.eq(port.last),
            early.eq(port.index),
        ]
        # Stage 2: what it is.
        ops = {
            which: Signal(name=f"early_{which.name.lower()}")
            for which in frames.known(self._config)
            if which is not Op.STATUS and (which is not Op.READ or self._config.counters)
        }
        operand = Signal.like(port.operand, name="operand", reset_less=True)
        clear = Signal()
        m.d.sync += [
            *(flag.eq(valid & (op == which)) for which, flag in ops.items()),
            operand.eq(port.operand),
            clear.eq(valid & ((op == Op.LOAD_TABLE) | (op == Op.AGE))),
        ]
        row = self._row(m, valid & (op == Op.LOAD_TABLE), early)
        self._loaded = operand
        # Stage 3. Reset starts the generators through SEED's path: their registers have no reset.
        first = delayed(m, first, 1)
        self._starting = Signal(init=1, name="starting")
        m.d.sync += self._starting.eq(ops[Op.SEED] & first)
        self._early_ops = ops
        self._ops = {
            which: delayed(m, flag, 1, f"op_{which.name.lower()}") for which, flag in ops.items()
        }
        self._first, self._last = delayed(m, first, 1), delayed(m, last, 2)
        self._early_index = delayed(m, early, 1, "index", reset_less=True)
        self._index = delayed(m, self._early_index, 1, "index", reset_less=True)
        unused(m, self._index)  # a table row's number is decoded earlier
        self._operand = self._to_rows(m, operand, clear, row.code)
        self._ageing = delayed(m, ops[Op.AGE] | row.age, 1, "ageing")
        self._row_state = delayed(m, row.state, 1, "row_state")
        self._row_variant = delayed(m, row.variant, 1, "row_variant")
        if self._config.cells == 2:
            self._blind = delayed(m, delayed(m, port.blind, 2) | ops[Op.LOAD_TABLE], 1, "blind")

    def _to_rows(self, m, operand, clear, code):
        """The operand in stage 3. With ``clear`` each row's pulse is ``code`` and all else is 0.

        The other bits have registers of their own, whose clear costs no logic.
        """
        config, pulse_bits = self._config, frames.pulse_bits(self._config)
        is_code = [
            i < config.rows * pulse_bits and i % pulse_bits < config.code_bits
            for i in range(frames.column_bits(config))
        ]
        codes = Signal(config.rows * config.code_bits)
        others = Signal(len(is_code) - len(codes))
        given = Cat(bit for bit, coded in zip(operand, is_code, strict=False) if coded)
        m.d.sync += [
            codes.eq(Mux(clear, code.replicate(config.rows), given)),
            others.eq(Cat(b for b, coded in zip(operand, is_code, strict=False) if not coded)),
        ]
        with m.If(clear):
            m.d.sync += others.eq(0)
        parts = iter(codes), iter(others)
        whole = Signal(len(is_code), name="operand_rows")
        m.d.comb += whole.eq(Cat(next(parts[not coded]) for coded in is_code))
        return whole

    def _row(self, m, loading, index):
        """The row of the table that is loaded, in stage 2; all 0 without one."""
        config = self._config
        row = Signal(row_layout(config), name="row")
        m.d.sync += row.eq(0)
        with m.If(loading & index[config.code_bits + config.variant_bits]):
            m.d.sync += [row.age.eq(1), row.state.eq(index[0]), row.variant.eq(index[1:])]
        with m.Elif(loading):
            m.d.sync += [row.code.eq(index), row.variant.eq(index[config.code_bits :])]
        return row

    def _memory(self, m, variants, written, drawing):
        """Cell memory, ``written`` back in stage 8 if stage 7 is ``drawing``. Returns stage 3's
        column, and the memory word that holds it."""
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
        # No step reads a column that is being written. This shows it to synthesis.
        clash = write.en.any() & (write.addr == read.addr)
        with m.If(port.valid & ~clash):
            m.d.sync += found.eq(read.data)
        word = selected = delayed(m, found, 2, reset_less=True)
        for i in reversed(range(shift)):
            half = len(selected) // 2
            chosen = Signal(half, name=f"chosen_{i}")
            m.d.comb += chosen.eq(Mux(self._index[i], selected[half:], selected[:half]))
            selected = chosen
        bits = Signal(width)
        m.d.comb += bits.eq(selected)

        # PROGRAM writes in stage 3, UPDATE and AGE in stage 8; never at once, see ``array_port``.
        programmed = self._operand[:width]
        if variants:
            stuck = functools.reduce(operator.and_, variants)
            programmed = (programmed & ~stuck) | (bits & stuck)
        programming = self._op(Op.PROGRAM)
        early = self._early_ops[Op.PROGRAM]
        # The address is a register, since the read data wait for it.
        place = Signal((config.cols - 1).bit_length())
        soon, column = (Signal.like(place, name=f"{name}_index") for name in ("early", "column"))
        address = Signal.like(write.addr, name="write_address")
        enable = Signal.like(write.en, name="write_enable")
        m.d.comb += [
            soon.eq(self._early_index),
            column.eq(self._index),
            place.eq(Mux(early, soon, delayed(m, column, 4, reset_less=True))),
            write.addr.eq(address),
            write.en.eq(enable),
            write.data.eq(Mux(programming, programmed, written).replicate(per_word)),
        ]
        m.d.sync += [address.eq(place[shift:]), enable.eq(0)]
        with m.If(early | drawing):
            m.d.sync += enable.eq((1 << place[:shift]) if shift else 1)
        return bits, word

    def _read(self, m, word):
        """Dot products and row sums. Returns flags of the rows whose trit is illegal."""
        port, config = self.port, self._config
        rows = config.rows
        m.submodules.reading = reading = ReadPath(config)
        m.d.comb += [
            reading.word.eq(word),
            reading.u_nonzero.eq(self._operand[:rows]),
            reading.u_negative.eq(self._operand[rows : 2 * rows]),
            reading.d.eq(self._operand),
            reading.add.eq(self._op(Op.BACKWARD)),
            reading.last.eq(self._last),
            port.sums.eq(reading.sums),
            port.errors.eq(reading.errors),
        ]
        return reading.u_negative & ~reading.u_nonzero

    def _variants(self, m):
        """Memory of variant indices. Returns their bits in stage 3's column, a plane each."""
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
            write.en.eq(self._op(Op.VARIANTS)),
            write.addr.eq(self._index),
            write.data.eq(self._operand),
        ]
        held = delayed(m, read.data, 2, "variants", reset_less=True)
        return [held[i * size : (i + 1) * size] for i in range(config.variant_bits)]

    def _table(self, m):
        """Checks table rows. Returns stage 4's load flag, thresholds and pulse lengths, and
        stage 6's flag of a wrong row."""
        config, layout, index = self._config, threshold_layout(self._config), self._early_index
        thresholds = data.View(layout, self._loaded[: layout.size])
        ticks = self._loaded[layout.size : frames.table_bits(config)]
        ageing = index[config.code_bits + config.variant_bits]
        faults = [each > 1 << config.draw_bits for each in thresholds]
        faults += [~ageing & ~index[: config.code_bits].any(), Cat(thresholds, ticks).any()]
        high, low, still, some = delayed(m, Cat(faults), 1, "table_faults", reset_less=True)
        bad = high | low | (still & some)
        loading = self._op(Op.LOAD_TABLE)
        table = (
            delayed(m, loading & ~bad, 1, "load"),
            delayed(m, thresholds, 2, "thresholds", reset_less=True),
            delayed(m, ticks, 2, "ticks", reset_less=True),
        )
        return table, delayed(m, loading & bad, 3, "wrong")

    def _switch(self, m, bits, variants, table, draws):
        """The lanes. Returns them, and flags of the rows whose pulse is too large."""
        config, operand = self._config, self._operand
        load, thresholds, _ = table
        m.submodules.switching = switching = WritePath(config)
        size = config.rows * config.cells
        advancing = self._op(Op.SEED) | self._op(Op.GENERATORS)
        inject = operand[:size] & self._op(Op.SEED).replicate(size)
        m.d.comb += [
            switching.bits.eq(bits),
            switching.pulses.eq(operand),
            switching.age.eq(self._ageing),
            switching.loading.eq(self._op(Op.LOAD_TABLE)),
            switching.state.eq(self._row_state),
            # A register of its own, since its fan-out is large.
            switching.step.eq(delayed(m, draws | advancing, 1, "stepping")),
            switching.load.eq(load),
            switching.thresholds.eq(thresholds),
            switching.restart.eq(self._starting),
            switching.inject.eq(delayed(m, inject, 1, "inject")),
        ]
        if config.cells == 2:
            m.d.comb += switching.blind.eq(self._blind)
        if variants:
            m.d.comb += [
                switching.variants.eq(Cat(variants)),
                switching.variant.eq(self._row_variant),
            ]
        pulses = (
            operand.word_select(j, frames.pulse_bits(config))[config.code_bits :]
            for j in range(config.rows)
        )
        large = Cat(pulse[: frames.KAPPA_BITS] > config.max_kappa for pulse in pulses)
        return switching, large

    def _activity(self, m, word, table, outcomes):
        """The counters. Returns the one that the step selects."""
        port, config, operand = self.port, self._config, self._operand
        load, _, ticks = table
        index = delayed(m, self._index, 1, reset_less=True)
        m.submodules.activity = activity = Activity(config)
        errors = [operand.word_select(i, config.error_bits) for i in range(len(activity.d))]
        nonzero = Cat(d.any() for d in errors)
        counted = Cat(self._op(op) for op in COUNTED_OPS)
        m.d.comb += [
            activity.active.eq(delayed(m, counted, 4, "counted")),
            activity.first.eq(delayed(m, self._first, 4)),
            activity.u.eq(delayed(m, operand[: config.rows], 4, "driven", reset_less=True)),
            activity.d.eq(delayed(m, nonzero, 4, "nonzero", reset_less=True)),
            activity.word.eq(delayed(m, word, 4, reset_less=True)),
            activity.aged.eq(delayed(m, self._op(Op.AGE), 8, "aged")),
            activity.switched.eq(port.switched),
            activity.load.eq(load & ~index[config.code_bits :].any()),
            activity.index.eq(index),
            activity.ticks.eq(ticks),
            activity.select.eq(self._index),
            activity.outcomes.eq(outcomes),
        ]
        return activity.count

"""The core of the accelerator: tiles, memories, engines, and a port for the host."""

from amaranth.hdl import Cat, Const, Module, Mux, Signal
from amaranth.lib import data, wiring
from amaranth.lib.memory import Memory
from amaranth.lib.wiring import In, Out

from golden.accel.config import LEAST_PART, NEAR, WHERE, WINDOW_BITS, AcceleratorConfig
from golden.accel.interface import Counts, Space
from golden.accel.packets import space_words
from golden.accel.program import Code
from golden.array.frames import Op
from golden.array.lfsr import STATE_BITS
from hdl.accel.activation_unit import ActivationUnit
from hdl.accel.host_port import PART, host_port, part_of
from hdl.accel.issue import Issue
from hdl.accel.layouts import total_layout
from hdl.accel.loops import ADDRESS_BITS
from hdl.accel.outer_product import OuterProduct
from hdl.accel.requantise import Requantise
from hdl.accel.sequencer import Sequencer
from hdl.accel.tile import Tile
from hdl.accel.totals import Totals
from hdl.array.port import LATENCY
from hdl.lib.adders import adder_tree
from hdl.lib.delay import delayed
from hdl.lib.lint import unused

COUNTERS = tuple(Counts.__dataclass_fields__)
_PENDING = 2  # columns between the tiles and their thresholds: the memory of totals has two banks


class AcceleratorCore(wiring.Component):
    """Runs programs on its tiles and memories.

    Pipeline of a step: cycle 0 loop indices, 2 memory addresses, 3 words read and step at the
    tiles, 4 operands, 9 sums of the tiles. One step a cycle.

    Stalls: in FORWARD while two columns wait for their thresholds. See also
    ``hdl.accel.issue.Issue``.

    Ordering: the host has the memories and tiles while no program runs, the engines while one runs.

    Parameters
    ----------
    config : AcceleratorConfig

    Members
    -------
    host : In(host_port)
    start, stop : In(1); pc, batch : In(16)
    running, done, failed, stopped : Out(1); where : Out(16)
        See ``hdl.accel.sequencer.Sequencer``.
    reset_counters : In(1)
    counters : Out(64 bits, each of ``COUNTERS``)

    Attributes
    ----------
    tiles : list of Tile
        The component that instantiates the core connects their frame streams.

    References
    ----------
    Golden twin: ``golden.accel.twin.GoldenAccelerator``.
    """

    def __init__(self, config: AcceleratorConfig):
        self.config = config
        self.tiles = [Tile(config.array) for _ in range(config.tiles)]
        super().__init__(
            {
                "host": In(host_port(config)),
                "start": In(1),
                "stop": In(1),
                "pc": In(16),
                "batch": In(16),
                "running": Out(1),
                "done": Out(1),
                "failed": Out(1),
                "stopped": Out(1),
                "where": Out(16),
                "reset_counters": In(1),
                "counters": Out(data.StructLayout(dict.fromkeys(COUNTERS, 64))),
            }
        )

    def elaborate(self, platform):
        m = Module()
        config = self.config
        m.submodules.sequencer = self._sequencer = sequencer = Sequencer(config)
        m.submodules.issue = self._issue = issue = Issue(config)
        m.submodules.totals = self._totals = totals = Totals(config)
        m.submodules.columns = self._columns = columns = ActivationUnit(config)
        m.submodules.requantise = self._requantise = requantise = Requantise(config)
        m.submodules.outer = self._outer = outer = OuterProduct(config)
        step = sequencer.instruction
        self._forward, self._backward, self._update = (
            step.code == code for code in (Code.FORWARD, Code.BACKWARD, Code.UPDATE)
        )
        m.d.comb += [
            sequencer.start.eq(self.start),
            sequencer.stop.eq(self.stop),
            sequencer.pc.eq(self.pc),
            sequencer.batch.eq(self.batch),
            self.running.eq(sequencer.running),
            self.done.eq(sequencer.done),
            self.failed.eq(sequencer.failed),
            self.stopped.eq(sequencer.stopped),
            self.where.eq(sequencer.where),
            issue.instruction.eq(step),
            issue.batch.eq(self.batch),
            issue.start.eq(sequencer.begin),
            issue.stop.eq(sequencer.halt),
            columns.instruction.eq(step),
            columns.batch.eq(self.batch),
            columns.start.eq(sequencer.begin),
            totals.start.eq(sequencer.begin),
            outer.instruction.eq(step),
            outer.start.eq(sequencer.begin & self._update),
        ]
        memories = self._memories(m)
        beyond = self._engines(m, memories)
        m.d.comb += [
            sequencer.working.eq(
                issue.busy | self._reading | columns.busy | outer.busy | requantise.busy
            ),
            sequencer.fault.eq(issue.fault | totals.beyond | columns.fault | outer.fault | beyond),
        ]
        self._count(m)
        # Addresses have one width for all memories. The engine that makes one checks its range.
        unused(m, Cat(
            sequencer.at, issue.activation, issue.error, columns.out_at, columns.error_at,
            columns.label_at, columns.threshold_at, columns.write_at, columns.write_error_at,
            columns.write_position, columns.new_errors, outer.threshold_at,
            outer.threshold_write_at, outer.column, outer.new_size,
        ))  # fmt: skip
        return m

    def _accesses(self, m, at_part):
        """Accesses of the engines: space -> read address, and write enable, address and data."""
        config = self.config
        issue, columns, outer = self._issue, self._columns, self._outer
        requantise, step = self._requantise, self._sequencer.instruction
        hidden = columns.write & ~step.score
        score = columns.write & step.score
        back_at = Signal(ADDRESS_BITS)
        with m.If(self._sequencer.begin):
            m.d.sync += back_at.eq(step.in_errors)
        with m.Elif(requantise.last):
            m.d.sync += back_at.eq(back_at + 1)
        self._back_beyond = requantise.write & (back_at >= config.error_words)
        # A word of errors is as many words of its memory as it has parts.
        lanes = config.error_part
        whole, lane_bits = (1 << lanes) - 1, lanes.bit_length() - 1
        unused(m, Cat(issue.lane, columns.lane, requantise.part))
        return {
            Space.PROGRAM: (self._sequencer.at, 0, 0, 0),
            Space.ACTIVATIONS: (
                issue.activation, hidden, columns.write_at, columns.new_activation,
            ),
            Space.ERRORS: (
                at_part(issue.error, issue.lane[lane_bits:]),
                Mux(self._backward, Mux(requantise.write & ~self._back_beyond, whole, 0),
                    Mux(score & step.train, columns.error_lanes, 0)),
                Mux(self._backward, at_part(back_at, requantise.part),
                    at_part(columns.write_error_at, columns.lane[lane_bits:])),
                Mux(self._backward, requantise.word, columns.new_errors),
            ),
            Space.WINDOWS: (
                Mux(self._forward, columns.error_at, issue.error),
                hidden & step.train, columns.write_error_at, columns.new_window,
            ),
            Space.LABELS: (columns.label_at, 0, 0, 0),
            Space.THRESHOLDS: (
                Mux(self._update, outer.threshold_at, columns.threshold_at),
                Mux(self._update, outer.threshold_write, columns.threshold_write),
                Mux(self._update, outer.threshold_write_at, columns.threshold_at),
                Mux(self._update, outer.new_threshold.as_value(), columns.new_threshold.as_value()),
            ),
            Space.STATES: (
                step.state, self._sequencer.commit & self._update & outer.any_size, step.state,
                outer.new_size,
            ),
            Space.RESULTS: (
                columns.label_at, score, columns.write_position, columns.new_result.as_value(),
            ),
        }  # fmt: skip

    def _memories(self, m):
        """The memories. Returns the words that engines read from them, by space."""
        config, host, running, columns = self.config, self.host, self.running, self._columns
        lanes, bits = config.error_part, (config.error_parts - 1).bit_length()

        def at_part(word, part):
            return Cat(part[:bits], word)

        engines = self._accesses(m, at_part)
        words = {}
        selected, piece = delayed(m, host.space, 1), delayed(m, host.part, 1)
        unused(m, Cat(host.part, piece))
        for space, (read_at, enable, write_at, value) in engines.items():
            depth, width = space_words(config)[space]
            address, own, given = host.address, host.write & (host.space == space), host.data
            every, granular = 1, space is Space.ERRORS
            if granular:
                depth, width = depth << bits, lanes * config.array.error_bits
                pieces = width // PART
                own_piece = host.part[: pieces.bit_length() - 1]
                address = at_part(host.address, host.part[pieces.bit_length() - 1 :])
                every = ((1 << LEAST_PART) - 1) << Cat(Const(0, 2), own_piece)
                given = host.data[:PART].replicate(pieces)
            memory = Memory(shape=width, depth=depth, init=[])
            m.submodules[space.name.lower()] = memory
            read = memory.read_port()
            write = memory.write_port(granularity=8 if granular else None)
            m.d.comb += [
                read.addr.eq(Mux(running, read_at, address)),
                write.addr.eq(Mux(running, write_at, address)),
                write.data.eq(Mux(running, value, given)),
                write.en.eq(Mux(running, enable, Mux(own, every, 0))),
            ]
            words[space] = read.data
            with m.If(selected == space):
                m.d.comb += host.word.eq(part_of(read.data, piece))
            if space is Space.ACTIVATIONS:
                second = memory.read_port()
                m.d.comb += [second.addr.eq(columns.out_at), columns.activation.eq(second.data)]
        self._generators(m, selected, piece)
        self._connect(m, words)
        return words

    def _generators(self, m, selected, piece):
        """The pulse coders' generators as a space of the host."""
        config, host, outer = self.config, self.host, self._outer
        for tile in range(config.tiles):
            m.d.comb += [
                outer.state.eq(host.data[:STATE_BITS]),
                outer.load[tile].eq(
                    host.write & (host.space == Space.GENERATORS) & (host.address == tile)
                ),
            ]
        generators = Signal(STATE_BITS)
        m.d.sync += generators.eq(outer.generators[host.address[: config.tiles.bit_length()]])
        with m.If(selected == Space.GENERATORS):
            m.d.comb += host.word.eq(part_of(generators, piece))

    def _connect(self, m, words):
        """The memory of totals, and the words that each engine reads."""
        config, columns, totals, outer = self.config, self._columns, self._totals, self._outer
        layout = data.ArrayLayout(total_layout(), config.tiles)
        m.submodules.sums = sums = Memory(shape=layout, depth=2 * config.positions, init=[])
        read, write = sums.read_port(), sums.write_port()
        m.d.comb += [
            write.en.eq(totals.write),
            write.addr.eq(totals.position + Mux(totals.bank, config.positions, 0)),
            write.data.eq(totals.totals),
            read.addr.eq(columns.totals_at + Mux(columns.totals_bank, config.positions, 0)),
            columns.totals.eq(read.data),
            columns.window.eq(words[Space.WINDOWS]),
            columns.label.eq(words[Space.LABELS]),
            columns.result.eq(words[Space.RESULTS]),
            columns.threshold.eq(words[Space.THRESHOLDS]),
            outer.threshold.eq(words[Space.THRESHOLDS]),
            self._sequencer.word.eq(words[Space.PROGRAM]),
            outer.size.eq(words[Space.STATES]),
        ]

    def _engines(self, m, words):
        """Connects tiles and engines along the pipeline. Returns the flag that a result lies beyond
        its memory."""
        inputs, errors = self._operands(m, words)
        reading = self._issue.marks.valid & ~self._update
        recent = Signal(LATENCY)  # steps whose results are on their way
        m.d.sync += recent.eq(Cat(reading, recent))
        self._reading = recent.any()
        self._ports(m, inputs, errors, reading)
        self._results(m, inputs, errors)
        self._pace(m)
        totals = self._totals
        uneven = totals.done & (totals.position + 1 != self._sequencer.instruction.positions)
        return self._back_beyond | uneven

    def _operands(self, m, words):
        """Inputs and errors of the step, from the words read. They are held for its next cycle."""
        config, step = self.config, self._sequencer.instruction
        marks, rows, array_bits = self._issue.marks, config.array.rows, config.array.error_bits

        inputs = delayed(m, words[Space.ACTIVATIONS], 1, "inputs")
        errors = Signal.like(self._outer.errors)
        group = marks.lane >> (config.tiles.bit_length() - 1)
        in_part = group[: (config.error_part // config.tiles).bit_length() - 1]
        chosen = words[Space.ERRORS].word_select(in_part, config.tiles * array_bits)
        flags = [
            words[Space.WINDOWS][i * rows : (i + 1) * rows].word_select(group, config.tiles)
            for i in range(WINDOW_BITS)
        ]
        for tile in range(config.tiles):
            live = Signal(name=f"live_{tile}")
            place = Cat(plane[tile] for plane in flags[WHERE:])
            m.d.comb += live.eq(
                marks.inside
                & (step.plain | flags[NEAR][tile])
                & (~step.pool | (place == marks.place))
            )
            error = chosen.word_select(tile, array_bits)
            m.d.sync += errors[tile].eq(Mux(live, error, 0))

        return inputs, errors

    def _ports(self, m, inputs, errors, reading):
        """Steps into the arrays of the tiles, and their sums."""
        config, step, marks = self.config, self._sequencer.instruction, self._issue.marks
        outer, totals, requantise = self._outer, self._totals, self._requantise
        for number, tile in enumerate(self.tiles):
            m.submodules[f"tile_{number}"] = tile
            port = tile.port
            unused(m, port.operand)
            operand = Mux(self._forward, inputs, errors[number].as_unsigned())
            m.d.comb += [
                tile.running.eq(self.running),
                port.valid.eq(Mux(self._update, outer.pulse, reading)),
                port.op.eq(
                    Mux(self._update, Op.UPDATE, Mux(self._forward, Op.FORWARD, Op.BACKWARD))
                ),
                port.index.eq(Mux(self._update, outer.column, marks.column_index)),
                port.first.eq(marks.fresh),
                port.last.eq((reading & marks.end) | self._sequencer.begin),
                port.operand.eq(Mux(self._update, outer.pulses[number], operand)),
            ]
            if config.array.cells == 2:
                m.d.comb += port.blind.eq(step.blind)
            m.d.comb += [
                totals.sums[number].eq(port.sums[0]),
                requantise.errors[number].eq(port.errors),
            ]

    def _results(self, m, inputs, errors):
        """Marks along the pipeline, to the engines that take the results."""
        step, marks = self._sequencer.instruction, self._issue.marks
        outer, totals, requantise = self._outer, self._totals, self._requantise
        columns = self._columns
        before, result = delayed(m, marks, 1), delayed(m, marks, LATENCY)
        unused(m, Cat(before.valid, result.valid))
        m.d.comb += [
            totals.marks.eq(result),
            totals.marks.valid.eq(result.valid & self._forward),
            totals.limit.eq(step.adc),
            columns.ready.eq(totals.done),
            columns.column_sums.eq(totals.column_sums),
            requantise.valid.eq(result.valid & result.end & self._backward),
            requantise.shift.eq(step.error_shift),
            outer.marks.eq(before),
            outer.marks.valid.eq(delayed(m, marks.valid & self._update, 1, "updating")),
            outer.inputs.eq(inputs),
            outer.errors.eq(errors),
        ]

    def _pace(self, m):
        """Holds steps back while both banks of totals are in use."""
        issue, columns = self._issue, self._columns
        pending = Signal(2)
        column_issued = Signal()
        m.d.comb += column_issued.eq(issue.stepping & self._forward & issue.at_column_end)
        with m.If(self._sequencer.begin):
            m.d.sync += pending.eq(0)
        with m.Else():
            m.d.sync += pending.eq(pending + column_issued - columns.done)
        full = self._forward & issue.at_begin & (pending == _PENDING)
        m.d.comb += issue.hold.eq(full)

    def _count(self, m):
        """The counters."""
        sequencer, columns = self._sequencer, self._columns
        reading = self._issue.marks.valid
        switched = adder_tree([tile.port.switched for tile in self.tiles])
        amounts = {
            "cycles": sequencer.running,
            "pulses": Mux(self._outer.pulse, len(self.tiles), 0),
            "switched": Mux(self._update & sequencer.running, switched, 0),
            "loss": Mux(sequencer.running, columns.loss, 0),
        }
        phases = (("forward", self._forward), ("backward", self._backward),
                  ("update", self._update))  # fmt: skip
        for name, chosen in phases:
            amounts[f"{name}_cycles"] = sequencer.executing & chosen
            amounts[f"{name}_busy"] = sequencer.executing & chosen & reading
        for name, amount in amounts.items():
            with m.If(self.reset_counters):
                m.d.sync += self.counters[name].eq(0)
            with m.Else():
                m.d.sync += self.counters[name].eq(self.counters[name] + amount)

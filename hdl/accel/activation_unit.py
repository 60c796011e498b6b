"""Activation unit: turns a column's totals into activations or scores."""

from amaranth.hdl import Cat, Module, Mux, Signal, signed
from amaranth.lib import data, enum, wiring
from amaranth.lib.wiring import In, Out

from golden.accel.config import (
    SCORE_BITS,
    SCORE_FRACTION,
    SLACK_LIMIT,
    THRESHOLD_BITS,
    WINDOW_BITS,
    AcceleratorConfig,
)
from golden.codes import TRIT_BITS
from hdl.accel.issue import LANE_BITS
from hdl.accel.layouts import instruction_layout, result_layout, threshold_layout, total_layout
from hdl.accel.loops import ADDRESS_BITS, Loops, clip
from hdl.accel.threshold_unit import ThresholdUnit
from hdl.lib.adders import adder_tree
from hdl.lib.delay import delayed
from hdl.lib.lint import unused

_LATENCY = 4  # cycles from a position's address to what is written


class State(enum.Enum, shape=3):
    """State of the activation unit."""

    IDLE = 0
    MEASURE = 1  # the mean absolute deviation
    CALCULATE = 2
    DIVIDE = 3
    APPLY = 4
    DRAIN = 5


class ActivationUnit(wiring.Component):
    """Thresholds and outputs of complete columns, all tiles at once, one column after the other.

    Pipeline of a position: cycle 0 address, 1 words read, 4 outputs written. One position a cycle.

    Latency of a column of N positions: N + 6 cycles. In training 2 N + 19, since the positions
    pass twice: for the mean absolute deviation, then for the outputs. A score layer takes 28 more
    for its division.

    Ordering: one column waits while another is processed. ``done`` must come before a third is
    ``ready``.

    Parameters
    ----------
    config : AcceleratorConfig

    Members
    -------
    instruction : In; batch : In(16)
    start : In(1)
        A FORWARD instruction begins.
    ready : In(1)
        A column is complete; ``column_sums`` (a tile) hold from the next cycle on.
    busy : Out(1)
        A column waits or is processed.
    done : Out(1)
        The outputs of a column are written.
    totals_bank, totals_at : Out; totals : In
        Read port of the totals' memory. Here and below a word comes one cycle after its address.
    out_at, error_at : Out; activation, window : In
        Words into which outputs and window flags are inserted.
    label_at : Out; label, result : In
        A sample's class, and the best class so far.
    write : Out(1); write_at, write_error_at, write_position : Out
        Outputs of a position: ``new_activation`` (hidden), ``new_window`` (hidden, train),
        ``new_result`` (score), ``new_errors`` from ``lane`` on (score, train).
    lane : Out
        First lane that the tiles have in the outputs' words.
    new_errors : Out; error_lanes : Out
        A part of a word of errors, and the lanes to write.
    threshold_at, threshold_write, new_threshold : Out; threshold : In
        Read and write port of the stored thresholds of all tiles.
    loss : Out
        Squared slacks of this cycle, summed over tiles.
    fault : Out(1)
        An address lies beyond its memory; nothing is written there.

    References
    ----------
    Golden twin: ``golden.accel.twin`` and ``golden.accel.arithmetic``.
    """

    def __init__(self, config: AcceleratorConfig):
        self._config = config
        rows, tiles = config.array.rows, config.tiles
        super().__init__(
            {
                "instruction": In(instruction_layout()),
                "batch": In(16),
                "start": In(1),
                "ready": In(1),
                "column_sums": In(data.ArrayLayout(signed(config.sum_bits), tiles)),
                "busy": Out(1),
                "done": Out(1),
                "totals_bank": Out(1),
                "totals_at": Out(16),
                "totals": In(data.ArrayLayout(total_layout(), tiles)),
                "out_at": Out(ADDRESS_BITS),
                "error_at": Out(ADDRESS_BITS),
                "activation": In(rows * TRIT_BITS),
                "window": In(rows * WINDOW_BITS),
                "label_at": Out(16),
                "label": In(16),
                "result": In(result_layout()),
                "write": Out(1),
                "write_at": Out(ADDRESS_BITS),
                "write_error_at": Out(ADDRESS_BITS),
                "write_position": Out(16),
                "new_activation": Out(rows * TRIT_BITS),
                "new_window": Out(rows * WINDOW_BITS),
                "new_result": Out(result_layout()),
                "lane": Out(LANE_BITS),
                "new_errors": Out(config.error_part * config.array.error_bits),
                "error_lanes": Out(config.error_part),
                "threshold_at": Out(ADDRESS_BITS),
                "threshold": In(data.ArrayLayout(threshold_layout(), tiles)),
                "threshold_write": Out(1),
                "new_threshold": Out(data.ArrayLayout(threshold_layout(), tiles)),
                "loss": Out(SLACK_LIMIT.bit_length() * 2 + tiles.bit_length() - 1),
                "fault": Out(1),
            }
        )

    def elaborate(self, platform):
        m = Module()
        config, step = self._config, self.instruction
        unused(m, step)
        m.submodules.loops = loops = Loops(3, 2)
        self._state = Signal(State, name="state")
        self._position = position = Signal(16, name="position")
        self._calculation = Signal(4, name="calculation")
        self._left = left = Signal(5, name="left")
        self._column = Signal(16, name="column")
        self._measuring = Signal(name="measuring")
        self._applying = Signal(name="applying")
        self._take_stored = Signal(name="take_stored")
        self._take_new = Signal(name="take_new")
        self._sums = Signal.like(self.column_sums, name="sums")
        group = Signal(16)
        word = Signal(ADDRESS_BITS)
        m.d.comb += [
            self.totals_at.eq(position),
            self.threshold_at.eq(step.thresholds + group),
            self.label_at.eq(position),
        ]
        self._addresses(m, loops, word)
        thresholds_beyond = self.threshold_at >= config.threshold_words
        m.d.comb += self.threshold_write.eq(self._take_new & ~thresholds_beyond)
        self._sequence(m, loops, group, word, thresholds_beyond)
        calculating = Signal()
        m.d.comb += calculating.eq((self._state == State.CALCULATE) & ~left.any())
        final = self._words(m)
        tiles = self._tiles(m, calculating)
        valid = [self._column + tile < step.columns for tile in range(config.tiles)]
        self._write(m, final)
        mask = Signal(config.array.rows)  # the lanes that are written
        m.d.comb += mask.eq(Cat(valid) << self.lane)
        self._hidden(m, tiles, final, mask)
        self._score(m, tiles, valid, final, self._column)
        return m

    def _addresses(self, m, loops, word):
        """Loops over the batch's output pixels, with the addresses of outputs and errors."""
        step = self.instruction
        m.d.comb += [
            loops.counts[0].eq(self.batch),
            loops.counts[1].eq(step.height),
            loops.counts[2].eq(step.width),
            loops.base[0].eq(step.out_base + word),
            loops.base[1].eq(step.errors + word),
            self.out_at.eq(loops.address[0]),
            self.error_at.eq(loops.address[1]),
        ]
        strides = (
            (step.out_sample, step.out_row, step.out_pixel),
            (step.error_sample, step.error_row, step.out_pixel),
        )
        for address, values in enumerate(strides):
            m.d.comb += [loops.strides[address][i].eq(v) for i, v in enumerate(values)]

    def _sequence(self, m, loops, group, word, thresholds_beyond):
        """The state machine. ``start`` ends any state, so the state is a register of its own: a
        transition of ``m.FSM`` lies inside a state."""
        step, state, left = self.instruction, self._state, self._left
        position, calculation = self._position, self._calculation
        last = position + 1 == step.positions
        waiting = Signal()
        bank = Signal()
        m.d.comb += [
            self.busy.eq(waiting | (state != State.IDLE)),
            self.totals_bank.eq(bank),
        ]
        with m.If(self.ready):
            m.d.sync += waiting.eq(1)
        with m.If(state == State.IDLE):
            m.d.sync += [position.eq(0), calculation.eq(0)]
            with m.If(waiting):
                m.d.sync += [waiting.eq(self.ready), self._sums.eq(self.column_sums)]
                m.d.sync += state.eq(State.CALCULATE)
                m.d.comb += self.fault.eq(thresholds_beyond)
        with m.Elif(state == State.MEASURE):
            m.d.comb += self._measuring.eq(1)
            m.d.sync += position.eq(position + 1)
            with m.If(last):
                m.d.sync += [state.eq(State.CALCULATE), left.eq(_LATENCY), position.eq(0)]
        with m.Elif(state == State.CALCULATE):
            self._calculate(m, loops)
        with m.Elif(state == State.DIVIDE):
            m.d.sync += left.eq(left - 1)
            with m.If(~step.score | ~left.any()):
                m.d.comb += [loops.start.eq(1), self._take_new.eq(1)]
                m.d.sync += [state.eq(State.APPLY), position.eq(0)]
        with m.Elif(state == State.APPLY):
            m.d.comb += [self._applying.eq(1), loops.step.eq(1)]
            m.d.sync += position.eq(position + 1)
            with m.If(last):
                m.d.sync += [state.eq(State.DRAIN), left.eq(_LATENCY)]
        with m.Else():
            m.d.sync += left.eq(left - 1)
            with m.If(left == 1):
                m.d.comb += self.done.eq(1)
                m.d.sync += [state.eq(State.IDLE), left.eq(0), bank.eq(~bank)]
                m.d.sync += [position.eq(0), calculation.eq(0)]
                self._next_column(m, group, word)
        with m.If(self.start):
            counters = (waiting, bank, group, self._column, word, self.lane, left)
            m.d.sync += [state.eq(State.IDLE), *(counter.eq(0) for counter in counters)]

    def _calculate(self, m, loops):
        """Statistics of the column: calculations 0 to 8, one a cycle."""
        step, state, left, calculation = (
            self.instruction, self._state, self._left, self._calculation
        )  # fmt: skip
        with m.If(left.any()):
            m.d.sync += left.eq(left - 1)
        with m.Elif(~step.train):
            m.d.comb += [loops.start.eq(1), self._take_stored.eq(1)]
            m.d.sync += state.eq(State.APPLY)
        with m.Else():
            m.d.sync += calculation.eq(calculation + 1)
            with m.If(calculation == 1):
                m.d.sync += state.eq(State.MEASURE)
            with m.If(calculation == 8):
                m.d.sync += [state.eq(State.DIVIDE), left.eq(THRESHOLD_BITS)]

    def _next_column(self, m, group, word):
        tiles, lane = self._config.tiles, self.lane
        m.d.sync += [group.eq(group + 1), self._column.eq(self._column + tiles)]
        m.d.sync += lane.eq(lane + tiles)
        with m.If(lane == self._config.array.rows - tiles):
            m.d.sync += [lane.eq(0), word.eq(word + 1)]

    def _words(self, m):
        """The words read for a position and its addresses, delayed to cycle 4."""
        stage = data.StructLayout(
            {
                "out": ADDRESS_BITS,
                "error": ADDRESS_BITS,
                "position": 16,
                "activation": self.activation.shape(),
                "window": self.window.shape(),
                "result": result_layout(),
                "label": 16,
            }
        )
        words = Signal(stage)
        m.d.comb += [
            words.out.eq(delayed(m, self.out_at, 1)),
            words.error.eq(delayed(m, self.error_at, 1)),
            words.position.eq(delayed(m, self._position, 1)),
            words.activation.eq(self.activation),
            words.window.eq(self.window),
            words.result.eq(self.result),
            words.label.eq(self.label),
        ]
        return delayed(m, words, 3)

    def _tiles(self, m, calculating):
        """A threshold unit for each tile. Returns their outputs."""
        measured = delayed(m, self._measuring, 1)
        tiles = []
        for number in range(self._config.tiles):
            m.submodules[f"column_{number}"] = tile = ThresholdUnit(self._config)
            m.d.comb += [
                tile.instruction.eq(self.instruction),
                tile.column_sum.eq(self._sums[number]),
                tile.total.eq(self.totals[number]),
                tile.measured.eq(measured),
                tile.calculation.eq(self._calculation),
                tile.calculating.eq(calculating),
                tile.stored.eq(self.threshold[number]),
                self.new_threshold[number].eq(tile.new),
                tile.take_stored.eq(self._take_stored),
                tile.take_new.eq(self._take_new),
            ]
            tiles.append((tile.nonzero, tile.negative, tile.window, tile.score))
        return tiles

    def _write(self, m, final):
        """Write enable and addresses; a fault instead if an address lies beyond its memory."""
        config, step = self._config, self.instruction
        m.d.comb += [
            self.write_at.eq(final.out),
            self.write_error_at.eq(final.error),
            self.write_position.eq(final.position),
        ]
        writing = Signal()
        m.d.comb += writing.eq(delayed(m, self._applying, 4))
        beyond = Mux(
            step.score,
            step.train & (final.error >= config.error_words),
            (final.out >= config.activation_words)
            | (step.train & (final.error >= config.error_words)),
        ) | (final.position >= config.positions)
        m.d.comb += self.write.eq(writing & ~beyond)
        with m.If(writing & beyond):
            m.d.comb += self.fault.eq(1)

    def _hidden(self, m, tiles, final, mask):
        """Inserts outputs and window flags of the tiles into their words."""
        rows = self._config.array.rows
        planes = zip(*(Cat(nonzero, negative, window) for nonzero, negative, window, _ in tiles),
                     strict=True)  # fmt: skip
        olds = [final.activation[i * rows : (i + 1) * rows] for i in range(TRIT_BITS)]
        olds += [final.window[i * rows : (i + 1) * rows] for i in range(WINDOW_BITS)]
        news = []
        for old, bits in zip(olds, planes, strict=True):
            # A tile's bit stands at all lanes it can have; the mask selects one.
            news.append((old & ~mask) | (Cat(bits).replicate(rows // len(tiles)) & mask))
        m.d.comb += [
            self.new_activation.eq(Cat(news[:TRIT_BITS])),
            self.new_window.eq(Cat(news[TRIT_BITS:])),
        ]

    def _score(self, m, tiles, valid, final, column):
        """The best class so far, errors and loss."""
        part, step = self._config.error_part, self.instruction
        best = final.result
        squares, errors = [], []
        one = 1 << SCORE_FRACTION
        for tile, (_, _, _, score) in enumerate(tiles):
            better = Signal(result_layout(), name=f"better_{tile}")
            m.d.comb += better.eq(best)
            wins = score > best.score
            with m.If(valid[tile] & ((column == 0) & (tile == 0) | wins)):
                m.d.comb += [better.label.eq(column + tile), better.score.eq(score)]
            best = better

            right = Signal(name=f"right_{tile}")
            slack = Signal(signed(SCORE_BITS + 2), name=f"slack_{tile}")
            size = Signal(SLACK_LIMIT.bit_length(), name=f"size_{tile}")
            error = Signal(signed(8), name=f"error_{tile}")
            turned = Signal(8, name=f"turned_error_{tile}")
            m.d.comb += [
                right.eq(final.label == column + tile),
                slack.eq(one - Mux(right, score, -score)),
                size.eq(clip(slack, 0, SLACK_LIMIT)),
                error.eq(Mux(size > 127, 127, size)),
            ]
            m.d.comb += turned.eq(Mux(right, error, -error))
            errors.append(turned)
            counted = Signal.like(size, name=f"counted_{tile}")
            scoring = valid[tile] & self.write & step.score & step.train
            m.d.sync += counted.eq(Mux(scoring, size, 0))
            squares.append(counted * counted)
        m.d.comb += [
            self.new_result.eq(best),
            self.new_errors.eq(Cat(errors).replicate(part // len(tiles))),
            self.error_lanes.eq(Cat(valid) << self.lane[: part.bit_length() - 1]),
        ]
        # Two registers keep the loss's multiplier out of the path of the scores. A program runs for
        # longer than that after its last write.
        m.d.sync += self.loss.eq(adder_tree(squares))

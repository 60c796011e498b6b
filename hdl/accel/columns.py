"""What becomes of a column's totals: statistics, thresholds, activations or scores."""

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
from hdl.accel.column import Column
from hdl.accel.issue import LANE_BITS
from hdl.accel.layouts import instruction_layout, result_layout, threshold_layout, total_layout
from hdl.accel.loops import ADDRESS_BITS, Loops, clip
from hdl.count import add_up
from hdl.delay import delayed
from hdl.lint import unused

_LATENCY = 4  # cycles from a position's address to what is written


class State(enum.Enum, shape=3):
    """What the unit does."""

    IDLE = 0
    MEASURE = 1  # the mean absolute deviation
    CALCULATE = 2
    DIVIDE = 3
    APPLY = 4
    DRAIN = 5


class Columns(wiring.Component):
    """Takes one complete column of all tiles after the other.

    Members
    -------
    instruction : In; batch : In(16)
    start : In(1)
        A FORWARD instruction begins.
    ready : In(1)
        A column is complete; ``column_sums`` (a tile) hold from the next cycle on.
    busy : Out(1)
        A column waits or is worked on.
    done : Out(1)
        A column is through.
    totals_bank, totals_at : Out; totals : In
        Read port of the totals' memory; words come one cycle later, as in all of these.
    out_at, error_at : Out; activation, window : In
        Words that outputs and window flags are put into.
    label_at : Out; label : In
    result : In
    write : Out(1); write_at, write_error_at, write_position : Out
        Outputs of a position: ``new_activation`` (hidden), ``new_window`` (hidden, train),
        ``new_result`` (score), ``new_errors`` from ``lane`` on (score, train).
    lane : Out
        First lane of the outputs' words that the tiles are for.
    new_errors : Out; error_lanes : Out
        A part of a word of errors, and its lanes that there are errors for.
    threshold_at, threshold : stored thresholds, of all tiles; threshold_write, new_threshold
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
        rows = config.array.rows
        m.submodules.loops = loops = Loops(3, 2)
        state = Signal(State)
        waiting = Signal()
        bank = Signal()
        group = Signal(16)
        column = Signal(16)
        word = Signal(ADDRESS_BITS)
        lane = self.lane
        position = Signal(16)
        calculation = Signal(4)
        left = Signal(5)
        m.d.comb += [
            self.busy.eq(waiting | (state != State.IDLE)),
            self.totals_bank.eq(bank),
            self.totals_at.eq(position),
            self.threshold_at.eq(step.thresholds + group),
            loops.counts[0].eq(self.batch),
            loops.counts[1].eq(step.height),
            loops.counts[2].eq(step.width),
            loops.base[0].eq(step.out_base + word),
            loops.base[1].eq(step.errors + word),
            self.out_at.eq(loops.address[0]),
            self.error_at.eq(loops.address[1]),
            self.label_at.eq(position),
        ]
        strides = (
            (step.out_sample, step.out_row, step.out_pixel),
            (step.error_sample, step.error_row, step.out_pixel),
        )
        for address, values in enumerate(strides):
            m.d.comb += [loops.strides[address][i].eq(v) for i, v in enumerate(values)]
        last = position + 1 == step.positions
        thresholds_beyond = self.threshold_at >= config.threshold_words

        measuring = Signal()
        applying = Signal()
        take_stored = Signal()
        take_new = Signal()
        m.d.comb += self.threshold_write.eq(take_new & ~thresholds_beyond)
        with m.If(self.ready):
            m.d.sync += waiting.eq(1)
        sums = Signal.like(self.column_sums)
        with m.If(state == State.IDLE):
            m.d.sync += [position.eq(0), calculation.eq(0)]
            with m.If(waiting):
                m.d.sync += [waiting.eq(self.ready), sums.eq(self.column_sums)]
                m.d.sync += state.eq(State.CALCULATE)
                m.d.comb += self.fault.eq(thresholds_beyond)
        with m.Elif(state == State.MEASURE):
            m.d.comb += measuring.eq(1)
            m.d.sync += position.eq(position + 1)
            with m.If(last):
                m.d.sync += [state.eq(State.CALCULATE), left.eq(_LATENCY), position.eq(0)]
        with m.Elif(state == State.CALCULATE):
            with m.If(left.any()):
                m.d.sync += left.eq(left - 1)
            with m.Elif(~step.train):
                m.d.comb += [loops.start.eq(1), take_stored.eq(1)]
                m.d.sync += state.eq(State.APPLY)
            with m.Else():
                m.d.sync += calculation.eq(calculation + 1)
                with m.If(calculation == 1):
                    m.d.sync += state.eq(State.MEASURE)
                with m.If(calculation == 8):
                    m.d.sync += [state.eq(State.DIVIDE), left.eq(THRESHOLD_BITS)]
        with m.Elif(state == State.DIVIDE):
            m.d.sync += left.eq(left - 1)
            with m.If(~step.score | ~left.any()):
                m.d.comb += [loops.start.eq(1), take_new.eq(1)]
                m.d.sync += [state.eq(State.APPLY), position.eq(0)]
        with m.Elif(state == State.APPLY):
            m.d.comb += [applying.eq(1), loops.step.eq(1)]
            m.d.sync += position.eq(position + 1)
            with m.If(last):
                m.d.sync += [state.eq(State.DRAIN), left.eq(_LATENCY)]
        with m.Else():
            m.d.sync += left.eq(left - 1)
            with m.If(left == 1):
                m.d.comb += self.done.eq(1)
                m.d.sync += [
                    state.eq(State.IDLE), left.eq(0), bank.eq(~bank),
                    group.eq(group + 1), column.eq(column + config.tiles),
                    lane.eq(lane + config.tiles), position.eq(0), calculation.eq(0),
                ]  # fmt: skip
                with m.If(lane == rows - config.tiles):
                    m.d.sync += [lane.eq(0), word.eq(word + 1)]
        with m.If(self.start):
            m.d.sync += [
                state.eq(State.IDLE), waiting.eq(0), bank.eq(0), group.eq(0), column.eq(0),
                word.eq(0), lane.eq(0), left.eq(0),
            ]  # fmt: skip

        # The address of a position goes out in cycle 0, its words come in cycle 1, what is written
        # goes out in cycle 4.
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
            words.position.eq(delayed(m, position, 1)),
            words.activation.eq(self.activation),
            words.window.eq(self.window),
            words.result.eq(self.result),
            words.label.eq(self.label),
        ]
        final = delayed(m, words, 3)
        calculating = Signal()
        m.d.comb += calculating.eq((state == State.CALCULATE) & ~left.any())
        measured = delayed(m, measuring, 1)
        tiles = []
        for number in range(config.tiles):
            m.submodules[f"column_{number}"] = tile = Column(config)
            m.d.comb += [
                tile.instruction.eq(step),
                tile.column_sum.eq(sums[number]),
                tile.total.eq(self.totals[number]),
                tile.measured.eq(measured),
                tile.calculation.eq(calculation),
                tile.calculating.eq(calculating),
                tile.stored.eq(self.threshold[number]),
                self.new_threshold[number].eq(tile.new),
                tile.take_stored.eq(take_stored),
                tile.take_new.eq(take_new),
            ]
            tiles.append((tile.nonzero, tile.negative, tile.window, tile.score))
        valid = [column + tile < step.columns for tile in range(config.tiles)]
        m.d.comb += [
            self.write_at.eq(final.out),
            self.write_error_at.eq(final.error),
            self.write_position.eq(final.position),
        ]
        writing = Signal()
        m.d.comb += writing.eq(delayed(m, applying, 4))
        beyond = Mux(
            step.score,
            step.train & (final.error >= config.error_words),
            (final.out >= config.activation_words)
            | (step.train & (final.error >= config.error_words)),
        ) | (final.position >= config.positions)
        m.d.comb += self.write.eq(writing & ~beyond)
        with m.If(writing & beyond):
            m.d.comb += self.fault.eq(1)
        mask = Signal(rows)  # the lanes that are written
        m.d.comb += mask.eq(Cat(valid) << lane)
        self._hidden(m, tiles, final, mask)
        self._score(m, tiles, valid, final, column)
        return m

    def _hidden(self, m, tiles, final, mask):
        """Outputs and window flags of the tiles put into their words."""
        rows = self._config.array.rows
        planes = zip(*(Cat(nonzero, negative, window) for nonzero, negative, window, _ in tiles),
                     strict=True)  # fmt: skip
        olds = [final.activation[i * rows : (i + 1) * rows] for i in range(TRIT_BITS)]
        olds += [final.window[i * rows : (i + 1) * rows] for i in range(WINDOW_BITS)]
        news = []
        for old, bits in zip(olds, planes, strict=True):
            # A tile's bit at every lane that it may be for; the mask says which it is.
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
        # Nobody waits for the loss: two registers keep its multiplier out of the scores' path, and
        # a program runs for longer than that after its last write.
        m.d.sync += self.loss.eq(add_up(squares))

"""What becomes of a column's totals: statistics, thresholds, activations or scores."""

from amaranth.hdl import Cat, Module, Mux, Signal, signed
from amaranth.lib import data, enum, wiring
from amaranth.lib.wiring import In, Out

from golden import trit
from golden.accel.config import (
    AVERAGE_SHIFT,
    FRACTION,
    OFFSET_BITS,
    OFFSET_FRACTION,
    SCALE_SHIFT,
    SCORE_BITS,
    SCORE_FRACTION,
    SLACK_LIMIT,
    THRESHOLD_BITS,
    TOTAL_BITS,
    WINDOW_BITS,
    AcceleratorConfig,
)
from hdl.accel.divider import Divider
from hdl.accel.issue import LANE_BITS
from hdl.accel.layouts import instruction_layout, result_layout, threshold_layout, total_layout
from hdl.accel.loops import ADDRESS_BITS, Loops, clip, delayed
from hdl.count import add_up

FINE_BITS = TOTAL_BITS + FRACTION + 1
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
        ``new_result`` (score), ``new_errors`` in the lanes ``error_lanes`` (score, train).
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
                "activation": In(rows * trit.TRIT_BITS),
                "window": In(rows * WINDOW_BITS),
                "label_at": Out(16),
                "label": In(16),
                "result": In(result_layout()),
                "write": Out(1),
                "write_at": Out(ADDRESS_BITS),
                "write_error_at": Out(ADDRESS_BITS),
                "write_position": Out(16),
                "new_activation": Out(rows * trit.TRIT_BITS),
                "new_window": Out(rows * WINDOW_BITS),
                "new_result": Out(result_layout()),
                "new_errors": Out(rows * config.array.error_bits),
                "error_lanes": Out(rows),
                "threshold_at": Out(ADDRESS_BITS),
                "threshold": In(data.ArrayLayout(threshold_layout(), tiles)),
                "threshold_write": Out(1),
                "new_threshold": Out(data.ArrayLayout(threshold_layout(), tiles)),
                "loss": Out(SLACK_LIMIT.bit_length() * 2 + tiles.bit_length()),
                "fault": Out(1),
            }
        )

    def elaborate(self, platform):
        m = Module()
        config, step = self._config, self.instruction
        rows = config.array.rows
        m.submodules.loops = loops = Loops(3, 2)
        state = Signal(State)
        waiting = Signal()
        bank = Signal()
        group = Signal(16)
        column = Signal(16)
        word = Signal(ADDRESS_BITS)
        lane = Signal(LANE_BITS)
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
        with m.Switch(state):
            with m.Case(State.IDLE):
                m.d.sync += [position.eq(0), calculation.eq(0)]
                with m.If(waiting):
                    m.d.sync += [waiting.eq(self.ready), sums.eq(self.column_sums)]
                    m.d.sync += state.eq(State.CALCULATE)
                    m.d.comb += self.fault.eq(thresholds_beyond)
            with m.Case(State.MEASURE):
                m.d.comb += measuring.eq(1)
                m.d.sync += position.eq(position + 1)
                with m.If(last):
                    m.d.sync += [state.eq(State.CALCULATE), left.eq(_LATENCY), position.eq(0)]
            with m.Case(State.CALCULATE):
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
            with m.Case(State.DIVIDE):
                m.d.sync += left.eq(left - 1)
                with m.If(~step.score | ~left.any()):
                    m.d.comb += [loops.start.eq(1), take_new.eq(1)]
                    m.d.sync += [state.eq(State.APPLY), position.eq(0)]
            with m.Case(State.APPLY):
                m.d.comb += [applying.eq(1), loops.step.eq(1)]
                m.d.sync += position.eq(position + 1)
                with m.If(last):
                    m.d.sync += [state.eq(State.DRAIN), left.eq(_LATENCY)]
            with m.Default():
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
        control = {
            "calculation": calculation,
            "calculating": (state == State.CALCULATE) & ~left.any(),
            "measured": delayed(m, measuring, 1),
            "take_stored": take_stored,
            "take_new": take_new,
        }
        tiles = [self._tile(m, tile, sums[tile], control) for tile in range(config.tiles)]
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
        self._hidden(m, tiles, valid, final, lane)
        self._score(m, tiles, valid, final, lane, column)
        return m

    def _tile(self, m, tile, column_sum, control):
        """One tile's statistics and comparisons.

        Returns, in cycle 4, its value's planes, window word, and score.
        """
        config, step = self._config, self.instruction
        total, stored, new = self.totals[tile], self.threshold[tile], self.new_threshold[tile]

        def number(name, shape):
            return Signal(shape, name=f"{name}_{tile}")

        threshold = signed(THRESHOLD_BITS)
        mean, upper, lower = (number(name, threshold) for name in ("mean", "upper", "lower"))
        multiple = THRESHOLD_BITS + 8
        spread, reach = number("spread", THRESHOLD_BITS), number("reach", multiple)
        inner, outer = number("inner", multiple), number("outer", multiple)
        deviations = number("deviations", THRESHOLD_BITS + config.positions.bit_length())

        # One multiplier makes one number after the other; a product is there a cycle later.
        width = max(config.sum_bits, len(deviations) + 1)
        operand, factor = (
            number("operand", signed(width)),
            number("factor", signed(OFFSET_BITS + 1)),
        )
        product, shift = number("product", signed(width + OFFSET_BITS + 1)), number("shift", 7)
        shifted = number("shifted", signed(width + OFFSET_BITS + 1))
        m.d.comb += shifted.eq(product >> shift)
        m.d.sync += product.eq(operand * factor)
        coarse = Signal(7, name=f"coarse_{tile}")
        m.d.comb += [coarse.eq(step.mean_shift + FRACTION), shift.eq(FRACTION)]
        calculating = control["calculating"]
        with m.Switch(control["calculation"]):
            with m.Case(0):
                m.d.comb += [operand.eq(column_sum), factor.eq(step.mean_factor)]
            with m.Case(1):
                m.d.comb += shift.eq(step.mean_shift)
                with m.If(calculating):
                    m.d.sync += [mean.eq(shifted), deviations.eq(0)]
            with m.Case(2):
                m.d.comb += [operand.eq(deviations), factor.eq(step.mean_factor)]
            with m.Case(3):
                m.d.comb += shift.eq(coarse)
                m.d.sync += spread.eq(Mux(shifted.any(), shifted, 1))
            with m.Case(4):
                m.d.comb += [operand.eq(spread), factor.eq(step.bound)]
            with m.Case(5):
                m.d.comb += [operand.eq(spread), factor.eq(step.inner)]
                m.d.sync += reach.eq(shifted)
            with m.Case(6):
                m.d.comb += [operand.eq(spread), factor.eq(step.outer)]
                m.d.sync += inner.eq(shifted)
            with m.Case(7):
                m.d.comb += [operand.eq(spread), factor.eq(stored.offset)]
                with m.If(calculating):
                    m.d.sync += outer.eq(shifted)
            with m.Default():
                m.d.comb += shift.eq(OFFSET_FRACTION)
                with m.If(calculating & ~step.score):
                    m.d.sync += mean.eq(mean - shifted)

        m.submodules[f"divider_{tile}"] = divider = Divider(THRESHOLD_BITS)
        m.d.comb += [
            divider.start.eq(calculating & (control["calculation"] == 8)),
            divider.dividend.eq(step.scale),
            divider.divisor.eq(spread),
        ]
        first, second = number("first", threshold), number("second", threshold)
        m.d.comb += [
            first.eq(Mux(step.score, mean, mean + reach)),
            second.eq(Mux(step.score, divider.quotient, mean - reach)),
            new.eq(stored),
            new.upper.eq(stored.upper + ((first - stored.upper) >> AVERAGE_SHIFT)),
            new.lower.eq(stored.lower + ((second - stored.lower) >> AVERAGE_SHIFT)),
        ]
        turned = number("turned", 1)
        with m.If(control["take_stored"]):
            m.d.sync += [upper.eq(stored.upper), lower.eq(stored.lower), turned.eq(stored.turned)]
        with m.If(control["take_new"]):
            m.d.sync += [upper.eq(first), lower.eq(second), turned.eq(0)]

        # Cycle 1: totals; 2: differences; 3: value and window, product; 4: score.
        fine = number("fine", signed(FINE_BITS))
        m.d.comb += fine.eq(total.total << FRACTION)
        off_mean = number("off_mean", signed(FINE_BITS + 1))
        far = number("far", FINE_BITS + 1)
        over, under = number("over", signed(FINE_BITS + 1)), number("under", signed(FINE_BITS + 1))
        m.d.sync += [off_mean.eq(fine - mean), over.eq(fine - upper), under.eq(fine - lower)]
        m.d.comb += far.eq(Mux(off_mean < 0, -off_mean, off_mean))
        with m.If(delayed(m, control["measured"], 1)):
            m.d.sync += deviations.eq(deviations + far)
        minus, plus, near = number("minus", 1), number("plus", 1), number("near", 1)
        m.d.sync += [
            minus.eq(under < 0),
            plus.eq(Mux(step.binary, under >= 0, over > 0)),
            near.eq((far >= inner) & (far <= outer)),
        ]
        scaled = number("scaled", signed(FINE_BITS + 1 + THRESHOLD_BITS))
        m.d.sync += scaled.eq(over * lower)
        score = number("score", signed(SCORE_BITS))
        top = (1 << (SCORE_BITS - 1)) - 1
        offset = number("offset", signed(SCORE_BITS + 2))
        m.d.comb += offset.eq(step.offset + (stored.offset >> (OFFSET_FRACTION - SCORE_FRACTION)))
        m.d.sync += score.eq(clip((scaled >> SCALE_SHIFT) + offset, -top - 1, top))
        nonzero, negative = (
            delayed(m, signal, 1)
            for signal in (self._named(m, f"nonzero_{tile}", plus | minus),
                           self._named(m, f"negative_{tile}", Mux(turned, plus, minus)))
        )  # fmt: skip
        window = delayed(m, self._named(m, f"new_window_{tile}",
                                        Cat(near, delayed(m, total.place, 2))), 1)  # fmt: skip
        return nonzero, negative, window, score

    @staticmethod
    def _named(m, name, value):
        signal = Signal(len(value), name=name)
        m.d.comb += signal.eq(value)
        return signal

    def _hidden(self, m, tiles, valid, final, lane):
        """Outputs and window flags of the tiles put into their words."""
        rows, count = self._config.array.rows, self._config.tiles
        m.d.comb += [
            self.new_activation.eq(final.activation),
            self.new_window.eq(final.window),
        ]
        for start in range(0, rows, count):
            with m.If(lane == start):
                for tile, (nonzero, negative, window, _) in enumerate(tiles):
                    j = start + tile
                    with m.If(valid[tile]):
                        m.d.comb += [
                            self.new_activation[j].eq(nonzero),
                            self.new_activation[rows + j].eq(negative),
                            self.new_window.word_select(j, WINDOW_BITS).eq(window),
                        ]

    def _score(self, m, tiles, valid, final, lane, column):
        """The best class so far, errors and loss."""
        rows, count, step = self._config.array.rows, self._config.tiles, self.instruction
        best = final.result
        squares = []
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
            m.d.comb += [
                right.eq(final.label == column + tile),
                slack.eq(one - Mux(right, score, -score)),
                size.eq(clip(slack, 0, SLACK_LIMIT)),
                error.eq(Mux(size > 127, 127, size)),
            ]
            for start in range(0, rows, count):
                with m.If((lane == start) & valid[tile]):
                    place = self.new_errors.word_select(start + tile, 8)
                    m.d.comb += [
                        place.eq(Mux(right, error, -error)),
                        self.error_lanes[start + tile].eq(1),
                    ]
            squares.append(Mux(valid[tile] & self.write & step.score & step.train, size * size, 0))
        m.d.comb += [self.new_result.eq(best), self.loss.eq(add_up(squares))]

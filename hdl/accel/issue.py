"""Issues the steps of an instruction: memory addresses, then commands for the tiles."""

from amaranth.hdl import Cat, Module, Mux, Signal, signed
from amaranth.lib import data, wiring
from amaranth.lib.wiring import In, Out

from golden.accel.config import AcceleratorConfig
from golden.accel.program import Code
from hdl.accel.layouts import PLACE_BITS, instruction_layout
from hdl.accel.loops import ADDRESS_BITS, Loops
from hdl.lib.lint import unused

_LEVELS = 8
# The loop level that counts column groups, by instruction.
_GROUP_LEVEL = {Code.FORWARD: 0, Code.UPDATE: 2, Code.BACKWARD: 7}
LANE_BITS = 12


def marks_layout() -> data.StructLayout:
    """Marks that accompany a step to the consumers of its result.

    ======================================= ==================================================
    ``begin``, ``end``                      first and last step of a sum
    ``column``                              last step of a column
    ``fresh``                               first group of outputs; UPDATE: first input word
    ``place``, ``place_first``,             position in the pooling window, and whether it is the
    ``place_last``                          window's first or last
    ``mean``                                the pass for the inputs' mean
    ``inside``                              the error lies inside the output
    ``column_index``, ``lane``              column of the tiles; lane in the word of errors
    ======================================= ==================================================
    """
    flags = ("valid", "begin", "end", "column", "fresh", "place_first", "place_last", "mean",
             "inside")  # fmt: skip
    return data.StructLayout(
        dict.fromkeys(flags, 1)
        | {"place": PLACE_BITS, "column_index": ADDRESS_BITS, "lane": LANE_BITS}
    )


class Issue(wiring.Component):
    """The loops of an instruction, one step a cycle, and its addresses.

    Pipeline: cycle 0 loop indices, 1 position, 2 memory addresses, 3 marks and words read, 9 tile
    results (FORWARD and BACKWARD). One step a cycle.

    Stalls: ``hold`` keeps a column's first step back. In UPDATE and BACKWARD the last step of a
    column or word waits until the lanes of the one before have left.

    Parameters
    ----------
    config : AcceleratorConfig

    Members
    -------
    instruction : In; batch : In(16)
    start, stop : In(1)
    hold : In(1)
        FORWARD: a column must wait before its first step.
    busy : Out(1)
        Steps are in the pipeline.
    activation, error : Out
        Addresses, in range or ``fault``.
    lane : Out
        First lane that is used in the word of errors.
    marks : Out(marks_layout)
    at_begin, at_column_end : Out(1)
        FORWARD: the next step begins a column, ends one.
    stepping : Out(1)
        A step enters the pipeline.
    fault : Out(1)
        An address lies beyond its memory. That step and all later ones are dropped.

    References
    ----------
    Golden twin: the addresses of ``golden.accel.twin``.
    """

    def __init__(self, config: AcceleratorConfig):
        self._config = config
        super().__init__(
            {
                "instruction": In(instruction_layout()),
                "batch": In(16),
                "start": In(1),
                "stop": In(1),
                "hold": In(1),
                "busy": Out(1),
                "activation": Out(ADDRESS_BITS),
                "error": Out(ADDRESS_BITS),
                "lane": Out(LANE_BITS),
                "marks": Out(marks_layout()),
                "at_begin": Out(1),
                "at_column_end": Out(1),
                "stepping": Out(1),
                "fault": Out(1),
            }
        )

    def elaborate(self, platform):
        m = Module()
        step = self.instruction
        m.submodules.loops = loops = Loops(_LEVELS, 3)
        self._forward, self._update, self._backward = (
            step.code == code for code in (Code.FORWARD, Code.UPDATE, Code.BACKWARD)
        )
        self._nest(m, loops, self._forward, self._update, self._backward)
        held = Signal()
        m.d.comb += [
            loops.start.eq(self.start),
            loops.stop.eq(self.stop),
            loops.step.eq(~held),
            self.stepping.eq(loops.valid & ~held & ~self.stop),
        ]
        unused(m, Cat(step, loops.index, loops.last))
        now = self._marks(m, loops)
        self._hold(m, now, held)
        word, lane = self._group(m, loops, now)
        second, at, row, pixel = self._position(m, loops, now, word, lane)
        third = self._addresses(m, second, at, row, pixel)
        m.d.comb += self.busy.eq(
            loops.valid | second.valid | third.valid | self.marks.valid | self.start
        )
        return m

    def _marks(self, m, loops):
        """Cycle 0: the marks of the point of the loops."""
        first, last, index = loops.first, loops.last, loops.index
        now = Signal(marks_layout())
        place = Mux(self._forward, Cat(index[5][0], index[4][0]), Cat(index[7][0], index[6][0]))
        m.d.comb += [now.valid.eq(self.stepping), now.inside.eq(1)]
        with m.If(self._forward):
            m.d.comb += [
                now.begin.eq(first[6:].all()),
                now.end.eq(last[6:].all()),
                now.column.eq(last[1:].all()),
                self.at_column_end.eq(last[1:].all()),
                now.fresh.eq(first[0]),
                now.place.eq(place),
                now.place_first.eq(first[4:6].all()),
                now.place_last.eq(last[4:6].all()),
                self.at_begin.eq(first[1:].all()),
            ]
        with m.Elif(self._update):
            m.d.comb += [
                now.begin.eq(first[3:].all()),
                now.end.eq(last[3:].all()),
                now.mean.eq(first[2]),
                now.fresh.eq(first[:2].all()),
                now.place.eq(place),
            ]
        with m.Else():
            m.d.comb += [now.begin.eq(first[5:].all()), now.end.eq(last[5:].all())]
            m.d.comb += now.fresh.eq(now.begin)
        return now

    def _hold(self, m, now, held):
        """Stalls. A column (UPDATE) or word (BACKWARD) takes at least as many cycles as its lanes
        take to leave afterwards: its last step waits."""
        rows = self._config.array.rows
        least = Mux(self._update, rows, self._config.error_parts)
        age = Signal(range(rows + 1), init=rows)
        with m.If(self.start):
            m.d.sync += age.eq(rows)
        with m.Elif(self.stepping & now.begin):
            m.d.sync += age.eq(1)
        with m.Elif(age < rows):
            m.d.sync += age.eq(age + 1)
        early = ~self._forward & now.end & (age < Mux(now.begin, least, least - 1))
        m.d.comb += held.eq(self.hold | early)

    def _group(self, m, loops, now):
        """Where a group's errors lie: word and lane, from group to group."""
        word = Signal(ADDRESS_BITS)
        lane = Signal(LANE_BITS)
        tiles = self._config.tiles
        group_level = Mux(
            self._update, 1 << _GROUP_LEVEL[Code.UPDATE], 1 << _GROUP_LEVEL[Code.BACKWARD]
        )
        further_out = group_level - 1
        with m.If(self.start):
            m.d.sync += [word.eq(0), lane.eq(0)]
        with m.Elif(self.stepping):
            with m.If((loops.goes_on & further_out).any()):
                m.d.sync += [word.eq(0), lane.eq(0)]
            with m.Elif((loops.goes_on & group_level).any() & ~(self._update & now.mean)):
                m.d.sync += lane.eq(lane + tiles)
                with m.If(lane == self._config.array.rows - tiles):
                    m.d.sync += [lane.eq(0), word.eq(word + 1)]
        return word, lane

    def _position(self, m, loops, now, word, lane):
        """Cycle 1: the position of a backward step, which may lie outside the output."""
        step, index = self.instruction, loops.index
        y = Signal(signed(18))
        x = Signal(signed(18))
        m.d.comb += [
            y.eq(index[2] + step.padding - index[5]),
            x.eq(index[3] + step.padding - index[6]),
        ]
        inside = Signal()
        m.d.comb += inside.eq(
            (y >= 0) & (x >= 0)
            & (y < (step.height << step.pool)) & (x < (step.width << step.pool))
        )  # fmt: skip
        second = Signal.like(now)
        row = Signal(16)
        pixel = Signal(16)
        at = [Signal(ADDRESS_BITS, name=f"at_{i}") for i in range(3)]
        m.d.sync += [
            second.eq(now),
            second.lane.eq(lane),
            second.column_index.eq(loops.address[1]),
            at[0].eq(loops.address[0]),
            at[2].eq(loops.address[2] + word),
            row.eq(0),
            pixel.eq(0),
        ]
        with m.If(self._backward):
            m.d.sync += [
                row.eq(y >> step.pool),
                pixel.eq(x >> step.pool),
                second.inside.eq(inside),
                second.place.eq(Mux(step.pool, Cat(x[0], y[0]), 0)),
            ]
        with m.If(self._update):
            # Group 0 is the pass for the mean; the next has the first column.
            m.d.sync += second.column_index.eq(loops.address[1] - 1)
        return second, at, row, pixel

    def _addresses(self, m, second, at, row, pixel):
        """Cycle 2: memory addresses, checked against their ranges. Cycle 3: marks."""
        config, step = self._config, self.instruction
        third = Signal.like(second, name="third")
        error = Signal(34)
        m.d.sync += [
            third.eq(second),
            third.valid.eq(second.valid & ~self.stop),
            self.activation.eq(at[0]),
            error.eq(at[2] + row * step.error_row + pixel * step.out_pixel),
        ]
        beyond = Signal()
        weights = third.column_index >= config.array.cols
        activations = self.activation >= config.activation_words
        errors = (error >= config.error_words) & third.inside
        with m.If(self._forward):
            m.d.comb += beyond.eq(weights | activations)
        with m.Elif(self._update):
            m.d.comb += beyond.eq(activations | (~third.mean & (weights | errors)))
        with m.Else():
            m.d.comb += beyond.eq(weights | errors)
        m.d.comb += [self.error.eq(error), self.lane.eq(third.lane)]
        m.d.comb += self.fault.eq(third.valid & beyond)
        m.d.sync += [self.marks.eq(third), self.marks.valid.eq(third.valid & ~beyond & ~self.stop)]
        return third

    def _nest(self, m, loops, forward, update, backward):
        """The loops of each instruction, the outermost first."""
        step, side = self.instruction, 1 + self.instruction.pool
        # Name -> count, and strides of activation, column and error.
        sample = (self.batch, step.in_sample, 0, step.error_sample)
        row = (step.height, step.in_row << step.pool, 0, step.error_row)
        pixel = (step.width, step.in_pixel << step.pool, 0, step.out_pixel)
        place_row, place = (side, step.in_row, 0, 0), (side, step.in_pixel, 0, 0)
        words = Signal(16)
        m.d.comb += words.eq(step.kernel_width * step.in_pixel)
        kernel_row = (step.kernel_height, step.in_row, step.tap_row, 0)
        kernel = (words, 1, step.groups, 0)
        group = (step.groups, 0, 1, 0)
        nests = {
            Code.FORWARD: (group, sample, row, pixel, place_row, place, kernel_row, kernel),
            Code.UPDATE: (
                kernel_row, kernel, (step.groups + 1, 0, 1, 0),
                sample, row, pixel, place_row, place,
            ),
            Code.BACKWARD: (
                (1, 0, 0, 0), (self.batch, 0, 0, step.error_sample),
                (step.in_height, 0, 0, 0), (step.in_width, 0, 0, 0),
                (step.in_pixel, 0, step.groups, 0),
                (step.kernel_height, 0, step.tap_row, 0), (step.kernel_width, 0, step.tap_pixel, 0),
                group,
            ),
        }  # fmt: skip
        chosen = {Code.FORWARD: forward, Code.UPDATE: update, Code.BACKWARD: backward}
        for code, nest in nests.items():
            with m.If(chosen[code]):
                for level, (count, *strides) in enumerate(nest):
                    m.d.comb += loops.counts[level].eq(count)
                    m.d.comb += [loops.strides[k][level].eq(s) for k, s in enumerate(strides)]
        m.d.comb += [
            loops.base[0].eq(step.in_base),
            loops.base[1].eq(step.cells),
            loops.base[2].eq(step.errors),
        ]

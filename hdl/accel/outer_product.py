"""Outer product of errors and inputs over the batch, column by column, and its pulses."""

from amaranth.hdl import Cat, Module, Mux, Signal, signed
from amaranth.lib import data, wiring
from amaranth.lib.wiring import In, Out

from golden.accel.config import FRACTION, OFFSET_BITS, AcceleratorConfig
from golden.array import frames
from golden.array.lfsr import STATE_BITS, stream_states
from golden.codes import TRIT_BITS
from hdl.accel.issue import marks_layout
from hdl.accel.layouts import instruction_layout, threshold_layout
from hdl.accel.loops import ADDRESS_BITS, clip
from hdl.accel.pulse_coder import LATENCY, MEAN_BITS, PulseCoder
from hdl.array.port import COUNTED
from hdl.lib.adders import adder_tree
from hdl.lib.delay import delayed
from hdl.lib.lint import unused

TOTAL_BITS = 48
LOGARITHM_BITS = 16


class OuterProduct(wiring.Component):
    """One accumulator a lane and tile, and one pulse coder a tile.

    Pipeline: a column's sums are complete a cycle after its last step. Then the coder takes lane
    after lane, one a cycle, while the next column is summed. ``pulse`` comes R + 7 cycles after
    the sums are complete, for R rows.

    Ordering: columns must end at least R cycles apart; ``hdl.accel.issue.Issue`` ensures it.

    Parameters
    ----------
    config : AcceleratorConfig

    Members
    -------
    instruction : In
    start : In(1)
        An UPDATE instruction begins. ``size`` is valid a cycle later.
    marks : In(marks_layout)
        Marks of the step. ``valid`` only in UPDATE.
    inputs : In (trits), errors : In (a tile)
        Operands of the step.
    pulse : Out(1); column : Out; pulses : Out (a tile)
        A step of UPDATE; ``pulses`` are due one cycle later.
    busy : Out(1)
    size : In(16); new_size : Out(16); any_size : Out(1)
        log2 of the layer's summed magnitudes, 8 fraction bits: of its last update and of this one.
        ``any_size``: the magnitudes are not all 0.
    threshold_at, threshold_write, threshold_write_at, new_threshold : Out; threshold : In
        Read and write port of the thresholds, which hold the columns' offsets.
    fault : Out(1)
        An offset lies beyond its memory.
    load : In(tiles); state : In(64); generators : Out, one for each tile
        Set and read the generators of the pulse coders.

    References
    ----------
    Golden twin: ``golden.accel.twin``.
    """

    def __init__(self, config: AcceleratorConfig):
        self._config = config
        rows, tiles = config.array.rows, config.tiles
        self._word = rows * frames.pulse_bits(config.array)
        super().__init__(
            {
                "instruction": In(instruction_layout()),
                "start": In(1),
                "marks": In(marks_layout()),
                "inputs": In(rows * TRIT_BITS),
                "errors": In(data.ArrayLayout(signed(config.array.error_bits), tiles)),
                "pulse": Out(1),
                "column": Out(ADDRESS_BITS),
                "pulses": Out(data.ArrayLayout(self._word, tiles)),
                "busy": Out(1),
                "size": In(LOGARITHM_BITS),
                "new_size": Out(LOGARITHM_BITS),
                "any_size": Out(1),
                "threshold_at": Out(ADDRESS_BITS),
                "threshold": In(data.ArrayLayout(threshold_layout(), tiles)),
                "threshold_write": Out(1),
                "threshold_write_at": Out(ADDRESS_BITS),
                "new_threshold": Out(data.ArrayLayout(threshold_layout(), tiles)),
                "fault": Out(1),
                "load": In(tiles),
                "state": In(STATE_BITS),
                "generators": Out(data.ArrayLayout(STATE_BITS, tiles)),
            }
        )

    def elaborate(self, platform):
        m = Module()
        config, step, marks = self._config, self.instruction, self.marks
        unused(m, Cat(step, marks))
        rows, tiles = config.array.rows, config.tiles
        bits = config.product_bits

        sums = [self._sums(m, tile) for tile in range(tiles)]
        complete = delayed(m, marks.valid & marks.end, 1, "complete")
        taken = Signal(data.StructLayout({"mean": 1, "fresh": 1, "column": ADDRESS_BITS}))
        m.d.sync += [
            taken.mean.eq(marks.mean),
            taken.fresh.eq(marks.fresh),
            taken.column.eq(marks.column_index),
        ]

        # Lanes leave one after the other, lane 0 first.
        left = Signal(range(rows + 1))
        draining = Signal()
        drained_mean = Signal()
        column = Signal(ADDRESS_BITS)
        m.d.comb += draining.eq(left.any())
        with m.If(complete):
            m.d.sync += [left.eq(rows), drained_mean.eq(taken.mean), column.eq(taken.column)]
        with m.Elif(draining):
            m.d.sync += left.eq(left - 1)
        heads = []
        for tile, (lanes, bias) in enumerate(sums):
            shadow = Signal(data.ArrayLayout(signed(bits), rows), name=f"shadow_{tile}")
            own_bias = Signal(signed(bits), name=f"bias_{tile}")
            with m.If(complete):
                m.d.sync += [own_bias.eq(bias)]
                m.d.sync += [shadow[j].eq(lane) for j, lane in enumerate(lanes)]
            with m.Elif(draining):
                m.d.sync += [shadow[j].eq(shadow[j + 1]) for j in range(rows - 1)]
            heads.append((shadow[0], own_bias))

        begun = complete & taken.fresh & ~taken.mean
        learning = delayed(m, begun & step.learn.any(), 1, "learning")
        self._learn(m, learning, [bias for _, bias in heads])
        mean = self._means(m, heads[0][0], draining, drained_mean)
        coders = self._coders(m, heads, draining & ~drained_mean, mean)
        final = Signal()
        m.d.comb += final.eq(draining & ~drained_mean & (left == 1))
        in_coder = delayed(m, final, LATENCY)
        m.d.comb += [self.pulse.eq(in_coder), self.column.eq(delayed(m, column, LATENCY))]
        self._size(m, coders)

        # The switched cells of the last pulse are counted some cycles after the last step.
        recent = Signal(LATENCY + COUNTED + 2)
        m.d.sync += recent.eq(Cat(draining | complete, recent[:-1]))
        m.d.comb += self.busy.eq(marks.valid | complete | draining | recent.any())
        return m

    def _coders(self, m, heads, valid, mean):
        """A pulse coder for each tile, and the words of their pulses."""
        step = self.instruction
        factor, shift = self._rate(m)
        coders, states = [], stream_states(0, 0, len(heads)).tolist()
        for tile, (head, bias) in enumerate(heads):
            m.submodules[f"coder_{tile}"] = coder = PulseCoder(self._config, states[tile])
            m.d.comb += [
                coder.valid.eq(valid),
                coder.sum.eq(head),
                coder.bias.eq(bias),
                coder.mean.eq(mean),
                coder.factor.eq(factor),
                coder.shift.eq(shift),
                coder.dead.eq(step.dead),
                coder.load.eq(self.load[tile]),
                coder.state.eq(self.state),
                self.generators[tile].eq(coder.generator),
            ]
            word = self.pulses[tile]
            one = frames.pulse_bits(self._config.array)
            with m.If(coder.ready):
                m.d.sync += word.eq(Cat(word[one:], coder.pulse))
            coders.append(coder)
        return coders

    def _size(self, m, coders):
        """Logarithm of the layer's summed magnitudes, by Mitchell's approximation."""
        total = Signal(TOTAL_BITS)
        with m.If(self.start):
            m.d.sync += total.eq(0)
        with m.Elif(coders[0].sized):
            m.d.sync += total.eq(total + adder_tree([coder.size for coder in coders]))
        m.d.comb += self.any_size.eq(total.any())
        lead = Signal(6)
        for i in range(TOTAL_BITS):
            with m.If(total[i]):
                m.d.comb += lead.eq(i)
        normal = (total << 8) >> lead
        m.d.comb += self.new_size.eq(Cat(normal[:8], lead))

    def _sums(self, m, tile):
        """Accumulators of a tile: a lane's sums, and the column's sum of errors."""
        config, marks = self._config, self.marks
        rows, error = config.array.rows, self.errors[tile]
        used = Signal(signed(config.array.error_bits), name=f"error_{tile}")
        m.d.comb += used.eq(Mux(marks.mean, 1, error))
        lanes = []
        for j in range(rows + 1):  # the last adds the errors alone
            nonzero, negative = (self.inputs[j], self.inputs[rows + j]) if j < rows else (1, 0)
            lane = Signal(signed(config.product_bits), name=f"sum_{tile}_{j}", reset_less=True)
            term = Mux(nonzero, Mux(negative, -used, used), 0)
            with m.If(marks.valid):
                m.d.sync += lane.eq(Mux(marks.begin, 0, lane) + term)
            lanes.append(lane)
        return lanes[:-1], lanes[-1]

    def _means(self, m, head, draining, measuring):
        """A ring of the lanes' mean inputs. Returns the mean of the lane drained two cycles ago."""
        rows, step = self._config.array.rows, self.instruction
        ring = Signal(data.ArrayLayout(signed(MEAN_BITS), rows))
        product = Signal(signed(self._config.product_bits + 17))
        mean = Signal(signed(MEAN_BITS))
        own = delayed(m, head, 1, "head")
        m.d.sync += product.eq(own * step.mean_factor)
        m.d.comb += mean.eq(product >> step.mean_shift)
        fresh = delayed(m, measuring, 2)
        with m.If(delayed(m, draining, 2)):
            m.d.sync += ring[rows - 1].eq(Mux(fresh, mean, ring[0]))
            m.d.sync += [ring[j].eq(ring[j + 1]) for j in range(rows - 1)]
        return ring[0]

    def _learn(self, m, learning, biases):
        """Moves the offsets of a column by its mean error."""
        step = self.instruction
        index = Signal(16)
        with m.If(self.start):
            m.d.sync += index.eq(0)
        with m.Elif(learning):
            m.d.sync += index.eq(index + 1)
        m.d.comb += self.threshold_at.eq(step.thresholds + index)
        beyond = self.threshold_write_at >= self._config.threshold_words
        writing = delayed(m, learning, 2)
        m.d.comb += [
            self.threshold_write_at.eq(delayed(m, self.threshold_at, 2)),
            self.threshold_write.eq(writing & ~beyond),
            self.fault.eq(writing & beyond),
        ]
        top = (1 << (OFFSET_BITS - 1)) - 1
        for tile, bias in enumerate(biases):
            stored, new = self.threshold[tile], self.new_threshold[tile]
            product = Signal(signed(self._config.product_bits + 17), name=f"mean_error_{tile}")
            m.d.sync += product.eq(bias * step.mean_factor)
            change = ((product >> step.mean_shift) << step.learn) >> 1
            offset = Signal(signed(OFFSET_BITS), name=f"offset_{tile}")
            m.d.sync += offset.eq(clip(stored.offset + change, -top - 1, top))
            before = delayed(m, stored, 1, f"stored_{tile}")
            unused(m, before.offset)
            m.d.comb += [new.eq(before), new.offset.eq(offset)]

    def _rate(self, m):
        """2^(rate - size) as factor and shift, from the start of the instruction on."""
        logarithm = Signal(signed(LOGARITHM_BITS + 2))
        factor = Signal(9)
        shift = Signal(6)
        whole = Signal(signed(LOGARITHM_BITS - 8 + 3))
        m.d.comb += whole.eq(FRACTION - (logarithm >> 8))
        # The word of ``size`` is read while the instruction starts.
        with m.If(delayed(m, self.start, 1)):
            m.d.sync += logarithm.eq(self.instruction.rate - self.size)
        m.d.sync += [
            factor.eq(Cat(logarithm[:8], 1)),
            shift.eq(Mux(whole < 0, 0, Mux(whole > 63, 63, whole))),
        ]
        return factor, shift

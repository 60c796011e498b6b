"""Update logic of one row: pulses and random switching of the cells of a synapse."""

from amaranth.hdl import Cat, Const, Module, Mux, Signal, signed, unsigned
from amaranth.lib import data, wiring
from amaranth.lib.memory import Memory
from amaranth.lib.wiring import In, Out

from golden.array.frames import KAPPA_BITS
from golden.codes import AP_TO_P, P_TO_AP
from golden.config import ArrayConfig
from hdl.array.lfsr import Lfsr
from hdl.lib.delay import delayed
from hdl.lib.lint import unused

LATENCY = 4


def pulse_layout(config: ArrayConfig) -> data.StructLayout:
    """A row's pulse, as it lies in an UPDATE word."""
    return data.StructLayout({"code": config.code_bits, "kappa": KAPPA_BITS, "up": 1})


def threshold_layout(config: ArrayConfig) -> data.ArrayLayout:
    """Thresholds of one table row: AP to P in the low bits, then P to AP."""
    return data.ArrayLayout(unsigned(config.draw_bits + 1), 2)


def row_layout(config: ArrayConfig) -> data.StructLayout:
    """Address of a threshold in a lane's memory: by code and variant for a pulse, by variant and
    state for ageing."""
    return data.StructLayout(
        {"code": config.code_bits, "variant": config.variant_bits, "state": 1, "age": 1}
    )


def outcome_layout(config: ArrayConfig) -> data.StructLayout:
    """Outcome of a pulse: its ``code``, 0 without a pulse; ``idle``, the cell was in the target
    state already; ``switched``, the cell switched."""
    return data.StructLayout({"code": config.code_bits, "idle": 1, "switched": 1})


class Lane(wiring.Component):
    """Decides which cells of a synapse switch, with a generator and a table for each.

    Pipeline: one step a cycle. Cycle 0 cells and pulse, 1 table rows, 2 thresholds read from block
    RAM, 3 and 4 thresholds registered; in cycle 4 they are compared with the draws, ``flips`` are
    valid, and the generators advance at its end. It never stalls.

    With two generators: in an update each belongs to a direction, in ageing to its cell.

    Parameters
    ----------
    config : ArrayConfig
    init : sequence of int
        Power-up states of the generators, one per cell.

    Members
    -------
    age : In(1)
        The step is AGE; its ``pulse`` must be 0.
    loading, state, variant : In(1), In(1), In(variant_bits)
        No step, but the address of a table row to write: ``state``, ``variant``, ``age`` and
        ``pulse.code``. |kappa| must be 0 and ``blind`` 1.
    blind : In(1)
        Rule, see ``golden.array.cell``. Only for two cells.
    bits : In(cells)
        State of the cells, 1 = P.
    variants : In(variant_bits, a cell)
        A cell of the highest variant is stuck. Only with ``variant_bits``.
    pulse : In(pulse_layout)
    step : In(1)
        Advance the generators: the step of four cycles ago is an update or ageing, or the
        generators are seeded or read.
    flips : Out(cells)
        Cells that switch, of the step of four cycles ago.
    outcomes : Out(outcome_layout, a direction)
        Outcomes of the pulses of that step.
    load, thresholds : In
        Write the thresholds of the table row of a cycle ago.
    restart, inject : In(1), In(cells)
        Set the generators to ``init``; flip their newest bits as they advance.
    low : Out(cells)
        Lowest bits of the draws.

    Raises
    ------
    ValueError
        If ``init`` does not have one state a cell.

    References
    ----------
    Golden twin: ``golden.array.cell.switch``.
    """

    def __init__(self, config: ArrayConfig, *, init: tuple[int, ...]):
        if len(init) != config.cells:
            raise ValueError(f"init must have {config.cells} states, not {len(init)}")
        self._config, self._init = config, init
        cells = config.cells
        super().__init__(
            {
                "age": In(1),
                "bits": In(cells),
                "pulse": In(pulse_layout(config)),
                "step": In(1),
                "flips": Out(cells),
                "outcomes": Out(data.ArrayLayout(outcome_layout(config), 2)),
                "loading": In(1),
                "state": In(1),
                "load": In(1),
                "thresholds": In(threshold_layout(config)),
                "restart": In(1),
                "inject": In(cells),
                "low": Out(cells),
            }
            | ({"blind": In(1)} if cells == 2 else {})
            | (
                {
                    "variant": In(config.variant_bits),
                    "variants": In(data.ArrayLayout(config.variant_bits, cells)),
                }
                if config.variant_bits
                else {}
            )
        )

    def elaborate(self, platform):
        m = Module()
        draws = []
        for i, init in enumerate(self._init):
            generator = Lfsr(draw_bits=self._config.draw_bits, init=init)
            m.submodules[f"generator_{i}"] = generator
            m.d.comb += [
                generator.en.eq(self.step),
                generator.restart.eq(self.restart),
                generator.inject.eq(self.inject[i]),
                self.low[i].eq(generator.draw[0]),
            ]
            draws.append(generator.draw)
        self._switch(m, draws)
        return m

    def _read(self, m, rows):
        """Thresholds of registered table rows, one for each direction, three cycles later.

        Each direction has a memory with one address for reads and writes, so that a block RAM of
        two ports can hold both. Distributed RAM would take more logic than the rest of the lane.
        """
        thresholds = []
        for direction, row in enumerate(rows):
            memory = Memory(
                shape=unsigned(self._config.draw_bits + 1),
                depth=1 << row_layout(self._config).size,
                init=[],
                attrs={"ram_style": "block"},
            )
            m.submodules[f"table_{direction}"] = memory
            write, read = memory.write_port(), memory.read_port(domain="comb")
            m.d.comb += [
                write.en.eq(self.load),
                write.addr.eq(row),
                write.data.eq(self.thresholds[direction]),
                read.addr.eq(row),
            ]
            # No read while writing: synthesis need not keep an order of the two.
            width = self._config.draw_bits + 1
            word = Signal(width, name=f"found_{direction}", reset_less=True)
            threshold = Signal(width, name=f"threshold_{direction}", reset_less=True)
            with m.If(~self.load):
                m.d.sync += word.eq(read.data)
            m.d.sync += threshold.eq(word)
            # A block RAM's own register takes the first; the way from there is long.
            thresholds.append(delayed(m, threshold, 1, reset_less=True))
        return thresholds

    def _switch(self, m, draws):
        """From pulses to thresholds, comparisons and flips."""
        config, up, steps = self._config, self.pulse.up, self.pulse.kappa
        cells = config.cells
        variants = list(self.variants) if config.variant_bits else []
        stuck = Cat(variant.all() for variant in variants) if variants else Const(0, cells)

        # By direction, AP to P first: the cell, and whether its code is all ones (full) or all
        # zeros (empty) instead of ``code``. Set and clear of a register cost no logic.
        full = [Signal(name="first_full"), Signal(name="second_full")]
        empty = [Signal(name="first_empty"), Signal(name="second_empty")]
        m.d.comb += full[0].eq(steps.any())
        if cells == 1:
            to_p = to_ap = self.bits[0]
            near = 0
            m.d.comb += full[1].eq(steps.any())
        else:
            to_p = Mux(up, self.bits[0], self.bits[1])
            to_ap = Mux(up, self.bits[1], self.bits[0])
            # Far: both cells can switch, the one to P first. Near: at the bound, no cell can.
            far = Signal()
            near = Signal()
            m.d.comb += [
                far.eq(~to_p & to_ap & ~self.blind),
                near.eq(to_p & ~to_ap & ~self.blind),
                full[1].eq(Mux(far, steps[1], steps.any())),
                empty[1].eq(far & ~steps.any()),
            ]

        rows = self._rows(m, full, empty, variants)
        self._compare(m, draws, rows, stuck)
        codes = self._codes(full, empty, near)
        self._outcomes(m, codes, (to_p, ~to_ap))

    def _rows(self, m, full, empty, variants):
        """A table row for each direction. In ageing the row of a generator has its own cell's
        variant and state, and code 0."""
        config, up, code = self._config, self.pulse.up, self.pulse.code
        cells = config.cells
        rows = []
        for direction in range(2):
            i = direction if cells == 2 else 0
            sets = direction == 0 or cells == 1
            wanted = Signal(
                config.code_bits, name=f"code_{direction}", init=config.codes - 1 if sets else 0,
                reset_less=True,
            )  # fmt: skip
            row = Signal(row_layout(config), name=f"row_{direction}")
            m.d.comb += row.code.eq(wanted)
            with m.If(full[direction] if sets else empty[direction]):
                m.d.sync += wanted.eq(wanted.init)
            with m.Else():
                m.d.sync += wanted.eq(
                    code if sets else code | full[direction].replicate(config.code_bits)
                )
            state, age = (Signal(name=f"{name}_{direction}") for name in ("state", "age"))
            m.d.comb += [row.state.eq(state), row.age.eq(age)]
            m.d.sync += [
                state.eq(Mux(self.loading, self.state, self.age & self.bits[i])),
                age.eq(self.age),
            ]
            if variants:
                variant = Signal(config.variant_bits, name=f"variant_{direction}")
                m.d.comb += row.variant.eq(variant)
                driven = variants[i]
                if cells == 2:
                    driven = Mux(self.age | up, variants[i], variants[1 - i])
                m.d.sync += variant.eq(Mux(self.loading, self.variant, driven))
            rows.append(row)
        return rows

    def _compare(self, m, draws, rows, stuck):
        """Draws against thresholds: the cells that switch."""
        config, up, cells = self._config, self.pulse.up, self._config.cells
        # Which cells may switch, and whether cell i looks at draw i or at the other.
        free = Signal(cells)
        own = Signal()
        wanted = Cat(up, ~up)[:cells]  # the state that the pulse drives a cell to
        m.d.comb += [
            free.eq((self.age.replicate(cells) | (self.bits ^ wanted)) & ~stuck),
            own.eq(self.age | up),
        ]
        free, own = (delayed(m, flag, LATENCY, reset_less=True) for flag in (free, own))
        thresholds = self._read(m, rows)
        if cells == 1:
            thresholds = [Mux(own, thresholds[AP_TO_P], thresholds[P_TO_AP])]
        hits = []
        for i, (value, threshold) in enumerate(zip(draws, thresholds, strict=True)):
            # An explicit difference: its sign is the end of a carry chain.
            difference = Signal(signed(config.draw_bits + 2), name=f"difference_{i}")
            m.d.comb += difference.eq(value - threshold)
            unused(m, difference[:-1])
            hits.append(difference[-1])
        crossed = [Mux(own, hits[i], hits[cells - 1 - i]) for i in range(cells)]
        m.d.comb += self.flips.eq(free & Cat(crossed))
        self._own = own

    def _codes(self, full, empty, near):
        """Codes of the pulses, by direction; 0 without a pulse. Only the counters need them."""
        config, up, code = self._config, self.pulse.up, self.pulse.code
        first = Mux(full[0], config.codes - 1, code)
        second = Mux(empty[1], 0, Mux(full[1], config.codes - 1, code))
        codes = [Mux(near, 0, first), Mux(near, 0, second)]
        if config.cells == 1:
            codes = [Mux(up, first, 0), Mux(up, 0, first)]
        return codes

    def _outcomes(self, m, codes, idles):
        """Outcomes of the pulses, by direction. Only the counters need them."""
        config, own, cells = self._config, self._own, self._config.cells
        for direction, idle in enumerate(idles):
            asked_code, is_idle = (
                Signal(config.code_bits, name=f"code_{direction}"),
                Signal(name=f"idle_{direction}"),
            )
            m.d.comb += [asked_code.eq(codes[direction]), is_idle.eq(idle)]
            outcome = self.outcomes[direction]
            if cells == 1:
                switched = self.flips[0] & (own ^ direction)
            else:
                switched = Mux(own, self.flips[direction], self.flips[1 - direction])
            m.d.comb += [
                outcome.code.eq(delayed(m, asked_code, LATENCY, reset_less=True)),
                outcome.idle.eq(delayed(m, is_idle, LATENCY, reset_less=True)),
                outcome.switched.eq(switched),
            ]

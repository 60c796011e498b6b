"""One row's update logic: the two cells of a synapse, their pulses and their random switching."""

from amaranth.hdl import Const, Module, Mux, Signal, unsigned
from amaranth.lib import data, wiring
from amaranth.lib.wiring import In, Out

from golden.config import ArrayConfig
from golden.protocol import KAPPA_BITS
from golden.ptable import AP_TO_P, P_TO_AP
from hdl.lfsr import Lfsr


def pulse_layout(config: ArrayConfig) -> data.StructLayout:
    """A row's pulse, as it lies in an UPDATE word."""
    return data.StructLayout({"code": config.code_bits, "kappa": KAPPA_BITS, "up": 1})


def threshold_layout(config: ArrayConfig) -> data.ArrayLayout:
    """Thresholds of one table row: AP to P in the low bits, then P to AP."""
    return data.ArrayLayout(unsigned(config.draw_bits + 1), 2)


def outcome_layout(config: ArrayConfig) -> data.StructLayout:
    """What a pulse does: its ``code``, 0 if there is none; its cell ``idle``, in the target state
    already; its cell ``switched``."""
    return data.StructLayout({"code": config.code_bits, "idle": 1, "switched": 1})


class Lane(wiring.Component):
    """Decides which cells of a synapse switch, with a generator per cell.

    Combinational from ``bits``, pulse and thresholds to ``flips``; the generators advance at the
    end of the cycle. In an update a generator belongs to a direction where there are two, in
    ageing to its cell.

    Parameters
    ----------
    config : ArrayConfig
    init : sequence of int
        Power-up states of the generators, one per cell.

    Members
    -------
    en : In(1)
        The generators do as told below at the end of the cycle; otherwise they stand still.
    update : In(1)
        Every generator advances by a draw.
    age : In(1)
        ``flips`` are those of ageing, not of a pulse.
    shift : In(1)
        Move the generators' chain by one word instead: ``chain_in`` in, ``chain_out`` out.
    blind : In(1)
        Rule, see ``golden.cell``; only where a synapse has two cells.
    bits : In(cells)
        State of the cells, 1 = P.
    variants : In(variant_bits, a cell)
        The highest is stuck; only where there are variants.
    pulse : In(pulse_layout)
    codes : Out(code, a generator)
        Of the table's row that decides its pulse; the variant is that of the cell it drives.
    thresholds : In(threshold_layout)
        By direction, from the row of the direction's generator.
    ageing : In(K + 1 bits, a cell)
        The threshold of each cell for leaving its state by ageing.
    flips : Out(cells)
        Cells that switch.
    outcomes : Out(outcome_layout, a direction)
        What the pulse does, if it is one.
    chain_in, chain_out : draw_bits wide

    References
    ----------
    Golden twin: ``golden.cell.switch``.
    """

    def __init__(self, config: ArrayConfig, *, init: tuple[int, ...]):
        if len(init) != config.cells:
            raise ValueError(f"init must have {config.cells} states, not {len(init)}")
        self._config, self._init = config, init
        cells = config.cells
        super().__init__(
            {
                "en": In(1),
                "update": In(1),
                "age": In(1),
                "shift": In(1),
                "bits": In(cells),
                "pulse": In(pulse_layout(config)),
                "codes": Out(data.ArrayLayout(config.code_bits, cells)),
                "thresholds": In(threshold_layout(config)),
                "ageing": In(data.ArrayLayout(config.draw_bits + 1, cells)),
                "flips": Out(cells),
                "outcomes": Out(data.ArrayLayout(outcome_layout(config), 2)),
                "chain_in": In(config.draw_bits),
                "chain_out": Out(config.draw_bits),
            }
            | ({"blind": In(1)} if cells == 2 else {})
            | (
                {"variants": In(data.ArrayLayout(config.variant_bits, cells))}
                if config.variant_bits
                else {}
            )
        )

    def elaborate(self, platform):
        m = Module()
        generators = []
        word = self.chain_in
        for i, init in enumerate(self._init):
            generator = Lfsr(draw_bits=self._config.draw_bits, init=init)
            m.submodules[f"generator_{i}"] = generator
            m.d.comb += [
                generator.en.eq(self.en & (self.update | self.shift)),
                generator.load.eq(self.shift),
                generator.word.eq(word),
            ]
            word = generator.draw
            generators.append(generator)
        m.d.comb += self.chain_out.eq(word)

        self._switch(m, [generator.draw for generator in generators])
        return m

    def _switch(self, m, draws):
        """Pulses, thresholds and what comes of them."""
        config, up, steps = self._config, self.pulse.up, self.pulse.kappa
        cells, full = config.cells, config.codes - 1
        variants = list(self.variants) if config.variant_bits else []
        stuck = [variant.all() for variant in variants] or [Const(0)] * cells

        def swapped(values):
            """From cells to directions and back."""
            return [Mux(up, values[i], values[1 - i]) for i in range(2)] if cells == 2 else values

        def hit(i, threshold):
            """Whether generator ``i`` draws less than the pulse's threshold, or its aged cell's."""
            return draws[i] < Mux(self.age, self.ageing[i], threshold)

        first = Mux(steps.any(), full, self.pulse.code)
        if cells == 1:
            to_p = to_ap = self.bits[0]
            asked, codes = [first], [Mux(up, first, 0), Mux(up, 0, first)]
            hits = [hit(0, Mux(up, self.thresholds[AP_TO_P], self.thresholds[P_TO_AP]))]
            moved = [hits[0] & (to_p != up)]
            switched = [moved[0] & up, moved[0] & ~up]
        else:
            to_p, to_ap = swapped(self.bits)
            # Where both cells are to switch the one driven to P is first; at the bound is none.
            far = Signal()
            near = Signal()
            m.d.comb += [far.eq(~to_p & to_ap & ~self.blind), near.eq(to_p & ~to_ap & ~self.blind)]
            second = Mux(far & ~steps[1], Mux(steps[0], self.pulse.code, 0), first)
            # There, as neither cell is to switch, it does not matter which row is looked up.
            asked, codes = [first, second], [Mux(near, 0, first), Mux(near, 0, second)]
            hits = [hit(i, self.thresholds[i]) for i in range(2)]
            switched = [~to_p & hits[0], to_ap & hits[1]]
            moved = swapped(switched)
        frozen = (swapped(stuck) * 2)[:2]
        m.d.comb += [own.eq(code) for own, code in zip(self.codes, asked, strict=True)]
        for i, idle in enumerate((to_p, ~to_ap)):
            outcome = self.outcomes[i]
            m.d.comb += [
                outcome.code.eq(codes[i]),
                outcome.idle.eq(idle),
                outcome.switched.eq(switched[i] & ~frozen[i]),
            ]
        for i in range(cells):
            m.d.comb += self.flips[i].eq(Mux(self.age, hits[i], moved[i]) & ~stuck[i])

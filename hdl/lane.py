"""One row's update logic: the two cells of a synapse, their pulses and their random switching."""

from amaranth.hdl import Cat, Module, Mux, Signal, unsigned
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
    """Thresholds of one code: AP to P in the low bits, then P to AP."""
    return data.ArrayLayout(unsigned(config.draw_bits + 1), 2)


class Lane(wiring.Component):
    """Decides which cells of a synapse switch, with a generator per cell.

    Combinational from ``bits``, ``pulse`` and thresholds to ``flips``; the generators advance at
    the end of the cycle.

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
    shift : In(1)
        Move the generators' chain by one word instead: ``chain_in`` in, ``chain_out`` out.
    blind : In(1)
        Rule, see ``golden.cell``; only where a synapse has two cells.
    bits : In(cells)
        State of the cells, 1 = P.
    up, kappa : In
        Direction and whole steps of the pulse.
    threshold, full : In(threshold_layout)
        The table's rows of the pulse's code and of the full pulse.
    flips : Out(cells)
        Cells that switch if this is a pulse.
    chain_in, chain_out : draw_bits wide

    References
    ----------
    Golden twin: ``golden.cell.switch``.
    """

    def __init__(self, config: ArrayConfig, *, init: tuple[int, ...]):
        if len(init) != config.cells:
            raise ValueError(f"init must have {config.cells} states, not {len(init)}")
        self._config, self._init = config, init
        super().__init__(
            {
                "en": In(1),
                "update": In(1),
                "shift": In(1),
                "bits": In(config.cells),
                "up": In(1),
                "kappa": In(KAPPA_BITS),
                "threshold": In(threshold_layout(config)),
                "full": In(threshold_layout(config)),
                "flips": Out(config.cells),
                "chain_in": In(config.draw_bits),
                "chain_out": Out(config.draw_bits),
            }
            | ({"blind": In(1)} if config.cells == 2 else {})
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

        up, steps, code_pulse = self.up, self.kappa, self.threshold
        if self._config.cells == 1:
            full = Mux(up, self.full[AP_TO_P], self.full[P_TO_AP])
            threshold = Mux(steps.any(), full, Mux(up, code_pulse[AP_TO_P], code_pulse[P_TO_AP]))
            m.d.comb += self.flips.eq((self.bits[0] != up) & (generators[0].draw < threshold))
        else:
            to_p = Mux(up, self.bits[0], self.bits[1])
            to_ap = Mux(up, self.bits[1], self.bits[0])
            # Both cells are to switch: the one driven to P first.
            both = Signal()
            m.d.comb += both.eq(~to_p & to_ap & ~self.blind)
            second_full = Mux(both, steps[1], steps.any())
            second_none = both & ~steps.any()
            first_threshold = Mux(steps.any(), self.full[AP_TO_P], code_pulse[AP_TO_P])
            second_threshold = Mux(second_full, self.full[P_TO_AP], code_pulse[P_TO_AP])
            flip_to_p = Signal()
            flip_to_ap = Signal()
            m.d.comb += [
                flip_to_p.eq(~to_p & (generators[AP_TO_P].draw < first_threshold)),
                flip_to_ap.eq(to_ap & ~second_none & (generators[P_TO_AP].draw < second_threshold)),
                self.flips.eq(Mux(up, Cat(flip_to_p, flip_to_ap), Cat(flip_to_ap, flip_to_p))),
            ]
        return m

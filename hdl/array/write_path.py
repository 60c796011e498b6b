"""Write path of the array: a lane for each row."""

from amaranth.hdl import Cat, Module
from amaranth.lib import data, wiring
from amaranth.lib.wiring import In, Out

from golden.array import frames, lfsr
from golden.config import ArrayConfig
from hdl.array.lane import Lane, outcome_layout, threshold_layout


class WritePath(wiring.Component):
    """The lanes of all rows.

    Latency: as ``hdl.array.lane.Lane``, ``flips`` 4 cycles after the cells and pulses. One step a
    cycle; it never stalls.

    Parameters
    ----------
    config : ArrayConfig

    Members
    -------
    bits : In(rows * cells)
        A column's cells, plane by plane. ``variants`` (a column for each bit of an index),
        ``inject``, ``flips`` and ``low`` have the same order.
    pulses : In
        One pulse a row, as in an UPDATE word.
    age, blind, loading, state, variant, step, load, thresholds, restart : In
        Shared by all lanes, see ``hdl.array.lane.Lane``.
    variants, inject : In
    flips, low : Out
    outcomes : Out(a lane's, a row)
        Only with ``counters``.
    """

    def __init__(self, config: ArrayConfig):
        self._config = config
        rows, size = config.rows, config.rows * config.cells
        outcomes = data.ArrayLayout(data.ArrayLayout(outcome_layout(config), 2), rows)
        super().__init__(
            {
                "bits": In(size),
                "pulses": In(rows * frames.pulse_bits(config)),
                "age": In(1),
                "step": In(1),
                "loading": In(1),
                "state": In(1),
                "load": In(1),
                "thresholds": In(threshold_layout(config)),
                "restart": In(1),
                "inject": In(size),
                "flips": Out(size),
                "low": Out(size),
            }
            | ({"blind": In(1)} if config.cells == 2 else {})
            | (
                {
                    "variant": In(config.variant_bits),
                    "variants": In(data.ArrayLayout(size, config.variant_bits)),
                }
                if config.variant_bits
                else {}
            )
            | ({"outcomes": Out(outcomes)} if config.counters else {})
        )

    def elaborate(self, platform):
        m = Module()
        config = self._config
        rows, cells = config.rows, config.cells
        states = lfsr.stream_states(0, 0, frames.generators(config)).reshape(rows, cells)
        shared = ["age", "loading", "state", "step", "load", "thresholds", "restart"]
        shared += ["blind"] if cells == 2 else []
        shared += ["variant"] if config.variant_bits else []
        for j in range(rows):
            own = [j + i * rows for i in range(cells)]
            m.submodules[f"lane_{j}"] = lane = Lane(config, init=tuple(states[j].tolist()))
            m.d.comb += [getattr(lane, name).eq(getattr(self, name)) for name in shared]
            m.d.comb += [
                lane.bits.eq(Cat(self.bits[at] for at in own)),
                lane.pulse.eq(self.pulses.word_select(j, frames.pulse_bits(config))),
                lane.inject.eq(Cat(self.inject[at] for at in own)),
                *(self.flips[at].eq(lane.flips[i]) for i, at in enumerate(own)),
                *(self.low[at].eq(lane.low[i]) for i, at in enumerate(own)),
            ]
            if config.variant_bits:
                m.d.comb += [
                    lane.variants[i].eq(Cat(plane[at] for plane in self.variants))
                    for i, at in enumerate(own)
                ]
            if config.counters:
                m.d.comb += self.outcomes[j].eq(lane.outcomes)
        return m

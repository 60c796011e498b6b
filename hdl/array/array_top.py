"""The instantiable block: controller and behavioural array."""

from collections.abc import Sequence

from amaranth.hdl import Module
from amaranth.lib import stream, wiring
from amaranth.lib.wiring import In, Out

from golden.array import frames
from golden.config import ArrayConfig
from hdl.array.controller import Controller, word_layout
from hdl.array.port import CAUSE_BITS
from hdl.array.synapse_array import SynapseArray


class ArrayTop(wiring.Component):
    """A synapse array that trains, behind two streams.

    Latency: a command of N steps takes N + 19 cycles from header to trailer.

    Ordering and stalls: ``hdl.array.controller.Controller``. Reset once after power-up; it does not
    change cells, variants or the table.

    Parameters
    ----------
    config : ArrayConfig
    init : sequence of int
        First words of the cell memory at power-up, see ``hdl.array.synapse_array.SynapseArray``.

    Members
    -------
    i : In(stream of word_layout(data_bits))
        Command frames.
    o : Out(stream of word_layout(result_bits))
        Result frames.
    cause : Out(3)
        Sticky error, 0 if none.

    Raises
    ------
    TypeError
        If ``config`` is not an ArrayConfig.

    References
    ----------
    Frames and latencies: ``golden.array.frames``. Golden twin:
    ``golden.array.controller.GoldenController``.
    """

    def __init__(self, config: ArrayConfig, init: Sequence[int] = ()):
        if not isinstance(config, ArrayConfig):
            raise TypeError(f"config must be an ArrayConfig, not {config!r}")
        self.config, self._init = config, init
        super().__init__(
            {
                "i": In(stream.Signature(word_layout(frames.data_bits(config)))),
                "o": Out(stream.Signature(word_layout(frames.result_bits(config)))),
                "cause": Out(CAUSE_BITS),
            }
        )

    def elaborate(self, platform):
        m = Module()
        m.submodules.controller = controller = Controller(self.config)
        m.submodules.array = array = SynapseArray(self.config, self._init)
        wiring.connect(m, controller.array, array.port)
        wiring.connect(m, wiring.flipped(self.i), controller.i)
        wiring.connect(m, wiring.flipped(self.o), controller.o)
        m.d.comb += self.cause.eq(controller.cause)
        return m

"""A tile: an array that command frames or the engines drive."""

from amaranth.hdl import Module, Mux
from amaranth.lib import stream, wiring
from amaranth.lib.wiring import In, Out

from golden.array import frames
from golden.config import ArrayConfig
from hdl.array.controller import Controller, word_layout
from hdl.array.port import array_port
from hdl.array.synapse_array import SynapseArray


class Tile(wiring.Component):
    """An array, its controller, and a multiplexer between controller and engines.

    Latency: as ``hdl.array.port.array_port``; the multiplexer adds no cycle.

    Ordering: ``running`` may change only while neither side has steps in the array.

    Parameters
    ----------
    config : ArrayConfig

    Members
    -------
    i, o : In, Out(stream)
        Command and result frames, see ``golden.array.frames``.
    running : In(1)
        The engines drive the array, not the controller.
    port : In(array_port)
        The engines' side.
    """

    def __init__(self, config: ArrayConfig):
        self._config = config
        super().__init__(
            {
                "i": In(stream.Signature(word_layout(frames.data_bits(config)))),
                "o": Out(stream.Signature(word_layout(frames.result_bits(config)))),
                "running": In(1),
                "port": In(array_port(config)),
            }
        )

    def elaborate(self, platform):
        m = Module()
        m.submodules.controller = controller = Controller(self._config)
        m.submodules.array = array = SynapseArray(self._config)
        wiring.connect(m, wiring.flipped(self.i), controller.i)
        wiring.connect(m, wiring.flipped(self.o), controller.o)
        for name, member in array_port(self._config).members.items():
            inner, outer, host = (
                getattr(each, name) for each in (array.port, self.port, controller.array)
            )
            if member.flow is Out:
                m.d.comb += inner.eq(Mux(self.running, outer, host))
            elif name in ("switched", "fault"):
                # The controller adds these up at all times, so it must not see the engines'.
                m.d.comb += [outer.eq(inner), host.eq(Mux(self.running, 0, inner))]
            else:
                m.d.comb += [outer.eq(inner), host.eq(inner)]
        return m

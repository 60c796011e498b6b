"""A harness for the timing of components that have more pins than a chip."""

from amaranth.hdl import Cat, Module, Signal, Value
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

INNER = "core"  # the component's name within the frame
_FAN_IN = 4  # what one LUT folds


class Harness(wiring.Component):
    """A component whose inputs come out of a shift register and whose outputs are folded.

    All paths of the component begin and end in registers. Nothing is optimised away: every input
    is free, and every output changes ``o``. The harness has no long path of its own: it is a shift
    register and a tree of exclusive ors with a register at each gate.

    Members
    -------
    i : In(1)
        Bits of the inputs, one per cycle.
    o : Out(1)
        Parity of the outputs, some cycles later.
    """

    def __init__(self, component: wiring.Component):
        self._component = component
        super().__init__({"i": In(1), "o": Out(1)})

    def elaborate(self, platform: object) -> Module:
        m = Module()
        component = self._component
        m.submodules[INNER] = component
        inputs: list[Value] = []
        outputs: list[Value] = []
        for _, member, port in component.signature.flatten(component):
            (inputs if member.flow == In else outputs).append(Value.cast(port))

        shift = Signal(sum(len(value) for value in inputs) or 1)
        m.d.sync += shift.eq(Cat(self.i, shift))
        start = 0
        for value in inputs:
            m.d.comb += value.eq(shift[start : start + len(value)])
            start += len(value)

        level = Cat(outputs)
        depth = 0
        while True:
            bits = Signal(len(level), name=f"folded_{depth}")
            m.d.sync += bits.eq(level)
            if len(bits) <= 1:
                break
            groups = [bits[at : at + _FAN_IN] for at in range(0, len(bits), _FAN_IN)]
            level, depth = Cat(group.xor() for group in groups), depth + 1
        m.d.comb += self.o.eq(bits)
        return m

"""The host's port to the memories of the accelerator."""

from amaranth.hdl import Cat, Const
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from golden.accel.config import AcceleratorConfig
from golden.accel.interface import Space
from golden.accel.packets import space_words
from hdl.accel.loops import ADDRESS_BITS

PART, PART_BITS = 32, 12  # bits of a part of a host word; bits of a part's number


def part_of(word, part):
    """Part ``part`` of a word; bits beyond the word are 0."""
    parts = -(-len(word) // PART)
    return Cat(word, Const(0, parts * PART - len(word))).word_select(
        part[: (parts - 1).bit_length()], PART
    )


def host_port(config: AcceleratorConfig) -> wiring.Signature:
    """The host's port to the memories, seen from the host. Only while no program runs.

    Members
    -------
    space, address, part : Out
        Memory, word, and 32-bit part of the word.
    write : Out(1)
        Write ``data`` in this cycle.
    data : Out
        A whole word. For ERRORS, whose memory is narrower: the part ``part``.
    word : In(32)
        The part that was addressed a cycle ago.
    """
    spaces = space_words(config).items()
    width = max(bits for space, (_, bits) in spaces if space is not Space.ERRORS)
    return wiring.Signature(
        {
            "space": Out(4),
            "address": Out(ADDRESS_BITS),
            "part": Out(PART_BITS),
            "write": Out(1),
            "data": Out(width),
            "word": In(PART),
        }
    )

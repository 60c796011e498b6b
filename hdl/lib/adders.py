"""Adders of many terms: adder tree, carry-save adder, population count."""

from collections.abc import Callable

from amaranth.hdl import Cat, Module, Signal, Value


def adder_tree(terms: list[Value]) -> Value:
    """Sum of ``terms`` by a balanced tree, wide enough for any sum."""
    while len(terms) > 1:
        pairs = [a + b for a, b in zip(terms[::2], terms[1::2], strict=False)]
        terms = pairs + terms[len(pairs) * 2 :]
    return terms[0]


def carry_save_adder(
    m: Module,
    columns: list[Value],
    *,
    cuts: tuple[int, ...] = (),
    register: Callable[[Value], Value] = lambda value: value,
) -> Value:
    """Sum of bits of unequal weight, built into ``m.d.comb``.

    Level by level, full adders take three bits of one weight each, until at most two bits of each
    weight remain. One short addition ends it. It takes about one full adder a bit; the depth is
    logarithmic.

    Parameters
    ----------
    columns : list of Value
        Bits of weight 1, of weight 2, of weight 4, ...
    cuts : tuple of int
        Numbers of levels of full adders after which the bits go through ``register``. A cut beyond
        the last level comes before the addition. Every cut costs a cycle, so the latency does not
        depend on the number of bits.
    register : callable
        A value, a cycle later; a cut needs it.

    Returns
    -------
    Value
        As wide as ``columns`` and all carries, without loss.
    """
    held = list(cuts)
    level = 0

    def cut() -> None:
        while held and held[0] <= level:
            held.pop(0)
            columns[:] = [register(column) if len(column) else column for column in columns]

    columns = list(columns)
    cut()
    while max(map(len, columns)) > 2:
        level += 1
        sums, carries = [], [Cat()]
        for weight, column in enumerate(columns):
            third = len(column) // 3
            a, b, c = (column[i * third : (i + 1) * third] for i in range(3))
            total = Signal(third, name=f"sum_{level}_{weight}")
            carry = Signal(third, name=f"carry_{level}_{weight}")
            m.d.comb += [total.eq(a ^ b ^ c), carry.eq((a & b) | ((a ^ b) & c))]
            sums.append(Cat(total, column[3 * third :]))
            carries.append(carry)
        sums.append(Cat())
        columns = [Cat(pair) for pair in zip(sums, carries, strict=True)]
        while not len(columns[-1]):
            columns.pop()
        cut()
    level = max([level, *cuts])
    cut()
    first, second = (
        Cat(column[i] if len(column) > i else 0 for column in columns) for i in range(2)
    )
    return first + second


def popcount(m: Module, bits: Value, **pipeline) -> Value:
    """Population count: the number of ones in ``bits``, wide enough for ``len(bits)``.

    Takes the keyword arguments of ``carry_save_adder``.
    """
    ones = Signal(len(Value.cast(bits)), name="count_bits")
    m.d.comb += ones.eq(bits)
    return carry_save_adder(m, [ones], **pipeline)[: len(ones).bit_length()]

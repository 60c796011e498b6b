"""Sums of many terms: a tree of adders, and population count by carry-save addition."""

from amaranth.hdl import Cat, Module, Signal, Value


def add_up(terms: list[Value]) -> Value:
    """Sum of ``terms`` by a balanced tree; as wide as it needs."""
    while len(terms) > 1:
        pairs = [a + b for a, b in zip(terms[::2], terms[1::2], strict=False)]
        terms = pairs + terms[len(pairs) * 2 :]
    return terms[0]


def count_ones(m: Module, bits: Value) -> Value:
    """Number of ones in ``bits``, built into ``m.d.comb``; as wide as the count needs.

    Full adders work on thirds of a whole vector of bits of one weight until at most two bits of
    each weight remain, and one short addition ends it: about ``len(bits)`` full adders, depth
    logarithmic.
    """
    ones = Signal(len(Value.cast(bits)), name="count_bits")
    m.d.comb += ones.eq(bits)
    columns = [ones]
    weight = 0
    while weight < len(columns):
        while len(column := columns[weight]) > 2:
            third = len(column) // 3
            a, b, c = (column[i * third : (i + 1) * third] for i in range(3))
            total = Signal(third, name=f"count_sum_{weight}")
            carry = Signal(third, name=f"count_carry_{weight}")
            m.d.comb += [total.eq(a ^ b ^ c), carry.eq((a & b) | ((a ^ b) & c))]
            columns[weight] = Cat(total, column[3 * third :])
            above = columns.pop() if len(columns) > weight + 1 else Cat()
            columns.append(Cat(above, carry))
        weight += 1
    first, second = (
        Cat(column[i] if len(column) > i else 0 for column in columns) for i in range(2)
    )
    return (first + second)[: len(ones).bit_length()]

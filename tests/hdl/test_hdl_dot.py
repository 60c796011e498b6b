# amaranth: UnusedElaboratable=no
"""The ternary dot product against integers."""

import itertools

import numpy as np
import pytest
from hdl_sim import number, simulate

from golden.codes import ILLEGAL, MINUS, PLUS, encode_trits
from hdl.lib.dot import TernaryDot


def value(code):
    """Of a two-bit code; the illegal one is 0."""
    return {0b00: 0, 0b01: 1, 0b10: 0, 0b11: -1}[code]


def product(w, u):
    return sum(value(a) * value(b) for a, b in zip(w, u, strict=True))


def put(ctx, dot, w, u):
    """Codes of both vectors onto the four planes."""
    for name, codes in (("w", w), ("u", u)):
        ctx.set(getattr(dot, f"{name}_nonzero"), number([code & 1 for code in codes]))
        ctx.set(getattr(dot, f"{name}_negative"), number([code >> 1 for code in codes]))


def stream(dot, pairs, products):
    """A pair of code vectors a cycle, and each product three cycles later."""

    async def testbench(ctx):
        for k in range(len(pairs) + 3):
            if k < len(pairs):
                put(ctx, dot, *pairs[k])
            if k >= 3:
                assert ctx.get(dot.sum) == products[k - 3], pairs[k - 3]
            await ctx.tick()

    simulate(dot, testbench)


def compare(length, pairs):
    dot = TernaryDot(length=length)
    assert len(dot.sum) == length.bit_length() + 1

    stream(dot, pairs, [product(w, u) for w, u in pairs])


@pytest.mark.parametrize("length", [1, 2])
def test_every_pair_of_vectors(length):
    """The illegal code among them."""
    vectors = list(itertools.product(range(4), repeat=length))
    compare(length, list(itertools.product(vectors, repeat=2)))


@pytest.mark.parametrize("length", [3, 8, 27, 64])
def test_random_and_extreme_vectors(length):
    rng = np.random.default_rng(length)
    plus, minus, illegal = ([code] * length for code in (PLUS, MINUS, ILLEGAL))
    pairs = list(itertools.product([plus, minus, illegal, [0] * length], repeat=2))
    for codes in ([0, 1, 3], [1, 3], [0, 1, 2, 3], [1, 2]):
        pairs += [rng.choice(codes, (2, length)).tolist() for _ in range(20)]
    assert {product(w, u) for w, u in pairs} >= {length, -length, 0}
    compare(length, pairs)


@pytest.mark.parametrize("length", [8, 64])
def test_product_of_encoded_trits_is_the_integer_product(length):
    rng = np.random.default_rng(length)
    dot = TernaryDot(length=length)
    vectors = rng.integers(-1, 2, (40, 2, length))
    products = [int(w @ u) for w, u in vectors]
    stream(dot, encode_trits(vectors).tolist(), products)


@pytest.mark.parametrize("length", [0, -1])
def test_length_must_be_positive(length):
    with pytest.raises(ValueError, match=rf"^length must be at least 1, not {length}$"):
        TernaryDot(length=length)

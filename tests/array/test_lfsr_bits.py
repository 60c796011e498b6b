"""States of generators in and out by a bit a draw, against registers that move bit by bit."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from test_lfsr import MASK, sequence, step

from golden.array import lfsr


def walk(state, draw_bits, bits):
    """A leap for each bit, which turns the newest bit of the state."""
    for bit in bits:
        for _ in range(draw_bits):
            state = step(state)
        state ^= int(bit) << 63
    return state


SHAPES = [(), (5,), (3, 2), (2, 1, 3)]
EDGES = np.array([0, 1, 1 << 63, MASK, 0xA5 << 29], np.uint64)


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("draw_bits", [8, 16, 32])
def test_injections_lead_from_any_state_to_any(draw_bits, shape):
    rng = np.random.default_rng(draw_bits)
    for _ in range(3):
        start, states = rng.integers(0, MASK, (2, *shape), np.uint64, endpoint=True)
        bits = lfsr.injections(start, states, draw_bits)
        assert (bits.shape, bits.dtype) == ((64, *shape), np.uint8)
        assert bits.max() <= 1
        for at in np.ndindex(shape):
            place = (slice(None), *at)
            assert walk(int(start[at]), draw_bits, bits[place]) == int(states[at]), at


@pytest.mark.parametrize("draw_bits", [8, 16, 32])
def test_injections_from_and_to_special_states(draw_bits):
    start, states = (each.ravel() for each in np.meshgrid(EDGES, EDGES))
    bits = lfsr.injections(start, states, draw_bits)
    for i, (one, other) in enumerate(zip(start.tolist(), states.tolist(), strict=True)):
        assert walk(one, draw_bits, bits[:, i]) == other, (one, other)


@given(st.sampled_from([8, 16, 32]), st.integers(0, MASK), st.integers(0, MASK))
def test_injections_are_the_only_ones(draw_bits, start, bits):
    """The injections for the state after any 64 bits are these bits."""
    turned = [bits >> i & 1 for i in range(64)]
    end = walk(start, draw_bits, turned)
    both = np.array(start, np.uint64), np.array(end, np.uint64)
    assert lfsr.injections(*both, draw_bits).tolist() == turned


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("draw_bits", [8, 16, 32])
def test_states_are_known_from_the_low_bits_of_their_draws(draw_bits, shape):
    rng = np.random.default_rng(draw_bits)
    states = rng.integers(0, MASK, shape, np.uint64, endpoint=True)
    bits = np.zeros((64, *shape), np.uint8)
    for at in np.ndindex(shape):
        whole = sequence(int(states[at]), 64 * draw_bits)
        bits[(slice(None), *at)] = [whole >> i * draw_bits & 1 for i in range(64)]
    got = lfsr.observed(bits, draw_bits)
    assert (got.shape, got.dtype) == (shape, np.uint64)
    assert np.array_equal(got, states)


@pytest.mark.parametrize("draw_bits", [8, 16, 32])
def test_special_states_are_known_too(draw_bits):
    bits = np.zeros((64, len(EDGES)), np.uint8)
    for j, state in enumerate(EDGES.tolist()):
        whole = sequence(state, 64 * draw_bits)
        bits[:, j] = [whole >> i * draw_bits & 1 for i in range(64)]
    assert lfsr.observed(bits, draw_bits).tolist() == EDGES.tolist()

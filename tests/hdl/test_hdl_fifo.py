# amaranth: UnusedElaboratable=no
"""The queue behind the array, against a list."""

from collections import deque

import numpy as np
import pytest
from amaranth.lib import data
from hdl_sim import simulate

from hdl.lib.fifo import Fifo


@pytest.mark.parametrize("depth", [2, 4, 16])
@pytest.mark.parametrize("ready", [0.2, 0.7, 1.0])
def test_words_come_out_as_they_went_in(depth, ready):
    """Full, empty and in between; out three cycles after it came, if none is before it."""
    queue, rng = (
        Fifo(data.StructLayout({"data": 9, "last": 1}), depth),
        np.random.default_rng(depth),
    )

    async def testbench(ctx):
        held, fullest = deque(), 0
        for cycle in range(600):
            write = int(len(held) < depth and rng.random() < (0.9 if cycle % 100 < 50 else 0.3))
            word = {"data": int(rng.integers(512)), "last": int(rng.integers(2))}
            taken = int(rng.random() < ready)
            ctx.set(queue.write, write)
            ctx.set(queue.word, word)
            ctx.set(queue.o.ready, taken)
            *_, valid, number, last = await ctx.tick().sample(
                queue.o.valid, queue.o.p.data, queue.o.p.last
            )
            assert valid == bool(held and cycle >= held[0][0] + 3), f"cycle {cycle}"
            if valid:
                came, first = held[0]
                assert ({"data": number, "last": last}, cycle >= came + 3) == (first, True)
            if valid and taken:
                held.popleft()
            if write:
                held.append((cycle, word))
            fullest = max(fullest, len(held))
        assert fullest == depth or ready == 1

    simulate(queue, testbench)

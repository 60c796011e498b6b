# amaranth: UnusedElaboratable=no
"""One row's backward sum against integers."""

import numpy as np
import pytest
from hdl_sim import number, simulate

from golden.config import ArrayConfig
from hdl.lib.accumulator import RowAccumulator


def put(ctx, accumulator, w, d):
    ctx.set(accumulator.nonzero, number([x != 0 for x in w]))
    ctx.set(accumulator.negative, number([x < 0 for x in w]))
    ctx.set(accumulator.d, d)
    ctx.set(accumulator.minus, [-x for x in d])


def accumulator_of(config):
    return RowAccumulator(
        columns=config.columns_per_cycle, error_bits=config.error_bits, sum_bits=config.back_bits
    )


@pytest.mark.parametrize("error_bits", [2, 8, 16])
@pytest.mark.parametrize("columns", [1, 2, 4, 8])
def test_sums_of_random_steps(columns, error_bits):
    """Steps without a sum, vectors broken off, and a zero weight of either sign bit."""
    config = ArrayConfig(cols=32, columns_per_cycle=columns, error_bits=error_bits)
    accumulator, rng = accumulator_of(config), np.random.default_rng(columns + error_bits)
    limit = config.max_error

    async def testbench(ctx):
        shown, ended, running, steps = 0, None, 0, 0
        for _ in range(400):
            add = int(rng.integers(4) > 0)
            last = int(steps + add == 32 // columns or rng.integers(6) == 0)
            w = rng.integers(-1, 2, columns)
            d = rng.integers(-limit - 1, limit + 1, columns)
            put(ctx, accumulator, w.tolist(), d.tolist())
            noise = int(rng.integers(1 << columns)) & number(w == 0)
            ctx.set(accumulator.negative, number(w < 0) | noise)
            ctx.set(accumulator.add, add)
            ctx.set(accumulator.last, last)
            assert ctx.get(accumulator.sum) == shown
            await ctx.tick()
            shown = shown if ended is None else ended  # two cycles after the end
            running += add * int(w @ d)
            ended = running if last else None
            running, steps = (0, 0) if last else (running, steps + add)

    simulate(accumulator, testbench)


@pytest.mark.parametrize("w", [-1, 1])
@pytest.mark.parametrize(("cols", "columns"), [(1, 1), (4, 1), (10, 2), (16, 16)])
@pytest.mark.parametrize("error_bits", [2, 8])
def test_extremes_fit(error_bits, cols, columns, w):
    """The largest sum of the smallest error, and back through zero to the other end."""
    config = ArrayConfig(cols=cols, columns_per_cycle=columns, error_bits=error_bits)
    accumulator = accumulator_of(config)

    async def testbench(ctx):
        ctx.set(accumulator.add, 1)
        due = []
        for d in (-config.max_error - 1, config.max_error):
            put(ctx, accumulator, [w] * columns, [d] * columns)
            for steps in range(1, cols // columns + 1):
                for step in range(1, steps + 1):
                    ctx.set(accumulator.last, step == steps)
                    due.append(w * d * columns * steps if step == steps else None)
                    await ctx.tick()
                    if len(due) > 1 and due[-2] is not None:
                        assert ctx.get(accumulator.sum) == due[-2]
        ctx.set(accumulator.last, 0)
        await ctx.tick()
        assert ctx.get(accumulator.sum) == due[-1]

    simulate(accumulator, testbench)


@pytest.mark.parametrize("columns", [0, -1])
def test_columns_must_be_positive(columns):
    with pytest.raises(ValueError, match=rf"^columns must be at least 1, not {columns}$"):
        RowAccumulator(columns=columns, error_bits=8, sum_bits=9)

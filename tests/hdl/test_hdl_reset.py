# amaranth: UnusedElaboratable=no
"""Reset at any cycle of any command: nothing of what was under way is left."""

import numpy as np
import pytest
from amaranth.hdl import ResetInserter, Signal
from hdl_sim import check, converse, integers, simulate
from hdl_twin import Twin, header

from golden.array.frames import Op, age_frame, backward_frame, read_frame, update_frame
from golden.config import ArrayConfig
from hdl.array.array_top import ArrayTop

CONFIG = ArrayConfig(rows=3, cols=2, columns_per_cycle=2, draw_bits=8, code_bits=3)
LONGEST = 26  # cycles after which no command here has anything under way


def frames(twin, rng):
    """Of each kind that could leave something behind; all rows of all columns take part."""
    limit = twin.config.max_error
    ones = np.ones((twin.config.cols, twin.config.rows), int)
    update = integers(update_frame(twin.config, 2 * ones, 7 * ones, 0, False))
    bad = integers(update_frame(twin.config, ones, ones, 0, False))
    bad[1] |= 3 << twin.config.code_bits
    d = np.full((3, twin.config.cols), -limit)
    return {
        "BACKWARD": integers(backward_frame(twin.config, d, 0)),
        "UPDATE": update,
        "AGE": integers(age_frame(twin.config, 0, twin.config.cols)),
        "READ": integers(read_frame(twin.config, 0, twin.config.cols)),
        "GENERATORS": [header(Op.GENERATORS)],
        "SEED": twin.seed(int(rng.integers(1000))).frame[:4],
        "COUNTERS": [header(Op.COUNTERS)],
        "illegal trits": [header(Op.FORWARD, count=twin.config.cols), *[0b111000] * 3],
        "illegal pulse": bad,
        "illegal row": [header(Op.LOAD_TABLE, count=2), 1, 511],
        "unknown": [header(15)],
    }


NAMES = list(frames(Twin(CONFIG), np.random.default_rng(0)))
CELLS_CHANGE = ("UPDATE", "AGE", "illegal pulse")


async def offer(ctx, top, frame, cycles):
    """Words of ``frame`` for some cycles, whatever comes of them."""
    ctx.set(top.o.ready, 1)
    left = list(frame)
    for _ in range(cycles):
        ctx.set(top.i.valid, bool(left))
        if left:
            ctx.set(top.i.p, {"data": left[0], "last": len(left) == 1})
        *_, ready = await ctx.tick().sample(top.i.ready)
        del left[: bool(ready)]
    ctx.set(top.i.valid, 0)


@pytest.mark.parametrize("name", NAMES)
def test_nothing_is_left_of_a_command(name):
    """The first command after a reset of one cycle is one that would show it; all are sound."""
    rst, top, twin, rng = Signal(), ArrayTop(CONFIG), Twin(CONFIG), np.random.default_rng(0)

    async def testbench(ctx):
        prologue = [*twin.prepare(rng), twin.load_ageing(np.full((1, 2), 256))]
        check(await converse(ctx, top, [exchange.frame for exchange in prologue]), prologue)
        frame = frames(twin, rng)[name]
        for cycle in range(LONGEST):
            await offer(ctx, top, frame, cycle)
            ctx.set(rst, 1)
            await ctx.tick()
            ctx.set(rst, 0)
            twin.reset()
            if name in CELLS_CHANGE or cycle % 3 == 0:
                dialogue = [twin.status()]
            else:
                dialogue = [twin.backward(rng.integers(-9, 9, (2, CONFIG.cols)))]
            dialogue += [twin.counters(), twin.program(twin.cells(rng, CONFIG.cols))]
            dialogue += [twin.update(*twin.pulses(rng, CONFIG.cols)), twin.read()]
            record = await converse(ctx, top, [exchange.frame for exchange in dialogue])
            check(record, dialogue, timed=True)

    simulate(ResetInserter(rst)(top), testbench)

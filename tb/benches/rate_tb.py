"""cocotb test that measures its own speed; started by ``tb.rate``."""

import json
import os
import time
from pathlib import Path

import cocotb

from golden.array import frames
from golden.array.frames import Op
from tb.benches.array_bench import ArrayBench, config_from_environment
from tb.benches.array_stimulus import Stimulus

RATE, VECTORS = "SPINTRIT_TB_RATE", "SPINTRIT_TB_VECTORS"


@cocotb.test(timeout_time=1, timeout_unit="sec")
async def forward_rate(dut):
    """One FORWARD frame with all checks; cycles and seconds go to the file named by ``RATE``."""
    bench = ArrayBench(dut, config_from_environment())
    await bench.start()
    config, stimulus = bench.config, Stimulus(bench.config, bench.rng)
    await bench.run(stimulus.prologue())
    u = bench.rng.integers(-1, 2, (int(os.environ[VECTORS]), config.rows))
    frame = frames.to_integers(frames.forward_frame(config, u, 0, config.cols))
    cycle, start = bench.cycle, time.perf_counter()
    await bench.run([frame])
    seconds, cycles = time.perf_counter() - start, bench.cycle - cycle
    assert cycles >= frames.cycles(Op.FORWARD, config, config.cols, len(u))
    Path(os.environ[RATE]).write_text(json.dumps({"cycles": cycles, "seconds": seconds}))

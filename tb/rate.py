"""Speed of the top block under cocotb: ``python -m tb.rate CONFIG``.

CONFIG is JSON of an ``ArrayConfig``; the last line printed is JSON of what ``measure`` returns.
"""

import json
import sys
import tempfile
from pathlib import Path

from golden.config import ArrayConfig
from synth.generate import array_verilog
from tb.benches.array_bench import variables
from tb.benches.rate_tb import RATE, VECTORS
from tb.runner import run_tb


def measure(config: ArrayConfig | None = None, *, vectors: int = 300) -> dict[str, float]:
    """Run one FORWARD frame on the whole array under the full bench.

    Parameters
    ----------
    config : ArrayConfig
        64 x 64, ternary, by default.
    vectors : int
        Input vectors in the frame.

    Returns
    -------
    dict
        ``cycles``, ``seconds`` and ``cycles_per_second``; building is not counted.

    Raises
    ------
    AssertionError
        If the bench fails.
    ToolError
        If Verilator is missing or fails.
    """
    config = config or ArrayConfig()
    with tempfile.TemporaryDirectory() as scratch:
        rate = Path(scratch) / "rate.json"
        environment = variables(config, 0) | {RATE: str(rate), VECTORS: str(vectors)}
        run_tb(
            array_verilog(config),
            "tb.benches.rate_tb",
            Path(scratch),
            tests=1,
            seed=1,
            environment=environment,
        )
        found = json.loads(rate.read_text())
    return found | {"cycles_per_second": found["cycles"] / found["seconds"]}


if __name__ == "__main__":
    print(json.dumps(measure(ArrayConfig(**json.loads(sys.argv[1])))))

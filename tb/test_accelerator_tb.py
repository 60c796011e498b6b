"""The accelerator behind AXI under cocotb: training and everything that may go wrong."""

import os
from pathlib import Path

from synth.accelerator import ACCELERATOR_NAME, accelerator_verilog
from tb.benches import accelerator_tb
from tb.benches.accelerator_bench import CONFIG
from tb.benches.accelerator_scenarios import SCENARIOS
from tb.fault_table import markdown
from tb.runner import run_tb

SEED = int(os.environ.get("SPINTRIT_TB_SEED", "1"))
FAULTS = Path(__file__).parents[1] / "docs" / "faults.md"


def test_accelerator(tmp_path):
    run_tb(
        accelerator_verilog(CONFIG),
        "tb.benches.accelerator_tb",
        tmp_path,
        tests=accelerator_tb.TESTS,
        seed=SEED,
        top=ACCELERATOR_NAME,
    )


def test_document_lists_the_scenarios():
    text = FAULTS.read_text()
    assert text == markdown(), "write it: python -m tb.fault_table > docs/faults.md"
    table = text.split("|---|\n")[-1].splitlines()
    rows = [line.split(" | ")[0].removeprefix("| ") for line in table]
    assert rows == [*SCENARIOS]

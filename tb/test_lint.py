"""The generated Verilog is clean under Verilator's strictest lint."""

import re

import pytest

from golden.accel.config import AcceleratorConfig
from golden.config import ArrayConfig
from sim.toolchain import ToolError, find_verilator
from synth.accelerator import (
    ACCELERATOR_NAME,
    UART_ARRAY_NAME,
    accelerator_verilog,
    uart_array_verilog,
)
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
ACCELERATORS = [  # with the divisor of a serial line
    (AcceleratorConfig(array=ArrayConfig(rows=4, cols=8), tiles=2, activation_words=64), 0),
    (
        AcceleratorConfig(
            array=ArrayConfig(rows=1, cols=2, synapse="binary", code_bits=2, draw_bits=8),
            activation_words=2, error_words=2, positions=2, threshold_words=2, program_words=2,
        ),
        0,
    ),
    (
        AcceleratorConfig(
            array=ArrayConfig(rows=12, cols=9, variant_bits=1, counters=False, draw_bits=32),
            tiles=4, activation_words=300, error_words=5, positions=1000, program_words=700,
        ),
        16,
    ),
]  # fmt: skip


def lint(folder, text, top=TOP_NAME):
    source = folder / f"{top}.v"
    source.write_text(text)
    return find_verilator().run("--lint-only", "-Wall", "--top-module", top, str(source))


@pytest.mark.parametrize("config", CONFIGS, ids=named)
def test_lint_is_clean(config, tmp_path):
    shown = lint(tmp_path, array_verilog(config))
    # A summary of the run is all that may be printed.
    assert [line for line in shown.splitlines() if not line.startswith("- ")] == []


@pytest.mark.parametrize(
    ("config", "divisor"), ACCELERATORS, ids=["two-tiles", "smallest", "four-tiles-uart"]
)
def test_lint_of_accelerators_is_clean(config, divisor, tmp_path):
    text = accelerator_verilog(config, uart_divisor=divisor)
    shown = lint(tmp_path, text, ACCELERATOR_NAME)
    assert [line for line in shown.splitlines() if not line.startswith("- ")] == []
    assert not re.search(r"\\(\$signal|signal)\b", text)  # every register has a name


def test_lint_of_an_array_behind_a_serial_line_is_clean(tmp_path):
    config = ArrayConfig(rows=5, cols=12, draw_bits=8, code_bits=4, counters=False)
    shown = lint(tmp_path, uart_array_verilog(config, 12), UART_ARRAY_NAME)
    assert [line for line in shown.splitlines() if not line.startswith("- ")] == []


def test_lint_takes_a_warning_for_an_error(tmp_path):
    text = array_verilog(CONFIGS[1]).replace("endmodule", "  wire idle;\nendmodule", 1)
    with pytest.raises(ToolError, match=r"%(Error|Warning)-?UNUSED|%Error"):
        lint(tmp_path, text)

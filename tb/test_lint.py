"""Any generated Verilog is clean under Verilator's strictest lint, and Icarus Verilog takes it."""

import itertools
import re
from functools import partial
from typing import Any

import pytest

from golden.accel.config import AcceleratorConfig
from golden.config import ArrayConfig
from sim.toolchain import find_verilator
from synth.accelerator import (
    ACCELERATOR_NAME,
    UART_ARRAY_NAME,
    accelerator_verilog,
    uart_array_verilog,
)
from synth.generate import TOP_NAME, array_verilog
from synth.tools import ToolError
from tb.icarus import elaborate

# Every two values of two options occur together in one of these.
OPTIONS = ("synapse", "columns_per_cycle", "code_bits", "draw_bits", "error_bits", "variant_bits",
           "counters")  # fmt: skip
ARRAYS = [
    ((64, 64), ("ternary", 1, 5, 16, 8, 0, True)),
    ((3, 10), ("binary", 2, 5, 32, 2, 4, False)),
    ((5, 12), ("ternary", 4, 2, 8, 8, 1, False)),
    ((1, 1), ("binary", 1, 8, 8, 16, 4, True)),
    ((2, 2), ("ternary", 2, 8, 32, 16, 1, True)),
    ((7, 16), ("binary", 4, 8, 16, 2, 0, True)),
    ((3, 5), ("binary", 1, 2, 32, 2, 1, False)),
    ((33, 6), ("binary", 2, 2, 8, 16, 0, False)),
    ((3, 6), ("ternary", 2, 2, 16, 8, 4, True)),
    ((2, 4), ("binary", 4, 8, 32, 8, 0, False)),
    ((3, 4), ("ternary", 4, 5, 8, 16, 4, False)),
    ((2, 8), ("ternary", 4, 5, 16, 16, 1, False)),
    ((2, 10), ("ternary", 2, 8, 8, 2, 4, True)),
    ((1, 1), ("ternary", 1, 5, 16, 8, 0, True)),
]
CONFIGS = [
    ArrayConfig(rows=rows, cols=cols, **dict[str, Any](zip(OPTIONS, values, strict=True)))
    for (rows, cols), values in ARRAYS
]
SMALLEST = {"activation_words": 2, "error_words": 2, "positions": 2, "threshold_words": 2,
            "program_words": 2}  # fmt: skip
ODD = {"activation_words": 300, "error_words": 5, "positions": 1000, "program_words": 700}
# The same, with the divisor of a serial line: 0 is AXI.
BLOCKS = [  # synapse, counters, variant bits, tiles, divisor, the rest of the array, memories
    ("ternary", True, 0, 1, 12, {"rows": 3, "cols": 4}, SMALLEST),
    ("ternary", True, 1, 2, 0, {"rows": 4, "cols": 8}, {"activation_words": 64}),
    ("ternary", False, 0, 4, 0, {"rows": 12, "cols": 9, "draw_bits": 32}, ODD),
    ("binary", False, 1, 1, 0, {"rows": 1, "cols": 2, "code_bits": 2, "draw_bits": 8}, SMALLEST),
    ("binary", False, 0, 2, 16, {"rows": 2, "cols": 3}, ODD),
    ("binary", True, 1, 4, 8, {"rows": 4, "cols": 4}, SMALLEST),
]
SERIAL = [
    ArrayConfig(rows=5, cols=12, draw_bits=8, code_bits=4, counters=False),
    ArrayConfig(rows=3, cols=4, synapse="binary", variant_bits=1),
]


def _array(config, **options):
    return array_verilog(config, **options), TOP_NAME


def _serial(config):
    return uart_array_verilog(config, 12), UART_ARRAY_NAME


def _block(synapse, counters, variant_bits, tiles, divisor, array, memories):
    cells = ArrayConfig(synapse=synapse, counters=counters, variant_bits=variant_bits, **array)
    config = AcceleratorConfig(array=cells, tiles=tiles, **memories)
    return accelerator_verilog(config, uart_divisor=divisor), ACCELERATOR_NAME


DESIGNS = {
    **{f"array{i}": partial(_array, config) for i, config in enumerate(CONFIGS)},
    "init": partial(_array, CONFIGS[3], init=[1]),
    **{f"block{i}": partial(_block, *block) for i, block in enumerate(BLOCKS)},
    **{f"serial{i}": partial(_serial, config) for i, config in enumerate(SERIAL)},
}


# Both synapses, with and without counters and variants, a serial line and AXI. The others are left
# to make test-full.
FEW = ("array1", "array2", "array3", "array6", "array12", "array13", "init", "block0", "block3",
       "serial0")  # fmt: skip


@pytest.fixture(
    scope="module",
    params=[
        pytest.param(name, marks=[] if name in FEW else [pytest.mark.full]) for name in DESIGNS
    ],
)
def design(request):
    """A design's Verilog and its top module."""
    return DESIGNS[request.param]()


def lint(folder, text, top=TOP_NAME):
    source = folder / f"{top}.v"
    source.write_text(text)
    return find_verilator().run("--lint-only", "-Wall", "--top-module", top, str(source))


@pytest.mark.parametrize(
    "rows",
    [
        [values for _, values in ARRAYS],
        [(*options, tiles, divisor > 0) for *options, tiles, divisor, _, _ in BLOCKS],
    ],
    ids=["arrays", "blocks"],
)
def test_every_two_values_of_two_options_meet(rows):
    for a, b in itertools.combinations(zip(*rows, strict=True), 2):
        assert set(zip(a, b, strict=True)) == set(itertools.product(a, b))


def test_lint_is_clean(design, tmp_path):
    text, top = design
    shown = lint(tmp_path, text, top)
    # A summary of the run is all that may be printed.
    assert [line for line in shown.splitlines() if not line.startswith("- ")] == []
    if top == ACCELERATOR_NAME:
        assert not re.search(r"\\(\$signal|signal)\b", text)  # every register has a name


def test_icarus_elaborates(design, icarus, tmp_path):
    text, top = design
    elaborate(tmp_path, top, text)


def test_lint_takes_a_warning_for_an_error(tmp_path):
    text = array_verilog(CONFIGS[-1]).replace("endmodule", "  wire idle;\nendmodule", 1)
    with pytest.raises(ToolError, match=r"%(Error|Warning)-?UNUSED|%Error"):
        lint(tmp_path, text)

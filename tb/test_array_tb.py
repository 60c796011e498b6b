"""The top block under cocotb: sizes x synapses x word widths x seeds; stalls are inside."""

import os

import pytest

from golden.config import ArrayConfig
from synth.generate import array_verilog
from tb.benches import array_tb
from tb.benches.array_bench import variables
from tb.runner import run_tb

SEED = int(os.environ.get("SPINTRIT_TB_SEED", "1"))
ROWS, COLS = (64, 33, 8, 1), (64, 10, 1)
SIZES = [  # counters of many rows take long to compile
    ArrayConfig(
        rows=rows,
        cols=cols,
        synapse=synapse,
        counters=rows <= 8 or (cols == 64 and synapse == "ternary"),
    )
    for rows in ROWS
    for cols in COLS
    for synapse in ("ternary", "binary")
]
# fmt: off
WIDTHS = [
    ArrayConfig(rows=8, cols=8, columns_per_cycle=8, draw_bits=8, error_bits=4, variant_bits=1),
    ArrayConfig(
        rows=8, cols=10, synapse="binary", columns_per_cycle=2, draw_bits=32, code_bits=3,
        variant_bits=3,
    ),
    ArrayConfig(
        rows=5, cols=12, columns_per_cycle=4, draw_bits=32, error_bits=16, code_bits=8,
        variant_bits=2, counters=False,
    ),
    ArrayConfig(rows=3, cols=7, code_bits=2, variant_bits=4),
    ArrayConfig(rows=3, cols=7, synapse="binary", draw_bits=8, error_bits=2, code_bits=2),
]
# fmt: on


# The others are left to make test-full.
FEW = [
    *(config for config in SIZES if (config.rows, config.cols) in ((33, 1), (8, 64))
      and config.synapse == "ternary"),
    WIDTHS[0], WIDTHS[4],
]  # fmt: skip


def named(config):
    """Test id of a config."""
    defaults = vars(ArrayConfig())
    differ = [f"{name}{value}" for name, value in vars(config).items() if value != defaults[name]]
    return "-".join([f"{config.rows}x{config.cols}", *differ])


@pytest.mark.parametrize(
    "config",
    [
        config if config in FEW else pytest.param(config, marks=pytest.mark.full)
        for config in SIZES + WIDTHS
    ],
    ids=named,
)
def test_array(config, tmp_path):
    run_tb(
        array_verilog(config),
        "tb.benches.array_tb",
        tmp_path,
        tests=array_tb.TESTS,
        seed=SEED,
        environment=variables(config, 30 if config.rows > 16 else 100),
    )


def test_misspelt_test_case_is_an_error(tmp_path):
    with pytest.raises(AssertionError, match="tests ran, not 1"):
        run_tb(
            array_verilog(WIDTHS[-1]),
            "tb.benches.array_tb",
            tmp_path,
            tests=1,
            seed=SEED,
            environment=variables(WIDTHS[-1], 20),
            testcase="reset_in_a_comand",
        )

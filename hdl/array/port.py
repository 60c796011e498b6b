"""The array's port: steps in, results out, and their latencies."""

from amaranth.hdl import signed
from amaranth.lib import data, wiring
from amaranth.lib.wiring import In, Out

from golden.array import frames
from golden.array.activity import COUNT_BITS
from golden.array.frames import Op
from golden.config import ArrayConfig

OP_BITS = frames.HEADER["op"][1]
CAUSE_BITS = frames.TRAILER["cause"][1]
LATENCY = 6  # cycles from a step to its result
COUNTED = 11  # to the number of cells that switched
VISIBLE = 9  # to a step that sees the column written


def index_bits(config: ArrayConfig) -> int:
    """Width of a step index: a column, a table row, a leap of the generators, or a counter."""
    ends = frames.steps(Op.SEED, config), frames.steps(Op.COUNTERS, config)
    return (max(config.cols, frames.table_rows(config), *ends) - 1).bit_length()


def array_port(config: ArrayConfig) -> wiring.Signature:
    """The port between a controller and an array: one step a cycle.

    Latency: results ``LATENCY`` cycles after their step.

    Ordering: steps see a written column from ``VISIBLE`` cycles later on. The controller must not
    issue a dependent step sooner; it waits before each trailer.

    Stalls: none. The array accepts a step in every cycle, and nothing holds its results.

    Members, seen from the controller
    ---------------------------------
    valid, op, index : Out
        A step of command ``op`` on column, table row, leap or counter ``index`` (FORWARD and
        BACKWARD: the first of ``columns_per_cycle`` columns).
    blind : Out(1)
        UPDATE: the rule. A binary array has one rule and no such member.
    first : Out(1)
        The step is the first of its frame (FORWARD: of a vector).
    last : Out(1)
        BACKWARD: the step ends a vector. Without a step: drop the vector's sums.
    operand : Out
        Data word of the step of a cycle ago.
    sums : In
        FORWARD: the column sums.
    errors : In
        BACKWARD: the row sums of the vector that ended.
    word : In
        READ: the column's bits, plane by plane; GENERATORS: the lowest bits of the draws, likewise;
        COUNTERS: the count.
    switched : In
        UPDATE, AGE: number of cells that switched, ``COUNTED`` cycles after; 0 for other steps.
    fault : In
        ``Cause`` found in the operand.
    """
    rows, columns = config.rows, config.columns_per_cycle
    return wiring.Signature(
        {
            "valid": Out(1),
            "op": Out(OP_BITS),
            "index": Out(index_bits(config)),
            "first": Out(1),
            "last": Out(1),
            "operand": Out(frames.operand_bits(config)),
            "sums": In(data.ArrayLayout(signed(config.sum_bits), columns)),
            "errors": In(data.ArrayLayout(signed(config.back_bits), rows)),
            "word": In(max(rows * config.cells, COUNT_BITS if config.counters else 0)),
            "switched": In((rows * config.cells).bit_length()),
            "fault": In(CAUSE_BITS),
        }
        | ({"blind": Out(1)} if config.cells == 2 else {})
    )

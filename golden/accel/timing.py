"""Clock cycles of the accelerator's instructions, by formula, and a check of instructions.

With N positions of the output in a batch, P places in a pooling window, T words of inputs under the
kernel, G column groups and R rows:

- BACKWARD takes max(K G, Q) cycles for each of I words of inputs in the batch, with K pixels under
  the kernel and Q parts of a word of errors, and Q + 17 more.
- UPDATE takes max(N P, R) cycles for each of T (G + 1) columns, and R + 32 more. The extra group is
  the pass for the inputs' mean.
- In BACKWARD and UPDATE, a last word or column of one step takes one cycle.
- FORWARD takes N P T cycles for a column group on the tiles. Then the column is finished in N + 6
  cycles, with statistics in 2 N + 19, in a score layer in 28 more. Meanwhile the tiles work on the
  next column; the one after it waits. ``_forward`` computes the total.
- Each instruction is fetched in ``FETCH`` cycles; END takes two more.
"""

import operator
from dataclasses import dataclass

from golden.accel.config import STATES, TOTAL_BITS, AcceleratorConfig
from golden.accel.program import WORDS, Code, Instruction

FETCH = WORDS + 1
_END = 2
_ISSUE = 9  # from a step to its result
_SETTLE = 7  # from the last work to the next fetch


@dataclass(frozen=True)
class Cycles:
    """Cycles of one instruction: ``fetch``, then ``total``; lanes work in ``busy`` of these."""

    fetch: int
    total: int
    busy: int


def cycles(step: Instruction, batch: int, config: AcceleratorConfig) -> Cycles:
    """Clock cycles of an instruction."""
    batch = operator.index(batch)
    if step.code == Code.END:
        return Cycles(FETCH, _END, 0)
    if step.code == Code.FORWARD:
        column = step.positions * step.places * step.taps
        return Cycles(FETCH, _forward(step, column), column * step.groups)
    if step.code == Code.BACKWARD:
        words = batch * step.in_height * step.in_width * step.in_pixel
        word_steps = step.kernel_height * step.kernel_width * step.groups
        parts = config.error_parts
        total = _spaced(words, word_steps, parts) + parts + 1 + _ISSUE + _SETTLE
        return Cycles(FETCH, total, words * word_steps)
    batch_steps, rows = step.positions * step.places, config.array.rows
    columns = step.taps * (step.groups + 1)
    total = _spaced(columns, batch_steps, rows) + rows + 25 + _SETTLE
    return Cycles(FETCH, total, columns * batch_steps)


def _spaced(groups: int, steps: int, least: int) -> int:
    """Cycles to the end of ``groups`` of ``steps``; the ends are at least ``least`` apart."""
    return (groups - 1) * max(steps, least) + (1 if steps == 1 else max(steps, least))


def _forward(step: Instruction, column: int) -> int:
    """Cycles of a FORWARD with ``column`` steps a column group."""
    after = step.positions + 6
    if step.train:
        after = 2 * step.positions + (47 if step.score else 19)
    begun, through = 1 - column, [0, 0]  # the last column's first step; the ends of columns
    for _ in range(step.groups):
        begun = max(begun + column, through[-2] + 1)
        ready = max(begun + column + _ISSUE, through[-1] + 1)
        through = [through[-1], ready + after - 1]
    return through[-1] + _SETTLE


def problem(step: Instruction, batch: int, config: AcceleratorConfig) -> str:
    """The reason why an instruction cannot run; "" if it can."""
    if step.code not in tuple(Code):
        return f"code must be one of {', '.join(f'{int(c)}' for c in Code)}, not {step.code}"
    for name in ("groups", "columns", "in_pixel", "out_pixel", "height", "width", "kernel_height",
                 "kernel_width", "in_height", "in_width"):  # fmt: skip
        if not getattr(step, name):
            return f"{name} must be at least 1, not 0"
    positions = batch * step.height * step.width
    if step.positions != positions:
        return f"positions must be batch x height x width = {positions}, not {step.positions}"
    if step.state >= STATES:
        return f"state must be below {STATES}, not {step.state}"
    if step.taps * config.array.rows >= 1 << TOTAL_BITS - 1:
        return (
            f"inputs under the kernel must be fewer than 2^{TOTAL_BITS - 1}, not {step.taps} words"
        )
    for what, (last, words) in _reach(step, batch, config).items():
        if last >= words:
            return f"{what} must lie below {words}, not at {last}"
    return ""


def _reach(step: Instruction, batch: int, config: AcceleratorConfig) -> dict[str, tuple[int, int]]:
    """For each memory the last word that an instruction uses, and the number of its words."""
    side = 2 if step.pool else 1
    rows, columns = step.height * side - 1, step.width * side - 1
    words = step.kernel_width * step.in_pixel - 1
    kernel = (step.kernel_height - 1) * step.in_row
    last_input = (
        step.in_base + (batch - 1) * step.in_sample + rows * step.in_row + columns * step.in_pixel
        + kernel + words
    )  # fmt: skip
    group_word = (step.groups - 1) * config.tiles // config.array.rows

    def at_output(base: int, sample: int, row: int) -> int:
        last = (batch - 1) * sample + (step.height - 1) * row + (step.width - 1) * step.out_pixel
        return base + last + group_word

    last_error = at_output(step.errors, step.error_sample, step.error_row)
    last_output = at_output(step.out_base, step.out_sample, step.out_row)
    column = step.cells + (step.kernel_height - 1) * step.tap_row + step.groups - 1
    reach = {}
    if step.code != Code.BACKWARD:
        column += words * step.groups
        reach["inputs"] = (last_input, config.activation_words)
        reach["positions"] = (step.positions - 1, config.positions)
    else:
        column += (step.kernel_width - 1) * step.tap_pixel + (step.in_pixel - 1) * step.groups
        inputs = batch * step.in_height * step.in_width * step.in_pixel
        reach["errors of inputs"] = (step.in_errors + inputs - 1, config.error_words)
    reach["weights"] = (column, config.array.cols)
    if step.code != Code.FORWARD or step.train:
        reach["errors"] = (last_error, config.error_words)
    if step.code == Code.FORWARD or step.learn:
        reach["thresholds"] = (step.thresholds + step.groups - 1, config.threshold_words)
    if step.code == Code.FORWARD and not step.score:
        reach["outputs"] = (last_output, config.activation_words)
    return reach

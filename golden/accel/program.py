"""The accelerator's instructions, bit for bit: the one source for hardware, twin and compiler.

A program is a sequence of instructions of ``WORDS`` 32-bit words in the program memory. It starts
at register PC and ends with END. Each instruction handles the whole batch of a layer.

FORWARD
    Computes the outputs of a layer from its inputs. There is a column sum for each column group
    (one column a tile), sample, output pixel, place in the pooling window and word of inputs under
    the kernel. Column sums are clipped to +-``adc`` (0: not clipped) and added; the largest total
    of the pooling window is kept. With ``train``, thresholds come from the column's mean and mean
    absolute deviation over the batch and its learnt offset, and the stored thresholds follow them.
    Without ``train``, the stored thresholds are used. A hidden layer writes trits and, with
    ``train``, window flags. A layer with ``score`` writes scores, the class with the highest score
    so far and, with ``train``, the errors of the squared hinge loss.
BACKWARD
    Computes errors at a layer's inputs from those at its outputs. They are shifted right by
    ``error_shift``, rounded half to even and clipped to +-127.
UPDATE
    Computes the sum of error times input over the batch, without the part of the inputs' mean, for
    each word of inputs under the kernel and each column group. The sum times a rate, minus
    ``dead``, is split into whole steps and pulse code, and pulsed. The offset of each column moves
    by its mean error.
END
    Ends the program.

Addresses count words of their memories:

- Input of sample b at row y, column x, word w: ``in_base + b in_sample + y in_row + x in_pixel +
  w``; outputs likewise.
- Errors and window flags, without padding: ``errors + b error_sample + y error_row + x out_pixel +
  w``. Those at a layer's inputs follow each other from ``in_errors`` on.
- Weights of word w under kernel row and column (y, x): column ``cells + y tap_row + x tap_pixel +
  w groups + group`` of each tile.
"""

from dataclasses import dataclass, fields
from enum import IntEnum

import numpy as np

from golden import checks


class Code(IntEnum):
    """Instructions."""

    END = 0
    FORWARD = 1
    BACKWARD = 2
    UPDATE = 3


# Name -> width; negative: signed. Fields follow each other from bit 0 on; none is in two words.
_WIDTHS = {
    "code": 4,
    "train": 1,
    "score": 1,
    "plain": 1,  # errors count without the window, as in a score layer
    "binary": 1,  # activation: -1 below the lower threshold, else +1
    "blind": 1,
    "pool": 1,  # 2 x 2
    "state": 8,  # word of STATES for the mean size of an update's sums
    "error_shift": 5,
    "padding": 8,
    "learn": 4,  # offsets move by the mean error times 2^(learn - 9); 0: not at all
    "cells": 16,
    "tap_row": 16,  # columns from one row of the kernel to the next, in a tile
    "tap_pixel": 16,
    "groups": 16,
    "columns": 16,
    "positions": 16,  # batch height width
    "in_base": 16,
    "in_sample": 16,
    "in_row": 16,
    "in_pixel": 16,
    "out_base": 16,
    "out_sample": 16,
    "out_row": 16,
    "out_pixel": 16,
    "errors": 16,
    "error_sample": 16,
    "error_row": 16,
    "in_errors": 16,
    "thresholds": 16,
    "height": 16,  # of the pooled output
    "width": 16,
    "kernel_height": 16,
    "kernel_width": 16,
    "in_height": 16,  # of the input, without padding
    "in_width": 16,
    "adc": 16,
    "mean_factor": 16,  # 1 / number of positions, as factor and shift
    "mean_shift": 6,
    "bound": 16,  # r, in mean absolute deviations, 8 bits behind the point
    "inner": 16,  # the window's bounds, likewise
    "outer": 16,
    "offset": -16,  # of a score
    "scale": 27,  # factor of a score times spread; scale / spread fits a signed threshold
    "rate": -16,  # log2 of change / (sum / size of the sums), 8 bits behind the point
    "dead": 24,
}


def _place() -> dict[str, tuple[int, int, bool]]:
    places, at = {}, 0
    for name, width in _WIDTHS.items():
        if at // 32 != (at + abs(width) - 1) // 32:
            at = -(-at // 32) * 32
        places[name] = (at, abs(width), width < 0)
        at += abs(width)
    return places


FIELDS = _place()  # name -> lowest bit, width, signed
WORDS = -(-max(low + width for low, width, _ in FIELDS.values()) // 32)
LIMITS = {
    name: (-(1 << width - 1), (1 << width - 1) - 1) if signed else (0, (1 << width) - 1)
    for name, (_, width, signed) in FIELDS.items()
}


@dataclass(frozen=True, kw_only=True)
class Instruction:
    """One instruction with the fields of ``FIELDS``.

    Raises
    ------
    TypeError, ValueError
        If a field is not an integer or does not fit its width.
    """

    code: int = 0
    train: int = 0
    score: int = 0
    plain: int = 0
    binary: int = 0
    blind: int = 0
    pool: int = 0
    state: int = 0
    error_shift: int = 0
    padding: int = 0
    learn: int = 0
    cells: int = 0
    tap_row: int = 1
    tap_pixel: int = 1
    groups: int = 1
    columns: int = 1
    positions: int = 1
    in_base: int = 0
    in_sample: int = 1
    in_row: int = 1
    in_pixel: int = 1
    out_base: int = 0
    out_sample: int = 1
    out_row: int = 1
    out_pixel: int = 1
    errors: int = 0
    error_sample: int = 1
    error_row: int = 1
    in_errors: int = 0
    thresholds: int = 0
    height: int = 1
    width: int = 1
    kernel_height: int = 1
    kernel_width: int = 1
    in_height: int = 1
    in_width: int = 1
    adc: int = 0
    mean_factor: int = 0
    mean_shift: int = 0
    bound: int = 0
    inner: int = 0
    outer: int = 0
    offset: int = 0
    scale: int = 0
    rate: int = 0
    dead: int = 0

    def __post_init__(self) -> None:
        for name, (low, high) in LIMITS.items():
            checks.keep(self, **{name: checks.integer(name, getattr(self, name), low, high)})

    @property
    def taps(self) -> int:
        """Words of inputs under the kernel."""
        return self.kernel_height * self.kernel_width * self.in_pixel

    @property
    def places(self) -> int:
        """Places in the pooling window."""
        return 4 if self.pool else 1

    def words(self) -> list[int]:
        """The instruction as ``WORDS`` 32-bit words."""
        whole = 0
        for name, (low, width, _) in FIELDS.items():
            whole |= (getattr(self, name) & ((1 << width) - 1)) << low
        return [whole >> 32 * i & 0xFFFFFFFF for i in range(WORDS)]

    @classmethod
    def of(cls, words: np.ndarray) -> "Instruction":
        """The instruction in ``WORDS`` words."""
        whole = sum(int(word) << 32 * i for i, word in enumerate(words))
        values = {}
        for name, (low, width, signed) in FIELDS.items():
            value = whole >> low & ((1 << width) - 1)
            values[name] = value - (1 << width) * (signed and value >> width - 1)
        return cls(**values)


assert [field.name for field in fields(Instruction)] == list(FIELDS)
END = Instruction()


def assemble(program: list[Instruction]) -> np.ndarray:
    """A program's words, uint32, END included."""
    return np.array([word for each in [*program, END] for word in each.words()], np.uint32)

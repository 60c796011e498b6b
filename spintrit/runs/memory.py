"""Files of an array's cell memory, for $readmemh and for the Verilog generator."""

from pathlib import Path

import numpy as np

from golden.config import ArrayConfig


def words(config: ArrayConfig, bits: np.ndarray) -> list[int]:
    """The words of the cell memory of ``hdl.array.synapse_array`` from cell bits (cols, rows,
    cells).

    A word holds ``columns_per_cycle`` columns, the first in its low bits; a column is a plane of
    m1, row 0 in the lowest bit, and then, of a ternary array, a plane of m2.
    """
    depth = config.cols // config.columns_per_cycle
    flat = np.asarray(bits, bool).swapaxes(1, 2).reshape(depth, -1)
    octets = np.packbits(flat, axis=1, bitorder="little")
    return [int.from_bytes(row.tobytes(), "little") for row in octets]


def mem_text(config: ArrayConfig, bits: np.ndarray, title: str = "") -> str:
    """The text of a $readmemh file: a line for each word of ``words``, comments before them."""
    rows, per_word = config.rows, config.columns_per_cycle
    column = rows * config.cells
    width, depth = column * per_word, config.cols // per_word
    cells = f"bit j is the cell m of row j, weight 2 m - 1 ({rows} rows)"
    if config.cells == 2:
        cells = f"bit j is cell m1 of row j, bit {rows} + j its cell m2, weight m1 - m2"
    lines = [
        f"Cells of {title or 'an array'}, for $readmemh: {depth} words of {width} bits,",
        "the memory `cells` of the array's Verilog. 1 is P, 0 is AP.",
        f"Word a is column a: {cells}." if per_word == 1 else
        f"Word a holds columns {per_word} a to {per_word} a + {per_word - 1}, {column} bits each, "
        "the first in the low bits.",
        *([f"Of a column's bits {cells}."] if per_word > 1 else []),
    ]  # fmt: skip
    digits = -(-width // 4)
    body = [f"{word:0{digits}x}" for word in words(config, bits)]
    return "\n".join([*(f"// {line}" for line in lines), *body]) + "\n"


def read_mem(config: ArrayConfig, path: Path) -> list[int]:
    """The words of a file like ``mem_text``'s, all that an array of ``config`` has.

    Raises
    ------
    ValueError
        Naming the file, if it holds something else, or not the words of such an array.
    OSError
        If it cannot be read.
    """
    width = config.rows * config.cells * config.columns_per_cycle
    depth, digits = config.cols // config.columns_per_cycle, -(-width // 4)
    found = []
    try:
        lines = path.read_bytes().decode().splitlines()
    except UnicodeDecodeError as error:
        raise ValueError(f"{path} is no memory file: {error}") from None
    for number, line in enumerate(lines, start=1):
        for word in line.partition("//")[0].split():
            if not set(word) <= set("0123456789abcdefABCDEF"):
                raise ValueError(f"{path}, line {number}: {word!r} is no hexadecimal number")
            found.append(int(word, 16))
            if len(word) != digits or found[-1] >> width:
                raise ValueError(
                    f"{path}, line {number}: a word of the array has {digits} digits, {width} bits"
                )
    if len(found) != depth:
        raise ValueError(f"{path} holds {len(found)} words, the array has {depth}")
    return found

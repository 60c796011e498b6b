"""A trained network's cells as memory files, and what lies where."""

import json
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np

from golden import spec
from golden.array import GoldenArray
from golden.checkpoint import npz, write_atomically
from golden.config import ArrayConfig
from golden.layers import BN_EPSILON
from golden.matrix import ArrayPool
from golden.ptable import tanh_table
from golden.train import WEIGHTS
from golden.weighted import Conv
from spintrit.evaluate import Trained

LAYOUT = "layout.json"
FORMAT = "spintrit-layout-1"


def mem_name(number: int) -> str:
    """Of the file of array ``number``."""
    return f"array{number}.mem"


def words(config: ArrayConfig, bits: np.ndarray) -> list[int]:
    """The words of the cell memory of ``hdl.array`` from cell bits (cols, rows, cells).

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
    depth = config.cols // config.columns_per_cycle
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
            if found[-1] >> width:
                raise ValueError(f"{path}, line {number}: {word} has more than {width} bits")
    if len(found) != depth:
        raise ValueError(f"{path} holds {len(found)} words, the array has {depth}")
    return found


def export(
    trained: Trained, out: Path, *, rows: int | None = None, cols: int | None = None
) -> dict[str, Any]:
    """Write a network's weights, the cells of each array and the layout into the folder ``out``.

    Parameters
    ----------
    rows, cols : int, optional
        Of the arrays; the run's by default.

    Returns
    -------
    dict
        The content of layout.json.

    Raises
    ------
    ValueError
        If an argument is wrong, or the run's files do not fit each other.
    OSError
        If a file cannot be written.
    """
    config = trained.resized(rows, cols)
    pool = ArrayPool(GoldenArray, config, tanh_table(config), trained.config.seed)
    network = trained.network(pool)
    blocks = [*spec.parse(trained.config.network), spec.Block(trained.classes)]
    numbers = {id(array): number for number, array in enumerate(pool.arrays)}
    layers = []
    for block, layer, shape in zip(blocks, network.weighted, network.shapes, strict=False):
        tiles = [
            {
                "array": numbers[id(tile.array)], "first": tile.first, "width": tile.width,
                "row": tile.row, "rows": tile.rows, "col": tile.col, "cols": tile.cols,
            }
            for tile in layer.matrix.tiles
        ]  # fmt: skip
        layers.append(
            {
                "name": layer.name,
                "kind": "convolution" if isinstance(layer, Conv) else "dense",
                "input_shape": list(shape),
                "input_limit": layer.limit,
                "kernel": block.kernel,
                "padding": block.padding,
                "pool": block.pool,
                "n_in": layer.matrix.n_in,
                "n_out": layer.matrix.n_out,
                "tiles": tiles,
            }
        )
    layout = {
        "format": FORMAT,
        "network": trained.config.network,
        "weights": WEIGHTS,
        "activation": trained.config.activation,
        "threshold": trained.threshold,
        "batch_norm_epsilon": BN_EPSILON,
        "array_config": asdict(config),
        "arrays": [mem_name(number) for number in range(pool.size)],
        "layers": layers,
    }
    out.mkdir(parents=True, exist_ok=True)
    write_atomically(out / WEIGHTS, npz(trained.weights))
    for number, array in enumerate(pool.arrays):
        text = mem_text(config, array.read(), f"array {number} of {pool.size}")
        write_atomically(out / mem_name(number), text.encode())
    write_atomically(out / LAYOUT, (json.dumps(layout, indent=2) + "\n").encode())
    return layout

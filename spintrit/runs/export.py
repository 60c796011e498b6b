"""A trained network's cells as memory files, and their layout."""

import json
from dataclasses import asdict
from pathlib import Path
from typing import Any

from golden.array.golden import GoldenArray
from golden.files import npz, write_atomically
from golden.matrix.interface import HostMatrix
from golden.matrix.tiled import ArrayBank, SynapseMatrix, Tile
from golden.network import notation
from golden.network.layers import BN_EPSILON
from golden.network.synapse_layers import Conv
from golden.pulse.table import tanh_table
from golden.train.trainer import WEIGHTS
from spintrit.outputs import no_run
from spintrit.runs.memory import mem_text
from spintrit.runs.trained import Trained

LAYOUT = "layout.json"
FORMAT = "spintrit-layout-1"


def mem_name(number: int) -> str:
    """Name of the memory file of array ``number``."""
    return f"array{number}.mem"


def export(
    trained: Trained, out: Path, *, rows: int | None = None, cols: int | None = None
) -> dict[str, Any]:
    """Write a network's weights, the cells of each array and the layout into the folder ``out``.

    Parameters
    ----------
    rows, cols : int, optional
        Size of the arrays; the run's by default.

    Returns
    -------
    dict
        The content of layout.json.

    Raises
    ------
    ValueError
        If an argument is wrong, ``out`` is the folder of a run, or the run's files do not fit each
        other.
    OSError
        If a file cannot be written.
    """
    no_run(out)
    if trained.tiles:
        raise ValueError(f"{trained.folder} was trained on chip: export is for arrays under a host")
    config = trained.resized(rows, cols)
    bank = ArrayBank(GoldenArray, config, tanh_table(config), trained.config.seed)
    network = trained.network(bank)
    blocks = [*notation.parse(trained.config.network), notation.Block(trained.classes)]
    numbers = {id(array): number for number, array in enumerate(bank.arrays)}
    layers = []
    for block, layer, shape in zip(blocks, network.synapse_layers, network.shapes, strict=False):
        tiles = [
            {
                "array": numbers[id(tile.array)], "first": tile.first, "width": tile.width,
                "row": tile.row, "rows": tile.rows, "col": tile.col, "cols": tile.cols,
            }
            for tile in _tiles(layer.matrix)
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
        "classes": list(trained.source.classes) or None,
        "data": {"name": trained.source.dataset, "digests": trained.source.digests or None},
        "weights": WEIGHTS,
        "activation": trained.config.activation,
        "threshold": trained.config.activation_threshold,
        "batch_norm_epsilon": BN_EPSILON,
        "array_config": asdict(config),
        "arrays": [mem_name(number) for number in range(bank.size)],
        "layers": layers,
    }
    out.mkdir(parents=True, exist_ok=True)
    for old in out.glob("array*.mem"):  # of a network of more arrays
        if old.name not in {mem_name(number) for number in range(bank.size)}:
            old.unlink()
    write_atomically(out / WEIGHTS, npz(trained.weights))
    for number, array in enumerate(bank.arrays):
        text = mem_text(config, array.read(), f"array {number} of {bank.size}")
        write_atomically(out / mem_name(number), text.encode())
    write_atomically(out / LAYOUT, (json.dumps(layout, indent=2) + "\n").encode())
    return layout


def _tiles(matrix: HostMatrix) -> list[Tile]:
    """The parts of a matrix that lies in arrays."""
    assert isinstance(matrix, SynapseMatrix)
    return matrix.tiles

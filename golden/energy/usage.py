"""Use of arrays by a network: rows outside a matrix are read and pulsed without use."""

from collections.abc import Sequence

from golden.config import ArrayConfig
from golden.network import notation
from golden.network.notation import Block


def used(
    blocks: Sequence[Block],
    shape: Sequence[int],
    array: ArrayConfig,
    planes: int = 1,
    tiles: int = 0,
) -> dict[str, float]:
    """Share of the rows that hold weights, in the columns that commands reach.

    Parameters
    ----------
    blocks : sequence of Block
        All layers, the output layer included.
    shape : sequence of int
        Shape of an input, as for ``golden.network.notation.shapes``.
    array : ArrayConfig
    planes : int
        Vectors of trits for an input of the network.
    tiles : int
        Tiles of the accelerator, where each pixel of a kernel starts in a new row; 0 for arrays on
        a host.

    Returns
    -------
    dict of str to float
        "forward", weighted by the number of reads of each layer for one sample, and "update". Both
        are above 0 and at most 1.

    Raises
    ------
    TypeError, ValueError
        As ``golden.network.notation.shapes``.
    """
    weights, reached = {"forward": 0, "update": 0}, {"forward": 0, "update": 0}
    shapes, sizes = notation.shapes(blocks, shape), notation.matrices(blocks, shape)
    for number, (block, (n_in, n_out)) in enumerate(zip(blocks, sizes, strict=True)):
        before, after = shapes[number], shapes[number + 1]
        reads = 1 if number else planes
        if block.kernel:
            reads *= after[0] * after[1] * block.pool**2
        # On chip a dense first layer has flat inputs.
        pixel = before[-1] if tiles and (number or block.kernel) else n_in
        rows = n_in // pixel * -(-pixel // array.rows) * array.rows
        width = n_out + -n_out % (tiles or array.columns_per_cycle)
        for phase, columns in (("forward", reads * width), ("update", width if tiles else n_out)):
            weights[phase] += columns * n_in
            reached[phase] += columns * rows
    return {phase: weights[phase] / reached[phase] for phase in weights}

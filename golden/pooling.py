"""Max pooling of images (batch, height, width, channels), side by side."""

from typing import Any

from golden.backend import namespace


def _corners(x: Any, side: int) -> list[Any]:
    """The first, second, ... pixel of all pools."""
    height, width = (n // side * side for n in x.shape[1:3])
    return [x[:, i:height:side, j:width:side] for i in range(side) for j in range(side)]


def pooled_max(x: Any, side: int) -> tuple[Any, Any]:
    """The largest of each ``side`` x ``side`` pool, and which of its pixels that is, counted by
    rows, the first of equals; rows and columns that fill no pool are left out."""
    xp = namespace(x)
    corners = _corners(x, side)
    largest, best = corners[0], None
    for number, corner in enumerate(corners[1:], start=1):
        better = corner > largest
        largest = xp.maximum(largest, corner)
        if best is None:
            best = xp.astype(better, xp.uint8)
        else:
            best = xp.where(better, xp.asarray(number, dtype=xp.uint8, device=x.device), best)
    return largest, best


def unpooled(y: Any, best: Any, shape: tuple[int, ...], side: int) -> Any:
    """``y`` at the pixels that ``pooled_max`` chose in images of ``shape``, zero elsewhere."""
    if best is None:
        return y
    xp = namespace(y)
    x = xp.zeros(shape, dtype=y.dtype, device=y.device)
    for number, corner in enumerate(_corners(x, side)):
        corner[...] = y * xp.astype(best == number, y.dtype)
    return x

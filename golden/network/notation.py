"""Networks in the literature's notation, by name or from a TOML file.

Parts are joined by "-":

- ``32C5``: a convolution with 32 outputs and 5 x 5 kernels.
- ``32C3p1``: a convolution with one row of zeros around its input.
- ``MP2``: max pooling by 2 x 2.
- ``512FC``: a dense layer.
- ``2x128C3``: the same as ``128C3-128C3``.

The output layer, dense with one column a class, is not written.

A TOML file has ``layers``, such a text. It may have a table ``training`` of settings that suit the
network (names of ``golden.train.config.TrainConfig``). Named networks are such files in
``networks``.
"""

import math
import re
import tomllib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from golden import checks

_NETWORKS = Path(__file__).parent / "networks"
_PART = re.compile(
    r"(?:(?P<times>[1-9]\d?)x)?"
    r"(?:(?P<conv>[1-9]\d*)C(?P<kernel>[1-9]\d*)(?:p(?P<padding>\d+))?|(?P<dense>[1-9]\d*)FC)"
    r"|MP(?P<pool>[1-9]\d*)",
    re.ASCII,
)


@dataclass(frozen=True)
class Block:
    """A layer of weights with its pooling.

    Parameters
    ----------
    n_out : int
        Outputs.
    kernel : int
        Side of the kernels; 0 for a dense layer.
    padding : int
        Rows of zeros at each side of the image.
    pool : int
        Side of the pools; 1 for none.

    Raises
    ------
    TypeError, ValueError
        If a parameter is not an integer or too small.
    """

    n_out: int
    kernel: int = 0
    padding: int = 0
    pool: int = 1

    def __post_init__(self) -> None:
        for name, low in {"n_out": 1, "kernel": 0, "padding": 0, "pool": 1}.items():
            checks.keep(self, **{name: checks.integer(name, getattr(self, name), low)})

    def __str__(self) -> str:
        if not self.kernel:
            return f"{self.n_out}FC"
        padding = f"p{self.padding}" if self.padding else ""
        pool = f"-MP{self.pool}" if self.pool > 1 else ""
        return f"{self.n_out}C{self.kernel}{padding}{pool}"


def parse(text: str) -> tuple[Block, ...]:
    """The blocks of a text, without the output layer; the empty text has none.

    Raises
    ------
    TypeError, ValueError
        If it is no text, a part is not in the notation, or parts cannot follow each other.
    """
    if not isinstance(text, str):
        raise TypeError(f"network must be a text such as '32C5-MP2-512FC', not {text!r}")
    blocks: list[Block] = []
    for part in text.split("-") if text else []:
        match = _PART.fullmatch(part)
        if not match:
            raise ValueError(f"network {text!r}: {part!r} is none of 32C5, 32C3p1, MP2, 512FC")
        if match["pool"]:
            if not blocks or not blocks[-1].kernel or blocks[-1].pool > 1:
                raise ValueError(f"network {text!r}: {part} must follow a convolution")
            last = blocks.pop()
            blocks.append(Block(last.n_out, last.kernel, last.padding, int(match["pool"])))
        elif match["dense"]:
            blocks += [Block(int(match["dense"]))] * int(match["times"] or 1)
        else:
            if blocks and not blocks[-1].kernel:
                raise ValueError(f"network {text!r}: {part} must not follow a dense layer")
            block = Block(int(match["conv"]), int(match["kernel"]), int(match["padding"] or 0))
            if block.padding >= block.kernel:
                raise ValueError(
                    f"network {text!r}: {part} must have a padding smaller than its kernel"
                )
            blocks += [block] * int(match["times"] or 1)
    return tuple(blocks)


def notation(blocks: Sequence[Block]) -> str:
    """The text of ``blocks``, the inverse of ``parse``."""
    return "-".join(map(str, blocks))


def scaled(text: str, width: float) -> str:
    """``text`` with ``width`` times as many outputs of each layer, rounded, at least 1.

    Raises
    ------
    TypeError, ValueError
        As ``parse``, or if ``width`` is no number from 0.001 to 1000.
    """
    width = checks.real("width", width, 0.001, 1000)
    return notation(
        [
            Block(max(1, round(width * b.n_out)), b.kernel, b.padding, b.pool)
            for b in parse(text)
        ]
    )  # fmt: skip


def shapes(blocks: Sequence[Block], shape: Sequence[int]) -> list[tuple[int, ...]]:
    """Shapes of one sample before the first block and after each, (height, width, channels) or
    (n,).

    Raises
    ------
    ValueError
        If a convolution gets no image or one smaller than its kernel, or pooling leaves nothing.
    """
    found = [tuple(checks.integer("shape", n, 1) for n in shape)]
    for block in blocks:
        here = found[-1]
        if not block.kernel:
            found.append((block.n_out,))
            continue
        if len(here) != 3:
            raise ValueError(f"network: {block} needs images, not inputs of shape {here}")
        sizes = [n + 2 * block.padding - block.kernel + 1 for n in here[:2]]
        sizes = [n // block.pool if n > 0 else 0 for n in sizes]
        if min(sizes) < 1:
            raise ValueError(f"network: {block} is too large for its input of shape {here}")
        found.append((*sizes, block.n_out))
    return found


def matrices(blocks: Sequence[Block], shape: Sequence[int]) -> list[tuple[int, int]]:
    """Inputs and outputs of each block's weights, one matrix each; raises as ``shapes``."""
    before = shapes(blocks, shape)[:-1]
    inputs = [b.kernel**2 * s[-1] if b.kernel else math.prod(s)
              for b, s in zip(blocks, before, strict=True)]  # fmt: skip
    return [(n_in, block.n_out) for n_in, block in zip(inputs, blocks, strict=True)]


def names() -> tuple[str, ...]:
    """The named networks."""
    return tuple(sorted(path.stem for path in _NETWORKS.glob("*.toml")))


def load(source: str) -> tuple[str, dict[str, Any]]:
    """Notation and training settings of a network by name, TOML file or notation.

    Raises
    ------
    TypeError, ValueError
        If it is none of the three, or the file has other entries or wrong ones.
    OSError
        If the file cannot be read.
    """
    if source in names():
        path = _NETWORKS / f"{source}.toml"
    elif source.endswith(".toml"):
        path = Path(source)
    else:
        try:
            return notation(parse(source)), {}
        except ValueError as error:
            known = ", ".join(names())
            raise ValueError(f"{error}; it is no TOML file either, and none of {known}") from None
    try:
        content = tomllib.loads(path.read_text())
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise ValueError(f"{path} is no TOML file: {error}") from None
    unknown = set(content) - {"layers", "training"}
    if unknown or not isinstance(content.get("training", {}), dict):
        what = sorted(unknown)[0] if unknown else "training"
        raise ValueError(f"{path}: {what} = {content[what]!r} is not layers or a table training")
    try:
        layers: Any = content.get("layers")
        return notation(parse(layers)), content.get("training", {})
    except (TypeError, ValueError) as error:
        raise type(error)(f"{path}: {error}") from None

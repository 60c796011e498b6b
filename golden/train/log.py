"""Progress reports of a trainer."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any


def _nothing(*_: Any) -> None:
    """Report nothing."""


@dataclass(frozen=True)
class Log:
    """Functions that a trainer calls.

    Parameters
    ----------
    batch : callable
        After each batch, with (epoch, batch, batches), counted from 1.
    epoch : callable
        After each epoch, with its metrics, which are on disk by then.
    save : callable
        Before a checkpoint is written, with the number of epochs in it.
    """

    batch: Callable[[int, int, int], None] = _nothing
    epoch: Callable[[dict[str, Any]], None] = _nothing
    save: Callable[[int], None] = _nothing

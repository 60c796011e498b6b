"""Where commands print."""

from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from typing import Any

import rich.console
from rich.status import Status
from rich.text import Text


class Console(rich.console.Console):
    """A console that prints text unchanged: users' names may look like markup or emoji.

    Parameters
    ----------
    stderr : bool
        Print on standard error, where standard output is for JSON.
    **options
        See ``rich.console.Console``.
    """

    def __init__(self, *, stderr: bool = False, **options: Any):
        super().__init__(stderr=stderr, markup=False, emoji=False, **options)

    def status(self, status: Any, **options: Any) -> Status:
        """A moving status line during long work."""
        return super().status(Text(status) if isinstance(status, str) else status, **options)

    def on_broken_pipe(self) -> None:
        """Raise the error: the command line handles it."""
        raise BrokenPipeError


def simulating(name: str, console: Console) -> Callable[[], AbstractContextManager[Any]]:
    """The status on ``console`` while ``golden.device.curve.load`` simulates device ``name``.

    A line that moves on a terminal. Elsewhere the line is printed once, at the start.
    """
    text = f"simulating device {name}: up to some minutes, once for each device ..."

    def show() -> AbstractContextManager[Any]:
        if console.is_terminal:
            return console.status(text)
        console.print(text, soft_wrap=True, highlight=False)
        return nullcontext()

    return show

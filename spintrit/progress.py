"""What a run or an evaluation shows while it works. Here nothing: the base class is silent."""

from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from typing import Any

from golden.data import Progress as Download


class Bar:
    """A progress bar that shows nothing. It is a context manager, and moves within its context."""

    def __enter__(self) -> "Bar":
        return self

    def __exit__(self, *_: object) -> None:
        pass

    def update(self, done: float, state: str = "") -> None:
        """Move the bar to ``done`` of its total. ``state`` is the text beside it."""

    def line(self, text: str) -> None:
        """Print a line where bars do not move."""


class Progress:
    """Shows nothing. ``spintrit.report.progress.ConsoleProgress`` shows bars and lines."""

    def status(self, text: str) -> AbstractContextManager[Any]:
        """Show ``text`` within the context, while something takes long."""
        return nullcontext()

    def simulating(self, name: str) -> Callable[[], AbstractContextManager[Any]]:
        """What ``golden.device.curve.load`` enters while it simulates the device ``name``."""
        return nullcontext

    def bar(self, what: str, total: int, *, stays: bool = False) -> Bar:
        """A bar over ``total`` things that are called ``what``.

        Parameters
        ----------
        stays : bool
            Whether it has a text beside it and stays on the screen.
        """
        return Bar()

    def downloads(self) -> AbstractContextManager[Download | None]:
        """A context that gives ``golden.data.load`` its ``progress``, or None."""
        return nullcontext()

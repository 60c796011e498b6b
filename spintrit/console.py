"""Where commands print."""

from typing import Any

import rich.console
from rich.status import Status
from rich.text import Text


class Console(rich.console.Console):
    """A console that prints text as it is: what users name may look like markup or emoji.

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
        """A line that moves while something takes long."""
        return super().status(Text(status) if isinstance(status, str) else status, **options)

    def on_broken_pipe(self) -> None:
        """Let it pass: the command line knows what to do."""
        raise BrokenPipeError

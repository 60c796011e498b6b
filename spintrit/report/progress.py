"""Progress of runs and evaluations on a console."""

import contextlib
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from typing import Any

import rich.progress
from rich.progress import (
    BarColumn,
    DownloadColumn,
    MofNCompleteColumn,
    TextColumn,
    TimeRemainingColumn,
)

from golden.data import Progress as Download
from spintrit.progress import Bar, Progress
from spintrit.report.console import Console, simulating


class _Bar(Bar):
    def __init__(self, console: Console, what: str, total: int, *, stays: bool):
        state = [TextColumn("{task.fields[state]}")] if stays else []
        self._console = console
        self._progress = rich.progress.Progress(
            TextColumn(what), MofNCompleteColumn(), BarColumn(), *state, TimeRemainingColumn(),
            console=console, transient=not stays,
        )  # fmt: skip
        self._task = self._progress.add_task(what, total=total, state="")

    def __enter__(self) -> "_Bar":
        self._progress.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._progress.stop()

    def update(self, done: float, state: str = "") -> None:
        fields: dict[str, Any] = {"state": state} if state else {}
        self._progress.update(self._task, completed=done, **fields)

    def line(self, text: str) -> None:
        if not self._console.is_terminal:
            self._console.print(text)


class ConsoleProgress(Progress):
    """Bars and lines on a console.

    Parameters
    ----------
    console : Console, optional
        Standard output by default.
    """

    def __init__(self, console: Console | None = None):
        self._console = console or Console()

    def status(self, text: str) -> AbstractContextManager[Any]:
        return self._console.status(text)

    def simulating(self, name: str) -> Callable[[], AbstractContextManager[Any]]:
        return simulating(name, self._console)

    def bar(self, what: str, total: int, *, stays: bool = False) -> Bar:
        return _Bar(self._console, what, total, stays=stays)

    @contextlib.contextmanager
    def downloads(self) -> Iterator[Download | None]:
        with rich.progress.Progress(
            TextColumn("{task.description}", markup=False), BarColumn(), DownloadColumn(),
            TimeRemainingColumn(), console=self._console, transient=True,
        ) as progress:  # fmt: skip
            tasks: dict[str, Any] = {}

            def show(name: str, done: int, total: int | None) -> None:
                if name not in tasks:
                    tasks[name] = progress.add_task(name)
                progress.update(tasks[name], completed=done, total=total)

            yield show

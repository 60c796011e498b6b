"""How commands end: exit statuses, and errors in one line."""

import contextlib
import os
import select
import sys
import warnings
from collections.abc import Callable, Iterator
from typing import TextIO

from golden.array.lockstep import Mismatch
from golden.checks import InputWarning
from golden.extras import hinted
from spintrit.cli.parser import suggestion

DONE = 0
DIFFERENCE = 1
REFUSED = 2
INTERRUPTED = 130  # 128 + SIGINT, as a shell has it
CLOSED = 141  # 128 + SIGPIPE
MEANING = {
    DONE: "done",
    DIFFERENCE: "RTL and golden model differ, a check failed, or a design does not fit its FPGA",
    REFUSED: "it cannot be done: a wrong argument, a damaged file, a missing package or tool",
    INTERRUPTED: "stopped by Ctrl-C",
    CLOSED: "the reader of standard output, such as `head -1`, was gone before all was written",
}


def guarded(
    act: Callable[[], int], stopped: Callable[[KeyboardInterrupt], str] = lambda _: ""
) -> int:
    """The exit status of ``act``; errors and InputWarnings are printed as one line each.

    Parameters
    ----------
    act : callable
        Returns an exit status.
    stopped : callable, optional
        Returns the end of the message after Ctrl-C: how to go on.
    """
    try:
        try:
            with _warnings_in_a_line(), hinted():
                return act()
        finally:
            if sys.stdout is not None:
                sys.stdout.flush()
    except Mismatch as mismatch:
        _say(f"RTL and golden model differ: {mismatch}")
        return DIFFERENCE
    except ImportError as error:
        _say(f"error: {error}")
        return REFUSED
    except (ValueError, TypeError, OSError, RuntimeError, ArithmeticError, MemoryError) as error:
        closed = isinstance(error, BrokenPipeError) and _reader_gone()
        _drop_unwritable()
        if closed:
            return CLOSED
        text = str(error) or type(error).__name__
        _say(f"error: {text}{suggestion(text)}")
        return REFUSED
    except KeyboardInterrupt as stop:
        _say(f"stopped{stopped(stop)}")
        # If the interrupt has left an exec of text, as in an import, Python ends by the signal,
        # whatever status we return. Another exec resets this.
        exec("")
        return INTERRUPTED


@contextlib.contextmanager
def _warnings_in_a_line() -> Iterator[None]:
    """Print each InputWarning as a line on standard error; leave other warnings unchanged."""
    with warnings.catch_warnings():
        warnings.simplefilter("always", InputWarning)
        other = warnings.showwarning

        def show(
            message: Warning | str, category: type[Warning], filename: str, lineno: int,
            file: TextIO | None = None, line: str | None = None,
        ) -> None:  # fmt: skip
            if issubclass(category, InputWarning):
                _say(f"warning: {message}")
            else:
                other(message, category, filename, lineno, file, line)

        warnings.showwarning = show
        yield


def _say(text: str) -> None:
    with contextlib.suppress(OSError):  # nobody may listen
        print(f"spintrit: {' '.join(text.splitlines())}", file=sys.stderr, flush=True)


def _reader_gone() -> bool:
    """Whether standard output is a pipe that nobody reads."""
    try:
        output = select.poll()
        output.register(sys.stdout.fileno(), 0)
        return bool(output.poll(0))
    except (AttributeError, OSError, ValueError):  # no such file, or no poll on this system
        return False


def _drop_unwritable() -> None:
    """Drop text that standard output does not accept; Python would fail over it at exit."""
    try:
        sys.stdout.flush()
    except OSError:
        nowhere = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nowhere, sys.stdout.fileno())
        os.close(nowhere)

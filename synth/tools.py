"""Running the programs that make FPGA designs: Python packages, each in an interpreter of its own.

Such a program ends its process where it fails, keeps state of earlier calls, and writes to the
process's own standard output; a child holds all of that.
"""

import contextlib
import os
import re
import signal
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

from golden.extras import install
from synth.scratch import unwound

EXTRA = install("fpga")
_ERROR = re.compile(r"\bERROR: *(.*)")
_MISSING = 77  # exit status of a child that could not import its program
_CHILD = f"""
import sys
try:
    {{imports}}
except ImportError as error:
    print(error)
    sys.exit({_MISSING})
sys.exit({{call}})
"""


class ToolError(RuntimeError):
    """A needed program is missing or has failed. The message is one line, except for a compiler's
    own errors.

    Attributes
    ----------
    log : str
        The program's output.
    """

    def __init__(self, message: str, log: str = ""):
        super().__init__(message)
        self.log = log


class MissingToolError(ToolError):
    """The program is not installed."""


def output(
    *command: str, cwd: Path | None = None, environment: Mapping[str, str] | None = None
) -> tuple[int, str]:
    """Run a program; returns its exit status and its output (standard output and error).

    The program gets a process group of its own. An exception, SIGTERM or SIGHUP ends the whole
    group, so that no compiler goes on alone.
    """
    with unwound(), subprocess.Popen(
        command,
        cwd=cwd,
        env=environment,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        encoding="utf-8",
        errors="replace",
        process_group=0,
    ) as child:  # fmt: skip
        try:
            text, _ = child.communicate()
        except BaseException:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(child.pid, signal.SIGKILL)
            raise
    return child.returncode, text


def call(name: str, imports: str, expression: str, *arguments: str, cwd: Path) -> str:
    """Run one of these programs; returns its output.

    WebAssembly builds see no file of /tmp but those in and below their working folder: give such
    files relative to ``cwd``.

    Parameters
    ----------
    name : str
        Name of the program in messages.
    imports, expression : str
        Python code. The import fails if the program is missing. The call returns the exit status
        and finds ``arguments`` in ``sys.argv[1:]``.
    cwd : Path

    Raises
    ------
    MissingToolError
        If the import fails.
    ToolError
        If the program fails; the message is its first line that names an error.
    """
    program = _CHILD.format(imports=imports, call=expression)
    status, log = output(sys.executable, "-c", program, *arguments, cwd=cwd)
    if status == _MISSING:
        raise MissingToolError(f"{name} cannot be imported ({log.strip()}): {EXTRA}", log)
    if status:
        raise ToolError(f"{name} failed: {first_error(log, status)}", log)
    return log


def first_error(log: str, status: int) -> str:
    """The first line of a log that names an error; without one, its end and the exit status."""
    found = _ERROR.search(log)
    if found:
        return found[1].strip()
    lines = [line.strip() for line in log.splitlines() if line.strip()]
    return f"exit status {status}" + (f" after {lines[-1]!r}" if lines else "")

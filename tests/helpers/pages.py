"""Pages of the documentation, followed as a reader does."""

import contextlib
import io
import re
import shlex
from pathlib import Path

from spintrit.cli import main as cli

ROOT = Path(__file__).parents[2]


def blocks(page):
    """The blocks of a page in their order, each as (language, text)."""
    return re.findall(r"^```(\w+)\n(.*?)^```", (ROOT / page).read_text(), re.DOTALL | re.MULTILINE)


def printed(code, names):
    """What Python code prints."""
    output = io.StringIO()
    with contextlib.redirect_stdout(output):
        exec(compile(code, "page", "exec"), names)
    return output.getvalue().splitlines()


def promised(code):
    """What comments of Python code say that it prints: beside a call, or in lines of their own."""
    return re.findall(r"(?:print\(.*\)  |^)# ([^:\n]+)", code, re.MULTILINE)


def followed(page, run):
    """Run the commands of a page for which ``run(line)`` is true.

    Returns what they printed, and the lines that the page shows of them. A block of text belongs to
    the commands just before it.
    """
    output, shown, ran = io.StringIO(), [], False
    for language, text in blocks(page):
        if language == "sh":
            lines = [line for line in text.splitlines() if run(line)]
            ran = len(lines) == len(text.splitlines())
            for line in lines:
                with contextlib.redirect_stdout(output):
                    assert cli.main(shlex.split(line)[1:]) == 0, line
        elif language == "text" and ran:
            shown += text.splitlines()
    return [words(line) for line in output.getvalue().splitlines()], [words(line) for line in shown]


def words(line):
    """A line without the widths of its columns."""
    return " ".join(line.split())

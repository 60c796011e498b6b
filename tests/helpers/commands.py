"""Commands run in this process."""

import shlex

import pytest

from spintrit.cli import main as cli


def spintrit(line: str) -> int:
    """The exit status of ``spintrit line``."""
    return cli.main(shlex.split(line))


def error_of(line: str, capsys: pytest.CaptureFixture[str], *, alone: bool = False) -> str:
    """The one line on standard error of a command that must exit with 2; ``alone``, with nothing on
    standard output."""
    try:
        status = spintrit(line)
    except SystemExit as stop:  # argparse's way
        status = int(stop.code or 0)
    captured = capsys.readouterr()
    assert status == 2
    assert captured.err.count("\n") == 1, captured.err
    assert not (alone and captured.out)
    return captured.err

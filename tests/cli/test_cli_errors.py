"""Exit statuses, hints, closed pipes and text that looks like markup."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
from commands import error_of, spintrit

from golden.extras import install
from spintrit.cli import status, train
from spintrit.report.console import Console
from spintrit.report.progress import ConsoleProgress
from spintrit.runs.source import Source

ROOT = Path(__file__).parents[2]
QUICK = "train --epochs 1 --network 8FC --rows 16 --cols 16"
MARKUP = "a[/x] [doi:10.1] :smile: [red]b"


@pytest.mark.parametrize(
    ("line", "hint"),
    [
        ("trian", "did you mean train?"),
        ("device lst", "did you mean list?"),
        ("train --netwrok 8FC", "did you mean --network?"),
        ("train --netwrok=8FC", "did you mean --network?"),
        ("train --rule blnd", "did you mean blind?"),
        ("train --array goldn", "did you mean golden?"),
        ("device show defualt", "did you mean default?"),
        ("generate --output x.v -o y.v", "did you mean --out?"),
        ("device show --json default", "--json took 'default' as its FILE: write --json=FILE"),
        ("eval --json run", "--json took 'run' as its FILE"),
    ],
)
def test_errors_say_what_may_have_been_meant(line, hint, capsys):
    assert hint in error_of(line, capsys)


@pytest.mark.parametrize("line", ["nothing-like-it", "train --zzzz", "train --rule xyz"])
def test_no_hint_where_nothing_is_near(line, capsys):
    assert "mean" not in error_of(line, capsys)


@pytest.mark.parametrize(
    ("option", "line"),
    [
        ("--table", "train --table=--"),
        ("--network", "train --network=--"),
        ("--rows", "train --rows=--"),
        ("--out", "export run --out=--"),
        ("-o", "export run -o--"),
        ("--picture", "plot run --picture=--"),
        ("--seeds", "study mnist --seeds=--"),
    ],
)
def test_dashes_are_no_value(option, line, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    told = error_of(line, capsys)
    assert f"argument {option}" in told
    assert "expected a value, not '--'" in told
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("option", ["--table", "--out", "--data", "--json"])
def test_an_empty_path_is_refused(option, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    assert "must name a file or a folder, not ''" in error_of(f"train {option}=", capsys)
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    "line", ["device list", "device show default", "fpga --list", "study mnist --list"]
)
def test_a_closed_pipe_ends_a_command_quietly(line):
    """Buffered and unbuffered."""
    for environment in ({}, {"PYTHONUNBUFFERED": "1"}):
        reader, writer = os.pipe()
        os.close(reader)
        done = subprocess.run(
            [sys.executable, "-m", "spintrit", *line.split()], stdout=writer,
            stderr=subprocess.PIPE, env={**os.environ, "PYTHONUNBUFFERED": ""} | environment,
            cwd=ROOT, check=False,
        )  # fmt: skip
        os.close(writer)
        assert (done.returncode, done.stderr) == (status.CLOSED, b"")


def test_a_full_disk_at_standard_output_is_one_line():
    with Path("/dev/full").open("wb") as full:
        done = subprocess.run(
            [sys.executable, "-m", "spintrit", "device", "list"], stdout=full,
            stderr=subprocess.PIPE, cwd=ROOT, check=False,
        )  # fmt: skip
    assert (done.returncode, done.stderr) == (
        status.REFUSED, b"spintrit: error: [Errno 28] No space left on device\n",
    )  # fmt: skip


def test_a_pipe_that_breaks_elsewhere_is_an_error(capsys):
    def act():
        raise BrokenPipeError(32, "Broken pipe", "/dev/ttyUSB0")

    assert status.guarded(act) == status.REFUSED
    assert "/dev/ttyUSB0" in capsys.readouterr().err


@pytest.mark.parametrize("error", [OverflowError("too large"), MemoryError(), RecursionError("r")])
def test_any_failure_is_one_line(error, capsys):
    def act():
        raise error

    assert status.guarded(act) == status.REFUSED
    assert capsys.readouterr().err == f"spintrit: error: {str(error) or 'MemoryError'}\n"


def test_console_prints_text_as_it_is(capsys):
    from rich.table import Table

    console = Console(width=200)
    table = Table(MARKUP, title=MARKUP)
    table.add_row(MARKUP)
    console.print(table)
    console.print(MARKUP)
    with console.status(MARKUP):
        pass
    assert capsys.readouterr().out.count(MARKUP) == 4


def test_commands_take_names_that_look_like_markup(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COLUMNS", "200")
    text = (ROOT / "golden" / "device" / "devices" / "default.toml").read_text()
    own = Path("m[/[red]x[*].toml")
    own.parent.mkdir()
    own.write_text(re.sub('"""(?s:.*?)"""', "'see [doi:10.1/2] and [/x]'", text))
    run = "'run[/x]'"
    for line in (
        f"device show '{own}'", f"device table '{own}' --model formula -o 't[/x]'",
        f"{QUICK} --out {run} --table 't[/x]'", f"energy {run}", f"eval {run} --count 5",
        f"export {run} -o 'e[/x]'", f"plot {run} -o 'p[/x].svg'",
    ):  # fmt: skip
        assert spintrit(line) == 0, line
    shown = capsys.readouterr().out
    assert "see [doi:10.1/2] and [/x]" in shown
    assert "files in run[/x]/" in shown
    assert "device [red]x[*]" in " ".join(shown.split())
    told = error_of(f"{QUICK} --data '[/x]' --dataset images --out b", capsys)
    assert "[/x]" in told


def test_names_of_downloads_are_no_markup(monkeypatch, capsys):

    def load(name, *, progress, **_):
        progress("train[/x].gz", 1, 2)
        progress("train[/x].gz", 2, 2)

    monkeypatch.setattr("golden.data.load", load)
    Source().load(ConsoleProgress(Console(force_terminal=True, width=100)))
    assert "train[/x].gz" in capsys.readouterr().out


def test_each_demo_has_a_folder():
    folders = [
        str(train.demo_folder(seed, on_chip)) for on_chip in (False, True) for seed in (0, 1)
    ]
    assert folders == [
        "build/demo", "build/demo-seed1", "build/demo-on-chip", "build/demo-on-chip-seed1",
    ]  # fmt: skip


@pytest.mark.parametrize("line", ["demo", "demo --seed 1", "demo --on-chip"])
def test_demo_keeps_an_earlier_one(line, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    folder = train.demo_folder(int("seed" in line), "chip" in line)
    folder.mkdir(parents=True)
    (folder / "summary.json").write_text("dear to somebody")
    assert "give --resume or --overwrite" in error_of(line, capsys)
    assert (folder / "summary.json").read_text() == "dear to somebody"


def test_make_demo_runs_twice():
    """It takes the place of its own earlier run, which has the same bits."""
    assert "spintrit demo --overwrite\n" in (ROOT / "Makefile").read_text()


def test_hints_name_what_can_be_installed():
    import tomllib

    extras = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"][
        "optional-dependencies"
    ]
    assert install("demo") == "pip install '.[demo]' in the checkout"
    for folder in ("golden", "hdl", "synth", "sim", "spintrit", "docs"):
        for path in (ROOT / folder).rglob("*"):
            if path.suffix in (".py", ".md") and path.name != "extras.py":
                assert "pip install 'spintrit" not in path.read_text(), path
    assert {"demo", "fpga", "rtl", "torch"} <= set(extras)

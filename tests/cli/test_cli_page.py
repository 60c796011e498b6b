"""docs/cli.md is true; options mean the same in all commands; bench and completion."""

import json
import re
import subprocess
import sys
from argparse import Namespace
from pathlib import Path

import pytest
from commands import error_of, spintrit

from spintrit.bench import machine, rates
from spintrit.cli import main as cli
from spintrit.cli import status

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "cli.md").read_text()
COMMANDS = cli.commands(cli.parser())
SHARED = {
    option: set(re.findall(r"`([^`]+)`", where))
    for option, where in re.findall(r"^\| `(?:-o/)?(--\w+)[^|]*\|[^|]*\|([^|]*)\|$", PAGE, re.M)
}


def test_statuses_are_as_listed():
    rows = re.findall(r"^\| (\d+) \| (.*) \|$", PAGE, re.MULTILINE)
    assert {int(number): meaning for number, meaning in rows} == status.MEANING


def test_shared_options_are_those_of_the_commands():
    assert len(SHARED) == 8
    for option, where in SHARED.items():
        have = {
            name for name, parser in COMMANDS.items() if option in parser._option_string_actions
        }
        assert have == where, option


@pytest.mark.parametrize("name", COMMANDS)
def test_options_mean_the_same(name):
    options = COMMANDS[name]._option_string_actions
    gone = {"--output", "--plot", "--freq"}
    assert not gone & set(options)
    for short in ("-o",):
        if short in options:
            assert options[short].option_strings[-1] in ("--out", "--picture")
            assert ("--out" in options) != (options[short].option_strings[-1] == "--picture")
    if "--json" in options:
        assert (options["--json"].nargs, str(options["--json"].const)) == ("?", "-")
    if name != "study" and "--rows" in options:
        assert options["--rows"].metavar == "N"


def test_readme_links_the_page():
    assert "(docs/cli.md)" in (ROOT / "README.md").read_text()


@pytest.mark.parametrize(
    ("line", "holds"),
    [
        ("device list --json", ["default", "retention", "stochastic"]),
        ("fpga --list --json", ["ulx3s-85f", "icebreaker"]),
    ],
)
def test_lists_as_json(line, holds, capsys):
    assert spintrit(line) == 0
    assert list(json.loads(capsys.readouterr().out)) == holds


def test_runs_of_a_study_as_json(capsys):
    assert spintrit("study on-chip --list --json") == 0
    runs = json.loads(capsys.readouterr().out)
    assert all(run["command"].startswith("spintrit train ") for run in runs)


@pytest.mark.parametrize("quick", [False, True])
def test_bench_says_how_long_it_takes_first(quick, tmp_path, monkeypatch, capsys):
    """Figures as numbers in JSON, as texts in tables."""

    def measured(config, effort):
        assert effort is (rates.QUICK if quick else rates.FULL)
        yield rates.Result(
            "Speeds", {"row": "", "rate": "{:,.0f}"}, [["ours", 1234.4], ["x", None]]
        )

    monkeypatch.setattr(rates, "measured", measured)
    assert rates.main(Namespace(quick=quick, json=tmp_path / "b.json")) == 0
    shown = capsys.readouterr().out
    first = shown.partition("Speeds")[0]
    assert re.search(r"This takes (about|some) .*(minutes|seconds)", " ".join(first.split()))
    assert "1,234" in shown
    here = machine.describe()
    assert json.loads((tmp_path / "b.json").read_text()) == [
        {"title": "Speeds", "row": "ours", "rate": 1234.4, **here},
        {"title": "Speeds", "row": "x", "rate": None, **here},
    ]


def test_bench_measures_less_when_quick(monkeypatch):
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)  # no PyTorch
    for name in ("_on_chip", "_rtl"):
        monkeypatch.setattr(rates, name, lambda *_, name=name: name)
    monkeypatch.setattr(rates, "_row", lambda *_: [])
    training, *others = rates.measured(None, rates.FULL)
    assert others == ["_on_chip", "_rtl"]
    assert [name for [name] in training.rows] == [work.name for work in rates.WORKLOADS]
    training, *_ = rates.measured(None, rates.QUICK)
    assert [name for [name] in training.rows] == [w.name for w in rates.WORKLOADS if not w.slow]
    assert rates.QUICK.seconds < rates.FULL.seconds


@pytest.mark.parametrize("module", ["spintrit.report.console", "shtab"])
def test_missing_packages_are_one_line(module, monkeypatch, capsys):
    monkeypatch.setitem(sys.modules, module, None)
    monkeypatch.delitem(sys.modules, "spintrit.bench.rates", raising=False)
    line = "completion bash" if module == "shtab" else "bench"
    assert "pip install '.[demo]' in the checkout" in error_of(line, capsys, alone=True)


@pytest.mark.parametrize("shell", cli.SHELLS)
def test_completion_knows_commands_and_options(shell, capsys):
    pytest.importorskip("shtab")
    assert spintrit(f"completion {shell}") == 0
    script = capsys.readouterr().out
    for word in ("spintrit", "train", "network", "picture"):
        assert word in script
    if shell == "bash":
        subprocess.run(["bash", "-n"], input=script.encode(), check=True)

"""docs/device.md is true: its commands run or exist, its example is a device."""

import re
import shlex
from pathlib import Path

import pytest

from golden.device import junction
from spintrit.cli import main as cli

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "device.md").read_text()


def test_commands_run(tmp_path, monkeypatch):
    lines = re.findall(r"^spintrit (.*)$", PAGE, re.MULTILINE)
    assert len(lines) >= 3
    (tmp_path / "docs").symlink_to(ROOT / "docs")
    monkeypatch.chdir(tmp_path)
    for line in lines:
        assert cli.main(shlex.split(line)) == 0, line
    made = {path.name for path in Path("build").iterdir()}
    assert made == {"table.json", "measured.json", "measured.png"}


@pytest.mark.parametrize("line", re.findall(r"`spintrit ([^`]*)`", PAGE))
def test_inline_commands_exist(line):
    if line not in cli.commands(cli.parser()):  # a command's name alone is none to run
        cli.parser().parse_args(shlex.split(line.replace("CODER", "inverse")))


def test_example_is_a_device(tmp_path):
    [text] = re.findall(r"```toml\n(.*?)```", PAGE, re.DOTALL)
    path = tmp_path / "mine.toml"
    path.write_text(text)
    assert junction.load(path).name == "mine"


def test_devices_are_as_listed():
    rows = dict(re.findall(r"^\| (.*?) \| (.*) \|$", PAGE, re.MULTILINE))
    names = ("default", "stochastic", "retention")
    found = [junction.load(name) for name in names]
    told = [f"{each.stability:.1f}" for each in found]
    assert rows["barrier Delta, in kB T"].split(" | ") == told
    for direction, label in ((0, "AP to P"), (1, "P to AP")):
        ratios = [d.current_a(direction, d.v_write_v) / d.critical_current_a for d in found]
        told = [f"{ratio:.2f}" for ratio in ratios]
        assert rows[f"write current / Ic0, {label}"].split(" | ") == told

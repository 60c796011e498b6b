"""docs/accelerator.md is true: commands run or exist, code runs, names are those of the block."""

import re
import shlex
from pathlib import Path

import numpy as np
import pytest

from golden.registers import c_header
from spintrit.cli import main as cli

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "accelerator.md").read_text()


def test_commands_run(tmp_path, monkeypatch):
    """All but the demo, which needs Verilator."""
    lines = re.findall(r"^spintrit (.*)$", PAGE, re.MULTILINE)
    run = [line for line in lines if not line.startswith("demo")]
    assert len(run) == len(lines) - 1 >= 3
    monkeypatch.chdir(tmp_path)
    for line in run:
        assert cli.main(shlex.split(line)) == 0, line
    assert {path.name for path in Path("build").iterdir()} == {"chip", "ip"}


@pytest.mark.parametrize("line", re.findall(r"`spintrit (train[^`]*|study[^`]*)`", PAGE))
def test_inline_commands_exist(line):
    cli.parser().parse_args(shlex.split(line))


def test_python_runs():
    [code] = re.findall(r"```python\n(.*?)```", PAGE, re.DOTALL)
    names: dict = {}
    exec(compile(code, "accelerator.md", "exec"), names)
    assert names["network"].predict(np.zeros((3, 64), int)).shape == (3,)


def test_c_names_are_in_the_header():
    [code] = re.findall(r"```c\n(.*?)```", PAGE, re.DOTALL)
    names = set(re.findall(r"SPINTRIT_\w+", code))
    assert names
    assert names <= set(re.findall(r"SPINTRIT_\w+", c_header()))


def test_files_and_classes_are_there():
    for name, path in re.findall(r"^ *(\w+) +(hdl/\S+\.py) ", PAGE, re.MULTILINE):
        assert f"class {name}(" in (ROOT / path).read_text(), name

"""README and docs are true: their commands run, their code prints what it says."""

import contextlib
import io
import re
import shlex
from pathlib import Path

import pytest

from golden.array import frames
from golden.config import ArrayConfig
from hdl.array.port import VISIBLE
from spintrit.cli import main as cli

ROOT = Path(__file__).parents[2]
README = (ROOT / "README.md").read_text()
COMMANDS = [
    line
    for block in re.findall(r"```sh\n(.*?)```", README, re.DOTALL)
    for line in block.splitlines()
    if line.startswith("spintrit ")
]


@pytest.mark.full
def test_readme_commands_run(tmp_path, monkeypatch):
    """All but those on the RTL, which need Verilator."""
    monkeypatch.chdir(tmp_path)
    run = [line for line in COMMANDS if "--array both" not in line]
    assert len(run) == len(COMMANDS) - 2 >= 5
    for line in run:
        assert cli.main(shlex.split(line)[1:]) == 0, line
    assert Path("build/array.v").exists()


@pytest.mark.parametrize("line", re.findall(r"`spintrit ((?:train|demo|generate)[^`]*)`", README))
def test_readme_options_exist(line):
    filled = line.replace(" N", " 0").removesuffix(" with")
    cli.parser().parse_args(shlex.split(filled))


def test_result_rows_are_options():
    rows = re.findall(r"^\| `(--[^`]*)`", README, re.MULTILINE)
    assert len(rows) >= 5
    for row in rows:
        cli.parser().parse_args(["train", *shlex.split(row)])


def test_readme_python_prints_what_it_says():
    [code] = re.findall(r"```python\n(.*?)```", README, re.DOTALL)
    output = io.StringIO()
    with contextlib.redirect_stdout(output):
        exec(compile(code, "README.md", "exec"), {})
    promised = re.findall(r"print\(.*?\)  # ([^:\n]+)", code)
    assert output.getvalue().splitlines() == promised


def test_links_exist():
    for page in [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *(ROOT / "docs").glob("*.md")]:
        for target in re.findall(r"\]\(([^)]+)\)", page.read_text()):
            if "://" not in target:
                assert (page.parent / target).exists(), f"{page.name}: {target}"


def test_hardware_page_tells_the_overhead_and_widths():
    page = (ROOT / "docs" / "hardware.md").read_text()
    assert f"N + {frames.OVERHEAD} cycles" in page
    assert f"accepted from N + {VISIBLE} cycles after" in page
    assert f"({frames.data_bits(ArrayConfig())} bits for 64 rows)" in page

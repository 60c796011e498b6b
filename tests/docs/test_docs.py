"""README and docs are true: their commands run, their code prints what it says."""

import re
import shlex
from pathlib import Path

import numpy as np
import pytest
from pages import blocks, printed, promised

from golden.array import frames
from golden.codes import cell_weights
from golden.config import ArrayConfig
from hdl.array.port import VISIBLE
from spintrit.cli import main as cli

ROOT = Path(__file__).parents[2]
README = (ROOT / "README.md").read_text()
PAGES = sorted([ROOT / "README.md", ROOT / "CONTRIBUTING.md", *(ROOT / "docs").rglob("*.md")])
INLINE = re.compile(r"`spintrit ((?:train|demo|generate)[^`]*)`")
DIGITS = "docs/results/digits.md"
WITH_COMMANDS = ("README.md", "docs/cli.md", "docs/demo.md", "docs/speed.md", DIGITS)


def named(page: Path) -> str:
    return page.relative_to(ROOT).as_posix()


@pytest.mark.parametrize(
    ("name", "on_rtl"),
    [("README.md", 1), pytest.param("docs/cli.md", 2, marks=pytest.mark.full)],
)
def test_commands_run(name, on_rtl, tmp_path, monkeypatch):
    """All but those on the RTL, which need Verilator."""
    monkeypatch.chdir(tmp_path)
    blocks = re.findall(r"```sh\n(.*?)```", (ROOT / name).read_text(), re.DOTALL)
    commands = re.findall(r"^spintrit (.*)$", "\n".join(blocks), re.MULTILINE)
    run = [line for line in commands if "--array both" not in line]
    assert len(run) == len(commands) - on_rtl >= 5
    for line in run:
        assert cli.main(shlex.split(line)) == 0, line
    assert Path("build/array.v").exists()


@pytest.mark.parametrize(
    "line", [line for name in WITH_COMMANDS for line in INLINE.findall((ROOT / name).read_text())]
)
def test_options_exist(line):
    cli.parser().parse_args(shlex.split(line.replace(" N", " 0")))


def test_result_rows_are_options():
    page = (ROOT / DIGITS).read_text()
    rows = re.findall(r"^\| `(--[^`]*)`", page, re.MULTILINE)
    assert len(rows) >= 5
    for row in rows:
        cli.parser().parse_args(["train", *shlex.split(row)])


def test_readme_python_prints_what_it_says(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    codes = [code for language, code in blocks("README.md") if language == "python"]
    assert len(codes) == 2
    for code in codes:
        assert printed(code, {}) == promised(code) != []


def anchors(page: Path) -> set[str]:
    """The anchors of a page's headings, as GitHub makes them."""
    headings = re.findall(r"^#+ (.*)$", page.read_text(), re.MULTILINE)
    return {re.sub(r"[^\w -]", "", each.lower()).replace(" ", "-") for each in headings}


@pytest.mark.parametrize("page", PAGES, ids=named)
def test_links_exist(page):
    for target in re.findall(r"\]\(([^)]+)\)", page.read_text()):
        if "://" not in target:
            path, _, anchor = target.partition("#")
            linked = page.parent / path if path else page
            assert linked.exists(), target
            assert not anchor or anchor in anchors(linked), target


def test_the_index_has_every_page():
    index = (ROOT / "docs" / "README.md").read_text()
    for page in (ROOT / "docs").rglob("*.md"):
        path = page.relative_to(ROOT / "docs").as_posix()
        assert path == "README.md" or f"]({path})" in index, path


def test_the_picture_is_of_the_code_of_the_synapse():
    """docs/synapse.svg draws both junctions under each weight: m1 above m2, P or AP."""
    picture = (ROOT / "docs" / "synapse.svg").read_text()
    headings = re.findall(r'<text x="(\d+)" y="62">.*?([+\u2212]?[01])', picture)
    assert len(headings) == 4
    for middle, weight in headings:
        left = int(middle) - 28
        kinds = [re.search(f'href="#(a?p)" x="{left}" y="{top}"', picture)[1] for top in (74, 142)]
        bits = np.array([kind == "p" for kind in kinds], np.uint8)
        assert cell_weights(bits) == int(weight.replace("\u2212", "-"))


def test_hardware_page_tells_the_overhead_and_widths():
    page = (ROOT / "docs" / "hardware.md").read_text()
    assert f"N + {frames.OVERHEAD} cycles" in page
    assert f"accepted from N + {VISIBLE} cycles after" in page
    assert f"({frames.data_bits(ArrayConfig())} bits for 64 rows)" in page

"""The pages for users of Python and for newcomers are true."""

import runpy

import pytest
from pages import ROOT, blocks, followed, printed, promised

PAGE = "docs/first-hour.md"


def test_the_page_of_the_interface_is_that_of_the_docstrings():
    made = runpy.run_path(str(ROOT / "docs" / "make_api.py"))
    assert (ROOT / "docs" / "api.md").read_text() == made["page"](), "run docs/make_api.py"
    import spintrit

    named = [name for names in made["GROUPS"].values() for name in names]
    assert sorted([*named, "__version__"]) == sorted(spintrit.__all__)


def test_first_hour_commands_print_what_it_shows(tmp_path, monkeypatch):
    """All but the one on the RTL, which needs Verilator."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COLUMNS", "100")
    lines, shown = followed(PAGE, lambda line: "--array both" not in line)
    assert len(shown) > 15
    for line in shown:
        assert line in lines
    assert (tmp_path / "build" / "first" / "learning.png").exists()
    assert (tmp_path / "build" / "array.v").exists()


def test_first_hour_python_prints_what_it_says(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    names = {}
    codes = [text for language, text in blocks(PAGE) if language == "python"]
    assert len(codes) >= 3
    for code in codes:
        assert printed(code, names) == promised(code)
    assert (tmp_path / "learning.png").exists()


def test_hardware_page_python_prints_what_it_says():
    names = {}
    codes = [text for language, text in blocks("docs/hardware.md") if language == "python"]
    assert '"both"' in codes[0]  # that one needs Verilator
    for code in codes:
        assert printed(code.replace('"both"', '"golden"'), names) == promised(code)


@pytest.mark.parametrize("page", [f"docs/{name}.md" for name in ("data", "fpga", "netlist")])
def test_python_imports_what_exists(page):
    """Blocks that need data, a compiler or time: their imports at least."""
    for language, text in blocks(page):
        if language == "python":
            lines = [line for line in text.splitlines() if line.startswith(("import ", "from "))]
            assert lines
            printed("\n".join(lines), {})

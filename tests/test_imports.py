"""Which parts of the project may import which, and what ``golden`` needs to be imported."""

import ast
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]

# What each part, a package or a folder of it, must not import.
FORBIDDEN = {
    "golden": "hdl synth sim spintrit tb tests",
    "hdl": "synth sim spintrit tb tests",
    "synth": "sim spintrit tb tests",
    "sim": "spintrit tb tests",
    "spintrit": "tb tests",
    "golden.device": "golden.pulse golden.array golden.matrix golden.backend golden.network "
    "golden.energy golden.train golden.accel",
    "golden.pulse": "golden.array golden.matrix golden.network golden.train golden.accel",
    "golden.array": "golden.matrix golden.network golden.energy golden.train golden.accel",
    "golden.matrix": "golden.network golden.energy golden.train golden.accel",
    "golden.backend": "golden.network golden.train golden.accel",
    "golden.network": "golden.train golden.accel",
    "golden.train": "golden.accel",
    "golden.accel": "golden.train",
    "spintrit.report": "spintrit.cli spintrit.runs",
    "spintrit.runs": "spintrit.cli",
    "spintrit.fitting": "spintrit.cli spintrit.runs spintrit.report",
}


def imported(text, module, *, package=False):
    """Names of all modules that a module's text may import, wherever in it the import stands."""
    found = set()
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.Import):
            found |= {each.name for each in node.names}
        elif isinstance(node, ast.ImportFrom):
            above = module.split(".")[: len(module.split(".")) - node.level + package]
            base = ".".join([*above * bool(node.level), *filter(None, [node.module])])
            found |= {base} | {f"{base}.{each.name}" for each in node.names}
    return found


def parts(module):
    """The parts that a module belongs to: its package and the folders in it."""
    words = module.split(".")
    return {".".join(words[:n]) for n in range(1, len(words) + 1)}


def offences(text, module, *, package=False):
    """Forbidden imports of a module, as pairs of what must not import what."""
    names = {part for name in imported(text, module, package=package) for part in parts(name)}
    return {
        (part, other)
        for part in parts(module) & FORBIDDEN.keys()
        for other in set(FORBIDDEN[part].split()) & names
    }


def test_every_part_exists():
    assert FORBIDDEN.keys() <= {part for module, _ in modules() for part in parts(module)}


def modules():
    for package in ("golden", "hdl", "synth", "sim", "spintrit"):
        for path in sorted((ROOT / package).rglob("*.py")):
            name = ".".join(path.relative_to(ROOT).with_suffix("").parts)
            yield name.removesuffix(".__init__"), path


def test_no_part_imports_what_it_must_not():
    found = {}
    for module, path in modules():
        package = path.name == "__init__.py"
        if wrong := offences(path.read_text(), module, package=package):
            found[module] = wrong
    assert not found


@pytest.mark.parametrize(
    ("module", "text", "pair"),
    [
        ("golden.array.cell", "import hdl.board", ("golden", "hdl")),
        ("golden.array.cell", "from hdl import board", ("golden", "hdl")),
        (
            "golden.device.curve",
            "def f():\n    from golden.pulse import table",
            ("golden.device", "golden.pulse"),
        ),
        ("golden.accel.config", "from golden import train", ("golden.accel", "golden.train")),
        ("golden.accel.config", "from ..train import Trainer", ("golden.accel", "golden.train")),
        ("spintrit.runs.run", "from .. import cli", ("spintrit.runs", "spintrit.cli")),
        ("spintrit.bench", "if 1:\n    from tb.rate import measure", ("spintrit", "tb")),
    ],
)
def test_a_forbidden_import_is_found_wherever_it_stands(module, text, pair):
    assert offences(text, module) == {pair}


def test_imports_of_an_init_file_start_in_its_own_folder():
    assert imported("from . import config", "golden.accel", package=True) >= {"golden.accel.config"}


_BLOCKED = """
import importlib, sys
from importlib.abc import MetaPathFinder

class Block(MetaPathFinder):
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in sys.argv[1].split():
            raise ModuleNotFoundError(f"{name} is blocked", name=name)

sys.meta_path.insert(0, Block())
for name in sys.argv[2:]:
    importlib.import_module(name)
"""
_OPTIONAL = (
    "scipy statsmodels torch numba sklearn PIL matplotlib rich amaranth serial cocotb pandas"
)


def _import_blocked(blocked, *names):
    return subprocess.run(
        [sys.executable, "-c", _BLOCKED, blocked, *names],
        cwd=ROOT, capture_output=True, text=True, check=False,
    )  # fmt: skip


def test_golden_modules_need_numpy_alone():
    names = {module for module, _ in modules() if module.partition(".")[0] == "golden"}
    # PyTorch's own, loaded when that back end is asked for.
    names = {name for name in names if not name.startswith("golden.backend.torch")}
    done = _import_blocked(_OPTIONAL, "golden", *sorted(names))
    assert done.returncode == 0, done.stderr


def test_a_package_that_is_blocked_cannot_be_imported():
    assert "numpy is blocked" in _import_blocked("numpy", "golden.array.golden").stderr

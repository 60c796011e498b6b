"""Commands without the optional packages: one line, which says what installs them."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

WITHOUT = """
import sys
missing = set(sys.argv[1].split(","))
class Missing:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in missing:
            raise ModuleNotFoundError(f"No module named {name!r}", name=name)
sys.meta_path.insert(0, Missing())
from spintrit.cli import main as cli
sys.exit(cli.main(sys.argv[2:]))
"""
OPTIONAL = "rich,matplotlib,PIL,scipy,sklearn,statsmodels,torch,amaranth,serial,shtab,platformdirs"


ROOT = Path(__file__).parents[2]


def ended(missing, line, folder=ROOT):
    """A command that ran without packages in a folder."""
    return subprocess.run(
        [sys.executable, "-c", WITHOUT, missing, *line.split()],
        capture_output=True, text=True, check=False, timeout=120,
        cwd=folder, env=os.environ | {"PYTHONPATH": str(ROOT)},
    )  # fmt: skip


@pytest.mark.parametrize("package", ["rich", "matplotlib", "PIL", OPTIONAL])
def test_the_parser_needs_no_optional_package(package):
    done = ended(package, "eval --help")
    assert (done.returncode, done.stderr) == (0, "")


@pytest.mark.parametrize(
    "line",
    [
        "device list", "device table default -o x.json", "device plot default -o x.png",
        "device fit x.csv", "train", "demo", "energy x", "eval x", "plot x", "study on-chip",
        "ip -o x", "generate -o x.v", "fpga --list", "bench", "completion bash",
    ],
)  # fmt: skip
def test_a_missing_package_is_one_line(line, tmp_path):
    done = ended(OPTIONAL, line, tmp_path)
    assert done.returncode == 2
    assert done.stderr.count("\n") == 1
    assert "pip install '.[" in done.stderr
    assert not list(tmp_path.rglob("*.*"))

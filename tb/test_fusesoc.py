"""The FuseSoC core that ``spintrit ip`` writes, run by FuseSoC with Verilator."""

import importlib.util
import os
import subprocess
import sys

import pytest

from golden.accel.config import AcceleratorConfig
from golden.config import ArrayConfig
from sim.toolchain import find_verilator
from synth.accelerator import ip_files

CONFIG = AcceleratorConfig(
    array=ArrayConfig(rows=2, cols=4), activation_words=8, error_words=4, program_words=16
)


@pytest.fixture(scope="module", autouse=True)
def fusesoc():
    """FuseSoC: without it a skip that says so, in CI an error at the first command."""
    if importlib.util.find_spec("fusesoc") is None and os.environ.get("CI") != "true":
        pytest.skip("FuseSoC is not installed: pip install fusesoc")


@pytest.fixture(scope="module")
def files():
    return ip_files(CONFIG, "my_block")


def lint(folder, files):
    """Run the target lint; returns its exit status and what it says."""
    for name, text in files.items():
        (folder / name).write_text(text)
    verilator = find_verilator()
    environment = {**verilator.environment, "XDG_CONFIG_HOME": str(folder / "home")}
    command = [sys.executable, "-m", "fusesoc.main", "--cores-root", ".", "run", "--target=lint"]
    done = subprocess.run(
        [*command, "spintrit:ip:my_block"],
        cwd=folder,
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=120,
        check=False,
    )
    return done.returncode, done.stdout


def test_lint_of_the_core_is_clean(files, tmp_path):
    status, shown = lint(tmp_path, files)
    assert status == 0, shown
    assert "verilator -f spintrit_ip_my_block_0.1.0.vc" in shown  # it did run
    assert "deprecated" not in shown.lower()
    assert "%Warning" not in shown


def test_lint_of_the_core_tells_a_mistake(files, tmp_path):
    verilog = files["my_block.v"].replace("endmodule", "  assign none = 1'b0;\nendmodule", 1)
    status, shown = lint(tmp_path, {**files, "my_block.v": verilog})
    assert status != 0
    assert "my_block.v" in shown
    assert "%Error" in shown

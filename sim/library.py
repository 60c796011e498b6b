"""Compiling a Verilated array to a shared library, once per design."""

import ctypes
import hashlib
import os
import platform
import shutil
import tempfile
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any

import platformdirs

from golden.config import ArrayConfig
from sim.toolchain import MAKE_FLAGS, ToolError, Verilator, find_verilator
from synth.generate import TOP_NAME, array_verilog

_DRIVER = Path(__file__).with_name("driver.cpp")
_LIBRARY = "design.so"
Functions = Mapping[str, tuple[Any, list[Any]]]
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
    text = array_verilog(config) if verilog is None else verilog
    return build_with(text, TOP_NAME, "Varray", _DRIVER)


def build_with(text: str, top: str, prefix: str, driver: Path) -> Path:
    """Compile Verilog with module ``top`` and a C++ driver that includes ``prefix``.h, as
    ``build``."""
    verilator = find_verilator()
    parts = [text, driver.read_text(), verilator.identity, platform.machine(), *_FLAGS]
    digest = hashlib.sha256("\0".join(parts).encode()).hexdigest()[:24]
    folder = cache_folder() / digest
    library = folder / _LIBRARY
    if library.exists():
        return library
    folder.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=folder.parent, prefix="building-") as scratch:
        made = Path(scratch) / "made"
        made.mkdir()
        (made / f"{top}.v").write_text(text)
        _compile(verilator, made, Path(scratch) / "obj", top, prefix, driver)
        try:
            if not library.exists():
                shutil.rmtree(folder, ignore_errors=True)
                made.rename(folder)
        except OSError:
            if not library.exists():  # else another process was first
                raise
    return library


def _compile(
    verilator: Verilator, made: Path, objects: Path, top: str, prefix: str, driver: Path
) -> None:
    library = made / _LIBRARY
    verilator.run(
        "--cc", "--exe", "--build", "-j", str(os.cpu_count() or 1),
        *_FLAGS,
        "--prefix", prefix, "--top-module", top, "--Mdir", str(objects),
        "-LDFLAGS", "-shared",
        "-o", str(library.resolve()),
        str((made / f"{top}.v").resolve()), str(driver.resolve()),
    )  # fmt: skip
    if not library.exists():
        raise ToolError(f"Verilator made no library {library}")
    shutil.rmtree(objects)


HANDLE, WORDS, COUNT = ctypes.c_void_p, ctypes.c_void_p, ctypes.c_int64
_COMMON = {
    "spintrit_open": (HANDLE, []),
    "spintrit_close": (None, [HANDLE]),
    "spintrit_cycles": (ctypes.c_uint64, [HANDLE]),
}
_ARRAY = {
    "spintrit_command": (COUNT, [HANDLE, WORDS, COUNT, WORDS, COUNT, COUNT]),
    "spintrit_bare": (None, [HANDLE, WORDS, WORDS, COUNT]),
}


@cache
def load(library: Path) -> ctypes.CDLL:
    """An array's library with its functions' types declared."""
    return load_with(library, _ARRAY)


def load_with(library: Path, functions: Functions) -> ctypes.CDLL:
    """A library with the types of its functions, result and arguments, declared."""
    cdll = ctypes.CDLL(str(library))
    for name, (result, arguments) in {**_COMMON, **functions}.items():
        function = getattr(cdll, name)
        function.restype, function.argtypes = result, arguments
    return cdll

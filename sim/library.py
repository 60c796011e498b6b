"""Compiling a Verilated array to a shared library, once per design."""

import contextlib
import ctypes
import hashlib
import os
import platform
import shutil
import sys
from collections.abc import Iterator, Mapping
from functools import cache, lru_cache
from pathlib import Path
from typing import Any

import platformdirs

from golden.config import ArrayConfig
from golden.files import write_atomically
from sim.compiling import compile_model
from sim.toolchain import Verilator, find_verilator
from synth.generate import TOP_NAME, array_verilog
from synth.scratch import building, plain_folder
from synth.tools import ToolError

_DRIVER = Path(__file__).with_name("driver.cpp")
_NAME = "design"
Functions = Mapping[str, tuple[Any, list[Any]]]
_FLAGS = [
    *("-O3", "--x-assign", "fast", "--x-initial", "fast", "--no-assert", "-Wno-lint"),
    *("-CFLAGS", "-fPIC -fno-math-errno"),
]
_MAKE = ["OPT_FAST=-O3", "OPT_SLOW=-O0", "OPT_GLOBAL=-O1"]


def cache_folder() -> Path:
    """Where compiled arrays are kept: SPINTRIT_CACHE, or the user's cache folder."""
    return Path(os.environ.get("SPINTRIT_CACHE") or platformdirs.user_cache_dir("spintrit"))


def build(config: ArrayConfig, verilog: str | None = None) -> Path:
    """Compile an array's Verilog; returns the library's path.

    The library is compiled once for each Verilog text, driver, Verilator and kind of machine, and
    kept in ``cache_folder()``. Its name contains the digest of its content; a damaged library is
    compiled again. Compilation takes about a minute, and a line on standard error says so.

    Parameters
    ----------
    config : ArrayConfig
    verilog : str
        Text to compile instead of ``array_verilog(config)``; it has the same ports.

    Raises
    ------
    ToolError
        If a tool is missing or fails.
    OSError
        If the cache folder cannot be written.
    """
    text = _verilog(config) if verilog is None else verilog
    return build_with(text, TOP_NAME, "Varray", _DRIVER, "array")


@lru_cache(maxsize=4)  # a run in lock step asks for the same array several times
def _verilog(config: ArrayConfig) -> str:
    return array_verilog(config)


def build_with(text: str, top: str, prefix: str, driver: Path, what: str) -> Path:
    """Compile Verilog with module ``top`` and a C++ driver that includes ``prefix``.h. See
    ``build``; ``what`` names the design in messages."""
    verilator = find_verilator()
    machine = " ".join((platform.machine(), *platform.libc_ver()))
    parts = [text, driver.read_text(), verilator.identity, machine, *_FLAGS, *_MAKE]
    folder = cache_folder() / hashlib.sha256("\0".join(parts).encode()).hexdigest()[:24]
    for library in folder.glob(f"{_NAME}-*.so"):
        if _is_sound(library):
            return library
        say(f"{library} is damaged")
        library.unlink(missing_ok=True)
    folder.mkdir(parents=True, exist_ok=True)
    with build_folder(folder.parent) as scratch:
        say(f"compiling the RTL {what} (about a minute, once per design) ...")
        (scratch / f"{top}.v").write_text(text)
        content = _compile(verilator, scratch, top, prefix, driver).read_bytes()
    library = folder / f"{_NAME}-{_digest(content)}.so"
    write_atomically(folder / f"{top}.v", text.encode())
    write_atomically(library, content)
    return library


@contextlib.contextmanager
def build_folder(cache: Path) -> Iterator[Path]:
    """A new build folder in ``cache``, or among the temporary files if make does not accept the
    path of ``cache``. See ``synth.scratch.building``."""
    place = plain_folder(cache)
    with building(place, *(["building-"] if place == cache else [])) as folder:
        yield folder.resolve()


def say(text: str) -> None:
    """Print a line about slow work or a problem on standard error."""
    print(f"spintrit: {text}", file=sys.stderr, flush=True)


def _digest(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()[:32]


def _is_sound(library: Path) -> bool:
    """Whether the library's content has the digest in its name."""
    return library.stem == f"{_NAME}-{_digest(library.read_bytes())}"


def _compile(verilator: Verilator, scratch: Path, top: str, prefix: str, driver: Path) -> Path:
    """The library of ``<top>.v`` in ``scratch``."""
    source, library = scratch / driver.name, scratch / f"{_NAME}.so"
    shutil.copyfile(driver, source)
    objects = scratch / "objects"
    objects.mkdir()
    arguments = [
        *("--exe", *_FLAGS, "--top-module", top, "-LDFLAGS", "-shared", "-o", str(library)),
        *(str(scratch / f"{top}.v"), str(source)),
    ]
    compile_model(
        verilator, arguments, prefix=prefix, folder=objects, make=_MAKE, cache=cache_folder()
    )
    if not library.exists():
        raise ToolError(f"Verilator made no library {library}")
    return library


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
    """A library with the types of its functions, result and arguments, declared.

    Raises
    ------
    ToolError
        If the library is damaged; loading it could crash the process.
    """
    if not _is_sound(library):
        raise ToolError(f"the compiled library {library} is damaged; a new start compiles it again")
    cdll = ctypes.CDLL(str(library))
    for name, (result, arguments) in {**_COMMON, **functions}.items():
        function = getattr(cdll, name)
        function.restype, function.argtypes = result, arguments
    return cdll

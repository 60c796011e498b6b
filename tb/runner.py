"""Building a design with Verilator, once, and running a cocotb test module on it."""

import contextlib
import hashlib
import os
import shutil
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from unittest import mock
from xml.etree import ElementTree

import cocotb
from amaranth.lib import wiring
from cocotb_tools import config
from cocotb_tools.check_results import get_results
from cocotb_tools.runner import Runner, get_runner

from sim.compiling import compile_model, is_sound, keep, locked
from sim.library import build_folder, say
from sim.toolchain import Verilator, find_verilator
from synth.generate import TOP_NAME, component_verilog
from synth.scratch import is_plain

ROOT = Path(__file__).parents[1]
CACHE = ROOT / "build" / "tb"
WAVES = "SPINTRIT_WAVES"  # environment variable: set to anything, waveforms go to build/waves

# Ports alone are public, instead of every signal as cocotb asks for: half the time to build, a
# fraction of the time to run. Registers start at random values, so that reset has to set them.
_BUILD = ["-Wno-lint", "--x-assign", "unique", "--x-initial", "unique"]
_MAKE = ["OPT_FAST=-O1", "OPT_SLOW=-O0", "OPT_GLOBAL=-O1"]
_PUBLIC = '`verilator_config\npublic_flat_rw -module "{top}" -var "*"\n'


def run_tb(
    design: wiring.Component | str,
    test_module: str,
    folder: Path,
    *,
    tests: int,
    seed: int,
    top: str = TOP_NAME,
    environment: Mapping[str, str] | None = None,
    testcase: str | None = None,
) -> None:
    """Run the cocotb tests of a module on a design.

    Parameters
    ----------
    design : Component or str
        A component, or Verilog text with a module ``top``.
    test_module : str
        Import path of the module of tests.
    folder : Path
        Folder of log, results and waveforms.
    tests : int
        Number of tests in the module.
    seed : int
        Seed of cocotb and of the registers' values before reset.
    top : str
        Name of the top module.
    environment : mapping of str to str
        Environment variables of the tests.
    testcase : str
        Name of a single test to run.

    Raises
    ------
    AssertionError
        If another number of tests ran, or if tests failed, with their names.
    ToolError
        If Verilator is missing or fails.
    """
    __tracebackhide__ = True  # pytest then shows what failed in the simulator, not this
    text = design if isinstance(design, str) else component_verilog(design, top)
    waves = bool(os.environ.get(WAVES))
    made = build(text, top, waves=waves)
    folder.mkdir(parents=True, exist_ok=True)
    results, log = (folder / name for name in ("results.xml", "simulation.log"))
    with _runner() as runner:
        try:
            runner.test(
                test_module=test_module,
                hdl_toplevel=top,
                hdl_toplevel_lang="verilog",
                build_dir=made,
                test_dir=folder,
                results_xml=str(results),
                log_file=log,
                seed=seed,
                testcase=testcase,
                waves=waves,
                plusargs=["+verilator+rand+reset+2", f"+verilator+seed+{seed}"],
                extra_env=dict(environment or {}),
            )
            ran, failed = get_results(results)
        except (RuntimeError, SystemExit) as error:
            tail = "\n".join(log.read_text().splitlines()[-20:]) if log.exists() else ""
            raise AssertionError(f"{test_module}: the simulator failed: {error}\n{tail}") from error
    if waves:
        kept = ROOT / "build" / "waves"
        kept.mkdir(parents=True, exist_ok=True)
        shutil.copy(folder / "dump.vcd", kept / f"{folder.name}.vcd")
    where = f"{test_module}, seed {seed}, log {log}"
    assert not failed, f"{failed} of {ran} tests failed: {_failures(results)}\n({where})"
    assert ran == tests, f"{ran} tests ran, not {tests} ({where})"


def build(verilog: str, top: str, *, waves: bool = False) -> Path:
    """Compile a design; returns the folder of the executable ``top``.

    It is compiled once for each text and set of flags; other processes wait meanwhile. A damaged
    executable is compiled again.

    Raises
    ------
    ToolError
        If Verilator is missing or fails.
    """
    verilator = find_verilator()
    parts = [verilog, top, verilator.identity, cocotb.__version__, str(waves), *_MAKE, *_BUILD]
    folder = CACHE / hashlib.sha256("\0".join(parts).encode()).hexdigest()[:24]
    CACHE.mkdir(parents=True, exist_ok=True)
    with locked(folder.with_suffix(".lock")):
        if not is_sound(folder, [top]):
            shutil.rmtree(folder, ignore_errors=True)
            with build_folder(CACHE) as scratch:
                say(f"compiling {top} for cocotb (about a minute, once per design) ...")
                _compile(verilator, verilog, top, scratch, waves)
                (scratch / top).chmod(0o755)
                keep(folder, [scratch / top])
    return folder


def _compile(verilator: Verilator, verilog: str, top: str, folder: Path, waves: bool) -> None:
    source, public = folder / f"{top}.v", folder / "public.vlt"
    source.write_text(verilog)
    public.write_text(_PUBLIC.format(top=top))
    libraries = _linked(config.libs_dir, folder)
    main = _linked(config.share_dir, folder) / "lib" / "verilator" / "verilator.cpp"
    link = f"-Wl,-rpath,{libraries} -L{libraries} -lcocotbvpi_verilator"
    arguments = [
        *("--exe", "--vpi", "--timescale", "1ns/1ps", "--top-module", top, "-o", top, *_BUILD),
        *(["--trace"] if waves else []),
        *("-LDFLAGS", link, str(main), str(public), str(source)),
    ]
    compile_model(verilator, arguments, prefix="Vtop", folder=folder, make=_MAKE, cache=CACHE)


def _linked(folder: Path, place: Path) -> Path:
    """``folder``, or a link to it in ``place`` where make does not take its path."""
    if is_plain(folder):
        return folder
    link = place / folder.name
    link.symlink_to(folder, target_is_directory=True)
    return link


@contextlib.contextmanager
def _runner() -> Iterator[Runner]:
    """A runner that acts as outside of pytest; within pytest it would raise SystemExit."""
    path = sys.path if str(ROOT) in sys.path else [*sys.path, str(ROOT)]
    # The path of a link, which is in the executable, has gone.
    known = [str(config.libs_dir), os.environ.get("LD_LIBRARY_PATH", "")]
    variables = {"LD_LIBRARY_PATH": os.pathsep.join(filter(None, known))}
    with mock.patch.dict(os.environ, variables), mock.patch.object(sys, "path", path):
        os.environ.pop("PYTEST_CURRENT_TEST", None)
        yield get_runner("verilator")


def _failures(results: Path) -> str:
    """Names of the tests that failed, each with the reason."""
    lines = []
    for case in ElementTree.parse(results).getroot().iter("testcase"):
        for kind in ("failure", "error"):
            for found in case.findall(kind):
                reason = found.get("error_msg") or found.get("message") or ""
                lines.append(f"{case.get('name')}: {reason}")
    return "\n".join(lines)

"""Building a design with Verilator, once, and running a cocotb test module on it."""

import contextlib
import fcntl
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
from cocotb_tools.runner import Runner, VerilatorControlFile, get_runner

from golden.checkpoint import write_atomically
from sim.library import build_folder, say
from sim.toolchain import MAKE_FLAGS, ToolError, Verilator, error_lines, find_verilator
from synth.generate import TOP_NAME, component_verilog
from synth.scratch import is_plain

ROOT = Path(__file__).parents[1]
CACHE = ROOT / "build" / "tb"
WAVES = "SPINTRIT_WAVES"  # environment variable: set to anything, waveforms go to build/waves

# Ports alone are public, instead of every signal as cocotb asks for: half the time to build, a
# fraction of the time to run. Registers start at random values, so that reset has to set them.
_BUILD = ["--no-public-flat-rw", "-Wno-lint", "--x-assign", "unique", "--x-initial", "unique"]
_MAKE = " ".join([*MAKE_FLAGS[1:], "OPT_FAST=-O1", "OPT_GLOBAL=-O0"])
_SUMS = "sha256sums"
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
        Where log, results and waveforms go.
    tests : int
        How many tests there are to run.
    seed : int
        Of cocotb and of the registers' values before reset.
    top : str
        Name of the top module.
    environment : mapping of str to str
        What the tests find in ``os.environ``.
    testcase : str
        The one test to run instead of all.

    Raises
    ------
    AssertionError
        If another number of tests ran, or any failed; their names are told.
    ToolError
        If Verilator is missing or fails.
    """
    __tracebackhide__ = True  # pytest then shows what failed in the simulator, not this
    text = design if isinstance(design, str) else component_verilog(design, top)
    waves = bool(os.environ.get(WAVES))
    made = build(text, top, waves=waves)
    folder.mkdir(parents=True, exist_ok=True)
    results, log = (folder / name for name in ("results.xml", "simulation.log"))
    with _environment(find_verilator()) as runner:
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

    Once for each text and set of flags; whoever comes while another builds waits. An executable
    that is damaged is compiled again.

    Raises
    ------
    ToolError
        If Verilator is missing or fails.
    """
    verilator = find_verilator()
    parts = [verilog, top, verilator.identity, cocotb.__version__, str(waves), _MAKE, *_BUILD]
    folder = CACHE / hashlib.sha256("\0".join(parts).encode()).hexdigest()[:24]
    CACHE.mkdir(parents=True, exist_ok=True)
    with folder.with_suffix(".lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not _is_sound(folder, [top]):
            shutil.rmtree(folder, ignore_errors=True)
            with build_folder(CACHE) as scratch:
                say(f"compiling {top} for cocotb (about a minute, once per design) ...")
                _compile(verilator, verilog, top, scratch, waves)
                _keep(folder, [scratch / top])
    return folder


def _keep(folder: Path, files: list[Path]) -> None:
    """Copy files to a folder, and their digests."""
    folder.mkdir(exist_ok=True)
    for file in files:
        write_atomically(folder / file.name, file.read_bytes())
        (folder / file.name).chmod(0o755)
    write_atomically(folder / _SUMS, _sums(folder, [file.name for file in files]))


def _is_sound(folder: Path, names: list[str]) -> bool:
    """Whether ``_keep`` has put these files there, and they are as they were."""
    try:
        return (folder / _SUMS).read_bytes() == _sums(folder, names)
    except FileNotFoundError:
        return False


def _sums(folder: Path, names: list[str]) -> bytes:
    """As sha256sum writes them."""
    digests = {n: hashlib.sha256((folder / n).read_bytes()).hexdigest() for n in sorted(names)}
    return "".join(f"{digest}  {name}\n" for name, digest in digests.items()).encode()


def _compile(verilator: Verilator, verilog: str, top: str, folder: Path, waves: bool) -> None:
    source, public, log = (folder / name for name in (f"{top}.v", "public.vlt", "build.log"))
    source.write_text(verilog)
    public.write_text(_PUBLIC.format(top=top))
    # Verilator's own part is the same for all designs: make finds it up to date.
    parts = [verilator.identity, str(ROOT), str(waves), _MAKE]
    runtime = CACHE / f"runtime-{hashlib.sha256(repr(parts).encode()).hexdigest()[:24]}"
    known = sorted(path.name for path in runtime.glob("verilated*.o"))
    if known and _is_sound(runtime, known):
        for name in known:
            shutil.copy(runtime / name, folder)
    with _environment(verilator, folder) as runner:
        try:
            runner.build(
                sources=[VerilatorControlFile(public), source],
                hdl_toplevel=top,
                build_dir=folder,
                build_args=_BUILD,
                timescale=("1ns", "1ps"),
                waves=waves,
                log_file=log,
            )
        except RuntimeError as error:
            raise ToolError(f"{top} does not compile:\n{error_lines(log.read_text())}") from error
    if not (known and _is_sound(runtime, known)):
        _keep(runtime, list(folder.glob("verilated*.o")))


@contextlib.contextmanager
def _environment(verilator: Verilator, links: Path | None = None) -> Iterator[Runner]:
    """A runner, in Verilator's environment; outside of pytest, as it were, where it would leave
    with SystemExit.

    Where make does not take cocotb's path, a link in the folder ``links`` leads there.
    """
    path = sys.path if str(ROOT) in sys.path else [*sys.path, str(ROOT)]
    with contextlib.ExitStack() as stack:
        variables = {**stack.enter_context(verilator.plain()).environment, "MAKEFLAGS": _MAKE}
        if not is_plain(config.libs_dir):
            known = [str(config.libs_dir), os.environ.get("LD_LIBRARY_PATH", "")]
            variables["LD_LIBRARY_PATH"] = os.pathsep.join(filter(None, known))
            for name in ("libs_dir", "share_dir") if links else ():
                assert links
                link = links / name
                link.symlink_to(getattr(config, name), target_is_directory=True)
                stack.enter_context(mock.patch.object(config, name, link))
        stack.enter_context(mock.patch.dict(os.environ, variables))
        stack.enter_context(mock.patch.object(sys, "path", path))
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

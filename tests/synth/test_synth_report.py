"""What the synthesis of a block tells, and the command that asks for it."""

import json
import subprocess
import sys
import types
from pathlib import Path

import pytest

from golden.accel.config import AcceleratorConfig
from golden.config import ArrayConfig
from spintrit.cli import main as cli
from spintrit.report import synth_table
from spintrit.studies import synth_sweep
from synth import report as reports

ROOT = Path(__file__).parents[2]
TINY = ArrayConfig(rows=2, cols=2, code_bits=2, draw_bits=8, counters=False)


def test_hops_of_one_signal_are_told_together():
    hops = [("a", "routing", 1.0), ("a", "logic", 0.5), ("a", "logic", 0.25), ("b", "setup", 0)]
    path = [{"signal": s, "kind": kind, "delay_ns": delay} for s, kind, delay in hops]
    assert reports.stretches(path) == [
        ("a", {"routing": 1.0, "logic": 0.75}),
        ("b", {"setup": 0}),
    ]


@pytest.fixture(scope="module")
def tiny(tmp_path_factory):
    return reports.report(TINY, "generic", tmp_path_factory.mktemp("generic"))


def test_report_of_a_small_array(tiny):
    assert (tiny["block"], tiny["target"], tiny["config"]["rows"]) == ("array", "generic", 2)
    assert 0 < tiny["lane_lut4"] < tiny["array_lut4_per_row"] == tiny["array_lut4"] / 2
    assert tiny["dot_lut4_per_row"] == tiny["dot_lut4"] / 2
    assert 0 < tiny["dot_lut4"] < tiny["array_lut4"] < tiny["lut4"]
    assert tiny["fmax_mhz"] is tiny["misfit"] is tiny["products_per_s"] is None
    assert tiny["other"] == {}
    json.dumps(tiny)


def test_parts_are_the_components_by_kind(tiny):
    counts = {part["path"]: part["count"] for part in tiny["parts"]}
    assert counts[""] == counts["array"] == counts["controller"] == 1
    assert counts["array.switching.lane"] == TINY.rows
    assert counts["array.reading.dot"] == TINY.columns_per_cycle
    by_path = {part["path"]: part for part in tiny["parts"]}
    assert by_path[""]["lut4"] == tiny["lut4"]
    assert by_path["array.reading.dot"]["lut4"] == tiny["dot_lut4"]


def test_table_of_a_report(tiny, capsys, tmp_path):
    synth_table.show(tiny, tmp_path)
    shown = capsys.readouterr().out
    assert f"{tiny['lut4']:,}" in shown
    assert "lane" in shown
    assert "Yosys" in shown
    synth_table.show(tiny | {"misfit": "does not fit x: y"}, tmp_path)
    assert "does not fit" in capsys.readouterr().out
    path = [{"kind": "logic", "signal": "array.bits", "name": "", "delay_ns": 1.5}]
    placed = {"fmax_mhz": 81.0, "path": path, "products_per_s": 5e9, "updates_per_s": 1e9}
    synth_table.show(tiny | placed, tmp_path)
    shown = capsys.readouterr().out
    assert "81.00" in shown
    assert "array.bits" in shown
    assert "5 G" in shown


def test_blocks(monkeypatch):
    for name in ("ArrayTop", "AxiAccelerator"):
        monkeypatch.setattr(reports, name, lambda config, name=name: (name, config))
    accelerator = AcceleratorConfig(array=ArrayConfig(rows=4, cols=4))
    assert reports.component(TINY) == ("ArrayTop", TINY)
    assert reports.component(accelerator) == ("AxiAccelerator", accelerator)


def test_throughput():
    rates = reports._throughput(ArrayConfig(rows=8, cols=8, columns_per_cycle=4), 50.0)
    assert rates == {"products_per_s": 1.6e9, "updates_per_s": 4e8}


def test_key_tells_designs_and_settings_apart():
    settings = {"seed": 1, "freq_mhz": 100.0, "placed": False}
    first = reports.key(TINY, "generic", **settings)
    assert first == reports.key(TINY, "generic", **settings)
    others = [
        reports.key(TINY, "generic", **settings | {"seed": 2}),
        reports.key(ArrayConfig(rows=2, cols=4, counters=False), "generic", **settings),
    ]
    assert len({first, *others}) == 3


@pytest.mark.parametrize("name", ["ecp5-25k", "gowin"])
def test_key_is_the_same_in_another_process(name):
    settings = {"seed": 1, "freq_mhz": 100.0, "placed": True}
    call = (
        "from golden.config import ArrayConfig; from synth import report; "
        f"print(report.key({TINY!r}, {name!r}, **{settings!r}))"
    )
    done = subprocess.run(
        [sys.executable, "-c", call], cwd=ROOT, capture_output=True, text=True, check=True
    )
    assert done.stdout.strip() == reports.key(TINY, name, **settings)


def fake(config, name, folder, *, seed, freq_mhz, placed, parts):
    """A report without tools; 64 rows are too many."""
    large = config.rows > 50
    return {
        "target": name, "config": vars(config), "seed": seed, "freq_mhz": freq_mhz,
        "lut4": 300 * config.rows, "ff": 128 * config.rows, "bram": 0, "dsp": 0,
        "lane_lut4": 250.0 + config.code_bits, "dot_lut4_per_row": 6.0 * config.columns_per_cycle,
        "array_lut4_per_row": 270.0, "device": "An FPGA", "versions": {"yosys": "Yosys 1"},
        "products_per_s": None if large else 1.5e9, "updates_per_s": None if large else 1e9,
        "misfit": f"does not fit {name}" if large else None,
        "fmax_mhz": None if large else 100.0 - config.rows / 4, "path": [], "parts": [],
    }  # fmt: skip


def test_sweep_keeps_what_is_finished(monkeypatch, tmp_path):
    calls = []

    def counted(*arguments, **options):
        calls.append(arguments)
        return fake(*arguments, **options)

    monkeypatch.setattr(synth_sweep, "report", counted)
    monkeypatch.setattr(synth_sweep, "key", lambda config, *_, **__: repr(config))
    command = ["synth", "--sweep", "--rows", "16", "--cols", "16", "--results", str(tmp_path)]
    assert cli.main(command) == 0
    first = (tmp_path / "synth.json").read_bytes()
    # The given array is a point of each of the four sweeps, and run but once.
    points = synth_sweep.points(ArrayConfig(rows=16, cols=16))
    assert len(calls) == len(points) - 3
    entries = json.loads(first)
    assert len(entries) == len(points)
    assert [entry["x"] for entry in entries if entry["misfit"]] == [64]
    assert (tmp_path / "synth.png").stat().st_size > 10_000
    page = (tmp_path / "synth.md").read_text()
    assert "$ spintrit synth --sweep --target ecp5-85k --rows 16 --cols 16 --seed 1" in page
    assert "An FPGA.\nYosys 1." in page
    assert "| 8 x 16 | 2,400 | 1,024 | 0 | 0 | 6.00 | 255.0 | 270.0 | 98.0 | 1.5 G | 1 G |" in page
    assert "| 16 x 16, width K of a draw 8 |" in page
    assert page.count("does not fit") == 1

    assert cli.main(command) == 0
    assert len(calls) == len(points) - 3
    assert (tmp_path / "synth.json").read_bytes() == first
    # A damaged point is made again.
    next((tmp_path / "points").glob("*/report.json")).write_text("{")
    assert cli.main([*command]) == 0
    assert len(calls) == len(points) - 2


@pytest.mark.parametrize("text", ["[1]", "{}", '[{"target": "generic"}]', "["])
def test_damaged_results_are_told_before_the_first_point(text, monkeypatch, tmp_path, capsys):
    monkeypatch.setattr(synth_sweep, "run", lambda *_, **__: pytest.fail("a point was run"))
    (tmp_path / "synth.json").write_text(text)
    assert cli.main(["synth", "--sweep", "--results", str(tmp_path)]) == 2
    told = capsys.readouterr().err
    assert told.startswith(f"spintrit: error: {tmp_path / 'synth.json'} is damaged: ")
    assert (tmp_path / "synth.json").read_text() == text


def test_sweep_leaves_out_what_cannot_be():
    points = synth_sweep.points(ArrayConfig(rows=4, cols=6))
    assert {p.config.columns_per_cycle for p in points if p.sweep == "columns_per_cycle"} == {1, 2}
    assert 4 in {p.config.rows for p in points}


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--target", "ecp6"], "argument --target: invalid choice: 'ecp6'"),
        (["--seed", "0"], "seed must be in 1 to 2147483647, not 0"),
        (["--clock", "0"], "clock must be finite and in 1 to 2000, not 0.0"),
        (["--rows", "0"], "rows must be in 1 to 4096, not 0"),
        (["--tiles", "2"], "tiles = 2 needs --block accelerator"),
        (["--block", "accelerator", "--columns-per-cycle", "2"], "array.columns_per_cycle must"),
        (["--sweep", "--block", "accelerator"], "block must be array with --sweep"),
        (["--sweep", "-o", "x"], "out = 'x' is for one block; see --results"),
        (["--results", "x"], "results = x needs --sweep"),
        (["--no-place", "--seed", "2"], "seed = 2 needs place and route"),
        (["--sweep", "--no-place", "--clock", "60"], "clock = 60.0 needs place and route"),
        (["--target", "generic", "--clock", "60"], "clock = 60.0 needs place and route"),
    ],
)
def test_command_line_refuses(options, message, capsys, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    try:
        status = cli.main(["synth", *options])
    except SystemExit as stop:
        status = stop.code
    error = capsys.readouterr().err
    assert status == 2
    assert message in error
    assert error.count("\n") == 1
    assert list(tmp_path.iterdir()) == []


def test_command_line_leaves_a_report(monkeypatch, tmp_path, capsys, tiny):
    seen = types.SimpleNamespace(misfit=None)

    def canned(config, name, folder, **options):
        assert config == TINY
        return tiny | {"misfit": seen.misfit}

    monkeypatch.setattr(reports, "report", canned)
    command = ["synth", "--target", "generic", "--rows", "2", "--cols", "2", "--code-bits", "2"]
    command += ["--draw-bits", "8", "--no-counters", "-o", str(tmp_path)]
    assert cli.main(command) == 0
    assert json.loads((tmp_path / "report.json").read_text())["lut4"] == tiny["lut4"]
    capsys.readouterr()
    seen.misfit = "does not fit generic: LUT 2 of 1"
    assert cli.main(command) == 1
    assert capsys.readouterr().err == "spintrit: does not fit generic: LUT 2 of 1\n"

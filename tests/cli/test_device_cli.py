"""The commands ``spintrit device`` and ``spintrit energy``: output, files, and bad arguments."""

import dataclasses
import functools
import json
import math
import os
import subprocess
import sys
from pathlib import Path

import commands
import numpy as np
import pytest
from commands import spintrit
from worked_activity import ACTIVITY, TERNARY

from golden import device
from golden.codes import P_TO_AP
from golden.device import curve, macrospin
from golden.device.junction import DIRECTIONS
from golden.pulse import tablefile
from golden.pulse.table import tanh_table
from spintrit import tables

CSV = Path(__file__).parents[2] / "docs" / "examples" / "measured.csv"
DEFAULT = device.load("default")
error_of = functools.partial(commands.error_of, alone=True)


@pytest.fixture
def toml(tmp_path):
    """A device of one's own: the default one with thicker resistances."""
    path = tmp_path / "mine.toml"
    source = Path(device.__file__).with_name("devices") / "default.toml"
    path.write_text(source.read_text().replace("r_off_ohm = 2.5e3", "r_off_ohm = 2.6e3"))
    return path


def test_list_names_all_and_labels_the_assumed(capsys):
    assert spintrit("device list") == 0
    shown = capsys.readouterr().out
    for name in device.names():
        junction = device.load(name)
        assert name in shown
        assert f"{junction.stability:.1f}" in shown
        assert junction.source.split()[0] in shown
    assert "default (assumed): Assumed" in shown
    assert "5.81, 9.68" in shown


def test_show_tells_every_parameter(toml, capsys):
    assert spintrit("device show default") == 0
    shown = capsys.readouterr().out
    for field in dataclasses.fields(device.Device):
        if field.type is float:
            assert f" {field.name} " in shown
    assert "68.8 uA" in shown
    assert spintrit(f"device show {toml}") == 0
    assert "2.6 kOhm" in capsys.readouterr().out


def test_show_json_is_the_device(capsys):
    assert spintrit("device show default --json") == 0
    told = json.loads(capsys.readouterr().out)
    given = {k: math.inf if v is None else v for k, v in told["parameters"].items()}
    assert device.Device(**given) == DEFAULT
    assert told["parameters"]["half_tmr_v"] is None
    assert told["derived"]["critical_current_a"] == DEFAULT.critical_current_a
    assert told["derived"]["AP_to_P"]["overdrive"] == pytest.approx(5.81, abs=0.01)


def test_table_file_and_text(tmp_path, capsys):
    path = tmp_path / "deep" / "table.json"
    line = f"device table default --coder inverse --step-s 5e-12 --code-bits 4 -o {path}"
    assert spintrit(line) == 0
    shown = capsys.readouterr().out
    assert "inverse coder, 1 V, full pulse 2 ns" in shown
    loaded = tablefile.load(path)
    assert loaded.device == DEFAULT
    assert len(loaded.table.ticks) == 16
    assert loaded.table.tick_s == 5e-12
    made = loaded.provenance
    assert (made["coder"], made["step_s"], made["model"]) == ("inverse", 5e-12, "macrospin")
    assert made["curve"]["trials"] > 1000
    assert made["spintrit"]
    assert set(made["largest_error"]) == set(DIRECTIONS)
    assert all(error < 0.05 for error in made["largest_error"].values())
    before = path.read_bytes()
    assert spintrit(line) == 0
    assert path.read_bytes() == before


def test_table_json_is_the_file(tmp_path, capsys):
    path = tmp_path / "t.json"
    assert spintrit(f"device table default --model formula --json -o {path}") == 0
    assert capsys.readouterr().out == path.read_text()
    assert tablefile.load(path).provenance["curve"] == {"model": "formula"}


@pytest.fixture
def quick(monkeypatch, tmp_path):
    """Few trials where a curve is simulated."""
    monkeypatch.setenv("SPINTRIT_CACHE", str(tmp_path / "cache"))
    calibrated = curve.calibrated
    monkeypatch.setattr(curve, "calibrated", lambda junction: calibrated(junction, trials=1000))


def test_table_at_another_voltage_and_length(quick, tmp_path):
    path = tmp_path / "t.json"
    assert spintrit(f"device table default --voltage 0.9 --full-s 3e-9 -o {path}") == 0
    made = tablefile.load(path)
    assert (made.device.v_write_v, made.device.t_write_s) == (0.9, 3e-9)
    assert made.provenance["curve"]["v_write_v"] == 0.9
    assert made.table.pulse_s[-1].tolist() == pytest.approx([3e-9, 3e-9])
    assert spintrit(f"device table default --full-s 3e-9 -o {path}") == 0
    # A weaker pulse must be longer for the same probability.
    weak, strong = made.table.pulse_s[20:28], tablefile.load(path).table.pulse_s[20:28]
    assert (weak > strong).all()
    assert tablefile.load(path).provenance["curve"]["v_write_v"] == 1.0


@pytest.mark.full
def test_table_far_below_the_write_voltage_is_as_simulated(quick, tmp_path):
    path = tmp_path / "t.json"
    assert spintrit(f"device table default --voltage 0.3 --full-s 4e-9 -o {path}") == 0
    made = tablefile.load(path)
    lengths = made.table.pulse_s[[24, 27, 31], P_TO_AP]
    p = macrospin.probability(made.device, P_TO_AP, lengths, trials=1000, seed=7)
    told = made.table.thresholds[[24, 27, 31], P_TO_AP] / made.table.scale
    assert told == pytest.approx(p, abs=0.06)


def test_table_of_a_pulse_that_hardly_switches_is_refused(quick, tmp_path, capsys):
    line = f"device table default --voltage 0.01 -o {tmp_path / 't.json'}"
    assert spintrit(line) == 2
    simulating, told = capsys.readouterr().err.splitlines()
    assert simulating.startswith("simulating device default: ")
    assert told == (
        "spintrit: error: device default: pulses of v_write_v = 0.01 up to t_write_s = 2e-09 do "
        "not cover the range of AP_to_P switching"
    )
    assert error_of(f"{line} --model formula", capsys).startswith(
        "spintrit: error: a full pulse of 0.01 V and 2e-09 s switches AP_to_P with a probability of"
    )
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    "line",
    [
        "device fit m.csv -o m.csv",
        "device fit m.csv -o sub/../m.csv",
        "device fit p.png --picture p.png",
        "device fit m.csv -o new.svg --picture new.svg",
        "device table mine.toml -o link.json",
        "device check mine.toml --json mine.toml",
        "energy run --json run/summary.json",
        "energy run --json run/table.json",
        "energy run --costs costs.toml --json costs.toml",
        "energy run --json new.png -o new.png",
    ],
)
def test_no_file_that_is_read_is_written(line, toml, run_folder, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    for name in ("m.csv", "p.png", "costs.toml"):
        (tmp_path / name).write_bytes(CSV.read_bytes())
    (tmp_path / "sub").mkdir()
    (tmp_path / "link.json").symlink_to(toml)
    before = {path: path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()}
    assert error_of(line, capsys).endswith(
        f"error: {line.split()[-1]} is read by this command, or written twice: name another file\n"
    )
    after = {path: path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()}
    assert after == before


def test_no_folder_is_made_for_nothing(tmp_path, capsys):
    path = tmp_path / "bad.csv"
    path.write_text("direction\n")
    error_of(f"device fit {path} -o {tmp_path / 'new' / 't.json'}", capsys)
    assert list(tmp_path.iterdir()) == [path]
    told = error_of(f"device fit {path} -o {path / 'deep' / 't.json'}", capsys)
    assert told.endswith(" is not a folder\n")


@pytest.mark.parametrize("coder", ["linear", "gated"])
def test_other_coders(coder, capsys):
    assert spintrit(f"device table stochastic --coder {coder} --steepness 2") == 0
    shown = capsys.readouterr().out
    assert f"{coder} coder" in shown
    assert "tanh(2 nu)" in shown
    assert ("mean" in shown.partition("code ")[0]) == (coder == "gated")


def test_device_that_is_not_kept_is_simulated(toml, quick, tmp_path):
    path = tmp_path / "t.json"
    assert spintrit(f"device table {toml} -o {path}") == 0
    made = tablefile.load(path)
    assert made.device.r_off_ohm == 2.6e3
    assert made.provenance["curve"]["trials"] == 1000


def test_plot_is_repeatable(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr("spintrit.report.device_picture._LEVELS", (0.2, 0.8))
    first, second = (tmp_path / "new" / name for name in ("a.svg", "b.svg"))
    for path in (first, second):
        assert spintrit(f"device plot default --trials 20 -o {path}") == 0
        assert capsys.readouterr().out == f"{path}\n"
    assert b"<svg" in first.read_bytes()
    assert first.read_bytes() == second.read_bytes()


def test_fit_summary_table_and_picture(tmp_path, capsys):
    table, picture = tmp_path / "t.json", tmp_path / "f.png"
    assert spintrit(f"device fit {CSV} --json -o {table} --picture {picture}") == 0
    captured = capsys.readouterr()
    summary = json.loads(captured.out)
    assert set(summary["directions"]) == set(DIRECTIONS)
    assert not captured.err
    made = tablefile.load(table)
    assert made.device is None
    # The highest voltage, the longest pulse.
    assert (made.provenance["voltage_v"], made.provenance["full_s"]) == (1.1, pytest.approx(3e-9))
    assert made.provenance["fit"] == summary
    band, p = made.provenance["band"], made.table.thresholds / made.table.scale
    assert band["level"] == 0.95
    for name, direction in DIRECTIONS.items():
        low, high = (np.array(band[end][name]) for end in ("low", "high"))
        assert ((low <= p[:, direction]) & (p[:, direction] <= high)).all()
        assert 0.02 < (high - low).max() < 0.2
    assert picture.read_bytes().startswith(b"\x89PNG")
    assert spintrit(f"device fit {CSV}") == 0
    shown = " ".join(capsys.readouterr().out.split())
    for text in ("Fit, AP to P", "dispersion", "worst point: line", "Runners-up by AIC: "):
        assert text in shown
    assert "coder" not in shown
    assert spintrit(f"device fit {CSV} --coder gated -o {table}") == 0
    assert "95% band of P, where it is widest: AP to P 0." in " ".join(
        capsys.readouterr().out.split()
    )


@pytest.mark.parametrize(
    ("options", "warning"),
    [
        ("--voltage 1.2", "1.2 V lies outside of what was measured, 0.9 V to 1.1 V"),
        ("--full-s 4e-9", "AP_to_P was measured from 250 ps to 3 ns, the table's pulses go from "),
        ("--coder gated --full-s 4e-9", "AP_to_P was measured from 250 ps to 3 ns"),
        ("--coder gated", ""),
        ("--voltage 1.05", ""),
    ],
)
def test_fit_warns_of_extrapolation(options, warning, tmp_path, capsys):
    assert spintrit(f"device fit {CSV} -o {tmp_path / 't.json'} {options}") == 0
    told = capsys.readouterr().err
    assert told.startswith(f"spintrit: warning: extrapolated: {warning}" if warning else "")
    assert told.count("\n") == bool(warning)


def test_fit_of_probabilities_and_one_direction(tmp_path, capsys):
    path = tmp_path / "m.csv"
    rows = [f"AP_to_P,1.0,{n}e-10,{p}" for n, p in ((2, 0.01), (4, 0.2), (6, 0.7), (8, 0.95))]
    path.write_text("direction,voltage_v,pulse_s,probability\n" + "\n".join(rows))
    assert spintrit(f"device fit {path} --picture {tmp_path / 'f.svg'}") == 0
    assert "100 per point assumed" in capsys.readouterr().out
    told = error_of(f"device fit {path} -o {tmp_path / 't.json'}", capsys)
    assert told.endswith(": a table needs both directions; P_to_AP is missing\n")
    assert not (tmp_path / "t.json").exists()


@pytest.fixture
def run_folder(tmp_path):
    folder = tmp_path / "run"
    folder.mkdir()
    summary = {
        "activity": ACTIVITY, "train_samples": 5, "array_config": dataclasses.asdict(TERNARY),
        "train_config": {"rule": "exact"},
    }  # fmt: skip
    (folder / "summary.json").write_text(json.dumps(summary))
    file = tablefile.TableFile(tanh_table(TERNARY), DEFAULT)
    tablefile.save(file, folder / "table.json")
    return folder


def test_energy_prints_and_writes(run_folder, tmp_path, capsys):
    costs = tmp_path / "costs.toml"
    costs.write_text("")
    line = f"energy {run_folder} --costs {costs} --adc-bits 4"
    files = f"--json {tmp_path / 'e.json'} -o {tmp_path / 'new' / 'e.svg'}"
    assert spintrit(f"{line} {files}") == 0
    assert "Energy per training sample" in capsys.readouterr().out
    report = json.loads((tmp_path / "e.json").read_text())
    assert (report["device"], report["device_assumed"]) == ("default", False)
    assert b"<svg" in (tmp_path / "new" / "e.svg").read_bytes()


def test_energy_of_what_is_no_run(run_folder, tmp_path, capsys):
    told = error_of(f"energy {tmp_path} -o {tmp_path / 'e.png'}", capsys)
    assert told == (
        f"spintrit: error: {tmp_path / 'summary.json'} must exist; it comes with a finished run\n"
    )
    (run_folder / "table.json").write_text("{}")
    assert "is not a table file" in error_of(f"energy {run_folder}", capsys)
    assert not list(tmp_path.rglob("*.png"))


NAMES = ", ".join(device.names())


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("device", "spintrit device: error: the following arguments are required: COMMAND"),
        ("device lsit", "spintrit device: error: argument COMMAND: invalid choice: 'lsit'"),
        ("device show defualt", f"spintrit: error: device must be one of {NAMES}, not 'defualt'"),
        ("device table nope -o t.json", f"spintrit: error: device must be one of {NAMES}"),
        ("device plot nope -o t.png", f"spintrit: error: device must be one of {NAMES}"),
        ("device check nope --json t.json", f"spintrit: error: device must be one of {NAMES}"),
        ("device show none.toml", "spintrit: error: [Errno 2] No such file or directory"),
        ("device show bad.toml", "spintrit: error: bad.toml is not a TOML file"),
        ("device plot default", "spintrit device plot: error: the following arguments are requi"),
        ("device plot default -o t.bmp", "spintrit: error: suffix of t.bmp must be one of .png, "),
        ("device plot default -o t.png --trials 0", "spintrit: error: trials must be at least 1"),
        ("device plot default -o t.png --seed -1", "spintrit: error: seed must be at least 0"),
        ("device plot default -o d.png", "spintrit: error: d.png is not a regular file"),
        ("device table default -o .", "spintrit: error: . is not a regular file"),
        ("device table default --coder no", "spintrit device table: error: argument --coder"),
        ("device table default --model no", "spintrit device table: error: argument --model"),
        ("device table default --step-s 0", "spintrit: error: step_s must be finite and in"),
        ("device table default --step-s 1 -o t.json", "spintrit: error: step_s must be between"),
        ("device table default --voltage 0 -o t.json", "spintrit: error: voltage must be positive"),
        ("device table default --voltage nan", "spintrit: error: voltage must be finite and"),
        ("device table default --full-s -1 -o t.json", "spintrit: error: full_s must be finite"),
        ("device table default --steepness 0", "spintrit: error: steepness must be finite and"),
        ("device table default --code-bits 1", "spintrit: error: code_bits must be in 2 to 8"),
        ("device table default --draw-bits 9", "spintrit device table: error: argument --draw-"),
        ("device fit none.csv -o t.json", "spintrit: error: [Errno 2] No such file or directory"),
        (
            "device fit bad.toml --picture t.png",
            "spintrit: error: bad.toml, line 1: only one column, 'name = ['; separate columns by",
        ),
        ("device fit bad.toml --picture t.jpg", "spintrit: error: suffix of t.jpg must be one of"),
        (f"device fit {CSV} -o t.json --voltage -1", "spintrit: error: voltage must be finite"),
        (f"device fit {CSV} -o t.json --full-s 0", "spintrit: error: full_s must be positive"),
        ("device check default --trials 99", "spintrit: error: trials must be at least 100"),
        ("device check default --seed -1", "spintrit: error: seed must be at least 0, not -1"),
        ("energy", "spintrit energy: error: the following arguments are required: RUNFOLDER"),
        ("energy none -o t.jpg", "spintrit: error: suffix of t.jpg must be one of .png, .svg"),
        ("energy none --adc-bits many", "spintrit energy: error: argument --adc-bits: invalid"),
    ],
)
def test_bad_arguments_give_one_line_and_no_file(line, message, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "bad.toml").write_text("name = [")
    (tmp_path / "d.png").mkdir()
    assert error_of(line, capsys).startswith(message)
    assert {path.name for path in tmp_path.rglob("*")} == {"bad.toml", "d.png"}


def test_table_that_cannot_be_written_leaves_the_old_one(tmp_path, monkeypatch, capsys):
    path = tmp_path / "t.json"
    path.write_text("old")

    def full(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("golden.files.os.fsync", full)
    assert "No space left" in error_of(f"device table default --model formula -o {path}", capsys)
    assert [path.read_text(), *tmp_path.iterdir()] == ["old", path]


def test_interrupt_leaves_no_file(tmp_path, monkeypatch, capsys):
    def stop(*_, **__):
        raise KeyboardInterrupt

    monkeypatch.setattr(tables, "of_device", stop)
    assert spintrit(f"device table default -o {tmp_path / 't.json'}") == 130
    assert capsys.readouterr().err == "spintrit: stopped\n"
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("command", ["device", "device check", "energy"])
def test_help(command):
    done = subprocess.run(
        [sys.executable, "-m", "spintrit", *command.split(), "--help"],
        capture_output=True, text=True, check=True, env=os.environ | {"COLUMNS": "80"},
    )  # fmt: skip
    assert done.stdout.startswith(f"usage: spintrit {command}")
    assert not done.stderr

"""Runs on a measured table: switching from the table, reads and ageing from a device beside it."""

import json
import math
from dataclasses import replace

import numpy as np
import pytest
from commands import error_of, spintrit
from measurements import shots, text_of

from golden.array.golden import GoldenArray
from golden.config import ArrayConfig
from golden.device import curve, junction
from golden.device.nonideal import NonIdealities
from golden.pulse import tablefile
from golden.pulse.design import CoderConfig
from golden.train.cells import Cells
from golden.train.conditions import Conditions

QUICK = "train --epochs 1 --network 8FC --rows 16 --cols 16"
ARRAY = ArrayConfig(rows=64, cols=64)
# A junction that is nobody's: another barrier and other resistances than the default device's.
MINE = replace(
    junction.load("default"), name="mine", r_on_ohm=3e3, r_off_ohm=7e3, length_m=52e-9
)  # fmt: skip


@pytest.fixture(autouse=True)
def _few_trials(monkeypatch):
    monkeypatch.setattr("golden.train.conditions._READ_TRIALS", 1 << 12)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """measured.csv, bare.json (its table), mine.toml, and stored.json (the table with it)."""
    path = tmp_path_factory.mktemp("measured")
    (path / "measured.csv").write_text(text_of(shots(np.random.default_rng(11))))
    keys = (f"{k} = {v!r}" for k, v in vars(MINE).items() if v != math.inf)
    (path / "mine.toml").write_text("\n".join(keys).replace("'", '"'))
    fit = f"device fit {path}/measured.csv"
    assert spintrit(f"{fit} -o {path}/bare.json") == 0
    assert spintrit(f"{fit} -o {path}/stored.json --device {path}/mine.toml") == 0
    return path


def around(folder, beside, **settings):
    """The conditions by --table and --device, or by the device in the table file."""
    table, name = ("bare", str(folder / "mine.toml")) if beside else ("stored", "")
    cells = Cells(device=name, table=folder / f"{table}.json", nonideal=NonIdealities(**settings))
    return cells.build(ARRAY, 0)


def sums(world):
    """Column sums of random cells."""
    rng = np.random.default_rng(3)
    array = GoldenArray(world.config)
    array.load_table(world.table)
    array.program(rng.random((64, 64, 2)) < 0.5)
    world.equip(array, 0)
    return array.forward(rng.integers(-1, 2, (8, 64)))


@pytest.mark.parametrize("beside", [True, False])
@pytest.mark.parametrize("settings", [{"adc_bits": 4, "adc_range": 20.0}, {"wire_ohm": 2.0}])
def test_converters_and_wires_see_the_resistances_of_the_device(folder, settings, beside):
    world, kept = around(folder, beside, **settings)
    own = Conditions(ARRAY, curve.formula(MINE), NonIdealities(**settings), CoderConfig())
    assert (sums(world) == sums(own)).all()
    assert (sums(world) != sums(around(folder, beside)[0])).any()
    measured = tablefile.load(folder / "bare.json")
    assert (world.table.thresholds == measured.table.thresholds).all()
    assert (world.table.ticks == measured.table.ticks).all()
    # Pulses are the measured ones: energy is that of their voltage.
    made = measured.provenance
    assert kept.device == replace(MINE, v_write_v=made["voltage_v"], t_write_s=made["full_s"])


@pytest.mark.parametrize("beside", [True, False])
def test_retention_is_that_of_the_barrier_of_the_device(folder, beside):
    time_s = 0.5 * MINE.tau0_s * math.exp(MINE.stability)
    world, _ = around(folder, beside, retention_s=time_s)
    array = GoldenArray(ARRAY)
    array.load_table(world.table)
    array.program(np.ones((64, 64, 2), bool))
    bank = type("Bank", (), {"arrays": [array], "used": lambda self, _: 64})()
    world.store(bank)
    expected = (1 - math.exp(-1)) / 2
    # Five standard errors of 8192 cells.
    assert abs(1 - array.read().mean() - expected) < 5 * math.sqrt(0.25 / 8192) + 1e-3


@pytest.mark.parametrize("beside", [True, False])
def test_read_disturb_is_that_of_the_reads_of_the_device(folder, beside):
    settings = NonIdealities(read_disturb=True)
    world, _ = around(folder, beside, read_disturb=True)
    own = Conditions(ARRAY, curve.formula(MINE), settings, CoderConfig())
    assert (world._disturb == own._disturb).all()
    assert world._disturb.any()


@pytest.mark.parametrize(
    "options",
    ["--adc-bits 5", "--wire-ohm 0.5", "--retention-s 1e-3", "--read-disturb", ""],
)
def test_command_takes_a_device_beside_a_measured_table(folder, options, tmp_path, capsys):
    line = f"{QUICK} --table {folder}/bare.json --device {folder}/mine.toml"
    assert spintrit(f"{line} {options} --out {tmp_path}/run") == 0
    summary = json.loads((tmp_path / "run" / "summary.json").read_text())
    assert (summary["device"], summary["energy_assumes_default_device"]) == ("mine", False)
    assert summary["table"]["model"] == "fit"
    assert spintrit(f"energy {tmp_path}/run --json {tmp_path}/e.json") == 0
    report = json.loads((tmp_path / "e.json").read_text())
    assert (report["device"], report["device_assumed"]) == ("mine", False)
    # A pulse takes V^2 / R, with the voltage of the measurement.
    volts = summary["table"]["voltage_v"]
    assert report["pulse_w"][0] == pytest.approx(volts**2 / MINE.r_on_ohm)


def test_measured_table_alone_trains_with_the_energy_of_an_assumed_device(folder, tmp_path):
    assert spintrit(f"{QUICK} --table {folder}/bare.json --out {tmp_path}/run") == 0
    summary = json.loads((tmp_path / "run" / "summary.json").read_text())
    assert (summary["device"], summary["energy_assumes_default_device"]) == (None, True)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ("--adc-bits 5", "adc_bits = 5 needs a device for reads and ageing, and table"),
        ("--backward-adc-noise 2", "backward_adc_noise = 2.0 needs a device"),
        ("--wire-ohm 0.5", "wire_ohm = 0.5 needs a device"),
        ("--read-disturb", "read_disturb = True needs a device"),
        ("--retention-s 1", "retention_s = 1.0 needs a device"),
        ("--device ideal", "device = 'ideal' has no resistances to use with a table"),
        (
            "--device mine.toml --amplitude-noise 0.1",
            "amplitude_noise = 0.1 cannot be combined with a",
        ),
        ("--device nosuch", "device must be one of"),
    ],
)
def test_what_a_measured_table_lacks_is_asked_for(folder, options, message, tmp_path, capsys):
    options = options.replace("mine.toml", f"{folder}/mine.toml")
    told = error_of(f"{QUICK} --table {folder}/bare.json {options} --out {tmp_path}/run", capsys)
    assert message in told
    if "needs a device" in message:
        assert told.endswith(
            "has none: give --device NAME or FILE.toml with --table, or make the table with "
            "device fit --device\n"
        )
    assert not list(tmp_path.iterdir())


def test_fit_keeps_a_device_in_a_table_alone(folder, capsys):
    line = f"device fit {folder}/measured.csv --device {folder}/mine.toml"
    assert "goes into a table file: give -o, too" in error_of(line, capsys)
    told = error_of(f"{line} -o {folder}/mine.toml", capsys)
    assert told.endswith("is read by this command, or written twice: name another file\n")

"""Bounds that stand once, and what lies beyond them: refused first, by its cause."""

import dataclasses
import json
import math
from pathlib import Path

import numpy as np
import pytest

from golden import device
from golden.array.analog import converted
from golden.config import MOST_ADC_BITS
from golden.device.nonideal import NonIdealities
from golden.energy.costs import NAMES
from golden.energy.costs import load as load_costs
from spintrit.cli import main as cli

QUICK = "train --network 4FC --epochs 1 --rows 64 --cols 16"


@pytest.fixture(autouse=True)
def _folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)


def call(line):
    return cli.main(line.split())


@pytest.mark.parametrize("side", ["", "backward-"])
def test_the_finest_converter_trains_and_is_counted_and_a_finer_one_is_refused_first(side, capsys):
    most = MOST_ADC_BITS
    assert call(f"{QUICK} --{side}adc-bits {most} --out run") == 0
    summary = json.loads(Path("run/summary.json").read_text())
    assert summary["complete"]
    assert math.isfinite(summary["total_j_per_train_sample"])
    assert call(f"{QUICK} --{side}adc-bits {most} --out run --resume") == 0
    assert call(f"energy run --adc-bits {most}") == 0
    capsys.readouterr()
    assert call(f"{QUICK} --{side}adc-bits {most + 1} --out other") == 2
    assert f"adc_bits must be in 0 to {most}, not {most + 1}" in capsys.readouterr().err
    assert not Path("other").exists()
    for wrong in (0, most + 1):
        assert call(f"energy run --adc-bits {wrong}") == 2
        told = capsys.readouterr().err.splitlines()
        assert told == [f"spintrit: error: adc_bits must be in 1 to {most}, not {wrong}"]


def test_settings_far_beyond_any_array_are_refused(capsys):
    for name in ("wire_ohm", "retention_s", "adc_noise", "temperature_k", "length_noise_s"):
        message = rf"^{name} must be finite and in 0 to .*, not 1e\+300$"
        with pytest.raises(ValueError, match=message):
            NonIdealities(**{name: 1e300})
    assert call(f"{QUICK} --wire-ohm 1e300 --out run") == 2
    assert "wire_ohm must be finite and in 0 to 1e+06, not 1e+300" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("name", "value", "least"),
    [
        ("adc_range", 1e-300, 1e-6), ("backward_adc_range", 1e-7, 1e-6),
        ("temperature_k", 1e-9, 1e-3), ("retention_k", 1e-9, 1e-3),
    ],
)  # fmt: skip
def test_settings_next_to_nothing_are_refused(name, value, least):
    beside = {"adc_bits": 2, "backward_adc_bits": 2, "retention_s": 1.0}
    message = rf"^{name} must be 0 or at least {least:g}, not {value:g}$"
    with pytest.raises(ValueError, match=message):
        NonIdealities(**beside, **{name: value})
    assert getattr(NonIdealities(**beside, **{name: least}), name) == least


def test_the_least_range_of_a_converter_saturates():
    sums = np.array([[-3, 0, 2]], np.float32)
    assert (converted(sums, 1, 64, 2, 1e-6) == 0).all()
    assert (converted(sums * 127, 127, 64, 2, 1e-6) == 0).all()


def test_millivolts_are_no_volts(capsys):
    junction = device.load("default")
    for name in ("v_write_v", "v_read_v", "half_tmr_v"):
        message = rf"^{name} must be finite and in 0 to 10, not 1100\.0$"
        with pytest.raises(ValueError, match=message):
            dataclasses.replace(junction, **{name: 1100.0})
    assert call("device table default --voltage 1100 -o table.json") == 2
    assert "voltage must be finite and in 1e-06 to 10, not 1100.0" in capsys.readouterr().err
    rows = [f"{way},1100,{t}e-9,{n},100" for way in ("AP_to_P", "P_to_AP")
            for t, n in ((1, 10), (2, 40), (3, 70), (4, 95))]  # fmt: skip
    Path("mv.csv").write_text("\n".join(["direction,voltage_v,pulse_s,switched,trials", *rows]))
    assert call("device fit mv.csv -o table.json") == 2
    assert "line 2: voltage_v must be in 1e-06 to 10, not 1100" in capsys.readouterr().err
    text = "\n".join(["direction,voltage_v,pulse_s,switched,trials", *rows]).replace("1100", "1.1")
    Path("v.csv").write_text(text)
    assert call("device fit v.csv -o table.json --voltage 1100") == 2
    assert "voltage must be finite and in 1e-06 to 10, not 1100.0" in capsys.readouterr().err
    assert not Path("table.json").exists()


@pytest.mark.parametrize("name", NAMES)
def test_costs_have_an_end_and_are_numbers(name):
    path = Path("costs.toml")
    for value, error in ((1e300, ValueError), (-1.0, ValueError), ('"1e-12"', TypeError)):
        path.write_text(f'[{name}]\nvalue = {value}\nsource = "mine"\n')
        with pytest.raises(error, match=rf"^costs\.toml: {name} must be (finite and in|a number)"):
            load_costs(path)
    top = 1.0 if not name.endswith("_v") else 10.0
    path.write_text(f'[{name}]\nvalue = {top}\nsource = "mine"\n')
    assert getattr(load_costs(path), name) == top


def test_an_efficiency_near_nothing_is_refused():
    for value in (0.0, 1e-300):
        with pytest.raises(ValueError, match=r"^supply_efficiency must be at least 0\.001, not "):
            dataclasses.replace(load_costs(), supply_efficiency=value)


def test_the_highest_costs_end_in_finite_figures():
    assert call(f"{QUICK} --out run") == 0
    lines = [f'[{name}]\nvalue = {10.0 if name.endswith("_v") else 1.0}\nsource = "mine"\n'
             for name in NAMES]  # fmt: skip
    Path("costs.toml").write_text("".join(lines))
    assert call("energy run --costs costs.toml --json report.json") == 0

    def refuse(text):
        raise AssertionError(text)

    json.loads(Path("report.json").read_text(), parse_constant=refuse)


def test_a_device_written_as_texts_is_refused_by_its_cause(capsys):
    source = Path(device.__file__).with_name("devices") / "default.toml"
    lines = source.read_text().splitlines()
    at = next(i for i, line in enumerate(lines) if line.startswith("v_write_v"))
    lines[at] = 'v_write_v = "0.35"'
    Path("mine.toml").write_text("\n".join(lines))
    assert call(f"{QUICK} --device mine.toml --out run") == 2
    assert "mine.toml: v_write_v must be a number, not '0.35'" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("setting", "message"),
    [
        ('epochs = "3"', "epochs must be a number, not '3'"),
        ('learning_rate = "0.1"', "learning_rate must be a number, not '0.1'"),
        ("momentum = true", "momentum must be a number, not True"),
        ("rule = 3", "rule must be a text, not 3"),
    ],
)
def test_training_settings_of_a_network_are_of_their_kind(setting, message, capsys):
    Path("net.toml").write_text(f'layers = "4FC"\n[training]\n{setting}\n')
    assert call("train --network net.toml --out run") == 2
    assert capsys.readouterr().err.splitlines() == [
        f"spintrit: error: net.toml: training.{message}"
    ]

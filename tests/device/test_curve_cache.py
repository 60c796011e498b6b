"""Curves of devices of one's own: simulated once, then read from the user's cache folder."""

import contextlib
import dataclasses
import json
import os
import subprocess
import sys

import pytest

from golden import cache, device
from golden.device import curve

CALIBRATED = curve.calibrated
OWN = dataclasses.replace(device.load("default"), v_write_v=1.5, t_write_s=0.8e-9, damping=0.011)


@pytest.fixture(scope="module")
def made():
    return CALIBRATED(OWN, trials=1000)


@pytest.fixture(autouse=True)
def simulated(monkeypatch, tmp_path, made):
    """The devices simulated so far; the cache is empty at first."""
    monkeypatch.setenv("SPINTRIT_CACHE", str(tmp_path / "cache"))
    asked = []

    def calibrated(junction):
        asked.append(junction)
        return dataclasses.replace(made, device=junction)

    monkeypatch.setattr(curve, "calibrated", calibrated)
    return asked


def the_file(tmp_path):
    [path] = (tmp_path / "cache" / "curves").iterdir()
    return path


def test_second_load_is_the_first_bit_for_bit(simulated, made):
    first, second = curve.load(OWN), curve.load(OWN)
    assert simulated == [OWN]
    assert second.device is OWN
    assert curve.as_dict(second) == curve.as_dict(first) == curve.as_dict(made)


def test_only_what_switches_otherwise_is_simulated(simulated):
    curve.load(OWN)
    alike = dataclasses.replace(OWN, name="mine", source="me", v_read_v=0.2, t_read_s=1e-9)
    assert curve.load(alike).device is alike
    curve.load(OWN, "formula")
    for name in device.names():
        curve.load(device.load(name))
    assert simulated == [OWN]
    other = dataclasses.replace(OWN, damping=OWN.damping * (1 + 1e-15))
    curve.load(other)
    assert simulated == [OWN, other]


@pytest.mark.parametrize("damage", [
    lambda content: b"",
    lambda content: content[: len(content) // 2],
    lambda content: b"\xff\xfe" + content,
    lambda content: b"[" * 100_000,
    lambda content: b"null",
    lambda content: b"{}",
    lambda content: content.replace(b'"overdrive": 0.0', b'"overdrive": 0.1', 1),
    lambda content: content.replace(b'"trials": 1000', b'"trials": 1001', 1),
    lambda content: json.dumps(json.loads(content) | {"key": {"seed": 0}}).encode(),
    lambda content: json.dumps(json.loads(content) | {"digest": None}).encode(),
])  # fmt: skip
def test_damaged_files_are_made_again(simulated, tmp_path, damage, made):
    curve.load(OWN)
    path = the_file(tmp_path)
    whole = path.read_bytes()
    path.write_bytes(damage(whole))
    assert path.read_bytes() != whole
    assert curve.as_dict(curve.load(OWN)) == curve.as_dict(made)
    assert simulated == [OWN, OWN]
    assert path.read_bytes() == whole
    curve.load(OWN)
    assert simulated == [OWN, OWN]


def test_folders_that_cannot_be_written_cost_time_alone(simulated, monkeypatch, tmp_path, made):
    (tmp_path / "file").write_text("not a folder")
    monkeypatch.setenv("SPINTRIT_CACHE", str(tmp_path / "file" / "cache"))
    for _ in range(2):
        assert curve.as_dict(curve.load(OWN)) == curve.as_dict(made)
    monkeypatch.setenv("SPINTRIT_CACHE", str(tmp_path / "cache"))

    def full(path, content):
        raise OSError(28, "No space left on device", str(path))

    monkeypatch.setattr(cache, "write_atomically", full)
    curve.load(OWN)
    monkeypatch.delenv("SPINTRIT_CACHE")
    monkeypatch.setitem(sys.modules, "platformdirs", None)
    curve.load(OWN)
    assert simulated == [OWN] * 4


def test_golden_asks_for_the_folder_only_when_it_needs_it():
    line = "import sys, golden.device.curve; sys.exit('platformdirs' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", line], env=dict(os.environ)).returncode == 0


def test_what_shows_is_shown_only_while_it_simulates():
    shown = []

    @contextlib.contextmanager
    def simulating():
        shown.append("from")
        yield
        shown.append("to")

    for _ in range(2):
        curve.load(OWN, simulating=simulating)
    curve.load(device.load("default"), simulating=simulating)
    assert shown == ["from", "to"]

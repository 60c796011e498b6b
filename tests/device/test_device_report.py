"""Reports of a device besides its parameters."""

import dataclasses
import io
import json
import math

import pytest
from rich.console import Console

from golden import device
from golden.units import duration
from spintrit.report import device as device_report

DEFAULT = device.load("default")


@pytest.mark.parametrize(
    "changes",
    [{"half_tmr_v": 1e-6}, {"damping": 1e-9}, {"r_on_ohm": 1e-3}, {"length_m": 1e-5}],
)
@pytest.mark.filterwarnings("error")
def test_extreme_devices_are_shown(changes):
    junction = dataclasses.replace(DEFAULT, **changes)
    text = json.dumps(device_report.as_json(junction), allow_nan=False)
    assert json.loads(text)["derived"]["retention_s"] >= 1e-12
    out = io.StringIO()
    device_report.show(junction, Console(file=out))
    assert "retention time" in out.getvalue()


def test_derived_retention_is_neel_and_arrhenius():
    for name in ("default", "stochastic"):
        junction = device.load(name)
        expected = junction.tau0_s * math.exp(junction.stability)
        assert device_report.derived(junction)["retention_s"] == pytest.approx(expected, rel=0.01)


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(0.156, "160 ms"), (4000, "4 ks"), (7300, "2 hours"), (3e5, "3.5 days"), (3.2e9, "100 years")],
)
def test_long_times(seconds, text):
    assert duration(seconds) == text

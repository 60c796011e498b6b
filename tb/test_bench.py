"""The benchmark runs and prints what it promises; a small one, whose figures mean nothing."""

import argparse
import dataclasses
import json
import re

import pytest

from golden.config import ArrayConfig
from spintrit.bench import rates
from spintrit.bench.training import Workload

WORKLOADS = (
    Workload("dense", (12,), "6FC", 4, "gradient"),
    Workload("one", (12,), "6FC", 1, "adam"),
    Workload("images", (8, 8, 1), "4C3-MP2-5C2p1-6FC", 2, "adam", slow=True),
)


@pytest.mark.verilator
@pytest.mark.full
def test_benchmark_prints_every_rate(monkeypatch, capsys, tmp_path):
    monkeypatch.setenv("SPINTRIT_CACHE", str(tmp_path))
    monkeypatch.setenv("COLUMNS", "100")
    monkeypatch.setattr(rates, "WORKLOADS", WORKLOADS)
    monkeypatch.setattr(rates, "CHIP_ARRAY", ArrayConfig(rows=8, cols=8))
    monkeypatch.setattr(rates, "CHIP_INPUTS", 8)
    monkeypatch.setattr(rates, "CHIP_HIDDEN", 8)
    monkeypatch.setattr(rates, "CHIP_BATCH", 4)
    short = dataclasses.replace(rates.FULL, seconds=0.1, rounds=2, vectors=50)
    monkeypatch.setattr(rates, "FULL", short)
    arguments = argparse.Namespace(json=tmp_path / "found.json", quick=False)
    assert rates.main(arguments, ArrayConfig(rows=8, cols=8)) == 0
    shown = capsys.readouterr().out
    found = json.loads((tmp_path / "found.json").read_text())
    for row, work in zip(found, WORKLOADS, strict=False):
        assert row["row"] == work.name
        assert all(row[name] for name in ("cpu", "date", "integer_units"))
        assert row["samples_per_second"] > 0
        if row["pytorch_samples_per_second"]:
            ratio = row["samples_per_second"] / row["pytorch_samples_per_second"]
            assert row["ratio"] == pytest.approx(ratio)
        assert work.name in shown
    for driver in ("bare C++ Verilator loop", "library, from Python", "cocotb"):
        found = re.search(rf"{re.escape(driver)} +│ +([\d,]+) │ +([\d.]+) │", shown)
        assert found, shown
        assert int(found[1].replace(",", "")) > 0

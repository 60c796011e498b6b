"""The benchmark runs and prints what it promises; a small one, whose figures mean nothing."""

import argparse
import dataclasses
import re

import pytest

from golden.config import ArrayConfig
from spintrit.bench import rates


@pytest.mark.verilator
@pytest.mark.full
def test_benchmark_prints_every_rate(monkeypatch, capsys, tmp_path):
    monkeypatch.setenv("SPINTRIT_CACHE", str(tmp_path))
    monkeypatch.setenv("COLUMNS", "100")
    monkeypatch.setattr(rates, "DENSE", ((12,), "6FC"))
    monkeypatch.setattr(rates, "CNN_SHAPE", (16, 16, 1))
    monkeypatch.setattr(rates, "CNN_BATCH", 4)
    monkeypatch.setattr(rates, "VGG_BATCH", 2)
    monkeypatch.setattr(rates, "CHIP_ARRAY", ArrayConfig(rows=8, cols=8))
    monkeypatch.setattr(rates, "CHIP_INPUTS", 8)
    monkeypatch.setattr(rates, "CHIP_HIDDEN", 8)
    monkeypatch.setattr(rates, "CHIP_BATCH", 4)
    short = dataclasses.replace(rates.FULL, seconds=0.1, rounds=2, vectors=50)
    monkeypatch.setattr(rates, "FULL", short)
    arguments = argparse.Namespace(json=None, quick=False)
    assert rates.main(arguments, ArrayConfig(rows=8, cols=8)) == 0
    shown = capsys.readouterr().out
    for batch, optimiser, *_ in rates.DENSE_ROWS:
        assert re.search(rf"│ +{batch} │ {optimiser}, [-.e\d to]+ │ +[\d,]+ │", shown), shown
    assert re.search(r"golden, numpy +│ +[\d,]+ │ +[\d.]+ │", shown), shown
    for driver in ("bare C++ Verilator loop", "library, from Python", "cocotb"):
        found = re.search(rf"{re.escape(driver)} +│ +([\d,]+) │ +([\d.]+) │", shown)
        assert found, shown
        assert int(found[1].replace(",", "")) > 0

"""The report of a run's energy: from files to figures, tables and picture."""

import dataclasses
import io
import json
import types

import pytest
from test_energy import JUNCTION, close
from worked_activity import ACTIVITY, TERNARY, counts

from golden.energy import costs, model
from golden.energy.model import PHASES
from golden.pulse import tablefile
from golden.pulse.table import tanh_table
from golden.units import si
from spintrit.report import energy as energy_report
from spintrit.report import energy_picture
from spintrit.report.console import Console
from spintrit.runs import energy as presentation


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """A run's folder; the default device's table, made by hand."""
    summary = {
        "activity": ACTIVITY, "train_samples": 5, "array_config": dataclasses.asdict(TERNARY),
        "train_config": {"rule": "exact"},
    }  # fmt: skip
    (tmp_path / "summary.json").write_text(json.dumps(summary))
    (tmp_path / "table.json").write_text("{}")
    loaded = types.SimpleNamespace(table=tanh_table(TERNARY), device=JUNCTION)
    monkeypatch.setattr(tablefile, "load", lambda path: loaded)
    return tmp_path, summary, loaded


def shown(report: dict) -> str:
    console = Console(width=200, record=True, file=io.StringIO())
    energy_report.show(report, console)
    return console.export_text()


def test_report_is_energy_a_sample(folder):
    report = presentation.report(folder[0])
    whole = model.energy(ACTIVITY, JUNCTION, 1e-12, TERNARY, costs.load(), exact=True)
    assert report["total_j"]["periphery"] == close(model.total(whole))
    assert report["total_j"]["array"] == close(model.total(whole, periphery=False))
    for phase in PHASES:
        for part, joules in whole[phase].items():
            assert report["per_sample_j"][phase][part] == close(joules / 5)
    assert report["per_sample_j"]["update"]["idle"] > 0
    # 40 columns of 8 rows; 320 of 640 cells driven; 96 products of 160 driven synapses.
    assert report["shares"] == {
        "zero_inputs": close(0.5), "gated": close(0.7), "zero_weights": close(0.4),
    }  # fmt: skip
    assert report["pulse_s"] == {"full": close(2e-9), "mean": close(6e-9 / 17)}
    assert [row["sharing"] for row in report["timing"]["full"]] == [1, 4]
    assert json.loads(json.dumps(report))["efficiency"] == report["efficiency"]


def test_a_run_lies_on_the_curve_of_its_weights(folder):
    """Two reads a sample, of all four columns and of one; no input and no weight is 0."""
    path, summary, _ = folder
    reads = counts(
        forward_conversions=5 * 5, forward_drives=5 * 16, forward_products=5 * 8 * 5,
        forward_cells_p=5 * 8 * 5, forward_cells_ap=5 * 8 * 5,
    )  # fmt: skip
    summary["activity"] = {name: int(number) for name, number in reads.items()}
    (path / "summary.json").write_text(json.dumps(summary))
    report = presentation.report(path)
    assert report["shares"]["zero_inputs"] == close(0)
    for accounting, periphery in (("array", False), ("periphery", True)):
        spent = model.total(report["per_sample_j"], "forward", periphery=periphery)
        assert report["sparsity"]["curves"][0][accounting][0] == close(spent)


def test_sparsity_curves_are_those_of_the_runs_reads(folder):
    curves = presentation.report(folder[0])["sparsity"]["curves"]
    # 40 columns of 8 synapses in 5 samples: 64 synapses a sample; P and AP, half (P, P), half
    # (AP, AP).
    for curve, synapse in zip(curves, (90e-15, 105e-15, 75e-15), strict=True):
        assert curve["array"][0] == close(64 * synapse)
        assert curve["array"][10] == close(32 * synapse)
        assert curve["array"][20] == 0
        assert curve["periphery"][20] > 0
    binary = dataclasses.asdict(dataclasses.replace(TERNARY, synapse="binary"))
    summary = folder[1] | {"array_config": binary}
    (folder[0] / "summary.json").write_text(json.dumps(summary))
    report = presentation.report(folder[0])
    assert [curve["name"] for curve in report["sparsity"]["curves"]] == ["none"]
    assert not report["rule_reads"]


def test_default_device_stands_in_for_none(folder):
    path, _, loaded = folder
    assert not presentation.report(path)["device_assumed"]
    loaded.device = None
    report = presentation.report(path)
    assert (report["device"], report["device_assumed"]) == ("default", True)
    assert "device default (assumed: the table names none)" in " ".join(shown(report).split())


def test_only_the_exact_rule_reads(folder):
    path, summary, _ = folder
    summary["train_config"]["rule"] = "blind"
    (path / "summary.json").write_text(json.dumps(summary))
    assert presentation.report(path)["per_sample_j"]["update"]["access"] == 0


def test_show_prints_figures_and_sources(folder):
    report = presentation.report(folder[0])
    text = shown(report)
    for figure in ("18.3", "cells read", "70.0% of all forward products were gated off"):
        assert figure in text
    low, high = 4e-9 * 160e-6 / 5, 4e-9 * 320e-6 / 5
    assert f"bounds {low * 1e15:.3g} fJ to {high * 1e15:.3g} fJ" in text
    for name, entry in report["costs"].items():
        assert name in text
        assert entry["source"].split()[0] in text


@pytest.mark.parametrize(
    ("value", "text"),
    [(0.0, "0 J"), (1.5e-12, "1.5 pJ"), (0.9999e-9, "1 nJ"), (1e-21, "1e-21 J"), (2e13, "20 TJ")],
)
def test_prefixes(value, text):
    assert si(value, "J") == text


def test_picture_by_suffix(folder, tmp_path):
    report = presentation.report(folder[0])
    energy_picture.draw(report, tmp_path / "e.png")
    assert (tmp_path / "e.png").read_bytes().startswith(b"\x89PNG")
    energy_picture.draw(report, tmp_path / "e.svg")
    assert b"<svg" in (tmp_path / "e.svg").read_bytes()
    energy_picture.draw(report, tmp_path / "e.pdf")
    assert (tmp_path / "e.pdf").read_bytes().startswith(b"%PDF")
    with pytest.raises(ValueError, match=r"suffix of .*e\.bmp must be one of \.png, \.svg, \.pdf"):
        energy_picture.draw(report, tmp_path / "e.bmp")


def test_idle_run_can_be_shown(folder, tmp_path):
    path, summary, _ = folder
    summary["activity"] = dict.fromkeys(ACTIVITY, 0)
    (path / "summary.json").write_text(json.dumps(summary))
    report = presentation.report(path)
    assert report["total_j"] == {"array": 0, "periphery": 0}
    assert (report["shares"], report["efficiency"]) == ({}, {})
    assert "mean" not in report["timing"]
    assert "of all forward products" not in shown(report)
    energy_picture.draw(report, tmp_path / "idle.svg")


def test_a_run_without_counters_is_refused_by_its_cause(folder):
    path, summary, _ = folder
    del summary["activity"]
    summary["array_config"]["counters"] = False
    (path / "summary.json").write_text(json.dumps(summary))
    with pytest.raises(ValueError, match=r"summary\.json: a run with --no-counters has no energy"):
        presentation.report(path)


@pytest.mark.parametrize("name", ["activity", "train_samples", "array_config"])
def test_incomplete_summary_is_named(folder, name):
    path, summary, _ = folder
    del summary[name]
    (path / "summary.json").write_text(json.dumps(summary))
    with pytest.raises(ValueError, match=rf"summary\.json must hold '{name}'"):
        presentation.report(path)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"train_samples": 0}, r"summary\.json: train_samples must be at least 1, not 0"),
        ({"activity": {}}, r"summary\.json: activity must hold 'forward_conversions'"),
        ({"array_config": {"rows": 0}}, r"summary\.json: rows must be in 1 to 4096, not 0"),
    ],
)
def test_bad_summary_is_named(folder, change, message):
    path, summary, _ = folder
    (path / "summary.json").write_text(json.dumps(summary | change))
    with pytest.raises(ValueError, match=message):
        presentation.report(path)


@pytest.mark.parametrize("name", ["summary.json", "table.json"])
def test_missing_file_is_named(folder, name):
    (folder[0] / name).unlink()
    with pytest.raises(ValueError, match=rf"{name} must exist; it comes with a finished run"):
        presentation.report(folder[0])


def test_summary_that_is_no_json_is_named(folder):
    (folder[0] / "summary.json").write_text("{")
    with pytest.raises(ValueError, match=r"summary\.json is damaged: "):
        presentation.report(folder[0])

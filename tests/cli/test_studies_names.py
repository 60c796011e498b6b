"""Studies: names and values of any length, and folders of results that are somebody's."""

import json
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
from commands import error_of, spintrit
from matplotlib.backends.backend_agg import FigureCanvasAgg

from spintrit.studies import results, studyfile
from spintrit.studies import study as studies

LONG = "a very long name, " * 20 + "\u2603"
NAMES = (LONG, LONG + "!", r"$\frac$ and $x$ of [/bold]", "pipe | and `tick`")


@pytest.fixture
def own(tmp_path, monkeypatch):
    """A study of rows with odd names, its file in the working folder."""
    monkeypatch.chdir(tmp_path)
    rows = "\n".join(f"{json.dumps(n)} = '--density 0.{k}'" for k, n in enumerate(NAMES, 1))
    text = f"""
[own]
title = 'Of $\\frac$'
common = "--array fast --epochs 1 --network 4FC"
seeds = [0]
[own.rows]
{rows}
[[own.sweeps]]
options = "--steepness {{}}"
label = '{"steepness $" * 9}'
values = [0.01, 2, 1000]
"""
    Path("own.toml").write_text(text)
    return studyfile.read(Path("own.toml"))["own"]


def entries(study, accuracies=(0.1, 0.5)):
    """Made-up results of all runs, with as many seeds as accuracies."""
    return [
        {
            "study": job.study, "row": job.row, "sweep": job.label or None, "x": job.x,
            "seed": seed, "test_accuracy": accuracy, "last_test_accuracy": accuracy,
            "dataset": "digits", "network": "4FC", "synapses": 4, "epochs": 1,
            "optimiser_bytes_per_weight": 8, "command": job.command,
        }
        for job in studies.jobs(study)
        for seed, accuracy in enumerate(accuracies)
    ]  # fmt: skip


def drawn(figure):
    """The renderer of a figure that has been drawn."""
    canvas = FigureCanvasAgg(figure)
    canvas.draw()
    return canvas.get_renderer()


def test_any_name_has_a_folder_a_cell_and_a_label(own):
    assert spintrit("study own.toml") == 0
    folders = [path.name for path in Path("build/studies/own/own").iterdir()]
    assert len(folders) == len(NAMES) + 3
    assert max(len(name.encode()) for name in folders) < 200
    page = Path("build/results/own/README.md").read_text()
    table = [line for line in page.splitlines() if line.startswith("| ")]
    assert {line.replace("\\|", "").count("|") for line in table} == {8}
    assert all(Path(f"build/results/own/own{s}.png").exists() for s in ("", "-sweeps"))


def test_labels_of_many_lines_stay_apart(own):
    shown = results.figures(own, entries(own))[""]
    renderer = drawn(shown)
    boxes = [t.get_window_extent(renderer) for t in shown.axes[0].get_yticklabels()]
    for above, below in pairwise(boxes):
        assert above.y0 > below.y1


def test_bars_of_a_sweep_stay_within_its_panel(own):
    shown = results.figures(own, entries(own))["-sweeps"]
    drawn(shown)
    low, high = shown.axes[0].get_ylim()
    bar = 100 * np.std([0.1, 0.5], ddof=1)
    assert low < 30 - bar < 30 + bar < high
    assert shown.axes[0].get_xscale() == "log"


def test_values_that_differ_late_are_apart():
    sweep = studyfile.Sweep("--batch {}", "batch", (1000000, 1000001, 0.1, 2), (0,))
    assert [name for name, _, _ in sweep.points()] == [
        "batch 1e+06", "batch 1000001", "batch 0.1", "batch 2",
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("study own.toml --results .", "README.md was not written by a study"),
        (
            "study own.toml --results own.toml",
            "own.toml, where own.toml/README.md would be, is not",
        ),
        ("study own.toml --results run", "run is the folder of a run"),
        ("study own.toml --results damaged", "damaged/accuracy.json is damaged"),
        ("study own.toml --json own.toml", "own.toml is read by this command"),
    ],
)
def test_results_replace_nothing_of_others(line, message, own, capsys):
    Path("README.md").write_text("# Mine\n")
    for name in ("run/config.json", "damaged/accuracy.json"):
        Path(name).parent.mkdir()
        Path(name).write_text("[")
    before = {path: path.read_bytes() for path in Path().rglob("*") if path.is_file()}
    assert message in error_of(line, capsys)
    assert {path: path.read_bytes() for path in Path().rglob("*") if path.is_file()} == before


def test_signs_that_the_font_lacks_are_one_warning(tmp_path, capsys):
    from matplotlib.figure import Figure

    from spintrit.cli.status import guarded
    from spintrit.report.figures import save

    shown = Figure()
    shown.suptitle("\u6f22\u5b57")
    assert guarded(lambda: save(shown, tmp_path / "a.png") or 0) == 0
    error = capsys.readouterr().err
    assert error.startswith("spintrit: warning: ")
    assert error.count("\n") == 1

"""``spintrit plot``: what is in its pictures, where they go, and what it says when it cannot."""

import json
import math
import re
from pathlib import Path

import numpy as np
import pytest
from commands import error_of, spintrit

from spintrit import records
from spintrit.records import Run
from spintrit.report import picture

STATES = {"0s": 1, "+1": 40, "-1": 30, "0w": 29}  # of 100 synapses


def entry(epoch, layers=2, **changes):
    return {
        "epoch": epoch,
        "loss": 1 / epoch,
        "train_accuracy": 1 - 0.5 / epoch,
        "val_accuracy": 1 - 0.6 / epoch,
        "cells_switched": 64 // epoch,
        "populations": {f"layer{n + 1}": dict(STATES) for n in range(layers)},
    } | changes


def a_run(name="run", epochs=4, layers=2, summary=None, **changes):
    metrics = [entry(epoch + 1, layers, **changes) for epoch in range(epochs)]
    return Run(name, metrics, summary or {})


def write(folder, run=None):
    run = run or a_run()
    folder.mkdir(parents=True)
    text = "".join(json.dumps(line) + "\n" for line in run.history)
    (folder / "metrics.jsonl").write_text(text)
    if run.summary:
        (folder / "summary.json").write_text(json.dumps(run.summary))
    return folder


def titled(figure):
    return {axis.get_title(): axis for axis in figure.axes if axis.axison}


def lines(axis):
    return {line.get_label(): line for line in axis.get_lines()}


def legend(of):
    return [text.get_text() for text in of.get_texts()]


def test_run_figure_shows_the_metrics():
    run = a_run(summary={"test_accuracy": 0.5})
    axes = titled(picture.run_figure(run))
    assert list(axes) == [
        "Learning curve", "Loss", "Flip rate", "layer1: 100 synapses", "layer2: 100 synapses",
    ]  # fmt: skip
    shown = lines(axes["Learning curve"])
    assert list(shown) == ["training", "validation", "test 50.00%"]
    assert shown["validation"].get_ydata() == pytest.approx([40, 70, 80, 85])
    assert shown["training"].get_ydata() == pytest.approx([50, 75, 100 * 5 / 6, 87.5])
    assert shown["test 50.00%"].get_xydata().tolist() == [[4, 50]]
    [loss] = axes["Loss"].get_lines()
    assert loss.get_ydata() == pytest.approx([1, 1 / 2, 1 / 3, 1 / 4])
    [flips] = axes["Flip rate"].get_lines()
    assert flips.get_ydata() == pytest.approx(np.array([64, 32, 21, 16]) / 400)  # 2 cells a synapse
    assert axes["Flip rate"].get_yscale() == "log"
    assert axes["Flip rate"].get_ylim() == pytest.approx((0.01, 1))
    for axis in axes.values():
        assert axis.get_xlabel() == "epoch"
        assert list(axis.get_xticks()) == [1, 2, 3, 4]


def test_cell_states_lie_on_each_other():
    axis = titled(picture.run_figure(a_run()))["layer1: 100 synapses"]
    heights = {
        area.get_label(): area.get_paths()[0].get_extents().intervaly.tolist()
        for area in axis.collections
    }
    assert heights == {
        "+1": [0, 40],
        "weak 0 (P, P)": [40, 69],
        "strong 0 (AP, AP)": [69, 70],
        "-1": [70, 100],
    }


@pytest.mark.parametrize(
    ("summary", "tests", "labels"),
    [
        ({}, [], []),
        ({"complete": False, "test_accuracy": None}, [], []),
        ({"test_accuracy": 0.9}, [(4, 0.9)], ["test 90.00%"]),
        (
            {"test_accuracy": 0.9, "last_test_accuracy": 0.8, "chosen_epoch": 3},
            [(3, 0.9), (4, 0.8)],
            ["test 90.00%, epoch 3 (chosen)", "test 80.00%, epoch 4 (last)"],
        ),
        (
            {"test_accuracy": 0.9, "last_test_accuracy": 0.9, "chosen_epoch": 4},
            [(4, 0.9)],
            ["test 90.00%, epoch 4 (chosen)"],
        ),
    ],
)
def test_test_accuracies(summary, tests, labels):
    run = a_run(summary=summary)
    assert run.tests == tests
    axis = titled(picture.run_figure(run))["Learning curve"]
    assert legend(axis.get_legend()) == ["training", "validation", *labels]
    marks = [line.get_xydata()[0].tolist() for line in axis.get_lines()[2:]]
    assert marks == [[epoch, 100 * accuracy] for epoch, accuracy in tests]


@pytest.mark.parametrize(
    ("layers", "shape"),
    [(1, (2, 3)), (2, (2, 3)), (3, (2, 3)), (4, (2, 4)), (5, (3, 3)), (6, (3, 3)), (7, (3, 4)),
     (8, (3, 4)), (9, (4, 3)), (12, (4, 4)), (20, (6, 4))],
)  # fmt: skip
def test_grid_holds_every_layer_and_one_legend(layers, shape):
    figure = picture.run_figure(a_run(layers=layers))
    assert figure.axes[0].get_gridspec().get_geometry() == shape
    shown = list(titled(figure))[3:]
    assert shown == [f"layer{n + 1}: 100 synapses" for n in range(layers)]
    legends = [a.get_legend() for a in figure.axes[1:] if a.get_legend()] + figure.legends
    assert [legend(each) for each in legends] == [
        ["-1", "strong 0 (AP, AP)", "weak 0 (P, P)", "+1"]
    ]


def test_binary_synapses_are_one_cell():
    run = a_run(populations={"layer1": {"-1": 30, "+1": 70}})
    assert run.cells == 100
    assert run.flip_rates[0] == pytest.approx(0.64)
    axes = titled(picture.run_figure(run))
    assert [area.get_label() for area in axes["layer1: 100 synapses"].collections] == ["+1", "-1"]
    [line] = titled(picture.comparison_figure([run]))["Positive weights"].get_lines()
    assert line.get_ydata() == pytest.approx([70] * 4)


def test_no_flips_and_no_finite_loss_are_drawn():
    for changes in ({"cells_switched": 0}, {"loss": math.nan}, {"loss": 0.0}):
        picture.run_figure(a_run(**changes)).draw_without_rendering()
    axis = titled(picture.run_figure(a_run(cells_switched=0)))["Flip rate"]
    assert axis.get_yscale() == "symlog"
    assert axis.get_ylim()[0] < 0 < axis.get_ylim()[1]


def test_one_epoch_is_visible():
    figure = picture.run_figure(a_run(epochs=1))
    figure.draw_without_rendering()
    axes = titled(figure)
    assert {line.get_marker() for line in axes["Learning curve"].get_lines()} == {"o"}
    assert axes["layer1: 100 synapses"].collections[0].get_paths()[0].get_extents().width == 1


def test_comparison_shows_all_runs_on_common_axes():
    runs = [a_run("a", summary={"test_accuracy": 0.75}), a_run("_b $x$", 6, layers=5)]
    figure = picture.comparison_figure(runs)
    axes = titled(figure)
    assert list(axes) == ["Validation accuracy", "Loss", "Flip rate", "Non-zero weights"]
    for axis in axes.values():
        assert [len(line.get_xdata()) for line in axis.get_lines()] == [4, 6]
        assert len({line.get_color() for line in axis.get_lines()}) == 2
    accuracies = axes["Validation accuracy"].get_lines()
    assert accuracies[0].get_ydata() == pytest.approx([40, 70, 80, 85])
    weights = axes["Non-zero weights"].get_lines()
    assert weights[1].get_ydata() == pytest.approx([70] * 6)
    flips = axes["Flip rate"].get_lines()
    assert flips[1].get_ydata()[0] == pytest.approx(0.064)
    [names] = figure.legends
    assert legend(names) == ["a: test 75.00%", "_b $x$"]


def test_many_runs_look_different():
    axis = picture.comparison_figure([a_run(str(n)) for n in range(42)]).axes[0]
    looks = [(line.get_color(), str(line._dash_pattern)) for line in axis.get_lines()]
    assert len(set(looks)) == 42
    assert len({colour for colour, _ in looks[:7]}) == 7
    widths = [line.get_linewidth() for line in axis.get_lines()]
    assert all(low > high for low, high in zip(widths[::2], widths[1::2], strict=True))


def test_names_are_unique(tmp_path, monkeypatch):
    paths = ["x/k1/run", "x/k2/run", "y/k2/run", "y/other"]
    folders = [write(tmp_path / path) for path in paths]
    names = [run.name for run in records.load_runs(folders)]
    assert names == ["k1/run", "x/k2/run", "y/k2/run", "other"]
    monkeypatch.chdir(folders[0])
    assert records.load_run(Path()).name == "run"
    assert records.load_run(Path("../../k2/run/..//run")).name == "run"


def test_plot_writes_pictures(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    write(Path("a"))
    write(Path("b"), a_run(layers=9, summary={"test_accuracy": 0.9, "chosen_epoch": 2}))
    for line, made in {
        "a": "a/learning.png",
        "a b": "comparison.png",
        "b -o new/b.svg": "new/b.svg",
        "a b -o c.pdf": "c.pdf",
        "b -o b.png": "b.png",
    }.items():
        assert spintrit(f"plot {line}") == 0
        assert capsys.readouterr().out == f"{made}\n"
        start = {".png": b"\x89PNG", ".svg": b"<?xml", ".pdf": b"%PDF"}[Path(made).suffix]
        before = Path(made).read_bytes()
        assert before.startswith(start)
        assert spintrit(f"plot {line}") == 0
        assert Path(made).read_bytes() == before  # no date, no chance
        capsys.readouterr()
    assert not list(tmp_path.rglob("*.part"))


def test_plot_takes_what_train_leaves(tmp_path, capsys):
    train = "train --epochs 2 --network 8FC --rows 16 --cols 16 --out"
    assert spintrit(f"{train} {tmp_path}/a") == spintrit(f"{train} {tmp_path}/b --seed 1") == 0
    drawn = tmp_path / "a" / "learning.png"
    drawn.unlink()
    (tmp_path / "b" / "summary.json").unlink()  # as if killed
    assert spintrit(f"plot {tmp_path}/a") == 0
    assert drawn.exists()
    assert spintrit(f"plot {tmp_path}/a {tmp_path}/b -o {tmp_path}/c.png") == 0
    first, second = records.load_runs([tmp_path / "a", tmp_path / "b"])
    assert len(first.tests) >= 1
    assert not second.tests


def test_last_line_without_its_end_does_not_count(tmp_path):
    file = write(tmp_path / "run") / "metrics.jsonl"
    whole = file.read_text()
    file.write_text(whole + '{"epoch": 5, "lo')
    assert records.load_run(tmp_path / "run").epochs == [1, 2, 3, 4]
    file.write_text(whole.rstrip())
    assert records.load_run(tmp_path / "run").epochs == [1, 2, 3, 4]


def line_of(layers=2, **changes):
    return json.dumps(entry(2, layers) | changes)


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("{]", "is damaged: Expecting property name"),
        ("", "is damaged: Expecting value"),
        ("[" * 100_000, "is damaged: maximum recursion depth"),
        ("7", "is damaged: it must hold a JSON object"),
        ('{"epoch": 2}', ": must hold 'loss'"),
        (line_of(epoch=1), ": epoch must be in 2 to "),
        (line_of(epoch="2"), ": epoch must be an integer, not '2'"),
        (line_of(val_accuracy=1.5), ": val_accuracy must be finite and in 0 to 1, not 1.5"),
        (line_of(loss="low"), ": loss must be a number, not 'low'"),
        (line_of(loss=10**400), "is damaged: an integer of 401 digits is too large"),
        (line_of(cells_switched=-1), ": cells_switched must be in 0 to "),
        (line_of(populations={}), ": populations must be those of layers, not {}"),
        (line_of(populations={"a": 3}), ": populations of a must be counts of states, not 3"),
        (line_of(populations={"a": {"+2": 3}}), ": state of a must be one of 0s, +1, -1, 0w, not"),
        (line_of(populations={"a": {"+1": 0}}), ": populations of a must count a synapse"),
        (line_of(layers=3), ": populations must be of the same layers and states as in line 1"),
    ],
)
def test_damaged_metrics_are_named_by_line(line, message, tmp_path, capsys):
    file = write(tmp_path / "run") / "metrics.jsonl"
    file.write_text(f"{json.dumps(entry(1))}\n{line}\n")
    told = error_of(f"plot {tmp_path}/run", capsys, alone=True)
    assert re.match(re.escape(f"spintrit: error: {file}, line 2") + " ?" + re.escape(message), told)
    assert not (tmp_path / "run" / "learning.png").exists()


@pytest.mark.parametrize(
    ("summary", "message"),
    [
        ("{", "{path} is damaged: Expecting"),
        ("[]", "{path} is damaged: it must hold a JSON object"),
        ('{"test_accuracy": 2}', "test_accuracy in {path} must be finite and in 0 to 1, not 2"),
        ('{"last_test_accuracy": "1"}', "last_test_accuracy in {path} must be a number, not '1'"),
        ('{"chosen_epoch": 5}', "chosen_epoch in {path} must be in 1 to 4, not 5"),
    ],
)
def test_damaged_summary_is_named(summary, message, tmp_path, capsys):
    path = write(tmp_path / "run") / "summary.json"
    path.write_text(summary)
    told = error_of(f"plot {tmp_path}/run", capsys, alone=True)
    assert told.startswith(f"spintrit: error: {message.replace('{path}', str(path))}")


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("", "spintrit plot: error: the following arguments are required: RUN"),
        ("none", "none is not the folder of a run: there is no such folder"),
        ("empty", "empty is not the folder of a run: it holds no metrics.jsonl"),
        ("run new", "new/metrics.jsonl holds no epoch yet"),
        ("run empty/../run", "empty/../run is given twice"),
        ("run -o run.bmp", "suffix of run.bmp must be one of .png, .svg, .pdf, not '.bmp'"),
        ("none -o run", "suffix of run must be one of .png, .svg, .pdf, not ''"),
        ("run -o folder.png", "not a regular file"),
    ],
)
def test_what_cannot_be_drawn_is_one_line(line, message, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    write(Path("run"))
    for folder in ("empty", "new", "folder.png"):
        Path(folder).mkdir()
    Path("new/metrics.jsonl").touch()
    assert message in error_of(f"plot {line}", capsys, alone=True)

"""``spintrit eval``: a finished run's accuracies again, on any array, and what it refuses."""

import json
import shutil
from dataclasses import replace

import numpy as np
import pytest
from commands import error_of, spintrit
from datafiles import STEMS, idx_bytes, some

from golden.array.golden import GoldenArray
from golden.matrix.tiled import ArrayBank
from golden.matrix.whole_bank import WholeBank
from golden.pulse.table import tanh_table
from spintrit.runs.settings import FILES
from spintrit.runs.trained import load

DIGITS = "train --epochs 2 --network 16FC --rows 24 --cols 16"
KINDS = ("fast", "golden")


@pytest.fixture(scope="module")
def digits(tmp_path_factory):
    """Folder of a run on the digits."""
    out = tmp_path_factory.mktemp("digits")
    assert spintrit(f"{DIGITS} --out {out}") == 0
    return out


@pytest.fixture(scope="module")
def images(tmp_path_factory):
    """Folders of a run of a convolutional network and of its data."""
    data, out = tmp_path_factory.mktemp("data"), tmp_path_factory.mktemp("images")
    arrays = [*some(5_060, 8, 6), *some(30, 8, 6, seed=1)]
    for stem, array in zip(STEMS, arrays, strict=True):
        (data / stem).write_bytes(idx_bytes(array))
    line = "train --array fast --dataset mnist --input-bits 3 --epochs 2 --network 3C3-MP2-8FC"
    assert spintrit(f"{line} --batch 20 --rows 8 --cols 8 --data {data} --out {out}") == 0
    return out, data


def evaluated(line, path):
    """What ``spintrit eval line`` writes to ``path``."""
    assert spintrit(f"eval {line} --json {path}") == 0
    return json.loads(path.read_text())


def told(run):
    return json.loads((run / "summary.json").read_text())


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize(
    ("weights", "accuracy"), [("best", "test_accuracy"), ("last", "last_test_accuracy")]
)
def test_accuracies_of_the_run_again(digits, kind, weights, accuracy, tmp_path, capsys):
    line = f"{digits} --array {kind} --weights {weights}"
    result = evaluated(line, tmp_path / "deep" / "figures.json")
    assert result["accuracy"] == told(digits)[accuracy]
    assert (result["samples"], result["part"], result["weights"]) == (300, "test", weights)
    assert result["arrays"] == 4  # 64 x 16 in three parts, 16 x 10 in one
    assert "rtl_cycles" not in result
    assert f"{result['accuracy']:.2%}" in capsys.readouterr().out


def test_validation_samples_and_other_parts(digits, tmp_path):
    result = evaluated(f"{digits} --part val", tmp_path / "val.json")
    assert result["accuracy"] == told(digits)["val_accuracy"]
    assert evaluated(f"{digits} --part train", tmp_path / "train.json")["samples"] == 1197
    parts = [
        evaluated(f"{digits} --first {first} --count {count}", tmp_path / "part.json")
        for first, count in ((0, 100), (100, 150), (250, 50))
    ]
    whole = evaluated(f"{digits} --first 0", tmp_path / "whole.json")
    assert sum(part["right"] for part in parts) == whole["right"]
    assert [part["first"] for part in parts] == [0, 100, 250]


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("size", ["", "--rows 5 --cols 7", "--rows 64 --cols 64"])
def test_a_convolutional_network_on_arrays_of_any_size(images, kind, size, tmp_path):
    run, data = images
    result = evaluated(f"{run} --array {kind} --data {data} {size}", tmp_path / "x.json")
    assert result["accuracy"] == told(run)["test_accuracy"]
    assert result["network"] == "3C3-MP2-8FC"


def test_torch_gives_the_same_classes(images, tmp_path):
    pytest.importorskip("torch")
    run, data = images
    result = evaluated(f"{run} --backend torch --data {data}", tmp_path / "x.json")
    assert result["accuracy"] == told(run)["test_accuracy"]


@pytest.mark.parametrize(
    "more", ["", "--resistance-spread 0.1 --temperature-k 320", "--stuck-p 0.05"]
)
def test_analog_reads_are_the_run_s(more, tmp_path, capsys):
    run = tmp_path / "run"
    assert spintrit(f"{DIGITS} --adc-bits 4 --adc-range 12 --wire-ohm 2 {more} --out {run}") == 0
    result = evaluated(f"{run}", tmp_path / "x.json")
    assert (result["array"], result["accuracy"]) == ("golden", told(run)["test_accuracy"])
    exact = evaluated_exactly(run, tmp_path)
    assert exact != result["accuracy"], "the converters should matter, or nothing is tested"
    capsys.readouterr()
    assert "analog reads need array golden, not fast" in error_of(
        f"eval {run} --array fast", capsys
    )
    assert "of its own size" in error_of(f"eval {run} --rows 8", capsys)


def evaluated_exactly(run, tmp_path):
    """Accuracy of the same weights without converters."""
    other = tmp_path / "exact"
    shutil.copytree(run, other)
    config = json.loads((other / "config.json").read_text())
    config["nonideal"] = {}
    (other / "config.json").write_text(json.dumps(config))
    return evaluated(f"{other}", tmp_path / "exact.json")["accuracy"]


class Stand(GoldenArray):
    """In the place of the RTL."""

    seconds = 0.5

    def __init__(self, config, path):
        super().__init__(config)


class Broken(Stand):
    """Wrong in the sixth column of each read."""

    def _forward(self, u, first, count):
        sums = super()._forward(u, first, count)
        sums[-1, 5] += 9
        return sums


@pytest.fixture
def stand(monkeypatch):
    """Sets what stands for the RTL."""
    monkeypatch.setattr("sim.library.build", lambda config: None)
    return lambda kind: monkeypatch.setattr("sim.array.RtlArray", kind)


@pytest.mark.parametrize("kind", ["rtl", "both"])
def test_rtl_is_compared(digits, kind, stand, tmp_path, capsys):
    stand(Stand)
    result = evaluated(f"{digits} --array {kind} --first 3 --count 40", tmp_path / "x.json")
    name = {"rtl": "scores_compared", "both": "values_compared"}[kind]
    least = {"rtl": 40 * 10, "both": 40 * (3 * 16 + 10)}[kind]
    assert least <= result[name] < 2 * least + 2000
    assert result["differences"] == 0
    # Three reads of 16 columns and one of 10, in parts of 16 samples, each with its overhead.
    assert result["rtl_cycles"] == 40 * (3 * 16 + 10) + 3 * 4 * 19
    assert result["rtl_cycles_per_sample"] == round(result["rtl_cycles"] / 40)
    shown = capsys.readouterr().out
    assert f"{result[name]:,}" in shown


@pytest.mark.parametrize(
    ("kind", "what"),
    [
        ("rtl", "score differs at sample 18, class "),
        ("both", "column sum differs at samples 3 to 18, layer layer1, sample 15, column 5: "),
    ],
)
def test_a_difference_is_told(digits, kind, what, stand, capsys):
    stand(Broken)
    status = spintrit(f"eval {digits} --array {kind} --first 3 --count 40")
    assert status == 1
    told = capsys.readouterr().err
    assert told.startswith(f"spintrit: RTL and golden model differ: {what}")


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ("--part all", "argument --part: invalid choice: 'all'"),
        ("--weights first", "argument --weights: invalid choice: 'first'"),
        ("--array board", "argument --array: invalid choice: 'board'"),
        ("--first 300", "first must be in 0 to 299, not 300"),
        ("--first -1", "first must be in 0 to 299, not -1"),
        ("--count 0", "count must be at least 1, not 0"),
        ("--first 10 --count 291", "count must be in 0 to 290, not 291"),
        ("--rows 0", "rows must be in 1 to 4096, not 0"),
        ("--array golden --backend torch", "backend torch needs array fast, not golden"),
    ],
)
def test_bad_arguments_give_one_line(digits, options, message, capsys):
    assert message in error_of(f"eval {digits} {options}", capsys)


def test_no_file_of_the_run_is_overwritten(digits, capsys):
    before = (digits / "summary.json").read_bytes()
    assert "name another file" in error_of(f"eval {digits} --json {digits}/summary.json", capsys)
    assert (digits / "summary.json").read_bytes() == before


def test_what_is_no_finished_run(digits, tmp_path, capsys):
    assert error_of(f"eval {tmp_path / 'none'}", capsys, alone=True) == (
        f"spintrit: error: {tmp_path / 'none'} is not the folder of a run: "
        "there is no such folder\n"
    )
    told = error_of(f"eval {tmp_path}", capsys, alone=True)
    assert told.endswith("is not the folder of a run: it holds no config.json\n")
    shutil.copy(digits / "config.json", tmp_path)
    for weights, name in FILES.items():
        told = error_of(f"eval {tmp_path} --weights {weights}", capsys, alone=True)
        assert told.endswith(f"{tmp_path} holds no {name}: its run is not finished\n")


def test_missing_data_are_named(images, tmp_path, capsys):
    told = error_of(f"eval {images[0]} --data {tmp_path}", capsys)
    assert f"no mnist in {tmp_path}" in told


def test_other_data_are_refused(images, tmp_path, capsys):
    for stem, array in zip(STEMS, [*some(5_010, 8, 7), *some(10, 8, 7)], strict=True):
        (tmp_path / stem).write_bytes(idx_bytes(array))
    told = error_of(f"eval {images[0]} --data {tmp_path}", capsys)
    assert "has inputs of shape (8, 7, 1) and 10 classes, the run in" in told


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda config: config.pop("data"), r"config.json is damaged: 'data' is missing"),
        (lambda config: config["data"].update(input_bits=1), "damaged: input_bits must be in 2"),
        (lambda config: config["train_config"].update(epochs=0), "damaged: epochs must be at"),
        (lambda config: config["train_config"].update(x=0), "damaged: "),
        (lambda config: config["array_config"].update(rows="5"), "damaged: rows must be an int"),
        (lambda config: config["train_config"].update(network="8FC"), "does not fit config.json"),
        (
            lambda config: config["train_config"].update(network="16FC-9FC"),
            "it has no layer3.cells",
        ),
        (
            lambda config: config["data"].update(shape=[63]),
            "has inputs of shape (64,) and 10 classes, the run",
        ),
    ],
)
def test_damaged_config_gives_one_line(digits, change, message, tmp_path, capsys):
    run = tmp_path / "run"
    shutil.copytree(digits, run)
    config = json.loads((run / "config.json").read_text())
    change(config)
    (run / "config.json").write_text(json.dumps(config))
    assert message in error_of(f"eval {run}", capsys)


@pytest.mark.parametrize("keep", [0, 50, -50])
def test_damaged_weights_give_one_line(digits, keep, tmp_path, capsys):
    run = tmp_path / "run"
    shutil.copytree(digits, run)
    path = run / "best.npz"
    path.write_bytes(path.read_bytes()[:keep])
    assert f"{path} is damaged: " in error_of(f"eval {run}", capsys)


def test_nothing_in_the_run_changes(digits, tmp_path):
    before = {path: path.read_bytes() for path in digits.iterdir()}
    evaluated(f"{digits} --array golden", tmp_path / "x.json")
    assert {path: path.read_bytes() for path in digits.iterdir()} == before


def test_scores_do_not_depend_on_the_array(images):
    run, data = images
    trained = load(run)
    split = replace(trained.source, root=data).load()
    scores = []
    for config in (trained.array, trained.resized(3, 5)):
        for bank in (WholeBank, ArrayBank):
            make = (GoldenArray,) if bank is ArrayBank else ()
            arrays = bank(*make, config, tanh_table(config), 0)
            scores.append(trained.network(arrays).forward(split.x_test))
    assert all(np.array_equal(other, scores[0]) for other in scores[1:])

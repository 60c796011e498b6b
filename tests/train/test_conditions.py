"""``spintrit eval`` under other conditions than those of training."""

import csv
import json
import math

import numpy as np
import pytest
from commands import error_of, spintrit

from golden.array.golden import GoldenArray
from golden.device import curve, junction
from golden.device.nonideal import NonIdealities
from golden.matrix.tiled import ArrayBank
from golden.matrix.whole_bank import WholeBank
from golden.pulse.design import CoderConfig
from golden.targets import Golden, Whole
from golden.train.conditions import Conditions
from spintrit.runs.conditions import conditions
from spintrit.runs.evaluate import Evaluation, evaluate
from spintrit.runs.trained import load
from spintrit.targets import host_target

LINE = "train --epochs 2 --network 16FC --rows 24 --cols 16"
SPREAD = "--resistance-spread 0.3 --adc-bits 4 --adc-range 12 --adc-noise 1"


@pytest.fixture(scope="module")
def runs(tmp_path_factory):
    """Folders of runs: a plain one, one with analog reads, one with stuck cells, one on chip."""
    folder = tmp_path_factory.mktemp("runs")
    for name, more in {
        "plain": "",
        "analog": SPREAD,
        "stuck": "--stuck-p 0.1",
        "old": "--retention-s 1e-3",
        "ideal": "--device ideal",
        "chip": "--on-chip",
    }.items():
        assert spintrit(f"{LINE} {more} --out {folder / name}") == 0
    return folder


def evaluated(line, path):
    assert spintrit(f"eval {line} --json {path}") == 0
    return json.loads(path.read_text())


def told(run):
    return json.loads((run / "summary.json").read_text())


def as_in_training(trained, settings, kind, seed):
    """Scores of the run's weights under conditions as training makes them."""
    shape = curve.load(junction.load("default"))
    around = Conditions(trained.resized(None, None), shape, settings, CoderConfig(), seed=seed)
    make = (GoldenArray,) if kind == "golden" else ()
    bank = (ArrayBank if kind == "golden" else WholeBank)(
        *make, around.config, around.table, seed, around.equip
    )
    network = trained.network(bank)
    around.store(bank)
    split = trained.source.load()
    size = 1024
    parts = [network.forward(split.x_test[at : at + size]) for at in range(0, 300, size)]
    return np.concatenate(parts)


@pytest.mark.parametrize(
    ("kind", "changes"),
    [
        ("golden", {"adc_bits": 4, "adc_range": 12.0}),
        ("golden", {"adc_noise": 2.0, "wire_ohm": 3.0, "temperature_k": 330.0}),
        ("golden", {"resistance_spread": 0.2, "adc_bits": 5, "adc_range": 20.0}),
        ("golden", {"retention_s": 3e-3}),
        ("fast", {"retention_s": 3e-3, "retention_k": 320.0}),
        ("golden", {"stuck_p": 0.1, "stuck_ap": 0.05}),
        ("fast", {"stuck_p": 0.1, "stuck_ap": 0.05, "retention_s": 3e-3}),
        ("golden", {"retention_s": 1e-2, "stability_spread": 0.1, "adc_bits": 6}),
    ],
)
def test_conditions_are_those_of_training(runs, kind, changes):
    trained = load(runs / "plain")
    found = Evaluation(trained, host_target(kind)).classify(conditions(trained, changes), 7)
    expected = as_in_training(trained, NonIdealities(**changes), kind, 7)
    np.testing.assert_array_equal(found.scores, expected)


def test_conditions_change_the_scores(runs):
    """Or the test above compares nothing with nothing."""
    trained = load(runs / "plain")
    evaluation = Evaluation(trained)
    exact = evaluation.classify(conditions(trained), 7).scores
    for changes in ({"adc_bits": 3}, {"wire_ohm": 9.0}, {"retention_s": 1e-2}, {"stuck_ap": 0.2}):
        other = evaluation.classify(conditions(trained, changes), 7).scores
        assert (other != exact).any(axis=0).all(), changes


@pytest.mark.parametrize("name", ["plain", "analog", "stuck", "old", "ideal", "chip"])
def test_the_run_s_own_conditions_give_its_accuracy(runs, name, tmp_path):
    result = evaluated(runs / name, tmp_path / "x.json")
    if name != "analog":  # whose noise has gone on during training
        assert result["accuracy"] == told(runs / name)["test_accuracy"]
    assert "conditions" not in result


def test_a_run_s_unequal_cells_stay_its_own(runs):
    """Its resistances, in every draw of the noise; another spread gets new draws."""
    trained = load(runs / "analog")
    own = conditions(trained, {"adc_noise": 0.0})
    evaluation = Evaluation(trained)
    assert not evaluation.random(own)
    scores = [evaluation.classify(own, seed).scores for seed in (0, 5)]
    np.testing.assert_array_equal(*scores)
    other = conditions(trained, {"adc_noise": 0.0, "resistance_spread": 0.2})
    assert evaluation.random(other)
    scores = [evaluation.classify(other, seed).scores for seed in (0, 5)]
    assert not np.array_equal(*scores)


def test_stuck_cells_of_the_run_do_not_age(runs):
    """For so long that every other cell is as likely P as AP."""
    trained = load(runs / "stuck")
    under = conditions(trained, {"retention_s": 1e6})
    evaluation = Evaluation(trained)
    assert evaluation.target_for(under) == Golden()
    around = under.build(Golden(), evaluation.array, 3)
    bank = ArrayBank(GoldenArray, around.config, around.table, 3, around.equip)
    network = trained.network(bank)
    before = network.read()
    around.store(bank)
    moved = [(bits != before[name]).mean() for name, bits in network.read().items()]
    own = Conditions(
        trained.resized(None, None), None, NonIdealities(stuck_p=0.1), CoderConfig(),
        table=around.table, seed=0,
    )  # fmt: skip
    other = ArrayBank(GoldenArray, own.config, own.table, 3, own.equip)
    scratch = trained.network(other)
    ends = []
    for bit in (0, 1):
        for layer in scratch.synapse_layers:
            layer.matrix.program(np.full(before[layer.name].shape, bit))
        ends.append(scratch.read())
    for name, bits in network.read().items():
        frozen = ends[0][name] == ends[1][name]
        assert 0.05 < frozen.mean() < 0.15
        assert bits[frozen].all()
    assert np.mean(moved) == pytest.approx(0.45, abs=0.03)
    with pytest.raises(
        ValueError, match="stuck cells beside others that age need arrays of its own size"
    ):
        Evaluation(trained, Whole()).classify(under, 0)


def test_a_device_may_be_named_for_reads_and_ageing(runs, tmp_path):
    """A run on ideal switching reads like one whose cells are the same."""
    trained = load(runs / "ideal")
    evaluation = Evaluation(trained)
    changes = {"wire_ohm": 5.0, "temperature_k": 320.0}
    found = evaluation.classify(conditions(trained, changes, "default"), 7).scores
    expected = as_in_training(trained, NonIdealities(**changes), "golden", 7)
    np.testing.assert_array_equal(found, expected)
    # Of all cells that the default device forgets in a second the other keeps its own.
    line = f"{runs / 'plain'} --retention-s 1"
    assert (
        evaluated(f"{line} --device retention", tmp_path / "x.json")["accuracy"]
        == (told(runs / "plain")["test_accuracy"])
    )
    result = evaluated(f"{line} --device default", tmp_path / "x.json")
    assert result["conditions"] == {"retention_s": 1.0, "device": "default"}
    assert result["accuracy"] < 0.3
    line = f"{runs / 'ideal'} --sweep adc-bits 0 4 --device default --temperature-k 330"
    assert len(evaluated(line, tmp_path / "x.json")["points"]) == 2


def test_reads_disturb_as_in_training(runs, monkeypatch, tmp_path):
    monkeypatch.setattr("golden.train.conditions._read_disturb", lambda *_: np.array([2e-5, 8e-5]))
    trained = load(runs / "plain")
    evaluation = Evaluation(trained)
    under = conditions(trained, {"reads": 40_000})
    assert evaluation.random(under)
    for kind in ("golden", "fast"):
        around = under.build(host_target(kind), evaluation.array, 3)
        bank = (ArrayBank if kind == "golden" else WholeBank)(
            *[GoldenArray] * (kind == "golden"), around.config, around.table, 3, around.equip
        )
        network = trained.network(bank)
        before = network.read()
        under.age(around, bank)
        # Pairs of reads, one driving each way, one after the other: AP to P, then P to AP.
        up, down = around._disturb
        step = np.array([[1 - up, up], [0, 1]]) @ np.array([[1, 0], [down, 1 - down]])
        left = np.linalg.matrix_power(step, 20_000)
        assert 0.05 < left[0, 1] < left[1, 0] < 0.95
        for name, bits in network.read().items():
            for state in (0, 1):
                own = before[name] == state
                expected = left[state, 1 - state]
                error = 5 * math.sqrt(expected * (1 - expected) / own.sum()) + 1e-3
                assert abs((bits != before[name])[own].mean() - expected) < error
    result = evaluated(f"{runs / 'plain'} --sweep reads 0 1e8 --repeats 2", tmp_path / "x.json")
    assert result["points"][0]["accuracy"] == told(runs / "plain")["test_accuracy"]
    assert result["points"][1]["accuracy_max"] < 0.3


def test_time_that_has_passed_counts(runs, capsys):
    trained = load(runs / "old")
    assert conditions(trained, {"retention_s": 5e-3}).settings.retention_s == pytest.approx(4e-3)
    assert conditions(trained, {"retention_s": 1e-3}).plain
    assert "retention_s = 0.0001 is less than the 0.001 that have passed" in error_of(
        f"eval {runs / 'old'} --retention-s 1e-4", capsys
    )


def test_repeats_tell_mean_deviation_and_range(runs, tmp_path, capsys):
    line = f"{runs / 'plain'} --adc-bits 4 --adc-range 12 --adc-noise 4 --seed 11"
    result = evaluated(f"{line} --repeats 4", tmp_path / "x.json")
    shown = " ".join(capsys.readouterr().out.split())
    assert result["seeds"] == [11, 12, 13, 14]
    ones = [
        evaluated(line.replace("11", str(seed)), tmp_path / "one.json") for seed in result["seeds"]
    ]
    assert [one["accuracy"] for one in ones] == result["accuracies"]
    assert ones[0]["accuracy_sd"] is None
    assert "one draw (seed 11)" in capsys.readouterr().out
    values = np.array(result["accuracies"])
    assert len(set(result["accuracies"])) > 1
    assert result["accuracy"] == pytest.approx(values.sum() / 4)
    assert result["accuracy_sd"] == pytest.approx(
        math.sqrt(((values - values.mean()) ** 2).sum() / 3)
    )
    assert (result["accuracy_min"], result["accuracy_max"]) == (values.min(), values.max())
    assert "accuracy, mean of 4 draws" in shown
    assert f"{values.min():.2%} to {values.max():.2%}" in shown
    assert np.sum(result["confusion"]) == 4 * 300


@pytest.mark.parametrize("options", ["--only none", "--noise"])
def test_a_sweep_gives_a_point_a_value(runs, options, tmp_path, capsys):
    noise = "--adc-noise 3 --repeats 3" if options == "--noise" else ""
    picture = tmp_path / "deep" / "sweep.svg"
    line = f"{runs / 'plain'} --sweep adc-bits 6 3 4 {noise} --picture {picture}"
    result = evaluated(line, tmp_path / "x.json")
    shown = capsys.readouterr().out
    assert (result["sweep"], [point["value"] for point in result["points"]]) == (
        "adc_bits", [6, 3, 4],
    )  # fmt: skip
    for point in result["points"]:
        alone = f"{runs / 'plain'} --adc-bits {point['value']} {noise}"
        assert evaluated(alone, tmp_path / "y.json")["accuracy"] == point["accuracy"]
        assert f"{point['accuracy']:.2%}" in shown
        assert ("accuracy_sd" in point) == bool(noise)
    assert ("nothing random" in shown) != bool(noise)
    drawn = picture.read_text()
    assert drawn.lstrip().startswith("<?xml")


def test_a_sweep_may_hold_points_without_anything_random(runs, tmp_path):
    line = f"{runs / 'plain'} --sweep retention-s 0 1e-3 --repeats 2"
    points = evaluated(line, tmp_path / "x.json")["points"]
    assert points[0]["accuracy"] == told(runs / "plain")["test_accuracy"]
    assert "repeats" not in points[0]
    assert points[1]["repeats"] == 2


def test_predictions_and_confusion(runs, tmp_path, capsys):
    path = tmp_path / "deep" / "predictions.csv"
    line = f"{runs / 'plain'} --first 20 --count 50 --confusion --predictions {path}"
    result = evaluated(line, tmp_path / "x.json")
    rows = list(csv.DictReader(path.read_text().splitlines()))
    assert [int(row["index"]) for row in rows] == list(range(20, 70))
    trained = load(runs / "plain")
    split = trained.source.load()
    scores = as_in_training(trained, NonIdealities(), "fast", 0)[20:70]
    matrix = np.zeros((10, 10), int)
    for row, label, expected in zip(rows, split.y_test[20:70], scores, strict=True):
        assert int(row["label"]) == label
        assert int(row["predicted"]) == expected.argmax()
        assert [np.float32(row[f"score {name}"]) for name in range(10)] == expected.tolist()
        matrix[label, int(row["predicted"])] += 1
    assert result["confusion"] == matrix.tolist()
    assert np.trace(matrix) == result["right"]
    assert result["classes"] == [str(name) for name in range(10)]
    assert "class (rows) and predicted class (columns)" in capsys.readouterr().out


def test_predictions_of_draws_name_their_seed(runs, tmp_path):
    path = tmp_path / "predictions.csv"
    line = f"{runs / 'plain'} --count 5 --stuck-p 0.3 --repeats 2 --seed 4 --predictions {path}"
    evaluated(line, tmp_path / "x.json")
    rows = list(csv.DictReader(path.read_text().splitlines()))
    assert [int(row["seed"]) for row in rows] == [4] * 5 + [5] * 5


def test_a_chip_s_network_ages_and_gets_stuck(runs, tmp_path):
    own = evaluated(runs / "chip", tmp_path / "x.json")["accuracy"]
    old = evaluated(f"{runs / 'chip'} --retention-s 1e3 --repeats 3", tmp_path / "x.json")
    stuck = evaluated(f"{runs / 'chip'} --stuck-p 0.5 --repeats 3", tmp_path / "x.json")
    assert old["accuracy_max"] < 0.3 < own
    assert stuck["accuracy_max"] < own
    path = tmp_path / "predictions.csv"
    assert spintrit(f"eval {runs / 'chip'} --count 3 --predictions {path}") == 0
    assert path.read_text().startswith("index,label,predicted\n0,")


@pytest.mark.parametrize(
    ("run", "options", "message"),
    [
        ("plain", "--temperature-k 350", "temperature_k = 350 changes nothing without converters"),
        ("plain", "--resistance-spread 0.1", "changes nothing without converters, their noise"),
        ("plain", "--sweep temperature-k 0 350", "temperature_k = 350 changes nothing without"),
        ("plain", "--device retention", "device = 'retention' changes nothing without converters"),
        ("plain", "--adc-bits 4 --device nothing", "device must be one of default, "),
        ("plain", "--reads -1", "reads must be finite and in 0 to 1e+18, not -1"),
        ("plain", "--stability-spread 0.1", "changes nothing without retention_s"),
        ("plain", "--adc-bits 40", "adc_bits must be in 0 to"),
        ("plain", "--adc-range 4", "adc_range = 4 has no effect without adc_bits"),
        ("plain", "--adc-bits 4 --array fast", "analog reads need array golden, not fast"),
        ("plain", "--stuck-p 0.1 --array both", "need golden or fast, not both"),
        ("plain", "--repeats 3", "repeats = 3 needs conditions with something random in them"),
        ("plain", "--repeats 0 --stuck-p 0.1", "repeats must be at least 1, not 0"),
        ("plain", "--sweep adc-bits 3 4 --repeats 2", "repeats = 2 needs conditions with"),
        ("plain", "--sweep adc-bits", "sweep over adc_bits needs values"),
        ("plain", "--sweep adc-bits 3 x", "sweep over adc_bits: invalid literal"),
        ("plain", "--sweep adc-bits 3 3", "the values of adc_bits hold one twice"),
        ("plain", "--sweep rows 3", "sweep must be one of adc_bits, "),
        ("plain", "--sweep adc-bits 3 --adc-bits 3", "cannot be combined with a sweep"),
        ("plain", "--picture x.png", "picture needs a sweep"),
        ("plain", "--sweep adc-bits 3 --confusion", "confusion is not for a sweep"),
        ("plain", "--sweep adc-bits 3 --picture x.gif", "suffix of x.gif must be one of"),
        ("analog", "--adc-bits 0 --adc-range 3", "adc_range = 3 has no effect without adc_bits"),
        ("ideal", "--adc-bits 4", "table.json holds no device, which adc_bits needs: name one"),
        ("chip", "--adc-bits 4", "analog reads are not for a network that was trained on chip"),
    ],
)  # fmt: skip
def test_what_cannot_be_had_is_told(runs, run, options, message, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    assert message in error_of(f"eval {runs / run} {options}", capsys)
    assert not list(tmp_path.iterdir())


def test_nothing_in_the_run_changes(runs, tmp_path):
    before = {path: path.read_bytes() for path in (runs / "plain").iterdir()}
    evaluated(f"{runs / 'plain'} --sweep stuck-p 0 0.1 --repeats 2", tmp_path / "x.json")
    assert {path: path.read_bytes() for path in (runs / "plain").iterdir()} == before


def test_evaluate_takes_the_run_s_conditions(runs):
    trained = load(runs / "plain")
    result = evaluate(Evaluation(trained))
    assert result["accuracy"] == told(runs / "plain")["test_accuracy"]

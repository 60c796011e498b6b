"""Training: reproducible, and ignorant of what array it drives."""

import itertools
import json
from dataclasses import replace

import numpy as np
import pytest
from training import ARRAY, CONFIG, SPLIT, Stop, build, files, stop_at, trainer

from golden.array import frames
from golden.array.activity import COUNTERS
from golden.array.frames import Op
from golden.array.golden import GoldenArray
from golden.array.lockstep import LockstepArray, Mismatch
from golden.backend import NUMPY
from golden.codes import cell_weights
from golden.config import ArrayConfig
from golden.data import Split, load
from golden.train.config import TrainConfig
from golden.train.log import Log
from golden.train.trainer import BEST, CHECKPOINT, METRICS, WEIGHTS, Trainer, chosen_epoch


def test_the_same_seed_gives_the_same_files(unbroken, tmp_path):
    result = trainer(tmp_path / "new" / "folder").run()
    assert (files(tmp_path / "new" / "folder"), result) == unbroken
    assert set(unbroken[0]) == {CHECKPOINT, METRICS, WEIGHTS, BEST}


def test_another_seed_gives_another_run(unbroken):
    result = trainer(config=replace(CONFIG, seed=4)).run()
    assert result.metrics[0]["loss"] != unbroken[1].metrics[0]["loss"]


def test_metrics_hold_one_line_an_epoch(unbroken):
    content, result = unbroken
    lines = [json.loads(line) for line in content[METRICS].decode().splitlines()]
    assert lines == result.metrics
    assert [line["epoch"] for line in lines] == [1, 2, 3, 4, 5]
    assert lines[0]["learning_rate"] == CONFIG.learning_rate
    assert lines[-1]["learning_rate"] == pytest.approx(CONFIG.final_learning_rate)
    for line in lines:
        assert 0 <= line["train_accuracy"] <= 1
        assert sum(line["populations"]["layer1"].values()) == 12 * 6
        assert sum(line["populations"]["layer2"].values()) == 6 * 3
    assert result.cells_switched == sum(line["cells_switched"] for line in lines) > 0
    assert result.val_accuracy == lines[-1]["val_accuracy"]


def test_cycles_follow_the_latency_formulas(unbroken):
    # 12 x 6 on arrays of 8 x 4: rows 0-7 in columns 4 + 2, rows 8-11 in 2 + 4; 6 x 3 in 3.
    layer1, layer2 = [4, 2, 2, 4], [3]

    def cost(op, widths, batch=1):
        return sum(frames.cycles(op, ARRAY, width, batch) for width in widths)

    both = layer1 + layer2
    epoch = cost(Op.FORWARD, both, 20)
    for batch in (16, 16, 16, 16, 6):
        epoch += cost(Op.FORWARD, both, batch) + cost(Op.BACKWARD, layer2, batch)
        epoch += cost(Op.UPDATE, both)
    # Before and after the training part the counters of every array are read.
    arrays = -(-sum(both) // ARRAY.cols)
    epoch += 2 * arrays * frames.cycles(Op.COUNTERS, ARRAY)
    assert [line["cycles"] for line in unbroken[1].metrics] == [epoch] * 5
    assert unbroken[1].cycles == 5 * epoch + cost(Op.FORWARD, both, 30)


def test_weights_alone_give_the_test_accuracy(unbroken, tmp_path):
    path = tmp_path / WEIGHTS
    path.write_bytes(unbroken[0][WEIGHTS])
    w = np.load(path)
    x = SPLIT.x_test.astype(float)
    for layer in ("layer1", "layer2"):
        np.testing.assert_array_equal(w[f"{layer}.weights"], cell_weights(w[f"{layer}.cells"]))
        s = x @ w[f"{layer}.weights"].T
        x = (s - w[f"{layer}.mean"]) / np.sqrt(w[f"{layer}.variance"] + 1e-4)
        scores = x = x * w[f"{layer}.gamma"] + w[f"{layer}.beta"]
        x = (x > CONFIG.threshold).astype(float) - (x < -CONFIG.threshold)
    assert np.mean(scores.argmax(axis=1) == SPLIT.y_test) == unbroken[1].test_accuracy


def test_test_data_are_read_once_at_the_end():
    run = trainer()
    seen = []
    predict = run.network.predict
    run.network.predict = lambda x: (seen.append(x), predict(x))[1]
    run.run()
    assert [x is run.split.x_test for x in seen] == [False] * 5 + [True]
    assert all(x is run.split.x_val for x in seen[:-1])


def test_callbacks_tell_the_progress():
    batches, epochs = [], []
    run = trainer(on_batch=lambda *now: batches.append(now), on_epoch=epochs.append)
    result = run.run()
    assert batches == list(itertools.product(range(1, 6), range(1, 6), [5]))
    assert epochs == result.metrics


def test_lock_step_of_equals_is_a_golden_run(unbroken, tmp_path):
    run = trainer(tmp_path, make=lambda c: LockstepArray(GoldenArray(c), GoldenArray(c)))
    assert (run.run(), files(tmp_path)) == unbroken[::-1]
    assert len(run.bank.arrays) == 4
    assert all(array.compared > 1000 for array in run.bank.arrays)


def with_broken(number, broken):
    """A maker of lock-step arrays of which the one of this number has a broken side."""
    count = itertools.count()
    return lambda c: LockstepArray(
        GoldenArray(c), (broken if next(count) == number else GoldenArray)(c)
    )


class StuckCell(GoldenArray):
    """A cell of row 2, column 3 that reads as P and computes as it should."""

    def _read(self, first, count):
        bits = super()._read(first, count)
        bits[3 - first :, 2, 0][:1] = True
        return bits


class WrongSign(GoldenArray):
    """A product of row 1, column 0 with the wrong sign."""

    def _forward(self, u, first, count):
        s = super()._forward(u, first, count)
        if first == 0:
            s[:, 0] -= 2 * (u[:, 1] * self._weights[0, 1]).astype(np.int32)
        return s


class DriftingGenerator(GoldenArray):
    """A generator whose state shows wrong."""

    def _generators(self):
        states = super()._generators()
        states[5, 1] ^= np.uint64(1)
        return states


def test_a_stuck_cell_is_placed_in_its_layer():
    # Array 1 holds columns 4-5 of rows 0-7, then columns 0-1 of rows 8-11.
    with pytest.raises(Mismatch) as caught:
        trainer(make=with_broken(1, StuckCell)).run()
    assert caught.value.where == {"layer": "layer1", "column": 1, "row": 10, "cell": 0}
    assert (caught.value.expected, caught.value.got) == (0, 1)


def test_a_wrong_sign_is_placed_in_its_layer():
    with pytest.raises(Mismatch, match=r"^column sum differs at layer layer2, ") as caught:
        trainer(make=with_broken(3, WrongSign)).run()
    assert caught.value.where["column"] == 0


def test_a_wrong_generator_is_found_at_the_epochs_end():
    run = trainer(make=with_broken(2, DriftingGenerator))
    with pytest.raises(Mismatch, match=r"^generator state differs at array 2, row 5, cell 1: "):
        run.run()
    assert run.epoch == 0


@pytest.mark.parametrize(
    "change",
    [
        {"rule": "blind"},
        {"optimiser": "momentum"},
        {"optimiser": "gradient"},
        {"activation": "binary"},
        {"network": ""},
        {"network": "8FC-5FC"},
        {"batch": 1000},
    ],
    ids=str,
)
@pytest.mark.parametrize("synapse", ["ternary", "binary"])
def test_every_setting_learns(change, synapse):
    config = replace(CONFIG, **{"epochs": 40, "network": "16FC", **change})
    result = trainer(config=config, array=replace(ARRAY, synapse=synapse)).run()
    assert result.metrics[-1]["loss"] < result.metrics[0]["loss"]
    assert result.val_accuracy > 0.6


def test_digits_are_learnt():
    config = TrainConfig(network="32FC", epochs=20)
    assert build(config, ArrayConfig(), load("digits")).run().val_accuracy > 0.9


@pytest.mark.parametrize(
    ("change", "error", "message"),
    [
        ({"network": 5}, TypeError, "network must be a text such as '32C5-MP2-512FC', not 5"),
        ({"network": "64"}, ValueError, "network '64': '64' is none of 32C5, 32C3p1, MP2, 512FC"),
        ({"network": "4FC-"}, ValueError, "network '4FC-': '' is none of .*"),
        ({"epochs": 0}, ValueError, "epochs must be at least 1, not 0"),
        ({"epochs": True}, TypeError, "epochs must be an integer, not True"),
        ({"batch": 2.0}, TypeError, "batch must be an integer, not 2.0"),
        ({"seed": -1}, ValueError, "seed must be at least 0, not -1"),
        ({"learning_rate": 0}, ValueError, "learning_rate must be finite and in .*, not 0.0"),
        ({"learning_rate": float("nan")}, ValueError, "learning_rate must be finite .*, not nan"),
        ({"final_learning_rate": "1"}, TypeError, "final_learning_rate must be a number, not '1'"),
        ({"density": 1.5}, ValueError, "density must be finite and in 0 to 1, not 1.5"),
        ({"threshold": -1.0}, ValueError, "threshold must be finite and in .*, not -1.0"),
        ({"window": 0.0}, ValueError, "window must be finite and in .*, not 0.0"),
        (
            {"optimiser": "sgd"},
            ValueError,
            "optimiser must be one of adam, momentum, gradient, not 'sgd'",
        ),
        ({"rule": "both"}, ValueError, "rule must be one of exact, blind, not 'both'"),
        ({"activation": None}, ValueError, "activation must be one of ternary, binary, not None"),
        ({"dead_zone": 3}, ValueError, "dead_zone = 3 needs optimiser gradient, not adam"),
    ],
    ids=str,
)
def test_bad_settings_are_named(change, error, message):
    with pytest.raises(error, match=f"^{message}$"):
        TrainConfig(**change)


def test_settings_are_normalised():
    config = TrainConfig(network="2x8FC", epochs=np.int32(3), learning_rate=1)
    assert (config.network, config.epochs, config.learning_rate) == ("8FC-8FC", 3, 1.0)
    assert type(config.epochs) is int
    hash(config)


def test_arguments_of_another_type_are_named():
    with pytest.raises(TypeError, match=r"^config must be a TrainConfig, not \{\}$"):
        Trainer({}, SPLIT)
    with pytest.raises(TypeError, match=r"^split must be a Split, not 'digits'$"):
        Trainer(CONFIG, "digits")


# --- the epoch that is kept ---


@pytest.mark.parametrize(
    ("accuracies", "chosen"),
    [([0.5], 1), ([0.5, 0.5], 2), ([0.9, 0.5], 1), ([0.1, 0.9, 0.9, 0.5], 3), ([0.0] * 4, 4)],
)
def test_the_best_epoch_is_chosen_the_last_of_equals(accuracies, chosen):
    metrics = [{"epoch": i, "val_accuracy": v} for i, v in enumerate(accuracies, start=1)]
    assert chosen_epoch(metrics) == chosen


def unsteady(backend, folder):
    """A run whose last epoch is not its best, all weights by epoch, and its result."""
    for seed in range(30):
        config = replace(CONFIG, network="2FC", seed=seed, epochs=6, learning_rate=0.4,
                         final_learning_rate=0.4)  # fmt: skip
        kept = []
        run = trainer(folder / str(seed), config, backend=backend)
        run.log = Log(epoch=lambda _, run=run, kept=kept: kept.append(run.network.weights()))
        result = run.run()
        if result.chosen_epoch < 6 and result.test_accuracy != result.last_test_accuracy:
            return run, kept, result
    raise AssertionError("no such run")


def accuracy(config, weights):
    network = trainer(config=config).network
    network.set_weights(weights)
    return float(np.mean(network.predict(SPLIT.x_test) == SPLIT.y_test))


@pytest.mark.parametrize("backend", [None, NUMPY], ids=["arrays", "numpy"])
def test_both_epochs_weights_are_kept_and_tested(backend, tmp_path):
    run, kept, result = unsteady(backend, tmp_path)
    lines = [line["val_accuracy"] for line in result.metrics]
    assert result.val_accuracy == max(lines) == lines[result.chosen_epoch - 1]
    assert max(lines[result.chosen_epoch :]) < max(lines)
    for name, epoch, told in (
        (BEST, result.chosen_epoch, result.test_accuracy),
        (WEIGHTS, 6, result.last_test_accuracy),
    ):
        with np.load(run.out / name) as file:
            weights = dict(file)
        assert weights.keys() == kept[epoch - 1].keys()
        for what, array in weights.items():
            np.testing.assert_array_equal(array, kept[epoch - 1][what])
        assert accuracy(run.config, weights) == told
    again = trainer(run.out, run.config, backend=backend)
    assert again.resume() == 6
    before = files(run.out)
    assert again.run() == result
    assert files(run.out) == before


def test_a_run_that_is_best_at_its_end_keeps_one_set_of_weights(unbroken):
    content, result = unbroken
    assert result.chosen_epoch == 5
    assert result.test_accuracy == result.last_test_accuracy
    assert content[BEST] == content[WEIGHTS]


# --- whole matrices ---


def test_whole_matrices_learn_and_estimate_activity():
    run = trainer(backend=NUMPY, config=replace(CONFIG, epochs=15))
    result = run.run()
    assert result.val_accuracy > 0.8
    line = result.metrics[0]
    assert set(line["activity"]) == set(COUNTERS)
    # One batch of 16 in five is counted, and taken for all: 15 columns forward, two layers of
    # 12 and 6 inputs; backward the second's 8 rows.
    assert line["activity"]["forward_conversions"] == 5 * 16 * 15
    assert line["activity"]["backward_conversions"] == 5 * 16 * 8
    assert line["activity"]["columns_updated"] == 5 * 15
    assert line["activity"]["pulses_p_switched"] > 0
    assert sum(line["populations"]["layer1"].values()) == 12 * 6


def test_whole_matrices_take_the_cycles_of_arrays(unbroken):
    result = trainer(backend=NUMPY).run()
    telling = 2 * 4 * frames.cycles(Op.COUNTERS, ARRAY)  # arrays' counters, before and after
    for whole, line in zip(result.metrics, unbroken[1].metrics, strict=True):
        assert whole["cycles"] == line["cycles"] - telling


def test_without_counters_there_is_no_activity():
    line = trainer(array=replace(ARRAY, counters=False), backend=NUMPY).run().metrics[0]
    assert line["activity"] == {}


def images(augment, bits=2):
    """Three patterns of 6 x 6 pixels."""
    rng = np.random.default_rng(1)
    limit = 2 ** (bits - 1) - 1
    patterns = rng.integers(-limit, limit + 1, (3, 6, 6, 1))
    arrays = {}
    for part, n in {"train": 60, "val": 12, "test": 12}.items():
        y = rng.integers(0, 3, n)
        arrays |= {f"x_{part}": patterns[y], f"y_{part}": y}
    return Split("patterns", 3, **arrays, input_bits=bits, augment=augment)


@pytest.mark.parametrize("backend", [None, NUMPY], ids=["arrays", "numpy"])
@pytest.mark.parametrize("bits", [2, 8])
def test_images_train_a_convolution(backend, bits):
    config = replace(CONFIG, network="4C3-MP2-6FC", epochs=8)
    run = build(config, ArrayConfig(rows=16, cols=8), images("none", bits), backend=backend)
    assert run.run().val_accuracy > 0.6


@pytest.mark.parametrize("backend", [None, NUMPY], ids=["arrays", "numpy"])
def test_an_augmented_run_moves_its_training_images_alone(backend, tmp_path):
    config = replace(CONFIG, network="4C3-MP2-6FC", epochs=2)

    def run(split, out=None, **options):
        array = ArrayConfig(rows=16, cols=8)
        return build(config, array, split, out=out, backend=backend, **options)

    first = run(images("crop-flip"))
    seen, forward = [], first.network.forward
    first.network.forward = lambda x, train=False: (
        seen.append((x, train)), forward(x, train=train))[1]  # fmt: skip
    result = first.run()
    known = {x.tobytes() for x in first.split.x_train}
    assert all(image.tobytes() in known for x, train in seen if not train for image in x)
    moved = [image.tobytes() not in known for x, train in seen if train for image in x]
    assert np.mean(moved) > 0.8
    assert result.metrics != run(images("none")).run().metrics
    with pytest.raises(Stop):
        run(images("crop-flip"), tmp_path, on_batch=stop_at(2, 2)).run()
    resumed = run(images("crop-flip"), tmp_path)
    assert resumed.resume() == 1
    assert resumed.run() == result


def test_a_run_does_not_resume_on_another_kind_of_matrix(tmp_path):
    trainer(tmp_path, backend=NUMPY, config=replace(CONFIG, epochs=1)).run()
    with pytest.raises(ValueError, match=r"was made with matrices = 'numpy', not 'arrays'$"):
        trainer(tmp_path, config=replace(CONFIG, epochs=1)).resume()

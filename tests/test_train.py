"""Training: reproducible, resumable, ignorant of what array it drives."""

import itertools
import json
import subprocess
import sys
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from golden import checkpoint, protocol, trit
from golden.array import GoldenArray
from golden.config import ArrayConfig
from golden.data import Split, load
from golden.lockstep import LockstepArray, Mismatch
from golden.protocol import Op
from golden.ptable import tanh_table
from golden.train import CHECKPOINT, METRICS, WEIGHTS, TrainConfig, Trainer

ARRAY = ArrayConfig(rows=8, cols=4)
CONFIG = TrainConfig(hidden=(6,), epochs=5, batch=16, density=0.3, seed=3)


def prototypes():
    """Three noisy patterns of 12 trits, 70 / 20 / 30 samples."""
    rng = np.random.default_rng(1)
    patterns = rng.integers(-1, 2, (3, 12))
    arrays = {}
    for part, n in {"train": 70, "val": 20, "test": 30}.items():
        y = rng.integers(0, 3, n)
        noise = rng.random((n, 12)) < 0.15
        arrays |= {f"x_{part}": np.where(noise, 0, patterns[y]), f"y_{part}": y}
    return Split("prototypes", 3, **arrays)


SPLIT = prototypes()


def trainer(out=None, config=CONFIG, array=ARRAY, **options):
    return Trainer(config, array, SPLIT, out=out, **options)


def files(folder):
    return {path.name: path.read_bytes() for path in folder.iterdir()}


@pytest.fixture(scope="module")
def unbroken(tmp_path_factory):
    """The files and the result of an unbroken run."""
    out = tmp_path_factory.mktemp("unbroken")
    result = trainer(out).run()
    return files(out), result


def test_the_same_seed_gives_the_same_files(unbroken, tmp_path):
    result = trainer(tmp_path / "new" / "folder").run()
    assert (files(tmp_path / "new" / "folder"), result) == unbroken
    assert set(unbroken[0]) == {CHECKPOINT, METRICS, WEIGHTS}


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
        return sum(protocol.cycles(op, ARRAY, width, batch) for width in widths)

    both = layer1 + layer2
    epoch = cost(Op.FORWARD, both, 20)
    for batch in (16, 16, 16, 16, 6):
        epoch += cost(Op.FORWARD, both, batch) + cost(Op.BACKWARD, layer2, batch)
        epoch += cost(Op.UPDATE, both)
    assert [line["cycles"] for line in unbroken[1].metrics] == [epoch] * 5
    assert unbroken[1].cycles == 5 * epoch + cost(Op.FORWARD, both, 30)


def test_weights_alone_give_the_test_accuracy(unbroken, tmp_path):
    path = tmp_path / WEIGHTS
    path.write_bytes(unbroken[0][WEIGHTS])
    w = np.load(path)
    x = SPLIT.x_test.astype(float)
    for layer in ("layer1", "layer2"):
        np.testing.assert_array_equal(w[f"{layer}.weights"], trit.weights(w[f"{layer}.cells"]))
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


class Stop(Exception):
    pass


def stop_at(epoch, batch):
    def on_batch(*now):
        if now[:2] == (epoch, batch):
            raise Stop

    return on_batch


@given(st.lists(st.tuples(st.integers(1, 5), st.integers(1, 5)), min_size=1, max_size=3))
@settings(max_examples=12)
def test_a_run_stopped_anywhere_and_resumed_ends_alike(unbroken, tmp_path_factory, stops):
    out = tmp_path_factory.mktemp("broken")
    for epoch, batch in stops:
        run = trainer(out, on_batch=stop_at(epoch, batch))
        assert run.resume() == run.epoch <= 5
        try:
            run.run()
        except Stop:
            assert run.epoch == epoch - 1
    run = trainer(out)
    run.resume()
    assert (run.run(), files(out)) == unbroken[::-1]


CHILD = """
import sys, time
sys.path.insert(0, sys.argv[1])
from test_train import trainer
run = trainer(sys.argv[2], on_epoch=lambda line: print(line["epoch"], flush=True))
run.resume()
run.run()
"""


def test_a_killed_process_resumes_to_the_same_end(unbroken, tmp_path, request):
    rng = np.random.default_rng(5)
    done = [0]
    for _ in range(3):
        command = [sys.executable, "-c", CHILD, str(request.path.parent), str(tmp_path)]
        with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as child:
            done.append(int(child.stdout.readline() or 6))
            try:
                child.wait(timeout=float(rng.uniform(0, 0.005)))
            except subprocess.TimeoutExpired:
                child.kill()
    assert done == sorted(done)  # every process went on from where its predecessor was
    run = trainer(tmp_path)
    assert run.resume() >= 1
    assert (run.run(), {n: files(tmp_path)[n] for n in unbroken[0]}) == unbroken[::-1]


def test_resume_mends_half_a_line(unbroken, tmp_path):
    with pytest.raises(Stop):
        trainer(tmp_path, on_batch=stop_at(3, 1)).run()
    with (tmp_path / METRICS).open("a") as file:
        file.write('{"epoch": 3, "lear')
    run = trainer(tmp_path)
    assert run.resume() == 2
    run.run()
    assert files(tmp_path) == unbroken[0]


def test_resume_without_checkpoint_starts_at_the_start(unbroken, tmp_path):
    run = trainer(tmp_path)
    assert run.resume() == 0
    assert run.run() == unbroken[1]
    assert trainer().resume() == 0


def test_resume_after_the_end_only_tests_again(unbroken, tmp_path):
    trainer(tmp_path).run()
    run = trainer(tmp_path)
    assert run.resume() == 5
    assert (run.run(), files(tmp_path)) == unbroken[::-1]


def test_a_new_run_leaves_nothing_of_the_old(unbroken, tmp_path):
    trainer(tmp_path, replace(CONFIG, seed=9)).run()
    trainer(tmp_path).run()
    assert files(tmp_path) == unbroken[0]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"config": replace(CONFIG, batch=17)}, "batch = 16, not 17"),
        ({"config": replace(CONFIG, hidden=(6, 6))}, r"hidden = \[6\], not \[6, 6\]"),
        ({"config": replace(CONFIG, seed=4)}, "seed = 3, not 4"),
        ({"config": replace(CONFIG, rule="blind")}, "rule = 'exact', not 'blind'"),
        ({"array": replace(ARRAY, cols=5)}, "array cols = 4, not 5"),
        ({"table": tanh_table(ARRAY, m=2.0)}, "table = '[0-9a-f]{64}', not '[0-9a-f]{64}'"),
    ],
)
def test_resume_refuses_another_configuration(tmp_path, change, message):
    with pytest.raises(Stop):
        trainer(tmp_path, on_batch=stop_at(2, 1)).run()
    with pytest.raises(ValueError, match=rf"^\S+checkpoint\.npz was made with {message}$"):
        trainer(tmp_path, **change).resume()


def test_resume_refuses_other_data(tmp_path):
    trainer(tmp_path, replace(CONFIG, epochs=1)).run()
    other = replace(SPLIT, x_val=-SPLIT.x_val)
    run = Trainer(replace(CONFIG, epochs=1), ARRAY, other, out=tmp_path)
    with pytest.raises(ValueError, match=r"^\S+checkpoint\.npz was made with data = "):
        run.resume()


@given(st.data())
@settings(max_examples=150)
def test_a_damaged_checkpoint_is_refused_or_harmless(unbroken, tmp_path_factory, data):
    path = tmp_path_factory.getbasetemp() / "damaged.npz"
    content = bytearray(unbroken[0][CHECKPOINT])
    position = data.draw(st.integers(0, len(content) - 1))
    if data.draw(st.booleans()):
        del content[position:]
    else:
        content[position] ^= 1 << data.draw(st.integers(0, 7))
    path.write_bytes(content)
    try:
        meta, groups = checkpoint.load(path, {})
    except ValueError as error:
        assert str(error).startswith(f"{path} is not a checkpoint, or damaged: ")  # noqa: PT017
        return
    # A flipped bit in a date or a flag of the archive: what counts is unharmed.
    path.write_bytes(unbroken[0][CHECKPOINT])
    wanted_meta, wanted = checkpoint.load(path, {})
    assert meta == wanted_meta
    assert {group: set(part) for group, part in groups.items()} == {
        group: set(part) for group, part in wanted.items()
    }
    for group, name in ((g, n) for g, part in wanted.items() for n in part):
        np.testing.assert_array_equal(groups[group][name], wanted[group][name])


def test_foreign_files_are_no_checkpoints(tmp_path):
    path = tmp_path / CHECKPOINT
    pickled = np.array([{}], object)
    np.savez(tmp_path / "pickle.npz", meta=pickled)
    other = json.dumps({"format": "other"}).encode()
    contents = [
        b"",
        b"text",
        checkpoint.npz({"a": np.zeros(3)}),
        checkpoint.npz({"meta": np.frombuffer(other, np.uint8)}),
        (tmp_path / "pickle.npz").read_bytes(),
    ]
    for content in contents:
        path.write_bytes(content)
        with pytest.raises(ValueError, match=r"^\S+checkpoint\.npz is not a checkpoint, or dam"):
            trainer(tmp_path).resume()


def test_a_checkpoint_without_its_arrays_is_refused(tmp_path):
    trainer(tmp_path).run()
    path = tmp_path / CHECKPOINT
    run = trainer(tmp_path)
    meta, groups = checkpoint.load(path, {})
    document = json.loads(bytes(np.load(path)["meta"]))
    del groups["network"]["array1.cells"]
    checkpoint.save(path, document["identity"], meta, groups)
    with pytest.raises(ValueError, match=r"^\S+ does not fit its own configuration: 'array1.cells"):
        run.resume()


def test_a_folder_that_cannot_be_made_is_named(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(FileExistsError, match=r"tmp|file"):
        trainer(tmp_path / "file")
    with pytest.raises(NotADirectoryError, match=r"file/out"):
        trainer(tmp_path / "file" / "out")


def test_a_file_that_cannot_be_written_is_named_before_training(tmp_path):
    (tmp_path / f"{CHECKPOINT}.part").mkdir()
    run = trainer(tmp_path, on_batch=stop_at(1, 1))
    with pytest.raises(IsADirectoryError, match=r"checkpoint\.npz\.part"):
        run.run()


def test_lock_step_of_equals_is_a_golden_run(unbroken, tmp_path):
    run = trainer(tmp_path, make=lambda c: LockstepArray(GoldenArray(c), GoldenArray(c)))
    assert (run.run(), files(tmp_path)) == unbroken[::-1]
    assert len(run.pool.arrays) == 4
    assert all(array.compared > 1000 for array in run.pool.arrays)


def test_a_run_resumes_on_another_kind_of_array(unbroken, tmp_path):
    with pytest.raises(Stop):
        trainer(tmp_path, on_batch=stop_at(3, 2)).run()
    run = trainer(tmp_path, make=lambda c: LockstepArray(GoldenArray(c), GoldenArray(c)))
    assert run.resume() == 2
    assert (run.run(), files(tmp_path)) == unbroken[::-1]


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
    with pytest.raises(Mismatch, match=r"^generator state differs at row 5, cell 1: "):
        run.run()
    assert run.epoch == 0


@pytest.mark.parametrize(
    "change",
    [
        {"rule": "blind"},
        {"optimiser": "momentum"},
        {"activation": "binary"},
        {"hidden": ()},
        {"hidden": [8, 5]},
        {"batch": 1000},
    ],
    ids=str,
)
@pytest.mark.parametrize("synapse", ["ternary", "binary"])
def test_every_setting_learns(change, synapse):
    config = replace(CONFIG, **{"epochs": 40, "hidden": (16,), **change})
    result = trainer(config=config, array=replace(ARRAY, synapse=synapse)).run()
    assert result.metrics[-1]["loss"] < result.metrics[0]["loss"]
    assert result.val_accuracy > 0.6


def test_digits_are_learnt():
    config = TrainConfig(hidden=(32,), epochs=20)
    assert Trainer(config, ArrayConfig(), load("digits")).run().val_accuracy > 0.9


@pytest.mark.parametrize(
    ("change", "error", "message"),
    [
        ({"hidden": 5}, TypeError, "hidden must be a sequence of integers, not 5"),
        ({"hidden": "64"}, TypeError, "hidden must be a sequence of integers, not '64'"),
        ({"hidden": (4, 0)}, ValueError, r"hidden\[1\] must be at least 1, not 0"),
        ({"hidden": (4.5,)}, TypeError, r"hidden\[0\] must be an integer, not 4.5"),
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
        ({"optimiser": "sgd"}, ValueError, "optimiser must be one of adam, momentum, not 'sgd'"),
        ({"rule": "both"}, ValueError, "rule must be one of exact, blind, not 'both'"),
        ({"activation": None}, ValueError, "activation must be one of ternary, binary, not None"),
    ],
    ids=str,
)
def test_bad_settings_are_named(change, error, message):
    with pytest.raises(error, match=f"^{message}$"):
        TrainConfig(**change)


def test_settings_are_normalised():
    config = TrainConfig(hidden=[np.int64(8)], epochs=np.int32(3), learning_rate=1)
    assert (config.hidden, config.epochs, config.learning_rate) == ((8,), 3, 1.0)
    assert type(config.epochs) is int
    hash(config)


def test_arguments_of_another_type_are_named():
    with pytest.raises(TypeError, match=r"^config must be a TrainConfig, not \{\}$"):
        Trainer({}, ARRAY, SPLIT)
    with pytest.raises(TypeError, match=r"^split must be a Split, not 'digits'$"):
        Trainer(CONFIG, ARRAY, "digits")

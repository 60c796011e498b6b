"""Reads of cells: counted by closed formulas, the same on arrays of any size and whole matrices."""

import dataclasses
import json
import math

import numpy as np
import pytest
from commands import spintrit
from training import ARRAY, CONFIG, SPLIT, Stop, build, files, stop_at

from golden import data
from golden.accel.compiler import Plan, Settings, sized
from golden.accel.network import ChipNetwork
from golden.accel.twin import GoldenAccelerator
from golden.array.activity import bits_set
from golden.array.golden import GoldenArray
from golden.backend import NUMPY
from golden.codes import AP_TO_P, P_TO_AP
from golden.config import ArrayConfig
from golden.device import curve, junction, switching
from golden.device.nonideal import NonIdealities
from golden.matrix.reads import Reads
from golden.matrix.tiled import ArrayBank
from golden.matrix.whole_bank import WholeBank
from golden.network.notation import Block, parse
from golden.pulse.design import CoderConfig
from golden.train.conditions import Conditions
from golden.train.config import TrainConfig
from golden.train.trainer import BEST

CURVE = curve.load(junction.load("default"))


@pytest.fixture(autouse=True)
def _few_trials(monkeypatch):
    monkeypatch.setattr("golden.train.conditions._READ_TRIALS", 1 << 8)


def conditions_for(array=ARRAY, disturb=None, shape=CURVE, seed=CONFIG.seed, **settings):
    settings = NonIdealities(read_disturb=True, **settings)
    around = Conditions(array, shape, settings, CoderConfig(), seed=seed)
    if disturb is not None:
        around._disturb = np.array(disturb)
    return around


def banks(array, around):
    return (
        ArrayBank(GoldenArray, array, around.table, 0),
        WholeBank(array, around.table, 0),
    )


@pytest.mark.parametrize("cols", [8, 32])
@pytest.mark.parametrize("rows", [32, 64, 256])
def test_reads_of_a_cell_follow_a_closed_formula(rows, cols):
    """A cell is read when its row is driven, once a bit of the input, or its column, once a bit of
    the error; what lies beside the matrix changes nothing."""
    array = ArrayConfig(rows=rows, cols=cols)
    around = conditions_for(array)
    rng = np.random.default_rng(rows)
    u = rng.integers(-7, 8, (50, 64))
    d = rng.integers(-128, 128, (50, 10)) * rng.integers(0, 2, (50, 10))
    bits = [sum(int(n) >> k & 1 for k in range(3)) for n in np.abs(u).ravel()]
    for bank in banks(array, around):
        first, second = bank.matrix("a", 64, 12), bank.matrix("b", 12, 10)
        around.watch(bank)
        first.forward(u.astype(np.float32) if isinstance(bank, WholeBank) else u, 7)
        second.forward(np.ones((5, 12), np.float32 if isinstance(bank, WholeBank) else int))
        second.backward(d.astype(np.float32) if isinstance(bank, WholeBank) else d)
        assert first.reads.take() == sum(bits) / 64
        expected = 5 + np.count_nonzero(d) / 10 * bits_set(array)
        assert second.reads.take() == pytest.approx(expected, rel=1e-12)
        assert first.reads.take() == second.reads.take() == 0


@pytest.mark.parametrize("rows", [32, 64, 256])
def test_matrices_in_one_array_are_disturbed_each_by_its_own_reads(rows):
    """Five standard errors of the cells' own coins: one false alarm in 1.7 million comparisons."""
    array = ArrayConfig(rows=rows, cols=32)
    p = (2e-4, 5e-4)
    around = conditions_for(array, p)
    for bank in banks(array, around):
        number = np.float32 if isinstance(bank, WholeBank) else int
        sizes = {"a": (64, 20), "b": (20, 10)}
        matrices = [bank.matrix(name, *size) for name, size in sizes.items()]
        around.watch(bank)
        before = []
        for matrix, (n_in, n_out) in zip(matrices, sizes.values(), strict=True):
            cells = np.random.default_rng(n_in).integers(0, 2, (n_out, n_in, 2))
            matrix.program(cells)
            before.append(cells.astype(bool))
        around.after_batch(bank)
        assert all((m.read() == b).all() for m, b in zip(matrices, before, strict=True))
        matrices[0].forward(np.ones((1000, 64), number))
        matrices[1].forward(np.ones((4000, 20), number))
        around.after_batch(bank)
        for matrix, cells, reads in zip(matrices, before, (1000, 4000), strict=True):
            after = matrix.read()
            for state, direction in ((0, AP_TO_P), (1, P_TO_AP)):
                of = cells == bool(state)
                share = (after != cells)[of].mean()
                expected = -math.expm1(reads / 2 * math.log1p(-p[direction]))
                error = math.sqrt(expected * (1 - expected) / of.sum())
                assert abs(share - expected) < 5 * error, (rows, matrix.name, direction)


def test_reads_disturb_as_the_device_says(monkeypatch):
    monkeypatch.setattr("golden.train.conditions._READ_TRIALS", 1 << 14)
    weak = dataclasses.replace(junction.load("default"), v_read_v=0.13, name="weak")
    around = conditions_for(
        ArrayConfig(rows=64, cols=8), shape=dataclasses.replace(CURVE, device=weak)
    )
    p = around._disturb
    assert p[P_TO_AP] > 1e-4
    assert p[AP_TO_P] >= float(
        switching.probability(switching.drive(weak, AP_TO_P, 0.13), weak.t_read_s)
    )


def reads_of_an_epoch(monkeypatch, array, backend):
    """Reads a cell that an epoch of a 64-32-10 network on the digits takes, by layer."""
    taken = {}
    take = Reads.take

    def kept(self):
        reads = take(self)
        taken[self._n_in] = taken.get(self._n_in, 0.0) + reads
        return reads

    monkeypatch.setattr(Reads, "take", kept)
    config = TrainConfig(network="32FC", epochs=1, batch=100, seed=1)
    split = data.load("digits")
    around = conditions_for(array, (1e-9, 1e-9), seed=config.seed)
    build(config, array, split, conditions=around, backend=backend).run()
    monkeypatch.setattr(Reads, "take", take)
    return taken, split


def test_an_epoch_reads_as_often_on_arrays_of_any_size_and_whole_matrices(monkeypatch):
    """The first layer's reads are those of the data, to the last one; the second's depend on the
    course of training."""
    second = []
    for rows in (32, 64, 256):
        for backend in (None, NUMPY):
            array = ArrayConfig(rows=rows, cols=32)
            taken, split = reads_of_an_epoch(monkeypatch, array, backend)
            inputs = np.concatenate([split.x_train, split.x_val])
            bits = np.bitwise_count(np.abs(inputs).astype(np.uint8)).sum()
            assert taken[64] == pytest.approx(bits / 64, rel=1e-12)
            second.append(taken[32])
    assert max(second) < 1.05 * min(second)
    # Golden arrays of another size draw other numbers for the cells; the whole matrix does not.
    assert second[1] == second[3] == second[5]


def test_the_accelerator_reads_each_layer_as_often_as_its_arrays_tell():
    """Without padding a tile's counters hold all: cells read are drives times cells a line."""
    shape, batch = (4, 4, 4), 6
    blocks = [Block(4, kernel=3, padding=1, pool=2), Block(4)]
    array = ArrayConfig(rows=4, cols=4)
    settings = Settings()
    config = sized(blocks, shape, array, 1, batch)
    table = conditions_for(array).table
    chip = ChipNetwork(GoldenAccelerator(config), Plan(blocks, shape, config, batch, settings),
                       table, 3)  # fmt: skip
    around = conditions_for(config.array, (1e-9, 1e-9))
    around.watch(chip.bank)
    chip.initialise(np.random.default_rng(0), 0.5)
    tile = chip.bank.arrays[0]
    rng = np.random.default_rng(1)
    u = rng.integers(-1, 2, (batch, *shape))
    before = tile.activity()
    chip.train_step(u, rng.integers(0, 4, batch), 0.01)
    chip.predict(u)
    done = {name: count - before[name] for name, count in tile.activity().items()}
    reads = [matrix.reads.take() for matrix in chip.bank.matrices]
    cells = [matrix.n_in * matrix.n_out * 2 for matrix in chip.bank.matrices]
    forward = done["forward_cells_p"] + done["forward_cells_ap"]
    backward = done["backward_cells_p"] + done["backward_cells_ap"]
    assert min(forward, backward) > 0
    total = sum(r * n for r, n in zip(reads, cells, strict=True))
    assert total == pytest.approx(forward + bits_set(array) * backward, rel=1e-9)
    patches = NUMPY.unfold(u, 3, 1)
    assert reads[0] == pytest.approx(2 * np.count_nonzero(patches) / 36, rel=1e-12)


def test_the_accelerator_ages_each_layer_alone():
    blocks = [*parse("6FC"), Block(3)]
    config = sized(blocks, (12,), ARRAY, 2, 16)
    around = conditions_for(config.array, (0.9, 0.9))
    plan = Plan(blocks, (12,), config, 16, Settings())
    chip = ChipNetwork(GoldenAccelerator(config), plan, around.table, 3)
    around.watch(chip.bank)
    before = [matrix.read() for matrix in chip.bank.matrices]
    chip.bank.matrices[1].reads.add(rows=1e6)
    around.after_batch(chip.bank)
    after = [matrix.read() for matrix in chip.bank.matrices]
    assert (after[0] == before[0]).all()
    assert (after[1] != before[1]).all()


def trainer(out, disturb=(2e-4, 2e-4), **options):
    around = conditions_for(disturb=disturb)
    return build(CONFIG, ARRAY, SPLIT, out=out, conditions=around, **options)


@pytest.mark.parametrize("backend", [None, NUMPY])
def test_a_killed_run_under_read_disturb_ends_the_same(tmp_path, backend):
    unbroken = trainer(tmp_path / "a", backend=backend).run()
    for stop in ((2, 3), (4, 1)):
        run = trainer(tmp_path / "b", backend=backend, on_batch=stop_at(*stop))
        run.resume()
        with pytest.raises(Stop):
            run.run()
    resumed = trainer(tmp_path / "b", backend=backend)
    assert resumed.resume() == 3
    assert resumed.run() == unbroken
    assert files(tmp_path / "a") == files(tmp_path / "b")


@pytest.mark.parametrize("backend", [None, NUMPY])
def test_the_best_weights_are_those_that_validation_measured(tmp_path, backend):
    run = trainer(tmp_path, (3e-3, 3e-3), backend=backend)
    result = run.run()
    with np.load(tmp_path / BEST) as kept:
        run.network.set_weights({name: kept[name] for name in kept.files})
    assert run._accuracy(SPLIT.x_val, SPLIT.y_val) == result.val_accuracy
    assert run._accuracy(SPLIT.x_test, SPLIT.y_test) == result.test_accuracy


def counted(age, lost):
    return lambda thresholds: lost.append(age(thresholds))


def test_arrays_and_whole_matrices_lose_as_many_cells_and_learn_alike(monkeypatch):
    """Means over eight seeds each; 4.5 standard errors of their difference, estimated from the
    runs themselves: under the normal law one false alarm in 150,000, by Student's in 1,000."""
    flips, accuracies = {}, {}
    for kind in (ArrayBank, WholeBank):
        flips[kind], accuracies[kind] = [], []
        for seed in range(8):
            around = conditions_for(disturb=(6e-4, 6e-4), seed=seed)
            config = dataclasses.replace(CONFIG, seed=seed)
            run = build(
                config, ArrayConfig(rows=64, cols=16), SPLIT, conditions=around,
                backend=NUMPY if kind is WholeBank else None,
            )  # fmt: skip
            lost: list[int] = []
            for matrix in run.bank.matrices:
                monkeypatch.setattr(matrix, "age", counted(matrix.age, lost))
            accuracies[kind].append(run.run().last_test_accuracy)
            flips[kind].append(sum(lost))
    for values in (flips, accuracies):
        first, second = values.values()
        error = math.sqrt((np.var(first, ddof=1) + np.var(second, ddof=1)) / 8)
        assert abs(np.mean(first) - np.mean(second)) < 4.5 * error
    assert min(flips[ArrayBank]) > 20


@pytest.mark.parametrize("kind", ["golden", "fast"])
def test_eval_on_validation_tells_the_run_s_validation_accuracy(tmp_path, kind):
    line = f"train --array {kind} --network 8FC --epochs 2 --read-disturb --seed 1"
    assert spintrit(f"{line} --out {tmp_path / 'run'}") == 0
    told = json.loads((tmp_path / "run/summary.json").read_text())
    for part, name in (("val", "val_accuracy"), ("test", "test_accuracy")):
        found = tmp_path / f"{part}.json"
        assert spintrit(f"eval {tmp_path / 'run'} --part {part} --json {found}") == 0
        assert json.loads(found.read_text())["accuracy"] == told[name]

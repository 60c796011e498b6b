"""Weights that no training leaves are refused by eval, export and train, by file and array."""

import json
import shutil

import numpy as np
import pytest
from commands import error_of, spintrit

from golden.files import npz

RUNS = {
    "host": "train --epochs 1 --network 8FC --rows 24 --cols 16",
    "chip": "train --on-chip --epochs 1 --network 8FC --rows 16",
}


@pytest.fixture(scope="module")
def runs(tmp_path_factory):
    """Folders of a run on arrays and of one on chip."""
    folder = tmp_path_factory.mktemp("runs")
    for name, line in RUNS.items():
        assert spintrit(f"{line} --out {folder / name}") == 0
    return folder


def put(name, index, value, kind=None):
    """A change of one entry, in another type if ``kind`` names one."""

    def change(arrays):
        if kind:
            arrays[name] = arrays[name].astype(kind)
        arrays[name][index] = value

    return change


def become(name, make):
    def change(arrays):
        arrays[name] = make(arrays[name])

    return change


HOST = [
    (put("layer1.gamma", 3, np.nan), "layer1.gamma[3] must be finite, not nan"),
    (put("layer2.beta", 0, -np.inf), "layer2.beta[0] must be finite, not -inf"),
    (put("layer1.mean", 7, 1e300, float), "layer1.mean[7] must be finite, not inf"),
    (put("layer2.variance", 2, -0.5), "layer2.variance[2] must be at least 0, not -0.5"),
    (put("layer1.variance", 0, np.inf), "layer1.variance[0] must be finite, not inf"),
    (become("layer1.gamma", lambda a: a[:-1]), "layer1.gamma must have shape (8,), not (7,)"),
    (become("layer1.gamma", lambda a: a[:, None]), "layer1.gamma must have 1 dimensions"),
    (
        become("layer2.mean", lambda a: a.astype(complex)),
        "layer2.mean must hold floating-point numbers, not complex128",
    ),
    (
        become("layer2.mean", lambda a: a.astype(np.int64)),
        "layer2.mean must hold floating-point numbers, not int64",
    ),
    (
        become("layer2.gamma", lambda a: a.astype(str)),
        "layer2.gamma must hold floating-point numbers, not <U",
    ),
    (put("layer1.cells", (4, 5, 1), 2, np.uint8), "layer1.cells[4, 5, 1] must be in 0 to 1, not 2"),
    (put("layer1.cells", (0, 0, 0), -1, np.int8), "layer1.cells[0, 0, 0] must be in 0 to 1"),
    (become("layer1.cells", lambda a: a.astype(float)), "layer1.cells must hold integers"),
    (become("layer1.cells", lambda a: a[..., :1]), "layer1.cells must have shape (8, 64, 2)"),
    (become("layer1.weights", lambda a: a[1:]), "layer1.weights must have shape (8, 64)"),
    (put("layer2.weights", (1, 1), 2), "layer2.weights[1, 1] must be in -1 to 1, not 2"),
    (become("layer1.weights", lambda a: -1 - 0 * a), "differs from its cells' weight"),
    (lambda arrays: arrays.pop("layer1.beta"), "it has no 'layer1.beta'"),
    (
        lambda arrays: arrays.update({"layer3.gamma": np.ones(2)}),
        "layer3.gamma belongs to no layer of the network",
    ),
]
CHIP = [
    (put("layer1.thresholds", (2, 0), 1 << 40), "layer1.thresholds[2, 0] must be in -"),
    (put("layer1.thresholds", (2, 2), -1), "layer1.thresholds[:, 2][2] must be in 0 to 1, not -1"),
    (
        become("layer2.thresholds", lambda a: a.astype(float)),
        "layer2.thresholds must hold integers",
    ),
    (become("layer2.thresholds", lambda a: a[:, :3]), "layer2.thresholds must have shape (10, 4)"),
]


def damaged(runs, name, change, out):
    """A copy of a run with other weights."""
    shutil.copytree(runs / name, out)
    with np.load(out / "best.npz") as file:
        arrays = {key: file[key].copy() for key in file.files}
    change(arrays)
    (out / "best.npz").write_bytes(npz(arrays))
    return out / "best.npz"


@pytest.mark.parametrize(("change", "message"), HOST)
def test_damaged_weights_are_refused(runs, change, message, tmp_path, capsys):
    path = damaged(runs, "host", change, tmp_path / "run")
    for line in ("eval {}", "eval {} --array golden", "export {} -o {}/out"):
        told = error_of(line.format(path.parent, tmp_path), capsys)
        assert f"{path} does not fit config.json: " in told
        assert message in told
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(("change", "message"), CHIP)
def test_damaged_weights_of_a_chip_are_refused(runs, change, message, tmp_path, capsys):
    path = damaged(runs, "chip", change, tmp_path / "run")
    told = error_of(f"eval {path.parent}", capsys)
    assert f"{path} does not fit config.json: {message}" in told


def test_scores_without_bounds_are_refused(runs, tmp_path, capsys):
    path = damaged(runs, "host", put("layer2.gamma", slice(None), 3e38), tmp_path / "run")
    assert "best.npz does not fit config.json: scores[" in error_of(f"eval {path.parent}", capsys)


def test_unsigned_bytes_are_cells_too(runs, tmp_path):
    path = damaged(
        runs, "host", become("layer1.cells", lambda a: a.astype(np.uint8)), tmp_path / "run"
    )
    assert spintrit(f"eval {path.parent} --json {tmp_path / 'x.json'}") == 0
    told = json.loads((tmp_path / "x.json").read_text())
    summary = json.loads((path.parent / "summary.json").read_text())
    assert told["accuracy"] == summary["test_accuracy"]

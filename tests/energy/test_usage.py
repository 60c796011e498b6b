"""Rows of an array that hold no weights count as no operations and as no zero inputs."""

import json
from pathlib import Path

import numpy as np
import pytest
from commands import spintrit
from PIL import Image

from golden.config import ArrayConfig
from golden.energy import usage
from golden.network.notation import Block, parse


def test_share_of_the_rows_that_hold_weights_by_hand():
    blocks = [*parse("4C3-MP2-5FC"), Block(3)]
    # 9 inputs 36 times a plane, 36 inputs, 5 inputs.
    config = ArrayConfig(rows=16, cols=8, columns_per_cycle=2)
    found = usage.used(blocks, (8, 8, 1), config, planes=3)
    reads = 3 * 36 * 4, 6, 4
    assert found["forward"] == pytest.approx(
        np.dot(reads, (9, 36, 5)) / np.dot(reads, (16, 48, 16)), rel=1e-12
    )
    assert found["update"] == (4 * 9 + 5 * 36 + 3 * 5) / (4 * 16 + 5 * 48 + 3 * 16)
    # On chip each pixel takes 16 rows; 2 tiles have as many columns each.
    found = usage.used(blocks, (8, 8, 1), ArrayConfig(rows=16, cols=8), tiles=2)
    reads = 36 * 4, 6, 4
    assert found["forward"] == np.dot(reads, (9, 36, 5)) / np.dot(reads, (144, 144, 16))
    assert found["update"] == np.dot((4, 6, 4), (9, 36, 5)) / np.dot((4, 6, 4), (144, 144, 16))


@pytest.fixture
def images(tmp_path):
    rng = np.random.default_rng(0)
    for part, count in (("train", 20), ("val", 5), ("test", 5)):
        for label in "ab":
            folder = tmp_path / "images" / part / label
            folder.mkdir(parents=True)
            for i in range(count):
                pixels = rng.integers(0, 256, (8, 8), np.uint8)
                Image.fromarray(pixels).save(folder / f"{i}.png")
    return tmp_path


def _forget_classes(run: Path) -> None:
    """Leave the summary of a run as earlier versions wrote it."""
    summary = json.loads((run / "summary.json").read_text())
    del summary["data"]["classes"], summary["data"]["digests"]
    (run / "summary.json").write_text(json.dumps(summary))


@pytest.mark.parametrize(
    "options",
    [
        "--array fast --network 16FC",
        "--array fast --network 16FC --columns-per-cycle 8 --synapse binary",
        "--array fast --network 4C3-MP2-8FC --dataset images --data images --input-bits 4",
        "--on-chip --network 4C3-MP2-8FC --dataset images --data images --input-bits 2",
    ],
)
def test_shares_and_forward_efficiency_do_not_depend_on_rows(options, images, monkeypatch):
    monkeypatch.chdir(images)
    found = []
    for rows in (32, 128):
        train = f"train {options} --epochs 1 --batch 20 --rows {rows} --cols 512 --out run{rows}"
        assert spintrit(train) == 0
        if rows == 128:
            _forget_classes(Path(f"run{rows}"))
        assert spintrit(f"energy run{rows} --json energy.json") == 0
        told = json.loads((images / "energy.json").read_text())
        shares, forward = told["shares"], told["efficiency"]["forward"]["array"]
        curves = [curve["array"][0] for curve in told["sparsity"]["curves"]]
        found.append([*shares.values(), *forward.values(), *curves])
    assert found[0] == pytest.approx(found[1], rel=1e-9)
    assert 0 < shares["zero_inputs"] < 0.8  # about half of the trits of images

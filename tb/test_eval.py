"""``spintrit eval`` in RTL: the golden model's scores to the last bit, and exported cells in
generated Verilog."""

import json
import struct
from dataclasses import asdict

import numpy as np
import pytest
from pages import followed

from golden import files
from golden.array import frames
from golden.array.golden import GoldenArray
from golden.config import ArrayConfig
from golden.device.nonideal import NonIdealities
from golden.matrix.whole_bank import WholeBank
from golden.network import notation
from golden.network.network import Network
from golden.pulse.table import tanh_table
from golden.train.config import TrainConfig
from sim import library
from sim.array import RtlArray
from spintrit.cli import main as cli
from spintrit.runs.memory import words
from synth.generate import array_verilog

SMALL = ArrayConfig(rows=16, cols=16)


def evaluated(run, path, options):
    """The figures of ``spintrit eval``."""
    line = [str(part) for part in ("eval", run, "--json", path, *options.split())]
    assert cli.main(line) == 0
    return json.loads(path.read_text())


def images(folder, side):
    """MNIST files of random images."""
    rng = np.random.default_rng(2)
    folder.mkdir()
    for stem, count in (("train", 5_010), ("t10k", 10)):
        x = rng.integers(0, 256, (count, side, side), np.uint8)
        head = struct.pack(">HBBIII", 0, 8, 3, *x.shape)
        (folder / f"{stem}-images-idx3-ubyte").write_bytes(head + x.tobytes())
        head = struct.pack(">HBBI", 0, 8, 1, count)
        (folder / f"{stem}-labels-idx1-ubyte").write_bytes(
            head + bytes(i % 10 for i in range(count))
        )
    return folder


def run_of(folder, network, array, shape, bits=2):
    """A run's folder with random weights, and batch norms that use all of the activation."""
    rng = np.random.default_rng(1)
    config = TrainConfig(network=network)
    bank = WholeBank(array, tanh_table(array), 0)
    made = Network(bank, shape, notation.parse(config.network), 10, limit=2 ** (bits - 1) - 1)
    made.initialise(rng, 0.6)
    arrays = made.weights()
    for layer in made.synapse_layers:
        variance = rng.uniform(0.1, 1, layer.matrix.n_out) * layer.matrix.n_in * layer.limit**2
        arrays[f"{layer.name}.variance"] = variance.astype(np.float32)
        arrays[f"{layer.name}.beta"] = rng.normal(0, 0.5, len(variance)).astype(np.float32)
    folder.mkdir()
    (folder / "best.npz").write_bytes(files.npz(arrays))
    content = {
        "data": {"name": "mnist", "input_bits": bits, "shape": shape},
        "train_config": asdict(config),
        "array_config": asdict(array),
        "nonideal": asdict(NonIdealities()),
    }
    (folder / "config.json").write_text(json.dumps(content))
    return folder


@pytest.mark.parametrize("kind", ["rtl", "both"])
def test_a_trained_dense_network(kind, tmp_path):
    line = f"train --epochs 3 --network 32FC --rows 16 --cols 16 --out {tmp_path / 'run'}"
    assert cli.main(line.split()) == 0
    result = evaluated(tmp_path / "run", tmp_path / "x.json", f"--array {kind}")
    summary = json.loads((tmp_path / "run" / "summary.json").read_text())
    assert result["accuracy"] == summary["test_accuracy"] > 0.3
    assert result["differences"] == 0
    # 64 x 32 in four parts of rows, 32 x 10 in two; 19 reads of each tile.
    assert result["rtl_cycles"] == 300 * (4 * 32 + 2 * 10) + 19 * frames.OVERHEAD * (4 * 2 + 3)
    if kind == "rtl":
        assert result["scores_compared"] == 300 * 10


@pytest.mark.parametrize(("kind", "bits"), [("rtl", 2), ("both", 2), ("rtl", 4)])
def test_a_small_convolutional_network(kind, bits, tmp_path):
    data = images(tmp_path / "data", 9)
    run = run_of(tmp_path / "run", "5C3-MP2-7C2p1-12FC", SMALL, (9, 9, 1), bits)
    options = f"--array {kind} --data {data} --first 4 --count 3"
    result = evaluated(run, tmp_path / "x.json", options)
    assert (result["samples"], result["differences"]) == (3, 0)
    scores = evaluated(run, tmp_path / "y.json", options.replace(kind, "golden"))
    assert result["right"] == scores["right"]


@pytest.mark.full
def test_an_image_through_mnist_cnn(tmp_path):
    data = images(tmp_path / "data", 28)
    array = ArrayConfig()
    run = run_of(tmp_path / "run", notation.load("mnist-cnn")[0], array, (28, 28, 1))
    result = evaluated(run, tmp_path / "x.json", f"--array rtl --data {data} --count 1")
    assert (result["arrays"], result["scores_compared"], result["differences"]) == (143, 10, 0)
    steps = 576 * 32 + 64 * 13 * 64 + 16 * 512 + 8 * 10
    tiles = 1 + 13 * 2 + 16 * 9 + 9  # of 64 columns from the 33rd of an array on: two or nine
    assert result["rtl_cycles"] == steps + frames.OVERHEAD * tiles


@pytest.mark.parametrize(
    "config",
    [
        ArrayConfig(rows=3, cols=7),
        ArrayConfig(rows=5, cols=12, synapse="binary", columns_per_cycle=4, counters=False),
    ],
    ids=["ternary", "binary"],
)
def test_verilog_comes_up_with_cells(config):
    rng = np.random.default_rng(4)
    golden = GoldenArray(config)
    golden.program(rng.integers(0, 2, golden.shape))
    text = array_verilog(config, init=words(config, golden.read()))
    array = RtlArray(config, library.build(config, text))
    np.testing.assert_array_equal(array.read(), golden.read())
    u = rng.integers(-1, 2, (3, config.rows))
    np.testing.assert_array_equal(array.forward(u), golden.forward(u))


def test_first_hour_on_the_rtl(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COLUMNS", "100")
    words = ("train --network 32FC --epochs 10 --seed 1 --out", "--array both")
    lines, shown = followed("docs/first-hour.md", lambda line: any(word in line for word in words))
    assert len([line for line in shown if "differences" in line]) == 1
    for line in shown:
        assert line in lines

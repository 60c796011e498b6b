"""A network on an accelerator: weights there and back, and training that resumes bit for bit."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from training import ARRAY, SPLIT, Stop, build, files, stop_at

from golden.accel.compiler import Plan, Settings, sized
from golden.accel.interface import Space
from golden.accel.network import ChipNetwork
from golden.accel.twin import GoldenAccelerator
from golden.array.lfsr import stream_states
from golden.codes import cell_weights
from golden.config import ArrayConfig
from golden.network import notation
from golden.network.notation import Block
from golden.pulse.table import tanh_table
from golden.targets import Golden, OnChip
from golden.train.checkpoint import load
from golden.train.config import TrainConfig
from golden.train.trainer import CHECKPOINT

IMAGES = ("5C3p1-MP2-6C2-9FC", (5, 6, 3))
DENSE = ("7FC", (10,))
CONFIG = TrainConfig(network="6FC", epochs=2, batch=16, density=0.3, seed=3, optimiser="gradient",
                     learning_rate=0.1, batch_norm="deviation")  # fmt: skip


def make(network, shape, *, tiles=1, rows=4, batch=4, synapse="ternary", seed=1):
    blocks = [*notation.parse(network), Block(4)]
    config = sized(blocks, shape, ArrayConfig(rows=rows, synapse=synapse), tiles, batch)
    plan = Plan(blocks, shape, config, batch, Settings(dead_zone=0.5))
    return ChipNetwork(GoldenAccelerator(config), plan, tanh_table(config.array), seed)


def steps(network, rng, shape, count):
    """Training on random batches; what they came to."""
    told = []
    for _ in range(count):
        u, labels = rng.integers(-1, 2, (4, *shape)), rng.integers(0, 4, 4)
        step = network.train_step(u, labels, 0.3)
        told.append((step.loss, step.classes.tolist(), step.switched))
    return told


def assert_alike(a, b):
    assert set(a) == set(b)
    for name, part in a.items():
        np.testing.assert_array_equal(part, b[name], name)


@given(st.data())
@settings(max_examples=25)
def test_cells_there_and_back(data):
    network, shape = data.draw(st.sampled_from([DENSE, IMAGES, ("11FC-3FC", (3, 2, 5))]))
    rows = data.draw(st.sampled_from([2, 4, 8, 16]))
    tiles = data.draw(st.sampled_from([t for t in (1, 2, 4, 8) if t <= rows]))
    synapse = data.draw(st.sampled_from(["ternary", "binary"]))
    chip = make(network, shape, tiles=tiles, rows=rows, synapse=synapse)
    rng, bits = np.random.default_rng(data.draw(st.integers(0, 999))), {}
    for layer in chip.synapse_layers:
        matrix = layer.matrix
        cells = rng.integers(0, 2, (matrix.n_out, matrix.n_in, matrix.config.cells))
        matrix.program(cells)
        bits[layer.name] = cells.astype(bool)
    assert_alike(chip.read(), bits)
    # Each cell once, and none besides.
    ones = sum(int(array.read().sum()) for array in chip.bank.arrays)
    assert ones == sum(int(part.sum()) for part in bits.values())


def test_where_a_weight_lies():
    """Input 1 of pixel (1, 0) to output 5, on two tiles: tile 1, group 2 of 3, tap 2, lane 1."""
    chip = make("6C2", (3, 3, 2), tiles=2)
    cells = np.zeros((6, 8, 2), int)
    cells[5, 2 * 2 + 1, 0] = 1
    chip.synapse_layers[0].matrix.program(cells)
    found = [np.argwhere(array.read()).tolist() for array in chip.bank.arrays]
    assert found == [[], [[2 * 3 + 2, 1, 0]]]


def test_sums_are_those_of_the_weights():
    """Programmed by matrix, read by the tiles: both mean the same synapse."""
    chip = make(*DENSE, tiles=2)
    chip.initialise(np.random.default_rng(1), 0.5)
    u = np.random.default_rng(2).integers(-1, 2, (4, 10))
    words = np.pad(u, ((0, 0), (0, 2))).reshape(4, 3, 4)
    sums = np.zeros((4, 4, 2), int)
    for tap in range(3):
        for number, tile in enumerate(chip.bank.arrays):
            sums[..., number] += tile.forward(words[:, tap], 4 * tap, 4)
    expected = u @ chip.weights()["layer1.weights"].T.astype(int)
    np.testing.assert_array_equal(sums.reshape(4, 8)[:, :7], expected)


@pytest.mark.parametrize(("network", "shape"), [DENSE, IMAGES], ids=["dense", "images"])
@pytest.mark.parametrize("tiles", [1, 4])
def test_weights_and_state_there_and_back(network, shape, tiles):
    chip = make(network, shape, tiles=tiles)
    rng = np.random.default_rng(3)
    chip.initialise(rng, 0.5)
    steps(chip, rng, shape, 2)
    weights, state = chip.weights(), chip.state()
    for layer in chip.synapse_layers:
        matrix = layer.matrix
        cells = weights[f"{layer.name}.cells"]
        assert cells.shape == (matrix.n_out, matrix.n_in, 2)
        np.testing.assert_array_equal(cell_weights(cells), weights[f"{layer.name}.weights"])
        assert weights[f"{layer.name}.thresholds"].shape == (matrix.n_out, 4)
        assert weights[f"{layer.name}.thresholds"].any()
    u = rng.integers(-1, 2, (9, *shape))
    told = chip.predict(u)
    assert (told.shape, told.dtype) == ((9,), np.int64)
    # Another chip, of any number of tiles, infers alike from the weights alone.
    for other_tiles in (1, 2):
        other = make(network, shape, tiles=other_tiles, seed=8)
        other.set_weights(weights)
        assert_alike(other.weights(), weights)
        np.testing.assert_array_equal(other.predict(u), told)
    # Of the same number, it goes on alike from the state.
    other = make(network, shape, tiles=tiles, seed=8)
    other.set_state(state)
    assert_alike(other.state(), state)
    after = [steps(c, np.random.default_rng(5), shape, 3) for c in (chip, other)]
    assert after[0] == after[1]
    assert any(switched for _, _, switched in after[0])
    assert_alike(other.state(), chip.state())


def test_chips_of_one_seed_train_alike_and_others_do_not():
    chips = [make(*DENSE, seed=seed) for seed in (1, 1, 2)]
    told = []
    for chip in chips:
        chip.initialise(np.random.default_rng(4), 0.5)
        told.append(steps(chip, np.random.default_rng(5), (10,), 4))
    assert told[0] == told[1] != told[2]
    assert_alike(chips[0].state(), chips[1].state())


def test_generators_are_streams_of_their_own():
    """Those of tile k as array k's of ``ArrayBank``, the coders' behind them."""
    chip = make(*DENSE, tiles=2, seed=6)
    streams = stream_states(6, 0, 2 * 8 + 2)
    states = [array.generators().ravel() for array in chip.bank.arrays]
    np.testing.assert_array_equal(np.concatenate([*states, chip.state()["coders"]]), streams)


def test_cycles_are_those_of_programs_and_of_the_hosts_commands():
    chip = make(*DENSE, tiles=2)
    commands = 2 * chip.bank.arrays[1].counters.cycles
    assert chip.bank.cycles() == commands > 0
    chip.predict(np.zeros((1, 10), int))
    assert chip.bank.cycles() > commands
    assert chip.bank.size == 2
    assert chip.bank.used(0) == chip.bank.config.cols


def test_predictions_do_not_depend_on_the_batch():
    """More samples than the plan holds, a rest, and one."""
    rng = np.random.default_rng(6)
    chip = make(*IMAGES, tiles=2)
    chip.initialise(rng, 0.5)
    steps(chip, rng, IMAGES[1], 2)
    u = rng.integers(-1, 2, (11, *IMAGES[1]))
    told = chip.predict(u)
    np.testing.assert_array_equal(
        told, np.concatenate([chip.predict(u[i : i + 1]) for i in range(11)])
    )
    assert len(set(told.tolist())) > 1


@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (lambda c: c.train_step(np.zeros((5, 10), int), [0] * 5, 0.1), ValueError,
         r"^batch must be in 1 to 4, not 5$"),
        (lambda c: c.train_step(np.zeros((4, 10), int), [0] * 3, 0.1), ValueError,
         r"^labels must have shape \(4\), not \(3,\)$"),
        (lambda c: c.train_step(np.zeros((2, 10), int), [0, 4], 0.1), ValueError,
         r"^labels\[1\] must be in 0 to 3, not 4$"),
        (lambda c: c.train_step(np.zeros((1, 9), int), [0], 0.1), ValueError,
         r"^u must have shape \(\*, 10\), not \(1, 9\)$"),
        (lambda c: c.predict(np.full((1, 10), 3)), ValueError, r"^u\[0, 0\] must be in -1 to 1"),
        (lambda c: c.synapse_layers[0].matrix.program(np.zeros((7, 9, 2), int)), ValueError,
         r"^bits must have shape \(7, 10, 2\), not \(7, 9, 2\)$"),
        (lambda c: c.set_weights({**c.weights(), "layer2.thresholds": np.zeros((3, 4), int)}),
         ValueError, r"^layer2\.thresholds must have shape \(4, 4\), not \(3, 4\)$"),
        (lambda c: c.set_weights({}), KeyError, r"layer1\.thresholds"),
        (lambda c: c.set_state({n: p for n, p in c.state().items() if n != "coders"}), KeyError,
         r"coders"),
    ],
)  # fmt: skip
def test_what_does_not_fit_is_named(call, error, message):
    with pytest.raises(error, match=message):
        call(make(*DENSE))


def test_a_plan_of_another_accelerator_is_refused():
    chip = make(*DENSE)
    config = replace(chip.bank.accelerator.config, positions=77)
    with pytest.raises(ValueError, match=r"^plan must be for AcceleratorConfig\(.*positions=77"):
        ChipNetwork(GoldenAccelerator(config), chip._plan, chip.bank.table, 1)


# --- the trainer ---


def trainer(out=None, config=CONFIG, **options):
    return build(config, ARRAY, SPLIT, out=out, target=OnChip(Golden(), 2), **options)


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    out = tmp_path_factory.mktemp("whole")
    result = trainer(out).run()
    return result, files(out)


def test_training_learns(whole):
    result, _ = whole
    losses = [line["loss"] for line in result.metrics]
    assert losses[-1] < losses[0]
    assert result.cells_switched > 0
    assert trainer(config=replace(CONFIG, epochs=8)).run().test_accuracy > 0.8


@pytest.mark.parametrize("stop", [(1, 1), (1, 4), (2, 3)])
def test_a_stopped_run_ends_alike(whole, tmp_path, stop):
    with pytest.raises(Stop):
        trainer(tmp_path, on_batch=stop_at(*stop)).run()
    run = trainer(tmp_path)
    assert run.resume() == stop[0] - 1
    assert (run.run(), files(tmp_path)) == whole


def test_a_checkpoint_holds_the_whole_state(whole, tmp_path):
    run = trainer(tmp_path)
    assert (run.run(), files(tmp_path)) == whole
    _, groups = load(tmp_path / CHECKPOINT, {})
    other = trainer().network
    other.set_state(groups["network"])
    # The best epoch's weights may be in the network now: generators and sizes are the last's.
    state = run.network.state()
    for name in ("sizes", "coders", "array0.generators", "array1.generators"):
        np.testing.assert_array_equal(other.state()[name], state[name])
    np.testing.assert_array_equal(
        other._accelerator.read(Space.STATES), run.network._accelerator.read(Space.STATES)
    )


def test_a_chips_checkpoint_is_not_an_arrays(whole, tmp_path):
    trainer(tmp_path).run()
    with pytest.raises(ValueError, match=r"^\S+npz was made with matrices = 'chip', not 'arrays'$"):
        build(CONFIG, ARRAY, SPLIT, out=tmp_path).resume()

"""The golden accelerator against a network of plain integers, number for number."""

from dataclasses import replace

import numpy as np
import pytest
from accel_model import Model, ModelLayer, table_of

from golden.accel.compiler import Plan, Settings, sized
from golden.accel.interface import Space
from golden.accel.network import ChipNetwork
from golden.accel.program import assemble
from golden.accel.twin import GoldenAccelerator
from golden.array import lfsr
from golden.config import ArrayConfig
from golden.network import notation
from golden.network.notation import Block

DENSE = ("7FC", (10,), 3)
IMAGES = ("5C3p1-MP2-6C2p1-9FC", (5, 6, 3), 4)  # an odd height: pooling leaves a row out
MEMORIES = (Space.ACTIVATIONS, Space.ERRORS, Space.WINDOWS)


class Bench:
    """An accelerator and the model of what it holds."""

    def __init__(self, network, shape, classes, *, tiles=1, batch=4, lowest=1, steps=None,
                 synapse="ternary", learning_rate=0.4, **settings):  # fmt: skip
        blocks = [*notation.parse(network), Block(classes)]
        array = ArrayConfig(rows=4, synapse=synapse, draw_bits=8, code_bits=3)
        config = sized(blocks, shape, array, tiles, batch)
        self.settings = Settings(**{"window": 0.3, "dead_zone": 0.2} | settings)
        self.plan = Plan(blocks, shape, config, batch, self.settings)
        self.chip = GoldenAccelerator(config)
        self.certain, self.learning_rate, self.shape = lowest == 1, learning_rate, shape
        self.classes, self.change = classes, steps or {}
        self.network = ChipNetwork(self.chip, self.plan, table_of(config.array, lowest), seed=3)
        self.network.initialise(np.random.default_rng(5), density=0.6)
        layers = []
        shapes = [
            (1, 1, *s) if len(s) == 1 else s for s in notation.shapes(blocks, self.plan.shape)
        ]
        for block, (height, width, channels) in zip(blocks, shapes, strict=False):
            weights = self.network.weights()[f"layer{len(layers) + 1}.weights"].astype(np.int64)
            kernel = (block.kernel, block.kernel) if block.kernel else (height, width)
            w = weights.reshape(block.n_out, *kernel, channels)
            layers.append(ModelLayer(w, block.padding, block.pool, config.array.rows))
        for layer, size in zip(layers, self.plan.states().tolist(), strict=True):
            layer.size = size
        self.model, self.inputs = Model(layers, tiles), shapes[0]
        cells = array.rows * array.cells
        self.streams = lfsr.Streams(
            lfsr.stream_states(3, tiles * cells, tiles), config.array.draw_bits
        )

    def told(self):
        """Class and score of each sample, by the model."""
        scores = self.model.outputs[-1].reshape(len(self.model.outputs[-1]), -1)
        return np.stack([scores.argmax(axis=1), scores.max(axis=1)], axis=1)

    def batch(self, rng, size):
        u = rng.integers(-1, 2, (size, *self.shape))
        return u, rng.integers(0, self.classes, size)

    def program(self, size, *, train=True):
        """Instructions, those of a kind changed as wished."""
        plan = self.plan
        steps = plan.train_program(size, self.learning_rate) if train else plan.infer_program(size)
        return [replace(step, **self.change.get(step.code, {})) for step in steps]

    def run(self, u, program):
        self.chip.write(Space.PROGRAM, assemble(program))
        self.chip.write(Space.ACTIVATIONS, self.plan.inputs(u))
        return self.chip.run(0, len(u))

    def train(self, u, labels):
        """A step on both sides; returns the results, which nothing has compared yet."""
        program, depth = self.program(len(u)), len(self.plan.layers)
        self.chip.write(Space.LABELS, labels)
        results = self.run(u, program)
        model = self.model
        model.forward(u.reshape(len(u), *self.inputs), labels, program[:depth])
        model.backward([step.error_shift for step in program[depth : 2 * depth - 1]])
        model.update(
            program[2 * depth - 1 :],
            self.streams,
            certain=self.certain,
            array=self.chip.config.array,
        )
        return results

    def infer(self, u):
        program = self.program(len(u), train=False)
        self.model.infer(u.reshape(len(u), *self.inputs), program)
        return self.run(u, program)

    def memories(self):
        """Expected memories after a step; all other words are zero, except the inputs."""
        model, rows = self.model, self.chip.config.array.rows
        expected = {space: np.zeros_like(self.chip.read(space)) for space in MEMORIES}
        used = {space: np.zeros(part.shape, bool) for space, part in expected.items()}

        def put(space, word, i, value):
            expected[space][word + i // rows, i % rows] = value
            used[space][word + i // rows, i % rows] = True

        end = self.plan.batch * self.plan.layers[0].form.in_sample
        expected[Space.ACTIVATIONS][:end] = self.chip.read(Space.ACTIVATIONS, 0, end)
        for number, layer in enumerate(self.plan.layers):
            form, last = layer.form, number == len(self.plan.layers) - 1
            for b, y, x, i in np.ndindex(model.outputs[number].shape):
                at = b, y, x, i
                error = form.errors + b * form.error_sample + y * form.error_row
                error += x * form.out_pixel
                put(Space.ERRORS, error, i, model.errors[number][at])
                if not last:
                    out = form.out_base + b * form.out_sample + y * form.out_row
                    out += x * form.out_pixel
                    put(Space.ACTIVATIONS, out, i, model.outputs[number][at])
                    flags = int(model.near[number][at]) | int(model.place[number][at]) << 1
                    put(Space.WINDOWS, error, i, flags)
        return expected, used

    def compare(self, results, size):
        model, chip, tiles = self.model, self.chip, self.chip.config.tiles
        np.testing.assert_array_equal(results, self.told())
        assert chip.counts().loss == model.loss
        expected, used = self.memories()
        for space in MEMORIES:
            # Before a short batch there was a longer one, and a binary synapse is never zero:
            # lanes of no input get errors, which lanes of no output have no flag for.
            whole = size == self.plan.batch and chip.config.array.cells == 2
            where = np.s_[:] if whole else used[space]
            found = chip.read(space)[where]
            np.testing.assert_array_equal(found, expected[space][where], space.name)
        stored, weights = chip.read(Space.THRESHOLDS), self.network.weights()
        for number, (layer, placed) in enumerate(zip(model.layers, self.plan.layers, strict=True)):
            name, first = placed.name, placed.form.thresholds
            found = [stored[first + i // tiles, i % tiles].tolist() for i in range(placed.n_out)]
            assert found == layer.thresholds, name
            flat = layer.w.reshape(placed.n_out, -1)
            np.testing.assert_array_equal(weights[f"{name}.weights"], flat, name)
            assert chip.read(Space.STATES, number, 1).item() == layer.size, name


CASES = {
    "dense": (DENSE, {}),
    "dense-2": (DENSE, {"tiles": 2}),
    "dense-4-full": (DENSE, {"tiles": 4, "lowest": 7, "learning_rate": 8.0}),
    "dense-blind": (DENSE, {"blind": True, "tiles": 2}),
    "dense-binary": (DENSE, {"synapse": "binary", "tiles": 2}),
    "images": (IMAGES, {}),
    "images-4": (IMAGES, {"tiles": 4, "learn": 0}),
    "images-2-full": (IMAGES, {"tiles": 2, "lowest": 7, "learning_rate": 8.0, "learn": 9}),
    "images-adc": (IMAGES, {"steps": {1: {"adc": 2}}, "tiles": 2}),
    "images-signs": (IMAGES, {"threshold": 0.0, "window": 0.8, "dead_zone": 0.0}),
    "images-binary": (IMAGES, {"synapse": "binary", "tiles": 2, "blind": True}),
}


@pytest.mark.parametrize("case", CASES)
def test_training_is_the_models(case):
    """Two whole batches and a short one: sums, memories, thresholds, cells, everything."""
    network, options = CASES[case]
    bench, rng = Bench(*network, **options), np.random.default_rng(7)
    before, moved = bench.network.weights(), []
    for size in (4, 4, 3):
        u, labels = bench.batch(rng, size)
        pulses, switched = bench.chip.counts().pulses, bench.chip.counts().switched
        results = bench.train(u, labels)
        bench.compare(results, size)
        after, counts = bench.network.weights(), bench.chip.counts()
        change = [
            np.abs(after[f"{p.name}.weights"].astype(int) - before[f"{p.name}.weights"]).sum()
            for p in bench.plan.layers
        ]
        assert counts.switched - switched == sum(change) // bench.chip.config.array.step
        columns = [p.form.taps * p.form.groups * bench.chip.config.tiles for p in bench.plan.layers]
        assert counts.pulses - pulses == sum(columns)
        moved.append(change)
        before = after
    assert np.array(moved).any(axis=0).all()  # every layer has learnt something
    if bench.settings.learn:
        assert all(stored[3] for stored in bench.model.layers[0].thresholds)
    u, _ = bench.batch(rng, 3)
    np.testing.assert_array_equal(bench.infer(u), bench.told())


@pytest.mark.parametrize("tiles", [1, 2])
@pytest.mark.parametrize("network", [DENSE, IMAGES], ids=["dense", "images"])
def test_turned_signs(network, tiles):
    """Turned outputs of hidden layers are negated, by stored thresholds alone."""
    bench, rng = Bench(*network, tiles=tiles), np.random.default_rng(2)
    stored = bench.chip.read(Space.THRESHOLDS)
    bounds = np.sort(rng.integers(-700, 700, stored[..., :2].shape), axis=-1)
    stored[..., :2] = bounds[..., ::-1]  # the upper one first
    stored[..., 3] = rng.integers(-(1 << 19), 1 << 19, stored.shape[:2])
    last = bench.plan.layers[-1].form.thresholds
    stored[:last, :, 2] = rng.integers(0, 2, stored[:last, :, 2].shape)
    stored[last:, :, 1] = rng.integers(1, 1 << 20, stored[last:, :, 1].shape)
    bench.chip.write(Space.THRESHOLDS, stored)
    for layer, placed in zip(bench.model.layers, bench.plan.layers, strict=True):
        first = placed.form.thresholds
        layer.thresholds = [
            stored[first + i // tiles, i % tiles].tolist() for i in range(placed.n_out)
        ]
    u, _ = bench.batch(rng, 4)
    np.testing.assert_array_equal(bench.infer(u), bench.told())
    rows = bench.chip.config.array.rows
    activations, seen = bench.chip.read(Space.ACTIVATIONS), set()
    for placed, outputs in zip(bench.plan.layers[:-1], bench.model.outputs, strict=False):
        form = placed.form
        for (b, y, x, i), value in np.ndenumerate(outputs):
            out = form.out_base + b * form.out_sample + y * form.out_row + x * form.out_pixel
            assert activations[out + i // rows, i % rows] == value
            seen.add(int(value))
    assert seen == {-1, 0, 1}
    # Inference leaves everything else as it was.
    np.testing.assert_array_equal(bench.chip.read(Space.THRESHOLDS), stored)
    assert not bench.chip.read(Space.ERRORS).any()
    assert not bench.chip.read(Space.WINDOWS).any()
    assert bench.chip.counts().loss == bench.chip.counts().pulses == 0


def test_tiles_do_not_change_what_is_computed():
    """The same weights on 1, 2 and 4 tiles: same results, activations, flags and errors."""
    found = []
    for tiles in (1, 2, 4):
        bench, rng = Bench(*IMAGES, tiles=tiles), np.random.default_rng(1)
        u, labels = bench.batch(rng, 4)
        bench.chip.write(Space.LABELS, labels)
        depth = len(bench.plan.layers)
        results = bench.run(u, bench.program(4)[: 2 * depth - 1])
        memories = [bench.chip.read(space) for space in MEMORIES]
        found.append([results, *memories, np.array([bench.chip.counts().loss])])
    for other in found[1:]:
        for a, b in zip(found[0], other, strict=True):
            np.testing.assert_array_equal(a, b)
    assert found[0][2].any()


def test_loss_is_the_squared_hinge_of_the_scores():
    bench, rng = Bench(*DENSE), np.random.default_rng(9)
    u, labels = bench.batch(rng, 4)
    step = bench.network.train_step(u, labels, 0.1)
    program = bench.program(4)
    bench.model.forward(u.reshape(4, 1, 1, -1), labels, program[: len(bench.plan.layers)])
    scores = bench.model.outputs[-1].reshape(4, -1) / 32
    target = np.where(np.arange(3) == labels[:, None], 1, -1)
    slack = np.minimum(np.maximum(0, 1 - target * scores), 1023 / 32)
    assert step.loss == pytest.approx(np.mean(slack**2), rel=1e-12)
    np.testing.assert_array_equal(step.classes, scores.argmax(axis=1))


def test_an_update_without_errors_changes_nothing_but_the_coders():
    """All sums are zero: no pulse, and the layer keeps its size."""
    bench, rng = Bench(*DENSE, learn=3), np.random.default_rng(4)
    u, _ = bench.batch(rng, 4)
    before = bench.network.state()
    update = bench.program(4)[-len(bench.plan.layers) :]
    bench.run(u, update)
    after = bench.network.state()
    for name, part in before.items():
        alike = np.array_equal(part, after[name])
        assert alike == (name not in ("coders", "array0.generators")), name
    assert bench.chip.counts().switched == 0
    assert bench.chip.counts().update_busy > 0


def test_dead_zone_beyond_all_changes():
    bench, rng = Bench(*DENSE, steps={3: {"dead": (1 << 24) - 1}}), np.random.default_rng(4)
    bench.train(*bench.batch(rng, 4))
    assert bench.chip.counts().switched == 0
    assert bench.chip.read(Space.STATES, 0, 2).tolist() == [
        layer.size for layer in bench.model.layers
    ]

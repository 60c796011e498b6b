"""The compiler's places of a network: no word is used twice or wasted; and its numbers."""

import itertools
import math
from collections import Counter
from dataclasses import replace
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from golden.accel.compiler import Plan, Settings, reciprocal, sized
from golden.accel.config import AcceleratorConfig
from golden.accel.program import WORDS, Code, assemble
from golden.accel.timing import problem
from golden.config import ArrayConfig
from golden.network import notation
from golden.network.notation import Block

MEMORIES = (
    "activation_words", "error_words", "positions", "threshold_words", "program_words",
)  # fmt: skip


def planned(network, shape, classes, *, rows=4, tiles=1, batch=3, **options):
    blocks = [*notation.parse(network), Block(classes)]
    config = sized(blocks, shape, ArrayConfig(rows=rows), tiles, batch)
    return Plan(blocks, shape, config, batch, Settings(**options))


@st.composite
def networks(draw):
    """Blocks, the shape of an input, rows, tiles, batch."""
    rows = draw(st.sampled_from([2, 4, 8]))
    outputs = st.integers(1, 2 * rows + 1)
    blocks = []
    if images := draw(st.booleans()):
        shape = tuple(draw(st.tuples(st.integers(1, 7), st.integers(1, 7), st.integers(1, 5))))
        for _ in range(draw(st.integers(0, 2))):
            kernel = draw(st.integers(1, 3))
            padding = draw(st.integers(0, kernel - 1))
            blocks.append(Block(draw(outputs), kernel, padding, draw(st.integers(1, 2))))
    else:
        shape = (draw(st.integers(1, 20)),)
    blocks += [Block(draw(outputs)) for _ in range(draw(st.integers(1, 3)))]
    try:
        notation.shapes(blocks, shape)
    except ValueError:
        assume(False)
    tiles = draw(st.sampled_from([t for t in (1, 2, 4) if t <= rows]))
    return (blocks, shape, rows, tiles, draw(st.integers(1, 4))), images


def grid(base, *axes):
    """base + the sums of all multiples: axes of (count, stride)."""
    for index in itertools.product(*(range(count) for count, _ in axes)):
        yield base + sum(i * stride for i, (_, stride) in zip(index, axes, strict=True))


def words_of(form, batch, rows, tiles):
    """Every word of each memory that belongs to a layer, padding included."""
    out_words = -(-form.columns // rows)
    side = 2 if form.pool else 1
    tap_words = form.kernel_width * form.in_pixel
    reads = set(grid(
        form.in_base, (batch, form.in_sample), (side * form.height, form.in_row),
        (side * form.width, form.in_pixel), (form.kernel_height, form.in_row), (tap_words, 1),
    ))  # fmt: skip
    outputs = (batch, form.out_sample), (form.height, form.out_row), (form.width, form.out_pixel)
    errors = (batch, form.error_sample), (form.height, form.error_row), (form.width, form.out_pixel)
    return {
        "reads": reads,
        "outputs": list(grid(form.out_base, *outputs, (out_words, 1))),
        "errors": list(grid(form.errors, *errors, (out_words, 1))),
        "cells": list(grid(
            form.cells, (form.kernel_height, form.tap_row), (tap_words, form.groups),
            (form.groups, 1),
        )),
        "thresholds": list(grid(form.thresholds, (form.groups, 1))),
    }  # fmt: skip


@given(networks())
@settings(max_examples=60)
def test_nothing_lies_on_anything_else(case):
    (blocks, shape, rows, tiles, batch), _ = case
    config = sized(blocks, shape, ArrayConfig(rows=rows), tiles, batch)
    plan = Plan(blocks, shape, config, batch, Settings())
    own = [words_of(layer.form, batch, rows, tiles) for layer in plan.layers]
    sizes = {"cells": config.array.cols, "thresholds": config.threshold_words,
             "errors": config.error_words}  # fmt: skip
    for what, words in sizes.items():
        counts = Counter(word for layer in own for word in layer[what])
        assert set(counts.values()) == {1}, what
        assert max(counts) < words, what
    # What a layer writes is of no other layer, and the next one reads it.
    regions = []
    for layer in plan.layers:
        end = layer.form.in_base + batch * layer.form.in_sample
        regions.append(set(range(layer.form.in_base, end)))
        assert layer.form.in_sample == math.prod(layer.size) * layer.form.in_pixel
    assert sum(map(len, regions)) == len(set().union(*regions))
    for number, layer in enumerate(own[:-1]):
        assert len(layer["outputs"]) == len(set(layer["outputs"]))
        assert set(layer["outputs"]) <= regions[number + 1]
    for before, layer in itertools.pairwise(plan.layers):
        last, form, pad = before.form, layer.form, layer.form.padding
        assert last.out_base == form.in_base + pad * form.in_row + pad * form.in_pixel
        assert (last.out_sample, last.out_row) == (form.in_sample, form.in_row)
    for layer, region in zip(own, regions, strict=True):
        assert layer["reads"] <= region
    for before, layer in itertools.pairwise(plan.layers):
        assert layer.form.in_errors == before.form.errors
    # All of a batch, and of a shorter one, can run; the last word of each memory is of use.
    for size in {batch, 1}:
        for step in [*plan.train_program(size, 0.1), *plan.infer_program(size)]:
            assert problem(step, size, config) == ""


@given(networks())
@settings(max_examples=30)
def test_a_word_less_is_too_little(case):
    (blocks, shape, rows, tiles, batch), _ = case
    config = sized(blocks, shape, ArrayConfig(rows=rows), tiles, batch)
    demand = Plan(blocks, shape, config, batch, Settings()).demand()
    assert set(demand) == {"cols", *MEMORIES}
    for name, (used, have) in demand.items():
        assert have == max(used, 2)
        if used <= 2:
            continue
        if name == "cols":
            small = replace(config, array=replace(config.array, cols=used - 1))
        else:
            small = replace(config, **{name: used - 1})
        message = rf"^{name} must be at least {used} for this network, not {used - 1}$"
        with pytest.raises(ValueError, match=message):
            Plan(blocks, shape, small, batch, Settings())


@given(networks(), st.integers(0, 1 << 32))
@settings(max_examples=40)
def test_inputs_lie_where_the_first_layer_reads_them(case, seed):
    (blocks, shape, rows, tiles, batch), images = case
    config = sized(blocks, shape, ArrayConfig(rows=rows), tiles, batch)
    plan = Plan(blocks, shape, config, batch, Settings())
    u = np.random.default_rng(seed).integers(-1, 2, (batch, *shape))
    words, form = plan.inputs(u), plan.layers[0].form
    assert (words.dtype, words.shape) == (np.int8, (batch * form.in_sample, rows))
    expected, pad = np.zeros_like(words), form.padding
    whole = images and blocks[0].kernel
    for (b, *place), value in np.ndenumerate(u):
        if whole:
            y, x, channel = place
        else:
            y, x, channel = 0, 0, int(np.ravel_multi_index(place, shape))
        word = b * form.in_sample + (y + pad) * form.in_row + (x + pad) * form.in_pixel
        expected[word + channel // rows, channel % rows] = value
    np.testing.assert_array_equal(words, expected)


def test_images_of_a_dense_layer_fill_whole_words():
    """27 inputs in 7 words of 4, not in 9 pixels of a word each."""
    plan = planned("5FC", (3, 3, 3), 2)
    assert (plan.shape, plan.layers[0].form.in_sample) == ((27,), 7)
    u = np.random.default_rng(1).integers(-1, 2, (3, 3, 3, 3))
    np.testing.assert_array_equal(plan.inputs(u), plan.inputs(u.reshape(3, 27)))


def test_rows_of_a_kernel():
    """2 x 2 pixels of 3 channels, a word each: tap 4 rows, then the lane."""
    layer = planned("6C2", (4, 4, 3), 2).layers[0]
    assert layer.rows(ArrayConfig(rows=4)).tolist() == [0, 1, 2, 4, 5, 6, 8, 9, 10, 12, 13, 14]
    layer = planned("3C1", (2, 2, 6), 2).layers[0]  # two words a pixel, of which the second's
    assert layer.rows(ArrayConfig(rows=4)).tolist() == [0, 1, 2, 3, 4, 5]  # end is not used


def test_outputs_go_round_the_tiles():
    plan = planned("7FC", (5,), 3, tiles=4)
    layer = plan.layers[0]
    assert [list(range(7))[plan.columns(layer, tile)] for tile in range(4)] == [
        [0, 4], [1, 5], [2, 6], [3],
    ]  # fmt: skip
    assert (layer.form.groups, layer.form.columns) == (2, 7)


def test_a_plan_by_hand():
    """3 x 3 kernels, padded, over 4 x 4 x 2, pooled to 2 x 2 x 5; then 3 classes."""
    plan = planned("5C3p1-MP2", (4, 4, 2), 3, batch=2)
    first, last = (layer.form for layer in plan.layers)
    assert (first.in_base, first.in_sample, first.in_row, first.in_pixel) == (0, 36, 6, 1)
    assert (first.out_base, first.out_sample, first.out_row, first.out_pixel) == (72, 8, 4, 2)
    assert (first.cells, first.tap_row, first.tap_pixel, first.groups) == (0, 15, 5, 5)
    assert (first.errors, first.error_sample, first.error_row) == (0, 8, 4)
    assert (last.in_base, last.in_sample, last.in_row, last.in_pixel) == (72, 8, 4, 2)
    assert (last.cells, last.tap_row, last.tap_pixel, last.groups) == (45, 12, 6, 3)
    assert (last.errors, last.in_errors, last.thresholds) == (16, 0, 5)
    assert (last.kernel_height, last.kernel_width, last.height, last.width) == (2, 2, 1, 1)
    assert (first.plain, first.pool, last.plain, last.pool) == (0, 1, 1, 0)
    assert plan.demand() == {
        "cols": (69, 69), "activation_words": (88, 88), "error_words": (18, 18),
        "positions": (8, 8), "threshold_words": (8, 8), "program_words": (9 * WORDS, 9 * WORDS),
    }  # fmt: skip


def test_programs():
    plan = planned("5C3p1-MP2-7FC", (4, 4, 2), 3, learn=5)
    program = plan.train_program(2, 0.1)
    order = [(Code(step.code).name, step.state) for step in program]
    assert order == [
        ("FORWARD", 0), ("FORWARD", 1), ("FORWARD", 2), ("BACKWARD", 2), ("BACKWARD", 1),
        ("UPDATE", 0), ("UPDATE", 1), ("UPDATE", 2),
    ]  # fmt: skip
    assert [step.train for step in program[:3]] == [1, 1, 1]
    assert [step.score for step in program[:3]] == [0, 0, 1]
    assert [step.positions for step in program] == [8, 2, 2, 2, 2, 8, 2, 2]
    assert {step.learn for step in program[5:]} == {5}
    infer = plan.infer_program(3)
    assert [(step.code, step.train, step.positions) for step in infer] == [
        (Code.FORWARD, 0, 12), (Code.FORWARD, 0, 3), (Code.FORWARD, 0, 3),
    ]  # fmt: skip
    # Both fit one behind the other.
    assert len(assemble(program)) == plan.infer_at
    assert plan.infer_at + len(assemble(infer)) == plan.config.program_words
    for step in program:
        count = step.positions * (step.places if step.code == Code.UPDATE else 1)
        if step.code != Code.BACKWARD:
            assert step.mean_factor / 2**step.mean_shift == pytest.approx(256 / count, rel=2**-15)


def test_thresholds_are_in_standard_deviations():
    """A normal number's mean absolute deviation is sqrt(2 / pi) of its standard deviation."""
    deviation = 256 * math.sqrt(math.pi / 2)
    step = planned("7FC", (5,), 3, threshold=0.5, window=0.2).train_program(2, 0.1)[0]
    found = (step.bound, step.inner, step.outer, step.binary)
    assert found == (*(round(deviation * x) for x in (0.5, 0.3, 0.7)), 0)
    step = planned("7FC", (5,), 3, threshold=0.0, window=0.8).infer_program(2)[0]
    assert (step.bound, step.inner, step.outer, step.binary) == (0, 0, round(deviation * 0.8), 1)
    step = planned("7FC", (5,), 3, window=100).train_program(2, 0.1)[0]
    assert (step.inner, step.outer) == (0, round(deviation * 100.5))


def test_scores_have_the_mean_and_deviation_of_balanced_targets():
    """Ten classes: targets of mean -0.8 and deviation 0.6, in 32nds; ``gain`` times that."""
    step = planned("7FC", (5,), 10, gain=1.5).train_program(2, 0.1)[1]
    assert step.offset == round(-0.8 * 32)
    assert step.scale == pytest.approx(1.5 * 0.6 * 32 * math.sqrt(2 / math.pi) * 2**20, rel=1e-6)
    assert planned("7FC", (5,), 1).train_program(2, 0.1)[1].offset == 32


def test_the_rate_is_by_the_mean_size_of_the_sums():
    """At a learning rate of 1, a sum of sqrt(pi / 2) times their mean size is a whole step."""
    plan = planned("7FC", (5,), 3)
    for learning_rate in (1, 0.25, 1e-12, 100):
        step = plan.train_program(2, learning_rate)[-2]
        # The state is log2 of the 35 sums' total, without the sums' own 8 bits.
        total = 35 * 1000
        ratio = 2 ** (step.rate / 256) / total  # of a sum with 8 bits, to a change of 18
        change = math.sqrt(math.pi / 2) * 1000 * 2**8 * ratio / 2**18
        assert change == pytest.approx(learning_rate, rel=0.002)


def test_the_dead_zone_is_in_changes():
    plan = planned("7FC", (5,), 3, dead_zone=1.0)
    step = plan.train_program(2, 0.1)[-2]
    plain = planned("7FC", (5,), 3).train_program(2, 0.1)[-2]
    gain = 2 ** ((step.rate - plain.rate) / 256)  # the changes that are left keep their deviation
    assert gain > 1
    assert step.dead == pytest.approx(0.1 * gain * 2**18, rel=0.002)
    assert plan.train_program(2, 1e6)[-2].dead == (1 << 24) - 1


def test_errors_are_shifted_by_half_the_logarithm_of_the_fan():
    plan = planned("48FC-3FC", (5,), 3)
    shifts = [s.error_shift for s in plan.train_program(2, 0.1) if s.code == Code.BACKWARD]
    assert shifts == [0, 0]
    plan = planned("5FC-48FC", (5,), 12)
    shifts = [s.error_shift for s in plan.train_program(2, 0.1) if s.code == Code.BACKWARD]
    assert shifts == [1, 2]  # of 12 outputs, 2^1; of 48, 2^2


@given(st.integers(1, 4 * 65535))
def test_reciprocals(n):
    factor, shift = reciprocal(n)
    assert 1 << 15 <= factor < 1 << 16
    assert 0 <= shift < 64
    assert abs(Fraction(factor, 2**shift) * n / 256 - 1) <= Fraction(1, 2**15)


def test_the_reciprocals_of_powers_of_two_are_exact():
    for power in range(18):
        factor, shift = reciprocal(1 << power)
        assert Fraction(factor, 2**shift) == Fraction(256, 1 << power)


def test_guessed_sizes():
    plan = planned("5C3p1-MP2", (4, 4, 2), 3, batch=4)
    # Positions of a batch: 16 and 4; weights 90 and 60. Ten a root of the positions each.
    for found, size in zip(plan.states().tolist(), (90 * 40, 60 * 20), strict=True):
        assert 0 <= math.log2(size) - found / 256 < 0.1


# --- what cannot be ---


@pytest.mark.parametrize(
    ("network", "shape", "options", "message"),
    [
        ("3C2-MP3-4FC", (9, 9, 2), {}, r"^network: 3C2-MP3 pools by more than 2, which the accel"),
        ("32x4FC", (5,), {}, r"^network must have 1 to 32 layers, not 33$"),
        ("4FC", (5,), {"batch": 40000}, r"^activation_words = 120000 is beyond 65535: give fewer "
                                        r"samples a batch than 40000$"),
        ("4C1", (200, 200, 1), {}, r"^activation_words = 240000 is beyond 65535: give fewer"),
        ("4FC", (5,), {"classes": 4000, "batch": 70}, r"^error_words = 70070 is beyond 65535"),
        ("9999FC-99FC", (5,), {}, r"^cols = \d{6} is beyond 65535: give more tiles, or a sm"),
        ("70000FC", (1,), {}, r"^cols = 70000 is beyond 65535: give more tiles, or a sm"),
        ("4C3", (2, 2, 1), {}, r"^network: 4C3 is too large for its input of shape \(2, 2, 1\)$"),
        ("4FC", (5,), {"batch": 0}, r"^batch must be at least 1, not 0$"),
        ("4FC", (5,), {"tiles": 0}, r"^tiles must be at least 1, not 0$"),
        ("4FC", (5,), {"tiles": 3}, r"^tiles must be a power of two that divides rows = 4, not 3$"),
    ],
)  # fmt: skip
def test_networks_that_cannot_be(network, shape, options, message):
    with pytest.raises(ValueError, match=message):
        planned(network, shape, **{"classes": 3} | options)


@pytest.mark.parametrize(
    ("setting", "message"),
    [
        ({"threshold": -0.1}, r"^threshold must be finite and in 0 to 100, not -0\.1$"),
        ({"window": math.nan}, r"^window must be finite and in 0 to 100, not nan$"),
        ({"dead_zone": 7}, r"^dead_zone must be finite and in 0 to 6, not 7\.0$"),
        ({"gain": 5}, r"^gain must be finite and in 0 to 4, not 5\.0$"),
        ({"learn": 16}, r"^learn must be in 0 to 15, not 16$"),
    ],
)
def test_settings_are_checked(setting, message):
    with pytest.raises(ValueError, match=message):
        Settings(**setting)


@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (lambda p: p.train_program(4, 0.1), ValueError, r"^batch must be in 1 to 3, not 4$"),
        (lambda p: p.infer_program(0), ValueError, r"^batch must be in 1 to 3, not 0$"),
        (lambda p: p.train_program(3, 0), ValueError, r"^learning_rate must be finite"),
        (lambda p: p.train_program(3, "1"), TypeError, r"^learning_rate must be a number"),
        (lambda p: p.inputs(np.zeros((3, 4), int)), ValueError, r"^u must have shape \(\*, 5\)"),
        (lambda p: p.inputs(np.full((3, 5), 2)), ValueError, r"^u\[0, 0\] must be in -1"),
        (lambda p: p.inputs(np.zeros((3, 5))), TypeError, r"^u must hold integers, not float64$"),
        (lambda p: p.inputs(np.zeros((4, 5), int)), ValueError, r"^len\(u\) must be in 1 to 3"),
    ],
)  # fmt: skip
def test_arguments_are_checked(call, error, message):
    with pytest.raises(error, match=message):
        call(planned("4FC", (5,), 3))


def test_types_are_checked():
    blocks = [Block(3)]
    with pytest.raises(TypeError, match=r"^array must be an ArrayConfig, not 4$"):
        sized(blocks, (5,), 4, 1, 1)
    with pytest.raises(TypeError, match=r"^config must be an AcceleratorConfig, not ArrayC"):
        Plan(blocks, (5,), ArrayConfig(), 1, Settings())
    with pytest.raises(TypeError, match=r"^settings must be Settings, not None$"):
        Plan(blocks, (5,), AcceleratorConfig(), 1, None)
    with pytest.raises(TypeError, match=r"^batch must be an integer, not 1\.5$"):
        Plan(blocks, (5,), AcceleratorConfig(), 1.5, Settings())

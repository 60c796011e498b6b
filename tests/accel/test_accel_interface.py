"""Arguments that every accelerator refuses; memories hold the words written."""

import numpy as np
import pytest

from golden.accel.config import AcceleratorConfig
from golden.accel.interface import Counts, ProgramError, Space
from golden.accel.program import Code
from golden.accel.timing import Cycles
from golden.accel.twin import GoldenAccelerator
from golden.array.lfsr import stream_states
from golden.config import ArrayConfig

CONFIG = AcceleratorConfig(
    array=ArrayConfig(rows=4, cols=4), tiles=2, activation_words=7, error_words=5, positions=6,
    threshold_words=3, program_words=64,
)  # fmt: skip
# Space -> words, shape of a word's values, lowest and highest value.
SPACES = {
    Space.PROGRAM: (64, (), 0, 2**32 - 1),
    Space.ACTIVATIONS: (7, (4,), -1, 1),
    Space.ERRORS: (5, (4,), -128, 127),
    Space.WINDOWS: (5, (4,), 0, 7),
    Space.LABELS: (6, (), 0, 65535),
    Space.THRESHOLDS: (3, (2, 4), -(1 << 27), (1 << 27) - 1),
    Space.STATES: (32, (), 0, 65535),
}


@pytest.fixture
def chip():
    return GoldenAccelerator(CONFIG)


def test_a_new_accelerator_holds_zeros(chip):
    for space in [*SPACES, Space.RESULTS]:
        assert not chip.read(space).any()
    assert chip.counts() == Counts()
    np.testing.assert_array_equal(chip.generators(), stream_states(0, 0, 2))
    for number in range(2):
        assert not chip.tile(number).read().any()


@pytest.mark.parametrize("space", SPACES, ids=lambda space: space.name)
def test_memories_hold_what_is_written(chip, space):
    words, shape, low, high = SPACES[space]
    rng = np.random.default_rng(1)
    full = rng.integers(low, high + 1, (words, *shape))
    if space is Space.THRESHOLDS:
        full[..., 2] &= 1
        full[..., 3] >>= 8
    chip.write(space, full)
    np.testing.assert_array_equal(chip.read(space), full)
    part = full[:2][::-1]
    chip.write(space, part, 1)
    full[1:3] = part
    for first, count in ((0, None), (1, 2), (words - 1, 1)):
        end = None if count is None else first + count
        np.testing.assert_array_equal(chip.read(space, first, count), full[first:end])
    found = chip.read(space)
    found[...] = 1  # a copy
    np.testing.assert_array_equal(chip.read(space), full)


@pytest.mark.parametrize("space", SPACES, ids=lambda space: space.name)
def test_values_out_of_range_are_named(chip, space):
    words, shape, low, high = SPACES[space]
    for value in (low - 1, high + 1):
        values = np.zeros((2, *shape), np.int64)
        values[1, ...] = value
        with pytest.raises(
            ValueError, match=rf"^values\[1.*\] must be in {low} to {high}, not {value}$"
        ):
            chip.write(space, values)
    with pytest.raises(TypeError, match=r"^values must hold integers, not float64$"):
        chip.write(space, np.zeros((1, *shape)))
    with pytest.raises(ValueError, match=r"^values must have shape \(\*"):
        chip.write(space, np.zeros((1, *shape, 1), int))
    for first, count, most in ((0, words + 1, words), (0, 0, words), (words - 1, 2, 1)):
        message = rf"^values must have 1 to {most} words from {first} on, not {count}$"
        with pytest.raises(ValueError, match=message):
            chip.write(space, np.zeros((count, *shape), int), first)
    for first in (-1, words):
        with pytest.raises(ValueError, match=rf"^first must be in 0 to {words - 1}, not {first}$"):
            chip.write(space, np.zeros((1, *shape), int), first)
        with pytest.raises(ValueError, match=rf"^first must be in 0 to {words - 1}, not {first}$"):
            chip.read(space, first)
    with pytest.raises(ValueError, match=rf"^count must be in 1 to {words - 1}, not {words}$"):
        chip.read(space, 1, words)
    assert not chip.read(space).any()


@pytest.mark.parametrize(
    ("place", "value", "low", "high"),
    [(2, 2, 0, 1), (2, -1, 0, 1), (3, 1 << 19, -(1 << 19), (1 << 19) - 1)],
)
def test_signs_and_offsets_have_their_own_ranges(chip, place, value, low, high):
    values = np.zeros((3, 2, 4), int)
    values[2, 1, place] = value
    message = rf"^values\[\.\.\., {place}\]\[2, 1\] must be in {low} to {high}, not {value}$"
    with pytest.raises(ValueError, match=message):
        chip.write(Space.THRESHOLDS, values)


@pytest.mark.parametrize("space", [Space.RESULTS, Space.GENERATORS])
def test_spaces_that_cannot_be_written(chip, space):
    with pytest.raises(
        ValueError, match=rf"^space must be one that can be written, not {space.name}$"
    ):
        chip.write(space, [1])


def test_generators_have_methods_of_their_own(chip):
    with pytest.raises(ValueError, match=r"^space must not be GENERATORS: see gener"):
        chip.read(Space.GENERATORS)
    chip.seed(5, 7)
    np.testing.assert_array_equal(chip.generators(), stream_states(5, 7, 2))
    states = np.array([1, (1 << 64) - 1], np.uint64)
    chip.set_generators(states)
    np.testing.assert_array_equal(chip.generators(), states)
    with pytest.raises(ValueError, match=r"^states\[1\] must be in 1 to \d+, not 0$"):
        chip.set_generators(np.array([1, 0], np.uint64))
    with pytest.raises(ValueError, match=r"^states must have shape \(2\), not \(1,\)$"):
        chip.set_generators(np.array([1], np.uint64))
    with pytest.raises(ValueError, match=r"^seed must be at least 0, not -1$"):
        chip.seed(-1)


@pytest.mark.parametrize("space", [0, 3, "LABELS", None])
def test_a_space_must_be_one(chip, space):
    for call in (lambda: chip.read(space), lambda: chip.write(space, [1])):
        with pytest.raises(TypeError, match=rf"^space must be a Space, not {space!r}$"):
            call()


@pytest.mark.parametrize(
    ("pc", "batch", "message"),
    [
        (-1, 1, r"^pc must be in 0 to 63, not -1$"),
        (64, 1, r"^pc must be in 0 to 63, not 64$"),
        (0, 0, r"^batch must be in 1 to 6, not 0$"),
        (0, 7, r"^batch must be in 1 to 6, not 7$"),
    ],
)
def test_run_checks_its_arguments(chip, pc, batch, message):
    with pytest.raises(ValueError, match=message):
        chip.run(pc, batch)


def test_tiles_are_numbered(chip):
    assert chip.tile(0) is not chip.tile(1)
    for number in (-1, 2):
        with pytest.raises(ValueError, match=rf"^number must be in 0 to 1, not {number}$"):
            chip.tile(number)


@pytest.mark.parametrize("config", [None, ArrayConfig(), 4])
def test_config_must_be_one(config):
    with pytest.raises(TypeError, match=r"^config must be an AcceleratorConfig, not "):
        GoldenAccelerator(config)


def test_counts_by_phase():
    counts = Counts()
    counts.phase(Code.BACKWARD, Cycles(22, 9, 5))
    counts.phase(Code.UPDATE, Cycles(22, 7, 3))
    counts.phase(Code.BACKWARD, Cycles(22, 1, 1))
    assert counts == Counts(backward_cycles=10, backward_busy=6, update_cycles=7, update_busy=3)


def test_an_error_of_a_program_is_a_value_error():
    assert issubclass(ProgramError, ValueError)
    assert str(ProgramError(5, "why")) == "program word 5: why"


def test_verify_of_one_accelerator_alone_compares_nothing(chip):
    assert chip.verify() is None

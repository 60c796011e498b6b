"""Instructions: bits by hand, round trips, and every value that does not fit."""

import dataclasses

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from golden.accel.program import END, FIELDS, LIMITS, WORDS, Code, Instruction, assemble

# Name -> word, lowest bit, width; negative: signed. As a programmer in C would have it.
PLACES = {
    "code": (0, 0, 4), "train": (0, 4, 1), "score": (0, 5, 1), "plain": (0, 6, 1),
    "binary": (0, 7, 1), "blind": (0, 8, 1), "pool": (0, 9, 1), "state": (0, 10, 8),
    "error_shift": (0, 18, 5), "padding": (0, 23, 8),
    "learn": (1, 0, 4), "cells": (1, 4, 16),
    "tap_row": (2, 0, 16), "tap_pixel": (2, 16, 16),
    "groups": (3, 0, 16), "columns": (3, 16, 16),
    "positions": (4, 0, 16), "in_base": (4, 16, 16),
    "in_sample": (5, 0, 16), "in_row": (5, 16, 16),
    "in_pixel": (6, 0, 16), "out_base": (6, 16, 16),
    "out_sample": (7, 0, 16), "out_row": (7, 16, 16),
    "out_pixel": (8, 0, 16), "errors": (8, 16, 16),
    "error_sample": (9, 0, 16), "error_row": (9, 16, 16),
    "in_errors": (10, 0, 16), "thresholds": (10, 16, 16),
    "height": (11, 0, 16), "width": (11, 16, 16),
    "kernel_height": (12, 0, 16), "kernel_width": (12, 16, 16),
    "in_height": (13, 0, 16), "in_width": (13, 16, 16),
    "adc": (14, 0, 16), "mean_factor": (14, 16, 16),
    "mean_shift": (15, 0, 6), "bound": (15, 6, 16),
    "inner": (16, 0, 16), "outer": (16, 16, 16),
    "offset": (17, 0, -16),
    "scale": (18, 0, 27),
    "rate": (19, 0, -16),
    "dead": (20, 0, 24),
}  # fmt: skip
instructions = st.builds(
    Instruction, **{name: st.integers(low, high) for name, (low, high) in LIMITS.items()}
)


def test_the_places_of_all_fields():
    assert WORDS == 21
    assert list(FIELDS) == list(PLACES)
    for name, (low, width, signed) in FIELDS.items():
        assert (low // 32, low % 32, -width if signed else width) == PLACES[name], name


@pytest.mark.parametrize("name", PLACES)
def test_a_field_alone_sets_its_bits_alone(name):
    word, low, width = PLACES[name]
    ones = ((1 << abs(width)) - 1) << low
    zero = Instruction(**dict.fromkeys(PLACES, 0))
    assert not any(zero.words())
    full = dataclasses.replace(zero, **{name: -1 if width < 0 else (1 << width) - 1})
    assert full.words() == [ones if i == word else 0 for i in range(WORDS)]


@given(instructions)
def test_words_and_back(step):
    words = step.words()
    assert len(words) == WORDS
    assert all(0 <= word < 1 << 32 for word in words)
    assert Instruction.of(np.array(words, np.uint32)) == step
    for name, (word, low, width) in PLACES.items():
        value = words[word] >> low & ((1 << abs(width)) - 1)
        assert value == getattr(step, name) % (1 << abs(width)), name


@given(st.lists(st.integers(0, (1 << 32) - 1), min_size=WORDS, max_size=WORDS))
def test_any_words_are_an_instruction(words):
    """The hardware takes no notice of bits between the fields."""
    step = Instruction.of(np.array(words, np.uint32))
    assert Instruction.of(np.array(step.words(), np.uint32)) == step


def test_by_hand():
    step = Instruction(
        code=Code.UPDATE, plain=1, state=3, padding=2, cells=0x1234, columns=10, offset=-2, rate=-1,
    )  # fmt: skip
    words = step.words()
    assert words[0] == 3 | 1 << 6 | 3 << 10 | 2 << 23
    assert words[1] == 0x12340
    assert words[3] == 10 << 16 | 1
    assert (words[17], words[19]) == (0xFFFE, 0xFFFF)


@pytest.mark.parametrize("name", PLACES)
def test_values_that_do_not_fit_are_named(name):
    low, high = LIMITS[name]
    for value in (low, high):
        assert getattr(Instruction(**{name: value}), name) == value
    for value in (low - 1, high + 1):
        with pytest.raises(ValueError, match=rf"^{name} must be in {low} to {high}, not {value}$"):
            Instruction(**{name: value})
    for value in (1.0, None, "1", True):
        with pytest.raises(TypeError, match=rf"^{name} must be an integer, not {value!r}$"):
            Instruction(**{name: value})


def test_a_program_ends_with_end():
    steps = [Instruction(code=Code.FORWARD, columns=7), Instruction(code=Code.BACKWARD, errors=9)]
    words = assemble(steps)
    assert (words.dtype, words.shape) == (np.uint32, (3 * WORDS,))
    read = [Instruction.of(part) for part in words.reshape(3, WORDS)]
    assert read == [*steps, END]
    assert END.code == Code.END == 0
    assert [int(code) for code in Code] == [0, 1, 2, 3]
    assert assemble([]).tolist() == END.words()


def test_words_under_the_kernel_and_places():
    step = Instruction(kernel_height=3, kernel_width=5, in_pixel=2)
    assert (step.taps, step.places) == (30, 1)
    assert dataclasses.replace(step, pool=1).places == 4

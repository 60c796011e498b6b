"""Parameters of an accelerator: ranges, defaults, and widths that hold what they must."""

import dataclasses

import pytest
from hypothesis import given
from hypothesis import strategies as st

from golden.accel.config import TOTAL_BITS, AcceleratorConfig
from golden.config import ArrayConfig

MEMORIES = ("activation_words", "error_words", "positions", "threshold_words", "program_words")


def test_defaults():
    config = AcceleratorConfig()
    assert config.array == ArrayConfig(cols=2048)
    assert [config.tiles, *(getattr(config, name) for name in MEMORIES)] == [
        1, 4096, 1024, 256, 256, 512,
    ]  # fmt: skip


@pytest.mark.parametrize("name", MEMORIES)
def test_memories_have_2_to_65535_words(name):
    for words in (2, 65535):
        assert getattr(AcceleratorConfig(**{name: words}), name) == words
    for words in (1, 0, -1, 65536):
        with pytest.raises(ValueError, match=rf"^{name} must be in 2 to 65535, not {words}$"):
            AcceleratorConfig(**{name: words})
    for words in (True, 2.0, None, "8"):
        with pytest.raises(TypeError, match=rf"^{name} must be an integer, not {words!r}$"):
            AcceleratorConfig(**{name: words})


@pytest.mark.parametrize(("rows", "tiles"), [(4, 1), (4, 2), (4, 4), (12, 4), (256, 128)])
def test_tiles_divide_rows(rows, tiles):
    assert AcceleratorConfig(array=ArrayConfig(rows=rows), tiles=tiles).tiles == tiles


@pytest.mark.parametrize(
    ("rows", "tiles", "message"),
    [
        (4, 0, r"^tiles must be in 1 to 4, not 0$"),
        (4, 8, r"^tiles must be in 1 to 4, not 8$"),
        (512, 256, r"^tiles must be in 1 to 128, not 256$"),  # LAYOUT has eight bits for them
        (12, 3, r"^tiles must be a power of two that divides rows = 12, not 3$"),
        (6, 4, r"^tiles must be a power of two that divides rows = 6, not 4$"),
    ],
)
def test_tiles_that_cannot_be(rows, tiles, message):
    with pytest.raises(ValueError, match=message):
        AcceleratorConfig(array=ArrayConfig(rows=rows), tiles=tiles)


def test_tiles_must_be_an_integer():
    with pytest.raises(TypeError, match=r"^tiles must be an integer, not 1\.0$"):
        AcceleratorConfig(tiles=1.0)


@pytest.mark.parametrize("array", [None, 64, {"rows": 64}, AcceleratorConfig()])
def test_array_must_be_one(array):
    with pytest.raises(TypeError, match=r"^array must be an ArrayConfig, not "):
        AcceleratorConfig(array=array)


@pytest.mark.parametrize(
    ("change", "name"),
    [({"columns_per_cycle": 2}, "columns_per_cycle"), ({"error_bits": 7}, "err")],
)
def test_arrays_of_another_kind_are_refused(change, name):
    array = dataclasses.replace(ArrayConfig(), **change)
    with pytest.raises(ValueError, match=rf"^array\.{name}\w* must be \d, not \d: tiles work"):
        AcceleratorConfig(array=array)


def test_numpy_integers_will_do_and_nothing_can_be_changed():
    import numpy as np

    config = AcceleratorConfig(positions=np.int32(8), tiles=np.uint8(2))
    assert (config.positions, config.tiles) == (8, 2)
    with pytest.raises(dataclasses.FrozenInstanceError):
        config.tiles = 4


@given(st.integers(2, 65535))
def test_sums_over_all_positions_have_room(positions):
    config = AcceleratorConfig(positions=positions)
    assert positions * (1 << TOTAL_BITS - 1) <= 1 << config.sum_bits - 1
    assert positions * 128 < 1 << config.product_bits - 1
    # A bit less would not do, the product's spare one apart.
    assert positions * (1 << TOTAL_BITS - 1) >= 1 << config.sum_bits - 2
    assert positions * 128 >= 1 << config.product_bits - 4

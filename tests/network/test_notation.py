"""The notation of networks: reading, writing, shapes, files."""

import dataclasses
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from golden.network import notation
from golden.network.notation import Block
from golden.train.config import TrainConfig

COUNTS = st.integers(1, 2000)


@st.composite
def convolutions(draw, sizes=5):
    kernel = draw(st.integers(1, sizes))
    return Block(draw(COUNTS), kernel, draw(st.integers(0, kernel - 1)), draw(st.integers(1, 3)))


NETWORKS = st.tuples(
    st.lists(convolutions(), max_size=4), st.lists(st.builds(Block, COUNTS), max_size=3)
).map(lambda parts: tuple(parts[0] + parts[1]))


@given(NETWORKS)
def test_what_is_written_is_read(blocks):
    assert notation.parse(notation.notation(blocks)) == blocks


@pytest.mark.parametrize(
    ("text", "blocks"),
    [
        ("", []),
        ("512FC", [Block(512)]),
        ("32C5", [Block(32, 5)]),
        ("32C5-MP2-512FC", [Block(32, 5, 0, 2), Block(512)]),
        ("8C3p1-4C1-MP3", [Block(8, 3, 1), Block(4, 1, 0, 3)]),
        ("2x8C3p1-MP2-3x7FC", [Block(8, 3, 1), Block(8, 3, 1, 2)] + [Block(7)] * 3),
        ("8C3p0-MP1", [Block(8, 3)]),
    ],
)
def test_notation_by_hand(text, blocks):
    assert notation.parse(text) == tuple(blocks)


def test_repeated_and_idle_parts_are_written_out():
    assert notation.notation(notation.parse("2x8C3p0-MP1-2x5FC")) == "8C3-8C3-5FC-5FC"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("64", "'64' is none of 32C5, 32C3p1, MP2, 512FC"),
        ("-8FC", "'' is none of .*"),
        ("8FC--8FC", "'' is none of .*"),
        ("8FC ", "'8FC ' is none of .*"),
        ("8FC\n", r"'8FC\\n' is none of .*"),
        ("0FC", "'0FC' is none of .*"),
        ("08FC", "'08FC' is none of .*"),
        ("1\u0663FC", "'1\u0663FC' is none of .*"),
        ("0x8FC", "'0x8FC' is none of .*"),
        ("8C0", "'8C0' is none of .*"),
        ("8C3p", "'8C3p' is none of .*"),
        ("8C3p-1", "'8C3p' is none of .*"),
        ("8c3", "'8c3' is none of .*"),
        ("8C3-MP0", "'MP0' is none of .*"),
        ("8C3-2xMP2", "'2xMP2' is none of .*"),
        ("MP2", "MP2 must follow a convolution"),
        ("8FC-MP2", "MP2 must follow a convolution"),
        ("8C3-MP2-MP2", "MP2 must follow a convolution"),
        ("8FC-8C3", "8C3 must not follow a dense layer"),
        ("8C3p3", "8C3p3 must have a padding smaller than its kernel"),
    ],
)
def test_what_is_no_notation_is_named(text, message):
    with pytest.raises(ValueError, match=f"^network {re.escape(repr(text))}: {message}$"):
        notation.parse(text)


@pytest.mark.parametrize("value", [5, None, b"8FC", ["8FC"]])
def test_what_is_no_text_is_named(value):
    with pytest.raises(TypeError, match=r"^network must be a text such as '32C5-MP2-512FC', not "):
        notation.parse(value)


@given(NETWORKS, st.floats(0.001, 1000))
def test_scaled_changes_outputs_alone(blocks, width):
    wider = notation.parse(notation.scaled(notation.notation(blocks), width))
    assert len(wider) == len(blocks)
    for new, old in zip(wider, blocks, strict=True):
        assert new.n_out == max(1, round(width * old.n_out))
        assert dataclasses.replace(new, n_out=old.n_out) == old


@given(NETWORKS)
def test_scaled_by_1_is_the_network(blocks):
    assert notation.scaled(notation.notation(blocks), 1) == notation.notation(blocks)


def test_scaled_refuses_odd_widths():
    for width in (0, 1e-4, 1001, float("nan")):
        with pytest.raises(ValueError, match=r"^width must be finite and in 0\.001 to 1000, not "):
            notation.scaled("8FC", width)
    with pytest.raises(TypeError, match=r"^width must be a number, not 'wide'$"):
        notation.scaled("8FC", "wide")
    with pytest.raises(ValueError, match=r"^network '8': '8' is none of "):
        notation.scaled("8", 2)


# --- shapes ---


def places(n, kernel, padding, pool):
    """Pools that a side of n pixels fills, by moving the kernel and then the pool over it."""
    fits = [at for at in range(-padding, n + padding) if at + kernel <= n + padding]
    return len([at for at in range(0, len(fits), pool) if at + pool <= len(fits)])


@given(st.lists(convolutions(), max_size=4), st.tuples(*[st.integers(1, 20)] * 3))
def test_shapes_of_convolutions_against_moving_kernels(blocks, shape):
    wanted = [shape]
    for b in blocks:
        sides = [places(n, b.kernel, b.padding, b.pool) for n in wanted[-1][:2]]
        if 0 in sides:
            with pytest.raises(ValueError, match=rf"^network: {b} is too large for its input of"):
                notation.shapes(blocks, shape)
            return
        wanted.append((*sides, b.n_out))
    assert notation.shapes(blocks, shape) == wanted


def test_dense_layers_take_anything():
    assert notation.shapes(notation.parse("7FC-5FC"), (12,)) == [(12,), (7,), (5,)]
    assert notation.shapes(notation.parse("6C3-7FC"), [5, 4, 2]) == [(5, 4, 2), (3, 2, 6), (7,)]
    assert notation.shapes((), (12,)) == [(12,)]


def test_convolutions_of_vectors_are_refused():
    with pytest.raises(
        ValueError, match=r"^network: 4C3-MP2 needs images, not inputs of shape \(12,\)$"
    ):
        notation.shapes(notation.parse("4C3-MP2"), (12,))


def test_what_is_too_large_is_named_with_its_input():
    with pytest.raises(
        ValueError, match=r"^network: 8C3-MP2 is too large for its input of shape \(3, 5, 4\)$"
    ):
        notation.shapes(notation.parse("4C4-8C3-MP2"), (6, 8, 1))


# --- names and files ---


def test_named_networks_are_those_of_the_paper():
    assert notation.names() == ("cifar-vgg", "mnist-cnn")
    layers, training = notation.load("mnist-cnn")
    assert layers == "32C5-MP2-64C5-MP2-512FC"
    assert notation.shapes(notation.parse(layers), (28, 28, 1))[-2:] == [(4, 4, 64), (512,)]
    layers, _ = notation.load("cifar-vgg")
    assert layers == "128C3p1-128C3p1-MP2-256C3p1-256C3p1-MP2-512C3p1-512C3p1-MP2-1024FC"
    assert notation.shapes(notation.parse(layers), (32, 32, 3))[-2:] == [(4, 4, 512), (1024,)]
    assert training["epochs"] > 1


@pytest.mark.parametrize("name", notation.names())
def test_named_networks_have_settings_that_training_takes(name):
    layers, training = notation.load(name)
    config = TrainConfig(network=layers, **training)
    assert config.network == layers


def test_notation_is_loaded_as_itself():
    assert notation.load("2x8FC") == ("8FC-8FC", {})
    assert notation.load("") == ("", {})


def test_files_are_loaded(tmp_path):
    path = tmp_path / "mine.toml"
    path.write_text('layers = "2x4C3-7FC"\n\n[training]\nepochs = 3\noptimiser = "gradient"\n')
    assert notation.load(str(path)) == ("4C3-4C3-7FC", {"epochs": 3, "optimiser": "gradient"})
    path.write_text('layers = ""')
    assert notation.load(str(path)) == ("", {})


@pytest.mark.parametrize(
    ("content", "error", "message"),
    [
        (b"layers", ValueError, "is no TOML file: .*"),
        (b"\xff", ValueError, "is no TOML file: .*"),
        (b'layer = "8FC"', ValueError, "layer = '8FC' is not layers or a table training"),
        (b'layers = "8FC"\ntraining = 3', ValueError, "training = 3 is not layers or a table .*"),
        (b'layers = "8"', ValueError, "network '8': '8' is none of .*"),
        (b"layers = 8", TypeError, "network must be a text such as .*, not 8"),
        (b"[training]\nepochs = 3", TypeError, "network must be a text such as .*, not None"),
    ],
)
def test_bad_files_are_named(tmp_path, content, error, message):
    path = tmp_path / "mine.toml"
    path.write_bytes(content)
    with pytest.raises(error, match=rf"(?s)^\S+mine\.toml:? {message}$"):
        notation.load(str(path))


def test_a_missing_file_is_named(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"none\.toml"):
        notation.load(str(tmp_path / "none.toml"))


def test_what_is_neither_name_nor_notation_is_told_what_there_is():
    with pytest.raises(
        ValueError,
        match=r"^network 'vgg': 'vgg' is none of 32C5, 32C3p1, MP2, 512FC; it is no TOML file "
        r"either, and none of cifar-vgg, mnist-cnn$",
    ):
        notation.load("vgg")

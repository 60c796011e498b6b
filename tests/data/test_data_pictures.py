"""Pictures of every kind of pixel: what is grey, what is scaled, what is refused."""

import io
import struct
import zlib

import numpy as np
import pytest
from commands import spintrit
from pictures import images, picture, write_images

from golden.checks import InputWarning
from golden.data import load, pictures, quantise

GREY, X = images(4, 6)


def loaded(root, changes, **options):
    return load("images", root=write_images(root, GREY | changes, packed=True), **options)


def last(root, content, **options):
    """Inputs of a picture, of 8 bits, among grey ones."""
    return loaded(root, {"test/dog/1.png": content}, input_bits=8, **options).x_test[3]


def png(pixels, colour, depth, extra=()):
    """A PNG file by hand: 16-bit grey with alpha is nothing that Pillow writes."""
    height, width = pixels.shape[:2]
    raw = b"".join(b"\0" + row.astype(">u2" if depth == 16 else "u1").tobytes() for row in pixels)

    def chunk(kind, content):
        return (
            struct.pack(">I", len(content)) + kind + content
            + struct.pack(">I", zlib.crc32(kind + content))
        )  # fmt: skip

    head = struct.pack(">IIBBBBB", width, height, depth, colour, 0, 0, 0)
    chunks = [chunk(b"IHDR", head), *(chunk(*pair) for pair in extra)]
    return (
        b"\x89PNG\r\n\x1a\n" + b"".join(chunks) + chunk(b"IDAT", zlib.compress(raw))
        + chunk(b"IEND", b"")
    )  # fmt: skip


def deep(values, alpha=None):
    """16-bit grey with alpha."""
    values = np.asarray(values)
    alpha = np.full(values.shape, 65535) if alpha is None else alpha
    return png(np.stack([values, alpha], axis=-1), 4, 16)


def palette(pixels):
    from PIL import Image

    image = Image.frombytes("P", pixels.shape[::-1], pixels.tobytes())
    image.putpalette([value for grey in range(256) for value in (grey, grey, grey)])
    buffer = io.BytesIO()
    image.save(buffer, "png")
    return buffer.getvalue()


@pytest.mark.parametrize(
    "content",
    [
        palette(X[0]),
        picture(X[0], "gif"),
        picture(X[0], mode="RGB"),
        picture(X[0], mode="RGBA"),
        picture(X[0], "webp", mode="RGB", lossless=True),
        picture(X[0], "tiff", mode="CMYK"),
        picture(X[0], "tiff"),
        picture(X[0].astype(np.uint16) * 257),
        picture(X[0].astype(np.uint16) * 257, "tiff"),
        picture(X[0].astype(np.int32) * 257, "tiff"),
        b"P5 6 4 4095\n" + (X[0].astype(int) * 4095 // 255).astype(">u2").tobytes(),
        deep(X[0].astype(int) * 257),
        png(np.repeat(X[0][..., None], 2, axis=2) | [0, 255], 4, 8),
    ],
    ids=[
        "palette", "gif", "rgb", "rgba", "webp", "cmyk", "tiff", "16 bits", "tiff, 16 bits",
        "tiff, 32 bits", "pgm of 12 bits", "16 bits, alpha", "alpha",
    ],
)  # fmt: skip
def test_grey_stays_grey(tmp_path, content):
    split = loaded(tmp_path, {"test/dog/1.png": content}, input_bits=8)
    assert (split.shape, split.augment) == ((4, 6, 1), "none")
    tolerance = 1 if content.startswith(b"P5") else 0
    have, wanted = split.x_test[3, ..., 0].astype(int), quantise(X[0], 8).astype(int)
    assert (np.abs(have - wanted) <= tolerance).all()


def test_mirrored_grey_classes_are_learnt_from_palettes(tmp_path):
    """They cannot be if the pictures are taken for colour and mirrored."""
    rng = np.random.default_rng(0)
    files = {}
    for kind in ("left", "right"):
        for part, count in (("train", 30), ("test", 10)):
            for n in range(count):
                pixels = rng.integers(0, 60, (6, 6)).astype(np.uint8)
                pixels[:, :3] += 190
                files[f"{part}/{kind}/{n:02}.gif"] = picture(
                    pixels if kind == "left" else pixels[:, ::-1].copy(), "gif"
                )
    data, out = write_images(tmp_path, files, packed=True), tmp_path / "run"
    line = f"train --array fast --dataset images --data {data} --epochs 5 --network 8FC --batch 5"
    assert spintrit(f"{line} --out {out}") == 0
    assert '"test_accuracy": 1.0' in (out / "summary.json").read_text()
    assert '"augment": "none"' in (out / "config.json").read_text()


def test_grey_images_get_three_channels_on_request(tmp_path):
    """A run that read grey files as colour is evaluated so."""
    split = loaded(tmp_path, {}, colour=True, input_bits=8)
    assert (split.shape, split.augment) == ((4, 6, 3), "crop-flip")
    np.testing.assert_array_equal(split.x_test, np.repeat(quantise(X[20:, ..., None], 8), 3, 3))


@pytest.mark.parametrize("mode", ["RGB", "P"])
def test_colour_stays_colour(tmp_path, mode):
    pixels = np.zeros((4, 6, 3), np.uint8)
    pixels[:2, :, 0] = 255
    split = loaded(tmp_path, {"test/dog/1.png": picture(pixels, mode=mode)}, input_bits=8)
    assert (split.shape, split.augment) == ((4, 6, 3), "crop-flip")
    np.testing.assert_array_equal(split.x_test[3], quantise(pixels, 8))


@pytest.mark.parametrize("grey", [True, False])
@pytest.mark.parametrize("bits", [8, 16])
def test_transparent_pixels_show_white(tmp_path, grey, bits):
    most = 2**bits - 1
    pixels, alpha = np.full((4, 6), 40 * (most // 255)), np.full((4, 6), most)
    alpha[0], alpha[1] = 0, most // 255 * 51
    channels = [pixels] * (1 if grey else 3)
    have = last(tmp_path, png(np.stack([*channels, alpha], axis=-1), 4 if grey else 6, bits))
    wanted = np.full((4, 6, 1), 40, np.uint8)
    wanted[0], wanted[1] = 255, 255 - (255 - 40) // 5
    np.testing.assert_array_equal(have, quantise(wanted, 8))


def test_a_transparent_colour_shows_white(tmp_path):
    """A grey PNG with one transparent value, and a GIF with a transparent entry."""
    pixels = np.full((4, 6), 40, np.uint8)
    pixels[2] = 9
    wanted = quantise(np.where(pixels == 9, 255, pixels)[..., None].astype(np.uint8), 8)
    value = png(pixels, 0, 8, [(b"tRNS", struct.pack(">H", 9))])
    np.testing.assert_array_equal(last(tmp_path, value), wanted)
    np.testing.assert_array_equal(last(tmp_path, picture(pixels, "gif", transparency=9)), wanted)


@pytest.mark.parametrize("turn", range(1, 9))
def test_orientation_is_applied(tmp_path, turn):
    """Pictures as a camera stores them, and the same without a note of how it was held."""
    upright = np.arange(1, 25, dtype=np.uint8).reshape(4, 6) * 10
    stored = {
        1: upright, 2: upright[:, ::-1], 3: upright[::-1, ::-1], 4: upright[::-1],
        5: upright.T, 6: upright.T[::-1], 7: upright.T[::-1, ::-1], 8: upright.T[:, ::-1],
    }[turn]  # fmt: skip
    from PIL import Image

    exif = Image.Exif()
    exif[0x0112] = turn
    for form in ("png", "tiff"):
        have = last(tmp_path, picture(np.ascontiguousarray(stored), form, exif=exif))
        np.testing.assert_array_equal(have[..., 0], quantise(upright, 8), str(turn))


@pytest.mark.parametrize(("top", "bits"), [(200, 8), (1000, 10), (4095, 12), (16000, 14)])
def test_low_values_in_16_bits_are_scaled_by_the_depth_of_training(tmp_path, top, bits):
    rng = np.random.default_rng(0)
    values = rng.integers(0, top + 1, (24, 4, 6)).astype(np.uint16)
    values[:, 0, 0] = top
    files = {name: picture(v) for name, v in zip(GREY, values, strict=True)}
    where = write_images(tmp_path, files, packed=True)
    message = f"^{where}: values of 16-bit pictures reach {top} in the training part and are read "
    with pytest.warns(InputWarning, match=f"{message}as {bits} bits$"):
        split = load("images", root=where, input_bits=8)
    wanted = quantise((values >> (bits - 8)).astype(np.uint8), 8)
    np.testing.assert_array_equal(split.x_test[..., 0], wanted[20:])
    assert len(np.unique(split.x_train)) > 60


def test_test_pictures_do_not_decide_the_depth(tmp_path):
    values = np.random.default_rng(0).integers(0, 4096, (24, 4, 6)).astype(np.uint16)
    values[23, 1, 1] = 5000
    files = {name: picture(v) for name, v in zip(GREY, values, strict=True)}
    message = r"test/dog/1.png holds the value 5000, but the training part has 12 bits$"
    with pytest.warns(InputWarning), pytest.raises(ValueError, match=message):
        load("images", root=write_images(tmp_path, files, packed=True))


@pytest.mark.parametrize("channels", [2, 3])
def test_low_colours_in_16_bits_are_refused(tmp_path, channels):
    rng = np.random.default_rng(0)
    values = rng.integers(0, 4096, (24, 4, 6, channels))
    if channels == 2:
        values[..., 1] = 65535
    colour = {2: 4, 3: 2}[channels]
    files = {name: png(v, colour, 16) for name, v in zip(GREY, values, strict=True)}
    with pytest.raises(ValueError, match=r": 16-bit colours? .* use at most the lower 14 bits"):
        load("images", root=write_images(tmp_path, files, packed=True))


def frames(form):
    from PIL import Image

    buffer = io.BytesIO()
    first, *rest = [Image.fromarray(pixels) for pixels in X[:3]]
    first.save(buffer, form, save_all=True, append_images=rest)
    return buffer.getvalue()


def floats(values, mode="F"):
    return picture(np.asarray(values, np.float32 if mode == "F" else np.int32), "tiff")


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (frames("gif"), "it has 3 frames or pages, not one"),
        (frames("png"), "it has 3 frames or pages, not one"),
        (frames("webp"), "it has 3 frames or pages, not one"),
        (frames("tiff"), "it has 3 frames or pages, not one"),
        (floats(np.ones((4, 6))), "its pixels are of mode F"),
        (floats(np.full((4, 6), 70_000), "I"), "its values are 70000 to 70000, not 0 to 65535"),
        (floats(np.full((4, 6), -1), "I"), "its values are -1 to -1, not 0 to 65535"),
        (png(X[0].astype(int), 0, 16, [(b"tRNS", b"\0\1")]),
         "it is 16-bit grey with a transparent value"),
    ],
)  # fmt: skip
def test_what_is_no_single_picture_is_refused_by_name(tmp_path, content, message):
    with pytest.raises(ValueError, match=rf": test/dog/1\.png is damaged or not an .*: {message}$"):
        last(tmp_path, content)


def test_equal_inputs_are_refused(tmp_path):
    files = dict.fromkeys(GREY, picture(np.full((4, 6), 7, np.uint8)))
    with pytest.raises(ValueError, match=r"^x_train must not hold one input 18 times: two-pets$"):
        load("images", root=write_images(tmp_path, files, packed=True))


@pytest.mark.parametrize("packed", [True, False])
@pytest.mark.parametrize("shape", [(9000, 9000), (9000, 2)])
def test_total_of_pixels_is_bounded_before_any_is_decoded(tmp_path, monkeypatch, packed, shape):
    content = png(np.zeros((1, 1)), 0, 8)
    head = struct.pack(">IIBBBBB", shape[1], shape[0], 8, 0, 0, 0, 0)
    at = content.index(b"IHDR")
    content = (
        content[: at + 4] + head + struct.pack(">I", zlib.crc32(b"IHDR" + head))
        + content[at + 8 + len(head) :]
    )  # fmt: skip
    files = {f"{part}/{kind}/{n}.png": content
             for part in ("train", "test") for kind in "ab" for n in range(75)}  # fmt: skip
    monkeypatch.setattr(pictures, "_pixels", lambda *_: pytest.fail("decoded"))
    total = 300 * shape[0] * shape[1]
    bound = pictures.MAX_BYTES
    if total < bound:
        monkeypatch.setattr(pictures, "MAX_BYTES", bound := total - 1)
    where = write_images(tmp_path, files, packed)
    message = (
        f"{where}: 300 pictures of {shape[1]} x {shape[0]} pixels take {total:,} bytes, more than "
        f"{bound:,}"
    )
    with pytest.raises(ValueError, match=f"^{message}$"):
        load("images", root=where)

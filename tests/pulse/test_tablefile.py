"""Table files: back and forth, and whatever is none."""

import dataclasses
import hashlib
import json
import math

import numpy as np
import pytest

from golden import device
from golden.config import ArrayConfig
from golden.device import curve
from golden.pulse import design, tablefile
from golden.pulse.table import ProbabilityTable, tanh_table
from golden.pulse.tablefile import TableFile

JUNCTION = device.load("default")


def small(variants=None):
    return ProbabilityTable(
        np.array([[0, 0], [3, 2], [60, 64], [256, 250]]),
        np.array([[0, 0], [1, 2], [5, 4], [9, 9]]),
        1e-11,
        8,
        variants=variants,
    )


def same(a, b):
    """Whether two table files hold the same."""
    for x, y in zip(a.table.arrays(), b.table.arrays(), strict=True):
        if not np.array_equal(x, y):
            return False
    plain = [
        (x.device, x.provenance, x.table.tick_s, x.table.draw_bits, x.table.by_length)
        for x in (a, b)
    ]
    return plain[0] == plain[1]


def signed(document):
    """``document`` as a file with a checksum that fits, by other means than the module's own."""
    text = json.dumps(document, sort_keys=True)
    return json.dumps(document | {"sha256": hashlib.sha256(text.encode()).hexdigest()})


def content(file):
    document = json.loads(tablefile.dumps(file))
    del document["sha256"]
    return document


# --- back and forth ---


@pytest.mark.parametrize("draw_bits", [8, 16, 32])
@pytest.mark.parametrize("name", design.CODERS)
def test_round_trip(tmp_path, name, draw_bits):
    array = ArrayConfig(draw_bits=draw_bits)
    designed = curve.formula(JUNCTION).probability

    def variants(direction, pulse_s):
        return np.stack([designed(direction, k * pulse_s) for k in (0.9, 1.1)])

    table = design.design_table(
        designed, JUNCTION.t_write_s, array, design.CoderConfig(coder=name), variants=variants
    )
    file = TableFile(table, JUNCTION, {"model": "formula", "steps": [1, 2.5, None], "é": True})
    tablefile.save(file, tmp_path / "table.json")
    back = tablefile.load(tmp_path / "table.json")
    assert same(file, back)
    assert back.device == JUNCTION
    assert back.table.by_length == (name == "linear")
    assert back.provenance == file.provenance
    assert (tmp_path / "table.json").read_text() == tablefile.dumps(back)


def test_ideal_table_has_neither_device_nor_variants(tmp_path):
    file = TableFile(tanh_table(ArrayConfig()))
    tablefile.save(file, tmp_path / "table.json")
    back = tablefile.load(tmp_path / "table.json")
    assert same(file, back)
    assert back.device is None
    assert back.table.variants is None
    assert back.provenance == {}


@pytest.mark.parametrize("half_tmr_v", [math.inf, 0.5])
def test_infinite_half_voltage_is_no_problem(tmp_path, half_tmr_v):
    junction = dataclasses.replace(JUNCTION, half_tmr_v=half_tmr_v)
    tablefile.save(TableFile(small(), junction), tmp_path / "table.json")

    def refuse(token):
        raise AssertionError(f"{token} is not JSON")

    json.loads((tmp_path / "table.json").read_text(), parse_constant=refuse)
    assert tablefile.load(tmp_path / "table.json").device == junction


def test_numpy_settings_and_numbered_provenance(tmp_path):
    bits, tick_s = np.int64(8), np.float64(1e-11)
    table = ProbabilityTable(small().thresholds, small().ticks, tick_s, bits)
    file = TableFile(table, None, {"by code": {2: "b", 10: "j"}, "pair": (1, 2)})
    tablefile.save(file, tmp_path / "table.json")
    back = tablefile.load(tmp_path / "table.json")
    assert back.provenance == {"by code": {"2": "b", "10": "j"}, "pair": [1, 2]}
    assert back.table.draw_bits == 8


# --- whatever is none ---


def test_every_flipped_bit_is_noticed_or_changes_nothing(tmp_path):
    file = TableFile(small(small().thresholds[None]), JUNCTION, {"seed": 1})
    whole, path = tablefile.dumps(file).encode(), tmp_path / "table.json"
    rng, refused = np.random.default_rng(1), []
    for at in range(len(whole)):
        flipped = bytearray(whole)
        flipped[at] ^= 1 << int(rng.integers(8))
        path.write_bytes(flipped)
        try:
            back = tablefile.load(path)
        except ValueError as error:
            refused.append(str(error))
        else:
            assert same(file, back), (at, whole[at - 10 : at + 10])
    assert all(each.startswith(f"{path} is not a table file: ") for each in refused)
    # Blanks that stay blanks, and e for E in a number, change nothing.
    blanks = whole.count(b" ") + whole.count(b"\n")
    assert len(refused) > 0.95 * (len(whole) - blanks)


def test_every_truncation_is_noticed(tmp_path):
    whole, path = tablefile.dumps(TableFile(small())).encode(), tmp_path / "table.json"
    for length in range(len(whole) - 1):  # the last is a newline
        path.write_bytes(whole[:length])
        with pytest.raises(ValueError, match=r"table\.json is not a table file: "):
            tablefile.load(path)


@pytest.mark.parametrize(
    "garbage",
    [b"", b"{}", b"[]", b"null", b"3", b'"text"', b"\xff\xfe\x00", b"P,length\n0,1\n",
     b"[" * 100_000, b'{"format": "spintrit-table-1"}', b"PK\x03\x04" * 20],
)  # fmt: skip
def test_what_is_no_table_file(tmp_path, garbage):
    (tmp_path / "table.json").write_bytes(garbage)
    with pytest.raises(ValueError, match=r"table\.json is not a table file: (?!.*attribute)."):
        tablefile.load(tmp_path / "table.json")


def test_another_format_is_named(tmp_path):
    document = content(TableFile(small())) | {"format": "spintrit-table-2"}
    (tmp_path / "table.json").write_text(signed(document))
    message = r"its format is 'spintrit-table-2', not 'spintrit-table-1'$"
    with pytest.raises(ValueError, match=message):
        tablefile.load(tmp_path / "table.json")


def test_a_changed_number_breaks_the_checksum(tmp_path):
    text = tablefile.dumps(TableFile(small())).replace("250", "251")
    (tmp_path / "table.json").write_text(text)
    with pytest.raises(ValueError, match=r"its checksum does not fit its content$"):
        tablefile.load(tmp_path / "table.json")


def test_signing_by_other_means_is_accepted(tmp_path):
    file = TableFile(small(), JUNCTION, {"seed": 1})
    (tmp_path / "table.json").write_text(signed(content(file)))
    assert same(tablefile.load(tmp_path / "table.json"), file)


@pytest.mark.parametrize("name", list(content(TableFile(small()))))
def test_a_missing_part_is_named(tmp_path, name):
    document = content(TableFile(small()))
    del document[name]
    (tmp_path / "table.json").write_text(signed(document))
    message = "its format is None" if name == "format" else f"'{name}' is missing$"
    with pytest.raises(ValueError, match=f"table.json is not a table file: {message}"):
        tablefile.load(tmp_path / "table.json")


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"thresholds": [[0, 0], [3, 2.5], [60, 64], [256, 250]]},
         "thresholds must hold integers, not float64"),
        ({"thresholds": [[0, 0], [3]]}, ""),
        ({"thresholds": [[0, 0], [3, 2], [2, 64], [256, 250]]}, "thresholds must not fall"),
        ({"thresholds": None}, ""),
        ({"ticks": [[0, 0]]}, "ticks must have shape"),
        ({"draw_bits": 4}, r"thresholds\[2, 0\] must be in 0 to 16, not 60"),
        ({"draw_bits": "8"}, "draw_bits must be an integer, not '8'"),
        ({"tick_s": -1.0}, "tick_s must be finite"),
        ({"by_length": "no"}, "by_length must be true or false, not 'no'"),
        ({"variants": []}, ""),
        ({"variants": [[[0, 0]]]}, "variants must have shape"),
        ({"provenance": 3}, "provenance must be a table of names, not 3"),
        ({"device": 3}, ""),
        ({"device": {}}, "missing"),
        ({"device": dataclasses.asdict(JUNCTION) | {"half_tmr_v": None, "length_m": -1.0}},
         "length_m must be "),
        ({"device": dataclasses.asdict(JUNCTION) | {"half_tmr_v": None, "colour": 1}}, "colour"),
    ],
)  # fmt: skip
def test_a_signed_file_with_a_wrong_part_is_refused(tmp_path, changes, message):
    (tmp_path / "table.json").write_text(signed(content(TableFile(small())) | changes))
    with pytest.raises(ValueError, match=f"table.json is not a table file: .*{message}"):
        tablefile.load(tmp_path / "table.json")


def test_a_missing_file_is_named(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"none\.json"):
        tablefile.load(tmp_path / "none.json")


def test_a_failed_write_leaves_the_old_file(tmp_path):
    path = tmp_path / "table.json"
    tablefile.save(TableFile(small()), path)
    before = path.read_bytes()
    with pytest.raises(TypeError):
        tablefile.save(TableFile(small(), None, {"object": object()}), path)
    assert path.read_bytes() == before
    with pytest.raises(OSError, match="folder"):
        tablefile.save(TableFile(small()), tmp_path / "folder" / "table.json")

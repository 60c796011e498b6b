"""``spintrit export``: memory files read by a parser of the test's own, and the layout."""

import json
import re

import numpy as np
import pytest
from commands import error_of, spintrit
from hypothesis import given
from hypothesis import strategies as st

from golden.array import frames
from golden.array.golden import GoldenArray
from golden.codes import cell_weights as weights_of
from golden.config import ArrayConfig
from spintrit.runs.export import export
from spintrit.runs.memory import mem_text, read_mem, words
from spintrit.runs.trained import load
from synth.generate import array_verilog


def parsed(text, rows, cols, cells, per_word):
    """Cell bits (cols, rows, cells) of a $readmemh file, bit by bit from its digits."""
    lines = [line for line in re.sub(r"//.*", "", text).split("\n") if line.strip()]
    assert len(lines) == cols // per_word
    bits = np.zeros((cols, rows, cells), bool)
    for address, line in enumerate(lines):
        digits = "".join(f"{int(digit, 16):04b}" for digit in line)[::-1]
        for column in range(per_word):
            for cell in range(cells):
                for row in range(rows):
                    place = column * rows * cells + cell * rows + row
                    bits[address * per_word + column, row, cell] = digits[place] == "1"
        assert "1" not in digits[per_word * rows * cells :]
    return bits


configs = st.builds(
    lambda rows, words, log, synapse: ArrayConfig(
        rows=rows, cols=words << log, columns_per_cycle=1 << log, synapse=synapse
    ),
    st.integers(1, 11), st.integers(1, 5), st.integers(0, 2),
    st.sampled_from(["ternary", "binary"]),
)  # fmt: skip


@given(configs, st.integers(0, 2**32))
def test_a_memory_file_holds_the_array_s_cells(config, seed):
    array = GoldenArray(config)
    array.program(np.random.default_rng(seed).integers(0, 2, array.shape))
    text = mem_text(config, array.read())
    sizes = config.rows, config.cols, config.cells, config.columns_per_cycle
    np.testing.assert_array_equal(parsed(text, *sizes), array.read())


@given(configs, st.integers(0, 2**32))
def test_words_are_those_of_the_bus(config, seed):
    """A column's bits lie in a word as PROGRAM sends them."""
    bits = np.random.default_rng(seed).integers(0, 2, (config.cols, config.rows, config.cells))
    sent = frames.program_frame(config, bits, 0)[1:]
    columns = [int.from_bytes(row.astype("<u4").tobytes(), "little") for row in sent]
    width, each = config.rows * config.cells, config.columns_per_cycle
    for number, word in enumerate(words(config, bits)):
        group = columns[number * each : (number + 1) * each]
        assert word == sum(column << width * i for i, column in enumerate(group))


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    out = tmp_path_factory.mktemp("run")
    line = "train --epochs 2 --network 20FC-16FC --rows 24 --cols 18 --columns-per-cycle 2"
    assert spintrit(f"{line} --out {out}") == 0
    return out


@pytest.mark.parametrize("options", ["", "--rows 64 --cols 10", "--weights last"])
def test_layers_can_be_put_together_again(run, options, tmp_path, capsys):
    out = tmp_path / "deep" / "er"
    assert spintrit(f"export {run} -o {out} {options}") == 0
    layout = json.loads((out / "layout.json").read_text())
    assert f"{len(layout['arrays'])} arrays" in capsys.readouterr().out
    assert {path.name for path in out.iterdir()} == {
        "layout.json", "weights.npz", *layout["arrays"],
    }  # fmt: skip
    config = layout["array_config"]
    sizes = config["rows"], config["cols"], 2, config["columns_per_cycle"]
    cells = [parsed((out / name).read_text(), *sizes) for name in layout["arrays"]]
    unseen = [np.ones(part.shape[:2], bool) for part in cells]
    assert [layer["name"] for layer in layout["layers"]] == ["layer1", "layer2", "layer3"]
    with np.load(out / "weights.npz") as weights:
        for layer in layout["layers"]:
            found = np.full((layer["n_out"], layer["n_in"]), 9)
            for tile in layer["tiles"]:
                columns = slice(tile["first"], tile["first"] + tile["cols"])
                here = np.s_[columns, : tile["rows"]]
                assert unseen[tile["array"]][here].all(), "two tiles in one place"
                unseen[tile["array"]][here] = False
                found[
                    tile["col"] : tile["col"] + tile["cols"],
                    tile["row"] : tile["row"] + tile["rows"],
                ] = weights_of(cells[tile["array"]][here])
            np.testing.assert_array_equal(found, weights[f"{layer['name']}.weights"])
    assert not any(part[left].any() for part, left in zip(cells, unseen, strict=True))


@pytest.mark.parametrize(("weights", "name"), [("best", "best.npz"), ("last", "weights.npz")])
def test_weights_are_the_run_s(run, weights, name, tmp_path):
    assert spintrit(f"export {run} -o {tmp_path} --weights {weights}") == 0
    with np.load(tmp_path / "weights.npz") as ours, np.load(run / name) as theirs:
        assert set(ours.files) == set(theirs.files)
        for key in theirs.files:
            np.testing.assert_array_equal(ours[key], theirs[key])


def test_same_bytes_again_and_other_files_are_left(run, tmp_path):
    (tmp_path / "other.txt").write_text("mine")
    contents = []
    for _ in range(2):
        assert spintrit(f"export {run} -o {tmp_path}") == 0
        contents.append({path.name: path.read_bytes() for path in tmp_path.iterdir()})
    assert contents[0] == contents[1]
    assert contents[0]["other.txt"] == b"mine"


def test_arrays_of_an_earlier_export_go(run, tmp_path):
    (tmp_path / "array77.mem").write_text("old")
    (tmp_path / "array.txt").write_text("somebody's")
    assert spintrit(f"export {run} -o {tmp_path}") == 0
    arrays = json.loads((tmp_path / "layout.json").read_text())["arrays"]
    assert sorted(path.name for path in tmp_path.glob("array*")) == sorted(["array.txt", *arrays])


def test_what_cannot_be_exported(run, tmp_path, capsys):
    assert "not the folder of a run" in error_of(f"export {tmp_path} -o {tmp_path}", capsys)
    assert "cols must be a multiple of" in error_of(f"export {run} -o {tmp_path} --cols 7", capsys)
    assert "required: -o" in error_of(f"export {run}", capsys)
    before = {path: path.read_bytes() for path in run.iterdir()}
    with pytest.raises(ValueError, match="is the folder of a run"):
        export(load(run, "best"), run)
    assert {path: path.read_bytes() for path in run.iterdir()} == before
    (tmp_path / "file").write_text("mine")
    assert str(tmp_path / "file") in error_of(f"export {run} -o {tmp_path / 'file'}", capsys)


# --- the generated Verilog ---

SIZE = "--rows 24 --cols 18 --columns-per-cycle 2"


def test_generate_takes_the_files(run, tmp_path):
    assert spintrit(f"export {run} -o {tmp_path}") == 0
    path = tmp_path / "array1.mem"
    assert spintrit(f"generate {SIZE} --init {path} -o {tmp_path / 'a.v'}") == 0
    text = (tmp_path / "a.v").read_text()
    found = re.findall(r"^    cells\[\d+\] = 96'h([0-9a-f]+);$", text, re.M)
    assert found == [line for line in path.read_text().split("\n") if line and line[0] != "/"]


def test_without_a_file_nothing_changes():
    config = ArrayConfig(rows=2, cols=2, draw_bits=8, code_bits=2)
    text = array_verilog(config)
    assert text == array_verilog(config, init=[0, 0])
    assert text != array_verilog(config, init=[0, 5])


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("0f\n", "holds 1 words, the array has 3"),
        ("0f\n1\n3f", "line 2: a word of the array has 2 digits, 6 bits"),
        ("0f\n3f 40", "line 2: a word of the array has 2 digits, 6 bits"),
        ("0f\n3f\n0x", "line 3: '0x' is no hexadecimal number"),
        ("0f\n3f\n@0", "line 3: '@0' is no hexadecimal number"),
        ("\N{DEGREE SIGN}", "holds|hexadecimal"),
    ],
)
def test_other_files_are_refused(text, message, tmp_path, capsys):
    path = tmp_path / "x.mem"
    path.write_text(text)
    config = ArrayConfig(rows=3, cols=3)
    with pytest.raises(ValueError, match=message):
        read_mem(config, path)
    line = f"generate --rows 3 --cols 3 --init {path} -o {tmp_path / 'a.v'}"
    assert str(path) in error_of(line, capsys)
    assert not (tmp_path / "a.v").exists()


def test_a_sound_file_and_no_text(tmp_path, capsys):
    path = tmp_path / "x.mem"
    path.write_text("// three\n0f 3F // two\n\n00\n")
    assert read_mem(ArrayConfig(rows=3, cols=3), path) == [0x0F, 0x3F, 0]
    path.write_bytes(b"\xff\xfe")
    with pytest.raises(ValueError, match="is no memory file"):
        read_mem(ArrayConfig(rows=3, cols=3), path)
    assert "nosuch" in error_of(f"generate --init {tmp_path / 'nosuch'} -o x.v", capsys)

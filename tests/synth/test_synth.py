# amaranth: UnusedElaboratable=no
"""Verilog generation: the same bytes every time, the ports that users wire, errors that tell."""

import dataclasses
import hashlib
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

import synth.generate
from golden.array import frames
from golden.config import ArrayConfig
from synth.functions import with_plain_functions
from synth.generate import TOP_NAME, array_verilog
from synth.passes.widths import tidy

SMALL = ArrayConfig(rows=2, cols=4, columns_per_cycle=2, draw_bits=8, code_bits=3)
CALL = """
from golden.config import ArrayConfig
from synth.generate import array_verilog
config = ArrayConfig(rows=2, cols=4, columns_per_cycle=2, draw_bits=8, code_bits=3)
print(array_verilog(config), end="")
"""


@pytest.fixture(scope="module")
def verilog():
    return array_verilog(SMALL)


# --- the text ---


@pytest.fixture
def uncached(tmp_path, monkeypatch):
    """An empty cache folder."""
    monkeypatch.setenv("SPINTRIT_CACHE", str(tmp_path))


def test_same_bytes_again(verilog, uncached):
    assert array_verilog(SMALL) == verilog


@pytest.fixture
def calls(monkeypatch):
    """Scripts of the calls of a Yosys that is quick: its text depends on design and script."""
    calls = []

    def quick(design, script):
        calls.append(script)
        made = hashlib.sha256((design + script).encode()).hexdigest()
        return f"module made_{made};\nendmodule\n"

    monkeypatch.setattr(synth.generate, "_yosys", quick)
    return calls


def test_text_is_kept_until_something_that_makes_it_changes(uncached, calls, monkeypatch):
    verilog = array_verilog(SMALL)
    for _ in range(2):
        assert array_verilog(SMALL) == verilog
        assert len(calls) == 2
    other = dataclasses.replace(SMALL, cols=6)
    assert array_verilog(other) != verilog  # the design
    assert len(calls) == 4
    monkeypatch.setattr(synth.generate, "_WRITE", "write_verilog -norename")  # a script
    assert array_verilog(SMALL) != verilog
    assert len(calls) == 6
    monkeypatch.setattr(synth.generate, "_CODE", ["of another release"])
    array_verilog(SMALL)
    assert len(calls) == 8
    monkeypatch.setattr(synth.generate, "_yosys_version", lambda: "0.99")
    array_verilog(SMALL)
    assert len(calls) == 10


def test_damaged_text_is_made_again(uncached, calls, tmp_path):
    verilog = array_verilog(SMALL)
    (kept,) = (tmp_path / "verilog").iterdir()
    sound = kept.read_bytes()
    for damaged in (b"", sound[:-9], sound.replace(b"endmodule", b"endmodul3", 1)):
        kept.write_bytes(damaged)
        assert array_verilog(SMALL) == verilog
        assert kept.read_bytes() == sound
    assert len(calls) == 8


@pytest.mark.parametrize("hash_seed", ["1", "4242"])
def test_same_bytes_in_another_process(verilog, uncached, hash_seed):
    done = subprocess.run(
        [sys.executable, "-c", CALL],
        env={**os.environ, "PYTHONHASHSEED": hash_seed},
        cwd=Path(__file__).parents[2],
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout == verilog


def ports(verilog, name):
    """Of a module: name -> (direction, width)."""
    body = re.search(rf"^module {name}\((.*?)\);(.*?)^endmodule", verilog, re.M | re.S)
    found = re.findall(r"^  (input|output) (?:\[(\d+):0\] )?(\w+);", body[2], re.M)
    declared = {port: (way, int(high or 0) + 1) for way, high, port in found}
    assert sorted(declared) == sorted(body[1].split(", "))
    return declared


def check_ports(verilog, name, config):
    assert ports(verilog, name) == {
        "clk": ("input", 1),
        "rst": ("input", 1),
        "i_valid": ("input", 1),
        "i_ready": ("output", 1),
        "i_data": ("input", frames.data_bits(config)),
        "i_last": ("input", 1),
        "o_valid": ("output", 1),
        "o_ready": ("input", 1),
        "o_data": ("output", frames.result_bits(config)),
        "o_last": ("output", 1),
        "cause": ("output", 3),
    }


def test_ports_are_flat(verilog):
    assert TOP_NAME == "spintrit_array"
    check_ports(verilog, TOP_NAME, SMALL)


def test_another_name_and_another_array(verilog):
    config = ArrayConfig(rows=9, cols=2, synapse="binary")
    other = array_verilog(config, "_My0array")
    check_ports(other, "_My0array", config)
    assert TOP_NAME not in other


def test_text_names_its_parameters_and_no_place(verilog):
    first, *rest = verilog.splitlines()
    assert first == f"// {SMALL!r}"
    assert str(Path(__file__).parents[2]) not in verilog
    assert not any(re.search(r"\(\* *src", line) for line in rest)


def test_one_module_of_each_name(verilog):
    names = re.findall(r"^module (.+?) ?\(", verilog, re.M)
    assert len(names) == len(set(names)) > 3


@pytest.mark.parametrize(
    "name", ["", "1array", "my-array", "a b", "a;b", "größe", "array\n", "a.b", "$x"]
)
def test_name_must_be_an_identifier(name):
    pattern = rf"^name must be a Verilog identifier, not {re.escape(repr(name))}$"
    with pytest.raises(ValueError, match=pattern):
        array_verilog(SMALL, name)


def test_failure_of_yosys_is_told(monkeypatch):
    monkeypatch.setattr(synth.generate, "_CLEAN", "no_such_pass")
    with pytest.raises(RuntimeError, match=r"^Yosys failed: .*no_such_pass"):
        array_verilog(SMALL)


# --- functions ---


def test_functions_have_plain_names_and_cases_that_do_not_overlap(verilog):
    names = re.findall(r"^  function \[\d+:0\] (.+?) *;", verilog, re.M)
    assert names  # which counter is read, and states
    assert all(re.fullmatch(r"pmux_\d+", name) for name in names)
    assert "casez" not in verilog


PMUX = """\
module \\{name}
  wire \\pmux_0
  cell $pmux $procmux$7
  end
  cell $pmux \\named
  end
  cell $pmux $1
  end
  cell $mux $2
  end
end
"""


def test_unnamed_functions_get_names_that_are_free():
    expected = PMUX.replace("$procmux$7", "\\pmux_1").replace("$1\n", "\\pmux_2\n")
    text = PMUX.format(name="a") + PMUX.format(name="b")
    assert with_plain_functions(text) == expected.format(name="a") + expected.format(name="b")


# --- widths ---


def cell(kind, a, b, *, widths, signed=(0, 0), result="\\y"):
    """A module with one cell, as Yosys writes it."""
    params = [(f"{port}_SIGNED", value) for port, value in zip("AB", signed, strict=True)]
    params += [(f"{port}_WIDTH", value) for port, value in zip("ABY", widths, strict=True)]
    lines = [
        "module \\top",
        f"  cell {kind} $1",
        *(f"    parameter \\{name} {value}" for name, value in params),
        f"    connect \\A {a}",
        f"    connect \\B {b}",
        f"    connect \\Y {result}",
        "  end",
        "end",
    ]
    return "\n".join(lines) + "\n"


EXTENDED = [
    # unsigned: zeros above
    ("\\a", 3, 0, 5, "{ 2'00 \\a }"),
    ("\\a [6:4]", 3, 0, 4, "{ 1'0 \\a [6:4] }"),
    ("{ \\a \\b }", 3, 0, 4, "{ 1'0 { \\a \\b } }"),
    ("3'101", 3, 0, 4, "{ 1'0 3'101 }"),
    # signed: the top bit again and again
    ("\\a", 3, 1, 5, "{ \\a [2] \\a [2] \\a }"),
    ("\\a [6:4]", 3, 1, 5, "{ \\a [6] \\a [6] \\a [6:4] }"),
    ("\\a [4]", 1, 1, 3, "{ \\a [4] \\a [4] \\a [4] }"),
    ("$12 [3:1]", 3, 1, 4, "{ $12 [3] $12 [3:1] }"),
    ("3'101", 3, 1, 5, "5'11101"),
    ("3'011", 3, 1, 5, "5'00011"),
]


@pytest.mark.parametrize("kind", ["$eq", "$ne", "$lt", "$le", "$gt", "$ge"])
@pytest.mark.parametrize(("operand", "width", "signed", "target", "wide"), EXTENDED)
def test_comparisons_get_operands_of_one_width(kind, operand, width, signed, target, wide):
    flags = (signed, signed)
    text = cell(kind, operand, "\\other", widths=(width, target, 1), signed=flags)
    assert tidy(text) == cell(kind, wide, "\\other", widths=(target, target, 1), signed=flags)
    text = cell(kind, "\\other", operand, widths=(target, width, 1), signed=flags)
    assert tidy(text) == cell(kind, "\\other", wide, widths=(target, target, 1), signed=flags)


@pytest.mark.parametrize("kind", ["$add", "$sub"])
@pytest.mark.parametrize(("operand", "width", "signed", "target", "wide"), EXTENDED)
def test_sums_get_operands_as_wide_as_the_result(kind, operand, width, signed, target, wide):
    flags = (signed, signed)
    text = cell(kind, operand, operand, widths=(width, width, target), signed=flags)
    assert tidy(text) == cell(kind, wide, wide, widths=(target,) * 3, signed=flags)


@pytest.mark.parametrize("kind", ["$eq", "$add"])
def test_equal_widths_are_left(kind):
    text = cell(kind, "{ \\a \\b }", "\\c", widths=(4, 4, 4), signed=(1, 1))
    assert tidy(text) == text


@pytest.mark.parametrize("kind", ["$and", "$mux", "$shr", "$neg"])
def test_other_cells_are_left(kind):
    text = cell(kind, "\\a", "\\b", widths=(2, 5, 9))
    assert tidy(text) == text


@pytest.mark.parametrize("operand", ["{ \\a \\b }", "4'10x0"])
def test_what_has_no_one_sign_bit_is_refused(operand):
    text = cell("$add", operand, "\\b", widths=(4, 5, 5), signed=(1, 1))
    pattern = rf"^cannot sign-extend the RTLIL operand {re.escape(repr(operand))}$"
    with pytest.raises(ValueError, match=pattern):
        tidy(text)


@pytest.mark.parametrize(
    ("operand", "sign"),
    [("{ \\a \\b }", "\\a [6]"), ("{ \\b \\a }", "\\b [0]"), ("{ \\c [3:2] \\a }", "\\c [3]"),
     ("{ \\c [3] \\a }", "\\c [3]"), ("{ 2'10 \\a }", "1'1"), ("{ 1'0 \\c }", "1'0")],
)  # fmt: skip
def test_a_concatenation_has_the_sign_of_its_first_bit(operand, sign):
    wires = "  wire width 7 input 1 \\a\n  wire \\b\n"

    def module(operand, width):
        text = cell("$add", operand, "\\d", widths=(width, 10, 10), signed=(1, 1))
        return text.replace("module \\top\n", f"module \\top\n{wires}")

    assert tidy(module(operand, 8)) == module(f"{{ {sign} {sign} {operand} }}", 10)


TRIMMED = """\
module \\top
  wire width 8 $1
  wire width 8 $2
  wire width 8 $3
  wire width {four} $4
  wire width {two} $5
  wire width 8 \\named
  connect \\a $1
  connect \\b {{ $2 [1:0] $2 }}
  connect \\c $3 [7:2]
  connect \\d {{ $4 [3:1] $4 [0] $5 [1] }}
  connect \\e \\named [0]
end
"""


def test_unnamed_wires_lose_what_nobody_reads():
    assert tidy(TRIMMED.format(four=8, two=8)) == TRIMMED.format(four=4, two=2)


def test_wires_of_the_same_name_in_two_modules_are_apart():
    text = "module \\{}\n  wire width {} $1\n  connect \\a $1{}\nend\n"
    wide, narrow = text.format("x", 8, ""), text.format("y", 8, " [2:0]")
    assert tidy(wide + narrow) == wide + text.format("y", 3, " [2:0]")
    assert tidy(narrow + wide) == text.format("y", 3, " [2:0]") + wide


def test_constants_are_no_wires():
    """A width in front of an apostrophe, and a slice of something else, mean nothing to ``$1``."""
    text = "module \\x\n  wire width 4 $1\n  connect \\a {{ 8'00000000 $10 [7] $1 [{}] }}\nend\n"
    assert tidy(text.format(3)) == text.format(3)

"""Boards: clocks by the data sheets' formulas, pins, and what a build says and leaves."""

import functools
import itertools
import json
import re
from fractions import Fraction
from pathlib import Path

import pytest
from commands import error_of

from golden.array import serial
from golden.array.golden import GoldenArray
from golden.config import ArrayConfig
from golden.matrix.tiled import ArrayBank
from golden.network import notation
from golden.network.network import Network
from golden.pulse.table import tanh_table
from hdl.board import pll
from spintrit.cli import main as cli
from synth import bitstream, boards, flow
from synth.bitstream import TimingError, build, sources
from synth.boards import BOARDS, Workload, board
from synth.flow import DoesNotFitError, Hop, Synthesis, Timing
from synth.targets import Area
from synth.tools import ToolError

ROOT = Path(__file__).parents[2]
SMALL = Workload(network="6FC", inputs=(9,), classes=3, batch=4)
MHZ = pll.MHZ


@pytest.mark.parametrize("output", [25, 37.5, 50, 62.5, 75, 99.5, 100, 400])
def test_ecp5_pll_is_within_the_data_sheet_and_one_percent(output):
    output = int(output * MHZ)
    found = pll.ecp5(25 * MHZ, output)
    made = Fraction(25 * MHZ, found.clki_div) * found.clkfb_div
    assert found.hertz(25 * MHZ) == made
    assert abs(made - output) <= output / 100
    assert 10 * MHZ <= 25 * MHZ / found.clki_div <= 400 * MHZ
    assert 400 * MHZ <= made * found.clkop_div <= 800 * MHZ
    assert all(1 <= n <= 128 for n in (found.clki_div, found.clkfb_div, found.clkop_div))
    # No other dividers are nearer. With an input of 25 MHz only 1 and 2 leave the detector 10 MHz.
    nearest = min(
        abs(Fraction(25 * MHZ * fb, i) - output)
        for i, fb in itertools.product((1, 2), range(1, 129))
    )
    assert abs(made - output) == nearest


@pytest.mark.parametrize("output", [16, 20, 24, 30, 33, 48, 100, 270])
def test_ice40_pll_is_within_the_data_sheet_and_nearest(output):
    output *= MHZ
    found = pll.ice40(12 * MHZ, output)
    allowed = {}
    for divr, divf, divq in itertools.product(range(16), range(128), range(1, 7)):
        oscillator = Fraction(12 * MHZ * (divf + 1), divr + 1)
        made = oscillator / 2**divq
        if (
            10 * MHZ <= Fraction(12 * MHZ, divr + 1) <= 133 * MHZ
            and 533 * MHZ <= oscillator <= 1066 * MHZ
            and 16 * MHZ <= made <= 275 * MHZ
        ):
            allowed[divr, divf, divq] = made
    made = allowed[found.divr, found.divf, found.divq]
    assert made == found.hertz(12 * MHZ)
    assert abs(made - output) == min(abs(m - output) for m in allowed.values()) <= output / 100
    assert found.filter_range == 1  # for a detector below 17 MHz


@pytest.mark.parametrize(
    ("source", "chosen"), [(16, 1), (25, 2), (40, 3), (60, 4), (100, 5), (120, 6)]
)
def test_ice40_filter_follows_the_detector(source, chosen):
    assert pll.ice40(source * MHZ, source * MHZ).filter_range == chosen


@pytest.mark.parametrize(
    ("make", "source", "output", "message"),
    [
        (pll.ice40, 12 * MHZ, 12 * MHZ, "output must be in 16000000 to 275000000, not"),
        (pll.ice40, 9 * MHZ, 48 * MHZ, "source must be in 10000000 to 133000000, not"),
        (pll.ecp5, 25 * MHZ, 3 * MHZ, "output must be in 3125000 to 400000000, not"),
        (pll.ecp5, 25 * MHZ, 401 * MHZ, "output must be in 3125000 to 400000000, not"),
        (pll.ecp5, 25 * MHZ, 48 * MHZ, "output must be a frequency that the ECP5 PLL makes from"),
    ],
)
def test_clock_that_no_pll_makes_is_refused(make, source, output, message):
    with pytest.raises(ValueError, match=f"^{message}"):
        make(source, output)


@pytest.mark.parametrize("make", [pll.ecp5, pll.ice40])
def test_frequency_is_an_integer(make):
    with pytest.raises(TypeError, match=r"^output must be an integer"):
        make(25 * MHZ, 5e7)


@functools.cache
def written(name, mhz):
    """The files of a small design at a clock."""
    return sources(board(name, rows=2, work=SMALL, hertz=mhz * MHZ))


@pytest.mark.parametrize("name", BOARDS)
def test_pins_are_the_boards(name):
    own = board(name)
    text = written(name, own.hertz // MHZ)[f"top.{bitstream.FAMILIES[own.family].pins}"]
    if own.family == "ecp5":
        places = dict(re.findall(r'LOCATE COMP "(\w+)" SITE "(\w+)"', text))
        assert 'FREQUENCY PORT "clk25_0__io" 25000000.0 HZ' in text
        assert places == {
            "clk25_0__io": "G2", "uart_0__rx__io": "M1", "uart_0__tx__io": "L4",
            "led_0__io": "B2", "led_1__io": "C2", "led_2__io": "C1",
        }  # fmt: skip
        assert text.count("IO_TYPE=LVCMOS33") == len(places)
    else:
        assert dict(re.findall(r"set_io (\w+) (\w+)", text)) == {
            "clk12_0__io": "35", "uart_0__rx__io": "6", "uart_0__tx__io": "9",
            "led_0__io": "11", "led_1__io": "37",
        }  # fmt: skip
        assert "set_frequency clk12_0__io 12.0" in text


@pytest.mark.parametrize(
    ("name", "mhz", "cells"),
    [
        ("icebreaker", 12, []),
        ("icebreaker", 24, ["SB_PLL40_PAD"]),
        ("ulx3s-85f", 25, []),
        ("ulx3s-85f", 50, ["EHXPLLL"]),
    ],
)
def test_design_has_its_pll_but_for_the_oscillator_s_own_clock(name, mhz, cells):
    text = written(name, mhz)["top.il"]
    assert re.findall(r"cell \\(\w*PLL\w*) ", text) == cells
    if cells == ["SB_PLL40_PAD"]:
        for name, value in {"DIVR": 0, "DIVF": 63, "DIVQ": 5}.items():  # 12 MHz * 64 / 2^5
            assert re.search(rf"parameter( signed)? \\{name} {value}\b", text)


@pytest.mark.parametrize("name", BOARDS)
def test_bits_on_the_line_are_near_the_rate(name):
    own = board(name)
    assert abs(own.hertz / own.divisor() / own.baud - 1) < 0.02
    assert own.clock() == own.hertz == own.divisor() * own.baud, "the default is to be exact"


@pytest.mark.parametrize("name", BOARDS)
def test_oscillator_is_the_platform_s(name):
    assert board(name).oscillator == board(name).pins().default_clk_frequency


@pytest.mark.parametrize(
    ("name", "mhz", "made"),
    [("icebreaker", 24.1, 24), ("icebreaker", 17.1, 17.25), ("ulx3s-85f", 37.2, 37.5)],
)
def test_bits_on_the_line_are_of_the_clock_that_the_pll_makes(name, mhz, made):
    hertz, made = round(mhz * MHZ), Fraction(made) * MHZ
    assert board(name, hertz=hertz, baud=300).clock() == made
    for baud in range(9600, int(made) // 4, 99_973):
        divisor = round(made / baud)
        if abs(made / divisor - baud) <= Fraction(baud, 50):
            assert board(name, hertz=hertz, baud=baud).divisor() == divisor
        else:
            with pytest.raises(ValueError, match=rf"^baud must be within 2 % of {made} Hz over a"):
                board(name, hertz=hertz, baud=baud)


@pytest.mark.parametrize(
    ("changes", "error", "message"),
    [
        ({"name": "nexys"}, ValueError, "board must be one of "),
        ({"rows": 0}, ValueError, "rows must be in 1 to 4096, not 0"),
        ({"baud": 7_000_000}, ValueError, "baud must be within 2 % of 25000000 Hz over a whole"),
        ({"baud": 12_500_000}, ValueError, "baud must be in 300 to 12000000, not"),
        ({"baud": 1e6}, TypeError, "baud must be an integer"),
        ({"hertz": 3 * MHZ}, ValueError, "output must be in 3125000 to 400000000, not 3000000"),
        ({"baud": 8_300_000}, ValueError, "divisor must be at least 4, not 3"),
        (
            {"name": "icebreaker", "work": Workload(network="999FC-999FC")},
            ValueError,
            "cols must be in 1 to 65535, not ",
        ),
        (
            {"name": "icebreaker", "work": Workload(network="8C3")},
            ValueError,
            "network: 8C3 needs images, not inputs of shape (64,)",
        ),
        ({"work": Workload(network="9XY")}, ValueError, ""),
        ({"work": Workload(classes=0)}, ValueError, "classes must be at least 1, not 0"),
    ],
)
def test_board_that_cannot_be_is_refused(changes, error, message):
    with pytest.raises(error, match=f"^{re.escape(message)}"):
        board(**({"name": "ulx3s-85f"} | changes))


@pytest.mark.parametrize(
    ("network", "inputs", "cols"),
    [
        ("128FC", (64,), 10 * 128 + 19 * 10),
        ("8C5-MP2", (28, 28, 1), 4 * 8 + 165 * 10),  # whose activations no accelerator has room for
        ("8C3-MP4", (28, 28, 1), 2 * 8 + 42 * 10),  # nor does one pool by 4
        ("6C3p1-5C2-4FC", (5, 4, 3), 4 * 6 + 4 * 5 + 9 * 4 + 1 * 10),
        ("", (9,), 2 * 10),
    ],
)
def test_array_has_the_columns_that_the_host_takes(network, inputs, cols):
    config = board(
        "icebreaker", work=Workload(network=network, inputs=inputs, batch=60_000)
    ).config()
    assert (config.rows, config.cols) == (7, cols)
    bank = ArrayBank(GoldenArray, config, tanh_table(config), 1)
    Network(bank, inputs, notation.parse(network), 10)
    assert len(bank.arrays) == 1
    assert bank.used(0) == cols


@pytest.mark.parametrize("seed", [0, 1 << 31])
def test_seed_is_checked_before_anything_is_made(seed, tmp_path):
    with pytest.raises(ValueError, match=r"^seed must be in 1 to "):
        build(board("icebreaker"), tmp_path / "none", seed=seed)
    assert not (tmp_path / "none").exists()


def test_array_registers_tell_its_configuration():
    for config in (
        ArrayConfig(rows=8, cols=12, counters=False, code_bits=4, draw_bits=8),
        ArrayConfig(rows=300, cols=2000, synapse="binary", variant_bits=2, draw_bits=32),
    ):
        assert serial.config_of(serial.registers(config)) == config
        assert set(serial.registers(config)) == set(serial.ADDRESSES)
    with pytest.raises(ValueError, match=r"^columns_per_cycle must be 1 behind a serial line, not"):
        serial.registers(ArrayConfig(columns_per_cycle=2))
    words = serial.registers(ArrayConfig())
    with pytest.raises(ValueError, match=r"^VERSION must be 0x00010000, not 0x00020000$"):
        serial.config_of(words | {4: 0x20000})


# A build without its tools: what it leaves, and what it says.

PATH = [Hop("clk-to-q", "core.array.word_SB_DFFE_Q", 0.5), Hop("setup", "core.bridge.part", 1.5)]


@pytest.fixture
def tools(monkeypatch):
    """Tools that take no time; their clock can be changed, and they can fail."""
    state = {"achieved": 31.5, "error": None}

    def netlist(board, files, folder):
        for file, text in files.items():
            (folder / file).write_text(text)
        return Synthesis(folder / "top.json", "top", Area(lut4=7))

    def place(synthesis, chip, *, seed, freq_mhz, output):
        if state["error"]:
            raise state["error"]
        fmax = {"clk": {"achieved": state["achieved"], "constraint": freq_mhz}}
        report = synthesis.netlist.with_name("top-report.json")
        report.write_text(json.dumps({"fmax": fmax}))
        state["options"] = chip.arguments
        return Timing(state["achieved"], PATH, {"ICESTORM_LC": (70, 5280)})

    def call(name, imports, expression, *words, cwd):
        (cwd / words[-1]).write_bytes(b"bits")

    monkeypatch.setattr(bitstream, "netlist", netlist)
    monkeypatch.setattr(flow, "place", place)
    monkeypatch.setattr(bitstream, "call", call)
    monkeypatch.setattr(bitstream.yosys, "version", lambda: "Yosys 0")
    monkeypatch.setattr(flow, "placer_version", lambda chip: "0")
    return state


@pytest.mark.parametrize(("name", "suffix"), [("icebreaker", "bin"), ("ulx3s-85f", "bit")])
def test_build_leaves_bitstream_timing_and_summary(tools, tmp_path, name, suffix, capsys):
    tools["achieved"] = 51.0
    assert cli.main(["fpga", "--board", name, "-o", str(tmp_path), "--rows", "4"]) == 0
    assert f"{name}.{suffix}" in capsys.readouterr().out
    assert (tmp_path / f"{name}.{suffix}").read_bytes() == b"bits"
    pins = bitstream.FAMILIES[BOARDS[name].family].pins
    assert {path.name for path in tmp_path.iterdir()} == {
        f"{name}.{suffix}", f"{name}.{pins}", "timing.txt", "timing.json", "summary.json",
    }  # fmt: skip
    summary = json.loads((tmp_path / "summary.json").read_text())
    assert summary["seed"] == 1
    assert summary["area"]["lut4"] == 7
    assert set(summary["seconds"]) == {"synthesis", "place and route", "bitstream"}
    text = (tmp_path / "timing.txt").read_text()
    assert re.search(r"clk +51.00 +(24|25).00  met", text)
    assert summary["clock_hz"] == BOARDS[name].hertz
    assert "array.word~" in text
    assert not any(word.endswith("allow-unconstrained") for word in tools["options"])


def test_summary_tells_the_clock_that_the_pll_makes(tools, tmp_path):
    built = build(board("icebreaker", hertz=24_100_000), tmp_path)
    assert built.clocks["clk"] == (31.5, 24)
    summary = json.loads((tmp_path / "summary.json").read_text())
    assert (summary["clock_hz"], summary["divisor"]) == (24_000_000, 24)


@pytest.mark.parametrize(
    ("error", "status", "message"),
    [
        (None, 1, r"icebreaker is too slow: clk reaches 11\.5 MHz, not 24 \(see .*timing\.txt\)"),
        (DoesNotFitError("does not fit x: LC 9 of 8", "", {}), 1, "does not fit x: LC 9 of 8"),
        (ToolError("nextpnr failed: no"), 2, "error: nextpnr failed: no"),
    ],
)
def test_build_that_fails_is_one_line_and_leaves_no_bitstream(
    tools, tmp_path, error, status, message, capsys
):
    tools |= {"achieved": 11.5, "error": error}
    for name in ("icebreaker.bin", "icebreaker.pcf", "summary.json"):
        (tmp_path / name).write_bytes(b"of before")
    assert cli.main(["fpga", "--board", "icebreaker", "-o", str(tmp_path)]) == status
    told = capsys.readouterr().err
    assert re.fullmatch(f"spintrit: {message}\n", told)
    names = {path.name for path in tmp_path.iterdir()}
    assert names == (
        set() if error else {"icebreaker.pcf", "timing.txt", "timing.json", "summary.json"}
    )
    if not error:
        assert "NOT MET" in (tmp_path / "timing.txt").read_text()


def test_slow_build_is_an_error_of_its_own(tools, tmp_path):
    tools["achieved"] = 1.0
    with pytest.raises(TimingError, match=r"^icebreaker is too slow: "):
        build(board("icebreaker"), tmp_path)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ("", "one of the arguments --board --list is required"),
        ("--board nexys", "board must be one of ulx3s-85f, icebreaker, not 'nexys'"),
        ("--board icebreaker --clock 0.5", "clock must be between 1 and 400 MHz, not 0.5"),
        ("--board icebreaker --clock 14", "output must be in 16000000 to 275000000, not"),
        ("--board icebreaker --baud 5000000", "baud must be within 2 % of 24000000 Hz"),
        ("--board icebreaker --rows 5000", "rows must be in 1 to 4096, not 5000"),
        ("--board icebreaker --inputs 3x", "inputs must be a shape"),
        ("--board icebreaker --seed 0", "seed must be in 1 to"),
        ("--board icebreaker --batch 128", "batch = 128 is for a board with an accelerator: iceb"),
    ],
)
def test_wrong_arguments_are_one_line(options, message, tmp_path, capsys):
    words = f"fpga {options} -o {tmp_path / 'out'}"
    assert message in error_of(words, capsys)
    assert not (tmp_path / "out").exists()


def test_list_tells_the_boards(capsys):
    assert cli.main(["fpga", "--list"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert [line.partition(":")[0] for line in lines] == list(BOARDS)


def test_missing_boards_package_is_told(monkeypatch):
    def missing(name):
        raise ModuleNotFoundError(f"No module named {name!r}")

    monkeypatch.setattr(boards.importlib, "import_module", missing)
    with pytest.raises(ImportError, match=r"pip install '\.\[fpga\]' in the checkout$"):
        sources(board("icebreaker"))


@pytest.mark.parametrize("name", BOARDS)
def test_page_tells_the_boards(name):
    page = (ROOT / "docs" / "boards.md").read_text()
    assert f"spintrit fpga --board {name}" in page
    assert f"`{name}`" in page
    options = board(name).training()
    assert f"spintrit train {options}" in page
    cli.parser().parse_args(["train", *options.split()])

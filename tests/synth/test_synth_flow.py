"""Synthesis for FPGAs: how cells count, what the tools' reports become, what is refused."""

import pytest
from amaranth.hdl import Module
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out
from amaranth.sim import Simulator

from golden.config import ArrayConfig
from hdl.array.read_path import ReadPath
from hdl.array.write_path import WritePath
from hdl.lib.dot import TernaryDot
from synth import flow, yosys
from synth.harness import Harness
from synth.targets import TARGETS, Area, lone_carries, target
from synth.tools import MissingToolError, ToolError, call, first_error


def cells(**counts):
    """A netlist of so many cells of each type, without connections."""
    return {
        f"{kind}_{n}": {
            "type": f"${kind[2:]}" if kind.startswith("S_") else kind,
            "connections": {},
            "parameters": {},
        }
        for kind, count in counts.items()
        for n in range(count)
    }


def test_ecp5_counts_as_nextpnr_does():
    netlist = cells(
        LUT4=10, CCU2C=3, TRELLIS_DPR16X4=2, PFUMX=4, L6MUX21=1, TRELLIS_FF=7, DP16KD=1,
        MULT18X18D=2, S_scopeinfo=5,
    )  # fmt: skip
    assert target("ecp5-85k").area(netlist) == Area(lut4=10 + 2 * 3 + 6 * 2, ff=7, bram=1, dsp=2)


def test_gowin_counts():
    netlist = cells(
        LUT1=1, LUT2=2, LUT3=3, LUT4=4, ALU=5, RAM16SDP4=1, MUX2_LUT5=9, DFFRE=6, DFF=1, SDPB=2,
        IBUF=3, GND=1,
    )  # fmt: skip
    assert target("gowin").area(netlist) == Area(lut4=10 + 5 + 8, ff=7, bram=2)


def test_cells_that_are_not_known_are_told():
    area = target("ecp5-25k").area(cells(LUT4=1, ODDRX1F=2))
    assert (area.lut4, area.other) == (1, {"ODDRX1F": 2})


def test_generic_leaves_memories():
    memory = {"type": "$mem_v2", "parameters": {"SIZE": "0" * 28 + "1000", "WIDTH": "101"}}
    netlist = cells(S_lut=3) | {"m": memory | {"connections": {}}}
    netlist |= {"f": {"type": "$_SDFFCE_PP0P_", "connections": {}, "parameters": {}}}
    assert target("generic").area(netlist) == Area(lut4=3, ff=1, memory_bits=40)


def test_ice40_carries_share_the_place_of_a_lut_with_their_inputs():
    def cell(kind, **ports):
        return {"type": kind, "connections": {port: [bit] for port, bit in ports.items()}}

    netlist = {
        "sum": cell("SB_LUT4", I0="0", I1=2, I2=3, I3=4, O=5),
        "carry": cell("SB_CARRY", I0=2, I1=3, CI=4, CO=6),
        # Other operands, and a second carry for the one LUT: each by itself.
        "lone": cell("SB_CARRY", I0=2, I1=7, CI=6, CO=8),
        "again": cell("SB_CARRY", I0=2, I1=3, CI=4, CO=9),
    }
    assert lone_carries(netlist, "SB_CARRY") == 2
    assert target("ice40up5k").area(netlist) == Area(lut4=3)


def test_unknown_target():
    with pytest.raises(ValueError, match=r"^target must be one of ecp5-85k.*, not 'ecp6'$"):
        target("ecp6")


def test_areas_subtract_to_what_is_left():
    parts = [
        flow.Part("", 1, Area(lut4=100, ff=50)),
        flow.Part("a", 2, Area(lut4=30, ff=20)),
        flow.Part("a.b", 4, Area(lut4=10, ff=2)),
    ]
    assert parts[0].own(parts) == Area(lut4=40, ff=10)
    assert parts[1].own(parts) == Area(lut4=10, ff=16)
    assert parts[2].own(parts) == Area(lut4=10, ff=2)


def test_yosys_says_its_version_and_returns_its_log(tmp_path):
    assert yosys.version().startswith("Yosys ")
    assert "a message" in yosys.run("log a message")
    yosys.run("design -reset\ntee -q -o here log it", tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["here"]


def test_yosys_errors_are_one_line(capfd):
    with pytest.raises(ToolError, match=r"^Yosys failed: File `none.il' not found[^\n]*$"):
        yosys.run("read_rtlil none.il")
    with pytest.raises(ToolError, match=r"^Yosys failed: No such command: nonsense [^\n]*$"):
        yosys.run("nonsense")
    assert capfd.readouterr() == ("", "")


@pytest.fixture
def engines(monkeypatch):
    """Others in the place of Yosys's packages."""

    def change(*found):
        monkeypatch.setattr(yosys, "ENGINES", found)
        yosys._found.cache_clear()

    yield change
    yosys._found.cache_clear()


def test_yosys_falls_back(engines):
    gone = yosys.Engine("gone", "import surely_not_there", "0", "0")
    other = yosys.Engine("other", "import sys", "print('ran', sys.argv[1])", "print('Yosys 9 x')")
    engines(gone, other)
    assert yosys.version() == "Yosys 9 (other)"
    assert yosys.run("anything").startswith("ran run-")


def test_without_yosys_the_extra_is_named(engines):
    engines(yosys.Engine("gone", "import surely_not_there", "0", "0"))
    with pytest.raises(MissingToolError, match=r"gone .*pip install '\.\[fpga\]' in the checkout$"):
        yosys.run("log")


def test_a_tool_that_dies_names_its_last_line(tmp_path):
    with pytest.raises(ToolError, match=r"^x failed: exit status 3 after 'so far'$") as caught:
        call("x", "import sys", "print('so far') or 3", cwd=tmp_path)
    assert caught.value.log == "so far\n"
    assert first_error("Warning: w\nf.v:3: ERROR: bad thing \nERROR: more", 1) == "bad thing"
    assert first_error("", 9) == "exit status 9"


REPORT = {
    "fmax": {
        "clk$glb": {"achieved": 83.333, "constraint": 100.0},
        "other": {"achieved": 200.0, "constraint": 100.0},
    },
    "critical_paths": [
        {"from": "<async>", "to": "posedge clk$glb", "path": []},
        {
            "from": "posedge clk$glb",
            "to": "posedge clk$glb",
            "path": [
                {"type": "clk-to-q", "delay": 0.5, "from": {"cell": "core.x_SB_DFF_Q_LC"},
                 "to": {"cell": "core.x_SB_DFF_Q_LC"}},
                {"type": "routing", "delay": 1.25, "net": "core.lane_0.flips[1]",
                 "from": {"cell": "a"}, "to": {"cell": "b"}},
                {"type": "logic", "delay": 0.4, "from": {"cell": "b"},
                 "to": {"cell": "core.lane_0.flips_TRELLIS_FF_Q_DI_LUT4_Z"}},
                {"type": "setup", "delay": 0.1, "from": {"cell": "b"},
                 "to": {"cell": "$nextpnr_CCU2C_0"}},
            ],
        },
    ],
    "utilization": {"ICESTORM_LC": {"used": 12, "available": 7680}},
}  # fmt: skip


def test_nextpnr_report_gives_the_slowest_clock_and_its_path():
    timing = flow.timing(REPORT)
    assert timing.fmax_mhz == 83.33
    assert timing.utilisation == {"ICESTORM_LC": (12, 7680)}
    assert [(hop.kind, hop.signal, hop.delay_ns) for hop in timing.path] == [
        ("clk-to-q", "x~", 0.5),
        ("routing", "lane_0.flips[1]", 1.25),
        ("logic", "lane_0.flips~", 0.4),
        ("setup", "carry~", 0.1),
    ]
    with pytest.raises(ToolError, match="no path from register to register"):
        flow.timing(REPORT | {"fmax": {}})


TOO_LARGE = """Info: Device utilisation:
Info: \t        TRELLIS_COMB:   30000/  24288   123%
Info: \t         TRELLIS_FF:      12/  24288     0%
ERROR: Unable to find a placement location for cell 'x'
"""


def nextpnr(monkeypatch, error):
    def failing(*_):
        raise error

    monkeypatch.setattr(flow, "_nextpnr", failing)


def synthesis(folder):
    return flow.Synthesis(folder / "top.json", "top", Area())


@pytest.mark.parametrize(
    "told",
    ["Unable to find a placement location for cell 'x'",
     "Unable to find legal placement for all cells, design is probably at utilisation limit.",
     "failed to place cell 'x'", "no more Bels remaining", "no BELs remaining"],
)  # fmt: skip
def test_a_design_that_does_not_fit_says_by_how_much(told, monkeypatch, tmp_path):
    nextpnr(monkeypatch, ToolError(f"nextpnr failed: {told}", TOO_LARGE.replace("30000", "20000")))
    with pytest.raises(flow.DoesNotFitError, match=r"^does not fit ecp5-25k: TRELLIS_COMB 20000 "):
        flow.place(synthesis(tmp_path), target("ecp5-25k"))


def test_a_design_of_more_cells_than_there_are_says_how_many(monkeypatch, tmp_path):
    nextpnr(monkeypatch, ToolError("nextpnr failed: other", TOO_LARGE))
    message = r"^does not fit ecp5-25k: TRELLIS_COMB 30000 of 24288$"
    with pytest.raises(flow.DoesNotFitError, match=message) as caught:
        flow.place(synthesis(tmp_path), target("ecp5-25k"))
    assert caught.value.utilisation["TRELLIS_FF"] == (12, 24288)


def test_what_is_too_large_is_not_placed(monkeypatch, tmp_path):
    calls = []

    def packing(chip, netlist, *arguments):
        calls.append(arguments)
        return TOO_LARGE

    monkeypatch.setattr(flow, "_nextpnr", packing)
    with pytest.raises(flow.DoesNotFitError, match=r"TRELLIS_COMB 30000 of 24288$"):
        flow.place(synthesis(tmp_path), target("ecp5-25k"))
    assert calls == [("--pack-only",)]


def test_other_errors_of_nextpnr_pass(monkeypatch, tmp_path):
    nextpnr(monkeypatch, ToolError("nextpnr failed: bad file", ""))
    with pytest.raises(ToolError, match=r"^nextpnr failed: bad file$"):
        flow.place(synthesis(tmp_path), target("ecp5-25k"))


@pytest.mark.parametrize(
    ("name", "options", "message"),
    [
        ("ecp5-25k", {"seed": 0}, r"^seed must be in 1 to 2147483647, not 0$"),
        ("ecp5-25k", {"freq_mhz": float("nan")}, r"^freq_mhz must be finite"),
        ("generic", {}, r"^target 'generic' has no place and route$"),
    ],
)
def test_place_refuses(tmp_path, name, options, message):
    with pytest.raises(ValueError, match=message):
        flow.place(synthesis(tmp_path), target(name), **options)


class Ports(wiring.Component):
    """Every output bit is an input bit, so that the harness's own way can be followed."""

    def __init__(self):
        super().__init__({"a": In(5), "b": Out(3), "c": Out(2)})

    def elaborate(self, platform):
        m = Module()
        m.d.comb += [self.b.eq(self.a[:3]), self.c.eq(self.a[3:])]
        return m


@pytest.mark.parametrize("bit", range(5))
def test_harness_lets_every_input_move_every_output(bit):
    """A single 1 that is shifted in passes all bits of ``a``, and is seen once at each."""
    dut = Harness(Ports())
    seen = []

    async def bench(ctx):
        ctx.set(dut.i, 1)
        await ctx.tick()
        ctx.set(dut.i, 0)
        for _ in range(12):
            seen.append(ctx.get(dut.o))
            await ctx.tick()

    sim = Simulator(dut)
    sim.add_clock(1e-6)
    sim.add_testbench(bench)
    sim.run()
    assert sum(seen) == 5
    first = seen.index(1)
    assert seen[first + bit] == 1


def test_ecp5_of_the_dot_product(tmp_path):
    """Cells of a real netlist are all known, and its registers are those of three stages."""
    found = flow.synthesise(TernaryDot(length=5), "dot", target("ecp5-85k"), tmp_path)
    assert found.area.other == {}
    # Two bits and eight carries of two chains, five bits after the tree, the sum's four.
    assert found.area.ff == 10 + 5 + 4
    assert found.area.lut4 >= 5


def test_area_is_what_the_pages_tell(tmp_path):
    """At most 6 LUT4 a row for a dot product, 120 for a lane: docs/fpga.md, docs/results."""
    chip = target("ecp5-85k")
    dot = flow.synthesise(TernaryDot(length=64), "dot", chip, tmp_path)
    assert 4 * 64 < dot.area.lut4 <= 6 * 64
    config = ArrayConfig(rows=8, cols=64, counters=False)
    lanes = [
        flow.synthesise(block, name, chip, tmp_path).area.lut4
        for name, block in (("reading", ReadPath(config)), ("switching", WritePath(config)))
    ]
    assert 80 * 8 < sum(lanes) <= 120 * 8


def test_all_targets_are_whole():
    for name, known in TARGETS.items():
        assert known.name == name
        assert known.synthesis.format(top="t").count(" t")
        assert bool(known.placer) == bool(known.arguments) == bool(known.logic)

"""Icarus Verilog: elaboration of any design, and a bench in plain Verilog around an array.

The bench shares nothing with those under Verilator and cocotb. Registers, memories and inputs start
at X, so an answer shows X where reset and the first commands leave something unset. Verilog is
optimistic about X: an ``if`` on X takes its ``else`` branch. So a missing reset of a flag may go
unseen here; the benches under Verilator start with random values instead.
"""

import re
import subprocess
from dataclasses import dataclass
from pathlib import Path

from golden.array.controller import Words
from golden.array.frames import data_bits, result_bits
from golden.config import ArrayConfig
from hdl.array.port import CAUSE_BITS
from synth.generate import TOP_NAME
from synth.tools import ToolError

_INITIAL = re.compile(r"^  initial begin$.*?^  end$\n", re.MULTILINE | re.DOTALL)
_QUIET = 200  # cycles without a handshake end the run; no command here takes as long

# Inputs change at the falling edge. What is not valid is X.
_BENCH = """
module bench;
  parameter STALLED = 0;
  integer out, cycle = 0, quiet = 0, sent = 0, seed = 1;
  reg clk = 0, rst, moved = 1;
  reg i_valid, i_last, o_ready;
  reg [{data}:0] i_data;
  wire i_ready, o_valid, o_last;
  wire [{result}:0] o_data;
  wire [{cause}:0] cause;
  reg [{data} + 1:0] words [0:{count} - 1];  // the highest bit is i_last

  {top} dut (.clk(clk), .rst(rst), .i_valid(i_valid), .i_ready(i_ready), .i_data(i_data),
    .i_last(i_last), .o_valid(o_valid), .o_ready(o_ready), .o_data(o_data), .o_last(o_last),
    .cause(cause));

  always #5 clk = ~clk;

  always @(posedge clk) if (rst === 0) begin
    cycle = cycle + 1;
    quiet = quiet + 1;
    moved = i_valid && i_ready;
    $fdisplay(out, "%0d port %b %b %b", cycle, i_ready, o_valid, cause);
    if (moved) begin
      $fdisplay(out, "%0d in %b", cycle, i_last);
      sent = sent + 1;
      quiet = 0;
    end
    if (o_valid && o_ready) begin
      $fdisplay(out, "%0d out %h %b", cycle, o_data, o_last);
      quiet = 0;
    end
    if (quiet == {quiet}) $finish;
  end

  always @(negedge clk) if (rst === 0) begin
    if (moved || !i_valid) i_valid = sent < {count} && (!STALLED || $random(seed) % 3 == 0);
    {{i_last, i_data}} = i_valid ? words[sent] : 'bx;
    o_ready = !STALLED || $random(seed) % 3 == 0;
  end

  initial begin
    $readmemh("words.hex", words);
    out = $fopen("seen.txt");
    @(posedge clk);
    #1 $fdisplay(out, "0 port %b %b %b", i_ready, o_valid, cause);
    rst = 1;
    @(posedge clk);
    #1 rst = 0;
  end
endmodule
"""


def elaborate(folder: Path, top: str, *texts: str, parameters: str = "") -> Path:
    """Compile Verilog-2005; returns the program for ``vvp``.

    Raises
    ------
    ToolError
        If Icarus Verilog refuses the text, or warns.
    """
    sources = [folder / f"source{i}.v" for i in range(len(texts))]
    for source, text in zip(sources, texts, strict=True):
        source.write_text(text)
    made = folder / f"{top}.vvp"
    options = ["-g2005", "-Wall", "-Wno-timescale", "-s", top, *parameters.split(), "-o", str(made)]
    shown = _run(["iverilog", *options, *sources], folder)
    if shown:
        raise ToolError(f"Icarus Verilog warns:\n{shown}")
    return made


def without_power_up(verilog: str) -> str:
    """Verilog whose memories have no values at power-up; registers have none in any case."""
    bare = _INITIAL.sub("", verilog)
    assert not re.search(r"\binitial\b", bare), "state that does not start at X"
    return bare


def _run(command: list[str | Path], folder: Path) -> str:
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
    shown = done.stdout + done.stderr
    if done.returncode:
        raise ToolError(f"{command[0]} failed ({done.returncode}):\n{shown[-2000:]}")
    return shown


@dataclass
class Heard:
    """An answer: its words, the cause port at its last word, and the cycles that accepted the
    header and delivered the last word."""

    words: Words
    cause: int
    start: int
    end: int


def answers(
    verilog: str,
    config: ArrayConfig,
    frames: list[Words],
    folder: Path,
    *,
    stalled: bool = False,
    power_up: bool = False,
) -> list[Heard]:
    """The answers of an array to frames, which are sent after one clock of reset.

    Parameters
    ----------
    verilog : str
        Text with the module ``TOP_NAME``.
    config : ArrayConfig
    frames : list of Words
        Header first.
    folder : Path
        Where all files go.
    stalled : bool
        Pause on both sides at random.
    power_up : bool
        Memories start with the values in ``verilog``, not at X like all other state.

    Raises
    ------
    ToolError
        If Icarus Verilog fails.
    AssertionError
        If an output is not X before the reset, or is X after it.
    """
    width, count = data_bits(config), sum(map(len, frames))
    words = [
        (i == len(frame) - 1) << width | word for frame in frames for i, word in enumerate(frame)
    ]
    (folder / "words.hex").write_text("".join(f"{word:x}\n" for word in words))
    bench = _BENCH.format(
        top=TOP_NAME, count=count, quiet=_QUIET, data=width - 1,
        result=result_bits(config) - 1, cause=CAUSE_BITS - 1,
    )  # fmt: skip
    if not power_up:
        verilog = without_power_up(verilog)
    made = elaborate(folder, "bench", verilog, bench, parameters=f"-Pbench.STALLED={int(stalled)}")
    _run(["vvp", "-N", made], folder)
    return _heard((folder / "seen.txt").read_text().splitlines())


def _heard(lines: list[str]) -> list[Heard]:
    first, *rest = (line.split() for line in lines)
    assert set("".join(first[2:])) == {"x"}, f"not all is X before the reset: {first}"
    found: list[Heard] = []
    starts: list[int] = []
    words: list[int] = []
    begins, cause = True, ""
    for cycle, kind, *values in rest:
        assert "x" not in "".join(values).lower(), f"X in cycle {cycle}: {kind} {values}"
        if kind == "port":
            cause = values[-1]
        elif kind == "in":
            if begins:
                starts.append(int(cycle))
            begins = values[0] == "1"
        else:
            words.append(int(values[0], 16))
            if values[1] == "1":
                found.append(Heard(words, int(cause, 2), starts[len(found)], int(cycle)))
                words = []
    assert not words, "words without a last one"
    return found

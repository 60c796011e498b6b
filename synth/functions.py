"""Names of the functions in the generated Verilog.

Yosys writes a ``$pmux`` cell as a function with the cell's name. A name that begins with a dollar
is a system function for Icarus Verilog, even as an escaped identifier.
"""

import itertools
import re

_MODULE = re.compile(r"^module .*?^end$", re.MULTILINE | re.DOTALL)
_PMUX = re.compile(r"(?<=^  cell \$pmux )\$\S+$", re.MULTILINE)


def with_plain_functions(rtlil: str) -> str:
    """RTLIL text in which unnamed ``$pmux`` cells are called ``pmux_0``, ``pmux_1``, ... in each
    module; names that the module has already are left out."""
    return _MODULE.sub(lambda match: _renamed(match[0]), rtlil)


def _renamed(module: str) -> str:
    taken = set(re.findall(r"\\pmux_\d+\b", module))
    free = (name for i in itertools.count() if (name := f"\\pmux_{i}") not in taken)
    return _PMUX.sub(lambda _: next(free), module)

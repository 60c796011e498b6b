"""Tidy widths in RTLIL, as careful Verilog has them; no value changes.

Amaranth leaves operands as narrow as their signals, which Verilog extends by the same rule, and
gives every sum a carry that may have no reader. A linter cannot tell either from a mistake.
"""

import re

from synth.narrow import narrow

_COMPARISONS = ("$eq", "$ne", "$lt", "$le", "$gt", "$ge")
_SUMS = ("$add", "$sub", "$shl")
_CELL = re.compile(r"^  cell (\$\w+) .*?^  end$", re.MULTILINE | re.DOTALL)
_SLICE = re.compile(r"(\S+) \[(\d+)(?::\d+)?\]")
_LEADING = re.compile(r"\{ (?:\d+'([01])|([^\s']+)(?: \[(\d+))?)")
_DECLARED = re.compile(r"^  wire (?:width (\d+) )?.*?(\S+)$", re.MULTILINE)
_MODULE = re.compile(r"^module .*?^end$", re.MULTILINE | re.DOTALL)
_CONSTANT = re.compile(r"\d+'([01]+)")


def tidy(rtlil: str) -> str:
    """RTLIL text in which both operands of a comparison, and those and the result of a sum, are of
    one width, and no unnamed wire is wider than what is used of it."""
    return _MODULE.sub(lambda match: _module(narrow(match[0])), rtlil)


def _module(text: str) -> str:
    """A module with its cells' operands extended."""
    wires = {name: int(width or 1) for width, name in _DECLARED.findall(text)}
    return _CELL.sub(lambda match: _cell(match[0], match[1], wires), text)


def _cell(text: str, kind: str, wires: dict[str, int]) -> str:
    if kind not in _COMPARISONS + _SUMS:
        return text
    width = {port: _parameter(text, f"{port}_WIDTH") for port in "ABY"}
    if kind == "$shl":
        target = width["Y"]
    else:
        target = max(width.values()) if kind in _SUMS else max(width["A"], width["B"])
    for port in "A" if kind == "$shl" else "AB":
        if width[port] < target:
            if kind == "$shl" and _CONSTANT.fullmatch(_operand(text, port)):
                continue  # nobody minds a short constant there
            extended = _extend(text, port, width[port], target, wires)
            text = re.sub(rf"(?<=connect \\{port} ).*", lambda _: extended, text)  # noqa: B023
            text = re.sub(rf"(?<=\\{port}_WIDTH )\d+", str(target), text)
    return text


def _parameter(text: str, name: str) -> int:
    found = re.search(rf"parameter \\{name} (\d+)", text)
    assert found is not None, f"a cell without {name}"
    return int(found[1])


def _operand(text: str, port: str) -> str:
    found = re.search(rf"connect \\{port} (.*)", text)
    assert found is not None, f"a cell without {port}"
    return found[1]


def _extend(text: str, port: str, width: int, target: int, wires: dict[str, int]) -> str:
    operand = _operand(text, port)
    extra = target - width
    zeros = f"{extra}'{'0' * extra}"
    if not _parameter(text, f"{port}_SIGNED"):
        return f"{{ {zeros} {operand} }}"
    if constant := _CONSTANT.fullmatch(operand):
        return f"{target}'{constant[1][0] * extra}{constant[1]}"
    if leading := _LEADING.match(operand):  # a concatenation's sign is its first bit
        name, high = leading[2], leading[3]
        sign = f"1'{leading[1]}" if leading[1] else f"{name} [{high or wires[name] - 1}]"
    elif part := _SLICE.fullmatch(operand):
        sign = f"{part[1]} [{part[2]}]"
    elif " " not in operand and "'" not in operand:
        sign = f"{operand} [{width - 1}]"
    else:
        raise ValueError(f"cannot sign-extend the RTLIL operand {operand!r}")
    return f"{{ {' '.join([sign] * extra)} {operand} }}"

"""Make widths in RTLIL explicit, without a change of values.

Amaranth leaves operands as narrow as their signals, and Verilog extends them by the same rule.
Amaranth also gives every sum a carry, which may have no reader. Linters take both for mistakes.
"""

import re

_COMPARISONS = ("$eq", "$ne", "$lt", "$le", "$gt", "$ge")
_SUMS = ("$add", "$sub")
_CELL = re.compile(r"^  cell (\$\w+) .*?^  end$", re.MULTILINE | re.DOTALL)
_SLICE = re.compile(r"(\S+) \[(\d+)(?::\d+)?\]")
_LEADING = re.compile(r"\{ (?:\d+'([01])|([^\s']+)(?: \[(\d+))?)")
_DECLARED = re.compile(r"^  wire (?:width (\d+) )?.*?(\S+)$", re.MULTILINE)
_MODULE = re.compile(r"^module .*?^end$", re.MULTILINE | re.DOTALL)
_WIRE = re.compile(r"^  wire width (\d+) (\$\S+)$", re.MULTILINE)
_REFERENCE = re.compile(r"(?<!\d )(?<=[ {])(\$\S+)(?: \[(\d+)(?::\d+)?\])?")
_CONSTANT = re.compile(r"\d+'([01]+)")


def tidy(rtlil: str) -> str:
    """RTLIL text in which operands of comparisons, and operands and results of sums, have equal
    widths, and no unnamed wire is wider than its used part."""
    return _MODULE.sub(lambda match: _trim(_module(match[0])), rtlil)


def _module(text: str) -> str:
    """A module with its cells' operands extended."""
    wires = {name: int(width or 1) for width, name in _DECLARED.findall(text)}
    return _CELL.sub(lambda match: _cell(match[0], match[1], wires), text)


def _trim(module: str) -> str:
    highest: dict[str, float] = {}
    for name, high in _REFERENCE.findall(module):
        # A whole wire counts as endless; its own declaration does not count.
        highest[name] = max(highest.get(name, -1), int(high) if high else float("inf"))

    def declaration(match: re.Match[str]) -> str:
        width = min(int(match[1]), highest.get(match[2], float("inf")) + 1)
        return f"  wire width {int(width)} {match[2]}"

    return _WIRE.sub(declaration, module)


def _cell(text: str, kind: str, wires: dict[str, int]) -> str:
    if kind not in _COMPARISONS + _SUMS:
        return text
    width = {port: _parameter(text, f"{port}_WIDTH") for port in "ABY"}
    target = max(width.values()) if kind in _SUMS else max(width["A"], width["B"])
    for port in "AB":
        if width[port] < target:
            extended = _extend(text, port, width[port], target, wires)
            text = re.sub(rf"(?<=connect \\{port} ).*", lambda _: extended, text)  # noqa: B023
            text = re.sub(rf"(?<=\\{port}_WIDTH )\d+", str(target), text)
    return text


def _parameter(text: str, name: str) -> int:
    found = re.search(rf"parameter \\{name} (\d+)", text)
    assert found is not None, f"a cell without {name}"
    return int(found[1])


def _extend(text: str, port: str, width: int, target: int, wires: dict[str, int]) -> str:
    found = re.search(rf"connect \\{port} (.*)", text)
    assert found is not None, f"a cell without {port}"
    operand = found[1]
    extra = target - width
    zeros = f"{extra}'{'0' * extra}"
    if not _parameter(text, f"{port}_SIGNED"):
        return f"{{ {zeros} {operand} }}"
    if constant := _CONSTANT.fullmatch(operand):
        return f"{target}'{constant[1][0] * extra}{constant[1]}"
    leading = _LEADING.match(operand)  # a concatenation's sign is its first bit
    if leading and (leading[1] or leading[3] or leading[2] in wires):
        name, high = leading[2], leading[3]
        sign = f"1'{leading[1]}" if leading[1] else f"{name} [{high or wires[name] - 1}]"
    elif part := _SLICE.fullmatch(operand):
        sign = f"{part[1]} [{part[2]}]"
    elif " " not in operand and "'" not in operand:
        sign = f"{operand} [{width - 1}]"
    else:
        raise ValueError(f"cannot sign-extend the RTLIL operand {operand!r}")
    return f"{{ {' '.join([sign] * extra)} {operand} }}"

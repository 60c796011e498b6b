"""Cut operations in RTLIL down to the result that has a reader; no value changes.

Amaranth computes every expression in full and then takes as much of it as its target holds. The
lowest bits of the operations here depend on no higher ones of their operands, so the rest can go.
"""

import re
from collections import Counter
from dataclasses import dataclass, field

Bit = tuple[str, int]  # a wire and an index; of a constant the digit and -1
_OPERANDS = {"$mux": "AB", "$and": "AB", "$or": "AB", "$xor": "AB", "$not": "A", "$neg": "A",
             "$add": "AB", "$sub": "AB", "$mul": "AB", "$shl": "A"}  # fmt: skip
_RIGHT = ("$shr", "$sshr", "$shift")
_UNUSED, _OTHERS = "\\unused_bits", "\\unused_names"
_OUTPUTS = ("Y", "Q", "RD_DATA")
_WIRE = re.compile(r"  wire (?:width (\d+) )?.*?(\S+)")
_OUTPUT = re.compile(r" (output|inout) ")
_PORT = re.compile(r"    connect \\(\S+) (.*)")
_WIDTH = re.compile(r"    parameter \\(?:(.)_)?WIDTH \d+")
_ALIAS = re.compile(r"  connect (\{.*?\}|\S+(?: \[[\d:]+\])?) (.*)")
_PIECE = re.compile(r"(\d+)'([01xzm-]+)|(-?\d+)(?= |$)|([\\$]\S+)(?: \[(\d+)(?::(\d+))?\])?")


@dataclass
class _Item:
    """A line or a cell, with the signals of each by the number of the line."""

    lines: list[str]
    signals: dict[int, list[Bit]] = field(default_factory=dict)
    kind: str = ""
    ports: dict[str, int] = field(default_factory=dict)


def narrow(module: str) -> str:
    """A module's text with its operations cut, and without wires that are not used."""
    return _Module(module).text()


class _Module:
    def __init__(self, text: str):
        self._items: list[_Item] = []
        self._widths: dict[str, int] = {}
        self._outputs: set[str] = set()
        self._read: Counter[Bit] = Counter()
        cell: _Item | None = None
        for line in text.split("\n"):
            if cell:
                if match := _PORT.fullmatch(line):
                    cell.ports[match[1]] = len(cell.lines)
                    cell.signals[len(cell.lines)] = self._bits(match[2])
                cell.lines.append(line)
                cell = None if line == "  end" else cell
                continue
            item = _Item([line])
            self._items.append(item)
            if line.startswith("  cell "):
                item.kind = line.split()[1]
                cell = item
            elif line.startswith("  connect "):
                item.kind = "alias"
                target, source = _ALIAS.findall(line)[0]
                item.lines = ["  connect", target, source]
                item.signals = {1: self._bits(target), 2: self._bits(source)}
            elif match := _WIRE.fullmatch(line):
                self._widths[match[2]] = int(match[1] or 1)
                if _OUTPUT.search(line):
                    self._outputs.add(match[2])
        for item in self._items:
            for bits in self._sources(item):
                self._read.update(bits)
        while sum(self._cut(item) for item in self._items):
            pass
        self._close_up()

    def text(self) -> str:
        """The module as it is now."""
        return "\n".join((" " if x.kind == "alias" else "\n").join(x.lines) for x in self._items)

    def _sources(self, item: _Item) -> list[list[Bit]]:
        """The signals that an item reads; an instance may read all of its own."""
        outputs = [item.ports.get(port) for port in _OUTPUTS] if item.kind[:1] == "$" else []
        if item.kind == "alias":
            outputs = [1]
        return [bits for number, bits in item.signals.items() if number not in outputs]

    def _bits(self, signal: str) -> list[Bit]:
        """The bits of a signal, the lowest first."""
        bits: list[Bit] = []
        for size, digits, number, name, high, low in _PIECE.findall(signal):
            if name:
                top = int(high) if high else self._widths[name] - 1
                bottom = int(low or high) if high else 0
                part = [(name, i) for i in range(bottom, top + 1)]
            else:
                digits = digits or f"{int(number) & (1 << 32) - 1:032b}"
                part = [(digit, -1) for digit in reversed(digits.rjust(int(size or 32), digits[0]))]
            bits = part + bits
        return bits

    def _shown(self, bits: list[Bit]) -> str:
        """The text of a signal."""
        parts: list[str] = []
        at = len(bits)
        while at:
            low = at - 1
            name, top = bits[low]
            while low and bits[low - 1][1] == max(bits[low][1] - 1, -1) and (
                top < 0 or bits[low - 1][0] == name
            ) and (bits[low - 1][1] < 0) == (top < 0):  # fmt: skip
                low -= 1
            if top < 0:
                parts.append(f"{at - low}'{''.join(bit for bit, _ in reversed(bits[low:at]))}")
            elif at - low == self._widths[name] and name != _UNUSED:
                parts.append(name)
            else:
                below = f":{bits[low][1]}" if at - low > 1 else ""
                parts.append(f"{name} [{top}{below}]")
            at = low
        return parts[0] if len(parts) == 1 else f"{{ {' '.join(parts)} }}"

    def _idle(self, bit: Bit) -> bool:
        return bit[0][0] == "$" and not self._read[bit]

    def _cut(self, item: _Item) -> bool:
        """Cut what nobody reads at the top of a cell's result, or all of an alias; whether there
        was any."""
        if item.kind == "alias" and all(self._idle(bit) for bit in item.signals[1]):
            self._read.subtract(item.signals[2])
            item.kind, item.lines, item.signals = "", [], {}
            return True
        if item.kind not in _OPERANDS:
            return False
        result = item.signals[item.ports["Y"]]
        width = len(result)
        while width > 1 and self._idle(result[width - 1]):
            width -= 1
        if width == len(result):
            return False
        for port in "Y" + _OPERANDS[item.kind]:
            bits = item.signals[item.ports[port]]
            if port != "Y":
                self._read.subtract(bits[width:])
            self._put(item, item.ports[port], bits[:width])
        self._set_widths(item)
        return True

    def _put(self, item: _Item, number: int, bits: list[Bit]) -> None:
        """Another signal in a line."""
        head = re.match(r"    connect \\\S+ |", item.lines[number])
        assert head is not None
        item.signals[number] = bits
        item.lines[number] = head[0] + self._shown(bits)

    def _close_up(self) -> None:
        """Leave out the bits of wires without names that are in no line any more; those without a
        reader get a name that tells linters so, as does what a shift leaves over."""
        used: dict[str, set[int]] = {}
        for item in self._items:
            for name, place in (bit for bits in item.signals.values() for bit in bits):
                used.setdefault(name, set()).add(place)
        moved: dict[Bit, Bit] = {}
        idle: list[Bit] = []
        for item in self._items:
            match = _WIRE.fullmatch(item.lines[0]) if item.lines else None
            if not match or match[2][0] != "$":
                continue
            name, places = match[2], sorted(used.get(match[2], ()))
            idle += [(name, place) for place in places if self._idle((name, place))]
            kept = [place for place in places if not self._idle((name, place))]
            if not kept:
                item.lines = []
            elif len(kept) < self._widths[name]:
                self._widths[name] = len(kept)
                moved |= {(name, old): (name, new) for new, old in enumerate(kept)}
                item.lines = [f"  wire width {len(kept)} {name}"]
        moved |= {old: (_UNUSED, new) for new, old in enumerate(idle)}
        self._widths[_UNUSED] = len(idle)
        for item in self._items:
            for number, bits in item.signals.items():
                if any(bit in moved for bit in bits):
                    self._put(item, number, [moved.get(bit, bit) for bit in bits])
            if item.kind in _RIGHT:
                self._lengthen(item)
        if self._widths[_UNUSED]:
            wire = f"  wire width {self._widths[_UNUSED]} {_UNUSED}"
            self._items.insert(1, _Item([wire]))
        self._items = [item for item in self._items if item.lines]
        self._read_other_names()

    def _read_other_names(self) -> None:
        """Give a reader to bits with a name whose readers have got what the name stands for."""
        bits = [
            bit
            for item in self._items
            if item.kind == "alias"
            for bit in item.signals[1]
            if not self._read[bit] and bit[0] not in self._outputs
        ]
        if not bits:
            return
        self._items.insert(1, _Item([f"  wire {_OTHERS}"]))
        cell = [
            "  cell $reduce_or $other_names",
            "    parameter \\A_SIGNED 0",
            f"    parameter \\A_WIDTH {len(bits)}",
            "    parameter \\Y_WIDTH 1",
            f"    connect \\A {self._shown(bits)}",
            f"    connect \\Y {_OTHERS}",
            "  end",
        ]
        last = max(place for place, item in enumerate(self._items) if item.lines == ["end"])
        self._items.insert(last, _Item(cell))

    def _lengthen(self, item: _Item) -> None:
        """Give a shift to the right a result as wide as its operand."""
        result = item.signals[item.ports["Y"]]
        extra = len(item.signals[item.ports["A"]]) - len(result)
        if extra > 0:
            first = self._widths[_UNUSED]
            self._widths[_UNUSED] += extra
            over = [(_UNUSED, place) for place in range(first, first + extra)]
            self._put(item, item.ports["Y"], result + over)
            self._set_widths(item)

    def _set_widths(self, item: _Item) -> None:
        for number, line in enumerate(item.lines):
            if match := _WIDTH.fullmatch(line):
                size = len(item.signals[item.ports[match[1] or "Y"]])
                item.lines[number] = re.sub(r"\d+$", str(size), line)

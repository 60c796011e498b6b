"""Columns of numbers from the CSV files that instruments and spreadsheets write."""

import csv
import itertools
import math
import re
import unicodedata
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from golden.device.junction import DIRECTIONS

NAMES = {
    "direction": ("direction",),
    "voltage_v": ("voltage", "v", "amplitude"),
    "pulse_s": ("pulse", "pulse length", "pulse width", "length", "width", "duration", "t"),
    "switched": ("switched",),
    "trials": ("trials", "shots"),
    "probability": ("probability", "p"),
}
COUNTS = ("switched", "trials")
# Powers of ten. No mega: MV is a slip for mV.
_VOLTS = {"V": 0, "mV": -3, "μV": -6, "uV": -6, "kV": 3}
_SECONDS = {"s": 0, "ms": -3, "μs": -6, "us": -6, "ns": -9, "ps": -12, "fs": -15}
UNITS: dict[str, dict[str, int]] = {
    "voltage_v": _VOLTS | {name.lower(): power for name, power in _VOLTS.items()},
    "pulse_s": _SECONDS,
    "probability": {"": 0, "1": 0, "%": -2},
}
_NUMBER = re.compile(r"([+-]?)(\d*)(?:([.,])(\d*))?(?:[eE]([+-]?\d{1,6}))?")
_THOUSANDS = re.compile(r"[+-]?\d{1,3}(?:[.,'\u2019_\s]\d{3})+(?:[.,]\d*)?")
_WITH_UNIT = re.compile(r"[+-]?[\d.,]+(?:[eE][+-]?\d+)?\s*[^\W\d_]+|.*\d\s*%")
_MARKS = (  # of the first bytes, longer ones first
    (b"\xff\xfe\0\0", "utf-32"), (b"\0\0\xfe\xff", "utf-32"),
    (b"\xff\xfe", "utf-16"), (b"\xfe\xff", "utf-16"),
)  # fmt: skip
_CHUNK = 1 << 15  # rows


@dataclass(frozen=True, eq=False)
class Table:
    """The columns of a file.

    Parameters
    ----------
    columns : dict of str to ndarray
        By the names in ``NAMES``: floats in SI units, and values of
        ``golden.device.junction.DIRECTIONS``.
    titles : dict of str to str
        What the file calls each column.
    lines : ndarray of shape (rows,), integer
        Where each row ends in the file, counted from 1.
    """

    columns: dict[str, np.ndarray]
    titles: dict[str, str]
    lines: np.ndarray


class _Text:
    """Lines of a file that are neither empty nor comments, and the number of the last one."""

    def __init__(self, lines: Iterable[str]):
        self.number, self._lines = 0, lines

    def __iter__(self) -> Iterator[str]:
        for line in self._lines:
            self.number += 1
            start = line.lstrip()
            if start and not start.startswith(("#", '"#')):
                yield line


class _Values(dict[str, float]):
    """Values by their text, as a column has them; ``marks`` has a text for each decimal mark."""

    def __init__(self, name: str, power: int):
        super().__init__()
        self._name, self._power = name, power
        self.marks: dict[str, str] = {}
        self.failed = ""

    def __missing__(self, text: str) -> float:
        self.failed = text
        if self._name == "direction":
            if text.strip() not in DIRECTIONS:
                raise ValueError(f"must be one of {', '.join(DIRECTIONS)}, not {text.strip()!r}")
            self[text] = DIRECTIONS[text.strip()]
            return self[text]
        plain = text.strip().replace("\u2212", "-")  # a typographer's minus
        found = _NUMBER.fullmatch(plain)
        whole, mark, part, exponent = found.group(2, 3, 4, 5) if found else ("",) * 4
        if not found or not (whole or part):
            raise ValueError(_cause(text, plain))
        # Three digits behind a mark may be thousands.
        unsure = len(part or "") == 3 and len(whole) <= 3 and whole.strip("0") and not exponent
        if unsure and self._name in COUNTS:
            raise ValueError(f"must be a whole number without thousands separators, not {text!r}")
        if mark:
            self.marks.setdefault("unsure" if unsure and mark == "," else mark, text)
        value = float(f"{found[1]}{whole or 0}.{part or 0}e{int(exponent or 0) + self._power}")
        if not math.isfinite(value):
            raise ValueError(_cause(text, plain))
        self[text] = value
        return value


def _cause(text: str, plain: str) -> str:
    if _THOUSANDS.fullmatch(plain):
        return f"must be a number without thousands separators, not {text!r}"
    if _WITH_UNIT.fullmatch(plain):
        return f"must be a number, not {text!r}; a unit belongs in the header, as in 'pulse (ns)'"
    return f"must be a number, not {text!r}"


def read(path: Path) -> Table:
    """Read a file; see docs/device.md for what may be in it.

    Raises
    ------
    ValueError
        Naming file, line and column, for what cannot be read.
    OSError
        If the file cannot be read.
    """
    with path.open("rb") as file:
        start = file.read(4)
    encoding = next((name for mark, name in _MARKS if start.startswith(mark)), "utf-8-sig")
    if encoding == "utf-8-sig" and b"\0" in start:
        raise ValueError(f"{path} looks like UTF-16 without a byte order mark; save it as UTF-8")
    with path.open(encoding=encoding, newline="") as file:
        text = _Text(file)
        try:
            return _read(path, text)
        except UnicodeDecodeError as error:
            place = _undecodable(path) if encoding == "utf-8-sig" else ""
            raise ValueError(
                f"{path} is not {encoding.removesuffix('-sig').upper()} text: {place}"
                f"{error.reason}; save it as UTF-8"
            ) from None
        except csv.Error as error:
            raise ValueError(f"{path}, line {text.number}: {error}") from None


def _undecodable(path: Path) -> str:
    """The first position in a file that is not UTF-8."""
    content = path.read_bytes()
    try:
        content.decode()
    except UnicodeDecodeError as error:
        before = content[: error.start]
        line, column = before.count(b"\n") + 1, error.start - before.rfind(b"\n")
        return f"line {line}, byte {column}: "
    return ""


def _read(path: Path, text: _Text) -> Table:
    lines = iter(text)
    first = next(lines, None)
    if first is None:
        raise ValueError(f"{path} is empty")
    named = re.fullmatch(r'"?sep=(.)"?', first.strip())  # Excel's own way to name the separator
    if named:
        first = next(lines, "")
    separator = named[1] if named else next((mark for mark in ";\t," if mark in first), ",")
    where = f"{path}, line {text.number}"
    rows = csv.reader(itertools.chain([first], lines), delimiter=separator)
    header = [cell.strip() for cell in next(rows, [])]
    while header and not header[-1]:  # a separator at the end of each line
        header.pop()
    if len(header) == 1:
        raise ValueError(
            f"{where}: only one column, {header[0]!r}; separate columns by commas, semicolons or "
            "tabs"
        )
    units = [_column(where, title) for title in header]
    _check_header(where, [name for name, _ in units])
    titles = {name: title for (name, _), title in zip(units, header, strict=True)}

    values = {name: _Values(name, power) for name, power in units}
    columns: dict[str, list[np.ndarray]] = {name: [] for name in titles}
    numbered: list[np.ndarray] = []
    marks: dict[str, tuple[int, str, str]] = {}
    source = _rows(path, rows, text, separator, len(header))
    while chunk := list(itertools.islice(source, _CHUNK)):
        at = [line for line, _ in chunk]
        numbered.append(np.array(at))
        for name, cells in zip(titles, zip(*(row for _, row in chunk), strict=True), strict=True):
            known = values[name]
            try:
                columns[name].append(np.array(list(map(known.__getitem__, cells))))
            except ValueError as error:
                line = at[cells.index(known.failed)]
                raise ValueError(f"{path}, line {line}: {titles[name]} {error}") from None
            for mark in known.marks.keys() - marks.keys():
                cell = known.marks[mark]
                marks[mark] = (at[cells.index(cell)], titles[name], cell)
            if len(known) > _CHUNK:
                known.clear()
    if not numbered:
        raise ValueError(f"{path} holds no points")
    _check_marks(path, marks)
    arrays = {name: np.concatenate(parts) for name, parts in columns.items()}
    return Table(arrays, titles, np.concatenate(numbered))


def _rows(
    path: Path, rows: Iterator[list[str]], text: _Text, separator: str, width: int
) -> Iterator[tuple[int, list[str]]]:
    """Rows of ``width`` cells that are not empty, with the line of each."""
    for row in rows:
        if len(row) == width and row[0]:  # nearly all
            yield text.number, row
            continue
        if not any(map(str.strip, row)):
            continue
        if len(row) > width and not any(map(str.strip, row[width:])):
            row = row[:width]
        if len(row) != width:
            hint = ""
            if len(row) > width and separator == ",":
                hint = "; with decimal commas, separate columns by semicolons or tabs"
            raise ValueError(
                f"{path}, line {text.number}: {width} columns expected, not {len(row)}{hint}"
            )
        yield text.number, row


def _check_marks(path: Path, marks: dict[str, tuple[int, str, str]]) -> None:
    """Refuse numbers with an ambiguous decimal mark."""
    if "unsure" in marks and "," not in marks:
        line, title, cell = marks["unsure"]
        raise ValueError(
            f"{path}, line {line}: {title} = {cell!r} may be a decimal comma or a thousands "
            f"separator; write {cell.replace(',', '.')} or {cell.replace(',', '')}"
        )
    if "," in marks and "." in marks:
        (line, title, cell), (other, _, point) = marks[","], marks["."]
        raise ValueError(
            f"{path}, line {line}: {title} = {cell!r} has a decimal comma, and {point!r} in line "
            f"{other} a decimal point (or thousands separators)"
        )


def _column(where: str, title: str) -> tuple[str, int]:
    """Name of a column and the power of ten of its unit, from a title such as "pulse (ns)"."""
    plain = unicodedata.normalize("NFKC", title)  # one mu
    names = {alias: name for name, aliases in NAMES.items() for alias in aliases}
    found = re.fullmatch(r"(.*?)\s*(?:\((.*)\)|\[(.*)\]|/(.*))", plain)
    base, unit = (found[1], found[2] or found[3] or found[4] or "") if found else (plain, None)
    name = names.get(re.sub(r"[\s_]+", " ", base).strip().lower())
    if name is None and not found:  # voltage_v, length_us, pulse ns
        found = re.fullmatch(r"(.*)[\s_]([^\s_]+)", plain)
        if found and found[2].strip() in itertools.chain(*UNITS.values()):
            unit = found[2]
            name = names.get(re.sub(r"[\s_]+", " ", found[1]).strip().lower())
    if name is None:
        known = "direction, voltage_v, pulse_s, switched, trials, probability"
        raise ValueError(
            f"{where}: unknown column {title!r}; known are {known}, and with other units, as in "
            "'pulse (ns)'"
        )
    units = UNITS.get(name, {"": 0})
    unit = (unit or "").strip()
    if unit not in units:
        known = ", ".join(dict.fromkeys(each.replace("v", "V") for each in units if each))
        if not unit:
            short = name.rpartition("_")[0]
            raise ValueError(
                f"{where}: column {title!r} has no unit: write {name}, or for example "
                f"'{short} ({list(units)[1]})'; known units are {known}"
            )
        raise ValueError(
            f"{where}: column {title!r} has an unknown unit"
            + (f"; known are {known}" if known else ": it has none")
        )
    return name, units[unit]


def _check_header(where: str, names: list[str]) -> None:
    for name in names:
        if names.count(name) > 1:
            raise ValueError(f"{where}: column {name} is there twice")
    for name in ("direction", "voltage_v", "pulse_s"):
        if name not in names:
            hint = "; the sign of a voltage does not say it" if name == "direction" else ""
            raise ValueError(f"{where}: column {name} is missing{hint}")
    if ("switched" in names) == ("probability" in names):
        raise ValueError(f"{where}: there must be a column switched or a column probability")
    if "switched" in names and "trials" not in names:
        raise ValueError(f"{where}: column trials is missing, which switched needs")

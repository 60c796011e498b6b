"""Study files: the trainings of a study, read from TOML."""

import re
import shlex
import tomllib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from golden import checks

SEEDS = [0, 1, 2]
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]*")  # of a study, which is a folder's name, too
_RESERVED = ("--seed", "--out", "-o", "--resume", "--overwrite", "--json")  # the study's own


@dataclass(frozen=True)
class Row:
    """One training, with each of ``seeds``."""

    name: str
    options: str
    seeds: tuple[int, ...]


@dataclass(frozen=True)
class Sweep:
    """One training for each of ``values``, which replace ``{}`` or ``{0}`` in ``options``."""

    options: str
    label: str
    values: tuple[float | str, ...]
    seeds: tuple[int, ...]

    def points(self) -> Iterator[tuple[str, float | None, str]]:
        """Name, value (None if it is no number) and options of each training."""
        for value in self.values:
            number = None if isinstance(value, str) else value
            short = value if isinstance(value, str) else f"{value:g}"
            text = short if number is None or float(short) == number else str(value)
            word = shlex.quote(value) if isinstance(value, str) else str(value)
            yield f"{self.label} {text}", number, self.options.format(word)


@dataclass(frozen=True)
class Study:
    """Trainings that belong together. ``common``: options of all of them; ``source``: the argument
    of ``spintrit study`` that runs them."""

    name: str
    source: str
    title: str
    note: str
    common: str
    rows: tuple[Row, ...]
    sweeps: tuple[Sweep, ...]


def read(path: Path) -> dict[str, Study]:
    """The studies of a TOML file, one for each of its tables.

    Entries of a table: ``title`` and ``note`` (text), ``common`` (options of ``spintrit train`` for
    all rows), ``seeds`` (integers, 0 to 2 by default), a table ``rows`` (name = options, or name =
    {options, seeds}) and an array of tables ``sweeps`` (options with ``{}``, values, and, if
    wanted, label and seeds). At least one row or sweep is needed.

    Raises
    ------
    TypeError, ValueError
        If the file is no TOML, or an entry is unknown, missing or wrong; the message names it.
    OSError
        If the file cannot be read.
    """
    try:
        content = tomllib.loads(path.read_bytes().decode())
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise ValueError(f"{path} is no TOML file: {error}") from None
    if not content:
        raise ValueError(f"{path} holds no study: give it a table such as [my-study]")
    try:
        return {name: _study(name, str(path), entry) for name, entry in content.items()}
    except (TypeError, ValueError) as error:
        raise type(error)(f"{path}: {error}") from None


def _study(name: str, source: str, entry: Any) -> Study:
    if not _NAME.fullmatch(name):
        raise ValueError(f"study {name!r} must be named by letters, digits, '.', '_' and '-' alone")
    _known(name, entry, ("title", "note", "common", "seeds", "rows", "sweeps"))
    seeds = _seeds(f"{name}.seeds", entry.get("seeds", SEEDS))
    rows, sweeps = entry.get("rows", {}), entry.get("sweeps", [])
    if not isinstance(rows, dict):
        raise TypeError(f"{name}.rows must be a table, not {rows!r}")
    if not isinstance(sweeps, list):
        raise TypeError(f"{name}.sweeps must be an array of tables, not {sweeps!r}")
    if not rows and not sweeps:
        raise ValueError(f"{name} must have rows or sweeps")
    return Study(
        name,
        source,
        _line(f"{name}.title", entry.get("title", name)),
        _text(f"{name}.note", entry.get("note", "")),
        _options(f"{name}.common", entry.get("common", "")),
        tuple(_row(f"{name}.rows", row, each, seeds) for row, each in rows.items()),
        tuple(_sweep(f"{name}.sweeps[{n}]", each, seeds) for n, each in enumerate(sweeps)),
    )


def _row(where: str, row: str, entry: Any, seeds: tuple[int, ...]) -> Row:
    _line(f"a name in {where}", row)
    where = f"{where}.{row}"
    if isinstance(entry, str):
        return Row(row, _options(where, entry), seeds)
    _known(where, entry, ("options", "seeds"))
    own = _seeds(f"{where}.seeds", entry["seeds"]) if "seeds" in entry else seeds
    return Row(row, _options(f"{where}.options", entry.get("options", "")), own)


def _sweep(where: str, entry: Any, seeds: tuple[int, ...]) -> Sweep:
    _known(where, entry, ("options", "label", "values", "seeds"))
    for needed in ("options", "values"):
        if needed not in entry:
            raise ValueError(f"{where} must have {needed}")
    options, values = _options(f"{where}.options", entry["options"]), entry["values"]
    if not isinstance(values, list) or not values:
        raise TypeError(f"{where}.values must be an array of numbers or texts, not {values!r}")
    for value in values:
        if not isinstance(value, str):
            checks.real(f"{where}.values", value, float("-inf"))
    if len(set(map(str, values))) < len(values):
        raise ValueError(f"{where}.values must differ, not {values!r}")
    try:
        open_places = options.format(values[0]) == options
    except (IndexError, KeyError, ValueError):
        open_places = True
    if open_places:
        raise ValueError(
            f"{where}.options must hold {{}} where the value goes and no other braces, "
            f"not {options!r}"
        )
    own = _seeds(f"{where}.seeds", entry["seeds"]) if "seeds" in entry else seeds
    label = _line(f"{where}.label", entry.get("label", _option_of(options)))
    found = Sweep(options, label, tuple(values), own)
    for _, _, each in found.points():
        _options(f"{where}.options", each)
    return found


def _option_of(options: str) -> str:
    """The first option that takes the value of a sweep, without its dashes."""
    words = shlex.split(options)
    place = next(number for number, word in enumerate(words) if "{" in word)
    word = words[place] if words[place].startswith("-") else words[max(0, place - 1)]
    return word.partition("=")[0].lstrip("-").replace("-", " ")


def _known(where: str, entry: Any, names: tuple[str, ...]) -> None:
    if not isinstance(entry, dict):
        raise TypeError(f"{where} must be a table, not {entry!r}")
    for name in entry:
        if name not in names:
            raise ValueError(f"{where}.{name} is none of {', '.join(names)}")


def _text(where: str, value: Any) -> str:
    if not isinstance(value, str):
        raise TypeError(f"{where} must be a text, not {value!r}")
    return value


def _line(where: str, value: Any) -> str:
    """A text of one line, which a table's cell or a heading takes."""
    text = _text(where, value)
    if not text.strip() or len(text.splitlines()) > 1:
        raise ValueError(f"{where} must be one line, not {text!r}")
    return text


def _options(where: str, value: Any) -> str:
    text = _text(where, value)
    try:
        words = shlex.split(text)
    except ValueError as error:
        raise ValueError(f"{where} = {text!r}: {error}") from None
    for word in words:
        short = word[0:1] == "-" and word[1:2] not in ("", "-")  # -oDIR
        if (word[:2] if short else word.partition("=")[0]) in _RESERVED:
            raise ValueError(f"{where} = {text!r}: {word} is not for a study to set")
    return text


def _seeds(where: str, value: Any) -> tuple[int, ...]:
    if not isinstance(value, list) or not value:
        raise TypeError(f"{where} must be an array of integers, not {value!r}")
    seeds = tuple(checks.integer(where, seed, 0) for seed in value)
    if len(set(seeds)) < len(seeds):
        raise ValueError(f"{where} must differ, not {value!r}")
    return seeds

"""Costs of the periphery of an array: converters, lines, supply, digital logic. SI units."""

import dataclasses
import tomllib
from dataclasses import dataclass
from importlib import resources
from pathlib import Path
from typing import Any

from golden import checks
from golden.config import MOST_ADC_BITS
from golden.device.junction import highest

_LEAST_EFFICIENCY = 0.001


@dataclass(frozen=True, kw_only=True)
class Costs:
    """Costs of the periphery. Values and sources of the defaults: golden/energy/costs.toml.

    Parameters
    ----------
    adc_j_per_step : float
        Figure of merit F of a converter: a conversion to b bits takes F 2^b (Walden, IEEE J. Sel.
        Areas Commun. 17, 539, 1999).
    adc_s : float
        Time of a conversion.
    line_f_per_cell, gate_f_per_cell : float
        Capacitance C of a read and pulse line, and of a select line, for each cell. To charge a
        line of n cells to V takes n C V^2.
    gate_v : float
        Voltage of a select line.
    supply_efficiency : float
        Efficiency of the supply of read and write voltages, 0.001 to 1.
    add_j, buffer_j_per_bit : float
        Energy of a 32-bit addition, and of a bit read from or written to the buffer.
    clock_j_per_row : float
        Energy of the clock in one row's digital periphery for a cycle.
    sources : dict of str
        Source of each value.

    Raises
    ------
    TypeError, ValueError
        If a value is no number or out of range; the message names it.
    """

    adc_j_per_step: float
    adc_s: float
    line_f_per_cell: float
    gate_f_per_cell: float
    gate_v: float
    supply_efficiency: float
    add_j: float
    buffer_j_per_bit: float
    clock_j_per_row: float
    sources: dict[str, str] = dataclasses.field(default_factory=dict)

    def __post_init__(self) -> None:
        for name in NAMES:
            value = checks.real(name, getattr(self, name), 0.0, highest(name))
            checks.keep(self, **{name: value})
        if self.supply_efficiency < _LEAST_EFFICIENCY:
            raise ValueError(
                f"supply_efficiency must be at least {_LEAST_EFFICIENCY}, "
                f"not {self.supply_efficiency:g}"
            )

    def conversion_j(self, bits: int) -> float:
        """Energy of a conversion to ``bits`` bits."""
        return self.adc_j_per_step * (1 << checks.integer("bits", bits, 1, MOST_ADC_BITS))


NAMES = tuple(field.name for field in dataclasses.fields(Costs) if field.name != "sources")


def load(path: Path | None = None) -> Costs:
    """The default costs; entries of the TOML file ``path`` override them.

    Raises
    ------
    ValueError
        If the file is no TOML, an entry is unknown or has no value or no source, or a value is out
        of range. The message names the entry.
    TypeError
        For a value of a wrong type.
    OSError
        If the file cannot be read.
    """
    default = resources.files("golden.energy") / "costs.toml"
    entries = _entries(default.read_bytes(), "costs.toml")
    if path is not None:
        entries |= _entries(path.read_bytes(), str(path))
    values = {name: entry["value"] for name, entry in entries.items()}
    sources = {name: entry["source"] for name, entry in entries.items()}
    try:
        return Costs(**values, sources=sources)
    except (TypeError, ValueError) as error:
        raise type(error)(f"{path or default}: {error}") from None


def _entries(content: bytes, where: str) -> dict[str, dict[str, Any]]:
    try:
        entries = tomllib.loads(content.decode())
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise ValueError(f"{where} is not a TOML file: {error}") from None
    for name, entry in entries.items():
        if name not in NAMES:
            raise ValueError(f"{where}: unknown entry {name!r}; known are {', '.join(NAMES)}")
        if not isinstance(entry, dict) or set(entry) != {"value", "source"}:
            raise ValueError(f"{where}: {name} must have a value and a source, not {entry!r}")
        if not isinstance(entry["source"], str) or not entry["source"]:
            raise TypeError(f"{where}: {name}.source must be a text, not {entry['source']!r}")
    return entries

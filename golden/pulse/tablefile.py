"""Table files: a probability table with its provenance and a checksum in JSON."""

import dataclasses
import hashlib
import json
import math
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from golden import files
from golden.device.junction import Device
from golden.pulse.table import ProbabilityTable

FORMAT = "spintrit-table-1"
_ARRAYS = ("thresholds", "ticks", "variants")


@dataclass(frozen=True, eq=False)
class TableFile:
    """A table and its origin.

    Parameters
    ----------
    table : ProbabilityTable
    device : Device or None
        None for the ideal table, or a table of measured data without a device.
    provenance : dict
        Origin of the table; any values that JSON can hold.
    """

    table: ProbabilityTable
    device: Device | None = None
    provenance: dict[str, Any] = field(default_factory=dict)


def save(file: TableFile, path: str | Path) -> None:
    """Write a table file, whole or not at all.

    Raises
    ------
    OSError
        If the file cannot be written; the message names it.
    """
    files.write_atomically(Path(path), dumps(file).encode())


def dumps(file: TableFile) -> str:
    """The text of a table file."""
    table, device = file.table, None
    if file.device:
        device = dataclasses.asdict(file.device)
        # JSON has no infinity.
        device = {key: None if value == math.inf else value for key, value in device.items()}
    document = {
        "format": FORMAT,
        "provenance": file.provenance,
        "device": device,
        "draw_bits": int(table.draw_bits),
        "tick_s": table.tick_s,
        "by_length": bool(table.by_length),
        "thresholds": table.thresholds.tolist(),
        "ticks": table.ticks.tolist(),
        "variants": None if table.variants is None else table.variants.tolist(),
    }
    document = json.loads(json.dumps(document))  # as ``load`` reads it, for the checksum
    return json.dumps(document | {"sha256": _digest(document)}, indent=1) + "\n"


def load(path: str | Path) -> TableFile:
    """Read a table file.

    Raises
    ------
    OSError
        If the file cannot be read.
    ValueError
        If it is no table file, was changed after it was written, or its table or device is not
        valid. The message names the file.
    """
    try:
        document = json.loads(Path(path).read_bytes())
        if not isinstance(document, dict):
            raise TypeError(f"it holds a {type(document).__name__}, not names with values")
        if document.get("format") != FORMAT:
            raise ValueError(f"its format is {document.get('format')!r}, not {FORMAT!r}")
        if document.pop("sha256") != _digest(document):
            raise ValueError("its checksum does not fit its content")
        values: dict[str, Any] = {
            name: np.array(document[name]) for name in _ARRAYS if document[name] is not None
        }
        values |= {name: document[name] for name in ("tick_s", "draw_bits", "by_length")}
        if not isinstance(values["by_length"], bool):
            raise TypeError(f"by_length must be true or false, not {values['by_length']!r}")
        provenance = document["provenance"]
        if not isinstance(provenance, dict):
            raise TypeError(f"provenance must be a table of names, not {provenance!r}")
        table = ProbabilityTable(**values)
        device = document["device"]
        if device is not None:
            fields: dict[str, Any] = {k: math.inf if v is None else v for k, v in device.items()}
            device = Device(**fields)
        return TableFile(table, device, provenance)
    except OSError:
        raise
    except KeyError as error:
        raise ValueError(f"{path} is not a table file: {error} is missing") from None
    except (ValueError, TypeError, AttributeError, OverflowError, RecursionError) as error:
        raise ValueError(f"{path} is not a table file: {error!s}") from None


def _digest(document: dict[str, Any]) -> str:
    return hashlib.sha256(json.dumps(document, sort_keys=True).encode()).hexdigest()

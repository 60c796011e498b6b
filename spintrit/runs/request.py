"""What a training run is asked for: settings by name become configurations.

The command ``spintrit train`` and ``spintrit.train`` both come through here.
"""

from collections.abc import Mapping
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

from golden.config import ArrayConfig
from golden.data import Split
from golden.device.junction import Device
from golden.device.nonideal import NonIdealities
from golden.network import notation
from golden.pulse.design import CoderConfig
from golden.pulse.tablefile import TableFile
from golden.targets import Target
from golden.train.cells import Cells
from golden.train.config import TrainConfig
from spintrit.runs.settings import Init
from spintrit.runs.source import Source


@dataclass(frozen=True)
class Request:
    """What a run trains. ``init`` names a run whose weights this one starts from."""

    target: Target
    source: Source
    config: TrainConfig
    array: ArrayConfig
    cells: Cells
    init: Init | None = None


def request(
    target: Target,
    settings: Mapping[str, Any],
    *,
    dataset: str | Split = "digits",
    root: Path | None = None,
    input_bits: int = 0,
    augment: str = "",
    width: float = 1.0,
    device: str | Device = "",
    table: Path | TableFile | None = None,
    init: Init | None = None,
) -> Request:
    """What a run trains, from the names of the options of ``spintrit train``.

    Parameters
    ----------
    target : Target
    settings : dict
        Fields of ``TrainConfig``, ``ArrayConfig``, ``CoderConfig`` and ``NonIdealities`` by name.
        Other names are ignored. A field that is missing has its default.
    dataset : str or Split
    root : Path, optional
        See ``golden.data.load``, as for the next two.
    input_bits : int
        0 stands for 2 on chip, and for the data set's own elsewhere.
    augment : str
    width : float
        Factor on the outputs of each hidden layer.
    device : str or Device
    table : Path or TableFile, optional
        See ``golden.train.cells.Cells``.
    init : Init, optional

    Raises
    ------
    TypeError, ValueError, OSError
        If a setting is wrong, or the network's file cannot be read.
    """
    chosen = dict(settings)
    network = chosen.get("network", TrainConfig.network)
    chosen["network"] = notation.scaled(notation.load(network)[0], width)
    split = dataset if isinstance(dataset, Split) else None
    source = Source(
        dataset=split.name if split else str(dataset), split=split, root=root,
        input_bits=input_bits or (2 if target.tiles else 0), augment=augment,
    )  # fmt: skip
    cells = Cells(
        device=device, table=table,
        coder=_made(CoderConfig, chosen), nonideal=_made(NonIdealities, chosen),
    )  # fmt: skip
    return Request(
        target, source, _made(TrainConfig, chosen), _made(ArrayConfig, chosen), cells, init
    )


def _made(cls: Any, settings: Mapping[str, Any]) -> Any:
    names = [field.name for field in fields(cls)]
    return cls(**{name: settings[name] for name in names if name in settings})

"""Default training settings of data sets, networks and the accelerator."""

import dataclasses
import math
import tomllib
from pathlib import Path
from typing import Any

from golden import checks
from golden.network import notation
from golden.train.config import TrainConfig

_ON_CHIP = "on-chip"
_TABLES: dict[str, Any] = tomllib.loads(
    Path(__file__).with_name("defaults.toml").read_text(encoding="utf-8")
)
ON_CHIP: dict[str, Any] = _TABLES[_ON_CHIP]


def settings(dataset: str, network: str, *, on_chip: bool = False) -> dict[str, Any]:
    """Training settings for a data set and a network, by the names of ``TrainConfig``.

    Settings of the network (see ``golden.network.notation.load``) override those of the data set.
    Settings of the accelerator override both.

    Parameters
    ----------
    dataset : str
        One of ``golden.data.DATASETS``; without settings here it has those of ``TrainConfig``.
    network : str
        A name, a TOML file or a notation.
    on_chip : bool
        Whether the accelerator trains.

    Raises
    ------
    TypeError, ValueError
        As ``golden.network.notation.load``, or if a setting of the network's file is unknown or of
        another type.
    OSError
        If that file cannot be read.
    """
    own = notation.load(network)[1]
    known = {field.name: field.type for field in dataclasses.fields(TrainConfig)}
    for name in ("network", "seed"):
        del known[name]
    for name, value in own.items():
        if name not in known:
            raise ValueError(f"{network}: training.{name} = {value!r} is no training setting")
        where = f"{network}: training.{name}"
        if known[name] is not str:  # else the command line's parser would read a text as a number
            checks.real(where, value, -math.inf)
        elif not isinstance(value, str):
            raise TypeError(f"{where} must be a text, not {value!r}")
    table = {} if dataset == _ON_CHIP else _TABLES.get(dataset, {})
    found = {name: value for name, value in table.items() if name != _ON_CHIP} | own
    return found | ON_CHIP | table.get(_ON_CHIP, {}) if on_chip else found

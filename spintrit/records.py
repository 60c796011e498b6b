"""The records of a run: metrics.jsonl and, at its end, summary.json."""

import math
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from golden import checks, jsonfile
from golden.codes import STATES
from golden.train.trainer import METRICS

CONFIG, SUMMARY, PICTURE = "config.json", "summary.json", "learning.png"

_BINARY = set(STATES["binary"])
_STATES = tuple(dict.fromkeys(state for states in STATES.values() for state in states))
_MOST = 2**63 - 1


@dataclass(frozen=True)
class Run:
    """A run, finished or not.

    Parameters
    ----------
    name : str
        Name in legends.
    metrics : list of dict
        The lines of metrics.jsonl, at least one.
    summary : dict
        The content of summary.json; empty if there is none.
    """

    name: str
    metrics: list[dict[str, Any]]
    summary: dict[str, Any]

    @property
    def epochs(self) -> list[int]:
        """Numbers of the epochs, from 1."""
        return [entry["epoch"] for entry in self.metrics]

    @property
    def layers(self) -> list[str]:
        """Names of the layers, first to last."""
        return list(self.metrics[0]["populations"])

    @property
    def binary(self) -> bool:
        """Whether a synapse is a single junction, which has no zero."""
        return all(set(states) == _BINARY for states in self.metrics[0]["populations"].values())

    @property
    def cells(self) -> int:
        """Junctions in all layers."""
        layers = self.metrics[0]["populations"].values()
        return sum((1 if set(each) == _BINARY else 2) * sum(each.values()) for each in layers)

    @property
    def flip_rates(self) -> list[float]:
        """Cells switched per cell, of each epoch."""
        cells = self.cells
        return [entry["cells_switched"] / cells for entry in self.metrics]

    def shares(self, *states: str) -> list[float]:
        """Share of the synapses, of all layers, in one of ``states`` after each epoch."""
        found = []
        for entry in self.metrics:
            layers = entry["populations"].values()
            among = sum(layer.get(state, 0) for layer in layers for state in states)
            found.append(among / sum(sum(layer.values()) for layer in layers))
        return found

    @property
    def tests(self) -> list[tuple[int, float]]:
        """Epochs and test accuracies: first the epoch chosen by validation, then the last epoch if
        it is another. Without a choice in the summary there is only the last."""
        last, chosen = self.epochs[-1], self.summary.get("chosen_epoch")
        pairs = [
            (chosen or last, self.summary.get("test_accuracy")),
            (last, self.summary.get("last_test_accuracy")),
        ]
        known = {epoch: accuracy for epoch, accuracy in reversed(pairs) if accuracy is not None}
        return [(epoch, known[epoch]) for epoch in sorted(known)]


def run_file(folder: Path, name: str) -> Path:
    """A file that every run has in its ``folder``; raises ValueError if it is not there."""
    path = folder / name
    if not path.is_file():
        missing = f"it holds no {name}" if folder.is_dir() else "there is no such folder"
        raise ValueError(f"{folder} is not the folder of a run: {missing}")
    return path


def load_run(folder: Path) -> Run:
    """Read a run; its name is the folder's.

    An incomplete last line is ignored: the run was killed while it wrote it, or still writes it.

    Raises
    ------
    ValueError, TypeError
        Naming file and line, if there is no run in ``folder``, or if its files are damaged.
    OSError
        If a file cannot be read.
    """
    path = run_file(folder, METRICS)
    metrics: list[dict[str, Any]] = []
    lines = path.read_bytes().splitlines(keepends=True)
    for number, line in enumerate(lines, start=1):
        try:
            entry = jsonfile.parse(line, f"{path}, line {number}")
        except ValueError:
            if not line.endswith(b"\n"):
                break
            raise
        try:
            _check(entry, metrics)
        except (TypeError, ValueError, OverflowError) as error:
            raise ValueError(f"{path}, line {number}: {error}") from None
        metrics.append(entry)
    if not metrics:
        raise ValueError(f"{path} holds no epoch yet")
    return Run(_parts(folder)[-1], metrics, _summary(folder / SUMMARY, metrics[-1]["epoch"]))


def load_runs(folders: list[Path]) -> list[Run]:
    """Read runs; their names have as many parent folders as make them unique.

    Raises
    ------
    ValueError, TypeError, OSError
        As ``load_run``, and if a folder is given twice.
    """
    real = [folder.resolve() for folder in folders]
    for index, folder in enumerate(folders):
        if real[index] in real[:index]:
            raise ValueError(f"{folder} is given twice")
    runs = [load_run(folder) for folder in folders]
    return [replace(run, name=name) for run, name in zip(runs, _names(folders), strict=True)]


def _parts(folder: Path) -> tuple[str, ...]:
    """Parts of the path as given, with links; resolved if it ends without a name."""
    absolute = folder.absolute()
    return absolute.resolve().parts if ".." in absolute.parts else absolute.parts


def _names(folders: list[Path]) -> list[str]:
    paths = [_parts(folder) for folder in folders]
    lengths = [1] * len(paths)
    while True:
        names = ["/".join(p[-n:]) for p, n in zip(paths, lengths, strict=True)]
        longer = [
            n + (names.count(name) > 1 and n < len(p))
            for p, n, name in zip(paths, lengths, names, strict=True)
        ]
        if longer == lengths:
            return names
        lengths = longer


def _check(entry: Any, earlier: list[dict[str, Any]]) -> None:
    """Refuse a line that does not fit those ``earlier``."""
    needed = ("epoch", "loss", "train_accuracy", "val_accuracy", "cells_switched", "populations")
    for name in needed:
        if name not in entry:
            raise ValueError(f"must hold {name!r}")
    first = earlier[-1]["epoch"] + 1 if earlier else 1
    checks.integer("epoch", entry["epoch"], first, _MOST)
    checks.integer("cells_switched", entry["cells_switched"], 0, _MOST)
    for name in ("train_accuracy", "val_accuracy"):
        checks.real(name, entry[name], 0.0, 1.0)
    loss = entry["loss"]
    if not isinstance(loss, float) or math.isfinite(loss):  # one without bounds shows as a gap
        checks.real("loss", loss, -math.inf)
    layers = entry["populations"]
    if not isinstance(layers, dict) or not layers:
        raise ValueError(f"populations must be those of layers, not {layers!r}")
    for layer, states in layers.items():
        if not isinstance(states, dict) or not states:
            raise ValueError(f"populations of {layer} must be counts of states, not {states!r}")
        for state, count in states.items():
            checks.choice(f"state of {layer}", state, _STATES)
            checks.integer(f"populations of {layer}, {state}", count, 0, _MOST)
        if not any(states.values()):
            raise ValueError(f"populations of {layer} must count a synapse, not {states!r}")
    if earlier:
        before = earlier[0]["populations"]
        if {n: set(s) for n, s in before.items()} != {n: set(s) for n, s in layers.items()}:
            raise ValueError("populations must be of the same layers and states as in line 1")


def _summary(path: Path, last: int) -> dict[str, Any]:
    try:
        summary: dict[str, Any] = jsonfile.read(path)
    except FileNotFoundError:
        return {}
    for name in ("test_accuracy", "last_test_accuracy"):
        if summary.get(name) is not None:
            checks.real(f"{name} in {path}", summary[name], 0.0, 1.0)
    if summary.get("chosen_epoch") is not None:
        checks.integer(f"chosen_epoch in {path}", summary["chosen_epoch"], 1, last)
    return summary

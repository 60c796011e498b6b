"""The records of a run: metrics.jsonl and, at its end, summary.json."""

import math
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from golden import checks, jsonfile
from golden.codes import STATES
from golden.data import Split
from golden.extras import hinted
from golden.train.config import TrainConfig
from golden.train.trainer import METRICS
from spintrit.outputs import PICTURES, in_folder, writable

if TYPE_CHECKING:
    from matplotlib.figure import Figure

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
    history : list of dict
        The lines of metrics.jsonl, at least one: figures of each epoch.
    summary : dict
        The content of summary.json; empty if there is none.
    folder : Path, optional
        Where its files are.
    split : Split, optional
        Its data, where they are not a data set by name.
    """

    name: str
    history: list[dict[str, Any]]
    summary: dict[str, Any]
    folder: Path | None = None
    split: Split | None = field(default=None, repr=False)

    @property
    def place(self) -> Path:
        """Its folder; raises ValueError if it has none."""
        if self.folder is None:
            raise ValueError(f"run {self.name!r} has no folder")
        return self.folder

    @property
    def accuracy(self) -> float:
        """Share of the test samples that are classified rightly, with the weights of the epoch
        that was best on validation; raises ValueError if the run is not finished."""
        found = self.summary.get("test_accuracy")
        if found is None:
            raise ValueError(f"run {self.name!r} is not finished: it has no test accuracy")
        return float(found)

    @property
    def config(self) -> TrainConfig:
        """Its training settings."""
        return TrainConfig(**jsonfile.read(self.place / CONFIG)["train_config"])

    @property
    def weights(self) -> dict[str, np.ndarray]:
        """Weights of each layer by its name, int8 of shape (outputs, inputs), of the epoch that was
        best on validation. An input of a convolution is a place in its kernel; the last index is
        the channel.

        Raises
        ------
        ValueError, OSError
            If the run is not finished, or the file is damaged.
        """
        from spintrit.runs.trained import load

        end = ".weights"
        arrays = load(self.place).weights
        return {name.removesuffix(end): w for name, w in arrays.items() if name.endswith(end)}

    def plot(self, path: str | Path | None = None) -> "Figure":
        """Draw accuracies, loss, flip rate and the cell states of each layer by epoch.

        Parameters
        ----------
        path : str or Path, optional
            A .png, .svg or .pdf file that gets the picture.

        Returns
        -------
        matplotlib.figure.Figure

        Raises
        ------
        ValueError
            If the file has another suffix.
        OSError
            If it cannot be written.
        ModuleNotFoundError
            If matplotlib is not installed.
        """
        with hinted():
            from spintrit.report import figures, picture
        if path is not None:
            writable(Path(path), suffixes=PICTURES)
        figure = picture.run_figure(self)
        if path is not None:
            figures.save(figure, in_folder(Path(path)))
        return figure

    @property
    def epochs(self) -> list[int]:
        """Numbers of the epochs, from 1."""
        return [entry["epoch"] for entry in self.history]

    @property
    def layers(self) -> list[str]:
        """Names of the layers, first to last."""
        return list(self.history[0]["populations"])

    @property
    def binary(self) -> bool:
        """Whether a synapse is a single junction, which has no zero."""
        return all(set(states) == _BINARY for states in self.history[0]["populations"].values())

    @property
    def cells(self) -> int:
        """Junctions in all layers."""
        layers = self.history[0]["populations"].values()
        return sum((1 if set(each) == _BINARY else 2) * sum(each.values()) for each in layers)

    @property
    def flip_rates(self) -> list[float]:
        """Cells switched per cell, of each epoch."""
        cells = self.cells
        return [entry["cells_switched"] / cells for entry in self.history]

    def shares(self, *states: str) -> list[float]:
        """Share of the synapses, of all layers, in one of ``states`` after each epoch."""
        found = []
        for entry in self.history:
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


def load_run(folder: str | Path) -> Run:
    """Read a run; its name is the folder's.

    An incomplete last line is ignored: the run was killed while it wrote it, or still writes it.

    Raises
    ------
    ValueError, TypeError
        Naming file and line, if there is no run in ``folder``, or if its files are damaged.
    OSError
        If a file cannot be read.
    """
    folder = Path(folder)
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
    return Run(
        _parts(folder)[-1], metrics, _summary(folder / SUMMARY, metrics[-1]["epoch"]), folder
    )


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

"""The network that a run has left in its folder."""

import contextlib
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np

from golden import checks, jsonfile
from golden.config import ArrayConfig
from golden.device.nonideal import NonIdealities
from golden.matrix.interface import HostBank
from golden.network import notation
from golden.network.network import Network
from golden.targets import Golden, HostTarget
from golden.train.config import TrainConfig
from spintrit.records import CONFIG, run_file
from spintrit.runs.settings import FILES
from spintrit.runs.source import Source
from spintrit.targets import host_target


@dataclass(frozen=True, eq=False)
class Trained:
    """The network of a finished run.

    Parameters
    ----------
    folder : Path
        Of the run.
    which : {"best", "last"}
        Whose weights: the epoch's that was best on validation, or the last one's.
    source : Source
        The data that it was trained on; where they lie is not kept.
    shape : tuple of int
        Of an input.
    config : TrainConfig
    array : ArrayConfig
    nonideal : NonIdealities
    weights : dict of str to ndarray
        See ``golden.network.network.Network.weights``.
    target : HostTarget
        What it was trained on, or the target of its accelerator.
    tiles : int
        Of the accelerator that trained it; 0 is none, but a host.
    """

    folder: Path
    which: str
    source: Source
    shape: tuple[int, ...]
    config: TrainConfig
    array: ArrayConfig
    nonideal: NonIdealities
    weights: dict[str, np.ndarray]
    target: HostTarget = field(default_factory=Golden)
    tiles: int = 0

    @property
    def limit(self) -> int:
        """Of an input's magnitude."""
        return (1 << self.source.input_bits - 1) - 1

    @property
    def classes(self) -> int:
        """Outputs of the last layer."""
        return len(self.weights[_last(self.config)])

    def network(self, bank: HostBank) -> Network:
        """The network in the synapses of ``bank``, programmed.

        Raises
        ------
        ValueError
            If the run's files do not fit each other.
        """
        with self.fitting():
            network = Network(
                bank, self.shape, notation.parse(self.config.network), self.classes,
                limit=self.limit, threshold=self.config.activation_threshold,
                window=self.config.window,
            )  # fmt: skip
            network.set_weights(self.weights)
        return network

    @contextlib.contextmanager
    def fitting(self) -> Iterator[None]:
        """Errors of setting the weights as ValueErrors that name their file."""
        path = self.folder / FILES[self.which]
        try:
            yield
        except KeyError as missing:
            raise ValueError(f"{path} does not fit {CONFIG}: it has no {missing}") from None
        except (TypeError, ValueError) as error:
            raise ValueError(f"{path} does not fit {CONFIG}: {error}") from None

    def resized(self, rows: int | None, cols: int | None) -> ArrayConfig:
        """The run's array in another size, without what only training needs: activity counters
        and variants of cells (stuck ones are in the weights as they are)."""
        return replace(
            self.array,
            rows=self.array.rows if rows is None else rows,
            cols=self.array.cols if cols is None else cols,
            counters=False,
            variant_bits=0,
        )


def _last(config: TrainConfig) -> str:
    """What a file of weights calls the last layer's cells."""
    return f"layer{len(notation.parse(config.network)) + 1}.cells"


def read_weights(path: Path) -> dict[str, np.ndarray]:
    """The arrays of a file of weights.

    Raises
    ------
    ValueError
        Naming the file, if it is damaged.
    OSError
        If it cannot be read.
    """
    with path.open("rb") as file:
        try:
            # Damage can show as nearly any exception, depending on the byte.
            with np.load(file, allow_pickle=False) as arrays:
                return {key: arrays[key] for key in arrays.files}
        except Exception as error:
            raise ValueError(f"{path} is damaged: {error}") from error


def load(folder: Path, which: str = "best") -> Trained:
    """The network that a run left in ``folder``.

    Raises
    ------
    ValueError
        If there is no run, if it is not finished, or a file of it is damaged; the message names it.
    OSError
        If a file cannot be read.
    """
    path = run_file(folder, CONFIG)
    name = FILES[checks.choice("weights", which, tuple(FILES))]
    if not (folder / name).is_file():
        raise ValueError(f"{folder} holds no {name}: its run is not finished")
    told = jsonfile.read(path)
    try:
        data = told["data"]
        source = Source.like(data)
        shape = tuple(checks.integer("shape", n, 1) for n in data["shape"])
        config = TrainConfig(**told["train_config"])
        array = ArrayConfig(**told["array_config"])
        settings = NonIdealities(**told["nonideal"])
        tiles = checks.integer("tiles", told.get("tiles", 0), 0)
        target = host_target(str(told.get("array", "golden")))
    except KeyError as error:
        raise ValueError(f"{path} is damaged: {error} is missing") from None
    except (TypeError, ValueError, RecursionError) as error:
        raise ValueError(f"{path} is damaged: {error}") from None
    weights = read_weights(folder / name)
    if np.ndim(weights.get(_last(config), 0)) != 3:
        raise ValueError(f"{folder / name} does not fit {CONFIG}: it has no {_last(config)}")
    return Trained(folder, which, source, shape, config, array, settings, weights, target, tiles)

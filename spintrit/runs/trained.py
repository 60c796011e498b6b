"""The trained network in a run's folder."""

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
        Folder of the run.
    which : {"best", "last"}
        Weights of the epoch with the best validation accuracy, or of the last epoch.
    source : Source
        The data of the training, without their folder.
    shape : tuple of int
        Shape of an input.
    config : TrainConfig
    array : ArrayConfig
    nonideal : NonIdealities
    weights : dict of str to ndarray
        See ``golden.network.network.Network.weights``.
    target : HostTarget
        Target of the training; on chip, the target of its accelerator.
    tiles : int
        Tiles of the accelerator that trained it; 0 if a host trained it.
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
        """Largest magnitude of an input."""
        return (1 << self.source.input_bits - 1) - 1

    @property
    def classes(self) -> int:
        """Number of outputs of the last layer."""
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
    """Name of the last layer's cells in a file of weights."""
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
    """Load the trained network in ``folder``.

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
    content = jsonfile.read(path)
    try:
        data = content["data"]
        source = Source.like(data)
        shape = tuple(checks.integer("shape", n, 1) for n in data["shape"])
        config = TrainConfig(**content["train_config"])
        array = ArrayConfig(**content["array_config"])
        settings = NonIdealities(**content["nonideal"])
        tiles = checks.integer("tiles", content.get("tiles", 0), 0)
        target = host_target(str(content.get("array", "golden")))
    except KeyError as error:
        raise ValueError(f"{path} is damaged: {error} is missing") from None
    except (TypeError, ValueError, RecursionError) as error:
        raise ValueError(f"{path} is damaged: {error}") from None
    weights = read_weights(folder / name)
    if np.ndim(weights.get(_last(config), 0)) != 3:
        raise ValueError(f"{folder / name} does not fit {CONFIG}: it has no {_last(config)}")
    return Trained(folder, which, source, shape, config, array, settings, weights, target, tiles)

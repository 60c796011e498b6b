"""Training: epochs of mini-batches on whatever holds the synapses, resumable at every epoch.

All randomness comes from one seed: the arrays' generators from ``ArrayPool``, and one numpy
generator each for the start, the order of the samples and the rounding of pulse codes. A run that
is killed and resumed therefore ends bit for bit like an unbroken one, on any kind of array.
"""

import functools
import json
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

from golden import checkpoint, checks, ptable
from golden.activity import COUNTERS
from golden.array import GoldenArray, SynapseArray
from golden.coder import CoderConfig
from golden.config import ArrayConfig
from golden.data import Split
from golden.environment import Environment
from golden.layers import squared_hinge
from golden.lockstep import Mismatch
from golden.matrix import ArrayPool
from golden.network import Network, populations
from golden.nonideal import NonIdealities
from golden.optim import OPTIMISERS, exponential_decay
from golden.ptable import ProbabilityTable

RULES = ("exact", "blind")
ACTIVATIONS = ("ternary", "binary")
CHECKPOINT, METRICS, WEIGHTS = "checkpoint.npz", "metrics.jsonl", "weights.npz"


@dataclass(frozen=True, kw_only=True)
class TrainConfig:
    """What decides a run, but for array and data; the defaults are tuned to the digits.

    Parameters
    ----------
    hidden : sequence of int
        Sizes of the hidden layers.
    epochs, batch : int
        Passes over the training data; samples per weight update, at least 2 for batch norm's sake
        (a last batch of one changes next to nothing).
    learning_rate, final_learning_rate : float
        Of the first and the last epoch, falling exponentially in between.
    optimiser : {"adam", "momentum"}
        See ``golden.optim``.
    rule : {"exact", "blind"}
        Which cells a pulse drives, see ``golden.cell``.
    activation : {"ternary", "binary"}
        See ``golden.layers.Activation``.
    threshold, window : float
        Its r and a; a binary activation has no r.
    density : float
        Share of non-zero weights at the start, 0 to 1.
    seed : int
        Of all randomness.

    Raises
    ------
    TypeError, ValueError
        If a parameter is not of its type or outside its range.
    """

    hidden: Sequence[int] = (128,)
    epochs: int = 100
    batch: int = 200
    learning_rate: float = 0.2
    final_learning_rate: float = 5e-4
    optimiser: str = "adam"
    rule: str = "exact"
    activation: str = "ternary"
    threshold: float = 0.5
    window: float = 0.5
    density: float = 0.1
    seed: int = 0

    def __post_init__(self) -> None:
        fix = functools.partial(object.__setattr__, self)
        if isinstance(self.hidden, str) or not isinstance(self.hidden, Sequence):
            raise TypeError(f"hidden must be a sequence of integers, not {self.hidden!r}")
        sizes = enumerate(self.hidden)
        fix("hidden", tuple(checks.integer(f"hidden[{i}]", n, 1) for i, n in sizes))
        for name, low in {"epochs": 1, "batch": 2, "seed": 0}.items():
            fix(name, checks.integer(name, getattr(self, name), low))
        for name in ("learning_rate", "final_learning_rate", "threshold", "window"):
            fix(name, checks.real(name, getattr(self, name), 1e-12, 100.0))
        fix("density", checks.real("density", self.density, 0.0, 1.0))
        checks.choice("optimiser", self.optimiser, tuple(OPTIMISERS))
        checks.choice("rule", self.rule, RULES)
        checks.choice("activation", self.activation, ACTIVATIONS)


@dataclass(frozen=True)
class Result:
    """What a run came to.

    ``metrics`` holds the lines of metrics.jsonl. ``cycles`` are those of training, validation and
    test, reads of cells apart; ``cells_switched`` those of training.
    """

    test_accuracy: float
    val_accuracy: float
    cycles: int
    cells_switched: int
    metrics: list[dict[str, Any]]


class Trainer:
    """Trains a network on a data set, on arrays of any kind.

    Parameters
    ----------
    config : TrainConfig
    array : ArrayConfig
        Of each array.
    split : Split
        The data.
    make : callable
        ``make(array)`` returns a new SynapseArray.
    out : Path, optional
        Folder, made if missing, for metrics.jsonl (one line an epoch), checkpoint.npz (after each
        epoch) and, at the end, weights.npz. Nothing in them depends on the clock or on the kind of
        array.
    table : ProbabilityTable, optional
        Loaded into the arrays; ``golden.ptable.tanh_table`` by default.
    environment : Environment, optional
        Device and non-idealities; its array and table take the place of ``array`` and ``table``.
    on_batch, on_epoch : callable, optional
        Called after each batch with (epoch, batch, batches), counted from 1, and after each epoch,
        once it is on disk, with its metrics.

    Raises
    ------
    OSError
        If the folder cannot be made.
    """

    def __init__(
        self,
        config: TrainConfig,
        array: ArrayConfig,
        split: Split,
        make: Callable[[ArrayConfig], SynapseArray] = GoldenArray,
        out: Path | str | None = None,
        *,
        table: ProbabilityTable | None = None,
        environment: Environment | None = None,
        on_batch: Callable[[int, int, int], None] | None = None,
        on_epoch: Callable[[dict[str, Any]], None] | None = None,
    ):
        if not isinstance(config, TrainConfig):
            raise TypeError(f"config must be a TrainConfig, not {config!r}")
        if not isinstance(split, Split):
            raise TypeError(f"split must be a Split, not {split!r}")
        self.config, self.split = config, split
        self.out = None if out is None else Path(out)
        if self.out:
            self.out.mkdir(parents=True, exist_ok=True)
        environment = environment or Environment(
            array, None, NonIdealities(), CoderConfig(), table=table or ptable.tanh_table(array)
        )
        self.environment, array, table = environment, environment.config, environment.table
        self.pool = ArrayPool(make, array, table, config.seed, environment.equip)
        self.network = Network(
            self.pool,
            (split.inputs, *config.hidden, split.classes),
            threshold=config.threshold if config.activation == "ternary" else 0.0,
            window=config.window,
            steepness=environment.steepness,
        )
        self.optimiser = OPTIMISERS[config.optimiser]()
        rngs = [np.random.default_rng(s) for s in np.random.SeedSequence(config.seed).spawn(3)]
        self.rngs = dict(zip(("start", "order", "coder"), rngs, strict=True))
        self.rngs["environment"] = environment.rng
        self.metrics: list[dict[str, Any]] = []
        self._on_batch, self._on_epoch = on_batch, on_epoch
        # What a checkpoint must share with the run that resumes it.
        self._identity = {
            **{f"array {name}": value for name, value in asdict(array).items()},
            **asdict(config) | {"hidden": list(config.hidden)},
            "table": checkpoint.digest(*table.arrays()),
            **environment.identity(),
            "data": checkpoint.digest(*split.arrays()),
        }
        self.network.initialise(self.rngs["start"], config.density)

    @property
    def epoch(self) -> int:
        """Epochs done."""
        return len(self.metrics)

    def resume(self) -> int:
        """Go back to the folder's checkpoint; without one, stay at the start.

        Returns
        -------
        int
            Epochs done.

        Raises
        ------
        ValueError
            If the checkpoint is damaged, or was made by a run of another configuration.
        """
        if not self.out or not (self.out / CHECKPOINT).exists():
            return self.epoch
        path = self.out / CHECKPOINT
        meta, groups = checkpoint.load(path, self._identity)
        try:
            self.network.set_state(groups["network"])
            self.optimiser = type(self.optimiser)(groups.get("optimiser"))
            for name, rng in self.rngs.items():
                rng.bit_generator.state = meta["rngs"][name]
            self.metrics = meta["metrics"]
        except (KeyError, TypeError, ValueError) as error:
            raise ValueError(f"{path} does not fit its own configuration: {error}") from error
        return self.epoch

    def run(self) -> Result:
        """Train from where we are to the last epoch, then test once.

        Raises
        ------
        golden.lockstep.Mismatch
            If a lock-step array's two sides differ, placed in its layer.
        OSError
            Naming the file, if one cannot be written.
        """
        self._save()
        if self.out:
            text = "".join(_line(entry) for entry in self.metrics)
            checkpoint.write_atomically(self.out / METRICS, text.encode())
        while self.epoch < self.config.epochs:
            self.metrics.append(self._train_epoch())
            if self.out:
                with (self.out / METRICS).open("a") as file:
                    file.write(_line(self.metrics[-1]))
            self._save()
            if self._on_epoch:
                self._on_epoch(self.metrics[-1])

        cycles = sum(entry["cycles"] for entry in self.metrics) - self._cycles()
        self.environment.store(self.pool)
        test_accuracy = self._accuracy(self.split.x_test, self.split.y_test)
        cycles += self._cycles()
        if self.out:
            checkpoint.write_atomically(self.out / WEIGHTS, checkpoint.npz(self.network.weights()))
        return Result(
            test_accuracy=test_accuracy,
            val_accuracy=self.metrics[-1]["val_accuracy"],
            cycles=cycles,
            cells_switched=sum(entry["cells_switched"] for entry in self.metrics),
            metrics=self.metrics,
        )

    def _train_epoch(self) -> dict[str, Any]:
        config, network, blind = self.config, self.network, self.config.rule == "blind"
        cycles, activity = self._cycles(), self._activity()
        rate = exponential_decay(
            config.learning_rate, config.final_learning_rate, self.epoch, config.epochs
        )
        order = self.rngs["order"].permutation(len(self.split.x_train))
        loss, right, switched = 0.0, 0, 0
        starts = range(0, len(order), config.batch)
        for number, start in enumerate(starts, start=1):
            chosen = order[start : start + config.batch]
            labels = self.split.y_train[chosen]
            scores = network.forward(self.split.x_train[chosen], train=True)
            batch_loss, gradient = squared_hinge(scores, labels)
            network.backward(gradient)
            switched += network.update(self.optimiser, rate, self.rngs["coder"], blind=blind)
            self.environment.after_batch(self.pool)
            loss += batch_loss * len(chosen)
            right += int(np.count_nonzero(scores.argmax(axis=1) == labels))
            if self._on_batch:
                self._on_batch(self.epoch + 1, number, len(starts))
        activity = {name: count - activity[name] for name, count in self._activity().items()}
        val_accuracy = self._accuracy(self.split.x_val, self.split.y_val)
        self.environment.after_batch(self.pool)
        cycles = self._cycles() - cycles
        return {
            "epoch": self.epoch + 1,
            "learning_rate": rate,
            "loss": loss / len(order),
            "train_accuracy": right / len(order),
            "val_accuracy": val_accuracy,
            "cells_switched": switched,
            "cycles": cycles,
            "activity": activity,
            "populations": {name: populations(cells) for name, cells in self._verified().items()},
        }

    def _verified(self) -> dict[str, np.ndarray]:
        """All cell bits by layer, after comparing what can be compared."""
        bits = self.network.read()  # first: a difference is placed in its layer
        for number, array in enumerate(self.pool.arrays):
            try:
                array.verify()
            except Mismatch as mismatch:
                raise mismatch.of(array=number) from None
        return bits

    def _accuracy(self, x: np.ndarray, y: np.ndarray) -> float:
        return float(np.mean(self.network.predict(x) == y))

    def _activity(self) -> dict[str, int]:
        """The arrays' counters, summed; none if they have none."""
        if not self.pool.config.counters:
            return {}
        total = dict.fromkeys(COUNTERS, 0)
        for number, array in enumerate(self.pool.arrays):
            try:
                counts = array.activity()
            except Mismatch as mismatch:
                raise mismatch.of(array=number) from None
            total = {name: total[name] + counts[name] for name in COUNTERS}
        return total

    def _cycles(self) -> int:
        return sum(array.counters.cycles for array in self.pool.arrays)

    def _save(self) -> None:
        if self.out:
            rngs = {name: rng.bit_generator.state for name, rng in self.rngs.items()}
            meta = {"metrics": self.metrics, "rngs": rngs}
            groups = {"network": self.network.state(), "optimiser": self.optimiser.state}
            checkpoint.save(self.out / CHECKPOINT, self._identity, meta, groups)


def _line(entry: dict[str, Any]) -> str:
    return json.dumps(entry) + "\n"

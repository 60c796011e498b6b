"""Training: epochs of mini-batches on any target; a run can resume after every epoch.

All randomness comes from one seed. It seeds the arrays' generators (``ArrayBank``) and one numpy
generator each for the start weights, the order of the samples and the rounding of pulse codes. A
run that is killed and resumed therefore gives the same bits as an uninterrupted one, on any kind of
array.
"""

import json
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

from golden import files
from golden.array.activity import COUNTERS, since
from golden.array.lockstep import Mismatch
from golden.config import ArrayConfig
from golden.data import Split
from golden.data.augment import crop_flip
from golden.network.optim import exponential_decay
from golden.network.start import Start
from golden.network.synapse_network import populations
from golden.targets import Golden, Target
from golden.train import checkpoint
from golden.train.cells import Cells
from golden.train.conditions import Conditions
from golden.train.config import TrainConfig, check_metrics, generators
from golden.train.log import Log

CHECKPOINT, METRICS = "checkpoint.npz", "metrics.jsonl"
WEIGHTS, BEST = "weights.npz", "best.npz"  # of the last epoch, and of the best on validation


@dataclass(frozen=True)
class Result:
    """Result of a run.

    There are two tests: with the weights of the epoch that was best on the validation data, and
    with those of the last epoch.

    Parameters
    ----------
    test_accuracy : float
        Accuracy of the best epoch's weights.
    last_test_accuracy : float
        Accuracy of the last epoch's weights.
    chosen_epoch : int
        Best epoch on the validation data, the last one of several.
    val_accuracy : float
        Validation accuracy of this epoch.
    cycles : int
        Clock cycles of training, validation and the last epoch's test, without reads of cells.
    cells_switched : int
        Cells switched in training.
    metrics : list of dict
        Lines of metrics.jsonl.
    """

    test_accuracy: float
    last_test_accuracy: float
    chosen_epoch: int
    val_accuracy: float
    cycles: int
    cells_switched: int
    metrics: list[dict[str, Any]]


class Trainer:
    """Trains a network on a data set, on arrays of any kind.

    Parameters
    ----------
    config : TrainConfig
    split : Split
        The data.
    target : Target, optional
        Target that trains; ``golden.targets.Golden`` by default.
    conditions : Conditions, optional
        Array, table, device and non-idealities. By default those of ``golden.train.cells.Cells()``
        in arrays of the default size, with the seed of ``config``.
    out : Path, optional
        Folder, made if missing, for metrics.jsonl (one line an epoch), checkpoint.npz (after each
        epoch) and, at the end, weights.npz and best.npz. Their content does not depend on the clock
        or on the kind of array.
    start : Start, optional
        Weights to start from, instead of random ones. The optimiser starts without history.
    log : Log, optional
        Functions that are called while the run goes on.

    Attributes
    ----------
    network : SynapseNetwork
    bank : Bank
        The network's arrays.

    Raises
    ------
    OSError
        If the folder cannot be made.
    ValueError
        If ``conditions`` have another seed than ``config``, the target cannot train the network, or
        the weights of ``start`` do not fit the network (the message names the array).
    """

    def __init__(
        self,
        config: TrainConfig,
        split: Split,
        target: Target | None = None,
        conditions: Conditions | None = None,
        out: Path | str | None = None,
        *,
        start: Start | None = None,
        log: Log | None = None,
    ):
        if not isinstance(config, TrainConfig):
            raise TypeError(f"config must be a TrainConfig, not {config!r}")
        if not isinstance(split, Split):
            raise TypeError(f"split must be a Split, not {split!r}")
        if not isinstance(target, Target | None):
            raise TypeError(f"target must be a Target, not {target!r}")
        if not isinstance(conditions, Conditions | None):
            raise TypeError(f"conditions must be Conditions, not {conditions!r}")
        target = target or Golden()
        if conditions is None:
            conditions = Cells().conditions(target.settle(ArrayConfig()), config.seed)
        if conditions.seed != config.seed:
            raise ValueError(
                f"conditions.seed = {conditions.seed} must be config.seed = {config.seed}: one "
                "seed decides a run"
            )
        self.config, self.split, self.conditions = config, split, conditions
        self.out = None if out is None else Path(out)
        if self.out:
            self.out.mkdir(parents=True, exist_ok=True)
        self.log = log or Log()
        self.network = target.network(config, split, conditions)
        self.bank = self.network.bank
        conditions.watch(self.bank)
        self.rngs = generators(config.seed) | self.network.generators()
        self.rngs["environment"] = conditions.rng
        self.metrics: list[dict[str, Any]] = []
        self._best: dict[str, np.ndarray] = {}  # weights of the best epoch on validation
        self.resumed = False  # from a checkpoint
        # Settings that must be equal in a checkpoint and the run that resumes it. The number of
        # epochs may differ.
        own = {name: value for name, value in asdict(config).items() if name != "epochs"}
        self._identity = {
            **{f"array {name}": value for name, value in asdict(conditions.config).items()},
            **own,
            "matrices": target.matrices,
            "augment": split.augment,
            "table": files.digest(*conditions.table.arrays()),
            **conditions.identity(),
            "data": files.digest(*split.arrays()),
            "start": start.digest if start else None,
        }
        self.network.initialise(self.rngs["start"], config.density)
        self._started = start.give(self.network) if start else True

    @property
    def epoch(self) -> int:
        """Epochs done."""
        return len(self.metrics)

    def resume(self) -> int:
        """Resume from the folder's checkpoint, if there is one.

        Returns
        -------
        int
            Epochs done.

        Raises
        ------
        ValueError
            If the checkpoint is damaged, was made by a run of another configuration, or has more
            epochs than this run.
        """
        if not self.out or not (self.out / CHECKPOINT).exists():
            return self.epoch
        path = self.out / CHECKPOINT
        meta, groups = checkpoint.load(path, self._identity)
        try:
            state, best = groups.get("optimiser", {}), groups.get("best", {})
            # All is checked before anything changes.
            check_metrics(meta["metrics"])
            for name, rng in self.rngs.items():
                type(rng.bit_generator)().state = meta["rngs"][name]
            self.network.check_optimiser_state(state)
            if meta["metrics"]:
                self.network.check_weights(best)
            self.network.check_state(groups["network"])
        except (KeyError, TypeError, ValueError, OverflowError) as error:
            raise ValueError(f"{path} does not fit its own configuration: {error}") from error
        done = len(meta["metrics"])
        if done > self.config.epochs:
            raise ValueError(
                f"epochs must be at least {done}, as done in {path}, not {self.config.epochs}"
            )
        self.network.set_state(groups["network"])
        self.network.set_optimiser_state(state)
        self._best = best
        for name, rng in self.rngs.items():
            rng.bit_generator.state = meta["rngs"][name]
        self.metrics = meta["metrics"]
        self._started = self.resumed = True
        return self.epoch

    def run(self) -> Result:
        """Train from the current epoch to the last one, then test.

        Raises
        ------
        golden.array.lockstep.Mismatch
            If the two arrays of a lock-step array differ; the message names the layer.
        OSError
            If a file cannot be written; the message names it.
        ValueError
            If there is only the digest of the start weights, and no checkpoint.
        """
        if not self._started:
            raise ValueError("start has no weights, and there is no checkpoint to resume from")
        if not self.resumed:  # else the checkpoint exists, and to read cells takes cycles
            self._save()
        if self.out:
            text = "".join(_line(entry) for entry in self.metrics)
            files.write_atomically(self.out / METRICS, text.encode())
        while self.epoch < self.config.epochs:
            self.metrics.append(self._train_epoch())
            if self.out:
                path = self.out / METRICS
                with files.naming(path), path.open("a") as file:
                    file.write(_line(self.metrics[-1]))
            self._save()
            self.log.epoch(self.metrics[-1])

        cycles = sum(entry["cycles"] for entry in self.metrics) - self.bank.cycles()
        self.conditions.store(self.bank)
        last = test = self._accuracy(self.split.x_test, self.split.y_test)
        cycles += self.bank.cycles()
        weights = self.network.weights()
        chosen = chosen_epoch(self.metrics)
        if chosen < self.epoch or self.conditions.disturbs:
            self.network.set_weights(self._best)
            self.conditions.store(self.bank)
            test = self._accuracy(self.split.x_test, self.split.y_test)
        if self.out:
            for name, arrays in ((WEIGHTS, weights), (BEST, self.network.weights())):
                files.write_atomically(self.out / name, files.npz(arrays))
        return Result(
            test_accuracy=test,
            last_test_accuracy=last,
            chosen_epoch=chosen,
            val_accuracy=self.metrics[chosen - 1]["val_accuracy"],
            cycles=cycles,
            cells_switched=sum(entry["cells_switched"] for entry in self.metrics),
            metrics=self.metrics,
        )

    def _train_epoch(self) -> dict[str, Any]:
        config, network = self.config, self.network
        augment = self.split.augment
        cycles, activity = self.bank.cycles(), self._activity()
        rate = exponential_decay(
            config.learning_rate, config.final_learning_rate, self.epoch, config.epochs
        )
        order = self.rngs["order"].permutation(len(self.split.x_train))
        loss, right, switched, counted = 0.0, 0, 0, 0
        starts = range(0, len(order), config.batch)
        for number, start in enumerate(starts, start=1):
            chosen = order[start : start + config.batch]
            labels = self.split.y_train[chosen]
            x = self.split.x_train[chosen]
            if augment != "none":
                x = crop_flip(x, self.rngs["augment"], flip=augment == "crop-flip")
            counted += self.bank.counting(number)
            step = network.train_step(x, labels, rate)
            self.conditions.after_batch(self.bank)
            loss += step.loss * len(chosen)
            switched += step.switched
            right += int(np.count_nonzero(step.classes == labels))
            self.log.batch(self.epoch + 1, number, len(starts))
        activity = {
            name: since(count, activity[name]) * len(starts) // counted
            for name, count in self._activity().items()
        }
        self.bank.counting(0)
        val_accuracy = self._accuracy(self.split.x_val, self.split.y_val)
        cycles -= self.bank.cycles()
        bits = self._verified()
        self._keep(bits, val_accuracy)
        cycles += self.bank.cycles()  # without reads of cells
        self.conditions.after_batch(self.bank)
        cycles = self.bank.cycles() - cycles
        return {
            "epoch": self.epoch + 1,
            "learning_rate": rate,
            "loss": loss / len(order),
            "train_accuracy": right / len(order),
            "val_accuracy": val_accuracy,
            "cells_switched": switched,
            "cycles": cycles,
            "activity": activity,
            "populations": {name: populations(cells) for name, cells in bits.items()},
        }

    def _verified(self) -> dict[str, np.ndarray]:
        """All cell bits by layer, after all comparisons of a lock-step target."""
        bits = self.network.read()  # first: a mismatch here names the layer
        for number, array in enumerate(self.bank.arrays):
            try:
                array.verify()
            except Mismatch as mismatch:
                raise mismatch.of(array=number) from None
        self.network.verify()
        return bits

    def _keep(self, bits: dict[str, np.ndarray], val_accuracy: float) -> None:
        """Keep the weights of validation if no epoch before was better."""
        if all(val_accuracy >= entry["val_accuracy"] for entry in self.metrics):
            cells = {f"{layer}.cells": part for layer, part in bits.items()}
            self._best = cells | self.network.host_norms()

    def _accuracy(self, x: np.ndarray, y: np.ndarray) -> float:
        return float(np.mean(self.network.predict(x) == y))

    def _activity(self) -> dict[str, int]:
        """Sums of the arrays' counters; empty if they have none."""
        if not self.bank.config.counters:
            return {}
        total = dict.fromkeys(COUNTERS, 0)
        for number, array in enumerate(self.bank.arrays):
            try:
                counts = array.activity()
            except Mismatch as mismatch:
                raise mismatch.of(array=number) from None
            total = {name: total[name] + counts[name] for name in COUNTERS}
        return total

    def _save(self) -> None:
        if self.out:
            rngs = {name: rng.bit_generator.state for name, rng in self.rngs.items()}
            meta = {"metrics": self.metrics, "rngs": rngs}
            groups = {
                "network": self.network.state(),
                "optimiser": self.network.optimiser_state(),
                "best": self._best,
            }
            self.log.save(self.epoch)
            checkpoint.save(self.out / CHECKPOINT, self._identity, meta, groups)


def chosen_epoch(metrics: list[dict[str, Any]]) -> int:
    """The epoch, from 1, with the highest validation accuracy; the last one of several."""
    best = max(entry["val_accuracy"] for entry in metrics)
    last: int = max(entry["epoch"] for entry in metrics if entry["val_accuracy"] == best)
    return last


def _line(entry: dict[str, Any]) -> str:
    return json.dumps(entry) + "\n"

"""Evaluation of the network of a finished run, on any kind of array."""

import time
from collections.abc import Iterator
from contextlib import nullcontext
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from golden import checks
from golden.array.lockstep import Mismatch
from golden.backend import AUTO, resolved
from golden.data.split import PARTS
from golden.files import write_atomically
from golden.matrix.whole_bank import WholeBank
from golden.network.network import EVALUATION_BATCH, Network
from golden.pulse.table import tanh_table
from golden.targets import Golden, HostTarget, Whole
from golden.train.conditions import Conditions
from spintrit.outputs import in_folder
from spintrit.progress import Progress
from spintrit.runs import predictions
from spintrit.runs.chip_eval import classify_on_chip
from spintrit.runs.conditions import EvalConditions, conditions
from spintrit.runs.trained import Trained
from spintrit.runs.work import compared, rtl_work

_RTL_BATCH = {1: 16, 3: 1}  # by axes of a sample; few, so that progress shows


@dataclass(frozen=True, eq=False)
class Outcome:
    """Results of the samples under one draw of the conditions.

    Parameters
    ----------
    figures : dict
        Comparisons and work, by name.
    classes : ndarray of shape (samples,)
    scores : ndarray of shape (samples, classes), optional
        None from an accelerator.
    """

    figures: dict[str, Any]
    classes: np.ndarray
    scores: np.ndarray | None = None


class Evaluation:
    """Samples of a trained network's data, to be classified under any conditions.

    Parameters
    ----------
    trained : Trained
    target : HostTarget, optional
        By default whole matrices, or golden arrays if reads are analog or the run has stuck cells
        in arrays.
    compute, products : str
        Back end of whole matrices and its products if ``target`` is not given, see
        ``golden.targets.Whole``.
    root : Path, optional
        Folder of the data, see ``golden.data.load``.
    part : {"train", "val", "test"}
    first, count : int
        First sample of that part and number of samples; a count of 0: all from ``first`` on.
    rows, cols : int, optional
        Size of the arrays; the run's by default.

    Attributes
    ----------
    labels : ndarray of shape (samples,)
    names : list of str
        Names of the classes.

    Raises
    ------
    ValueError
        If an argument is wrong, or the data are not those of the run.
    OSError
        If data are missing.
    """

    def __init__(
        self,
        trained: Trained,
        target: HostTarget | None = None,
        *,
        compute: str = "numpy",
        products: str = AUTO,
        root: Path | None = None,
        part: str = "test",
        first: int = 0,
        count: int = 0,
        rows: int | None = None,
        cols: int | None = None,
        progress: Progress | None = None,
    ):
        self.trained, self.target, self.compute = trained, target, compute
        self._products = products
        self.progress = progress or Progress()
        checks.choice("part", part, PARTS)
        if target and compute not in (AUTO, target.compute):
            raise ValueError(
                f"backend {compute} contradicts the {target.compute} of array {target.text}"
            )
        if trained.nonideal.analog and (rows, cols) != (None, None):
            raise ValueError("the run's analog reads are those of arrays of its own size")
        self.array = trained.resized(rows, cols)
        split = replace(trained.source, root=root).load(self.progress)
        if split.shape != trained.shape or split.classes != trained.classes:
            raise ValueError(
                f"{split.name} has inputs of shape {split.shape} and {split.classes} classes, the "
                f"run in {trained.folder} {trained.shape} and {trained.classes}"
            )
        trained.source.compare(split, part, trained.folder)
        x, y = getattr(split, f"x_{part}"), getattr(split, f"y_{part}")
        self.first = checks.integer("first", first, 0, len(y) - 1)
        count = checks.integer("count", count, 0, len(y) - first) or len(y) - first
        self._x, self.labels = x[first : first + count], y[first : first + count]
        self.names = list(split.names)
        self.description: dict[str, Any] = {
            "backend": target.compute if target else resolved(compute),
            "dataset": split.name,
            "part": part,
            "first": first,
            "samples": count,
            "network": trained.config.network,
            "weights": trained.which,
            "rows": self.array.rows,
        }

    def target_for(self, under: EvalConditions) -> HostTarget:
        """The target of the evaluation under these conditions.

        Raises
        ------
        ValueError
            If the target does not support the conditions.
        """
        trained, analog = self.trained, under.settings.analog
        target = self.target or self._suitable(under)
        if self.compute not in (AUTO, target.compute):
            raise ValueError(f"backend {self.compute} needs array fast, not {target.text}")
        if analog and not target.analog:
            raise ValueError(f"analog reads need array golden, not {target.text}")
        if trained.tiles:
            if analog:
                raise ValueError("analog reads are not for a network that was trained on chip")
            target = Golden() if target.whole else target
        if not under.plain and target.simulated:
            raise ValueError(
                f"conditions other than the run's need golden or fast, not {target.text}"
            )
        return target

    def _suitable(self, under: EvalConditions) -> HostTarget:
        """Whole matrices if they can replace the run's arrays, else golden arrays."""
        trained = self.trained
        frozen = (
            under.ageing and not under.stuck and trained.nonideal.array(self.array).variant_bits
        )
        golden = under.settings.analog or (frozen and not trained.target.whole)
        return Golden() if golden else Whole(self.compute, self._products)

    def random(self, under: EvalConditions) -> bool:
        """Whether another seed gives other classes."""
        return under.random(self.target_for(under), self.array)

    def classify(self, under: EvalConditions, seed: int) -> Outcome:
        """Classify the samples once; ``seed`` is the seed of random conditions.

        Raises
        ------
        golden.array.lockstep.Mismatch
            If the RTL differs from the golden model.
        ValueError
            If the conditions or the run's weights do not fit.
        OSError, RuntimeError
            If the RTL cannot be compiled or gives no answer.
        """
        target = self.target_for(under)
        around = None if under.plain else under.build(target, self.array, seed)
        if self.trained.tiles:
            figures, classes = classify_on_chip(
                self.trained, target, self.array, self._x, self.progress, around, under.age, seed
            )
            return Outcome({"array": target.text, **figures}, classes)
        return self._by_host(target, under, around, seed)

    def _by_host(
        self, target: HostTarget, under: EvalConditions, around: Conditions | None, seed: int
    ) -> Outcome:
        """Classify with the matrices of ``target``."""
        trained, progress, x = self.trained, self.progress, self._x
        config, equip = (around.config, around.equip) if around else (self.array, None)
        table = around.table if around else tanh_table(config)
        with progress.status(target.preparing) if target.preparing else nullcontext():
            target.prepare(config)
        bank = target.bank(config, table, seed, equip)
        with progress.status("programming the arrays ..."):
            network = trained.network(bank)
            if around:
                under.age(around, bank)
        # RTL alone is compared with whole matrices, score by score.
        alone = target.simulated and not target.compares
        oracle = trained.network(WholeBank(config, bank.table, 0)) if alone else None

        before, start = rtl_work(target, bank), time.perf_counter()
        size = (_RTL_BATCH if target.simulated else EVALUATION_BATCH)[x.ndim - 1]
        matched, found = 0, []
        for at, scores in _scores(network, x, size, self.first, progress):
            with trained.fitting():
                found.append(checks.finite("scores", scores, 2))
            if oracle:
                expected = oracle.forward(x[at : at + size])
                matched += _same(expected, scores, self.first + at)
        after, seconds = rtl_work(target, bank), time.perf_counter() - start
        for array in bank.arrays if target.compares else []:
            array.verify()
        figures = {
            "array": target.text, "rows": config.rows, "cols": config.cols, "arrays": bank.size,
        }  # fmt: skip
        if target.compares:
            figures["values_compared"] = compared(bank.arrays)
        if oracle:
            figures["scores_compared"] = matched
        if target.simulated:
            figures |= _rates(after[0] - before[0], after[1] - before[1], len(x))
        every = np.concatenate(found)
        return Outcome(figures | {"seconds": round(seconds, 3)}, every.argmax(axis=1), every)


def _rates(cycles: int, seconds: float, samples: int) -> dict[str, Any]:
    return {
        "differences": 0,
        "rtl_cycles": cycles,
        "rtl_cycles_per_sample": round(cycles / samples),
        "rtl_seconds": round(seconds, 3),
        "rtl_cycles_per_second": round(cycles / seconds) if seconds else 0,
    }


def evaluate(
    evaluation: Evaluation,
    under: EvalConditions | None = None,
    *,
    repeats: int = 1,
    seed: int | None = None,
    file: Path | None = None,
) -> dict[str, Any]:
    """Classify the samples, under random conditions ``repeats`` times.

    With target "rtl" the golden model computes the same scores, and all bits must be equal. With
    "both" every value that the arrays return is compared.

    Parameters
    ----------
    evaluation : Evaluation
    under : EvalConditions, optional
        The run's own by default.
    repeats : int
        Draws of the random conditions.
    seed : int, optional
        Seed of the first draw; the run's by default. The next draws count up.
    file : Path, optional
        A CSV file for the predictions, see ``spintrit.runs.predictions.text``.

    Returns
    -------
    dict
        For JSON: accuracy, samples, confusion, comparisons and work, by name. Random conditions
        add the seeds and accuracies of all draws; "accuracy" is their mean and "accuracy_sd" their
        standard deviation, None for a single draw.

    Raises
    ------
    ValueError
        If an argument is wrong, or ``repeats`` more than 1 where nothing is random.
    golden.array.lockstep.Mismatch, OSError, RuntimeError
        As ``Evaluation.classify``.
    """
    under = under or conditions(evaluation.trained)
    checks.integer("repeats", repeats, 1)
    seed = evaluation.trained.config.seed if seed is None else checks.integer("seed", seed, 0)
    random = evaluation.random(under)
    if repeats > 1 and not random:
        raise ValueError(f"repeats = {repeats} needs conditions with something random in them")
    seeds, labels, classes = range(seed, seed + repeats), evaluation.labels, evaluation.names
    every = [evaluation.classify(under, each) for each in seeds]
    rights = [int(np.count_nonzero(each.classes == labels)) for each in every]
    accuracies = [right / len(labels) for right in rights]
    counts = sum(predictions.confusion(labels, each.classes, len(classes)) for each in every)
    result = evaluation.description | every[0].figures | {"accuracy": float(np.mean(accuracies))}
    result["seconds"] = round(sum(each.figures["seconds"] for each in every), 3)
    if random:
        result |= {"repeats": repeats, **_spread(accuracies), "seeds": list(seeds)}
        result["accuracies"] = accuracies
    if repeats == 1:
        result["right"] = rights[0]
    if under.changed:
        result["conditions"] = dict(under.changed)
    result |= {"classes": classes, "confusion": np.asarray(counts).tolist()}
    if file:
        own = seeds if random else [None]
        draws = [(s, each.classes, each.scores) for s, each in zip(own, every, strict=True)]
        text = predictions.text(labels, evaluation.first, draws, classes)
        write_atomically(in_folder(file), text.encode())
    return result


def _spread(accuracies: list[float]) -> dict[str, Any]:
    """How much draws differ."""
    return {
        "accuracy_sd": float(np.std(accuracies, ddof=1)) if len(accuracies) > 1 else None,
        "accuracy_min": min(accuracies),
        "accuracy_max": max(accuracies),
    }


def _scores(
    network: Network, x: np.ndarray, size: int, first: int, progress: Progress
) -> Iterator[tuple[int, np.ndarray]]:
    """Scores of ``size`` samples at a time with the place of the first in ``x``, whose own is
    ``first`` of its part; with a progress bar."""
    with progress.bar("sample", len(x)) as bar:
        for at in range(0, len(x), size):
            end = min(at + size, len(x))
            try:
                with np.errstate(over="ignore", invalid="ignore"):  # the caller looks at them
                    scores = network.backend.host(network.forward(x[at:end]))
            except Mismatch as mismatch:
                raise mismatch.of(samples=f"{first + at} to {first + end - 1}") from None
            yield at, scores
            bar.update(end)


def _same(expected: np.ndarray, scores: np.ndarray, first: int) -> int:
    """How many scores were compared; raises Mismatch at the first that is not equal."""
    differ = expected != scores
    if differ.any():
        sample, label = (int(i) for i in np.argwhere(differ)[0])
        raise Mismatch(
            "score",
            {"sample": first + sample, "class": label},
            expected[sample, label].item(),
            scores[sample, label].item(),
            int(np.count_nonzero(differ)),
        )
    return scores.size

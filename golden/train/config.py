"""The settings of a training run."""

import functools
from dataclasses import dataclass
from typing import Any

import numpy as np

from golden import checks
from golden.network import notation
from golden.network.layers import MOST_SIZE, SPREADS
from golden.network.optim import LEAST_RATE, MOST_DEAD_ZONE, OPTIMISERS

RULES = ("exact", "blind")
ACTIVATIONS = ("ternary", "binary")


@dataclass(frozen=True, kw_only=True)
class TrainConfig:
    """Settings of a run, without array and data; the defaults are tuned to the digits.

    Parameters
    ----------
    network : str
        All layers but the last, see ``golden.network.notation``.
    epochs, batch : int
        Passes over the training data; samples per weight update. Batch norm needs at least 2 (a
        last batch of one changes almost nothing).
    learning_rate, final_learning_rate : float
        Learning rate of the first and the last epoch; it falls exponentially in between.
    optimiser : {"adam", "momentum", "gradient"}
        See ``golden.network.optim``.
    momentum : float
        Decay of the optimiser's mean of gradients, 0 to 0.9999. Cells do not average gradients, so
        that this mean must do it. Without effect on the optimiser "gradient".
    dead_zone : float
        k of ``golden.network.optim.Gradient``, 0 to 6.
    rule : {"exact", "blind"}
        Update rule, see ``golden.array.cell``.
    activation : {"ternary", "binary"}
        See ``golden.network.layers.Activation``.
    threshold, window : float
        r and a of the activation; a binary one has no r.
    batch_norm : {"variance", "deviation"}
        Divisor of batch norm, see ``golden.network.layers.BatchNorm``.
    density : float
        Share of non-zero weights at the start, 0 to 1.
    seed : int
        Seed of all randomness.

    Raises
    ------
    TypeError, ValueError
        If a parameter is not of its type or outside its range.
    """

    network: str = "128FC"
    epochs: int = 100
    batch: int = 200
    learning_rate: float = 0.2
    final_learning_rate: float = 5e-4
    optimiser: str = "adam"
    momentum: float = 0.9
    dead_zone: float = 0.0
    rule: str = "exact"
    activation: str = "ternary"
    threshold: float = 0.5
    window: float = 0.5
    batch_norm: str = "variance"
    density: float = 0.1
    seed: int = 0

    @property
    def activation_threshold(self) -> float:
        """``threshold`` of ``golden.network.layers.Activation``; 0 for a binary activation."""
        return self.threshold if self.activation == "ternary" else 0.0

    def __post_init__(self) -> None:
        fix = functools.partial(object.__setattr__, self)
        fix("network", notation.notation(notation.parse(self.network)))
        for name, low in {"epochs": 1, "batch": 2, "seed": 0}.items():
            fix(name, checks.integer(name, getattr(self, name), low))
        for name in ("learning_rate", "final_learning_rate", "threshold", "window"):
            fix(name, checks.real(name, getattr(self, name), LEAST_RATE, MOST_SIZE))
        fix("momentum", checks.real("momentum", self.momentum, 0.0, 0.9999))
        fix("dead_zone", checks.real("dead_zone", self.dead_zone, 0.0, MOST_DEAD_ZONE))
        fix("density", checks.real("density", self.density, 0.0, 1.0))
        checks.choice("optimiser", self.optimiser, tuple(OPTIMISERS))
        if self.dead_zone and self.optimiser != "gradient":
            raise ValueError(
                f"dead_zone = {self.dead_zone:g} needs optimiser gradient, not {self.optimiser}"
            )
        checks.choice("rule", self.rule, RULES)
        checks.choice("batch_norm", self.batch_norm, SPREADS)
        checks.choice("activation", self.activation, ACTIVATIONS)


def generators(seed: int) -> dict[str, np.random.Generator]:
    """The host's random generators of a run, by their use."""
    names = ("start", "order", "coder", "augment")
    seeds = np.random.SeedSequence(seed).spawn(len(names))
    return {name: np.random.default_rng(s) for name, s in zip(names, seeds, strict=True)}


def check_metrics(metrics: Any) -> None:
    """Check lines of metrics.jsonl before a run resumes; raises TypeError or ValueError."""
    if not isinstance(metrics, list) or not all(isinstance(entry, dict) for entry in metrics):
        raise TypeError("metrics must be a list of objects")
    for number, entry in enumerate(metrics, start=1):
        checks.integer("epoch", entry["epoch"], number, number)
        checks.real("val_accuracy", entry["val_accuracy"], 0.0, 1.0)
        for name in ("cycles", "cells_switched"):
            checks.integer(name, entry[name], 0)

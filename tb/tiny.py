"""A training run that takes seconds: a small network on synthetic, separable trits."""

from pathlib import Path
from typing import Any

import numpy as np

from golden.array.golden import GoldenArray
from golden.array.lockstep import LockstepArray
from golden.config import ArrayConfig
from golden.data import Split
from golden.pulse.design import IDEAL
from golden.targets import Arrays, Target
from golden.train.cells import Cells
from golden.train.config import TrainConfig
from golden.train.log import Log
from golden.train.trainer import Trainer
from sim.array import RtlArray

INPUTS, CLASSES = 12, 3
TRAINING: dict[str, Any] = {"network": "10FC", "epochs": 4, "batch": 20, "density": 0.3, "seed": 5}


def split(inputs: int = INPUTS) -> Split:
    """Three random prototypes, a tenth of the trits of each sample redrawn."""
    rng = np.random.default_rng(3)
    prototypes = rng.integers(-1, 2, (CLASSES, inputs))

    def part(count):
        labels = rng.integers(0, CLASSES, count)
        noisy = rng.random((count, inputs)) < 0.1
        return np.where(noisy, rng.integers(-1, 2, (count, inputs)), prototypes[labels]), labels

    parts = [array for count in (120, 40, 40) for array in part(count)]
    return Split("tiny", CLASSES, *parts)


def training(**changes) -> TrainConfig:
    """The run's configuration."""
    return TrainConfig(**TRAINING | changes)


def lockstep(config: ArrayConfig, path=None) -> LockstepArray:
    """Golden and RTL array side by side; the RTL from the library at ``path``, if given."""
    return LockstepArray(GoldenArray(config), RtlArray(config, path))


def trainer(
    training: TrainConfig,
    config: ArrayConfig,
    split: Split,
    make=GoldenArray,
    out: Path | None = None,
    *,
    target: Target | None = None,
    log: Log | None = None,
) -> Trainer:
    """A trainer in ideal conditions, on arrays that ``make`` makes or on another ``target``."""
    conditions = Cells(device=IDEAL).conditions(config, training.seed)
    return Trainer(training, split, target or Arrays(make), conditions, out, log=log)

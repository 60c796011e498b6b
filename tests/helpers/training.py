"""A small network and its data, for the tests of training."""

import numpy as np

from golden.config import ArrayConfig
from golden.data import Split
from golden.pulse.design import IDEAL
from golden.targets import Arrays, Whole
from golden.train.cells import Cells
from golden.train.config import TrainConfig
from golden.train.log import Log
from golden.train.trainer import Trainer

ARRAY = ArrayConfig(rows=8, cols=4)
CONFIG = TrainConfig(network="6FC", epochs=5, batch=16, density=0.3, seed=3)


def prototypes():
    """Three noisy patterns of 12 trits, 70 / 20 / 30 samples."""
    rng = np.random.default_rng(1)
    patterns = rng.integers(-1, 2, (3, 12))
    arrays = {}
    for part, n in {"train": 70, "val": 20, "test": 30}.items():
        y = rng.integers(0, 3, n)
        noise = rng.random((n, 12)) < 0.15
        arrays |= {f"x_{part}": np.where(noise, 0, patterns[y]), f"y_{part}": y}
    return Split("prototypes", 3, **arrays)


SPLIT = prototypes()


def ideal(array, seed):
    """Conditions of arrays whose cells switch by tanh itself."""
    return Cells(device=IDEAL).conditions(array, seed)


def build(
    config,
    array,
    split,
    make=None,
    out=None,
    *,
    conditions=None,
    target=None,
    backend=None,
    start=None,
    **log,
):
    """A trainer in ideal conditions, unless others are given; on arrays that ``make`` makes, on
    whole matrices of a ``backend`` or on another ``target``. ``on_...`` are the functions of its
    log."""  # fmt: skip
    if make:
        target = Arrays(make)
    elif backend:
        target = Whole(backend.name)
    return Trainer(
        config, split, target, conditions or ideal(array, config.seed), out, start=start,
        log=Log(**{name.removeprefix("on_"): function for name, function in log.items()}),
    )  # fmt: skip


def trainer(out=None, config=CONFIG, array=ARRAY, **options):
    return build(config, array, SPLIT, out=out, **options)


def files(folder):
    return {path.name: path.read_bytes() for path in folder.iterdir()}


class Stop(Exception):
    """Raised by ``stop_at`` in the middle of a run."""


def stop_at(epoch, batch):
    """A callback that stops a run after a batch."""

    def on_batch(*now):
        if now[:2] == (epoch, batch):
            raise Stop

    return on_batch

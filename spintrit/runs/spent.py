"""Time, activity and energy of a run."""

from pathlib import Path
from typing import Any

from golden import jsonfile
from golden.device import junction
from golden.device.nonideal import NonIdealities
from golden.energy import costs, model
from golden.pulse.tablefile import TableFile
from golden.train.trainer import Trainer


def seconds(path: Path, epochs: int) -> list[float]:
    """Seconds of the first ``epochs`` epochs of a run; 0 if their file is lost."""
    try:
        kept = [float(value) for value in jsonfile.read(path, list)][: epochs + 1] or [0.0]
    except (OSError, ValueError, TypeError):
        kept = [0.0]
    return kept + kept[-1:] * (epochs + 1 - len(kept))


def spent(trainer: Trainer, kept: TableFile, settings: NonIdealities) -> dict[str, Any]:
    """Activity of the training part of all epochs, and its energy."""
    epochs = [entry["activity"] for entry in trainer.metrics]
    activity = {name: sum(entry[name] for entry in epochs) for name in epochs[0]}
    samples = len(epochs) * len(trainer.split.x_train)
    array = trainer.bank.config
    if not array.counters:
        return {"train_samples": samples}
    exact = trainer.config.rule == "exact" and array.cells == 2
    joules = model.energy(
        activity, kept.device or junction.load("default"), kept.table.tick_s, array, costs.load(),
        settings.adc_bits or None, settings.backward_adc_bits or None, exact=exact,
    )  # fmt: skip
    return {
        "energy_assumes_default_device": kept.device is None,
        "train_samples": samples,
        "activity": activity,
        "array_j_per_train_sample": model.total(joules, periphery=False) / samples,
        "total_j_per_train_sample": model.total(joules) / samples,
    }

"""Studies: many training runs, one after the other, and their results."""

import csv
import hashlib
import io
import json
import math
import shlex
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from golden import checks, jsonfile
from golden.files import alone, write_atomically
from golden.train.trainer import CHECKPOINT
from spintrit.records import SUMMARY
from spintrit.studies.studyfile import Study, read

STUDIES = {
    name: replace(study, source=name)
    for name, study in read(Path(__file__).parent / "studies.toml").items()
}
ACCURACY = "accuracy.json"
_NAME_BYTES = 160  # of a row in the name of its folder
COMMAND = "command"  # file of a run's folder: what the study called, see ``Job.identity``


@dataclass(frozen=True)
class Job:
    """One run of a study.

    ``x`` is the value of a sweep's option, which ``label`` names; None for a row.
    """

    study: str
    row: str
    seed: int
    options: str
    label: str = ""
    x: float | None = None

    @property
    def folder(self) -> str:
        """Name of the run's folder within the study's."""
        kept = "".join(c if c.isalnum() or c in ".+-" else "-" for c in self.row)
        name = "-".join(filter(None, kept.split("-")))
        if len(name.encode()) > _NAME_BYTES:  # file systems take 255
            digest = hashlib.sha256(self.row.encode()).hexdigest()[:12]
            name = f"{name.encode()[:_NAME_BYTES].decode(errors='ignore')}-{digest}"
        return f"{name}-seed{self.seed}"

    @property
    def command(self) -> str:
        """The command that repeats the run, without the folders of data and run."""
        return f"spintrit train {self.options} --seed {self.seed}"

    @property
    def arguments(self) -> list[str]:
        """The command's words after its name."""
        return ["train", *shlex.split(self.options), "--seed", str(self.seed)]

    @property
    def identity(self) -> str:
        """The command and the digest of each file that it names."""
        files = [Path(word) for word in shlex.split(self.options)]
        lines = [
            f"# {path} sha256 {hashlib.sha256(path.read_bytes()).hexdigest()}"
            for path in files
            if path.is_file()
        ]
        return "\n".join([self.command, *lines])


def jobs(study: Study, seeds: list[int] | None = None) -> list[Job]:
    """The runs of a study, in their order; ``seeds`` replace its own."""
    found: list[Job] = []

    def add(row: str, options: str, own: Iterable[int], **sweep: Any) -> None:
        words = shlex.join(shlex.split(f"{study.common} {options}"))
        found.extend(Job(study.name, row, seed, words, **sweep) for seed in seeds or own)

    for row in study.rows:
        add(row.name, row.options, row.seeds)
    for sweep in study.sweeps:
        for name, x, options in sweep.points():
            # A value that is no number is a row like others.
            place = {} if x is None else {"label": sweep.label, "x": x}
            add(name, options, sweep.seeds, **place)
    return found


def apart(todo: list[Job]) -> None:
    """Raises ValueError if two different runs would share a folder."""
    found: dict[tuple[str, str], Job] = {}
    for job in todo:
        other = found.setdefault((job.study, job.folder), job)
        if other is not job:
            raise ValueError(
                f"study {job.study}: rows {other.row!r} and {job.row!r} would share the folder "
                f"{job.folder}: give one another name"
            )


def changed(job: Job, option: str, value: Any) -> Job:
    """The same run with another value of ``option``, which is appended if it was missing."""
    words = shlex.split(job.options)
    if option in words:
        words[words.index(option) + 1] = str(value)
    else:
        words += [option, str(value)]
    return replace(job, options=shlex.join(words))


def result(job: Job, summary: dict[str, Any]) -> dict[str, Any]:
    """One object of accuracy.json, from a run's summary."""
    training, table = summary["train_config"], summary["table"]
    return {
        "study": job.study,
        "row": job.row,
        "sweep": job.label or None,
        "x": job.x,
        "dataset": summary["dataset"],
        "network": training["network"],
        "synapse": summary["array_config"]["synapse"],
        "rule": training["rule"],
        "coder": table.get("coder"),
        "device": summary["device"],
        "optimiser": training["optimiser"],
        "optimiser_bytes_per_weight": summary["optimiser_bytes_per_weight"],
        "synapses": summary["synapses"],
        "seed": job.seed,
        "epochs": training["epochs"],
        "chosen_epoch": summary["chosen_epoch"],
        "val_accuracy": summary["val_accuracy"],
        "test_accuracy": summary["test_accuracy"],
        "last_test_accuracy": summary["last_test_accuracy"],
        "test_samples": summary["test_samples"],
        "cells_switched": summary["cells_switched"],
        "total_j_per_train_sample": None
        if summary.get("energy_assumes_default_device")
        else summary.get("total_j_per_train_sample"),
        "seconds": summary["seconds"],
        "versions": summary["versions"],
        "command": job.command,
    }


def finished(folder: Path) -> dict[str, Any] | None:
    """The summary of a complete run in ``folder``, None if there is none."""
    path = folder / SUMMARY
    if not path.exists():
        return None
    summary = jsonfile.read(path)
    return summary if summary.get("complete") else None


def run(
    todo: list[Job], out: Path, train: Callable[[list[str]], int], extra: list[str]
) -> list[dict[str, Any]]:
    """Train the runs that are not finished in ``out``; resume those that the same command began.

    Parameters
    ----------
    todo : list of Job
    out : Path
        Runs go to ``out/<study>/<row>-seed<N>``.
    train : callable
        ``train(arguments)`` is ``spintrit.cli.main.call``; returns its exit status.
    extra : list of str
        Options outside the study: the folder of the data.

    Raises
    ------
    RuntimeError
        If a run fails, naming it.
    """
    results = []
    for job in todo:
        folder = out / job.study / job.folder
        same = (folder / COMMAND).exists() and (folder / COMMAND).read_text() == job.identity
        summary = finished(folder) if same else None
        if summary is None:
            folder.mkdir(parents=True, exist_ok=True)
            if not same:  # another command's run must not pass for this one's
                for name in (SUMMARY, CHECKPOINT):
                    (folder / name).unlink(missing_ok=True)
            write_atomically(folder / COMMAND, job.identity.encode())
            again = "--resume" if same else "--overwrite"
            try:
                status = train([*job.arguments, *extra, "--out", str(folder), again])
            except (ValueError, TypeError, OSError, RuntimeError) as error:
                raise RuntimeError(f"study {job.study}, row {job.row!r}: {error}") from error
            summary = finished(folder)
            if status or summary is None:
                raise RuntimeError(f"study {job.study}: {job.command} failed, status {status}")
        try:
            results.append(result(job, summary))
        except (KeyError, TypeError) as error:
            raise ValueError(f"{folder / SUMMARY} is damaged: {error!r}") from None
    return results


def record(
    results: list[dict[str, Any]], folder: Path, studies: dict[str, Study] = STUDIES
) -> list[dict[str, Any]]:
    """Put results into accuracy.json, where each replaces an earlier one of the same study, row and
    seed, and write the table accuracy.csv beside it. Returns all results of the folder, in the
    order of ``studies``.

    Raises
    ------
    ValueError
        If accuracy.json is damaged.
    OSError
        If a file cannot be written.
    """
    folder.mkdir(parents=True, exist_ok=True)
    with alone(folder):  # other studies may be running
        return _record(results, folder, studies)


def recorded(folder: Path) -> list[dict[str, Any]]:
    """The entries of accuracy.json in ``folder``.

    Raises
    ------
    ValueError
        If it is damaged, naming it and the entry.
    OSError
        If it cannot be read.
    """
    path = folder / ACCURACY
    entries: list[dict[str, Any]] = jsonfile.read(path, list)
    for number, entry in enumerate(entries):
        where = f"entry {number} of {path}"
        if not isinstance(entry, dict):
            raise ValueError(f"{where} must be an object, not {type(entry).__name__}")
        for name in ("study", "row", "dataset", "network", "command"):
            jsonfile.entry(entry, name, str, where)
        for name in ("seed", "epochs", "synapses", "optimiser_bytes_per_weight"):
            checks.real(f"{name} in {where}", entry.get(name), 0)
        for name in ("test_accuracy", "last_test_accuracy"):
            checks.real(f"{name} in {where}", entry.get(name), 0, 1)
        if entry.get("sweep"):
            jsonfile.entry(entry, "sweep", str, where)
            checks.real(f"x in {where}", entry.get("x"), -math.inf)
    return entries


def _record(
    results: list[dict[str, Any]], folder: Path, studies: dict[str, Study]
) -> list[dict[str, Any]]:
    path = folder / ACCURACY
    earlier = recorded(folder) if path.exists() else []

    def key(entry: dict[str, Any]) -> tuple[str, str, int]:
        return entry["study"], entry["row"], entry["seed"]

    new = {key(entry) for entry in results}
    kept = [entry for entry in earlier if key(entry) not in new]
    rows = [(job.study, job.row) for study in studies.values() for job in jobs(study)]
    order = {row: place for place, row in enumerate(dict.fromkeys(rows))}

    def place(entry: dict[str, Any]) -> tuple[int, int]:
        return order.get((entry["study"], entry["row"]), len(order)), entry["seed"]

    every = sorted([*kept, *results], key=place)
    write_atomically(path, (json.dumps(every, indent=1) + "\n").encode())
    columns = [name for name in every[0] if name != "versions"] if every else []
    text = io.StringIO()
    table = csv.DictWriter(text, columns, extrasaction="ignore", lineterminator="\n")
    table.writeheader()
    table.writerows(every)
    write_atomically(folder / "accuracy.csv", text.getvalue().encode())
    return every

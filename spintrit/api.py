"""Training and evaluation in the public interface; ``spintrit.synapses`` has the rest.

Users import these functions from ``spintrit``, which loads them lazily. Nothing here prints unless
``progress`` asks for it. Packages other than numpy are imported when a function needs them.
"""

import dataclasses
import os
import shutil
import tempfile
import weakref
from pathlib import Path
from typing import Any, Unpack

from golden import checks
from golden.data import Split
from golden.device.junction import Device
from golden.extras import hinted
from golden.pulse.tablefile import TableFile
from golden.targets import HostTarget, Target
from golden.train import defaults
from golden.train.config import TrainConfig
from spintrit import keywords, records, targets
from spintrit.keywords import ConditionKeywords, TrainKeywords, refuse
from spintrit.progress import Progress
from spintrit.records import Run
from spintrit.runs import conditions as run_conditions
from spintrit.runs import settings
from spintrit.runs.request import Request, request
from spintrit.runs.settings import Init


def train(
    dataset: str | Split = "digits",
    network: str | None = None,
    *,
    target: str | Target = "golden",
    out: str | Path | None = None,
    overwrite: bool = False,
    root: str | Path | None = None,
    input_bits: int = 0,
    augment: str = "",
    width: float = 1.0,
    device: str | Path | Device = "",
    table: str | Path | TableFile | None = None,
    init: Run | str | Path | None = None,
    init_weights: str | None = None,
    progress: bool = False,
    **settings: Unpack[TrainKeywords],
) -> Run:
    """Train a network, as the command ``spintrit train`` does, with the same defaults.

    Parameters
    ----------
    dataset : str or Split
        A data set by name, see ``spintrit.dataset``, or your own samples.
    network : str, optional
        A network by name, a TOML file, or layers such as "32C5-MP2-512FC"; "128FC" by default. The
        last layer follows from the classes.
    target : str or Target
        What holds the synapses: "golden" (numpy, equal to the RTL in every bit), "fast" (numpy,
        statistical, for large networks), "rtl" (Verilator), "both" (RTL checked against golden),
        "serial:PORT" (a board); or what ``spintrit.target`` returns, for other back ends and for
        training on chip.
    out : str or Path, optional
        Folder of the run. It holds the same files as a run of the command. Without it the run has
        a temporary folder, which goes with the ``Run``.
    overwrite : bool
        Replace the run that ``out`` holds.
    root : str or Path, optional
        Folder of the data set's files, see ``spintrit.dataset``.
    input_bits : int
        Width of a signed input, 2 for trits; 0 is the data set's own, or 2 on chip.
    augment : str
        Random changes of training images, "none", "crop" or "crop-flip"; the data set's own by
        default.
    width : float
        Factor on the outputs of each hidden layer.
    device : str, Path or Device
        A device by name or TOML file, or "ideal". By default the table's own, or "default".
    table : str, Path or TableFile, optional
        Switching probabilities, instead of those of the device.
    init : Run, str or Path, optional
        A finished run with the same layers. Training starts from its weights.
    init_weights : {"best", "last"}, optional
        Those of its epoch that was best on validation (the default), or of its last epoch.
    progress : bool
        Show a progress bar; needs rich.
    **settings
        Fields of ``spintrit.TrainConfig`` (``epochs``, ``batch``, ``learning_rate``, ``seed`` and
        so on), of ``spintrit.ArrayConfig`` (``rows``, ``cols``, ``synapse`` and so on), of the
        pulse coder (``coder``, ``steepness``, ``step_s``) and of
        ``golden.device.nonideal.NonIdealities`` (``stuck_p``, ``adc_bits`` and so on). Defaults
        depend on data set, network and target, as for the command.

    Raises
    ------
    TypeError, ValueError
        Naming argument and value, if one is unknown, wrong, or does not go with the others.
    OSError
        If files cannot be read or written.
    golden.array.lockstep.Mismatch
        If the RTL differs from the golden model.
    ModuleNotFoundError
        Naming what installs it, if a package is missing.
    """
    given: dict[str, Any] = dict(settings)
    keywords.check("train", given, TrainKeywords.__annotations__)
    name = TrainConfig.network if network is None else network
    aim = targets.target(target) if isinstance(target, str) else _checked(target)
    named = isinstance(dataset, str)
    refuse({"root": root}, "with samples of your own", unless=named)
    refuse({"init_weights": init_weights}, "without init", unless=init is not None)
    refuse({"overwrite": overwrite}, "without out", unless=out is not None)
    suited = defaults.settings(str(dataset) if named else "", name, on_chip=bool(aim.tiles))
    start = None if init is None else Init(_folder(init, "init"), init_weights or "best")
    asked = request(
        aim, suited | given | {"network": name}, dataset=dataset, root=_path("root", root),
        input_bits=input_bits, augment=augment, width=width,
        device=str(device) if isinstance(device, Path) else device,
        table=table if isinstance(table, TableFile) else _path("table", table), init=start,
    )  # fmt: skip
    if out is not None:
        return _run(asked, _named("out", out), overwrite=overwrite, progress=progress)
    folder = Path(tempfile.mkdtemp(prefix="spintrit-"))
    try:
        found = _run(asked, folder, progress=progress, picture=False)
    except BaseException:
        shutil.rmtree(folder, ignore_errors=True)
        raise
    found = dataclasses.replace(found, name=asked.config.network)
    weakref.finalize(found, shutil.rmtree, folder, ignore_errors=True)
    return found


def resume(run: Run | str | Path, *, epochs: int | None = None, progress: bool = False) -> Run:
    """Go on with a run that was stopped, or give a finished one more epochs.

    All settings are the run's own. It ends with the same bits as a run that was never stopped.

    Parameters
    ----------
    run : Run, str or Path
        A run, or its folder.
    epochs : int, optional
        Of the whole run; its own number by default.
    progress : bool
        Show a progress bar; needs rich.

    Raises
    ------
    TypeError, ValueError, OSError, ModuleNotFoundError
        As ``spintrit.train``, or if there is no run, or ``epochs`` is less than it had.
    """
    folder = _folder(run)
    kept = settings.resumed(folder)
    if not kept:
        raise ValueError(f"{folder} is not the folder of a run: it holds no {records.CONFIG}")
    more = {} if epochs is None else {"epochs": epochs}
    on_chip = kept["tiles"] or 1 if kept["on_chip"] else 0
    asked = request(
        targets.target(kept["array"], kept["backend"], on_chip), kept | more,
        dataset=_split(run) or kept["dataset"], root=_path("data", kept.get("data")),
        input_bits=kept["input_bits"], augment=kept["augment"],
        device=kept["device"], table=_path("table", kept.get("table")),
        init=Init(Path(kept["init"]), kept["init_weights"]) if kept.get("init") else None,
    )  # fmt: skip
    return _run(asked, folder, resume=True, progress=progress)


def load_run(folder: str | Path) -> Run:
    """A run that ``spintrit.train`` or the command left in a folder, finished or not.

    Raises
    ------
    TypeError, ValueError
        Naming the file, if there is no run in ``folder``, or its files are damaged.
    OSError
        If a file cannot be read.
    """
    return records.load_run(_named("folder", folder))


def evaluate(
    run: Run | str | Path,
    *,
    part: str = "test",
    first: int = 0,
    count: int | None = None,
    target: str | HostTarget | None = None,
    weights: str = "best",
    rows: int | None = None,
    cols: int | None = None,
    root: str | Path | None = None,
    samples: Split | None = None,
    device: str | Path = "",
    repeats: int = 1,
    seed: int | None = None,
    progress: bool = False,
    **conditions: Unpack[ConditionKeywords],
) -> dict[str, Any]:
    """Classify samples with a finished run's network, as the command ``spintrit eval`` does.

    Cells stay as training left them. On "rtl" all scores are compared with the golden model's, and
    on "both" all sums.

    Parameters
    ----------
    run : Run, str or Path
        A run, or its folder.
    part : {"test", "val", "train"}
        Part of the data set that is classified.
    first : int
        First sample of the part.
    count : int, optional
        Samples from there on; all by default.
    target : str or HostTarget, optional
        As for ``spintrit.train``. By default "fast", or "golden" if reads are analog (converters,
        their noise, or wires).
    weights : {"best", "last"}
        Those of the epoch that was best on validation, or of the last epoch.
    rows, cols : int, optional
        Of the arrays; the run's by default.
    root : str or Path, optional
        Folder of the data set's files, see ``spintrit.dataset``.
    samples : Split, optional
        The run's data, if they are not a data set by name; a ``Run`` of this process has them.
    device : str or Path
        Device of reads and ageing, by name or TOML file; the run's by default.
    repeats : int
        Draws of what is random.
    seed : int, optional
        Of the first draw; the run's by default.
    progress : bool
        Show a progress bar; needs rich.
    **conditions
        Other conditions than those of training: ``adc_bits``, ``adc_range``, ``adc_noise``,
        ``wire_ohm``, ``resistance_spread``, ``stability_spread``, ``temperature_k``,
        ``retention_s``, ``retention_k``, ``reads``, ``stuck_p``, ``stuck_ap``.

    Returns
    -------
    dict
        "accuracy", "samples", "confusion" and others by name, see ``spintrit.runs.evaluate``.

    Raises
    ------
    TypeError, ValueError, OSError, ModuleNotFoundError
        As ``spintrit.train``.
    golden.array.lockstep.Mismatch
        If the RTL differs from the golden model.
    """
    from spintrit.runs.evaluate import Evaluation
    from spintrit.runs.evaluate import evaluate as classify
    from spintrit.runs.trained import load

    keywords.check("evaluate", conditions, ConditionKeywords.__annotations__)
    own = samples or _split(run)
    refuse({"root": root}, "with samples of your own", unless=own is None)
    count = 0 if count is None else checks.integer("count", count, 1)
    with hinted():
        trained = load(_folder(run), weights)
        source = dataclasses.replace(trained.source, split=own)
        trained = dataclasses.replace(trained, source=source)
        under = run_conditions.conditions(trained, dict(conditions), str(device))
        aim = None if target is None else targets.as_host(target)
        evaluation = Evaluation(
            trained, aim, compute=aim.compute if aim else "numpy", root=_path("root", root),
            part=part, first=first, count=count, rows=rows, cols=cols, progress=_progress(progress),
        )  # fmt: skip
        refuse({"seed": seed}, "where nothing is random", unless=evaluation.random(under))
        return classify(evaluation, under, repeats=repeats, seed=seed)


def energy(
    run: Run | str | Path, *, costs: str | Path | None = None, adc_bits: int | None = None
) -> dict[str, Any]:
    """Energy, efficiency and speed of a finished run's training, as ``spintrit energy`` has them.

    Parameters
    ----------
    run : Run, str or Path
        A run, or its folder.
    costs : str or Path, optional
        TOML file of costs that replace the default ones.
    adc_bits : int, optional
        Effective bits of a column converter; by default the run's, or enough for exact sums.

    Returns
    -------
    dict
        "total_j", "per_sample_j", "efficiency" and others by name, see ``spintrit.runs.energy``.

    Raises
    ------
    TypeError, ValueError, OSError
        Naming the file, if one is missing or damaged, or the run has no counters.
    """
    from spintrit.runs.energy import report

    return report(_folder(run), _path("costs", costs), adc_bits)


def _run(
    asked: Request, out: Path, *, resume: bool = False, overwrite: bool = False,
    progress: bool = False, picture: bool = True,
) -> Run:  # fmt: skip
    from spintrit.runs.run import run

    with hinted():
        run(
            asked, out, resume=resume, overwrite=overwrite, progress=_progress(progress),
            picture=picture,
        )  # fmt: skip
    return dataclasses.replace(records.load_run(out), split=asked.source.split)


def _progress(shown: bool) -> Progress | None:
    if not shown:
        return None
    with hinted():
        from spintrit.report.progress import ConsoleProgress
    return ConsoleProgress()


def _named(name: str, path: str | Path) -> Path:
    """``path``; a TypeError names the argument."""
    if not isinstance(path, (str, os.PathLike)):
        raise TypeError(f"{name} must be a path, not {path!r}")
    return Path(path)


def _path(name: str, path: str | Path | None) -> Path | None:
    return None if path is None else _named(name, path)


def _folder(run: Run | str | Path, name: str = "run") -> Path:
    return run.place if isinstance(run, Run) else _named(name, run)


def _split(run: Run | str | Path) -> Split | None:
    return run.split if isinstance(run, Run) else None


def _checked(target: Target) -> Target:
    if not isinstance(target, Target):
        raise TypeError(f"target must be a text or a Target, not {target!r}")
    return target

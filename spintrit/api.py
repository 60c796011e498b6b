"""Functions of the public interface. Users import them from ``spintrit``, which loads them lazily.

Nothing here prints unless ``progress`` asks for it. Packages other than numpy are imported when a
function needs them.
"""

import dataclasses
import shutil
import tempfile
import warnings
import weakref
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Unpack

from golden.accel.config import AcceleratorConfig
from golden.array.golden import SynapseArray
from golden.checks import InputWarning
from golden.config import ArrayConfig
from golden.data import Split
from golden.device import junction
from golden.device.junction import Device
from golden.extras import hinted
from golden.pulse.design import IDEAL, CoderConfig
from golden.pulse.table import tanh_table
from golden.pulse.tablefile import TableFile
from golden.targets import HostTarget, Target
from golden.train import defaults
from golden.train.config import TrainConfig
from spintrit import keywords, records, targets
from spintrit.keywords import CoderKeywords, ConditionKeywords, TrainKeywords
from spintrit.progress import Progress
from spintrit.records import Run
from spintrit.runs import conditions as run_conditions
from spintrit.runs import settings
from spintrit.runs.request import Request, request
from spintrit.runs.settings import Init

if TYPE_CHECKING:
    from spintrit.fitting.fit import SwitchingFit
    from spintrit.fitting.measured import Measured


def array(config: ArrayConfig | None = None, target: str | HostTarget = "golden") -> SynapseArray:
    """A new synapse array.

    All arrays have the same methods: ``load_table``, ``seed``, ``program``, ``read``, ``forward``,
    ``backward``, ``update``, ``age``, ``activity``. All cells are AP at first.

    Parameters
    ----------
    config : ArrayConfig, optional
        Its size and word widths, 64 x 64 by default.
    target : str or HostTarget
        "golden" (numpy), "rtl" (Verilator), "both" (RTL checked against golden) or "serial:PORT"
        (the array on a board).

    Raises
    ------
    ValueError
        If the target has no single arrays, or a board's array is another.
    OSError, RuntimeError
        If the RTL cannot be compiled, or a board does not answer.
    """
    with hinted():
        return _host(target).array(config or ArrayConfig())


def table(
    source: "str | Path | Device | SwitchingFit" = "default",
    array: ArrayConfig | None = None,
    *,
    model: str = "macrospin",
    voltage_v: float | None = None,
    full_s: float | None = None,
    device: str | Path | Device | None = None,
    **coder: Unpack[CoderKeywords],
) -> TableFile:
    """The table of pulses and switching probabilities, by code and direction.

    The first table of a new device takes up to some minutes of simulation. Its curve is kept in the
    user's cache folder.

    Parameters
    ----------
    source : str, Path, Device or SwitchingFit
        A device by name or TOML file, "ideal" for probabilities tanh(m nu) without a device, or
        what ``spintrit.fit`` found.
    array : ArrayConfig, optional
        ``code_bits`` and ``draw_bits`` count.
    model : {"macrospin", "formula"}
        Of a device: the simulated curve, or the closed formula alone.
    voltage_v, full_s : float, optional
        Amplitude and length of the full pulse, volts and seconds. By default the device's own; of a
        fit the highest and longest that were measured in both directions.
    device : str, Path or Device, optional
        Of a fit: the device of reads, ageing and energy, which the file keeps.
    **coder
        ``coder`` ("inverse", "linear" or "gated"), ``steepness`` (m of tanh(m nu)) and ``step_s``
        (resolution of the pulse generator, seconds).

    Raises
    ------
    TypeError, ValueError
        If an argument is wrong or does not go with the others, or the full pulse hardly switches.
    OSError
        If a file cannot be read.

    Warns
    -----
    InputWarning
        If a fit is used beyond what was measured.
    """
    keywords.check("table", coder, CoderKeywords.__annotations__)
    config, coding = array or ArrayConfig(), CoderConfig(**coder)
    if source == IDEAL:
        given: dict[str, Any] = {name: coder.get(name) for name in ("coder", "step_s")}
        given |= {"voltage_v": voltage_v, "full_s": full_s, "device": device}
        _refuse(given | {"model": model != "macrospin"}, f"with source {IDEAL!r}")
        made = {"coder": IDEAL, "steepness": coding.steepness}
        return TableFile(tanh_table(config, coding.steepness), None, made)
    with hinted():
        from spintrit import tables

        if isinstance(source, str | Path | Device):
            _refuse({"device": device}, "with a device as the source")
            return tables.of_device(
                _device(source), coding, config, model=model, voltage_v=voltage_v, full_s=full_s
            )
        _refuse({"model": model != "macrospin"}, "with a fit as the source")
        file, warning = tables.of_fit(
            source, coding, config, voltage_v=voltage_v, full_s=full_s,
            device=None if device is None else _device(device),
        )  # fmt: skip
        if warning:
            warnings.warn(f"extrapolated: {warning}", InputWarning, 2)
        return file


def fit(
    measured: "str | Path | Measured", *,
    voltage_tolerance: float | None = None, length_tolerance: float | None = None,
) -> "SwitchingFit":  # fmt: skip
    """Fit measured switching probabilities.

    Parameters
    ----------
    measured : str, Path or Measured
        A CSV file (docs/device.md has the format), or arrays in a ``spintrit.Measured``.
    voltage_tolerance, length_tolerance : float, optional
        Voltages or lengths in a CSV file that differ by less than this share count as one.

    Raises
    ------
    TypeError, ValueError
        If the data are wrong, or cannot be fitted.
    OSError
        If the file cannot be read.
    ModuleNotFoundError
        If scipy or statsmodels is not installed.

    Warns
    -----
    InputWarning
        If values are too close to be several and too far apart to be one.
    """
    given = {"voltage_tolerance": voltage_tolerance, "length_tolerance": length_tolerance}
    with hinted():
        from spintrit.fitting import fit as fitting
        from spintrit.fitting.measured import read_csv
    if isinstance(measured, str | Path):
        chosen = {name: value for name, value in given.items() if value is not None}
        points = read_csv(measured, **chosen)
    else:
        _refuse(given, "with arrays, which have their own")
        points = measured
    found = fitting.fit(points)
    for note in points.notes:
        warnings.warn(note, InputWarning, 2)
    return found


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
        Random changes of training images, "none" or "crop-flip"; the data set's own by default.
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
    _refuse({"root": root}, "with samples of your own", unless=named)
    _refuse({"root": root}, "with the digits", unless=dataset != "digits")
    _refuse({"init_weights": init_weights}, "without init", unless=init is not None)
    _refuse({"overwrite": overwrite}, "without out", unless=out is not None)
    suited = defaults.settings(str(dataset) if named else "", name, on_chip=bool(aim.tiles))
    start = None if init is None else Init(_folder(init), init_weights or "best")
    asked = request(
        aim, suited | given | {"network": name}, dataset=dataset, root=_path(root),
        input_bits=input_bits, augment=augment, width=width,
        device=str(device) if isinstance(device, Path) else device,
        table=table if isinstance(table, TableFile) else _path(table), init=start,
    )  # fmt: skip
    if out is not None:
        return _run(asked, Path(out), overwrite=overwrite, progress=progress)
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
        dataset=_split(run) or kept["dataset"], root=_path(kept.get("data")),
        input_bits=kept["input_bits"], augment=kept["augment"],
        device=kept["device"], table=_path(kept.get("table")),
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
    return records.load_run(folder)


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
    first : int
        First sample of the part.
    count : int, optional
        Samples from there on; all by default.
    target : str or HostTarget, optional
        As for ``spintrit.train``. By default "fast", or "golden" if reads are analog.
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
    _refuse({"root": root}, "with samples of your own", unless=own is None)
    if count is not None and count < 1:
        raise ValueError(f"count must be at least 1, not {count}")
    with hinted():
        trained = load(_folder(run), weights)
        _refuse({"root": root}, "with the digits", unless=trained.source.dataset != "digits")
        source = dataclasses.replace(trained.source, split=own)
        trained = dataclasses.replace(trained, source=source)
        under = run_conditions.conditions(trained, dict(conditions), str(device))
        aim = None if target is None else _host(target)
        evaluation = Evaluation(
            trained, aim, compute=aim.compute if aim else "numpy", root=_path(root), part=part,
            first=first, count=count or 0, rows=rows, cols=cols, progress=_progress(progress),
        )  # fmt: skip
        _refuse({"seed": seed}, "where nothing is random", unless=evaluation.random(under))
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

    return report(_folder(run), _path(costs), adc_bits)


def verilog(
    config: ArrayConfig | AcceleratorConfig | None = None,
    *,
    name: str | None = None,
    cells: Sequence[int] = (),
) -> str:
    """The Verilog of an array or of an accelerator.

    Parameters
    ----------
    config : ArrayConfig or AcceleratorConfig, optional
        A 64 x 64 array by default.
    name : str, optional
        Of the top module; "spintrit_array" or "spintrit_accelerator" by default.
    cells : sequence of int
        Words of an array's cell memory at power-up; all cells are AP by default.

    Raises
    ------
    ValueError
        If ``name`` is not a Verilog identifier, or ``cells`` do not fit.
    ModuleNotFoundError
        If Amaranth or Yosys is not installed.
    """
    with hinted():
        if isinstance(config, AcceleratorConfig):
            _refuse({"cells": cells}, "with an accelerator")
            from synth.accelerator import ACCELERATOR_NAME, accelerator_verilog

            return accelerator_verilog(config, name or ACCELERATOR_NAME)
        from synth.generate import TOP_NAME, array_verilog

        return array_verilog(config or ArrayConfig(), name or TOP_NAME, cells)


def _run(
    asked: Request, out: Path, *, resume: bool = False, overwrite: bool = False,
    progress: bool = False, picture: bool = True,
) -> Run:  # fmt: skip
    from spintrit.runs.run import run

    with hinted():
        run(
            asked.target, asked.source, asked.config, asked.array, out, cells=asked.cells,
            init=asked.init, resume=resume, overwrite=overwrite, progress=_progress(progress),
            picture=picture,
        )  # fmt: skip
    return dataclasses.replace(records.load_run(out), split=asked.source.split)


def _progress(shown: bool) -> Progress | None:
    if not shown:
        return None
    with hinted():
        from spintrit.report.progress import ConsoleProgress
    return ConsoleProgress()


def _refuse(given: dict[str, Any], beside: str, *, unless: bool = False) -> None:
    """Raise ValueError at the first of the arguments that is given, where it has no effect."""
    for name, value in {} if unless else given.items():
        if value is not None and value is not False and not (value == () or value == []):
            raise ValueError(f"{name} = {value!r} has no effect {beside}")


def _path(path: str | Path | None) -> Path | None:
    return None if path is None else Path(path)


def _folder(run: Run | str | Path) -> Path:
    return run.place if isinstance(run, Run) else Path(run)


def _split(run: Run | str | Path) -> Split | None:
    return run.split if isinstance(run, Run) else None


def _device(named: str | Path | Device) -> Device:
    return named if isinstance(named, Device) else junction.load(named)


def _host(target: str | HostTarget) -> HostTarget:
    if isinstance(target, str):
        return targets.host_target(target)
    if not isinstance(target, HostTarget):
        raise TypeError(f"target must be a text or a HostTarget, not {target!r}")
    return target


def _checked(target: Target) -> Target:
    if not isinstance(target, Target):
        raise TypeError(f"target must be a text or a Target, not {target!r}")
    return target

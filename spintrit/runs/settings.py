"""The settings of a run: stored in config.json, and read from there by --resume."""

from dataclasses import asdict, dataclass, fields, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from golden import jsonfile
from golden.config import ArrayConfig
from golden.device import junction
from golden.device.junction import Device
from golden.network.start import Start
from golden.pulse import tablefile
from golden.pulse.design import CODERS, IDEAL, CoderConfig
from golden.pulse.tablefile import TableFile
from golden.train import checkpoint
from golden.train.cells import Cells
from golden.train.trainer import BEST, CHECKPOINT, WEIGHTS
from spintrit.records import CONFIG, SUMMARY

if TYPE_CHECKING:  # the parser needs this file, and data sets more packages than the parser
    from spintrit.runs.request import Request

TABLE, DEVICE = "table.json", "own-device.toml"
FILES = {"best": BEST, "last": WEIGHTS}
# Settings that may change when a run resumes: these arrays have equal bits.
_FREE = ("array", "backend", "data", "epochs")
_END = ("chosen_epoch", "val_accuracy", "test_accuracy", "last_test_accuracy")


@dataclass(frozen=True)
class Init:
    """The run whose weights another run starts from.

    Parameters
    ----------
    run : Path
        Folder of the run.
    weights : {"best", "last"}
        Epoch with the best validation accuracy, or last epoch.
    """

    run: Path
    weights: str = "best"

    @property
    def path(self) -> Path:
        """The file of weights."""
        return self.run / FILES[self.weights]


def settings(asked: "Request", out: Path) -> dict[str, Any]:
    """All settings of a run by the names of train's options; ready for JSON.

    Paths are absolute. A device or a table that was given as an object is kept as a file in
    ``out``.
    """
    target, source, cells, init = asked.target, asked.source, asked.cells, asked.init
    device, table = cells.device, cells.table
    if isinstance(device, Device):
        device = str(out / DEVICE)
    if isinstance(table, TableFile):
        table = out / TABLE
    return {
        "array": target.text,
        "on_chip": bool(target.tiles),
        "tiles": target.tiles or None,
        "backend": target.compute,
        "dataset": source.dataset,
        "data": _path(source.root),
        "input_bits": source.input_bits,
        "augment": source.augment,
        **asdict(asked.config),
        **asdict(asked.array),
        "device": _path(device) if _is_file(device) else device,
        "table": _path(table),
        **asdict(cells.coder),
        **asdict(cells.nonideal),
        "init": _path(init.run) if init else None,
        "init_weights": init.weights if init else "best",
    }


def _path(path: Any) -> str | None:
    return None if path is None else str(Path(path).absolute())


def _is_file(name: object) -> bool:
    return str(name).endswith(".toml")


def read(out: Path) -> dict[str, Any]:
    """The content of config.json in ``out``; empty if there is no such file.

    Raises
    ------
    ValueError
        If it is damaged.
    """
    path = out / CONFIG
    if not path.is_file():
        return {}
    config: dict[str, Any] = jsonfile.read(path)
    jsonfile.entry(config, "settings", dict, str(path), {})
    return config


def resumed(out: Path) -> dict[str, Any]:
    """The settings to resume the run in ``out``, by the names of train's options. Folders of
    earlier versions may give only some of them; the result is empty if there is no run.

    Raises
    ------
    ValueError
        If a file is damaged.
    """
    config = read(out)
    if not config:
        return {}
    if "settings" in config:
        kept: dict[str, Any] = config["settings"]
        # Earlier versions let the digits have a folder, which they did not read.
        return kept | {"data": None} if kept.get("dataset") == "digits" else kept
    try:
        return _from_parts(out, config)
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise ValueError(f"{out / CONFIG} is damaged: {error}") from None


def _from_parts(out: Path, config: dict[str, Any]) -> dict[str, Any]:
    """Settings of a folder whose config.json does not list them."""
    identity = checkpoint.identity(out / CHECKPOINT) if (out / CHECKPOINT).exists() else {}
    array = {f.name: identity.get(f"array {f.name}") for f in fields(ArrayConfig)}
    known = {name: value for name, value in array.items() if value is not None}
    table, named = config["table"], config["device"] in junction.names()
    coded = {f.name: table[f.name] for f in fields(CoderConfig) if f.name in table}
    if coded.get("coder") not in CODERS:
        coded.pop("coder", None)
    if table.get("coder") == IDEAL:
        cells: dict[str, Any] = {"device": IDEAL, **coded}
    elif named and "coder" in coded:
        cells = {"device": config["device"], **coded}
    else:
        cells = {"device": "", "table": str(out / TABLE)}
    on_chip = config.get("on_chip", False)
    return {
        "array": config["array"],
        "on_chip": on_chip,
        "tiles": config.get("tiles") if on_chip else None,
        "backend": config["backend"],
        "dataset": config["data"]["name"],
        "input_bits": config["data"]["input_bits"],
        "augment": config["data"]["augment"],
        **config["train_config"],
        **config["array_config"],
        **known,
        **cells,
        **config["nonideal"],
    }


def agree(out: Path, given: dict[str, Any]) -> None:
    """Refuse settings ``given`` that differ from those of the run in ``out``, which resumes.

    Raises
    ------
    ValueError
        If a setting differs that must not; names the setting and both values.
    """
    config = read(out)
    for name, kept in config.get("settings", {}).items():
        mine = given.get(name, kept)
        if name == "epochs" and mine < kept:
            raise ValueError(
                f"epochs = {mine} is less than the {kept} of {out / CONFIG}: a run goes on to its "
                "end or beyond"
            )
        if name not in _FREE and mine != kept:
            raise ValueError(f"{out / CONFIG} was made with {name} = {kept!r}, not {mine!r}")


def own_files(out: Path, cells: Cells) -> Cells:
    """``cells`` of a run that resumes: table and device from its own table.json, since the original
    files may have changed or gone."""
    if not (out / TABLE).is_file() or "settings" not in read(out):
        return cells
    if cells.table:
        return replace(cells, table=out / TABLE, device="")
    if _is_file(cells.device):
        return replace(cells, device=tablefile.load(out / TABLE).device or "")
    return cells


def start(init: Init, config: dict[str, Any], *, begun: bool, on_chip: bool) -> Start:
    """The weights that a run starts from.

    Parameters
    ----------
    config : dict
        The content of the run's config.json; empty if there is none.
    begun : bool
        Whether there is a checkpoint to resume from: then the digest in ``config`` is enough.
    on_chip : bool
        Whether the run is on chip.

    Raises
    ------
    ValueError
        If the weights cannot be read, are of the other kind, or have changed.
    """
    kept = config.get("start")
    if begun and kept:
        return Start(kept)
    from spintrit.runs.trained import load

    trained = load(init.run, init.weights)
    if bool(trained.tiles) != on_chip:
        kinds = "by a host", "on chip"
        raise ValueError(
            f"init {init.run} was trained {kinds[bool(trained.tiles)]}: its batch norms are no "
            f"start for training {kinds[on_chip]}"
        )
    found = Start.of(trained.weights, f"init {init.path}")
    if kept and kept != found.digest:
        raise ValueError(f"{init.path} has changed since the run started from it")
    return found


def earlier(out: Path, config: dict[str, Any], epochs: int) -> list[dict[str, Any]]:
    """The earlier results of a run that ended after fewer than ``epochs`` epochs, by end.

    Parameters
    ----------
    config : dict
        The content of its config.json; empty if there is none.
    """
    ends = list(jsonfile.entry(config, "earlier", list, str(out / CONFIG), []))
    try:
        summary = jsonfile.read(out / SUMMARY)
        end = {"epochs": summary["train_config"]["epochs"]}
        end |= {name: summary[name] for name in _END}
        if summary["complete"] and end["epochs"] < epochs and end not in ends:
            ends.append(end)
    except (OSError, ValueError, KeyError, TypeError):
        pass  # it has not ended, or is not known to have
    return ends

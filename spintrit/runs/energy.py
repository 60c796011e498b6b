"""Energy, efficiency and speed of a finished run."""

import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from golden import checks, device, jsonfile
from golden.config import ArrayConfig
from golden.device.junction import Device
from golden.energy import costs as cost_table
from golden.energy import model, usage
from golden.energy.costs import Costs
from golden.network import notation
from golden.network.notation import Block
from golden.pulse import tablefile
from spintrit.records import SUMMARY
from spintrit.runs.settings import TABLE

ACCOUNTINGS = ("array", "periphery")  # the array alone, and with its periphery
SPARSITY = tuple(i / 20 for i in range(21))  # shares of zero inputs of the curves


def report(folder: Path, costs: Path | None = None, adc_bits: int | None = None) -> dict[str, Any]:
    """Energy, efficiency and speed of a run's training, by ``golden.energy.model``.

    Parameters
    ----------
    folder : Path
        Folder of a finished run, with summary.json and table.json.
    costs : Path, optional
        TOML file whose entries replace the default costs.
    adc_bits : int, optional
        Effective bits of a forward conversion; by default the run's, or enough for exact sums.

    Returns
    -------
    dict
        ``per_sample_j`` (joules by phase and part, a training sample), ``efficiency`` (operations
        a joule), ``published`` and ``needed`` (for the published figures), ``shares`` (of zero
        inputs and weights, and of products gated off; rows without weights left out), ``used``
        (share of the arrays' synapses that hold weights, by phase), ``sparsity`` (forward joules a
        sample), ``timing`` (with full and mean pulses), ``costs`` and what the run was.

    Raises
    ------
    ValueError
        If a file of the run is missing or lacks what is needed, naming it.
    TypeError, OSError
        If a file cannot be read or has wrong values.
    """
    summary, array = _summary(folder / SUMMARY)
    samples, activity = summary["train_samples"], summary["activity"]
    if not (folder / TABLE).is_file():
        raise ValueError(f"{folder / TABLE} must exist; it comes with a finished run")
    table = tablefile.load(folder / TABLE)
    junction = table.device or device.load("default")
    surroundings = cost_table.load(costs)
    # A binary synapse has one rule, which reads nothing.
    exact = summary.get("train_config", {}).get("rule") == "exact" and array.cells == 2
    tick_s = table.table.tick_s
    # The run's own converters, if it had any; exact ones else.
    settings = summary.get("nonideal", {})
    if adc_bits is None:
        adc_bits = settings.get("adc_bits") or None
    back_bits = settings.get("backward_adc_bits") or None
    spent = model.energy(
        activity, junction, tick_s, array, surroundings, adc_bits, back_bits, exact=exact
    )  # fmt: skip
    used = _used(summary, array, str(folder / SUMMARY))
    pulses = model.pulse_count(activity)
    ticks = sum(number for name, number in activity.items() if name.startswith("ticks"))
    pulse_s = {"full": float(table.table.pulse_s[-1].max())}
    if ticks:
        pulse_s["mean"] = ticks * tick_s / pulses
    sharing = sorted({1, 4, 16, array.cols // array.columns_per_cycle, array.cols})
    return {
        "folder": str(folder),
        "array": {"rows": array.rows, "cols": array.cols, "synapse": array.synapse},
        "device": junction.name,
        "device_assumed": table.device is None,
        "read_j": model.read_j(junction),
        "pulse_w": model.pulse_w(junction),
        "conversion_j": [
            surroundings.adc_j_per_step * 2**bits
            for bits in (adc_bits or array.sum_bits, back_bits or array.cols.bit_length() + 1)
        ],
        "rule_reads": exact,
        "samples": samples,
        "total_j": {
            name: model.total(spent, periphery=name == "periphery") for name in ACCOUNTINGS
        },
        "per_sample_j": {
            phase: {part: joules / samples for part, joules in parts.items()}
            for phase, parts in spent.items()
        },
        "switched_bounds_j": [
            bound / samples for bound in model.switched_bounds(activity, junction, tick_s)
        ],
        "efficiency": model.efficiency(activity, spent, array, used),
        "published": model.PUBLISHED,
        "needed": model.published(junction, array),
        "used": used,
        "shares": _shares(activity, array, used["forward"]),
        "sparsity": _sparsity(
            activity, junction, array, surroundings, adc_bits, samples, used["forward"]
        ),
        "pulse_s": pulse_s,
        "timing": {
            name: model.timing(
                junction, array, surroundings, length,
                [columns for columns in sharing if columns <= array.cols], exact=exact,
            )
            for name, length in pulse_s.items()
        },
        "costs": {
            name: {"value": getattr(surroundings, name), "source": surroundings.sources[name]}
            for name in cost_table.NAMES
        },
    }  # fmt: skip


def _summary(path: Path) -> tuple[dict[str, Any], ArrayConfig]:
    """The run's summary, what is needed of it checked, and its array."""
    try:
        summary = jsonfile.read(path)
    except FileNotFoundError:
        raise ValueError(f"{path} must exist; it comes with a finished run") from None
    config = summary.get("array_config")
    if isinstance(config, dict) and config.get("counters") is False:
        raise ValueError(f"{path}: a run with --no-counters has no energy to report")
    for name, kind in (("activity", dict), ("train_samples", int), ("array_config", dict)):
        jsonfile.entry(summary, name, kind, str(path))
    for name in ("train_config", "nonideal"):  # earlier runs may lack them
        jsonfile.entry(summary, name, dict, str(path), {})
    try:
        checks.integer("train_samples", summary["train_samples"], 1)
        model.checked(summary["activity"])
        return summary, ArrayConfig(**summary["array_config"])
    except (TypeError, ValueError) as error:
        raise type(error)(f"{path}: {error}") from None


def _classes(summary: dict[str, Any], hidden: Sequence[Block], shape: Sequence[int]) -> int:
    """Outputs of a run's last layer; an earlier run's follow from its number of synapses."""
    if "classes" in summary["data"]:
        return len(summary["data"]["classes"])
    before = sum(math.prod(size) for size in notation.matrices(hidden, shape))
    last: int = summary["synapses"] - before
    return last // math.prod(notation.shapes(hidden, shape)[-1])


def _used(summary: dict[str, Any], array: ArrayConfig, source: str) -> dict[str, float]:
    """``golden.energy.usage.used`` of a run; earlier runs do not say what they were trained on."""
    training, data = summary.get("train_config", {}), summary.get("data") or {}
    if "network" not in training or "shape" not in data:
        return {"forward": 1.0, "update": 1.0}
    try:
        hidden = notation.parse(training["network"])
        blocks = [*hidden, Block(_classes(summary, hidden, data["shape"]))]
        planes = max(checks.integer("input_bits", data["input_bits"], 2, 8) - 1, 1)
        tiles = checks.integer("tiles", summary.get("tiles", 0), 0)
        return usage.used(blocks, data["shape"], array, planes, tiles)
    except (KeyError, TypeError, ValueError) as error:
        raise ValueError(f"{source}: data or network cannot be read: {error}") from None


def _shares(activity: dict[str, int], array: ArrayConfig, used: float) -> dict[str, float]:
    """Zeros among the inputs and the weights that forward reads met, and gated products, of the
    share ``used`` of the synapses."""
    pairs = activity["forward_conversions"] * array.rows * used
    driven = (activity["forward_cells_p"] + activity["forward_cells_ap"]) / array.cells
    products = activity["forward_products"]
    shares = {}
    if pairs:
        shares = {"zero_inputs": 1 - driven / pairs, "gated": 1 - products / pairs}
    if driven:
        shares["zero_weights"] = 1 - products / driven
    return shares


def _sparsity(
    activity: dict[str, int], junction: Device, array: ArrayConfig, costs: Costs,
    adc_bits: int | None, samples: int, used: float,
) -> dict[str, Any]:  # fmt: skip
    """Forward joules a sample against the share of zero inputs, for some shares of zero weights.

    A read drives a row's whole line, but may convert only some of the columns. So the drives of a
    vector are the run's own, in proportion to the inputs that are not zero.
    """
    vectors = activity["forward_conversions"] / array.cols / samples
    driven = 1 - _shares(activity, array, used).get("zero_inputs", 1.0)
    drives = activity["forward_drives"] / samples / driven if driven else 0.0
    kinds = [("none", 0.0, 1.0)]
    if array.synapse == "ternary":
        kinds += [("half, weak (P, P)", 0.5, 1.0), ("half, strong (AP, AP)", 0.5, 0.0)]
    curves = []
    for name, zero_weights, weak in kinds:
        curve: dict[str, Any] = {"name": name, "array": [], "periphery": []}
        for zero_inputs in SPARSITY:
            each = model.expected_forward(array, 1 - used * (1 - zero_inputs), zero_weights, weak)
            expected = {name: vectors * count for name, count in each.items()}
            expected["forward_drives"] = drives * (1 - zero_inputs)
            spent = model.energy(expected, junction, 0.0, array, costs, adc_bits)
            for accounting in ACCOUNTINGS:
                joules = model.total(spent, "forward", periphery=accounting == "periphery")
                curve[accounting].append(joules)
        curves.append(curve)
    return {"zero_inputs": list(SPARSITY), "curves": curves}

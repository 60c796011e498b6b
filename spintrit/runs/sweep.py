"""Accuracy of a trained network against one condition: figures and a picture."""

from collections.abc import Mapping, Sequence
from typing import Any

import matplotlib as mpl
from matplotlib.figure import Figure

from golden.targets import Golden
from spintrit.runs.conditions import conditions
from spintrit.runs.evaluate import Evaluation, evaluate
from spintrit.runs.trained import Trained

_POINT = (
    "array", "accuracy", "right", "repeats", "accuracy_sd", "accuracy_min", "accuracy_max", "seeds",
    "accuracies", "seconds",
)  # fmt: skip
_COLOUR = "#0072B2"


def sweep(
    evaluation: Evaluation,
    name: str,
    values: Sequence[float],
    changes: Mapping[str, Any] | None = None,
    named: str = "",
    *,
    repeats: int = 1,
    seed: int | None = None,
) -> dict[str, Any]:
    """Evaluate with each of ``values`` of the condition ``name``.

    All points are of one kind of array. Points without anything random are evaluated once.

    Parameters
    ----------
    changes : dict, optional
        Other conditions that are not the run's own.
    named : str
        A device instead of the run's own, see ``spintrit.runs.conditions.conditions``.
    repeats, seed : int
        As ``spintrit.runs.evaluate.evaluate`` takes them; the draws of all points have the same
        seeds.

    Returns
    -------
    dict
        The evaluation's description; "sweep": the name; "points": a list of figures by value.

    Raises
    ------
    ValueError
        If a value is out of range or given twice, or ``repeats`` is more than 1 and no point is
        random.
    golden.array.lockstep.Mismatch, OSError, RuntimeError
        As ``spintrit.runs.evaluate.evaluate``.
    """
    if len(set(values)) < len(values):
        raise ValueError(f"the values of {name} hold one twice: {', '.join(map(str, values))}")
    changes = dict(changes or {})
    if name in changes:
        raise ValueError(f"{name} = {changes[name]!r} cannot be combined with a sweep over {name}")
    if name == "adc_bits" and 0 in values and "adc_range" in changes:
        raise ValueError("adc_range has no meaning at adc_bits = 0, which is in the sweep")
    each = [changes | {name: value} for value in values]
    every = [conditions(evaluation.trained, one, named, strict=False) for one in each]
    _does_something(evaluation.trained, [one for one in each if one[name]], named)
    targets = {evaluation.target_for(under) for under in every}
    if len(targets) > 1:
        evaluation.target = Golden()
    random = [evaluation.random(under) for under in every]
    if repeats > 1 and not any(random):
        raise ValueError(f"repeats = {repeats} needs conditions with something random in them")
    points = []
    for value, under, drawn in zip(values, every, random, strict=True):
        found = evaluate(evaluation, under, repeats=repeats if drawn else 1, seed=seed)
        points.append({"value": value} | {key: found[key] for key in _POINT if key in found})
    others = changes | ({"device": named} if named else {})
    return evaluation.description | {"conditions": others, "sweep": name, "points": points}


def _does_something(trained: Trained, each: Sequence[Mapping[str, Any]], named: str) -> None:
    """Refuse a condition that has no effect in any point."""
    refused = []
    for one in each:
        try:
            conditions(trained, one, named)
        except ValueError as error:
            refused.append(error)
    if refused and len(refused) == len(each):
        raise refused[0]


def figure(result: Mapping[str, Any], title: str) -> Figure:
    """The picture of a ``sweep``: means, and bars of one standard deviation where there are several
    draws. A single draw of something random is a hollow dot."""
    points = sorted(result["points"], key=lambda point: point["value"])
    xs = [point["value"] for point in points]
    means = [100 * point["accuracy"] for point in points]
    with mpl.rc_context({"font.size": 9, "axes.spines.top": False, "axes.spines.right": False}):
        shown = Figure(figsize=(4.6, 3.3), layout="constrained")
        axis = shown.subplots()
        axis.plot(xs, means, "-", color=_COLOUR, lw=1)
        groups: dict[str, list[dict[str, Any]]] = {}
        for point in points:
            count = point.get("repeats", 0)
            label = (
                f"mean and standard deviation of {count} draws" if count > 1
                else "one draw" if count else "nothing random"
            )  # fmt: skip
            groups.setdefault(label, []).append(point)
        for label, mine in groups.items():
            bars = [100 * (point.get("accuracy_sd") or 0) for point in mine]
            axis.errorbar(
                [point["value"] for point in mine], [100 * point["accuracy"] for point in mine],
                yerr=bars if any(bars) else None, fmt="s" if label == "nothing random" else "o",
                color=_COLOUR, ms=4, capsize=3, lw=1, label=label,
                markerfacecolor="white" if label == "one draw" else _COLOUR,
            )  # fmt: skip
        positive = [x for x in xs if x > 0]
        if positive and positive[-1] / positive[0] >= 100:
            if xs[0] == 0:
                axis.set_xscale("symlog", linthresh=positive[0])
            else:
                axis.set_xscale("log")
        axis.set(
            xlabel=result["sweep"].replace("_", " "), ylabel=f"{result['part']} accuracy (%)"
        )  # fmt: skip
        axis.set_title(title, parse_math=False)
        # No range so small that chance looks like a trend.
        spread = [100 * (point.get("accuracy_sd") or 0) for point in points]
        low = min(mean - bar for mean, bar in zip(means, spread, strict=True))
        high = max(mean + bar for mean, bar in zip(means, spread, strict=True))
        middle, half = (low + high) / 2, max((high - low) * 0.55, 1.5)
        axis.set_ylim(middle - half, middle + half)
        axis.grid(axis="y", color="#DDDDDD", lw=0.6)
        if set(groups) != {"nothing random"}:
            axis.legend(loc="best", frameon=False)
    return shown

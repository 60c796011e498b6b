"""Keyword arguments of the functions in ``spintrit.api``, by name, for type checkers."""

import difflib
from collections.abc import Collection, Mapping
from typing import Any, TypedDict


class CoderKeywords(TypedDict, total=False):
    """Fields of ``golden.pulse.design.CoderConfig``."""

    coder: str
    steepness: float
    step_s: float


class ArrayKeywords(TypedDict, total=False):
    """Fields of ``golden.config.ArrayConfig``."""

    rows: int
    cols: int
    synapse: str
    columns_per_cycle: int
    code_bits: int
    draw_bits: int
    error_bits: int
    variant_bits: int
    counters: bool


class ConditionKeywords(TypedDict, total=False):
    """Conditions of an evaluation, see ``spintrit.runs.conditions.FIELDS``."""

    adc_bits: int
    adc_range: float
    adc_noise: float
    wire_ohm: float
    resistance_spread: float
    stability_spread: float
    temperature_k: float
    retention_s: float
    retention_k: float
    reads: float
    stuck_p: float
    stuck_ap: float


class NonIdealKeywords(TypedDict, total=False):
    """Fields of ``golden.device.nonideal.NonIdealities``."""

    resistance_spread: float
    critical_current_spread: float
    stability_spread: float
    amplitude_noise: float
    length_noise_s: float
    stuck_p: float
    stuck_ap: float
    temperature_k: float
    read_disturb: bool
    retention_s: float
    retention_k: float
    adc_bits: int
    adc_range: float
    adc_noise: float
    backward_adc_bits: int
    backward_adc_range: float
    backward_adc_noise: float
    wire_ohm: float


class TrainKeywords(ArrayKeywords, CoderKeywords, NonIdealKeywords, total=False):
    """Fields of ``golden.train.config.TrainConfig`` but ``network``, and of the array, the pulse
    coder and the non-idealities."""

    epochs: int
    batch: int
    learning_rate: float
    final_learning_rate: float
    optimiser: str
    momentum: float
    dead_zone: float
    rule: str
    activation: str
    threshold: float
    window: float
    batch_norm: str
    density: float
    seed: int


def check(function: str, given: Mapping[str, Any], known: Collection[str]) -> None:
    """Raise TypeError at the first keyword that ``function`` does not know."""
    for name in given:
        if name not in known:
            near = difflib.get_close_matches(name, known, 1)
            hint = f"; did you mean {near[0]}?" if near else ""
            raise TypeError(f"{function}() has no argument {name!r}{hint}")


def refuse(given: dict[str, Any], beside: str, *, unless: bool = False) -> None:
    """Raise ValueError at the first of the arguments that is given, where it has no effect."""
    for name, value in {} if unless else given.items():
        if value is not None and value is not False:
            raise ValueError(f"{name} = {value!r} has no effect {beside}")

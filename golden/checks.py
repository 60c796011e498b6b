"""Argument checks: the errors name the argument and its value."""

import math
import numbers
import operator
from typing import Any

import numpy as np

LARGEST = 2**63 - 1  # largest integer of 64 bits, in numpy


class InputWarning(UserWarning):
    """Data were read, but perhaps in another way than the user expects."""


def integer(name: str, value: Any, low: int, high: int | None = None) -> int:
    """``value`` as an int in ``[low, high]``; without ``high``, up to ``LARGEST``.

    Raises
    ------
    TypeError
        If ``value`` is not an integer (a bool is not).
    ValueError
        If it lies outside the range.
    """
    if isinstance(value, bool | np.bool_):
        raise TypeError(f"{name} must be an integer, not {value!r}")
    try:
        number = operator.index(value)
    except TypeError:
        raise TypeError(f"{name} must be an integer, not {value!r}") from None
    if number < low or number > (LARGEST if high is None else high):
        bound = f"at least {low}" if high is None else f"in {low} to {high}"
        if high is None and number > LARGEST:
            bound = f"at most {LARGEST}"
        raise ValueError(f"{name} must be {bound}, not {shown(number)}")
    return number


def boolean(name: str, value: Any) -> bool:
    """``value`` as a bool; raises TypeError if it is no bool of Python or numpy."""
    value = _scalar(value)
    if not isinstance(value, bool | np.bool_):
        raise TypeError(f"{name} must be True or False, not {value!r}")
    return bool(value)


def _scalar(value: Any) -> Any:
    """The number in an array without dimensions; other values unchanged."""
    return value[()] if isinstance(value, np.ndarray) and value.ndim == 0 else value


def keep(config: Any, **values: Any) -> None:
    """Set checked fields of a frozen dataclass."""
    for name, value in values.items():
        object.__setattr__(config, name, value)


def shown(number: int) -> str:
    """An integer in decimal digits, or its size if there are too many digits."""
    bits = number.bit_length()
    return str(number) if bits <= 256 else f"an integer of {bits} bits"


def real(name: str, value: Any, low: float, high: float = math.inf) -> float:
    """``value`` as a finite float in ``[low, high]``.

    Raises
    ------
    TypeError
        If ``value`` is not a number.
    ValueError
        If it is not finite or lies outside the range.
    """
    value = _scalar(value)
    if isinstance(value, bool) or not isinstance(value, numbers.Real):
        raise TypeError(f"{name} must be a number, not {value!r}")
    try:
        number = float(value)
    except OverflowError:
        number = -math.inf if value < 0 else math.inf
    if not math.isfinite(number) or not low <= number <= high:
        bound = f"at least {low:g}" if math.isinf(high) else f"in {low:g} to {high:g}"
        raise ValueError(f"{name} must be finite and {bound}, not {number!r}")
    return number


def choice(name: str, value: Any, known: tuple[str, ...]) -> str:
    """``value``, one of the strings ``known``; raises ValueError otherwise."""
    if value not in known:
        raise ValueError(f"{name} must be one of {', '.join(known)}, not {value!r}")
    chosen: str = value
    return chosen


def integers(
    name: str, value: Any, shape: tuple[int | None, ...], low: int, high: int
) -> np.ndarray:
    """``value`` as an integer array of ``shape`` (None: any length), entries in ``[low, high]``.

    Raises
    ------
    TypeError
        If the entries are not integers (booleans count as 0 and 1).
    ValueError
        If the shape is wrong or an entry lies outside the range; the first such entry is named.
    """
    array = np.asarray(value)
    if array.dtype == bool:
        array = array.view(np.uint8)
    if array.dtype.kind not in "iu":
        raise TypeError(f"{name} must hold integers, not {array.dtype}")
    if array.ndim != len(shape) or any(
        want is not None and want != have for want, have in zip(shape, array.shape, strict=True)
    ):
        wanted = ", ".join("*" if n is None else str(n) for n in shape)
        raise ValueError(f"{name} must have shape ({wanted}), not {array.shape}")
    if array.size and (array.min() < low or array.max() > high):
        index = np.unravel_index(int(np.argmax((array < low) | (array > high))), array.shape)
        where = ", ".join(str(int(i)) for i in index)
        raise ValueError(f"{name}[{where}] must be in {low} to {high}, not {array[index]}")
    return array


def finite(name: str, value: Any, ndim: int) -> np.ndarray:
    """``value`` as a float array of ``ndim`` dimensions without NaN or infinity.

    Raises
    ------
    TypeError
        If the entries are not real numbers.
    ValueError
        If the number of dimensions is wrong or an entry is not finite; the first such entry is
        named.
    """
    array = np.asarray(value)
    if array.dtype.kind not in "fiu":
        raise TypeError(f"{name} must hold real numbers, not {array.dtype}")
    if array.ndim != ndim:
        raise ValueError(f"{name} must have {ndim} dimensions, not shape {array.shape}")
    good = np.isfinite(array)
    if not good.all():
        index = np.unravel_index(int(np.argmin(good)), array.shape)
        where = ", ".join(str(int(i)) for i in index)
        raise ValueError(f"{name}[{where}] must be finite, not {array[index]}")
    return array

"""Numbers with units for readers."""

_PREFIXES = (
    ("T", 1e12), ("G", 1e9), ("M", 1e6), ("k", 1e3), ("", 1.0), ("m", 1e-3), ("u", 1e-6),
    ("n", 1e-9), ("p", 1e-12), ("f", 1e-15), ("a", 1e-18),
)  # fmt: skip
_YEAR_S = 365.25 * 86400


def scale(value: float) -> tuple[str, float]:
    """The prefix for ``value``, and its factor."""
    fitting = (pair for pair in _PREFIXES if abs(value) >= 0.9995 * pair[1])
    return next(fitting, ("", 1.0))


def si(value: float, unit: str) -> str:
    """``value`` with a prefix, three figures."""
    prefix, factor = scale(value)
    return f"{value / factor:.3g} {prefix}{unit}".rstrip()


def duration(seconds: float) -> str:
    """A time with a suitable unit up to years, two figures."""
    for name, length in (("years", _YEAR_S), ("days", 86400), ("hours", 3600)):
        if seconds >= 2 * length:
            return f"{float(f'{seconds / length:.2g}'):.6g} {name}"
    return si(float(f"{seconds:.2g}"), "s")

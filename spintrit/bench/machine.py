"""The machine on which a benchmark runs."""

import datetime
import platform
from pathlib import Path

_UNITS = ("amx_int8", "avx512_vnni", "avx_vnni")  # as Linux names them, the fastest first
_CPUINFO = Path("/proc/cpuinfo")


def describe() -> dict[str, str]:
    """``cpu``, its ``integer_units`` for products of 8-bit integers, and ``date``."""
    found = _entries()
    known = set(found.get("flags", "").split())
    units = [unit for unit in _UNITS if unit in known]
    name = found.get("model name", platform.processor() or platform.machine())
    if "cpu family" in found:
        name += f", family {found['cpu family']}, model {found['model']}"
    return {
        "cpu": name,
        "integer_units": ", ".join(units) or "none that is known",
        "date": datetime.date.today().isoformat(),
    }


def _entries() -> dict[str, str]:
    """The entries of Linux's /proc/cpuinfo for the first processor; empty elsewhere."""
    try:
        lines = _CPUINFO.read_text().split("\n\n")[0].splitlines()
    except OSError:
        return {}
    pairs = (line.partition(":") for line in lines)
    return {name.strip(): value.strip() for name, _, value in pairs}

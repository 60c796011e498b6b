"""The report on a design: FPGA resources and clock, as one JSON document."""

import dataclasses
import hashlib
import importlib.metadata
from pathlib import Path
from typing import Any

from amaranth.lib import wiring

from golden.accel.config import AcceleratorConfig
from golden.config import ArrayConfig
from hdl.accel.accelerator_top import AxiAccelerator
from hdl.array.array_top import ArrayTop
from hdl.array.read_path import ReadPath
from hdl.array.synapse_array import SynapseArray
from hdl.array.write_path import WritePath
from hdl.lib.dot import TernaryDot
from synth import flow, rtlil, yosys
from synth.flow import DoesNotFitError
from synth.targets import FREQ_MHZ, NUMBERS, Area, Target, target

BLOCKS = ("array", "accelerator")

Config = ArrayConfig | AcceleratorConfig
Report = dict[str, Any]


def component(config: Config) -> wiring.Component:
    """The block that a configuration describes, with its controller or its front end.

    Raises
    ------
    TypeError
        If ``config`` is neither an ArrayConfig nor an AcceleratorConfig.
    """
    if isinstance(config, ArrayConfig):
        return ArrayTop(config)
    return AxiAccelerator(config)


def versions(to: Target) -> dict[str, str]:
    """Versions of the tools for this target.

    Raises
    ------
    ToolError
        If a tool is missing.
    """
    amaranth = importlib.metadata.version("amaranth")
    found = {"amaranth": f"Amaranth {amaranth}", "yosys": yosys.version()}
    if to.placer:
        found["nextpnr"] = flow.placer_version(to)
    return found


def key(config: Config, name: str, *, seed: int, freq_mhz: float, placed: bool) -> str:
    """A digest of the design, the settings and the tools, this package's own code among them: the
    same key, the same report."""
    to = target(name)
    design = rtlil.convert(component(config), "top")
    own = [path.read_bytes() for path in sorted(Path(__file__).parent.rglob("*.py"))]
    plain = dataclasses.replace(to, changes=())  # a function's repr has its address; see ``own``
    settings = (design, repr(plain), seed, freq_mhz, placed, sorted(versions(to).items()), own)
    return hashlib.sha256(repr(settings).encode()).hexdigest()


def report(
    config: Config, name: str, folder: Path, *, seed: int = 1, freq_mhz: float = FREQ_MHZ,
    placed: bool = True, parts: bool = True,
) -> Report:  # fmt: skip
    """Synthesise a block and, within a harness, place and route it.

    Parameters
    ----------
    config : ArrayConfig or AcceleratorConfig
        The array with its controller, or the accelerator with its AXI port.
    name : str
        Name of a target.
    folder : Path
        Folder of the tools' files.
    seed, freq_mhz
        As for ``synth.flow.place``.
    placed : bool
        Whether to place and route.
    parts : bool
        Whether to synthesise each kind of component by itself, too.

    Returns
    -------
    dict
        For JSON. ``lut4``, ``ff``, ``bram``, ``dsp``, ``memory_bits``, ``other``: as in
        ``synth.targets.Area``, for the block without harness. ``fmax_mhz`` and ``path``: clock and
        critical path; None if nothing is placed. ``misfit``: the reason if it does not fit, else
        None. An array has more entries, all without activity counters and per row.
        ``dot_lut4_per_row``: ``hdl.lib.dot.TernaryDot`` alone. ``lane_lut4``:
        ``hdl.array.read_path.ReadPath`` and ``hdl.array.write_path.WritePath``, which are the dot
        products, row sums, generators, tables and switching. ``array_lut4_per_row``: all of
        ``hdl.array.synapse_array.SynapseArray``. ``products_per_s``, ``updates_per_s``: rates of
        FORWARD and UPDATE at that clock, one step per cycle.

    Raises
    ------
    TypeError, ValueError
        If an argument is not of its type or outside its range.
    ToolError
        If a tool is missing or fails.
    """
    to = target(name)
    placed = placed and bool(to.placer)
    block = component(config)
    whole = flow.synthesise(block, "block", to, folder)
    array = isinstance(config, ArrayConfig)
    result: Report = {
        "block": BLOCKS[0] if array else BLOCKS[1],
        "target": to.name,
        "device": to.title,
        "config": dataclasses.asdict(config),
        "seed": seed if placed else None,
        "freq_mhz": freq_mhz if placed else None,
        **dataclasses.asdict(whole.area),
        "versions": versions(to),
    }
    if isinstance(config, ArrayConfig):
        result |= _lanes(config, to, folder)
    result["parts"] = _parts(config, whole, to, folder) if parts else []
    result |= {"fmax_mhz": None, "misfit": None, "path": [], "packed": {}, "utilisation": {}}
    if placed:
        result["packed"] = _taken(flow.packed(whole, to))
        try:
            timing = flow.timed(
                component(config), "block", to, folder, seed=seed, freq_mhz=freq_mhz
            )
        except DoesNotFitError as error:
            result |= {"misfit": str(error), "utilisation": _taken(error.utilisation)}
        else:
            path = [{**dataclasses.asdict(hop), "signal": hop.signal} for hop in timing.path]
            result |= {"fmax_mhz": timing.fmax_mhz, "path": path}
            result["utilisation"] = _taken(timing.utilisation)
    if isinstance(config, ArrayConfig):
        result |= _throughput(config, result["fmax_mhz"])
    return result


def _lanes(config: ArrayConfig, to: Target, folder: Path) -> Report:
    """LUTs per row, from blocks that are synthesised separately."""
    quiet = dataclasses.replace(config, counters=False)
    blocks: dict[str, wiring.Component] = {
        "dot": TernaryDot(length=config.rows),
        "reading": ReadPath(quiet),
        "switching": WritePath(quiet),
        "array": SynapseArray(quiet),
    }
    luts = {
        name: flow.synthesise(block, f"lane_{name}", to, folder).area.lut4
        for name, block in blocks.items()
    }
    return {
        "dot_lut4": luts["dot"],
        "dot_lut4_per_row": round(luts["dot"] / config.rows, 3),
        "lane_lut4": round((luts["reading"] + luts["switching"]) / config.rows, 3),
        "array_lut4": luts["array"],
        "array_lut4_per_row": round(luts["array"] / config.rows, 3),
    }


def _parts(config: Config, whole: flow.Synthesis, to: Target, folder: Path) -> list[Report]:
    found = flow.parts(component(config), whole, to, folder)

    def numbers(area: Area) -> dict[str, int]:
        return {name: getattr(area, name) for name in NUMBERS}

    return [
        {
            "path": part.path,
            "count": part.count,
            **numbers(part.area),
            "own": numbers(part.own(found)),
        }
        for part in found
    ]


def _throughput(config: ArrayConfig, fmax_mhz: float | None) -> Report:
    hertz = None if fmax_mhz is None else fmax_mhz * 1e6
    return {
        "products_per_s": hertz and config.rows * config.columns_per_cycle * hertz,
        "updates_per_s": hertz and config.rows * hertz,
    }


def _taken(utilisation: dict[str, tuple[int, int]]) -> dict[str, list[int]]:
    return {name: [used, have] for name, (used, have) in utilisation.items() if used}


def stretches(path: list[Report]) -> list[tuple[str, dict[str, float]]]:
    """A report's path by signal: consecutive hops of one signal together, with the delay in
    nanoseconds of each kind of hop."""
    found: list[tuple[str, dict[str, float]]] = []
    for hop in path:
        if not found or found[-1][0] != hop["signal"]:
            found.append((hop["signal"], {}))
        delays = found[-1][1]
        delays[hop["kind"]] = round(delays.get(hop["kind"], 0.0) + hop["delay_ns"], 3)
    return found

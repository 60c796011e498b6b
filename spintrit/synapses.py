"""Arrays, tables, fits and Verilog of the public interface; the rest is in ``spintrit.api``."""

import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Unpack

from golden.accel.config import AcceleratorConfig
from golden.array.interface import SynapseArray
from golden.checks import InputWarning
from golden.config import ArrayConfig
from golden.device import junction
from golden.device.junction import Device
from golden.extras import hinted
from golden.pulse.design import IDEAL, CoderConfig
from golden.pulse.table import tanh_table
from golden.pulse.tablefile import TableFile
from golden.targets import HostTarget
from spintrit import keywords
from spintrit.keywords import CoderKeywords, refuse
from spintrit.targets import as_host

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
        return as_host(target).array(config or ArrayConfig())


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
        refuse(given | {"model": model != "macrospin"}, f"with source {IDEAL!r}")
        made = {"coder": IDEAL, "steepness": coding.steepness}
        return TableFile(tanh_table(config, coding.steepness), None, made)
    with hinted():
        from spintrit import tables

        if isinstance(source, str | Path | Device):
            refuse({"device": device}, "with a device as the source")
            return tables.of_device(
                _device(source), coding, config, model=model, voltage_v=voltage_v, full_s=full_s
            )
        refuse({"model": model != "macrospin"}, "with a fit as the source")
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
        refuse(given, "with arrays, which have their own")
        points = measured
    found = fitting.fit(points)
    for note in points.notes:
        warnings.warn(note, InputWarning, 2)
    return found


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
            refuse({"cells": list(cells) or None}, "with an accelerator")
            from synth.accelerator import ACCELERATOR_NAME, accelerator_verilog

            return accelerator_verilog(config, name or ACCELERATOR_NAME)
        from synth.generate import TOP_NAME, array_verilog

        return array_verilog(config or ArrayConfig(), name or TOP_NAME, cells)


def _device(named: str | Path | Device) -> Device:
    return named if isinstance(named, Device) else junction.load(named)

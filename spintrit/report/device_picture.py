"""Pictures of a device's switching, of its pulse coders, and of a fit to measurements."""

from pathlib import Path
from typing import Any

import matplotlib as mpl
import numpy as np
from matplotlib.figure import Figure
from statsmodels.stats.proportion import proportion_confint

from golden.config import ArrayConfig
from golden.device import curve, macrospin, switching
from golden.device.curve import Curve
from golden.device.junction import DIRECTIONS
from golden.device.macrospin import DT_S
from golden.pulse import design
from golden.pulse.design import CODERS, CoderConfig
from golden.pulse.table import GXNOR_M
from golden.units import si
from spintrit.fitting.fit import SwitchingFit
from spintrit.fitting.measured import Measured
from spintrit.report.figures import save

# Okabe and Ito's colours, which most colour-blind readers can distinguish.
_COLOURS = {"AP_to_P": "#D55E00", "P_to_AP": "#0072B2"}
_CODER_COLOURS = {"inverse": "#009E73", "linear": "#E69F00", "gated": "#CC79A7"}
_SERIES = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#000000")
_STYLE = {
    "font.size": 9, "axes.spines.top": False, "axes.spines.right": False, "legend.frameon": False,
}  # fmt: skip
_LEVELS = (0.03, 0.1, 0.25, 0.5, 0.75, 0.9, 0.97)  # of P, where it is simulated
_BARS = {"fmt": "o", "markersize": 3.5, "elinewidth": 1, "linestyle": "none"}


def draw(designed: Curve, path: Path, *, trials: int, seed: int) -> None:
    """Write a picture of a device: P against pulse length and voltage, and its coders.

    Parameters
    ----------
    designed : Curve
    path : Path
        Ends in .png, .svg or .pdf.
    trials, seed : int
        Trials and seed of the simulated points.
    """
    with mpl.rc_context(_STYLE):
        figure = Figure(figsize=(9.5, 7.2), layout="constrained")
        axes = figure.subplots(2, 2)
        _against_length(axes[0, 0], designed, trials, seed)
        _against_voltage(axes[0, 1], designed, trials, seed)
        _coders(axes[1, 0], axes[1, 1], designed)
        device = designed.device
        title = f"{device.name}: {device.geometry}, Delta = {device.stability:.3g}"
        figure.suptitle(title, parse_math=False)
        save(figure, path)


def _bars(p: np.ndarray, trials: np.ndarray | int) -> np.ndarray:
    """95 % error bars of shares of trials, (2, points): Wilson's interval."""
    low, high = proportion_confint(np.rint(p * trials), trials, method="wilson")
    bars: np.ndarray = np.maximum(np.stack([p - low, high - p]), 0)
    return bars


def _against_length(axis: Any, designed: Curve, trials: int, seed: int) -> None:
    device = designed.device
    simple = curve.formula(device)
    ends = [designed.length(k, np.array(0.99), device.t_write_s) for k in DIRECTIONS.values()]
    longest = min(1.3 * float(max(ends)), device.t_write_s)
    lengths = np.linspace(0, longest, 601)
    for name, direction in DIRECTIONS.items():
        colour = _COLOURS[name]
        axis.plot(1e9 * lengths, designed.probability(direction, lengths), color=colour)
        axis.plot(1e9 * lengths, simple.probability(direction, lengths), "--", color=colour, lw=1)
        along = designed.length(direction, np.array(_LEVELS), device.t_write_s)
        at = np.unique(np.rint(np.append(along, [longest / 50, longest]) / DT_S)) * DT_S
        p = macrospin.probability(device, direction, at, trials=trials, seed=seed)
        axis.errorbar(1e9 * at, p, _bars(p, trials), color=colour, **_BARS)
    for name, colour in _COLOURS.items():
        axis.plot([], [], "s", color=colour, label=name.replace("_", " "))
    axis.plot([], [], color="k", label="curve of the tables")
    axis.plot([], [], "k--", lw=1, label="closed formula")
    axis.errorbar([], [], [], color="k", label="simulation, 95 %", **_BARS)
    axis.legend(loc="lower right")
    axis.set(xlabel="pulse length (ns)", ylabel="P", ylim=(-0.02, 1.04), xlim=(0, 1.02e9 * longest),
             title=f"Against length, at {device.v_write_v:g} V")  # fmt: skip


def _against_voltage(axis: Any, designed: Curve, trials: int, seed: int) -> None:
    device = designed.device
    lengths = (device.t_write_s / 4, device.t_write_s)
    grid = np.linspace(0.02, 1.5, 297) * device.v_write_v
    top = 0.0
    for name, direction in DIRECTIONS.items():
        colour = _COLOURS[name]
        drive = switching.drive(device, direction, grid)
        for length, line, fill in zip(lengths, (":", "-"), ("w", colour), strict=True):
            p = designed.probability(direction, length, drive)
            axis.plot(grid, p, line, color=colour)
            volts = np.interp(_LEVELS, np.maximum.accumulate(p), grid)
            p = np.array([
                macrospin.probability(device, direction, np.array([length]), voltage_v=float(v),
                                      trials=trials, seed=seed)[0]
                for v in volts
            ])  # fmt: skip
            axis.errorbar(volts, p, _bars(p, trials), color=colour, markerfacecolor=fill, **_BARS)
            top = max(top, volts[-1])
    for length, line, fill in zip(lengths, (":", "-"), ("w", "k"), strict=True):
        axis.plot([], [], f"k{line}", marker="o", markersize=3.5, markerfacecolor=fill,
                  label=si(length, "s"))  # fmt: skip
    axis.legend(title="pulse length", alignment="left", loc="lower right")
    axis.set(xlabel="voltage (V)", ylabel="P", ylim=(-0.02, 1.04), xlim=(0, 1.1 * top),
             title="Against voltage")  # fmt: skip


def _coders(logarithmic: Any, linear: Any, designed: Curve) -> None:
    def probability(direction: int, pulse_s: np.ndarray) -> np.ndarray:
        return designed.probability(direction, pulse_s)

    small, even = np.geomspace(1e-5, 1, 801)[:-1], np.linspace(0, 1, 801)[:-1]
    for axis, nu in ((logarithmic, small), (linear, even)):
        axis.plot(nu, np.tanh(GXNOR_M * nu), color="#CCCCCC", lw=7, label=f"tanh({GXNOR_M:g} nu)")
        # Nested: inverse and gated lie on tanh.
        for name, width in zip(CODERS, (3, 1.5, 1), strict=True):
            config = CoderConfig(coder=name)
            t_write_s = designed.device.t_write_s
            table = design.design_table(probability, t_write_s, ArrayConfig(), config)
            p = design.response(table, nu)
            for column, line in ((0, "-"), (1, "--")):
                label = name if not column else None
                axis.plot(nu, p[:, column], line, color=_CODER_COLOURS[name], label=label, lw=width)
    linear.plot([], [], "k-", lw=1.3, label="AP to P")
    linear.plot([], [], "k--", lw=1.3, label="P to AP")
    linear.legend(loc="lower right")
    logarithmic.set(xscale="log", yscale="log", ylim=(1e-5, 1.5))
    for axis, scale in ((logarithmic, "logarithmic"), (linear, "linear")):
        axis.set(
            xlabel="wanted change nu (steps)", ylabel="mean P", title=f"Pulse coders, {scale} axes"
        )
        axis.set_xlim(1e-5 if axis is logarithmic else 0, 1)


def draw_fit(measured: Measured, found: SwitchingFit, path: Path) -> None:
    """Write a picture of measured points, the fit and its 95 % bands; ``path`` as for ``draw``."""
    with mpl.rc_context(_STYLE):
        figure = Figure(figsize=(4.75 * len(found.curves), 3.8), layout="constrained")
        axes = figure.subplots(1, len(found.curves), squeeze=False, sharey=True)[0]
        for axis, (direction, fitted) in zip(axes, found.curves.items(), strict=True):
            _points_and_band(axis, measured, found, direction)
            axis.set(xlabel="pulse length (ns)", ylim=(-0.02, 1.04),
                     title=f"{fitted.name.replace('_', ' ')}: {fitted.model.link}")  # fmt: skip
            axis.set_xlim(left=0)
        axes[0].set_ylabel("P")
        save(figure, path)


def _points_and_band(axis: Any, measured: Measured, found: SwitchingFit, direction: int) -> None:
    voltages = found.curves[direction].voltages_v
    for index, voltage in enumerate(voltages):
        colour = _SERIES[index % len(_SERIES)]
        here = (measured.direction == direction) & (measured.voltage_v == voltage)
        at, p = measured.pulse_s[here], measured.probability[here]
        grid = np.linspace(0, at.max(), 401)
        low, high = found.band(direction, grid, float(voltage))
        axis.fill_between(1e9 * grid, low, high, color=colour, alpha=0.25, lw=0)
        label = f"{voltage:g} V" if len(voltages) <= len(_SERIES) else None
        axis.plot(1e9 * grid, found.probability(direction, grid, float(voltage)), color=colour,
                  label=label)  # fmt: skip
        if measured.trials is None:
            axis.plot(1e9 * at, p, "o", markersize=3.5, color=colour)
        else:
            axis.errorbar(1e9 * at, p, _bars(p, measured.trials[here]), color=colour, **_BARS)
    axis.legend(loc="lower right", title="bands: 95 %", alignment="left")

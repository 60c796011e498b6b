"""Energy, efficiency and speed of an array as an analog macro, from its activity.

``SynapseArray.activity`` counts reads, conversions and pulses. The device gives the energy of each
of them, ``Costs`` the energy of the periphery. Every figure is for the array alone (dissipation in
junctions and their transistors: ``ARRAY_PARTS``) or for the array with its periphery.

Assumptions about operations:

- FORWARD reads a column at a time. All its cells under a non-zero input conduct for ``t_read_s``,
  also those of zero weights, whose currents cancel. One conversion follows, with enough bits for
  the exact sum.
- BACKWARD reads a row at a time, bit-serially: the error_bits - 1 magnitude bits of d one after the
  other, with the sign as the polarity. Each bit takes one conversion and one shift-and-add.
  Magnitudes other than 0 are assumed uniform, so that about half of their bits are set (see
  ``golden.array.activity.bits_set``).
- UPDATE drives each pulse's cell at ``v_write_v`` for the length of the pulse. A cell that switches
  is assumed to do so half way through its pulse (see ``switched_bounds`` for the extremes). The
  exact rule first reads each cell of the column, one bit each.

Not counted are leakage; the gradient, batch norm and the optimiser, which are not in the array; and
random numbers, since a junction switches at random by itself and the generators are part of the
behavioural model.
"""

from collections.abc import Mapping, Sequence

from golden import checks
from golden.array.activity import COUNTERS as COUNTED
from golden.array.activity import bits_set
from golden.codes import TRIT_BITS
from golden.config import MOST_ADC_BITS, ArrayConfig
from golden.device.junction import Device
from golden.energy.costs import Costs

PHASES = ("forward", "backward", "update")
OUTCOMES = ("idle", "failed", "switched")
# Parts of a phase's energy in the array itself; access: cell bits read and programmed.
ARRAY_PARTS = ("cells", *OUTCOMES, "access")
PERIPHERY_PARTS = ("converters", "drivers", "supply", "digital")

# The activity counters used here: all except those of ageing.
COUNTERS = tuple(name for name in COUNTED if not name.endswith("_aged"))

# Greenberg-Toledo et al., Semicond. Sci. Technol. 36, 114003, 2021, abstract: operations per joule.
PUBLISHED = {"forward": 18.3e12, "update": 3e12}

Energies = dict[str, dict[str, float]]


# --- one operation ---


def read_j(device: Device) -> tuple[float, float]:
    """Energy of a read of a cell in P and in AP, V^2 t / (R + R_access) at the read voltage."""
    return _of_states(device, device.v_read_v, device.v_read_v**2 * device.t_read_s)


def pulse_w(device: Device) -> tuple[float, float]:
    """Power of a pulse in a cell in P and in AP, V^2 / (R + R_access) at the write voltage."""
    return _of_states(device, device.v_write_v, device.v_write_v**2)


def _of_states(device: Device, voltage_v: float, over_ohm: float) -> tuple[float, float]:
    on, off = (float(ohm) for ohm in device.resistances_ohm(voltage_v))
    return over_ohm / (on + device.r_access_ohm), over_ohm / (off + device.r_access_ohm)


# --- a run ---


def checked(activity: Mapping[str, float]) -> dict[str, float]:
    """The counters of ``activity`` in ``COUNTERS``, as floats.

    Raises
    ------
    TypeError, ValueError
        If a counter is missing, no number, negative or not finite; the message names it.
    """
    missing = [name for name in COUNTERS if name not in activity]
    if missing:
        raise ValueError(f"activity must hold {missing[0]!r}, not only {', '.join(activity)}")
    return {name: checks.real(f"activity[{name!r}]", activity[name], 0.0) for name in COUNTERS}


def energy(
    activity: Mapping[str, float],
    device: Device,
    tick_s: float,
    array: ArrayConfig,
    costs: Costs,
    adc_bits: int | None = None,
    backward_adc_bits: int | None = None,
    *,
    exact: bool = False,
) -> Energies:
    """Energy by phase and part.

    Parameters
    ----------
    activity : mapping of str to number
        ``SynapseArray.activity()``, of one array or summed over arrays of this configuration; also
        expected values (floats).
    device : Device
    tick_s : float
        Unit of the pulse lengths, ``ProbabilityTable.tick_s``, seconds.
    array : ArrayConfig
    costs : Costs
    adc_bits, backward_adc_bits : int, optional
        Effective bits of a conversion, 1 to 32. The default is enough for the exact sum: of a
        column forward, of one bit of a row backward.
    exact : bool
        Whether updates followed the exact rule, which reads every cell first (mean of P and AP).

    Returns
    -------
    dict of dict of float
        Joules by phase (``PHASES``) and part (``ARRAY_PARTS``, ``PERIPHERY_PARTS``).

    Raises
    ------
    TypeError, ValueError
        As ``checked``, and if ``tick_s`` or ``adc_bits`` is out of range.
    """
    count = checked(activity)
    tick_s = checks.real("tick_s", tick_s, 0.0)
    bits = array.sum_bits if adc_bits is None else adc_bits
    back_bits = array.cols.bit_length() + 1 if backward_adc_bits is None else backward_adc_bits
    bits = checks.integer("adc_bits", bits, 1, MOST_ADC_BITS)
    back_bits = checks.integer("backward_adc_bits", back_bits, 1, MOST_ADC_BITS)
    return {
        "forward": _forward(count, device, array, costs, bits),
        "backward": _backward(count, device, array, costs, back_bits),
        "update": _update(count, device, tick_s, array, costs, exact),
    }


def _forward(
    count: dict[str, float], device: Device, array: ArrayConfig, costs: Costs, bits: int
) -> dict[str, float]:
    p_j, ap_j = read_j(device)
    cells = count["forward_cells_p"] * p_j + count["forward_cells_ap"] * ap_j
    sums, drives = count["forward_conversions"], count["forward_drives"]
    row_j = array.cells * array.cols * costs.line_f_per_cell * device.v_read_v**2
    # Zeros are stored compressed (assumed): only driven inputs are read from the buffer.
    return {
        "cells": cells,
        "converters": sums * costs.conversion_j(bits),
        "drivers": drives * row_j + sums * _select_j(array, costs, array.rows),
        "supply": _supply_j(cells, costs),
        "digital": drives * TRIT_BITS * costs.buffer_j_per_bit
        + sums * (array.sum_bits * costs.buffer_j_per_bit + costs.add_j)
        + sums / array.columns_per_cycle * array.rows * costs.clock_j_per_row,
    }


def _backward(
    count: dict[str, float], device: Device, array: ArrayConfig, costs: Costs, bits: int
) -> dict[str, float]:
    p_j, ap_j = read_j(device)
    ones = bits_set(array)
    cells = ones * (count["backward_cells_p"] * p_j + count["backward_cells_ap"] * ap_j)
    sums, drives = count["backward_conversions"], count["backward_drives"]
    conversions = sums * (array.error_bits - 1)
    column_j = array.cells * array.rows * costs.line_f_per_cell * device.v_read_v**2
    return {
        "cells": cells,
        "converters": conversions * costs.conversion_j(bits),
        "drivers": drives * ones * column_j + conversions * _select_j(array, costs, array.cols),
        "supply": _supply_j(cells, costs),
        "digital": drives * array.error_bits * costs.buffer_j_per_bit
        + sums * array.back_bits * costs.buffer_j_per_bit
        + conversions * costs.add_j
        + conversions / array.columns_per_cycle * array.rows * costs.clock_j_per_row,
    }


def _update(
    count: dict[str, float],
    device: Device,
    tick_s: float,
    array: ArrayConfig,
    costs: Costs,
    exact: bool,
) -> dict[str, float]:
    p_w, ap_w = pulse_w(device)
    seconds = {name: count[name] * tick_s for name in COUNTERS if name.startswith("ticks")}
    mean_w = (p_w + ap_w) / 2
    column = array.rows * array.cells
    read = (count["columns_read"] + exact * count["columns_updated"]) * column
    # Each cell gets a full pulse; half of them are in P (assumed).
    programmed = count["columns_programmed"] * column
    parts = {
        "idle": seconds["ticks_p_idle"] * p_w + seconds["ticks_ap_idle"] * ap_w,
        "failed": seconds["ticks_p_failed"] * ap_w + seconds["ticks_ap_failed"] * p_w,
        "switched": (seconds["ticks_p_switched"] + seconds["ticks_ap_switched"]) * mean_w,
        "access": read * sum(read_j(device)) / 2 + programmed * mean_w * device.t_write_s,
    }
    pulses = pulse_count(count)
    line_j = array.cols * costs.line_f_per_cell * device.v_write_v**2
    updated = count["columns_updated"]
    # Additions: one a synapse to code its change, one a pulse for its length (assumed).
    return parts | {
        "converters": read * costs.conversion_j(1),
        "drivers": (pulses + programmed) * line_j
        + (updated + count["columns_programmed"]) * _select_j(array, costs, array.rows),
        "supply": _supply_j(sum(parts.values()), costs),
        "digital": (updated * array.rows + pulses) * costs.add_j
        + updated * array.rows * costs.clock_j_per_row,
    }


def _select_j(array: ArrayConfig, costs: Costs, synapses: int) -> float:
    """Energy to raise the select line of a column or row."""
    return synapses * array.cells * costs.gate_f_per_cell * costs.gate_v**2


def _supply_j(drawn_j: float, costs: Costs) -> float:
    """Loss of the supply when ``drawn_j`` is drawn from it."""
    return drawn_j * (1 / costs.supply_efficiency - 1)


def total(energies: Energies, phase: str | None = None, *, periphery: bool = True) -> float:
    """Joules of one phase or all, with or without periphery; ValueError for an unknown phase."""
    known = ARRAY_PARTS + PERIPHERY_PARTS if periphery else ARRAY_PARTS
    phases = PHASES if phase is None else (checks.choice("phase", phase, PHASES),)
    return sum(j for name in phases for part, j in energies[name].items() if part in known)


def pulse_count(activity: Mapping[str, float]) -> float:
    """Number of update pulses."""
    return sum(activity[name] for name in COUNTERS if name.startswith("pulses"))


def switched_bounds(
    activity: Mapping[str, float], device: Device, tick_s: float
) -> tuple[float, float]:
    """Least and most energy, joules, of the pulses that switched their cells: the cell is in AP, or
    in P, for the whole pulse."""
    count = checked(activity)
    seconds = (count["ticks_p_switched"] + count["ticks_ap_switched"]) * tick_s
    p_w, ap_w = pulse_w(device)
    return seconds * ap_w, seconds * p_w


def operations(
    activity: Mapping[str, float], array: ArrayConfig, used: Mapping[str, float] | None = None
) -> dict[str, dict[str, float]]:
    """Operations by phase, ``all`` and ``done``.

    Forward and backward: a synapse has two operations, multiplication and addition. Only ``all``
    includes those that a zero gates off, as published figures usually do. Backward ``all`` is not
    known from the counters. Update: ``all`` counts each synapse of the columns once, ``done`` each
    pulse, divided by the cells of a synapse. ``all`` counts only the share ``used`` of the
    synapses, see ``golden.energy.usage``.
    """
    count, share = checked(activity), {"forward": 1.0, "update": 1.0} | dict(used or {})
    return {
        "forward": {
            "all": 2 * count["forward_conversions"] * array.rows * share["forward"],
            "done": 2 * count["forward_products"],
        },
        "backward": {"done": 2 * count["backward_products"]},
        "update": {
            "all": count["columns_updated"] * array.rows * share["update"],
            "done": pulse_count(count) / array.cells,
        },
    }


def efficiency(
    activity: Mapping[str, float], energies: Energies, array: ArrayConfig,
    used: Mapping[str, float] | None = None,
) -> dict[str, dict[str, dict[str, float]]]:  # fmt: skip
    """Operations per joule by phase, "array" or "periphery" (included), and "all" or "done".

    Phases without energy or operations are left out.
    """
    result: dict[str, dict[str, dict[str, float]]] = {}
    for phase, counts in operations(activity, array, used).items():
        for accounting, periphery in (("array", False), ("periphery", True)):
            joules = total(energies, phase, periphery=periphery)
            if joules and any(counts.values()):
                figures = {which: number / joules for which, number in counts.items()}
                result.setdefault(phase, {})[accounting] = figures
    return result


# --- without a run ---


def expected_forward(
    array: ArrayConfig, zero_inputs: float, zero_weights: float, weak: float = 1.0
) -> dict[str, float]:
    """Expected activity of one vector's FORWARD on the whole array.

    Parameters
    ----------
    zero_inputs, zero_weights : float
        Shares of zeros, independent of each other; binary synapses have no zero weights.
    weak : float
        Share of the zero weights that are weak, (P, P); the others are (AP, AP). After training
        almost all are weak.

    Raises
    ------
    TypeError, ValueError
        If a share is not a number from 0 to 1, or ``zero_weights`` is not 0 for binary synapses.
    """
    zero_inputs = checks.real("zero_inputs", zero_inputs, 0.0, 1.0)
    most = 1.0 if array.synapse == "ternary" else 0.0
    zero_weights = checks.real("zero_weights", zero_weights, 0.0, most)
    weak = checks.real("weak", weak, 0.0, 1.0)
    drives = array.rows * (1 - zero_inputs)
    driven = drives * array.cols
    # A non-zero synapse has as many cells in P as in AP; a binary one has them on average.
    in_p = (1 - zero_weights) / 2 + zero_weights * weak
    return dict.fromkeys(COUNTERS, 0.0) | {
        "forward_conversions": float(array.cols),
        "forward_drives": drives,
        "forward_products": driven * (1 - zero_weights),
        "forward_cells_p": driven * array.cells * in_p,
        "forward_cells_ap": driven * array.cells * (1 - in_p),
    }


def timing(
    device: Device,
    array: ArrayConfig,
    costs: Costs,
    pulse_s: float,
    sharing: Sequence[int],
    *,
    exact: bool = False,
) -> list[dict[str, float]]:
    """Latency and throughput by the number of columns that share a converter.

    A converter handles its columns (backward: its rows, once for each magnitude bit) one after the
    other. Each takes a read and then a conversion, without overlap. An update pulses each column up
    and then down, ``pulse_s`` each; the exact rule reads the column first. Updates do not depend on
    the sharing. A column takes as long as its longest pulses: a mean ``pulse_s`` gives a lower
    limit of the time.

    Returns
    -------
    list of dict
        For each entry of ``sharing``: ``sharing``, ``converters``, ``<phase>_s`` (time of one
        vector, or of the update of all columns) and ``<phase>_ops_per_s`` with the operations
        ``all`` of ``operations``.

    Raises
    ------
    TypeError, ValueError
        If ``pulse_s`` is not a positive number, or ``sharing`` not of 1 to ``array.cols``.
    """
    pulse_s = checks.real("pulse_s", pulse_s, 0.0)
    if not pulse_s:
        raise ValueError("pulse_s must be positive, not 0")
    step_s = device.t_read_s + costs.adc_s
    synapses = array.rows * array.cols
    result = []
    for columns in sharing:
        columns = checks.integer("sharing", columns, 1, array.cols)
        converters = -(-array.cols // columns)
        seconds = {
            "forward": columns * step_s,
            "backward": (array.error_bits - 1) * -(-array.rows // converters) * step_s,
            "update": array.cols * (2 * pulse_s + exact * step_s),
        }
        row: dict[str, float] = {"sharing": columns, "converters": converters}
        for phase, latency in seconds.items():
            row[f"{phase}_s"] = latency
            row[f"{phase}_ops_per_s"] = synapses * (1 if phase == "update" else 2) / latency
        result.append(row)
    return result


def published(device: Device, array: ArrayConfig) -> dict[str, float]:
    """Quantities that the published efficiencies imply, with the operations ``all``.

    Forward, with every input driven and half of the cells in P: the energy of a synapse (two
    operations) and that of its cells; the energy left for a column's conversion and everything
    else, and the converter's figure of merit if it takes all of this; the read time if the cells
    take all of the energy. Update, with a pulse on every cell: the energy, and the mean pulse
    length for it, in seconds and as a share of the full pulse.
    """
    synapse_j = 2 / PUBLISHED["forward"]
    cells_j = array.cells * sum(read_j(device)) / 2
    column_j = (synapse_j - cells_j) * array.rows
    update_j = 1 / PUBLISHED["update"]
    pulse_s = update_j / (array.cells * sum(pulse_w(device)) / 2)
    return {
        "forward_synapse_j": synapse_j,
        "forward_cells_j": cells_j,
        "forward_column_j": column_j,
        "forward_adc_j_per_step": column_j / 2**array.sum_bits,
        "forward_read_s": device.t_read_s * synapse_j / cells_j,
        "update_j": update_j,
        "update_pulse_s": pulse_s,
        "update_pulse_share": pulse_s / device.t_write_s,
    }

"""Non-idealities of real arrays: settings, all off by default, and the spread of cells.

Spread between cells and stuck cells are *variants* in the array (see ``golden.config``). Cells that
switch almost alike are in a group; the group's thresholds are the mean over many sampled cells.
Stuck cells do not switch. Noise from pulse to pulse is assumed independent from cell to cell, so
that only its mean matters: a cell that switches with a random probability switches like one with
the mean probability.
Table and variants therefore contain all of switching under spread, stuck cells and noise, for
golden model and hardware alike. The effect of converters and wires on the sums is in
``golden.array.analog``.
"""

import dataclasses
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from golden import checks
from golden.codes import AP_TO_P, P_TO_AP
from golden.config import MOST_ADC_BITS, ArrayConfig
from golden.device import switching
from golden.device.curve import Curve
from golden.device.junction import LEAST_K, Device, highest

VARIANT_BITS = 4  # with spread: 15 groups, and the stuck cells
_CELLS_PER_GROUP = 128
_AMPLITUDES, _LENGTHS = 9, 7  # nodes of the Gauss-Hermite quadrature over noise


@dataclass(frozen=True, kw_only=True)
class NonIdealities:
    """Departures of the array from the ideal one; the defaults are none.

    Parameters
    ----------
    resistance_spread, critical_current_spread, stability_spread : float
        Device to device: standard deviation of ln R (both states), ln Ic0 and ln Delta of a cell,
        which is the relative spread if small.
    amplitude_noise : float
        Cycle to cycle: standard deviation of a pulse's voltage, relative.
    length_noise_s : float
        Cycle to cycle: standard deviation of a pulse's length, seconds.
    stuck_p, stuck_ap : float
        Share of the cells that are stuck in P, or in AP.
    temperature_k : float
        Temperature of operation; 0 is the device's, for which pulses are designed.
    read_disturb : bool
        Whether reads can switch cells.
    retention_s, retention_k : float
        Time between training and test, seconds, and the temperature then; 0 is that of operation.
    adc_bits, backward_adc_bits : int
        Resolution of the converters of column and of row sums, 2 to 32; 0 is an exact sum.
    adc_range, backward_adc_range : float
        Full scale of the converters, in products of two ones, and in products of one and the
        largest error; 0 is the largest possible sum.
    adc_noise, backward_adc_noise : float
        Input-referred noise of the converters, standard deviation in the same units.
    wire_ohm : float
        Resistance of a column's or row's wire from one cell to the next.

    Raises
    ------
    TypeError, ValueError
        If a parameter is not of its type or outside its range.
    """

    resistance_spread: float = 0.0
    critical_current_spread: float = 0.0
    stability_spread: float = 0.0
    amplitude_noise: float = 0.0
    length_noise_s: float = 0.0
    stuck_p: float = 0.0
    stuck_ap: float = 0.0
    temperature_k: float = 0.0
    read_disturb: bool = False
    retention_s: float = 0.0
    retention_k: float = 0.0
    adc_bits: int = 0
    adc_range: float = 0.0
    adc_noise: float = 0.0
    backward_adc_bits: int = 0
    backward_adc_range: float = 0.0
    backward_adc_noise: float = 0.0
    wire_ohm: float = 0.0

    def __post_init__(self) -> None:
        for field in dataclasses.fields(self):
            value = getattr(self, field.name)
            if field.type is bool:
                value = checks.boolean(field.name, value)
            elif field.type is int:
                value = checks.integer(field.name, value, 0, MOST_ADC_BITS)
                if value == 1:
                    raise ValueError(f"{field.name} must be 0 (exact) or at least 2, not 1")
            else:
                value = checks.real(field.name, value, 0.0, _HIGHEST[field.name])
                least = _LEAST.get(field.name, 0.0)
                if 0 < value < least:
                    raise ValueError(f"{field.name} must be 0 or at least {least:g}, not {value:g}")
            checks.keep(self, **{field.name: value})
        for name, needed in (
            ("adc_range", "adc_bits"),
            ("backward_adc_range", "backward_adc_bits"),
            ("retention_k", "retention_s"),
        ):
            if getattr(self, name) and not getattr(self, needed):
                raise ValueError(f"{name} = {getattr(self, name):g} has no effect without {needed}")
        if self.stuck_p + self.stuck_ap > 1:
            raise ValueError(
                f"stuck_p + stuck_ap must be at most 1, not {self.stuck_p + self.stuck_ap:g}"
            )

    @property
    def spread(self) -> tuple[float, float, float]:
        """Standard deviations of ln R, ln Ic0 and ln Delta."""
        return self.resistance_spread, self.critical_current_spread, self.stability_spread

    @property
    def analog(self) -> bool:
        """Whether sums are analog: with converters, noise or wires. Unequal resistances alone leave
        sums exact; converters are then assumed to resolve every product."""
        return any(getattr(self, name) for name in _ANALOG)

    @property
    def in_table(self) -> tuple[str, ...]:
        """Names of the settings that change the table's probabilities."""
        names = (*_SPREADS, "amplitude_noise", "length_noise_s", "temperature_k")
        return tuple(name for name in names if getattr(self, name))

    @property
    def beside_table(self) -> tuple[str, ...]:
        """Names of the settings that need a device even with a table of probabilities."""
        names = (*_ANALOG, "read_disturb", "retention_s")
        return tuple(name for name in names if getattr(self, name))

    @property
    def physical(self) -> bool:
        """Whether any setting needs the device's physics, beyond a table."""
        return bool(self.beside_table or self.in_table)

    def array(self, config: ArrayConfig) -> ArrayConfig:
        """``config`` with the variants that the settings need."""
        bits = config.variant_bits
        if any(self.spread):
            bits = VARIANT_BITS
        elif self.stuck_p or self.stuck_ap:
            bits = max(bits, 1)
        return dataclasses.replace(config, variant_bits=bits)


_SPREADS = ("resistance_spread", "critical_current_spread", "stability_spread")
LARGEST_SUM = 2.0**30  # largest sum, for any noise
# Shares, and limits far beyond any array: a value above was given in another unit.
_HIGHEST = {
    **dict.fromkeys((*_SPREADS, "amplitude_noise", "stuck_p", "stuck_ap"), 1.0),
    "length_noise_s": highest("length_noise_s"),
    "temperature_k": highest("temperature_k"),
    "retention_s": 1e18,
    "retention_k": highest("retention_k"),
    "adc_range": LARGEST_SUM,
    "adc_noise": LARGEST_SUM,
    "backward_adc_range": LARGEST_SUM,
    "backward_adc_noise": LARGEST_SUM,
    "wire_ohm": 1e6,
}
# Least values other than 0: single precision must resolve the levels of a range.
_LEAST = {
    **dict.fromkeys(("adc_range", "backward_adc_range"), 1e-6),
    **dict.fromkeys(("temperature_k", "retention_k"), LEAST_K),
}
_ANALOG = ("adc_bits", "adc_noise", "backward_adc_bits", "backward_adc_noise", "wire_ohm")


def operating(device: Device, nonideal: NonIdealities) -> Device:
    """The device at the temperature of operation."""
    return at(device, "temperature_k", nonideal.temperature_k)


def at(device: Device, name: str, kelvin: float) -> Device:
    """The device at the temperature of setting ``name``; 0 is the device's own.

    Raises
    ------
    ValueError
        If the device has no magnetisation or no barrier at this temperature; the message names the
        setting.
    """
    if not kelvin:
        return device
    try:
        return device.at(kelvin)
    except ValueError as error:
        raise ValueError(f"{name} = {kelvin:g} is too hot: {error}") from None


def factors(
    nonideal: NonIdealities, shape: tuple[int, ...], rng: np.random.Generator
) -> np.ndarray:
    """Factors of cells on R, Ic0 and Delta, log-normal with mean 1: float64 (3, *shape)."""
    sigma = np.array(nonideal.spread).reshape(3, *[1] * len(shape))
    return np.exp(sigma * rng.standard_normal((3, *shape)) - sigma**2 / 2)


class Groups:
    """Groups of cells of one device that switch almost alike.

    Cells are ordered by the exponent ln(-ln P), to first order in their factors, at the pulse that
    switches half of the nominal cells, averaged over the directions.

    Parameters
    ----------
    curve : Curve
    nonideal : NonIdealities
    count : int
        Number of groups, each with the same share of cells.
    seed : int
        Seed of the sampled cells.
    """

    def __init__(self, curve: Curve, nonideal: NonIdealities, count: int, seed: int):
        self._curve, self._nonideal = curve, nonideal
        device = operating(curve.device, nonideal)
        self._slopes = np.zeros(3)
        for direction in (AP_TO_P, P_TO_AP):
            half = curve.length(direction, np.array(0.5), device.t_write_s)
            for i in range(3):
                ends = []
                for step in (-1e-3, 1e-3):
                    r, ic, delta = np.exp(step * np.eye(3)[i])
                    drive = switching.drive(
                        device, direction, resistance=r, critical_current=ic, stability=delta
                    )
                    ends.append(switching.exponent(drive, half))
                self._slopes[i] += float(ends[1] - ends[0])
        rng = np.random.default_rng(seed)
        cells = factors(nonideal, (count * _CELLS_PER_GROUP,), rng)
        score = self._score(cells)
        order = np.argsort(score)
        self._edges = score[order][_CELLS_PER_GROUP::_CELLS_PER_GROUP]
        self._cells = cells[:, order].reshape(3, count, _CELLS_PER_GROUP)

    def _score(self, cells: np.ndarray) -> np.ndarray:
        return np.tensordot(self._slopes, np.log(cells), axes=1)

    def of(self, cells: np.ndarray) -> np.ndarray:
        """Groups of cells with factors (3, ...)."""
        return np.searchsorted(self._edges, self._score(cells), side="right")

    @property
    def stability(self) -> np.ndarray:
        """Factors on Delta of the sampled cells, (groups, cells)."""
        factors: np.ndarray = self._cells[2]
        return factors

    def probability(self, direction: int, pulse_s: np.ndarray) -> np.ndarray:
        """Mean switching probability of each group, (groups, n), for lengths (n,) in seconds."""
        means = [
            actual(self._curve, self._nonideal, self._cells[:, group])(direction, pulse_s)
            for group in range(self._cells.shape[1])
        ]
        return np.stack(means)


def actual(
    curve: Curve, nonideal: NonIdealities, cells: np.ndarray | None = None
) -> Callable[[int, np.ndarray], np.ndarray]:
    """Switching probability with temperature and noise, a function of direction and lengths (m,).

    It is averaged over ``cells`` with factors (3, n), by default one nominal cell.
    """
    device = operating(curve.device, nonideal)
    volts, volt_weights = _gauss(_AMPLITUDES, nonideal.amplitude_noise)
    delays, delay_weights = _gauss(_LENGTHS, nonideal.length_noise_s)
    resistance, critical_current, stability = np.ones((3, 1)) if cells is None else cells

    def probability(direction: int, pulse_s: np.ndarray) -> np.ndarray:
        drive = switching.drive(
            device,
            direction,
            (device.v_write_v * np.maximum(1 + volts, 0.0))[:, None],
            resistance=resistance,
            critical_current=critical_current,
            stability=stability,
        )
        # Axes: length, noise of length, amplitude, cell.
        lengths = np.maximum(pulse_s[:, None] + delays, 0.0)[..., None, None]
        p = curve.probability(direction, np.where(pulse_s[:, None, None, None] > 0, lengths, 0.0),
                              drive).mean(axis=-1)  # fmt: skip
        mean: np.ndarray = p @ volt_weights @ delay_weights
        return mean

    return probability


def _gauss(count: int, sigma: float) -> tuple[np.ndarray, np.ndarray]:
    """Nodes and weights of the mean over a normal distribution of mean 0."""
    if not sigma:
        return np.zeros(1), np.ones(1)
    nodes, weights = np.polynomial.hermite_e.hermegauss(count)
    return sigma * nodes, weights / weights.sum()

"""Analog reads: what wires, unequal cells and converters make of a sum.

The array's sums are exact by default. With any of this they are computed from conductances: the
current of a column is sum_j u_j V (G1 - G2)_ij, in units of V (G_on - G_off) (a binary cell is read
against the mean of both states), less what the wire takes, plus noise, rounded by the converter.

The drop along the wires is kept to first order. Cell j of a column, counted from the converter,
sees R_w sum_k min(j, k) I_k less than the row's voltage (its wire shares min(j, k) segments with
cell k's); in the sum this multiplies the current of cell k by 1 - R_w sum_j min(j, k) (G1 + G2)_j.
The same holds for rows in a backward read. Valid while the loss is small against 1; the model clips
it there.
"""

import numpy as np

from golden import checks
from golden.config import MOST_ADC_BITS, ArrayConfig
from golden.device.junction import Device
from golden.device.nonideal import LARGEST_SUM, NonIdealities


def converted(
    sums: np.ndarray, unit: float, largest: float, bits: int, full_scale: float
) -> np.ndarray:
    """What a converter makes of sums, int32 of the same shape.

    Its 2^bits - 1 levels lie evenly from minus to plus the full scale, where it saturates; the
    level is told in whole units.

    Parameters
    ----------
    sums : ndarray, float
        In least units of the exact sum.
    unit : float
        Of ``full_scale`` and ``largest``, in those least units.
    largest : float
        The full scale if ``full_scale`` is 0.
    bits : int
        0 rounds to the exact sum's own units, without end.
    """
    bits = checks.integer("bits", bits, 0, MOST_ADC_BITS)
    if bits:
        top = (1 << (bits - 1)) - 1
        step = (full_scale or largest) * unit / top
        sums = np.clip(np.rint(sums / step), -top, top) * step
    whole: np.ndarray = np.rint(np.clip(sums, -LARGEST_SUM, LARGEST_SUM)).astype(np.int32)
    return whole


class AnalogRead:
    """The analog side of one array.

    Parameters
    ----------
    config : ArrayConfig
    device : Device
        At the temperature of operation.
    nonideal : NonIdealities
    resistance : ndarray of shape (cols, rows, cells), float
        Factors on the cells' resistances.
    rng : numpy.random.Generator
        Of the converters' noise.
    """

    def __init__(
        self,
        config: ArrayConfig,
        device: Device,
        nonideal: NonIdealities,
        resistance: np.ndarray,
        rng: np.random.Generator,
    ):
        self._config, self._nonideal, self._rng = config, nonideal, rng
        on, off = device.resistances_ohm(device.v_read_v)
        access = device.r_access_ohm
        self._on, self._off = (1 / (access + r * resistance) for r in (on, off))
        self._high, self._low = float(1 / (access + on)), float(1 / (access + off))

    def weights(self, bits: np.ndarray, first: int, *, forward: bool) -> np.ndarray:
        """What stands in the place of the weights, float32 (count, rows), for cells ``bits`` of
        shape (count, rows, cells) from column ``first`` on."""
        columns = slice(first, first + len(bits))
        g = np.where(bits, self._on[columns], self._off[columns])
        if self._config.cells == 2:
            weights = (g[..., 0] - g[..., 1]) / (self._high - self._low)
        else:
            weights = (2 * g[..., 0] - self._high - self._low) / (self._high - self._low)
        if self._nonideal.wire_ohm:
            # sum_j min(j, k) G_j is the running sum from the converter of all that lies beyond.
            axis = 1 if forward else 0
            total = g.sum(axis=-1)
            beyond = np.flip(np.cumsum(np.flip(total, axis), axis), axis)
            lost = self._nonideal.wire_ohm * np.cumsum(beyond, axis)
            weights *= np.maximum(1 - lost, 0)
        single: np.ndarray = weights.astype(np.float32)
        return single

    def forward(self, bits: np.ndarray, u: np.ndarray, first: int) -> np.ndarray:
        """Column sums (batch, count), int32, of u (batch, rows)."""
        nonideal = self._nonideal
        sums = u.astype(np.float32) @ self.weights(bits, first, forward=True).T
        self._disturb(sums, nonideal.adc_noise)
        return converted(sums, 1, self._config.rows, nonideal.adc_bits, nonideal.adc_range)

    def backward(self, bits: np.ndarray, d: np.ndarray, first: int) -> np.ndarray:
        """Row sums (batch, rows), int32, of errors d (batch, count)."""
        nonideal, unit = self._nonideal, self._config.max_error
        sums = d.astype(np.float32) @ self.weights(bits, first, forward=False)
        self._disturb(sums, nonideal.backward_adc_noise * unit)
        bits_, range_ = nonideal.backward_adc_bits, nonideal.backward_adc_range
        return converted(sums, unit, self._config.cols, bits_, range_)

    def _disturb(self, sums: np.ndarray, sigma: float) -> None:
        if sigma:
            sums += np.float32(sigma) * self._rng.standard_normal(sums.shape, np.float32)

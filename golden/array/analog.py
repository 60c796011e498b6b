"""Analog reads: the effect of wires, unequal cells and converters on a sum.

The array's sums are exact by default. Analog sums are computed from conductances: the current of a
column is sum_j u_j V (G1 - G2)_ij, in units of V (G_on - G_off). A binary cell is read against the
mean of both states. The wire's loss is subtracted, noise is added, and the converter rounds.

The drop along the wires is kept to first order. Cells are counted from the converter. The wires of
cells j and k share min(j, k) segments, so that the voltage of cell j is lower than the row's by
R_w sum_k min(j, k) I_k. In the sum this multiplies the current of cell k by
1 - R_w sum_j min(j, k) (G1 + G2)_j. The same holds for rows in a backward read. The approximation
is valid while the loss is much smaller than 1; the model limits it to 1.
"""

import numpy as np

from golden import checks
from golden.config import MOST_ADC_BITS, ArrayConfig
from golden.device.junction import Device
from golden.device.nonideal import LARGEST_SUM, NonIdealities


def converted(
    sums: np.ndarray, unit: float, largest: float, bits: int, full_scale: float
) -> np.ndarray:
    """Sums after a converter.

    Its 2^bits - 1 levels lie evenly from minus to plus the full scale, where it saturates. The
    result is the level, rounded to whole units.

    Parameters
    ----------
    sums : ndarray, float
        In units of the exact sum's lowest bit.
    unit : float
        Unit of ``full_scale`` and ``largest``, in units of the exact sum's lowest bit.
    largest : float
        The full scale if ``full_scale`` is 0.
    bits : int
        Resolution; 0 rounds to whole units without a full scale.
    full_scale : float

    Returns
    -------
    ndarray, int32
        Shape of ``sums``.
    """
    bits = checks.integer("bits", bits, 0, MOST_ADC_BITS)
    if bits:
        top = (1 << (bits - 1)) - 1
        step = (full_scale or largest) * unit / top
        sums = np.clip(np.rint(sums / step), -top, top) * step
    whole: np.ndarray = np.rint(np.clip(sums, -LARGEST_SUM, LARGEST_SUM)).astype(np.int32)
    return whole


class AnalogRead:
    """Analog reads of one array.

    Parameters
    ----------
    config : ArrayConfig
    device : Device
        At the temperature of operation.
    nonideal : NonIdealities
        Wires, converters and noise.
    resistance : ndarray of shape (cols, rows, cells), float
        Factors on the cells' resistances.
    rng : numpy.random.Generator
        Draws the converters' noise.
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
        """Analog weights, float32 (count, rows), for cells ``bits`` of shape (count, rows, cells)
        from column ``first`` on."""
        columns = slice(first, first + len(bits))
        g = np.where(bits, self._on[columns], self._off[columns])
        if self._config.cells == 2:
            weights = (g[..., 0] - g[..., 1]) / (self._high - self._low)
        else:
            weights = (2 * g[..., 0] - self._high - self._low) / (self._high - self._low)
        if self._nonideal.wire_ohm:
            # sum_j min(j, k) G_j: the sum over the segments up to cell k of all G beyond each.
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

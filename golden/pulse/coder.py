"""The pulse coder: from weight changes to whole steps and pulse codes."""

import numpy as np

from golden import checks
from golden.config import ArrayConfig
from golden.pulse.table import GXNOR_M, LEAST_M, MOST_M, ProbabilityTable


def encode(
    change: np.ndarray,
    table: ProbabilityTable,
    config: ArrayConfig,
    rng: np.random.Generator,
    m: float = GXNOR_M,
) -> tuple[np.ndarray, np.ndarray]:
    """Split real-valued weight changes into whole steps and pulse codes.

    With dz = ``config.step``: kappa = fix(change / dz) and nu = rem(change, dz). The code is
    rounded at random between the two neighbours of tau(nu) = tanh(m |nu| / dz) in ``table``, so
    that the expected switching probability is tau(nu). For a table ``by_length`` it is rounded
    between the neighbours of |nu| / dz, so that the expected length is this part of the full
    pulse's. Changes are clipped to +-2. The synapse itself keeps the weight in [-1, 1] (see
    ``golden.array.cell``).

    Parameters
    ----------
    change : ndarray of shape (cols, rows), float
        dW, the optimiser's step.
    table : ProbabilityTable
    config : ArrayConfig
    rng : numpy.random.Generator
        Rounds the codes.
    m : float
        Steepness.

    Returns
    -------
    kappa, code : ndarray of shape (cols, rows), int8 and int16
        Both have the sign of the change.

    Raises
    ------
    TypeError, ValueError
        If ``change`` is not a finite matrix, ``m`` is not a number in 0.01 to 1e6, or the number of
        codes in ``table`` is not ``config.codes``.
    """
    m = checks.real("m", m, LEAST_M, MOST_M)
    if len(table.thresholds) != config.codes:
        raise ValueError(f"table must have {config.codes} codes, not {len(table.thresholds)}")
    change = checks.finite("change", change, 2)
    steps = np.clip(change, -2.0, 2.0) / config.step
    size = np.abs(steps)
    whole = np.floor(size)
    low, share = table.between(size - whole, m)
    code = low + (rng.random(low.shape, dtype=np.float32) < share)
    sign = np.sign(change).astype(np.int8)
    return whole.astype(np.int8) * sign, code.astype(np.int16) * sign

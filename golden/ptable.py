"""The probability table that golden model and hardware share, and the pulse coder that uses it.

One row a pulse code; for each direction a pulse length and an integer threshold. A cell switches
iff draw < threshold, with the draw uniform in K bits: threshold 2^K is certainty.
"""

import functools
from dataclasses import dataclass, field

import numpy as np

from golden import checks
from golden.config import ArrayConfig

AP_TO_P, P_TO_AP = 0, 1

GXNOR_M = 3.0  # steepness m of tau(nu) = tanh(m |nu| / dz), GXNOR's published code
CODES_PER_OCTAVE = 2
_BUCKETS = 1 << 16  # of equal width in [0, 1]: a power of two, so that scaling is exact
FULL_PULSE_S = 2e-9  # T_up of the default device (assumed)


@dataclass(frozen=True, eq=False)
class ProbabilityTable:
    """Switching thresholds and pulse lengths by pulse code.

    Parameters
    ----------
    thresholds : ndarray of shape (codes, 2), integer in [0, 2^draw_bits]
        Column ``AP_TO_P`` and column ``P_TO_AP``; code 0 is (0, 0) and neither column falls.
    pulse_s : ndarray of shape (codes, 2), float
        Pulse lengths in seconds.
    draw_bits : int
        K.

    Raises
    ------
    TypeError, ValueError
        If a shape, a value or the order of the thresholds is wrong.
    """

    thresholds: np.ndarray
    pulse_s: np.ndarray
    draw_bits: int
    probabilities: np.ndarray = field(init=False)  # mean of both directions, shape (codes,)

    def __post_init__(self) -> None:
        checks.integer("draw_bits", self.draw_bits, 1, 32)
        thresholds = checks.integers("thresholds", self.thresholds, (None, 2), 0, self.scale)
        pulse_s = checks.finite("pulse_s", self.pulse_s, 2)
        if len(thresholds) < 2:
            raise ValueError(f"thresholds must hold at least 2 codes, not {len(thresholds)}")
        if thresholds[0].any():
            raise ValueError(f"thresholds[0] must be zero, not {thresholds[0].tolist()}")
        if (np.diff(thresholds.astype(np.int64), axis=0) < 0).any():
            raise ValueError("thresholds must not fall from one code to the next")
        if pulse_s.shape != thresholds.shape or (pulse_s < 0).any():
            raise ValueError(
                f"pulse_s must be non-negative, of shape {thresholds.shape}, not {pulse_s.shape}"
            )
        object.__setattr__(self, "thresholds", thresholds.astype(np.int64))
        object.__setattr__(self, "pulse_s", pulse_s.astype(np.float64))
        object.__setattr__(self, "probabilities", self.thresholds.mean(axis=1) / self.scale)

    @property
    def scale(self) -> int:
        """The threshold of certainty, 2^K."""
        return 1 << self.draw_bits

    def floor(self, probability: np.ndarray) -> np.ndarray:
        """Highest codes whose mean probability is not above ``probability``, floats in [0, 1].

        What ``numpy.searchsorted`` would find, from a first guess by table: a few times faster.
        """
        levels, guess = self._buckets(probability.dtype)
        code = guess[(probability * _BUCKETS).astype(np.int32)]
        while (above := probability >= levels[1:][code]).any():
            code = code + above
        return code

    @functools.lru_cache(maxsize=8)  # noqa: B019  (tables are few and small)
    def _buckets(self, dtype: np.dtype) -> tuple[np.ndarray, np.ndarray]:
        """Probabilities by code and then infinity, and the code at the foot of each bucket."""
        levels = np.append(self.probabilities, np.inf).astype(dtype)
        feet = np.arange(_BUCKETS + 1, dtype=dtype) / _BUCKETS
        return levels, (np.searchsorted(levels, feet, side="right") - 1).astype(np.uint8)


def tanh_table(config: ArrayConfig, m: float = GXNOR_M) -> ProbabilityTable:
    """The ideal table: P = tanh(m nu), codes spaced logarithmically, two an octave up to nu = 1.

    The highest code is the full pulse, P = 1. Source: GXNOR-Net, Deng et al., Neural Networks
    100, 2018, with m = 3 as in its published code.

    Raises
    ------
    TypeError, ValueError
        If ``m`` is not a finite number of at least 0.01.
    """
    m = checks.real("m", m, 0.01)
    scale = 1 << config.draw_bits
    below = np.arange(config.codes - 3, -1, -1)  # steps under nu = 1, codes 1 ... codes - 2
    nu = 2.0 ** (-below / CODES_PER_OCTAVE)
    thresholds = np.zeros(config.codes, np.int64)
    # Where K bits cannot tell two codes apart, let the thresholds still rise.
    thresholds[1:-1] = np.maximum(np.rint(scale * np.tanh(m * nu)), np.arange(1, config.codes - 1))
    thresholds[-1] = scale
    pulse_s = FULL_PULSE_S * np.concatenate(([0.0], nu, [1.0]))
    return ProbabilityTable(
        np.minimum(np.stack([thresholds] * 2, axis=1), scale),
        np.stack([pulse_s] * 2, axis=1),
        config.draw_bits,
    )


def encode(
    change: np.ndarray,
    table: ProbabilityTable,
    config: ArrayConfig,
    rng: np.random.Generator,
    m: float = GXNOR_M,
) -> tuple[np.ndarray, np.ndarray]:
    """Split real-valued weight changes into whole steps and pulse codes.

    With dz = ``config.step``: kappa = fix(change / dz), nu = rem(change, dz), and the code is
    rounded stochastically between the neighbours of tau(nu) = tanh(m |nu| / dz) in ``table``, so
    that the expected switching probability is tau(nu). The bound of the weight to [-1, 1] is the
    synapse's own (see ``golden.cell``); a change beyond +-2 is cut there.

    Parameters
    ----------
    change : ndarray of shape (cols, rows), float
        dW, the optimiser's step.

    Returns
    -------
    kappa, code : ndarray of shape (cols, rows), int8 and int16
        Both carry the sign of the change.

    Raises
    ------
    TypeError, ValueError
        If ``change`` is not a finite matrix, ``m`` not a finite number of at least 0.01, or
        ``table`` has not ``config.codes`` codes.
    """
    m = checks.real("m", m, 0.01)
    if len(table.thresholds) != config.codes:
        raise ValueError(f"table must have {config.codes} codes, not {len(table.thresholds)}")
    change = checks.finite("change", change, 2)
    steps = np.clip(change, -2.0, 2.0) / config.step
    size = np.abs(steps)
    whole = np.floor(size)
    target = np.tanh(m * (size - whole))
    low = np.minimum(table.floor(target), config.codes - 2)
    p = table.probabilities.astype(target.dtype)
    gap = p[1:] - p[:-1]
    # Equal neighbours (a saturated table): stay at the lower one.
    share = (target - p[low]) / np.where(gap > 0, gap, 1)[low]
    code = low + (rng.random(target.shape, dtype=np.float32) < share)
    sign = np.sign(change).astype(np.int8)
    return whole.astype(np.int8) * sign, code.astype(np.int16) * sign

"""The probability table that golden model and hardware share.

Each row belongs to a pulse code. It has a pulse length and an integer threshold for each direction.
A cell switches iff draw < threshold. The draw is uniform in K bits: threshold 2^K is certainty.
"""

import functools
from dataclasses import dataclass, field

import numpy as np

from golden import checks
from golden.config import ArrayConfig

LEAST_M, MOST_M = 0.01, 1e6  # limits of the steepness m
GXNOR_M = 3.0  # steepness m of tau(nu) = tanh(m |nu| / dz), GXNOR's published code
CODES_PER_OCTAVE = 2
_BUCKETS = 1 << 16  # buckets of equal width in [0, 1]: a power of two makes scaling exact
FULL_PULSE_S = 2e-9  # T_up of the default device (assumed)
FULL_PULSE_TICKS = 2000
TICK_BITS = 16  # width of a pulse length in ticks


@dataclass(frozen=True, eq=False)
class ProbabilityTable:
    """Switching thresholds and pulse lengths by pulse code.

    Parameters
    ----------
    thresholds : ndarray of shape (codes, 2), integer in [0, 2^draw_bits]
        Column ``AP_TO_P`` and column ``P_TO_AP``; code 0 is (0, 0) and neither column falls.
    ticks : ndarray of shape (codes, 2), integer in [0, 2^TICK_BITS - 1]
        Pulse lengths by direction, in ticks; code 0, no pulse, is (0, 0).
    tick_s : float
        A tick in seconds, positive.
    draw_bits : int
        K.
    by_length : bool
        The linear coder: nu is coded by the pulse's length, not by its probability (see
        ``golden.pulse.coder.encode``). The mean length of both directions must not fall from code
        to code and must end above 0.
    variants : ndarray of shape (variants, codes, 2), integer in [0, 2^draw_bits], optional
        Thresholds of each group of cells that switch alike (device-to-device spread). The rules for
        ``thresholds`` hold.

    Raises
    ------
    TypeError, ValueError
        If a shape, a value or the order of thresholds or lengths is wrong.
    """

    thresholds: np.ndarray
    ticks: np.ndarray
    tick_s: float
    draw_bits: int
    by_length: bool = False
    variants: np.ndarray | None = None
    probabilities: np.ndarray = field(init=False)  # mean of both directions, shape (codes,)
    levels: np.ndarray = field(init=False)  # the coder rounds between them, shape (codes,)

    def __post_init__(self) -> None:
        checks.keep(self, draw_bits=checks.integer("draw_bits", self.draw_bits, 1, 32))
        checks.keep(self, by_length=checks.boolean("by_length", self.by_length))
        thresholds = checks.integers("thresholds", self.thresholds, (None, 2), 0, self.scale)
        if len(thresholds) < 2:
            raise ValueError(f"thresholds must hold at least 2 codes, not {len(thresholds)}")
        thresholds = self._rising("thresholds", thresholds)
        ticks = checks.integers("ticks", self.ticks, thresholds.shape, 0, (1 << TICK_BITS) - 1)
        ticks = ticks.astype(np.int64)
        if ticks[0].any():
            raise ValueError(f"ticks[0] must be zero, not {ticks[0].tolist()}")
        tick_s = checks.real("tick_s", self.tick_s, 0)
        if not tick_s:
            raise ValueError("tick_s must be positive, not 0")
        probabilities = levels = thresholds.mean(axis=1) / self.scale
        if self.by_length:
            mean = ticks.mean(axis=1)
            if (np.diff(mean) < 0).any() or not mean[-1]:
                raise ValueError("ticks must rise from code 0 to the last if by_length, on average")
            levels = mean / mean[-1]
        variants = self.variants
        if variants is not None:
            shape = (None, *thresholds.shape)
            variants = checks.integers("variants", variants, shape, 0, self.scale)
            checks.integer("len(variants)", len(variants), 1)
            variants = np.stack(
                [self._rising(f"variants[{i}]", each) for i, each in enumerate(variants)]
            )
        values = {"thresholds": thresholds, "ticks": ticks, "tick_s": tick_s, "variants": variants}
        for name, value in {**values, "probabilities": probabilities, "levels": levels}.items():
            object.__setattr__(self, name, value)

    @staticmethod
    def _rising(name: str, thresholds: np.ndarray) -> np.ndarray:
        """``thresholds`` of shape (codes, 2) as int64, checked from code to code."""
        thresholds = thresholds.astype(np.int64)
        if thresholds[0].any():
            raise ValueError(f"{name}[0] must be zero, not {thresholds[0].tolist()}")
        if (np.diff(thresholds, axis=0) < 0).any():
            raise ValueError(f"{name} must not fall from one code to the next")
        return thresholds

    @property
    def pulse_s(self) -> np.ndarray:
        """Pulse lengths in seconds, shape (codes, 2)."""
        return self.ticks * self.tick_s

    def arrays(self) -> list[np.ndarray]:
        """All arrays that affect an array with this table."""
        variants = [] if self.variants is None else [self.variants]
        return [self.thresholds, self.ticks, self.levels, *variants]

    @property
    def scale(self) -> int:
        """The threshold of certainty, 2^K."""
        return 1 << self.draw_bits

    def floor(self, target: np.ndarray) -> np.ndarray:
        """Highest codes whose level is not above ``target``, floats in [0, 1].

        The result is that of ``numpy.searchsorted``. It starts with a first guess from buckets,
        which is a few times faster.
        """
        levels, guess = self._buckets(target.dtype)
        code = guess[(target * _BUCKETS).astype(np.int32)]
        while (above := target >= levels[1:][code]).any():
            code = code + above
        return code

    def between(self, nu: np.ndarray, m: float = GXNOR_M) -> tuple[np.ndarray, np.ndarray]:
        """The lower of the two codes between which ``nu`` = |nu| / dz in [0, 1) is rounded, and the
        probability of the upper one."""
        target = nu if self.by_length else np.tanh(m * nu)
        low = np.minimum(self.floor(target), len(self.thresholds) - 2)
        levels = self.levels.astype(target.dtype)
        gap = levels[1:] - levels[:-1]
        # Equal neighbours (a saturated table): the lower one.
        return low, (target - levels[low]) / np.where(gap > 0, gap, 1)[low]

    @functools.lru_cache(maxsize=8)  # noqa: B019  (tables are few and small)
    def _buckets(self, dtype: np.dtype) -> tuple[np.ndarray, np.ndarray]:
        """Levels by code, then infinity; and the code at the lower end of each bucket."""
        levels = np.append(self.levels, np.inf).astype(dtype)
        feet = np.arange(_BUCKETS + 1, dtype=dtype) / _BUCKETS
        return levels, (np.searchsorted(levels, feet, side="right") - 1).astype(np.uint8)


def code_values(codes: int) -> np.ndarray:
    """nu of the codes 1 ... codes - 2, two an octave up to 1, shape (codes - 2,)."""
    codes = checks.integer("codes", codes, 2)
    return 2.0 ** (-np.arange(codes - 3, -1, -1) / CODES_PER_OCTAVE)


def tanh_table(config: ArrayConfig, m: float = GXNOR_M) -> ProbabilityTable:
    """The ideal table: P = tanh(m nu), codes spaced logarithmically, two an octave up to nu = 1.

    The highest code is the full pulse, P = 1, of 2000 ticks of 1 ps. The other lengths are nu times
    this length, in whole ticks. Source: GXNOR-Net, Deng et al., Neural Networks 100, 2018, with
    m = 3 as in its published code.

    Raises
    ------
    TypeError, ValueError
        If ``m`` is not a number in 0.01 to 1e6.
    """
    m = checks.real("m", m, LEAST_M, MOST_M)
    scale = 1 << config.draw_bits
    nu = code_values(config.codes)
    thresholds = np.zeros(config.codes, np.int64)
    # If K bits cannot distinguish two codes, the thresholds rise nevertheless.
    thresholds[1:-1] = np.maximum(np.rint(scale * np.tanh(m * nu)), np.arange(1, config.codes - 1))
    thresholds[-1] = scale
    ticks = np.rint(FULL_PULSE_TICKS * np.concatenate(([0.0], nu, [1.0]))).astype(np.int64)
    return ProbabilityTable(
        np.minimum(np.stack([thresholds] * 2, axis=1), scale),
        np.stack([ticks] * 2, axis=1),
        FULL_PULSE_S / FULL_PULSE_TICKS,
        config.draw_bits,
    )

"""Settings of the PLLs of Lattice's ECP5 and iCE40 FPGAs within the limits of their data sheets.

Frequencies are exact, in hertz. The module does not need Amaranth.

References
----------
ECP5 and ECP5-5G Family Data Sheet, FPGA-DS-02012, sysCLOCK PLL timing; iCE40 UltraPlus Family Data
Sheet, FPGA-DS-02008, sysCLOCK PLL timing; iCE40 sysCLOCK PLL Design and Usage Guide, FPGA-TN-02052.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from fractions import Fraction
from typing import TypeVar

from golden import checks

TOLERANCE = Fraction(1, 100)  # largest relative error of a clock
MHZ = 1_000_000
Range = tuple[int, int]


@dataclass(frozen=True)
class Ecp5Pll:
    """Dividers of an EHXPLLL with its feedback from CLKOP.

    The phase detector compares source / ``clki_div`` with output / ``clkfb_div``; the oscillator
    runs at output times ``clkop_div``.
    """

    clki_div: int
    clkfb_div: int
    clkop_div: int

    def hertz(self, source: int) -> Fraction:
        """The output's frequency."""
        return Fraction(source * self.clkfb_div, self.clki_div)


@dataclass(frozen=True)
class Ice40Pll:
    """Parameters of an SB_PLL40 with simple feedback: the oscillator runs at source times
    (``divf`` + 1) / (``divr`` + 1), the output at that over 2^``divq``."""

    divr: int
    divf: int
    divq: int
    filter_range: int

    def hertz(self, source: int) -> Fraction:
        """The output's frequency."""
        return Fraction(source * (self.divf + 1), (self.divr + 1) << self.divq)


Pll = TypeVar("Pll", Ecp5Pll, Ice40Pll)


@dataclass(frozen=True)
class Limits:
    """Limits of a data sheet, lowest and highest."""

    source: Range
    output: Range
    detector: Range
    oscillator: Range


ECP5 = Limits(
    source=(8 * MHZ, 400 * MHZ),
    output=(3_125_000, 400 * MHZ),
    detector=(10 * MHZ, 400 * MHZ),
    oscillator=(400 * MHZ, 800 * MHZ),
)
ICE40 = Limits(
    source=(10 * MHZ, 133 * MHZ),
    output=(16 * MHZ, 275 * MHZ),
    detector=(10 * MHZ, 133 * MHZ),
    oscillator=(533 * MHZ, 1066 * MHZ),
)
_ECP5_DIVIDERS = range(1, 129)
_DIVR, _DIVF, _DIVQ = range(16), range(128), range(1, 7)
# A detector's frequency below the first limit takes filter 1, and so on.
_FILTERS = tuple(limit * MHZ for limit in (17, 26, 44, 66, 101))


def ecp5(source: int, output: int) -> Ecp5Pll:
    """The EHXPLLL setting whose clock from ``source`` is nearest to ``output``.

    Raises
    ------
    TypeError, ValueError
        If one is no integer or outside the data sheet's range, or no setting is within 1 %.
    """
    source, output = _asked(ECP5, source, output)

    def settings() -> Iterable[tuple[tuple[Fraction, ...], Ecp5Pll]]:
        for clki in _ECP5_DIVIDERS:
            detector = Fraction(source, clki)
            if not _within(detector, ECP5.detector):
                continue
            for clkfb in _ECP5_DIVIDERS:
                made = detector * clkfb
                if abs(made - output) > TOLERANCE * output or not _within(made, ECP5.output):
                    continue
                # The middle of the oscillator's range has the most margin.
                middle = sum(ECP5.oscillator) // 2
                clkop = min(_ECP5_DIVIDERS, key=lambda n: abs(made * n - middle))
                if _within(made * clkop, ECP5.oscillator):
                    yield (abs(made - output), -detector), Ecp5Pll(clki, clkfb, clkop)

    return _best("ECP5", source, output, settings())


def ice40(source: int, output: int) -> Ice40Pll:
    """The SB_PLL40 setting nearest to ``output`` from ``source``; errors as for ``ecp5``."""
    source, output = _asked(ICE40, source, output)

    def settings() -> Iterable[tuple[tuple[Fraction, ...], Ice40Pll]]:
        for divr in _DIVR:
            detector = Fraction(source, divr + 1)
            if not _within(detector, ICE40.detector):
                continue
            chosen = 1 + sum(detector >= limit for limit in _FILTERS)
            for divf in _DIVF:
                oscillator = detector * (divf + 1)
                if not _within(oscillator, ICE40.oscillator):
                    continue
                for divq in _DIVQ:
                    made = oscillator / (1 << divq)
                    if abs(made - output) <= TOLERANCE * output and _within(made, ICE40.output):
                        yield (abs(made - output), -detector), Ice40Pll(divr, divf, divq, chosen)

    return _best("iCE40", source, output, settings())


def _asked(limits: Limits, source: int, output: int) -> tuple[int, int]:
    return (
        checks.integer("source", source, *limits.source),
        checks.integer("output", output, *limits.output),
    )


def _within(value: Fraction, limits: Range) -> bool:
    return limits[0] <= value <= limits[1]


def _best(
    family: str, source: int, output: int, settings: Iterable[tuple[tuple[Fraction, ...], Pll]]
) -> Pll:
    """The most exact setting; of equals the one with the fastest detector, for least jitter."""
    found = min(settings, key=lambda entry: entry[0], default=None)
    if found is None:
        raise ValueError(
            f"output must be a frequency that the {family} PLL makes from {source} Hz within 1 %, "
            f"not {output}"
        )
    return found[1]

"""The parameters of an array, checked once; all other sizes derive from them."""

from dataclasses import dataclass

from golden import checks

MOST_ADC_BITS = 32  # highest resolution of a converter of sums
SYNAPSES = ("ternary", "binary")
DRAW_BITS = (8, 16, 32)


@dataclass(frozen=True, kw_only=True)
class ArrayConfig:
    """Size and word widths of a synapse array.

    Parameters
    ----------
    rows : int
        Inputs, each with a lane of logic, 1 to 4096.
    cols : int
        Outputs, each with a memory column, 1 to 65535; a multiple of ``columns_per_cycle``.
    synapse : {"ternary", "binary"}
        Two cells a synapse, w = m1 - m2, or one cell, w = 2 m - 1.
    columns_per_cycle : int
        Columns that are read in one cycle, a power of two. It is the number of converters, which
        the columns share.
    code_bits : int
        Width of a pulse code, 2 to 8. Code 0 never switches; the highest code is the full pulse.
    draw_bits : {8, 16, 32}
        Width K of a random draw; thresholds have K + 1 bits.
    error_bits : int
        Width of a signed error d in a backward read, 2 to 16.
    variant_bits : int
        Width of a cell's variant index, 0 to 4. Cells of one variant switch alike; cells of the
        highest variant are stuck. With 0 there is no index, and all cells switch alike.
    counters : bool
        Whether the array counts its activity (see ``golden.array.activity``).

    Raises
    ------
    TypeError, ValueError
        If a parameter is not of its type or outside its range.
    """

    rows: int = 64
    cols: int = 64
    synapse: str = "ternary"
    columns_per_cycle: int = 1
    code_bits: int = 5
    draw_bits: int = 16
    error_bits: int = 8
    variant_bits: int = 0
    counters: bool = True

    def __post_init__(self) -> None:
        def fix(name: str, low: int, high: int) -> None:
            checks.keep(self, **{name: checks.integer(name, getattr(self, name), low, high)})

        fix("rows", 1, 4096)
        fix("cols", 1, 65535)
        fix("columns_per_cycle", 1, self.cols)
        fix("code_bits", 2, 8)
        fix("draw_bits", 8, 32)
        fix("error_bits", 2, 16)
        fix("variant_bits", 0, 4)
        checks.keep(self, counters=checks.boolean("counters", self.counters))
        checks.choice("synapse", self.synapse, SYNAPSES)
        if self.draw_bits not in DRAW_BITS:
            raise ValueError(f"draw_bits must be one of {DRAW_BITS}, not {self.draw_bits}")
        if self.columns_per_cycle & (self.columns_per_cycle - 1):
            raise ValueError(
                f"columns_per_cycle must be a power of two, not {self.columns_per_cycle}"
            )
        if self.cols % self.columns_per_cycle:
            raise ValueError(
                f"cols must be a multiple of columns_per_cycle = {self.columns_per_cycle}, "
                f"not {self.cols}"
            )

    @property
    def cells(self) -> int:
        """Cells in a synapse."""
        return 2 if self.synapse == "ternary" else 1

    @property
    def step(self) -> int:
        """Distance dz of neighbouring weight values."""
        return 1 if self.synapse == "ternary" else 2

    @property
    def max_kappa(self) -> int:
        """Most whole steps that a weight can move: 2 / dz."""
        return 2 // self.step

    @property
    def codes(self) -> int:
        """Number of pulse codes."""
        return 1 << self.code_bits

    @property
    def variants(self) -> int:
        """Number of cell variants."""
        return 1 << self.variant_bits

    @property
    def switching_variants(self) -> int:
        """Variants that can switch: all but the highest if there is more than one."""
        return max(1, self.variants - 1)

    @property
    def max_error(self) -> int:
        """Largest error d; the smallest is ``-max_error - 1``."""
        return (1 << (self.error_bits - 1)) - 1

    @property
    def sum_bits(self) -> int:
        """Width of a signed column sum, range [-rows, rows]."""
        return self.rows.bit_length() + 1

    @property
    def back_bits(self) -> int:
        """Width of a signed row sum, magnitude at most cols 2^(error_bits - 1)."""
        return (self.cols << (self.error_bits - 1)).bit_length() + 1

"""The parameters of an accelerator, and widths derived from them."""

from dataclasses import dataclass, field

from golden import checks
from golden.config import ArrayConfig

FRACTION = 8  # bits behind the point of means, spreads and thresholds
TOTAL_BITS = 20  # width of a sum over all words of inputs, signed
THRESHOLD_BITS = TOTAL_BITS + FRACTION  # width of a stored threshold, signed
OFFSET_BITS, OFFSET_FRACTION = 20, 16  # widths of a column's learnt offset, in spreads, signed
SCORE_BITS, SCORE_FRACTION = 16, 5  # widths of a score, signed; one is 32
SCALE_SHIFT = 20  # a score is (sum - mean) * scale >> SCALE_SHIFT
ERROR_LIMIT = 127
SLACK_LIMIT = 1023  # largest slack in the loss
AVERAGE_SHIFT = 3  # stored thresholds move by 1/8 of the difference to the batch's
CHANGE_FRACTION = 18  # bits behind the point of a weight change
STATES = 32  # layers with a state of their updates
MAX_POOL = 2
MAX_TILES = 128
NEAR, WHERE = 0, 1  # bits of a window word: within the window; place of the pool's maximum (two)
WINDOW_BITS = 3
LEAST_PART, MOST_PARTS = 4, 8  # lanes of a part of a word of errors; parts of a word
ADDRESS_BITS = 16


@dataclass(frozen=True, kw_only=True)
class AcceleratorConfig:
    """Arrays and memories of an accelerator.

    Parameters
    ----------
    array : ArrayConfig
        Configuration of each tile: ``columns_per_cycle`` 1 and ``error_bits`` 8, since tiles work
        side by side.
    tiles : int
        Arrays that work in parallel: a power of two, at most ``array.rows`` and 128. Output i of a
        layer is in tile i mod tiles.
    activation_words : int
        Memory of inputs and activations, words of ``array.rows`` trits, 2 to 65535.
    error_words : int
        Memory of errors, words of ``array.rows`` bytes, 2 to 65535.
    positions : int
        Sums that are stored for a column: samples times output pixels, 2 to 65535.
    threshold_words : int
        Memory of thresholds, words of one threshold for each tile, 2 to 65535.
    program_words : int
        Memory of programs, words of 32 bits, 2 to 65535.

    Raises
    ------
    TypeError, ValueError
        If a parameter is not of its type or outside its range.
    """

    array: ArrayConfig = field(default_factory=lambda: ArrayConfig(cols=2048))
    tiles: int = 1
    activation_words: int = 4096
    error_words: int = 1024
    positions: int = 256
    threshold_words: int = 256
    program_words: int = 512

    def __post_init__(self) -> None:
        if not isinstance(self.array, ArrayConfig):
            raise TypeError(f"array must be an ArrayConfig, not {self.array!r}")
        for name, value in {"columns_per_cycle": 1, "error_bits": 8}.items():
            if getattr(self.array, name) != value:
                raise ValueError(
                    f"array.{name} must be {value}, not {getattr(self.array, name)}: "
                    "tiles work side by side"
                )
        most = min(self.array.rows, MAX_TILES)
        checks.keep(self, tiles=checks.integer("tiles", self.tiles, 1, most))
        if self.tiles & (self.tiles - 1) or self.array.rows % self.tiles:
            raise ValueError(
                f"tiles must be a power of two that divides rows = {self.array.rows}, "
                f"not {self.tiles}"
            )
        for name in ("activation_words", "error_words", "positions", "threshold_words",
                     "program_words"):  # fmt: skip
            value = checks.integer(name, getattr(self, name), 2, (1 << ADDRESS_BITS) - 1)
            checks.keep(self, **{name: value})

    @property
    def sum_bits(self) -> int:
        """Width of the sum of a column's totals over all positions, signed."""
        return TOTAL_BITS + self.positions.bit_length()

    @property
    def product_bits(self) -> int:
        """Width of the sum of error times input in a lane over all positions, signed."""
        return self.array.error_bits + 2 + self.positions.bit_length()

    @property
    def error_part(self) -> int:
        """Lanes of a word of errors that are written at once, a power of two.

        It is at least ``tiles``, and so large that a word has at most 8 such parts.
        """
        lanes = max(self.tiles, LEAST_PART)
        while self.array.rows > MOST_PARTS * lanes:
            lanes *= 2
        return lanes

    @property
    def error_parts(self) -> int:
        """Parts of a word of errors; the last one may have unused lanes."""
        return -(-self.array.rows // self.error_part)

"""The array's command frames, bit for bit: the one source for hardware, drivers and benches.

A command is a frame of words on the input stream: a header word, then data words, the last one
marked ``last``. The answer is a frame on the output stream: result words, then a trailer word
marked ``last``; every input frame, malformed or not, gets exactly one. Words are wide: a data word
holds one column, one input vector or ``columns_per_cycle`` errors, its first element in the low
bits.

=========== ======================= ================================== =========================
command     header                  data words                         result words
=========== ======================= ================================== =========================
STATUS      --                      none                               none; clears the flag
PROGRAM     first, count            a column's cell bits, each         none
READ        first, count            none                               a column's cell bits, each
FORWARD     first, count            an input vector, each; one or more column sums, ``columns_
                                                                       per_cycle`` a word
BACKWARD    first, count            errors, ``columns_per_cycle`` a    row sums, one word an error
                                    word; one or more vectors          vector
UPDATE      first, count, blind     a column's pulses, each            none
LOAD_TABLE  first, count (rows)     a row of the table, each           none
SEED        --                      a bit a generator, each; see below none
GENERATORS  --                      none                               a bit a generator, each
VARIANTS    first, count            a column's variant indices, each   none
AGE         first, count            none                               none
COUNTERS    --                      none                               a 64-bit count, each
=========== ======================= ================================== =========================

Header fields that the table does not name for a command are ignored, and so are bits of a word
beyond its content.

Contents of the words:

- Cell bits of a column: a plane of m1, one bit a row, then a plane of m2.
- Input vector: a plane of "not zero", then a plane of "negative".
- Pulse of a row in UPDATE: its code (low bits), |kappa| (2 bits) and "up".
- SEED and GENERATORS: 64 words of planes like those of cell bits, a bit a generator.
- Variant indices of a column: planes like those of its cell bits. The planes of the indices' lowest
  bit are first, those of the next bit follow.

SEED sets the generators back to their power-up states. Each word then lets them advance by a draw
and inverts the newest bit of each generator whose bit of the word is set. Every state can be
reached (see ``golden.array.lfsr.injections``), also zero. Zero stays zero: drivers must not ask for
it. GENERATORS reads the lowest bit of every generator's draw and lets it advance, 64 times. The 64
bits determine the state before; a driver that wants this state back must seed. A SEED cut short
leaves the generators in other states: seed again.

The table has two parts:

- Pulses: row variant * codes + code, for cells of this variant. A word holds the thresholds AP to P
  and P to AP (K + 1 bits each), then the pulse lengths in ticks (16 bits each). The lengths of
  variant 0 hold for all variants.
- Ageing, behind the pulses: row 2 variant + state, for cells of this variant in this state (0 is
  AP). The thresholds are those of the synapse's first and second cell; all drivers here set both to
  the same value. There are no lengths.

Cells of the highest variant, if there is more than one, are stuck: neither UPDATE nor AGE nor
PROGRAM changes them.

AGE is the effect of time or reading on cells: every generator draws once a column, and a cell in AP
(in P) switches iff its own generator's draw is below its ageing row's threshold.
The trailer's "switched" counts the cells that UPDATE or AGE switched. COUNTERS answers with the
counters of ``golden.array.activity``, in that order. The counters include what a command did before
it was cut short.

A command of N steps (see ``steps``) takes N + ``OVERHEAD`` cycles without stalls, from the cycle
that accepts its header to the one that delivers its trailer, both counted. The next header is
accepted from N + 9 cycles after the header on, before the trailer is out.

A malformed frame is read to its ``last``. It sets the sticky ``Cause``: the first one stays until
STATUS reports and clears it, and every trailer shows it.

- OPCODE: an unknown command (see ``known``), or a reserved header bit is set ("blind" is reserved
  in a binary array). Nothing is done.
- RANGE: a range of columns or rows that is empty, ends beyond the array or table, or is not aligned
  to ``columns_per_cycle`` in FORWARD and BACKWARD. Nothing is done.
- SHORT, LONG: fewer or more data words than the header announced. The complete words are executed.
  A command without data words does nothing if there are any.
- TRIT: an illegal trit in an input vector. It counts as 0.
- VALUE: |kappa| is too large (the largest is used); a threshold is above 2^K, or a row for a pulse
  of code 0 is not 0 (the row is not written).
"""

import operator
from collections.abc import Sequence
from enum import IntEnum

import numpy as np

from golden.array import lfsr
from golden.array.activity import COUNT_BITS, COUNTERS
from golden.codes import TRIT_BITS, trit_bit_planes
from golden.config import ArrayConfig
from golden.pulse.table import TICK_BITS


class Op(IntEnum):
    """Commands."""

    STATUS = 0
    PROGRAM = 1
    READ = 2
    FORWARD = 3
    BACKWARD = 4
    UPDATE = 5
    LOAD_TABLE = 6
    SEED = 7
    GENERATORS = 8
    VARIANTS = 9
    AGE = 10
    COUNTERS = 11


class Cause(IntEnum):
    """Faults of a frame."""

    NONE = 0
    OPCODE = 1
    RANGE = 2
    SHORT = 3
    LONG = 4
    TRIT = 5
    VALUE = 6


# Kinds of commands: those without data words in their frames; those without a range of columns or
# rows in their headers; those whose ranges are whole words of columns.
DATALESS_OPS = (Op.STATUS, Op.READ, Op.GENERATORS, Op.AGE, Op.COUNTERS)
RANGELESS_OPS = (Op.STATUS, Op.SEED, Op.GENERATORS, Op.COUNTERS)
WORD_OPS = (Op.FORWARD, Op.BACKWARD)

# Fields of header and trailer: name -> (lowest bit, width).
HEADER = {"op": (0, 4), "blind": (4, 1), "first": (16, 16), "count": (32, 16)}
TRAILER = {"cause": (0, 3), "op": (8, 4), "switched": (16, 32)}
CONTROL_BITS = 64
KAPPA_BITS = 2
OVERHEAD = 19


def known(config: ArrayConfig) -> tuple[Op, ...]:
    """The commands of an array: COUNTERS only where it counts, VARIANTS where cells have any."""
    optional = {Op.VARIANTS: config.variant_bits > 0, Op.COUNTERS: config.counters}
    return tuple(op for op in Op if optional.get(op, True))


def pulse_bits(config: ArrayConfig) -> int:
    """Width of one row's pulse in an UPDATE word: code, |kappa|, up."""
    return config.code_bits + KAPPA_BITS + 1


def generators(config: ArrayConfig) -> int:
    """Number of generators, one a cell of a column."""
    return config.rows * config.cells


def table_rows(config: ArrayConfig) -> int:
    """Rows of the table: one for each variant and code, then two for the ageing of each variant."""
    return config.variants * (config.codes + 2)


def table_bits(config: ArrayConfig) -> int:
    """Width of a row of the table: two thresholds, two pulse lengths."""
    return 2 * (config.draw_bits + 1 + TICK_BITS)


def column_bits(config: ArrayConfig) -> int:
    """Width of the longest data word of a column."""
    return max(
        config.rows * TRIT_BITS,
        config.rows * pulse_bits(config),
        config.columns_per_cycle * config.error_bits,
        config.rows * config.cells * max(1, config.variant_bits),
    )


def operand_bits(config: ArrayConfig) -> int:
    """Width of the longest data word."""
    return max(column_bits(config), table_bits(config))


def data_bits(config: ArrayConfig) -> int:
    """Width of an input word."""
    return max(CONTROL_BITS, operand_bits(config))


def result_bits(config: ArrayConfig) -> int:
    """Width of an output word."""
    return max(
        CONTROL_BITS,
        config.columns_per_cycle * config.sum_bits,
        config.rows * config.back_bits,
        config.rows * config.cells,
    )


def steps(op: Op, config: ArrayConfig, count: int = 0, batch: int = 1) -> int:
    """Steps N of a command for ``count`` columns (or table rows) and ``batch`` vectors."""
    count, batch = operator.index(count), operator.index(batch)
    if op in (Op.FORWARD, Op.BACKWARD):
        return batch * (count // config.columns_per_cycle)
    if op in (Op.SEED, Op.GENERATORS):
        return lfsr.STATE_BITS
    if op is Op.COUNTERS:
        return len(COUNTERS)
    return count


def cycles(op: Op, config: ArrayConfig, count: int = 0, batch: int = 1) -> int:
    """Clock cycles of a command from header to trailer, both counted, without stalls."""
    return steps(op, config, count, batch) + OVERHEAD


# --- words: integer arrays <-> rows of bits <-> rows of 32-bit words, little-endian ---


def to_bits(values: np.ndarray, width: int) -> np.ndarray:
    """Two's complement bits (uint8), low first, as a new last axis of length ``width``."""
    values = np.asarray(values).astype(np.int64)
    return (values[..., None] >> np.arange(width) & 1).astype(np.uint8)


def from_bits(bits: np.ndarray, *, signed: bool) -> np.ndarray:
    """Integers (int64) of bits along the last axis, low first."""
    width = bits.shape[-1]
    place = np.int64(1) << np.arange(width, dtype=np.int64)
    if signed:
        place[-1] = -place[-1]
    values: np.ndarray = bits @ place
    return values


def to_words(bits: np.ndarray, width: int) -> np.ndarray:
    """Pack bits of shape (n, ...), flattened per row, into words: (n, ceil(width / 32)) uint32."""
    flat = bits.reshape(len(bits), int(np.prod(bits.shape[1:])))
    packed = np.packbits(flat, axis=1, bitorder="little")
    octets = np.zeros((len(bits), -(-width // 32) * 4), np.uint8)
    octets[:, : packed.shape[1]] = packed
    return octets.view("<u4")


def from_words(words: np.ndarray, count: int, width: int) -> np.ndarray:
    """The first ``count`` fields of ``width`` bits of each word: bits (n, count, width)."""
    octets = np.ascontiguousarray(words, "<u4").view(np.uint8)
    bits = np.unpackbits(octets, axis=1, count=count * width, bitorder="little")
    return bits.reshape(len(words), count, width)


def to_integers(words: np.ndarray) -> list[int]:
    """Words of shape (n, k), uint32, as n Python integers."""
    return [int.from_bytes(word.tobytes(), "little") for word in words.astype("<u4")]


def from_integers(words: Sequence[int], width: int) -> np.ndarray:
    """Integers of at most ``width`` bits as words: (n, ceil(width / 32)) uint32."""
    size = -(-width // 32) * 4
    octets = b"".join(word.to_bytes(size, "little") for word in words)
    return np.frombuffer(octets, "<u4").reshape(len(words), size // 4)


def control(fields: dict[str, tuple[int, int]], **values: int) -> int:
    """A header or trailer word as an integer; fields not named are 0."""
    return sum(int(value) << fields[name][0] for name, value in values.items())


def field(fields: dict[str, tuple[int, int]], name: str, word: int) -> int:
    """One field of a header or trailer word."""
    low, width = fields[name]
    return word >> low & ((1 << width) - 1)


def frame(config: ArrayConfig, header: int, data: np.ndarray | None = None) -> np.ndarray:
    """A frame's words, header first: uint32 of shape (1 + n, ceil(data_bits / 32)).

    ``data`` holds the bits of the data words, shape (n, ...).
    """
    width = data_bits(config)
    head = to_words(to_bits(np.array([header]), CONTROL_BITS), width)
    return head if data is None else np.concatenate([head, to_words(data, width)])


def program_frame(config: ArrayConfig, bits: np.ndarray, first: int) -> np.ndarray:
    """PROGRAM: bits of shape (count, rows, cells)."""
    header = control(HEADER, op=Op.PROGRAM, first=first, count=len(bits))
    return frame(config, header, bits.swapaxes(1, 2))


def read_frame(config: ArrayConfig, first: int, count: int) -> np.ndarray:
    """READ."""
    return frame(config, control(HEADER, op=Op.READ, first=first, count=count))


def forward_frame(config: ArrayConfig, u: np.ndarray, first: int, count: int) -> np.ndarray:
    """FORWARD: trits u of shape (batch, rows)."""
    header = control(HEADER, op=Op.FORWARD, first=first, count=count)
    return frame(config, header, trit_bit_planes(u))


def backward_frame(config: ArrayConfig, d: np.ndarray, first: int) -> np.ndarray:
    """BACKWARD: errors d of shape (batch, count)."""
    header = control(HEADER, op=Op.BACKWARD, first=first, count=d.shape[1])
    groups = d.reshape(-1, config.columns_per_cycle)
    return frame(config, header, to_bits(groups, config.error_bits))


def update_frame(
    config: ArrayConfig, kappa: np.ndarray, code: np.ndarray, first: int, blind: bool
) -> np.ndarray:
    """UPDATE: signed kappa and code of shape (count, rows)."""
    two_rules = config.cells == 2
    header = control(HEADER, op=Op.UPDATE, first=first, count=len(code), blind=blind and two_rules)
    up = (kappa > 0) | (code > 0)
    fields = [(np.abs(code), config.code_bits), (np.abs(kappa), KAPPA_BITS), (up, 1)]
    data = np.concatenate([to_bits(value, width) for value, width in fields], axis=-1)
    return frame(config, header, data)


def table_frame(
    config: ArrayConfig, thresholds: np.ndarray, ticks: np.ndarray, first: int
) -> np.ndarray:
    """LOAD_TABLE: thresholds and pulse lengths of rows, both of shape (count, 2)."""
    header = control(HEADER, op=Op.LOAD_TABLE, first=first, count=len(thresholds))
    fields = [(thresholds, config.draw_bits + 1), (ticks, TICK_BITS)]
    data = [to_bits(value, width).reshape(len(value), -1) for value, width in fields]
    return frame(config, header, np.concatenate(data, axis=1))


def ageing_frame(config: ArrayConfig, thresholds: np.ndarray) -> np.ndarray:
    """LOAD_TABLE of the rows for ageing: thresholds AP to P and P to AP, (variants, 2)."""
    rows = np.repeat(thresholds.reshape(-1, 1), 2, axis=1)
    return table_frame(config, rows, np.zeros_like(rows), config.variants * config.codes)


def variants_frame(config: ArrayConfig, variants: np.ndarray, first: int) -> np.ndarray:
    """VARIANTS: indices of shape (count, rows, cells)."""
    header = control(HEADER, op=Op.VARIANTS, first=first, count=len(variants))
    planes = to_bits(variants, config.variant_bits)  # (count, rows, cells, bits)
    return frame(config, header, planes.transpose(0, 3, 2, 1))


def age_frame(config: ArrayConfig, first: int, count: int) -> np.ndarray:
    """AGE."""
    return frame(config, control(HEADER, op=Op.AGE, first=first, count=count))


def seed_frame(config: ArrayConfig, states: np.ndarray) -> np.ndarray:
    """SEED: generator states of shape (rows, cells), uint64, none zero."""
    power_up = lfsr.stream_states(0, 0, generators(config)).reshape(states.shape)
    bits = lfsr.injections(power_up, states, config.draw_bits)  # (64, rows, cells)
    return frame(config, control(HEADER, op=Op.SEED), bits.swapaxes(1, 2))


def bits_of(config: ArrayConfig, words: np.ndarray) -> np.ndarray:
    """Cell bits of shape (count, rows, cells), bool, from the result words of READ."""
    return from_words(words, config.cells, config.rows).swapaxes(1, 2).astype(bool)


def sums_of(config: ArrayConfig, words: np.ndarray, count: int) -> np.ndarray:
    """Column sums of shape (batch, count), int32, from the result words of FORWARD."""
    bits = from_words(words, config.columns_per_cycle, config.sum_bits)
    return from_bits(bits, signed=True).reshape(-1, count).astype(np.int32)


def errors_of(config: ArrayConfig, words: np.ndarray) -> np.ndarray:
    """Row sums of shape (batch, rows), int32, from the result words of BACKWARD."""
    return from_bits(from_words(words, config.rows, config.back_bits), signed=True).astype(np.int32)


def counts_of(words: np.ndarray) -> dict[str, int]:
    """Counts by name from the result words of COUNTERS."""
    counts = np.ascontiguousarray(words[:, : COUNT_BITS // 32], "<u4").view("<u8").ravel()
    return dict(zip(COUNTERS, counts.tolist(), strict=True))


def states_of(config: ArrayConfig, words: np.ndarray) -> np.ndarray:
    """Generator states of shape (rows, cells), uint64, from the result words of GENERATORS: those
    before the command."""
    bits = from_words(words, config.cells, config.rows).swapaxes(1, 2)
    return np.ascontiguousarray(lfsr.observed(bits, config.draw_bits))

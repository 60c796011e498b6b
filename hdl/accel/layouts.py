"""Words of the accelerator's memories and programs as Amaranth layouts."""

from amaranth.hdl import signed, unsigned
from amaranth.lib import data

from golden.accel.config import OFFSET_BITS, SCORE_BITS, THRESHOLD_BITS, TOTAL_BITS, WINDOW_BITS
from golden.accel.packets import THRESHOLD_WORD, TURNED
from golden.accel.program import FIELDS, WORDS

PLACE_BITS = WINDOW_BITS - 1


def instruction_layout() -> data.FlexibleLayout:
    """An instruction as ``golden.accel.program`` lays it out."""
    return data.FlexibleLayout(
        32 * WORDS,
        {
            name: data.Field(signed(width) if negative else unsigned(width), low)
            for name, (low, width, negative) in FIELDS.items()
        },
    )


def total_layout() -> data.StructLayout:
    """A column's total at a position, and the place of its maximum in the pooling window."""
    return data.StructLayout({"total": signed(TOTAL_BITS), "place": PLACE_BITS})


def threshold_layout() -> data.FlexibleLayout:
    """A column's stored thresholds."""
    return data.FlexibleLayout(
        THRESHOLD_WORD,
        {
            "upper": data.Field(signed(THRESHOLD_BITS), 0),
            "turned": data.Field(unsigned(1), TURNED),
            "lower": data.Field(signed(THRESHOLD_BITS), 32),
            "offset": data.Field(signed(OFFSET_BITS), 64),
        },
    )


def result_layout() -> data.StructLayout:
    """A sample's class and score."""
    return data.StructLayout({"label": 16, "score": signed(SCORE_BITS)})

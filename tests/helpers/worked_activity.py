"""Activity of small arrays, chosen by hand, for tests of energy."""

from golden.config import ArrayConfig
from golden.energy.model import COUNTERS

TERNARY = ArrayConfig(rows=8, cols=4)


def counts(**values: float) -> dict[str, float]:
    unknown = set(values) - set(COUNTERS)
    assert not unknown
    return dict.fromkeys(COUNTERS, 0) | values


BACKWARD = {
    "backward_conversions": 6, "backward_drives": 7, "backward_products": 8,
    "backward_cells_p": 20, "backward_cells_ap": 22,
}  # fmt: skip
UPDATE = {
    "pulses_p_idle": 2, "pulses_p_failed": 3, "pulses_p_switched": 1,
    "pulses_ap_idle": 4, "pulses_ap_failed": 5, "pulses_ap_switched": 2,
    "ticks_p_idle": 100, "ticks_p_failed": 300, "ticks_p_switched": 1000,
    "ticks_ap_idle": 700, "ticks_ap_failed": 900, "ticks_ap_switched": 3000,
    "columns_updated": 2,
}  # fmt: skip
ACTIVITY = {name: int(number) for name, number in counts(**{
    "forward_conversions": 40, "forward_drives": 40, "forward_products": 96,
    "forward_cells_p": 240, "forward_cells_ap": 80, **BACKWARD, **UPDATE,
}).items()}  # fmt: skip

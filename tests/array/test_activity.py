"""Activity counters against counting one by one."""

import dataclasses
from collections import Counter

import numpy as np
import pytest
from test_array import pulses
from test_variants import spread

from golden.array import activity
from golden.array.activity import COUNTERS
from golden.array.golden import GoldenArray
from golden.config import ArrayConfig

CONFIG = ArrayConfig(rows=5, cols=6, columns_per_cycle=2, code_bits=3, draw_bits=8)
CONFIGS = [
    CONFIG,
    dataclasses.replace(CONFIG, synapse="binary"),
    dataclasses.replace(CONFIG, variant_bits=2),
    dataclasses.replace(CONFIG, synapse="binary", variant_bits=1),
]
each_config = pytest.mark.parametrize(
    "config", CONFIGS, ids=lambda c: f"{c.synapse}-{c.variant_bits}"
)


def filled(config, seed=0):
    rng = np.random.default_rng(seed)
    array, shape = GoldenArray(config), (config.cols, config.rows, config.cells)
    array.program(rng.integers(0, 2, shape))
    array.load_table(spread(config.switching_variants))
    if config.variant_bits:
        array.load_variants(rng.integers(0, config.variants, shape))
    return array, rng


def weight(bits):
    return bits[0] - bits[1] if len(bits) == 2 else 2 * bits[0] - 1


def passed(direction, synapses):
    """Counts of a read that drives ``synapses``, (drive, bits) each."""
    counts = Counter()
    for drive, bits in synapses:
        if drive:
            counts[f"{direction}_products"] += weight(bits) != 0
            counts[f"{direction}_cells_p"] += sum(bits)
            counts[f"{direction}_cells_ap"] += len(bits) - sum(bits)
    return counts


def sent(bits, kappa, code, blind):
    """Pulse code and target state of each cell of a synapse, as ``golden.array.cell`` says."""
    up, steps, pulse = kappa + code > 0, abs(kappa), abs(code)
    one = 7 if steps else pulse
    if len(bits) == 1:
        return [(one, up)]
    w = weight(bits) * (1 if up else -1)  # -1: the far bound
    to_p, to_ap = one, one
    if not blind and w == 1:
        to_p, to_ap = 0, 0
    if not blind and w == -1:
        to_ap = (0, pulse, 7)[steps]
    return [(to_p, True), (to_ap, False)] if up else [(to_ap, False), (to_p, True)]


@each_config
def test_every_command_one_by_one(config):
    array, rng = filled(config)
    want = Counter(columns_programmed=config.cols)
    ticks, switched = spread(1).ticks.tolist(), 0
    for turn in range(40):
        bits = array._bits.astype(int).tolist()
        first = 2 * int(rng.integers(3))
        count = 2 * int(rng.integers(1, 4 - first // 2))
        columns = range(first, first + count)
        match turn % 5:
            case 0:
                u = rng.integers(-1, 2, (3, config.rows))
                array.forward(u, first, count)
                want["forward_conversions"] += 3 * count
                for x in u.tolist():
                    want["forward_drives"] += sum(v != 0 for v in x)
                    want += passed(
                        "forward", [(x[j], bits[i][j]) for i in columns for j in range(5)]
                    )
            case 1:
                d = rng.integers(-2, 3, (2, count))
                array.backward(d, first)
                want["backward_conversions"] += 2 * config.rows
                for x in d.tolist():
                    want["backward_drives"] += sum(v != 0 for v in x)
                    want += passed(
                        "backward",
                        [(v, each) for v, i in zip(x, columns, strict=True) for each in bits[i]],
                    )
            case 2:
                kappa, code = pulses(config, turn, count)
                kappa[rng.random(kappa.shape) < 0.5] = 0
                blind = bool(turn % 2)
                switched += array.update(kappa, code, first, blind=blind)
                want["columns_updated"] += count
                for (i, j), k in np.ndenumerate(kappa):
                    old, new = bits[first + i][j], array._bits[first + i, j].tolist()
                    for m, (length, target) in enumerate(sent(old, int(k), int(code[i, j]), blind)):
                        if not length:
                            assert new[m] == old[m]
                            continue
                        outcome = "idle" if old[m] == target else "failed"
                        outcome = "switched" if new[m] != old[m] else outcome
                        name = f"{'p' if target else 'ap'}_{outcome}"
                        want[f"pulses_{name}"] += 1
                        want[f"ticks_{name}"] += ticks[length][0 if target else 1]
            case 3:
                array.read(first, count)
                want["columns_read"] += count
                array.program(rng.integers(0, 2, (count, 5, config.cells)), first)
                want["columns_programmed"] += count
            case 4:
                want["cells_aged"] += array.age([9, 30], first, count)
                want["columns_aged"] += count
        got = array.activity()
        assert got == {name: want[name] for name in COUNTERS}, turn
    assert switched == got["pulses_p_switched"] + got["pulses_ap_switched"]
    assert all(got.values())


def test_pulses_of_every_length_in_both_directions():
    """The lengths of a direction are its own; rows of other variants do not count."""
    array, _ = filled(CONFIG)
    lengths = np.stack([np.arange(8) * 10, np.arange(8) * 1000], axis=1)
    array.load_table(dataclasses.replace(spread(1), ticks=lengths))
    array.program(np.tile([0, 1], (1, 5, 1)))  # weight -1
    array.update(np.zeros((1, 5), int), np.array([[1, 2, 3, 4, 5]]), blind=True)
    got = array.activity()
    assert sum(got[f"ticks_p_{outcome}"] for outcome in ("failed", "switched")) == 150
    assert sum(got[f"ticks_ap_{outcome}"] for outcome in ("failed", "switched")) == 15000
    array.program(np.tile([0, 1], (1, 5, 1)))
    array.update(np.zeros((1, 5), int), -np.array([[1, 2, 3, 4, 5]]), blind=True)
    got = array.activity()
    assert (got["pulses_p_idle"], got["pulses_ap_idle"]) == (5, 5)
    assert (got["ticks_p_idle"], got["ticks_ap_idle"]) == (150, 15000)
    array.update(np.zeros((1, 5), int), -np.array([[1, 2, 3, 4, 5]]))
    assert array.activity() == got | {"columns_updated": 3}  # at the bound, exact: none


def test_counters_are_those_of_one_array_and_wrap():
    array, _ = filled(CONFIG)
    other, _ = filled(CONFIG)
    array.forward(np.ones((1, 5), int))
    assert other.activity()["forward_drives"] == 0
    array.activity_counts.add(forward_drives=2**64 - 6)
    assert array.activity()["forward_drives"] == 2**64 - 1
    array.forward(np.ones((1, 5), int))
    assert array.activity()["forward_drives"] == 4


def test_same_results_without_counters():
    array, _ = filled(CONFIG)
    bare, _ = filled(dataclasses.replace(CONFIG, counters=False))
    for turn in range(5):
        kappa, code = pulses(CONFIG, turn, 6)
        assert array.update(kappa, code) == bare.update(kappa, code)
        u = np.random.default_rng(turn).integers(-1, 2, (2, 5))
        assert np.array_equal(array.forward(u), bare.forward(u))
    with pytest.raises(ValueError, match=r"^counters must be True for an array to have any, not F"):
        bare.activity()


@pytest.mark.parametrize("shape", [(1, 1), (1, 9), (254, 3), (255, 2), (256, 2), (600, 17)])
def test_ones(shape):
    plane = np.random.default_rng(0).random(shape) < 0.7
    plane[:, 0] = True
    for axis in (0, 1):
        assert activity.ones(plane, axis).tolist() == plane.astype(int).sum(axis=axis).tolist()
        assert activity.ones(plane[::2].T, axis).tolist() == plane[::2].T.sum(axis=axis).tolist()


def test_many_ranges_are_counted_right_between_changes():
    """More ranges than are kept."""
    config = ArrayConfig(rows=3, cols=20)
    array = GoldenArray(config)
    array.program(np.random.default_rng(0).integers(0, 2, (20, 3, 2)))
    in_p, want = array.read().sum(axis=(1, 2)), 0
    for first in range(20):
        for count in range(1, 21 - first):
            array.forward(np.ones((1, 3), int), first, count)
            want += int(in_p[first : first + count].sum())
    assert array.activity()["forward_cells_p"] == want

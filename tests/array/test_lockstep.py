"""Lock step: equal arrays pass and are counted, any difference is found and named."""

import dataclasses

import numpy as np
import pytest

from golden.array.activity import COUNTERS
from golden.array.golden import GoldenArray
from golden.array.lockstep import LockstepArray, Mismatch
from golden.config import ArrayConfig
from golden.pulse.table import tanh_table

CONFIG = ArrayConfig(rows=5, cols=6, columns_per_cycle=2, code_bits=3)
BINARY = ArrayConfig(rows=5, cols=6, synapse="binary")


def pair(faulty=GoldenArray, config=CONFIG, seed=0):
    array = LockstepArray(GoldenArray(config), faulty(config))
    shape = (config.cols, config.rows, config.cells)
    array.program(np.random.default_rng(seed).integers(0, 2, shape))
    array.load_table(tanh_table(config))
    array.seed(seed)
    return array


class FlippedSign(GoldenArray):
    """The product of one synapse, row 3 of column 4, has the other sign."""

    def _forward(self, u, first, count):
        sums = super()._forward(u, first, count)
        if first <= 4 < first + count:
            sums[:, 4 - first] -= 2 * (u[:, 3] * self._weights[4, 3]).astype(np.int32)
        return sums


class FlippedError(GoldenArray):
    def _backward(self, d, first):
        errors = super()._backward(d, first)
        errors[1, 2] += 1
        return errors


class StuckBit(GoldenArray):
    """Cell m2 of row 1, column 5 reads P whatever is written."""

    def _read(self, first, count):
        bits = super()._read(first, count)
        if first <= 5 < first + count:
            bits[5 - first, 1, 1] = True
        return bits


class WrongState(GoldenArray):
    def _generators(self):
        states = super()._generators()
        states[2, 1] ^= np.uint64(1) << np.uint64(63)
        return states


class Sluggish(GoldenArray):
    """One cell too few is reported as switched."""

    def _update(self, kappa, code, first, blind):
        return super()._update(kappa, code, first, blind) - 1


class OneMoreDraw(GoldenArray):
    def _update(self, kappa, code, first, blind):
        switched = super()._update(kappa, code, first, blind)
        self._streams.draw(1)
        return switched


def extra_cycle(method):
    """A class whose ``method`` takes a cycle more."""

    def slow(self, *arguments):
        self.counters.cycles += 1
        return getattr(GoldenArray, method)(self, *arguments)

    return type("Slow", (GoldenArray,), {method: slow})


ONES = np.ones((CONFIG.cols, CONFIG.rows), int)


@pytest.mark.parametrize("config", [CONFIG, BINARY])
def test_equal_arrays_pass_and_every_value_counts(config):
    array = pair(config=config)
    rows, cols, cells = config.rows, config.cols, config.cells
    count = 3  # the cycle counts of program, load_table and seed
    assert array.compared == count
    u = np.random.default_rng(0).integers(-1, 2, (7, rows))
    reference = GoldenArray(config)
    reference.program(array.read())
    count += cols * rows * cells + 1
    assert np.array_equal(array.forward(u, 2, 4), reference.forward(u, 2, 4))
    count += 7 * 4 + 1
    d = np.random.default_rng(1).integers(-128, 128, (3, 2))
    assert np.array_equal(array.backward(d, 4), reference.backward(d, 4))
    count += 3 * rows + 1
    assert array.compared == count
    switched = array.update(ONES, ONES)
    assert switched > 0
    count += 2
    assert np.array_equal(array.generators(), array.other.generators())
    count += rows * cells + 1
    array.set_generators(array.generators())
    count += rows * cells + 1 + 1
    assert array.compared == count
    array.verify()
    count += cols * rows * cells + 1 + rows * cells + 1
    assert array.compared == count + len(COUNTERS) + 1
    assert array.counters is array.reference.counters
    assert array.counters.switched == switched
    assert np.array_equal(array.reference.read(), array.other.read())


def test_long_runs_stay_equal():
    array = pair()
    rng = np.random.default_rng(5)
    for turn in range(50):
        sign = rng.choice([-1, 1], ONES.shape)
        code = sign * rng.integers(0, 8, ONES.shape)
        kappa = sign * rng.integers(0, 3, ONES.shape)
        array.update(kappa, code, blind=bool(turn % 2))
        array.forward(rng.integers(-1, 2, (2, 5)))
    array.verify()


def caught(array, command):
    with pytest.raises(Mismatch) as info:
        command(array)
    return info.value


def test_flipped_sign_is_found():
    array = pair(FlippedSign)
    w = array.reference.read()[4, 3].astype(int)
    array.program(np.array([[[1, 0]] * 5]), 4)  # weights +1
    u = np.zeros((4, 5), int)
    array.forward(u)
    u[2] = [1, 0, 0, -1, 1]
    mismatch = caught(array, lambda a: a.forward(u))
    assert mismatch.what == "column sum"
    assert mismatch.where == {"sample": 2, "column": 4}
    assert (mismatch.expected, mismatch.got, mismatch.count) == (1, 3, 1)
    assert str(mismatch) == "column sum differs at sample 2, column 4: expected 1, got 3"
    assert array.forward(u, 0, 4).shape == (4, 4)  # the other columns are sound
    mismatch = caught(array, lambda a: a.forward(u, 4, 2))
    assert mismatch.where == {"sample": 2, "column": 4}, w


def test_wrong_row_sum_is_found():
    mismatch = caught(pair(FlippedError), lambda a: a.backward(np.zeros((3, 2), int), 2))
    assert mismatch.what == "row sum"
    assert mismatch.where == {"sample": 1, "row": 2}
    assert (mismatch.expected, mismatch.got, mismatch.count) == (0, 1, 1)


class Hasty(GoldenArray):
    """One array reports one aged cell too many."""

    def _age(self, first, count):
        return super()._age(first, count) + 1


class Miscount(GoldenArray):
    def _activity(self):
        counts = super()._activity()
        return counts | {"forward_cells_ap": counts["forward_cells_ap"] + 3}


def test_wrong_number_of_aged_cells_is_found():
    mismatch = caught(pair(Hasty), lambda a: a.age([500, 700]))
    assert mismatch.what == "cells aged"
    assert mismatch.got == mismatch.expected + 1


def test_wrong_counter_is_found_and_named():
    for command in (LockstepArray.activity, LockstepArray.verify):
        mismatch = caught(pair(Miscount), command)
        assert mismatch.what == "activity counter forward_cells_ap"
        assert (mismatch.expected, mismatch.got) == (0, 3)


def test_arrays_without_counters_verify():
    array = pair(config=dataclasses.replace(CONFIG, counters=False))
    array.verify()
    with pytest.raises(ValueError, match=r"^counters must be True for an array to have any, not"):
        array.activity()


def test_variants_reach_both():
    array = pair(config=dataclasses.replace(CONFIG, variant_bits=2))
    variants = np.random.default_rng(3).integers(0, 4, (6, 5, 2))
    array.load_variants(variants)
    for _ in range(4):
        array.update(ONES, 0 * ONES)
        array.age([30000, 20000])
    array.verify()
    array.other.load_variants(3 - variants)
    mismatch = caught(array, lambda a: a.age([1 << 16, 1 << 16]))
    assert mismatch.what == "cells aged"


@pytest.mark.parametrize("first", [0, 3, 5])
def test_stuck_bit_is_found(first):
    array = pair(StuckBit)
    array.program(np.ones((1, 5, 2), int), 5)
    array.read()  # not seen while the cell should be P
    array.program(np.zeros((1, 5, 2), int), 5)
    mismatch = caught(array, lambda a: a.read(first))
    assert mismatch.what == "cell bit"
    assert mismatch.where == {"column": 5, "row": 1, "cell": 1}
    assert (mismatch.expected, mismatch.got, mismatch.count) == (0, 1, 1)
    assert caught(array, LockstepArray.verify).what == "cell bit"


def test_wrong_generator_state_is_found():
    array = pair(WrongState)
    state = int(array.reference.generators()[2, 1])
    mismatch = caught(array, lambda a: a.generators())
    assert mismatch.what == "generator state"
    assert mismatch.where == {"row": 2, "cell": 1}
    assert (mismatch.expected, mismatch.got) == (state, state ^ 1 << 63)
    assert caught(array, LockstepArray.verify).what == "generator state"


def test_wrong_number_of_switched_cells_is_found():
    mismatch = caught(pair(Sluggish), lambda a: a.update(2 * ONES, ONES))
    assert mismatch.what == "cells switched"
    assert mismatch.expected == mismatch.got + 1


def test_a_draw_too_many_is_found():
    array = pair(OneMoreDraw)
    array.update(0 * ONES, 0 * ONES)
    mismatch = caught(array, LockstepArray.verify)
    assert mismatch.what == "generator state"
    assert mismatch.where == {"row": 0, "cell": 0}
    assert mismatch.count == 10


def test_the_first_of_many_differences_is_named():
    array = pair()
    array.other.program(~array.reference.read())
    mismatch = caught(array, lambda a: a.read(2))
    assert mismatch.where == {"column": 2, "row": 0, "cell": 0}
    assert mismatch.count == 4 * 5 * 2


@pytest.mark.parametrize(
    ("method", "name", "command"),
    [
        ("_program", "program", lambda a: a.program(np.zeros((6, 5, 2), int))),
        ("_read", "read", lambda a: a.read()),
        ("_forward", "forward", lambda a: a.forward(np.zeros((1, 5), int))),
        ("_backward", "backward", lambda a: a.backward(np.zeros((1, 6), int))),
        ("_update", "update", lambda a: a.update(ONES, ONES)),
        ("_load_table", "load_table", lambda a: a.load_table(tanh_table(CONFIG))),
        ("_set_generators", "seed", lambda a: a.seed(1)),
        ("_generators", "generators", lambda a: a.generators()),
        ("_load_variants", "load_variants", lambda a: a.load_variants(np.zeros((6, 5, 2), int))),
        ("_load_ageing", "load_ageing", lambda a: a.age([1, 2])),
        ("_age", "age", lambda a: a.age([1, 2])),
        ("_activity", "activity", lambda a: a.activity()),
    ],
)
def test_an_extra_cycle_is_found(method, name, command):
    config = dataclasses.replace(CONFIG, variant_bits=1)
    array = LockstepArray(GoldenArray(config), extra_cycle(method)(config))
    array.other.counters.cycles += 1000  # a past of its own does not matter
    mismatch = caught(array, command)
    assert mismatch.what == f"{name} cycle count"
    assert mismatch.got == mismatch.expected + 1
    assert mismatch.where == {}
    assert str(mismatch) == f"{name} cycle count differs: " + (
        f"expected {mismatch.expected}, got {mismatch.got}"
    )


@pytest.mark.parametrize("method", ["_read", "_forward", "_backward", "_generators"])
def test_values_of_another_shape_are_refused(method):
    def short(self, *arguments):
        return getattr(GoldenArray, method)(self, *arguments)[:-1]

    array = pair(type("Short", (GoldenArray,), {method: short}))
    command = {
        "_read": lambda: array.read(),
        "_forward": lambda: array.forward(np.zeros((2, 5), int)),
        "_backward": lambda: array.backward(np.zeros((2, 6), int)),
        "_generators": lambda: array.generators(),
    }[method]
    with pytest.raises(ValueError, match=r"^[a-z ]+: shapes \(.*\) and \(.*\) differ$"):
        command()


def test_other_config_is_refused():
    with pytest.raises(ValueError, match=r"^other must have config ArrayConfig\(rows=5.*, not Arr"):
        LockstepArray(GoldenArray(CONFIG), GoldenArray(BINARY))


@pytest.mark.parametrize("place", [0, 1])
@pytest.mark.parametrize("bad", [None, CONFIG])
def test_other_types_are_refused(place, bad):
    arrays = [GoldenArray(CONFIG), GoldenArray(CONFIG)]
    arrays[place] = bad
    name = ("reference", "other")[place]
    with pytest.raises(TypeError, match=rf"^{name} must be a SynapseArray, not "):
        LockstepArray(*arrays)


def test_bad_input_reaches_neither_array():
    array = pair()
    states = array.reference.generators(), array.other.generators()
    compared = array.compared
    with pytest.raises(ValueError, match=r"^u\[0, 0\] must be in -1 to 1, not 2$"):
        array.forward([[2, 0, 0, 0, 0]])
    with pytest.raises(ValueError, match=r"^code\[0, 0\] must not be of the other sign than kappa"):
        array.update(ONES, -ONES)
    assert array.compared == compared
    assert np.array_equal(array.reference.generators(), states[0])
    assert np.array_equal(array.other.generators(), states[1])


def test_mismatch_is_placed_in_a_layer():
    inner = Mismatch("cell bit", {"column": 3, "row": 1, "cell": 1}, 0, 1, 2)
    outer = inner.within("fc1", 64, 10)
    assert outer.where == {"layer": "fc1", "column": 13, "row": 65, "cell": 1}
    assert (outer.what, outer.expected, outer.got, outer.count) == ("cell bit", 0, 1, 2)
    assert str(outer) == (
        "cell bit differs at layer fc1, column 13, row 65, cell 1: expected 0, got 1"
    )
    assert inner.where == {"column": 3, "row": 1, "cell": 1}

"""Numbers of any of numpy's types count like Python's, whatever takes them."""

import dataclasses
from dataclasses import asdict, fields

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from golden.accel import compiler, timing
from golden.accel.compiler import Plan, Settings
from golden.accel.config import AcceleratorConfig
from golden.accel.interface import Space
from golden.accel.program import Code, Instruction
from golden.accel.twin import GoldenAccelerator
from golden.array import frames, lfsr
from golden.array.analog import converted
from golden.array.frames import Op
from golden.array.golden import GoldenArray
from golden.config import ArrayConfig
from golden.data import Split
from golden.data.pixels import quantise
from golden.device.junction import load
from golden.device.nonideal import NonIdealities
from golden.energy import model
from golden.energy.costs import load as load_costs
from golden.matrix.tiled import ArrayBank
from golden.matrix.whole_bank import WholeBank
from golden.network import notation
from golden.network.notation import Block
from golden.network.optim import exponential_decay
from golden.pulse.design import CoderConfig
from golden.pulse.table import tanh_table
from golden.targets import Golden, OnChip
from golden.train.config import TrainConfig

TYPES = [np.dtype(f"{kind}{size}").type for kind in "iu" for size in (1, 2, 4, 8)]
SAMPLES = {
    "x_train": np.eye(4, 3, dtype=int), "y_train": np.zeros(4, int), "x_val": np.zeros((2, 3), int),
    "y_val": np.zeros(2, int), "x_test": np.zeros((2, 3), int), "y_test": np.zeros(2, int),
}  # fmt: skip
# What makes each configuration, with values that reach beyond the smaller types once combined.
CONFIGS = {
    ArrayConfig: {"rows": 100, "cols": 96, "columns_per_cycle": 4, "code_bits": 8, "draw_bits": 32,
                  "error_bits": 12, "variant_bits": 4},
    NonIdealities: {"adc_bits": 9, "adc_range": 64.0, "backward_adc_bits": 10, "wire_ohm": 0.25,
                    "stuck_p": 0.125, "retention_s": 2.0, "retention_k": 320.0},
    CoderConfig: {"steepness": 3.5, "step_s": 2.0**-36},
    TrainConfig: {"epochs": 120, "batch": 100, "learning_rate": 0.25, "momentum": 0.75,
                  "threshold": 0.625, "density": 0.5, "seed": 127},
    Settings: {"threshold": 0.5, "window": 0.25, "dead_zone": 1.5, "learn": 15, "gain": 2.5,
               "adc": 100},
    AcceleratorConfig: {"tiles": 64, "activation_words": 100, "error_words": 90, "positions": 120,
                        "threshold_words": 80, "program_words": 127},
    Block: {"n_out": 120, "kernel": 16, "padding": 3, "pool": 2},
    OnChip: {"on": Golden(), "tiles": 64},
    Instruction: {"code": 1, "positions": 100, "groups": 120, "kernel_height": 11,
                  "kernel_width": 12, "in_pixel": 9, "rate": -100, "height": 100, "width": 100},
    Split: {"name": "mine", "classes": 100, "input_bits": 8, **SAMPLES},
}  # fmt: skip


def plain(config):
    """All that a configuration tells, with the types."""
    derived = {
        name: getattr(config, name)
        for name, member in vars(type(config)).items()
        if isinstance(member, property)
    }
    own = {field.name: getattr(config, field.name) for field in fields(config)}
    found = own | derived
    return {k: (type(v), v) for k, v in found.items() if not isinstance(v, np.ndarray)}


@pytest.mark.parametrize("cls", CONFIGS, ids=lambda cls: cls.__name__)
@given(data=st.data())
@settings(max_examples=20)
def test_configurations(cls, data):
    given_values = CONFIGS[cls]
    values = dict(given_values)
    for name, value in values.items():
        if isinstance(value, float):
            kind = data.draw(st.sampled_from([np.float32, np.float64, np.longdouble]))
            values[name] = kind(value)
        elif isinstance(value, int):
            kinds = [kind for kind in TYPES if np.iinfo(kind).min <= value <= np.iinfo(kind).max]
            values[name] = data.draw(st.sampled_from(kinds))(value)
    assert plain(cls(**values)) == plain(cls(**given_values))


@pytest.mark.parametrize(
    "config", [load("default"), load_costs()], ids=lambda config: type(config).__name__
)
def test_floats_of_devices_and_costs(config):
    values = {field.name: getattr(config, field.name) for field in fields(config)}
    singles = {k: np.float32(v) if isinstance(v, float) else v for k, v in values.items()}
    doubles = {k: float(v) if isinstance(v, np.float32) else v for k, v in singles.items()}
    cls = type(config)
    assert plain(cls(**singles)) == plain(cls(**doubles))


def test_booleans():
    assert ArrayConfig(counters=np.False_) == ArrayConfig(counters=False)
    assert ArrayConfig(counters=np.False_).counters is False
    assert NonIdealities(read_disturb=np.True_).read_disturb is True
    with pytest.raises(TypeError, match=r"^read_disturb must be True or False, not 1$"):
        NonIdealities(read_disturb=1)


def test_arrays_without_dimensions_are_the_numbers_that_they_hold():
    settings = NonIdealities(
        adc_bits=np.array(9), adc_noise=np.array(0.5), read_disturb=np.array(True)
    )
    assert plain(settings) == plain(NonIdealities(adc_bits=9, adc_noise=0.5, read_disturb=True))
    for value in (np.array([0.5]), np.array(True), np.array("1"), np.array(None)):
        with pytest.raises(TypeError, match=r"^adc_noise must be a number, not "):
            NonIdealities(adc_noise=value)


ARRAY = ArrayConfig(rows=200, cols=256, columns_per_cycle=4, variant_bits=1)


def used(number):
    """All that an array gives, called with numbers and small arrays of the type ``number``."""
    array = GoldenArray(ARRAY)
    array.load_table(tanh_table(ARRAY))
    array.seed(number(100), number(100))
    rng = np.random.default_rng(0)
    kind = np.int64 if number is int else number
    first, count = number(100), number(120)
    array.program(rng.integers(0, 2, (100, 200, 2)).astype(kind), first)
    array.load_variants(rng.integers(0, 2, (100, 200, 2)).astype(kind), first)
    full = rng.integers(0, 2, (100, 200)).astype(kind)
    results = [
        array.read(first, count),
        array.forward(rng.integers(0, 2, (3, 200)).astype(kind), first, count),
        array.backward(rng.integers(0, 127, (120, 120)).astype(kind), first),
        array.update(full, 0 * full, first),
        array.age(np.array([100, 120]).astype(kind), first, count),
        array.generators(),
    ]
    return [np.asarray(each) for each in results], asdict(array.counters), array.activity()


@pytest.mark.parametrize("number", TYPES, ids=lambda kind: kind.__name__)
def test_methods_of_an_array(number):
    (expected, *counts), (got, *told) = used(int), used(number)
    assert counts == told
    for left, right in zip(expected, got, strict=True):
        assert np.array_equal(left, right)
        assert left.dtype == right.dtype


@pytest.mark.parametrize("number", TYPES, ids=lambda kind: kind.__name__)
def test_banks_and_matrices(number):
    config = ArrayConfig(rows=100, cols=120)
    table, rng = tanh_table(config), np.random.default_rng(1)
    u = rng.integers(0, 128, (2, 120))
    for fast in (False, True):
        sums = []
        for n in (int, number):
            bank = WholeBank(config, table, n(100)) if fast else (
                ArrayBank(GoldenArray, config, table, n(100)))  # fmt: skip
            matrix = bank.matrix("a", n(120), n(127))
            bits = np.random.default_rng(2).integers(0, 2, (127, 120, 2))
            matrix.program(bits.astype(n))
            x = u.astype(np.float32 if fast else n)
            sums.append((bank.size, matrix.forward(x, n(127)).tolist()))
        assert sums[0] == sums[1]


CALLS = {
    "streams": lambda n: lfsr.stream_states(n(100), n(100), n(120)),
    "leap": lambda n: lfsr.leap_matrix(n(100)),
    "draws": lambda n: lfsr.Streams(lfsr.stream_states(0, 0, 3), n(32)).draw(n(100)),
    "states": lambda n: lfsr.Streams(lfsr.stream_states(0, 0, 3), n(16)).states,
    "steering": lambda n: lfsr.injections(
        lfsr.stream_states(0, 0, 1), lfsr.stream_states(1, 0, 1), n(16)
    ),
    "cycles": lambda n: frames.cycles(Op.FORWARD, ARRAY, n(120), n(120)),
    "frame": lambda n: frames.read_frame(ARRAY, n(100), n(120)),
    "converted": lambda n: converted(np.linspace(-64, 64, 9), 1, 64, n(9), 0.0),
    "shapes": lambda n: notation.shapes([Block(n(100), n(3))], (n(120), n(120), n(100))),
    "matrices": lambda n: notation.matrices([Block(n(100), n(3))], (n(120), n(120), n(100))),
    "pixels": lambda n: quantise(np.arange(256, dtype=np.uint8), n(8)),
    "rate": lambda n: exponential_decay(0.1, 0.01, n(100), n(120)),
    "conversion": lambda n: load_costs().conversion_j(n(20)),
    "timing": lambda n: model.timing(load("default"), ARRAY, load_costs(), 1e-9, [n(100)]),
    "instruction": lambda n: asdict(timing.cycles(
        Instruction(code=Code.BACKWARD, in_height=n(120)), n(120), AcceleratorConfig())),
    "sized": lambda n: compiler.sized(
        [Block(n(100))], (n(120),), ArrayConfig(cols=64), n(2), n(100)
    ),
}  # fmt: skip


@pytest.mark.parametrize("number", TYPES, ids=lambda kind: kind.__name__)
@pytest.mark.parametrize("call", CALLS)
def test_functions(call, number):
    expected, got = CALLS[call](int), CALLS[call](number)
    if isinstance(expected, np.ndarray):
        assert expected.dtype == got.dtype
        assert np.array_equal(expected, got)
    else:
        assert expected == got


@pytest.mark.parametrize("number", TYPES, ids=lambda kind: kind.__name__)
def test_the_accelerator(number):
    def run(n):
        array = ArrayConfig(rows=64, cols=64)
        blocks, shape = [Block(n(40)), Block(n(10))], (n(100),)
        config = compiler.sized(blocks, shape, array, n(2), n(100))
        plan = Plan(blocks, shape, config, n(100), Settings())
        block = GoldenAccelerator(config)
        block.seed(n(100), n(100))
        words = np.random.default_rng(3).integers(0, 2, (20, 64)).astype(n)
        block.write(Space.ACTIVATIONS, words, n(100))
        program = [*plan.train_program(n(100), 0.01), *plan.infer_program(n(100))]
        return (
            block.read(Space.ACTIVATIONS, n(100), n(20)).tolist(), block.generators().tolist(),
            [step.words() for step in program], plan.states().tolist(), plan.demand(),
            block.tile(n(1)).read(n(10), n(20)).tolist(),
        )  # fmt: skip

    assert run(int) == run(number)


def test_nothing_else_is_taken_for_an_integer():
    for value in (1.0, "1", True, np.float32(1), np.True_, None):
        with pytest.raises(TypeError, match=r"^rows must be an integer, not "):
            dataclasses.replace(ARRAY, rows=value)

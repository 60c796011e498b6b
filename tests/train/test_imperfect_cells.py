"""Unequal, stuck, disturbed and ageing cells in arrays and runs."""

import math
from types import SimpleNamespace

import numpy as np
import pytest
from training import ARRAY, CONFIG, SPLIT, Stop, build, files, stop_at

from golden.array.golden import GoldenArray
from golden.array.interface import SynapseArray
from golden.codes import AP_TO_P
from golden.config import ArrayConfig
from golden.device import curve, junction
from golden.device.nonideal import NonIdealities
from golden.pulse.design import CoderConfig
from golden.pulse.table import tanh_table
from golden.train.conditions import Conditions

# Reads that disturb are simulated; fewer trials do here.
TRIALS = 1 << 14
CURVE = curve.load(junction.load("default"))


@pytest.fixture(autouse=True)
def _few_trials(monkeypatch):
    monkeypatch.setattr("golden.train.conditions._READ_TRIALS", TRIALS)


def conditions_for(settings, array=ARRAY, seed=0, name=None):
    shape = curve.load(junction.load(name)) if name else CURVE
    return Conditions(array, shape, settings, CoderConfig(), seed=seed)


def equipped(settings, array=ARRAY, seed=0, name=None):
    around = conditions_for(settings, array, seed, name)
    cells = GoldenArray(around.config)
    cells.load_table(around.table)
    cells.seed(seed)
    around.equip(cells, 0)
    return around, cells


def bank(array, used=None):
    return SimpleNamespace(arrays=[array], used=lambda _: used or array.config.cols)


def test_stuck_cells_never_move():
    settings = NonIdealities(stuck_p=0.2, stuck_ap=0.1)
    around, array = equipped(settings, ArrayConfig(rows=64, cols=64))
    shape = (64, 64, 2)
    array.program(np.zeros(shape, bool))
    stuck_p = array.read()
    array.program(np.ones(shape, bool))
    stuck_ap = ~array.read()
    # Five standard errors of a share of 8192 cells.
    assert abs(stuck_p.mean() - 0.2) < 5 * math.sqrt(0.16 / 8192)
    assert abs(stuck_ap.mean() - 0.1) < 5 * math.sqrt(0.09 / 8192)
    full = np.ones((64, 64), int)
    for sign in (1, -1):
        array.update(2 * sign * full, 0 * full, blind=True)
        bits = array.read()
        assert bits[stuck_p].all()
        assert not bits[stuck_ap].any()
    array.age(np.array([around.table.scale] * 2))
    assert array.read()[stuck_p].all()


def test_spread_cells_switch_each_with_its_own_probability():
    """Shares of cells that switch at a code: across the array like the mean over the groups, and
    the groups apart."""
    settings = NonIdealities(critical_current_spread=0.15)
    around, array = equipped(settings, ArrayConfig(rows=64, cols=64))
    assert around.config.variant_bits == 4
    assert around.table.variants.shape == (15, 32, 2)
    code = int(np.argmin(np.abs(around.table.probabilities - 0.5)))
    switched = np.zeros((64, 64))
    rounds = 50
    for _ in range(rounds):
        array.program(np.zeros((64, 64, 2), bool))  # both cells AP: an up pulse drives m1 alone
        array.update(np.zeros((64, 64), int), np.full((64, 64), code))
        switched += array.read()[..., 0]
    shares = switched / rounds
    expected = around.table.variants[:, code, AP_TO_P].mean() / around.table.scale
    single = (around.table.variants[:, code, AP_TO_P] / around.table.scale).std()
    assert abs(shares.mean() - expected) < 5 * (single / 64 + 0.5 / 64 / math.sqrt(rounds))
    # A fair coin for all would spread the shares by 0.07.
    assert shares.std() > 0.8 * single > 0.13


def test_the_same_seed_gives_the_same_cells():
    settings = NonIdealities(stuck_p=0.2, stability_spread=0.1)

    def stuck(seed):
        _, array = equipped(settings, seed=seed)
        array.program(np.zeros((ARRAY.cols, ARRAY.rows, 2), bool))
        return array.read()

    assert np.array_equal(stuck(1), stuck(1))
    assert not np.array_equal(stuck(1), stuck(2))


def test_retention_is_a_markov_chain_of_two_states():
    config = ArrayConfig(rows=64, cols=64)
    for time_s in (0.02, 0.2, 1e3):
        around, array = equipped(NonIdealities(retention_s=time_s), config)
        array.program(np.ones((64, 64, 2), bool))
        around.store(bank(array))
        # In-plane: one attempt a tau0, and P = 1 - exp(-r t) of one way only.
        default = junction.load("default")
        rate = math.exp(-default.stability) / default.tau0_s
        expected = (1 - math.exp(-2 * rate * time_s)) / 2
        share = 1 - array.read().mean()
        assert abs(share - expected) < 5 * math.sqrt(0.25 / 8192) + 1e-3, time_s


def test_unequal_barriers_forget_sooner():
    """The mean over cells of their own probabilities, from the closed formula."""
    time_s, sigma = 1e-3, 0.1
    around, array = equipped(
        NonIdealities(retention_s=time_s, stability_spread=sigma), ArrayConfig(rows=64, cols=64)
    )
    array.program(np.ones((64, 64, 2), bool))
    around.store(bank(array))
    z = np.linspace(-6, 6, 4001)
    weight = np.exp(-(z**2) / 2)
    default = junction.load("default")
    delta = default.stability * np.exp(sigma * z - sigma**2 / 2)
    flipped = -np.expm1(-2 * np.exp(-delta) / default.tau0_s * time_s) / 2
    expected = float(flipped @ weight / weight.sum())
    equal = -math.expm1(-2 * math.exp(-default.stability) / default.tau0_s * time_s) / 2
    assert expected > 2 * equal
    # Five standard errors of 8192 cells and of the 1920 cells sampled for the groups.
    allowed = 5 * math.hypot(math.sqrt(expected / 8192), float(np.sqrt(
        (flipped**2 @ weight / weight.sum() - expected**2) / 1920)))  # fmt: skip
    assert abs(1 - array.read().mean() - expected) < allowed


def test_columns_not_in_use_do_not_age():
    around, array = equipped(NonIdealities(retention_s=1e3), ArrayConfig(rows=64, cols=8))
    array.program(np.ones((8, 64, 2), bool))
    around.store(bank(array, used=3))
    bits = array.read()
    assert bits[3:].all()
    assert not bits[:3].all()


@pytest.mark.parametrize("kelvin", [900.0, 2000.0])
def test_a_temperature_beyond_the_magnet_is_refused_at_once(kelvin):
    with pytest.raises(ValueError, match=rf"^retention_k = {kelvin:g} is too hot: "):
        conditions_for(NonIdealities(retention_s=1.0, retention_k=kelvin))
    with pytest.raises(ValueError, match=rf"^temperature_k = {kelvin:g} is too hot: "):
        conditions_for(NonIdealities(temperature_k=kelvin))


def test_a_hot_memory_forgets_all():
    around = conditions_for(NonIdealities(retention_s=1.0, retention_k=900.0), name="retention")
    assert (around._lost <= 0.5).all()
    assert (around._lost > 0.49).all()


def test_heat_shortens_retention():
    lost = []
    for kelvin in (0.0, 350.0):
        settings = NonIdealities(retention_s=0.01, retention_k=kelvin)
        around, array = equipped(settings, ArrayConfig(rows=64, cols=64))
        array.program(np.ones((64, 64, 2), bool))
        around.store(bank(array))
        lost.append(1 - array.read().mean())
    assert 0 < lost[0] < lost[1] / 3


NOISY = NonIdealities(
    adc_bits=4, adc_noise=0.5, backward_adc_bits=5, wire_ohm=0.1, stuck_p=0.02,
    read_disturb=True, critical_current_spread=0.1, amplitude_noise=0.02,
)  # fmt: skip


def test_a_killed_run_under_rough_conditions_ends_the_same(tmp_path):
    def trainer(folder, **options):
        around = conditions_for(NOISY, seed=CONFIG.seed)
        return build(CONFIG, ARRAY, SPLIT, out=folder, conditions=around, **options)

    unbroken = trainer(tmp_path / "a").run()
    with pytest.raises(Stop):
        trainer(tmp_path / "b", on_batch=stop_at(3, 2)).run()
    resumed = trainer(tmp_path / "b")
    assert resumed.resume() == 2
    assert resumed.run() == unbroken
    assert files(tmp_path / "a") == files(tmp_path / "b")


def test_a_checkpoint_of_other_conditions_is_refused(tmp_path):
    def trainer(settings, **options):
        around = conditions_for(settings, seed=CONFIG.seed)
        return build(CONFIG, ARRAY, SPLIT, out=tmp_path, conditions=around, **options)

    first = trainer(NonIdealities(), on_batch=stop_at(2, 1))
    with pytest.raises(Stop):
        first.run()
    with pytest.raises(ValueError, match=r"was made with adc_bits = 0, not 5$"):
        trainer(NonIdealities(adc_bits=5)).resume()


def test_a_table_alone_has_no_physics():
    for settings in (NonIdealities(amplitude_noise=0.1), NonIdealities(retention_s=1.0)):
        with pytest.raises(ValueError, match=r"^the non-idealities need a device, but there is"):
            Conditions(ARRAY, None, settings, CoderConfig(), table=tanh_table(ARRAY))
    stuck = NonIdealities(stuck_p=0.1)
    around = Conditions(ARRAY, None, stuck, CoderConfig(), table=tanh_table(ARRAY))
    assert around.config.variant_bits == 1


def test_a_fixed_table_refuses_what_would_change_it():
    with pytest.raises(
        ValueError, match=r"^amplitude_noise = 0\.1 cannot be combined with a table, "
    ):
        Conditions(
            ARRAY, CURVE, NonIdealities(amplitude_noise=0.1), CoderConfig(),
            table=tanh_table(ARRAY),
        )  # fmt: skip


def test_other_arrays_read_exactly_or_not_at_all():
    class Other(SynapseArray):
        pass

    Other.__abstractmethods__ = frozenset()
    around = conditions_for(NonIdealities(wire_ohm=1.0))
    with pytest.raises(ValueError, match=r"^adc_bits, adc_noise, .* need a golden array, not "):
        around.equip(Other(ARRAY), 0)


def test_converters_show_in_the_sums():
    around, array = equipped(NonIdealities(adc_bits=3), ArrayConfig(rows=64, cols=4))
    ones = np.ones((4, 64, 2), bool)
    ones[..., 1] = False
    array.program(ones)
    u = np.ones((1, 64), int)
    u[0, 40:] = 0
    assert array.forward(u).tolist() == [[43] * 4]  # steps of 64 / 3: the nearest to 40
    del around

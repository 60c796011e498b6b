"""Energy, efficiency and speed against sums done by hand, with the numbers written out."""

import dataclasses

import numpy as np
import pytest
from worked_activity import BACKWARD, UPDATE, counts

from golden import device
from golden.array.activity import bits_set
from golden.config import ArrayConfig
from golden.device.junction import Device
from golden.energy import costs, model
from golden.energy.costs import Costs
from golden.energy.model import ARRAY_PARTS, PERIPHERY_PARTS, PHASES

ARRAY = ArrayConfig(rows=3, cols=5, error_bits=4)
# Read: 0.2^2 x 3 ns / (1 + 1) kohm = 60 fJ in P, / (3 + 1) kohm = 30 fJ in AP.
# Pulse: 0.8^2 / 2 kohm = 320 uW in P, / 4 kohm = 160 uW in AP.
JUNCTION = dataclasses.replace(
    device.load("default"),
    r_on_ohm=1e3, r_off_ohm=3e3, r_access_ohm=1e3,
    v_read_v=0.2, t_read_s=3e-9, v_write_v=0.8, t_write_s=5e-9,
)  # fmt: skip
COSTS = Costs(
    adc_j_per_step=1e-15, adc_s=2e-9, line_f_per_cell=3e-15, gate_f_per_cell=7e-15, gate_v=2.0,
    supply_efficiency=0.5, add_j=11e-15, buffer_j_per_bit=13e-15, clock_j_per_row=17e-15,
)  # fmt: skip
TICK_S = 1e-12


def spent(config: ArrayConfig = ARRAY, junction: Device = JUNCTION, adc_bits: int | None = None,
          backward_adc_bits: int | None = None, exact: bool = False,
          **values: float) -> model.Energies:  # fmt: skip
    return model.energy(
        counts(**values), junction, TICK_S, config, COSTS, adc_bits, backward_adc_bits, exact=exact
    )


def close(value: float) -> object:
    return pytest.approx(value, rel=1e-12, abs=0)


FORWARD = {
    "forward_conversions": 10, "forward_drives": 4, "forward_products": 9,
    "forward_cells_p": 25, "forward_cells_ap": 15,
}  # fmt: skip


# --- one operation ---


def test_reads_and_pulses_of_the_default_device():
    junction = device.load("default")  # 1.5 and 2.5 kohm, 0.1 V for 0.5 ns, 1 V
    assert model.read_j(junction) == (close(10e-3 * 0.5e-9 / 1500), close(2e-15))
    assert model.pulse_w(junction) == (close(1 / 1500), close(0.4e-3))


def test_transistor_is_in_series():
    assert model.read_j(JUNCTION) == (close(60e-15), close(30e-15))
    assert model.pulse_w(JUNCTION) == (close(320e-6), close(160e-6))


def test_resistance_is_that_at_the_voltage():
    # Half of 2 kohm at the voltage where the ratio has halved: 0.5 V over a junction of 2 kohm
    # means 0.75 V over it and the transistor.
    junction = dataclasses.replace(JUNCTION, half_tmr_v=0.5, v_write_v=0.75)
    assert model.pulse_w(junction)[1] == pytest.approx(0.75**2 / 3e3, rel=1e-9)
    assert model.pulse_w(junction)[0] == close(0.75**2 / 2e3)


@pytest.mark.parametrize("error_bits", [2, 3, 8])
def test_bits_set_is_the_mean_over_all_magnitudes(error_bits):
    magnitudes = range(1, 2 ** (error_bits - 1))
    mean = sum(bin(magnitude).count("1") for magnitude in magnitudes) / len(magnitudes)
    assert bits_set(ArrayConfig(error_bits=error_bits)) == close(mean)


# --- a run ---


def test_forward_by_hand():
    forward = spent(**FORWARD)["forward"]
    assert forward == {
        "cells": close(25 * 60e-15 + 15 * 30e-15),
        "converters": close(10 * 8 * 1e-15),  # sums of -3 to 3: 3 bits
        # 2 lines of 5 cells to 0.2 V a drive, a select line of 6 cells to 2 V a column
        "drivers": close(4 * 10 * 3e-15 * 0.04 + 10 * 6 * 7e-15 * 4),
        "supply": close(25 * 60e-15 + 15 * 30e-15),  # half is lost
        # 2 bits a drive; 3 bits and an addition a sum; 3 rows clocked once a column
        "digital": close(4 * 2 * 13e-15 + 10 * (3 * 13e-15 + 11e-15) + 10 * 3 * 17e-15),
    }


def test_backward_by_hand():
    backward = spent(**BACKWARD)["backward"]
    ones = 12 / 7  # of 1 to 7
    cells = ones * (20 * 60e-15 + 22 * 30e-15)
    # back_bits: sums of -5 x 8 to 5 x 8 take 7 bits
    assert backward == {
        "cells": close(cells),
        "converters": close(6 * 3 * 16 * 1e-15),  # 3 bit planes, sums of -5 to 5: 4 bits
        "drivers": close(7 * ones * 6 * 3e-15 * 0.04 + 6 * 3 * 10 * 7e-15 * 4),
        "supply": close(cells),
        "digital": close(
            7 * 4 * 13e-15 + 6 * 7 * 13e-15 + 6 * 3 * 11e-15 + 6 * 3 * 3 * 17e-15
        ),
    }  # fmt: skip


def test_update_by_hand():
    update = spent(**UPDATE)["update"]
    idle = 100e-12 * 320e-6 + 700e-12 * 160e-6  # already in P, already in AP
    failed = 300e-12 * 160e-6 + 900e-12 * 320e-6  # still in AP, still in P
    switched = 4000e-12 * 240e-6  # half of it in each
    assert update == {
        "idle": close(idle),
        "failed": close(failed),
        "switched": close(switched),
        "access": 0,
        "converters": 0,
        "drivers": close(17 * 5 * 3e-15 * 0.64 + 2 * 6 * 7e-15 * 4),
        "supply": close(idle + failed + switched),
        "digital": close((2 * 3 + 17) * 11e-15 + 2 * 3 * 17e-15),
    }


def test_exact_rule_reads_every_cell_of_a_column():
    blind, exact = (spent(exact=exact, **UPDATE)["update"] for exact in (False, True))
    assert exact["access"] == close(2 * 6 * 45e-15)
    assert exact["converters"] == close(2 * 6 * 2 * 1e-15)  # one bit
    assert exact["supply"] - blind["supply"] == pytest.approx(2 * 6 * 45e-15)
    for part in ("idle", "failed", "switched", "drivers", "digital"):
        assert exact[part] == blind[part]


def test_reading_and_programming_columns():
    assert spent(columns_read=4)["update"]["access"] == close(4 * 6 * 45e-15)
    programmed = spent(columns_programmed=4)["update"]
    assert programmed["access"] == close(4 * 6 * 240e-6 * 5e-9)
    assert programmed["drivers"] == close(4 * 6 * 5 * 3e-15 * 0.64 + 4 * 6 * 7e-15 * 4)


def test_converter_bits_can_be_given():
    chosen = spent(adc_bits=6, backward_adc_bits=6, **FORWARD, **BACKWARD)
    assert chosen["forward"]["converters"] == close(10 * 64 * 1e-15)
    assert chosen["backward"]["converters"] == close(18 * 64 * 1e-15)


def test_shared_cycles_share_the_clock():
    wide = dataclasses.replace(ARRAY, cols=4, columns_per_cycle=2)
    one = dataclasses.replace(wide, columns_per_cycle=1)
    saved = (
        spent(one, **FORWARD)["forward"]["digital"] - spent(wide, **FORWARD)["forward"]["digital"]
    )
    assert saved == pytest.approx(5 * 3 * 17e-15)


def test_nothing_done_takes_nothing():
    nothing = spent()
    assert all(joules == 0 for phase in nothing.values() for joules in phase.values())
    assert model.total(nothing) == 0
    assert model.efficiency(counts(), nothing, ARRAY) == {}


def test_totals_are_the_sums_of_the_parts():
    everything = spent(exact=True, columns_read=3, **FORWARD, **BACKWARD, **UPDATE)
    assert set(everything) == set(PHASES)
    parts = [joules for phase in everything.values() for joules in phase.values()]
    assert model.total(everything) == close(sum(parts))
    assert model.total(everything) == close(sum(model.total(everything, p) for p in PHASES))
    for phase, values in everything.items():
        assert set(values) <= set(ARRAY_PARTS + PERIPHERY_PARTS)
        around = sum(values[part] for part in PERIPHERY_PARTS)
        alone = model.total(everything, phase, periphery=False)
        assert alone + around == close(model.total(everything, phase))
    assert model.total(everything, periphery=False) == close(
        sum(everything[p][part] for p in PHASES for part in ARRAY_PARTS if part in everything[p])
    )


def test_energy_is_linear_in_the_activity():
    once = spent(**FORWARD, **BACKWARD, **UPDATE)
    thrice = spent(**{k: 3 * v for k, v in (FORWARD | BACKWARD | UPDATE).items()})
    for phase in PHASES:
        for part, joules in once[phase].items():
            assert thrice[phase][part] == close(3 * joules)


def test_bounds_of_switching_pulses():
    activity = counts(**UPDATE)
    low, high = model.switched_bounds(activity, JUNCTION, TICK_S)
    assert (low, high) == (close(4000e-12 * 160e-6), close(4000e-12 * 320e-6))
    assert (low + high) / 2 == close(spent(**UPDATE)["update"]["switched"])


def test_operations_by_hand():
    assert model.operations(counts(**FORWARD, **BACKWARD, **UPDATE), ARRAY) == {
        "forward": {"all": 2 * 10 * 3, "done": 2 * 9},
        "backward": {"done": 2 * 8},
        "update": {"all": 2 * 3, "done": 17 / 2},
    }


def test_efficiency_is_operations_a_joule():
    activity = counts(**FORWARD, **BACKWARD)
    found = model.efficiency(activity, spent(**FORWARD, **BACKWARD), ARRAY)
    assert set(found) == {"forward", "backward"}
    cells = 25 * 60e-15 + 15 * 30e-15
    assert found["forward"]["array"] == {"all": close(60 / cells), "done": close(18 / cells)}
    total = model.total(spent(**FORWARD), "forward")
    assert found["forward"]["periphery"]["all"] == close(60 / total)
    assert found["backward"]["array"]["done"] == close(
        16 / (12 / 7 * (20 * 60e-15 + 22 * 30e-15))
    )  # fmt: skip


# --- without a run ---


def test_expected_forward_of_a_full_vector():
    # All inputs and weights: a cell in P and one in AP each.
    assert model.expected_forward(ARRAY, 0.0, 0.0) == counts(
        forward_conversions=5, forward_drives=3, forward_products=15,
        forward_cells_p=15, forward_cells_ap=15,
    )  # fmt: skip
    binary = dataclasses.replace(ARRAY, synapse="binary")
    assert model.expected_forward(binary, 0.0, 0.0)["forward_cells_p"] == close(7.5)


@pytest.mark.parametrize("weak", [0.0, 0.25, 1.0])
def test_expected_forward_matches_drawn_inputs_and_weights(weak):
    rng = np.random.default_rng(0)
    u = rng.choice([0, 1], 3000, p=[0.4, 0.6])
    p = [0.35, 0.35, 0.3 * weak, 0.3 * (1 - weak)]
    states = rng.choice(4, (3000, 1000), p=p)  # +1, -1, weak, strong
    in_p = np.array([1, 1, 2, 0])[states]
    config = ArrayConfig(rows=3000, cols=1000)
    expected = model.expected_forward(config, 0.4, 0.3, weak)
    drawn = {
        "forward_drives": u.sum(),
        "forward_products": ((states < 2) * u[:, None]).sum(),
        "forward_cells_p": (in_p * u[:, None]).sum(),
        "forward_cells_ap": ((2 - in_p) * u[:, None]).sum(),
    }
    for name, number in drawn.items():
        assert expected[name] == pytest.approx(number, rel=0.06), name


def test_zero_inputs_save_reads_and_zero_weights_do_not():
    def joules(*shares: float) -> float:
        activity = model.expected_forward(ARRAY, *shares)
        found = model.energy(activity, JUNCTION, 0.0, ARRAY, COSTS)
        return model.total(found, "forward", periphery=False)

    assert joules(0.0, 0.0) == close(15 * 90e-15)
    assert joules(0.75, 0.0) == close(15 * 90e-15 / 4)
    assert joules(1.0, 0.0) == 0
    assert joules(0.0, 1.0, 1.0) == close(15 * 120e-15)  # (P, P)
    assert joules(0.0, 1.0, 0.0) == close(15 * 60e-15)  # (AP, AP)


def test_timing_by_hand():
    one, three = model.timing(JUNCTION, ARRAY, COSTS, 5e-9, [1, 3])
    # A read and a conversion: 3 ns + 2 ns. Five converters: one a column; two: up to three.
    assert one["forward_s"] == close(5e-9)
    assert one["forward_ops_per_s"] == close(30 / 5e-9)
    assert one["backward_s"] == close(3 * 1 * 5e-9)  # 3 bits, 3 rows on 5 converters
    assert three["converters"] == 2
    assert three["forward_s"] == close(15e-9)
    assert three["backward_s"] == close(3 * 2 * 5e-9)  # 3 rows on 2 converters
    assert three["backward_ops_per_s"] == close(30 / 30e-9)
    assert one["update_s"] == three["update_s"] == close(5 * 10e-9)
    assert one["update_ops_per_s"] == close(15 / 50e-9)
    exact = model.timing(JUNCTION, ARRAY, COSTS, 5e-9, [1], exact=True)[0]
    assert exact["update_s"] == close(5 * 15e-9)


def test_needs_of_the_published_figures():
    config = ArrayConfig()
    needed = model.published(device.load("default"), config)
    assert needed["forward_synapse_j"] == pytest.approx(109.29e-15, rel=1e-4)
    assert needed["forward_cells_j"] == pytest.approx(5.3333e-15, rel=1e-4)
    assert needed["forward_column_j"] == pytest.approx(64 * 103.96e-15, rel=1e-4)
    assert needed["forward_adc_j_per_step"] == pytest.approx(64 * 103.96e-15 / 256, rel=1e-4)
    assert needed["forward_read_s"] == pytest.approx(0.5e-9 * 109.29 / 5.3333, rel=1e-4)
    assert needed["update_j"] == pytest.approx(333.33e-15, rel=1e-4)
    assert needed["update_pulse_s"] == pytest.approx(333.33e-15 / 1.066667e-3, rel=1e-4)
    assert needed["update_pulse_share"] == pytest.approx(0.15625, rel=1e-4)


def test_needs_of_the_published_figures_give_them():
    config, junction = ArrayConfig(), device.load("default")
    needed = model.published(junction, config)
    around = dataclasses.replace(
        costs.load(), adc_j_per_step=needed["forward_adc_j_per_step"], line_f_per_cell=0,
        gate_f_per_cell=0, supply_efficiency=1, add_j=0, buffer_j_per_bit=0, clock_j_per_row=0,
    )  # fmt: skip
    activity = model.expected_forward(config, 0.0, 0.0)
    activity |= {"columns_updated": 64.0}
    activity |= {f"pulses_{to}_failed": 4096.0 for to in ("p", "ap")}
    activity |= {f"ticks_{to}_failed": 4096.0 for to in ("p", "ap")}
    found = model.energy(activity, junction, needed["update_pulse_s"], config, around)
    reached = model.efficiency(activity, found, config)
    for phase, figure in model.PUBLISHED.items():
        assert reached[phase]["periphery"]["all"] == close(figure)


# --- refusals ---


def test_activity_is_checked():
    activity = counts(**FORWARD)
    for name, value, error, message in (
        ("forward_drives", None, ValueError, r"^activity must hold 'forward_drives', not only "),
        ("ticks_p_idle", -1, ValueError, r"^activity\['ticks_p_idle'\] must be .*, not -1"),
        ("columns_read", float("nan"), ValueError, r"^activity\['columns_read'\] .* not nan"),
        ("columns_read", "2", TypeError, r"^activity\['columns_read'\] .* not '2'"),
    ):
        bad = {k: v for k, v in activity.items() if k != name}
        if value is not None:
            bad[name] = value
        with pytest.raises(error, match=message):
            model.energy(bad, JUNCTION, TICK_S, ARRAY, COSTS)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: spent(adc_bits=0), r"^adc_bits must be in 1 to 32, not 0$"),
        (lambda: spent(adc_bits=33), r"^adc_bits must be in 1 to 32, not 33$"),
        (lambda: model.energy(counts(), JUNCTION, -1, ARRAY, COSTS), "^tick_s .* not -1.0$"),
        (lambda: model.total(spent(), "sideways"), "^phase must be one of .*, not 'sideways'$"),
        (lambda: model.expected_forward(ARRAY, 1.5, 0), "^zero_inputs .* not 1.5$"),
        (lambda: model.expected_forward(ARRAY, 0, -0.5), "^zero_weights .* not -0.5$"),
        (lambda: model.expected_forward(ARRAY, 0, 0.5, 2), "^weak .* not 2.0$"),
        (
            lambda: model.expected_forward(dataclasses.replace(ARRAY, synapse="binary"), 0, 0.5),
            "^zero_weights must be finite and in 0 to 0, not 0.5$",
        ),
        (lambda: model.timing(JUNCTION, ARRAY, COSTS, 0, [1]), "^pulse_s must be positive"),
        (lambda: model.timing(JUNCTION, ARRAY, COSTS, 1e-9, [6]), "^sharing .* not 6$"),
    ],
)
def test_bad_arguments_are_named(call, message):
    with pytest.raises(ValueError, match=message):
        call()


# --- costs ---


def test_every_cost_has_a_source():
    default = costs.load()
    assert set(default.sources) == set(costs.NAMES)
    assert default.conversion_j(8) == close(34.4e-15 * 256)
    assert default.buffer_j_per_bit == close(10e-12 / 64)


def test_own_costs_replace_the_default_ones(tmp_path):
    path = tmp_path / "mine.toml"
    path.write_text('[add_j]\nvalue = 5e-15\nsource = "measured"\n')
    mine, default = costs.load(path), costs.load()
    assert (mine.add_j, mine.sources["add_j"]) == (5e-15, "measured")
    assert dataclasses.replace(mine, add_j=default.add_j, sources=default.sources) == default


@pytest.mark.parametrize(
    ("text", "error", "message"),
    [
        ("add_j = ", ValueError, r"mine\.toml is not a TOML file"),
        ('[ad_j]\nvalue = 1\nsource = "x"', ValueError, r"mine\.toml: unknown entry 'ad_j'; known"),
        ("add_j = 1e-15", ValueError, r"mine\.toml: add_j must have a value and a source, not 1e"),
        ("[add_j]\nvalue = 1", ValueError, r"mine\.toml: add_j must have a value and a source"),
        ('[add_j]\nvalue = -1\nsource = "x"', ValueError, r"mine\.toml: add_j .* not -1"),
        ('[add_j]\nvalue = "1"\nsource = "x"', TypeError, r"mine\.toml: add_j .* not '1'"),
        ("[add_j]\nvalue = 1\nsource = 2", TypeError, r"mine\.toml: add_j\.source .* not 2"),
        ('[supply_efficiency]\nvalue = 0\nsource = "x"', ValueError, "supply_efficiency .* not 0"),
        ('[supply_efficiency]\nvalue = 2\nsource = "x"', ValueError, "supply_efficiency .* not 2"),
    ],
)
def test_bad_costs_are_named(tmp_path, text, error, message):
    path = tmp_path / "mine.toml"
    path.write_text(text)
    with pytest.raises(error, match=message):
        costs.load(path)

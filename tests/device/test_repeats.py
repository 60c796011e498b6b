"""Rows that repeat a point: what is pooled, what is one value, and how rows differ."""

import copy
import json
import time
import tracemalloc

import numpy as np
import pytest
from commands import error_of, spintrit
from measurements import cut, noisy, points, precessional, shots, text_of, thermal
from scipy import stats

from golden.codes import AP_TO_P
from golden.pulse import tablefile
from spintrit.fitting.fit import fit
from spintrit.fitting.measured import Measured, read_csv
from spintrit.fitting.repeats import TOLERANCE, WIDEST, group, pool


def falling(pulse_ns, voltage_v):
    """Rises to 0.98 and falls again from 2.2 ns on."""
    return 0.98 * precessional(pulse_ns, voltage_v) - 0.2 * max(0.0, pulse_ns - 2.2)


def table(path, rows, capsys, options=""):
    """The table file, and the summary, of rows."""
    csv, out = path / "m.csv", path / "t.json"
    csv.write_text(text_of(rows))
    capsys.readouterr()
    assert spintrit(f"device fit {csv} -o {out} --json {options}") == 0
    return tablefile.load(out), json.loads(capsys.readouterr().out)


def figures(summary):
    """A summary without what names rows and lines."""
    kept = copy.deepcopy(summary["directions"])
    for each in kept.values():
        del each["rows"], each["repeats"], each["worst_residual"]["line"]
    return kept


def test_the_same_shots_come_to_the_same_however_they_are_cut(tmp_path, capsys):
    rows = shots(np.random.default_rng(1))
    whole, told = table(tmp_path, rows, capsys)
    for size in (30, 1):
        for order in (None, np.random.default_rng(2)):
            other, summary = table(tmp_path, cut(rows, size, order), capsys)
            assert figures(summary) == figures(told)
            assert (other.table.thresholds == whole.table.thresholds).all()
            assert (other.table.ticks == whole.table.ticks).all()
            assert other.provenance["band"] == whole.provenance["band"]
    assert told["directions"]["AP_to_P"]["rows"] == 36
    assert summary["directions"]["AP_to_P"]["rows"] == 10_800


def test_a_fall_is_refused_however_the_shots_are_cut(tmp_path, capsys):
    rows = shots(np.random.default_rng(3), falling, np.arange(2, 21) / 5)
    path, whys = tmp_path / "m.csv", []
    for size, order in ((300, None), (30, None), (1, None), (1, np.random.default_rng(4))):
        path.write_text(text_of(cut(rows, size, order)))
        told = error_of(f"device fit {path}", capsys)
        whys.append(told.partition(": the probability")[2].strip().partition("; these are")[0])
    assert whys == whys[:1] * 4
    assert "falls from 0.9" in whys[0]
    assert "s, by chance" in whys[0]
    assert told.endswith(
        "; these are the first of 300 and 300 rows that repeat the two points\n"
    )  # fmt: skip


@pytest.mark.parametrize("lengths", [0.0, 1e-3])
@pytest.mark.parametrize("volts", [1e-3, 3e-3])
@pytest.mark.parametrize("seed", range(3))
def test_noise_of_a_meter_changes_nothing_beyond_the_band(seed, volts, lengths, tmp_path, capsys):
    rng = np.random.default_rng(seed)
    rows = shots(rng)
    exact, _ = table(tmp_path, rows, capsys)
    read, summary = table(tmp_path, noisy(rows, rng, volts, lengths), capsys)
    assert read.provenance["full_s"] == pytest.approx(3e-9, rel=1e-3)
    assert read.provenance["voltage_v"] == pytest.approx(1.1, rel=1e-3)
    for name, direction in (("AP_to_P", 0), ("P_to_AP", 1)):
        assert len(summary["directions"][name]["voltages_v"]) == 3
        band = exact.provenance["band"]
        p = read.table.thresholds[:, direction] / read.table.scale
        assert (p >= np.array(band["low"][name]) - 2e-3).all()
        assert (p <= np.array(band["high"][name]) + 2e-3).all()


@pytest.mark.parametrize("tolerance", [TOLERANCE, 0.0])
def test_rounding_makes_no_second_voltage(tolerance):
    near = 0.9000000000000002
    assert near != 0.9
    measured = Measured(
        np.zeros(6, int), np.array([0.9, near] * 3), np.array([1, 1, 2, 2, 3, 3.0]) * 1e-9,
        np.array([0.1, 0.3, 0.6, 0.4, 0.9, 0.9]), np.full(6, 10), voltage_tolerance=tolerance,
    )  # fmt: skip
    assert measured.voltage_v == pytest.approx([0.9] * 3, rel=1e-15)
    assert measured.probability.tolist() == [0.2, 0.5, 0.9]
    assert measured.trials.tolist() == [20] * 3
    assert measured.rows.tolist() == [2] * 3
    assert measured.lines.tolist() == [1, 3, 5]


def one(values, tolerance=TOLERANCE):
    return group(np.array(values), np.ones(len(values), int), tolerance)


def test_voltages_that_are_meant_to_differ_stay_apart():
    for step in (1.05, 1.01):
        values = 0.9 * step ** np.arange(10)
        assert one(values).values.tolist() == values.tolist()
    assert one([1.0, 1.004]).values == pytest.approx([1.002])
    assert one([1.0, 1.004], 0.003).values.tolist() == [1.0, 1.004]
    assert group(np.array([1.0, 1.004]), np.array([3, 1]), 0.005).values == pytest.approx([1.001])


def test_groups_do_not_chain():
    rng = np.random.default_rng(5)
    for values in (np.linspace(0.9, 1.1, 60), rng.uniform(0.9, 1.1, 5000)):
        found = one(values)
        assert found.spread <= WIDEST * TOLERANCE
        assert found.cut == (values.min(), values.max())
        for number, value in enumerate(found.values):
            members = values[found.index == number]
            assert members.min() <= value <= members.max()
        order = rng.permutation(len(values))
        assert one(values[order]).values.tolist() == found.values.tolist()
    assert one([0.9, 0.95, 1.0]).cut is None


def test_a_sweep_in_steps_below_the_tolerance_is_told(tmp_path, capsys):
    rows = shots(
        np.random.default_rng(6), voltage_v=[float(f"{1 + i / 250:.3f}") for i in range(9)]
    )
    path = tmp_path / "m.csv"
    path.write_text(text_of(rows))
    assert spintrit(f"device fit {path}") == 0
    told = capsys.readouterr().err
    assert told.startswith("spintrit: warning: voltages from 1 to 1.032 V follow each other in ")
    assert told.count("\n") == 1
    _, summary = table(tmp_path, rows, capsys, "--voltage-tolerance 0.001")
    assert len(summary["directions"]["AP_to_P"]["voltages_v"]) == 9
    assert not capsys.readouterr().err
    error = error_of(f"device fit {path} --voltage-tolerance 2", capsys)
    assert "voltage_tolerance must be finite and in 0 to 0.5, not 2" in error


def test_one_voltage_is_asked_for_as_it_was_set():
    rng = np.random.default_rng(7)
    rows = noisy(shots(rng, thermal, np.geomspace(2, 90, 9), [0.3]), rng)
    names, volts, lengths, k, n = (np.array(column) for column in zip(*rows, strict=True))
    codes = (names == "P_to_AP").astype(int)
    found = fit(Measured(codes, volts, lengths, k / n, n))
    [volt] = found.curves[AP_TO_P].voltages_v
    assert volt != 0.3
    query = np.array([20e-9])
    assert found.probability(AP_TO_P, query, 0.3) == pytest.approx(1 - np.exp(-1), abs=0.05)
    assert found.covers(AP_TO_P, query, 0.3).all()
    with pytest.raises(ValueError, match="the only one measured"):
        found.probability(AP_TO_P, query, 0.305)


def test_shares_without_trials_are_averaged():
    measured = points([0.0, 1.0, 0.0, 0.5, 0.9], None, np.array([1, 1, 1, 2, 3]) * 1e-9)
    assert measured.probability == pytest.approx([1 / 3, 0.5, 0.9])
    assert measured.trials is None


def test_chi2_of_rows_is_that_of_a_contingency_table():
    rng = np.random.default_rng(8)
    n = rng.integers(20, 200, 30)
    k = rng.binomial(n, 0.4)
    short = (np.array([0, 1, 1]), np.array([1, 1, 5]))  # say nothing of how rows differ
    found = pool(
        np.zeros(33, int), np.concatenate([k / n, short[0] / short[1]]),
        np.concatenate([n, short[1]]),
    )  # fmt: skip
    expected = stats.chi2_contingency(np.stack([k, n - k]), correction=False)
    assert found.chi2 == pytest.approx([expected.statistic])
    assert found.freedom.tolist() == [expected.dof] == [29]
    assert found.trials.tolist() == [n.sum() + 7]


def sessions(rng, apart):
    """Eight sessions of 500 shots at each of 8 lengths, whose ln tau differ by ``apart``."""
    lengths = np.geomspace(4, 60, 8)
    rows = []
    for _ in range(8):
        own = lengths * np.exp(apart * rng.standard_normal(8))
        k = rng.binomial(500, thermal(own, 0.3))
        rows += [("AP_to_P", 0.3, t * 1e-9, int(a), 500) for t, a in zip(lengths, k, strict=True)]
    return rows


def fitted(tmp_path, rows):
    path = tmp_path / "m.csv"
    path.write_text(text_of(rows))
    found = fit(read_csv(path))
    low, high = found.band(AP_TO_P, np.array([20e-9]), 0.3)
    return float((high - low)[0]), found.summary()["directions"]["AP_to_P"]


def test_sessions_that_differ_are_told(tmp_path, capsys):
    """The scatter of points widens the bands, however the shots are divided into rows. The scatter
    of rows is reported separately; single shots cannot show it."""
    rng = np.random.default_rng(9)
    rows = sessions(rng, 0.25)
    wide, told = fitted(tmp_path, rows)
    assert told["repeats"]["differ"]
    assert told["repeats"]["degrees_of_freedom"] == 56
    assert told["repeats"]["dispersion"] > 3
    assert told["dispersion"] > 1.5
    assert spintrit(f"device fit {tmp_path / 'm.csv'}") == 0
    shown = " ".join(capsys.readouterr().out.split())
    assert "Rows that repeat a point differ by more than chance (dispersion" in shown
    singly, told = fitted(tmp_path, cut(rows, 1))
    assert singly == wide
    assert told["repeats"] == {
        "degrees_of_freedom": 0, "dispersion": None, "chance": None, "differ": False
    }  # fmt: skip

    alike, told = fitted(tmp_path, sessions(rng, 0.0))
    assert not told["repeats"]["differ"]
    assert told["repeats"]["dispersion"] == pytest.approx(1, abs=0.5)
    assert wide > 1.2 * alike


def test_a_million_shots_take_time_and_memory_by_their_number():
    rng = np.random.default_rng(10)
    n = 1_000_000
    volts = rng.choice([0.9, 1.0, 1.1], n) * (1 + 1e-3 * rng.standard_normal(n))
    lengths = rng.integers(1, 13, n) * 0.25e-9
    switched = (rng.random(n) < precessional(lengths * 1e9, volts)).astype(float)
    tracemalloc.start()
    start = time.process_time()
    measured = Measured(np.zeros(n, int), volts, lengths, switched, np.ones(n, int))
    seconds, peak = time.process_time() - start, tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert len(measured.rows) == 36
    assert measured.trials.sum() == n
    assert peak < 200 * n
    assert seconds < 20  # about 1 s alone


def test_many_points_are_compared_in_little_memory():
    """3,000 lengths at one voltage, 4.5 million pairs."""
    rng = np.random.default_rng(11)
    n = 3000
    lengths = 1e-9 * 1.01 ** np.arange(n)
    k = rng.binomial(100, np.linspace(0.2, 0.8, n))
    tracemalloc.start()
    measured = points(k / 100, 100, lengths)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert len(measured.rows) == n
    assert peak < 100e6


@pytest.mark.parametrize("trials", [1, 5, 40, 3000, 10**7, 10**12])
def test_chances_of_falls_are_fishers(trials):
    rng = np.random.default_rng(12)
    p = rng.choice([0.001, 0.5, 0.97], 200)
    shares = rng.binomial(trials, p) / trials
    measured = object.__new__(Measured)
    object.__setattr__(measured, "probability", shares)
    object.__setattr__(measured, "trials", np.full(200, trials))
    low, high = (a.ravel() for a in np.meshgrid(np.arange(200), np.arange(200)))
    start = time.process_time()
    i, j, chance = measured._chances(low, high)
    assert time.process_time() - start < 5
    if trials <= 3000:
        kept = set(zip(i.tolist(), j.tolist(), strict=True))
        k = np.rint(shares * trials)
        exact = stats.hypergeom.sf(k[low] - 1, 2 * trials, k[low] + k[high], trials)
        lost = [e for a, b, e in zip(low, high, exact, strict=True) if (a, b) not in kept]
        assert min(lost) > 1e-3
        given = stats.hypergeom.sf(k[i] - 1, 2 * trials, k[i] + k[j], trials)
        assert chance == pytest.approx(given, rel=1e-9)

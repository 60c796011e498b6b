"""Measured switching data: what is read from a file, and what is refused."""

import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from measurements import points
from scipy import stats

from golden.codes import AP_TO_P, P_TO_AP
from spintrit.fitting.measured import ALPHA, Measured, read_csv

EXAMPLES = Path(__file__).parents[2] / "docs" / "examples"
COUNTS = "direction,voltage_v,pulse_s,switched,trials\n"
SHARES = "direction,voltage_v,pulse_s,probability\n"


def write(tmp_path, text):
    path = tmp_path / "m.csv"
    path.write_text(text)
    return path


def test_csv_in_any_order_with_comments(tmp_path):
    text = (
        "\ufeff# made up\n\n trials,pulse_s, voltage_v,switched,direction\n"
        '100,1e-9,0.9,0,P_to_AP\n# "between\n1e2,2e-9,0.9,25,P_to_AP\n\n50,1e-9,1,50,AP_to_P\n'
    )
    measured = read_csv(write(tmp_path, text))
    # In rising order of direction, voltage and length.
    assert measured.direction.tolist() == [AP_TO_P, P_TO_AP, P_TO_AP]
    assert measured.voltage_v.tolist() == [1.0, 0.9, 0.9]
    assert measured.pulse_s.tolist() == [1e-9, 1e-9, 2e-9]
    assert measured.probability.tolist() == [1.0, 0.0, 0.25]
    assert measured.trials.tolist() == [50, 100, 100]
    assert measured.lines.tolist() == [8, 4, 6]


def test_csv_with_probability_alone_and_with_trials(tmp_path):
    row = "AP_to_P,1,1e-9,0.125"
    measured = read_csv(write(tmp_path, SHARES + row))
    assert (measured.probability.tolist(), measured.trials) == ([0.125], None)
    measured = read_csv(write(tmp_path, SHARES.strip() + ",trials\n" + row + ",40\n"))
    assert (measured.probability.tolist(), measured.trials.tolist()) == ([0.125], [40])


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", r" is empty"),
        ("# nothing\n\n", r" is empty"),
        (COUNTS, r" holds no points"),
        ("direction,voltage_v,switched,trials\n", r", line 1: column pulse_s is missing"),
        ("# a\n" + COUNTS[:-8] + "\n", r", line 2: column trials is missing, which switched needs"),
        (SHARES[:-13] + "\n", r", line 1: there must be a column switched or a column probability"),
        (COUNTS[:-1] + ",probability\n", r", line 1: there must be a column switched or a column "),
        (COUNTS[:-1] + ",colour\n", r", line 1: unknown column 'colour'; known are direction, "),
        (COUNTS[:-1] + ",trials\n", r", line 1: column trials is there twice"),
        (COUNTS + "AP_to_P,1,1e-9,5\n", r", line 2: 5 columns expected, not 4"),
        (COUNTS + "up,1,1e-9,5,9\n", r", line 2: direction must be one of AP_to_P, .*, not 'up'"),
        (COUNTS + "AP_to_P,1 V,1e-9,5,9\n", r", line 2: voltage_v must be a number, not '1 V'"),
        (COUNTS + "AP_to_P,1,nan,5,9\n", r", line 2: pulse_s must be a number, not 'nan'"),
        (COUNTS + "AP_to_P,1,,5,9\n", r", line 2: pulse_s must be a number, not ''"),
        (
            COUNTS + "AP_to_P,1,-1e-9,5,9\n",
            r", line 2: pulse_s must be in 1e-18 to 1e\+06, not -1e-09",
        ),
        (COUNTS + "AP_to_P,1,1e300,5,9\n", r", line 2: pulse_s must be in .*, not 1e\+300"),
        (
            COUNTS + "AP_to_P,0,1e-9,5,9\n",
            r", line 2: voltage_v must be in 1e-06 to 10, not 0",
        ),
        (COUNTS + "AP_to_P,1,1e-9,10,9\n", r", line 2: switched must be at most trials = 9, not 1"),
        (
            COUNTS + "AP_to_P,1,1e-9,2.5,9\n",
            r", line 2: switched must be a whole number .* not 2\.5",
        ),
        (COUNTS + "AP_to_P,1,1e-9,-1,9\n", r", line 2: switched must be a whole number in 0 to "),
        (COUNTS + "AP_to_P,1,1e-9,0,0\n", r", line 2: trials must be a whole number in 1 to "),
        (SHARES + "AP_to_P,1,1e-9,1.5\n", r", line 2: probability must be in 0 to 1, not 1\.5"),
        (SHARES + "AP_to_P,1,1e-9,-0.5\n", r", line 2: probability must be in 0 to 1, not -0\.5"),
        (
            SHARES + "AP_to_P,1,2e-9,0.4\nP_to_AP,1,3e-9,0.1\nAP_to_P,1,1e-9,0.5\n",
            r", lines 2 and 4: the probability of AP_to_P falls from 0\.5 at 1e-09 s to 0\.4 at "
            r"2e-09 s; if this may be chance, give the number of trials in a column trials",
        ),
        (
            SHARES + "P_to_AP,1,1e-9,0.5\nP_to_AP,2,1e-9,0.4\n",
            r", lines 2 and 3: the probability of P_to_AP falls from 0\.5 at 1 V to 0\.4 at 2 V; ",
        ),
        (
            COUNTS + "AP_to_P,1,1e-9,90,100\nAP_to_P,1,2e-9,10,100\n",
            r", lines 2 and 3: .* falls from 0\.9 .* to 0\.1 .*, by chance 3e-33 ",
        ),
    ],
)
def test_csv_refusals_name_file_and_line(tmp_path, text, message):
    path = write(tmp_path, text)
    with pytest.raises(ValueError, match=f"^{re.escape(str(path))}{message}"):
        read_csv(path)


def test_csv_that_is_no_text(tmp_path):
    path = tmp_path / "m.csv"
    path.write_bytes(b"direction,\xff\xfe\n")
    with pytest.raises(ValueError, match=r"m\.csv is not UTF-8 text: "):
        read_csv(path)
    path.write_text(COUNTS + "x" * 200_000)
    with pytest.raises(ValueError, match=r"m\.csv, line 2: field larger than field limit"):
        read_csv(path)
    with pytest.raises(OSError, match="nowhere"):
        read_csv(tmp_path / "nowhere.csv")


@pytest.mark.parametrize(
    ("change", "error", "message"),
    [
        ({"direction": []}, ValueError, "^measured holds no points"),
        ({"direction": [0, 2]}, ValueError, r"^direction\[1\] must be in 0 to 1, not 2"),
        ({"direction": [0.0, 1.0]}, TypeError, "^direction must hold integers"),
        ({"pulse_s": [1e-9]}, ValueError, "^pulse_s must hold 2 points, not 1"),
        ({"pulse_s": [1e-9, np.inf]}, ValueError, r"^pulse_s\[1\] must be finite"),
        ({"trials": [5, 0]}, ValueError, r"^trials\[1\] must be in 1 to "),
        ({"probability": [0.5, 1.5]}, ValueError, "^measured, line 2: probability must be in 0 to"),
    ],
)
def test_points_are_checked(change, error, message):
    good = {
        "direction": [0, 1],
        "voltage_v": [1.0, 1.0],
        "pulse_s": [1e-9, 2e-9],
        "probability": [0.5, 0.6],
    }
    with pytest.raises(error, match=message):
        Measured(**{name: np.array(value) for name, value in {**good, **change}.items()})


def test_falls_within_chance_are_kept_and_beyond_it_refused():
    """The border is where Fisher's test, by scipy's own name, meets the share of one pair."""
    share = ALPHA / 3  # three pairs of points
    chances = [
        stats.fisher_exact([[50, 50], [k, 100 - k]], alternative="greater").pvalue
        for k in range(51)
    ]
    border = max(k for k in range(51) if chances[k] < share)
    assert 0.3 * share < chances[border] < share
    points([0.1, 0.5, (border + 1) / 100], 100)
    with pytest.raises(ValueError, match=r"^measured, lines 2 and 3: "):
        points([0.1, 0.5, border / 100], 100)


def test_a_slow_fall_is_seen_over_many_points():
    """No two neighbours differ by more than chance; the first and the last do."""
    falling = np.linspace(0.65, 0.35, 21)
    with pytest.raises(ValueError, match=r"^measured, lines 1 and 21: "):
        points(falling, 200)


def test_example_is_what_its_script_writes():
    script = EXAMPLES / "make_measured.py"
    done = subprocess.run([sys.executable, script], capture_output=True, text=True, check=True)
    assert done.stdout == (EXAMPLES / "measured.csv").read_text()

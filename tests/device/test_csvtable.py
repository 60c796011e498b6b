"""CSV files as instruments and spreadsheets write them."""

import re

import numpy as np
import pytest
from measurements import shots, text_of

from spintrit.fitting.measured import read_csv

ROWS = shots(np.random.default_rng(1))
HEADER = "direction,voltage_v,pulse_s,switched,trials"


def semicolons(text):
    return text.replace(",", ";").replace(".", ",")


def scaled(voltage, pulse, power_v, power_s):
    """Rows in other units, under these titles."""
    rows = [
        (name, f"{v * 10.0**-power_v:.12g}", f"{s * 10.0**-power_s:.12g}", k, n)
        for name, v, s, k, n in ROWS
    ]
    return text_of(rows, f"direction,{voltage},{pulse},switched,trials")


def signed(text):
    """P_to_AP by negative voltages."""
    return re.sub("(?m)^(P_to_AP,)", r"\1-", text)


PLAIN = text_of(ROWS)
STYLES = {
    "plain": PLAIN.encode(),
    "semicolons, decimal commas": semicolons(PLAIN).encode(),
    "semicolons, decimal points": PLAIN.replace(",", ";").encode(),
    "tabs": PLAIN.replace(",", "\t").encode(),
    "tabs, decimal commas": PLAIN.replace(",", "\t").replace(".", ",").encode(),
    "separator named": b"sep=;\r\n" + semicolons(PLAIN).replace("\n", "\r\n").encode(),
    "quoted decimal commas": re.sub(r"(\d)\.(\d[^,]*)", r'"\1,\2"', PLAIN).encode(),
    "UTF-8 with byte order mark": PLAIN.encode("utf-8-sig"),
    "UTF-16": PLAIN.replace(",", "\t").encode("utf-16"),
    "UTF-16 big endian": b"\xfe\xff" + semicolons(PLAIN).encode("utf-16-be"),
    "UTF-32": PLAIN.encode("utf-32"),
    "line ends of a Mac": PLAIN.replace("\n", "\r").encode(),
    "comments with separators": b"# a;b;c\n" + PLAIN.encode(),
    "separators at line ends": semicolons(PLAIN).replace("\n", ";\n").encode() + b";;;;;\n",
    "spaces": PLAIN.replace(",", " , ").encode(),
    "ns, mV": scaled("V [mV]", "pulse (ns)", -3, -9).encode(),
    "us by name": scaled("voltage_mv", "length_us", -3, -6).encode(),
    "units by slash": scaled("Voltage / V", "Pulse width / ps", 0, -12).encode(),
    "two signs of micro": scaled("V (\u00b5V)", "t [\u03bcs]", -6, -6).encode(),
    "capitals": scaled("VOLTAGE_V", "Pulse Length (fs)", 0, -15).encode(),
    "signed": signed(PLAIN).encode(),
    "signed by a minus of typographers": signed(PLAIN).replace(",-", ",\u2212").encode(),
}


@pytest.mark.parametrize("style", STYLES)
def test_all_styles_are_the_same_measurement(style, tmp_path):
    path = tmp_path / "m.csv"
    path.write_bytes(PLAIN.encode())
    plain = read_csv(path)
    path.write_bytes(STYLES[style])
    measured = read_csv(path)
    for name in ("direction", "voltage_v", "pulse_s", "probability", "trials"):
        assert getattr(measured, name).tolist() == getattr(plain, name).tolist(), name
    assert len(plain.rows) == len(ROWS)
    assert plain.voltage_v[0] == 0.9
    assert plain.pulse_s[0] == 2.5e-10


def test_lines_are_those_of_the_file(tmp_path):
    path = tmp_path / "m.csv"
    path.write_text(f"sep=,\n\n# x\n{HEADER}\n\n# y\nAP_to_P,1,1e-9,3,9\n,,,,\nAP_to_P,1,2e-9,x,9")
    with pytest.raises(ValueError, match=r"m\.csv, line 9: switched must be a number, not 'x'$"):
        read_csv(path)


def test_probability_in_per_cent(tmp_path):
    path = tmp_path / "m.csv"
    path.write_text("direction;V (V);t (ns);P [%]\nAP_to_P;1;2,5;12,5\nAP_to_P;1;5;100\n")
    measured = read_csv(path)
    assert measured.probability.tolist() == [0.125, 1.0]
    assert measured.pulse_s.tolist() == [2.5e-9, 5e-9]


def test_a_bad_cell_far_down_is_found(tmp_path):
    path = tmp_path / "m.csv"
    lines = ["AP_to_P,1,1e-9,0,1"] * 70_000
    lines[66_000] = "AP_to_P,1,1e-9,0,one"
    path.write_text("\n".join([HEADER, *lines]))
    with pytest.raises(ValueError, match=r", line 66002: trials must be a number, not 'one'$"):
        read_csv(path)


ROW = "AP_to_P,1,1e-9,3,9"
GROUPED = r" must be a .*number without thousands separators, not "


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (
            f"{HEADER}\nAP_to_P,0,9,1e-9,3,9",
            r"line 2: 5 columns expected, not 6; with decimal comm",
        ),
        (f"{HEADER}\nAP_to_P,1 V,1e-9,3,9", r"line 2: voltage_v must be a number, not '1 V'; a un"),
        (
            f"{HEADER}\nAP_to_P,1,1 ns,3,9",
            r"line 2: pulse_s .*'1 ns'; a unit belongs in the header",
        ),
        (f"{HEADER}\nAP_to_P,1,1e-9,3,1'000", r"line 2: trials" + GROUPED + '"1\'000"'),
        (f"{HEADER}\nAP_to_P,1,1e-9,3,1 000", r"line 2: trials" + GROUPED + "'1 000'"),
        (f"{HEADER}\nAP_to_P,1,1e-9,3,1_000", r"line 2: trials" + GROUPED + "'1_000'"),
        (f'{HEADER}\nAP_to_P,1,1e-9,3,"1,000"', r"line 2: trials" + GROUPED + "'1,000'"),
        (f"{HEADER}\nAP_to_P,1,1e-9,3,1.000", r"line 2: trials" + GROUPED + r"'1\.000'"),
        (f"{HEADER}\nAP_to_P,1,1e-9,3,1.000.000", r"line 2: trials" + GROUPED + r"'1\.000\.000'"),
        (f'{HEADER}\nAP_to_P,"1,234.5",1e-9,3,9', r"line 2: voltage_v" + GROUPED + r"'1,234\.5'"),
        (
            f'{HEADER}\nAP_to_P,"1,100",1e-9,3,9',
            r"line 2: voltage_v = '1,100' may be a decimal comma or a thousands separator; write "
            r"1\.100 or 1100$",
        ),
        (
            f"{HEADER}\n{ROW}\nAP_to_P,0.9,1e-9,3,9".replace(",", ";") + "\nAP_to_P;0,8;1e-9;3;9",
            r"line 4: voltage_v = '0,8' has a decimal comma, and '0\.9' in line 3 a decimal point",
        ),
        (
            HEADER.replace("voltage_v", "voltage"),
            r"line 1: column 'voltage' has no unit: write volt",
        ),
        (
            HEADER.replace("pulse_s", "pulse length"),
            r"line 1: column 'pulse length' has no unit: wr",
        ),
        (
            HEADER.replace("pulse_s", "pulse (min)"),
            r"line 1: column 'pulse \(min\)' has an unknown unit; known are s, ms, ",
        ),
        (HEADER.replace("voltage_v", "V [MV]"), r"line 1: column 'V \[MV\]' has an unknown unit; "),
        (
            HEADER.replace("trials", "trials (k)"),
            r"line 1: column 'trials \(k\)' has an unknown unit",
        ),
        (HEADER + ",V [mV]", r"line 1: column voltage_v is there twice"),
        (
            "direction|voltage_v|pulse_s|switched|trials\n",
            r"line 1: only one column, 'direction\|.*'; separate columns by commas",
        ),
        (
            HEADER + ",date",
            r"line 1: unknown column 'date'; known are direction, voltage_v, pulse_s",
        ),
        (
            HEADER.replace("direction,", ""),
            r"line 1: column direction is missing; the sign of a voltage does not say it",
        ),
        (
            f"{HEADER}\nAP_to_P,1,1e-9,3,9\nP_to_AP,-1,1e-9,3,9\nAP_to_P,-1,2e-9,3,9",
            r"line 4: voltage_v = -1 V has another sign than 1 V in line 2; pulses that switch",
        ),
    ],
)
def test_what_cannot_be_read_is_refused_by_its_cause(text, message, tmp_path):
    path = tmp_path / "m.csv"
    path.write_text(text)
    with pytest.raises(ValueError, match=f"^{re.escape(str(path))}, {message}"):
        read_csv(path)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (
            PLAIN.encode("utf-16-le"),
            r"looks like UTF-16 without a byte order mark; save it as UTF-8$",
        ),
        (
            HEADER.replace("pulse_s", "pulse (\u00b5s)").encode("latin-1"),
            r"is not UTF-8 text: line 1, byte 28: invalid start byte; save it as UTF-8$",
        ),
        (b"\xff\xfea", r"is not UTF-16 text: .*; save it as UTF-8$"),
    ],
)
def test_other_encodings_are_refused_by_their_cause(content, message, tmp_path):
    path = tmp_path / "m.csv"
    path.write_bytes(content)
    with pytest.raises(ValueError, match=f"^{re.escape(str(path))} {message}"):
        read_csv(path)

"""Make measured.csv, which nobody measured: ``python make_measured.py > measured.csv``.

Each line draws 300 trials of precessional switching, P = exp(-80 exp(-r t)) with t in ns, where
r = 6 V - 2.5 from AP to P and 9 V - 3.5 back: invented numbers of the size that a fast in-plane
junction shows.
"""

import numpy as np

RATES = {"AP_to_P": (6.0, 2.5), "P_to_AP": (9.0, 3.5)}
TRIALS = 300

rng = np.random.default_rng(1)
print("# Synthetic, not measured; see make_measured.py.")
print("direction,voltage_v,pulse_s,switched,trials")
for direction, (slope, offset) in RATES.items():
    for voltage_v in (0.9, 1.0, 1.1):
        for quarter in range(1, 13):
            p = np.exp(-80 * np.exp(-(slope * voltage_v - offset) * quarter / 4))
            switched = rng.binomial(TRIALS, p)
            print(f"{direction},{voltage_v},{quarter * 2.5e-10:.3g},{switched},{TRIALS}")

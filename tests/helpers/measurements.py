"""Synthetic measurements of switching, for the tests."""

import numpy as np

from golden.codes import AP_TO_P
from golden.device.junction import DIRECTIONS
from spintrit.fitting.measured import Measured


def thermal(pulse_ns, voltage_v):
    """tau = 20 ns at 0.3 V, falling with the voltage."""
    return -np.expm1(-pulse_ns / (20 * np.exp(-8 * (voltage_v - 0.3))))


def precessional(pulse_ns, voltage_v):
    return np.exp(-80 * np.exp(-pulse_ns * (6 * voltage_v - 2.5)))


def measure(rng, law, pulse_ns, voltage_v, trials=200, direction=AP_TO_P, switched=None):
    """Synthetic counts on a grid; ``switched(p)`` draws them, binomial if not given."""
    pulse_ns, voltage_v = (axis.ravel() for axis in np.meshgrid(pulse_ns, voltage_v))
    p = law(pulse_ns, voltage_v)
    k = rng.binomial(trials, p) if switched is None else switched(p)
    n = np.full(len(p), trials)
    return Measured(np.full(len(p), direction), voltage_v, pulse_ns * 1e-9, k / n, n)


def points(p, trials=None, pulse_s=None, voltage_v=None):
    """One direction; lengths 1, 2, ... ns at 1 V if not given."""
    p = np.array(p, dtype=float)
    pulse_s = np.arange(1, len(p) + 1) * 1e-9 if pulse_s is None else np.array(pulse_s)
    voltage_v = np.ones(len(p)) if voltage_v is None else np.array(voltage_v)
    n = None if trials is None else np.full(len(p), trials)
    return Measured(np.zeros(len(p), dtype=int), voltage_v, pulse_s, p, n)


def shots(rng, law=precessional, pulse_ns=None, voltage_v=(0.9, 1.0, 1.1), trials=300):
    """Counts on a grid, both directions alike, as rows (direction, voltage, seconds, switched,
    trials) of a CSV file; lengths are 0.25 to 3 ns if not given."""
    pulse_ns = np.arange(1, 13) / 4 if pulse_ns is None else pulse_ns
    return [
        (
            name,
            volt,
            float(f"{length:.6g}e-9"),
            int(rng.binomial(trials, law(length, volt))),
            trials,
        )
        for name in DIRECTIONS
        for volt in voltage_v
        for length in pulse_ns
    ]


def text_of(rows, header="direction,voltage_v,pulse_s,switched,trials"):
    """A CSV file's text."""
    return "\n".join([header, *(",".join(map(str, row)) for row in rows)]) + "\n"


def cut(rows, size, rng=None):
    """The same shots in rows of ``size``; with ``rng`` in another order."""
    parts = []
    for *point, switched, trials in rows:
        shots = np.arange(trials) < switched
        if rng is not None:
            rng.shuffle(shots)
        for part in np.split(shots, range(size, trials, size)):
            parts.append((*point, int(part.sum()), len(part)))
    if rng is not None:
        rng.shuffle(parts)
    return [(name, float(v), float(s), int(k), int(n)) for name, v, s, k, n in parts]


def noisy(rows, rng, volts=1e-3, lengths=0.0):
    """The rows with voltages and lengths as meters of these relative errors read them back."""
    return [
        (name, v * (1 + volts * rng.standard_normal()), s * (1 + lengths * rng.standard_normal()),
         *counts)
        for name, v, s, *counts in rows
    ]  # fmt: skip

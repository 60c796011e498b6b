"""Switching of a perpendicular layer without trials: its Fokker-Planck equation, by finite volumes.

The state is u = cos(angle to the target). With constant voltage the current depends on u alone, so
the axis is one-dimensional:

    dW/dt = d/du (1 - u^2) [D dW/du - g (alpha Bk u + a(u)) W],    g = gamma / (1 + alpha^2),

D = g alpha kB T / (Ms V), a = hbar eta I(u) / (2 e Ms V). Central differences between cells: second
order, no numerical diffusion.
"""

import math

import numpy as np
from scipy.linalg import expm

from golden.codes import AP_TO_P

HBAR, ELECTRON, BOLTZMANN, GAMMA = 1.054572e-34, 1.602177e-19, 1.380649e-23, 1.760860e11
_SETTLING_S = 3e-9


def _generator(junction, direction, voltage_v, cells):
    edges = np.cos(np.linspace(np.pi, 0, cells + 1))
    width, middle = np.diff(edges), (edges[1:] + edges[:-1]) / 2
    u, gap = edges[1:-1], np.diff(middle)
    volume = math.pi / 4 * junction.length_m * junction.width_m * junction.thickness_m
    moment = junction.mu0_ms_t / (4e-7 * math.pi) * volume
    g = GAMMA / (1 + junction.damping**2)
    diffusion = g * junction.damping * BOLTZMANN * junction.temperature_k / moment
    on, off = (float(ohm) for ohm in junction.resistances_ohm(voltage_v))
    to_p = u if direction == AP_TO_P else -u
    ohm = 1 / ((1 / on + 1 / off) / 2 + to_p * (1 / on - 1 / off) / 2)
    current = voltage_v / (junction.r_access_ohm + ohm)
    torque = HBAR * junction.polarisation * current / (2 * ELECTRON * moment)
    drift = g * (junction.damping * junction.mu0_hk_t * u + torque)
    up = (1 - u * u) * (diffusion / gap + drift / 2) / width[:-1]
    down = (1 - u * u) * (diffusion / gap - drift / 2) / width[1:]
    rates = np.zeros((cells, cells))
    i = np.arange(cells - 1)
    rates[i + 1, i] += up
    rates[i, i] -= up
    rates[i, i + 1] += down
    rates[i + 1, i + 1] -= down
    return rates, middle, width


def probability(junction, direction, step_s, count, voltage_v=None, cells=300):
    """P after pulses of ``step_s``, 2 ``step_s``, ..., shape (count,)."""
    volts = junction.v_write_v if voltage_v is None else voltage_v
    rates, u, width = _generator(junction, direction, volts, cells)
    idle, _, _ = _generator(junction, direction, 0.0, cells)
    come_to_rest = expm(idle * _SETTLING_S)[u > 0].sum(axis=0)
    share = np.exp(junction.stability * (u**2 - 1)) * width * (u < 0)
    share /= share.sum()
    step = expm(rates * step_s)
    found = []
    for _ in range(count):
        share = step @ share
        found.append(come_to_rest @ share)
    return np.array(found)

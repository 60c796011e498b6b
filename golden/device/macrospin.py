"""A single-domain free layer in numpy: the stochastic Landau-Lifshitz-Gilbert equation.

    dm/dt = -gamma / (1 + alpha^2) [m x B + alpha m x (m x B)
                                    + a m x (m x p) - alpha a m x p],
    B = Bk (m.e) e - Bd (m.n) n + B_thermal,    a = hbar eta I / (2 e Ms V),

with Slonczewski's torque a along the reference layer p, the uniaxial field Bk along the easy axis e
and the demagnetising field Bd along the film's normal n (only for an in-plane layer; for a
perpendicular one Bk contains it). The thermal field is white, with variance
2 alpha kB T / (gamma Ms V dt) a component (Brown, Phys. Rev. 130, 1677, 1963). Heun's scheme with
renormalisation converges to the Stratonovich solution, which is the right one here (Garcia-Palacios
and Lazaro, Phys. Rev. B 58, 14937, 1998). The voltage is constant and the current follows the
resistance, 1 / R = (1 / R_on + 1 / R_off) / 2 + cos(angle) (1 / R_on - 1 / R_off) / 2.

Thousands of trials run side by side in float32: rounding is far smaller than the noise.
"""

import itertools

import numpy as np

from golden import checks
from golden.codes import AP_TO_P, P_TO_AP
from golden.device.junction import ELECTRON, GAMMA, HBAR, Device

DT_S = 1e-12
_SEEDS = 1 << 65  # golden.device.check uses seeds above those of users
_BLOCK = 4096  # trials that fit in a core's cache
_SETTLED = 0.8  # share of the barrier; a cell with less energy stays in its state (assumed)
_LONGEST_SETTLING_S = 10e-9


class Macrospin:
    """Trials of one device, m = (easy axis, in the film, normal or second in-film axis).

    Parameters
    ----------
    device : Device
    dt_s : float
        Time step.

    Raises
    ------
    TypeError, ValueError
        If ``dt_s`` is no positive time of at most 10 ps.
    """

    def __init__(self, device: Device, dt_s: float = DT_S):
        dt_s = checks.real("dt_s", dt_s, 1e-16, 1e-11)
        self.device, self.dt_s = device, dt_s
        noise = device.damping * device.mu0_hk_t / (device.stability * GAMMA * dt_s)
        self._noise = np.float32(np.sqrt(noise))
        self._step = np.float32(GAMMA * dt_s / (1 + device.damping**2))
        self._torque_t_per_a = HBAR * device.polarisation / (2 * ELECTRON * device.moment_am2)

    def equilibrium(self, trials: int, rng: np.random.Generator) -> np.ndarray:
        """Boltzmann-distributed moments around +e, float32 of shape (3, trials).

        Rejection sampling of the density exp(-Delta (y^2 + z^2) - Delta_d z^2) / x on the half
        sphere, up to 84 degrees from +e.
        """
        delta = self.device.stability
        hard = delta * (1 + self.device.demagnetising_t / self.device.mu0_hk_t)
        widths = np.sqrt([[0.5 / delta], [0.5 / hard]])
        least = 0.1  # x of the cut
        trials = checks.integer("trials", trials, 1)
        found: list[np.ndarray] = []
        while sum(part.shape[1] for part in found) < trials:
            yz = widths * rng.standard_normal((2, 16 * trials))
            x2 = 1 - np.square(yz).sum(axis=0)
            x = np.sqrt(np.maximum(x2, least**2))
            kept = (x2 > least**2) & (rng.random(len(x)) < least / x)
            found.append(np.vstack([x[kept], yz[:, kept]]))
        return np.concatenate(found, axis=1)[:, :trials].astype(np.float32)

    def run(
        self, m: np.ndarray, steps: int, rng: np.random.Generator, voltage_v: float = 0.0,
        direction: int = AP_TO_P,
    ) -> np.ndarray:  # fmt: skip
        """Moments after ``steps`` time steps, from ``m`` of shape (3, trials).

        ``voltage_v`` drives the moments to P along +e (``AP_TO_P``) or to AP along -e.
        """
        alpha, half = np.float32(self.device.damping), np.float32(0.5)
        bk = np.float32(self.device.mu0_hk_t)
        bd = np.float32(self.device.demagnetising_t)
        checks.integer("direction", direction, AP_TO_P, P_TO_AP)
        on, off = self.device.resistances_ohm(voltage_v)
        mean, swing = np.float32((1 / on + 1 / off) / 2), np.float32((1 / on - 1 / off) / 2)
        sign = 1 if direction == AP_TO_P else -1
        drive = np.float32(sign * voltage_v * self._torque_t_per_a)
        access = np.float32(self.device.r_access_ohm)
        m = np.array(m, order="C")  # contiguous rows; those from equilibrium are not
        thermal, scaled, first, second, middle = (np.empty_like(m) for _ in range(5))
        a, bx, bz, px, qz, ux, uy, uz, free = np.empty((9, m.shape[1]), np.float32)

        def slope(m: np.ndarray, out: np.ndarray) -> None:
            # Each line writes into a buffer: to allocate arrays takes longer than to compute.
            x, y, z = m
            by, qy = thermal[1], scaled[1]
            np.multiply(bk, x, bx)
            np.add(bx, thermal[0], bx)
            if bd:
                np.multiply(bd, z, bz)
                np.subtract(thermal[2], bz, bz)
                np.multiply(alpha, bz, qz)
            else:
                bz[:], qz[:] = thermal[2], scaled[2]
            # Torques m x (B - alpha a p) and m x (m x (alpha B + a p)) hold all four terms.
            np.multiply(alpha, bx, ux)
            if voltage_v:
                np.multiply(swing, x, a)
                np.add(mean, a, a)
                np.reciprocal(a, a)
                np.add(access, a, a)
                np.divide(drive, a, a)
                np.multiply(alpha, a, px)
                np.subtract(bx, px, px)
                np.add(ux, a, a)
            else:
                px[:], a[:] = bx, ux
            qx = a
            # u = m x q
            np.multiply(y, qz, ux)
            np.multiply(z, qy, free)
            np.subtract(ux, free, ux)
            np.multiply(z, qx, uy)
            np.multiply(x, qz, free)
            np.subtract(uy, free, uy)
            np.multiply(x, qy, uz)
            np.multiply(y, qx, free)
            np.subtract(uz, free, uz)
            np.add(px, ux, ux)
            np.add(by, uy, uy)
            np.add(bz, uz, uz)
            # m x (b + u), with the signs turned round
            np.multiply(z, uy, out[0])
            np.multiply(y, uz, free)
            np.subtract(out[0], free, out[0])
            np.multiply(x, uz, out[1])
            np.multiply(z, ux, free)
            np.subtract(out[1], free, out[1])
            np.multiply(y, ux, out[2])
            np.multiply(x, uy, free)
            np.subtract(out[2], free, out[2])
            np.multiply(out, self._step, out)

        for _ in range(steps):
            rng.standard_normal(m.shape, np.float32, thermal)
            np.multiply(thermal, self._noise, thermal)
            np.multiply(alpha, thermal, scaled)
            slope(m, first)
            np.add(m, first, middle)
            slope(middle, second)
            np.add(first, second, first)
            np.multiply(first, half, first)
            np.add(m, first, m)
            np.square(m, middle)
            np.add(middle[0], middle[1], free)
            np.add(free, middle[2], free)
            np.sqrt(free, free)
            np.divide(m, free, m)
        return m

    def energy(self, m: np.ndarray) -> np.ndarray:
        """Energy above the easy axis in units of the barrier, shape (trials,)."""
        ratio = np.float32(self.device.demagnetising_t / self.device.mu0_hk_t)
        energy: np.ndarray = m[1] ** 2 + (1 + ratio) * m[2] ** 2
        return energy

    def switched(self, m: np.ndarray, rng: np.random.Generator) -> np.ndarray:
        """Whether each trial settles at +e after the pulse, bool of shape (trials,)."""
        result = np.zeros(m.shape[1], bool)
        waiting = np.arange(m.shape[1])
        steps = max(1, round(1e-10 / self.dt_s))
        for _ in range(round(_LONGEST_SETTLING_S / (steps * self.dt_s))):
            settled = self.energy(m) < _SETTLED
            result[waiting[settled]] = m[0, settled] > 0
            waiting, m = waiting[~settled], m[:, ~settled]
            if not len(waiting):
                return result
            m = self.run(m, steps, rng)
        result[waiting] = m[0] > 0
        return result


def probability(
    device: Device,
    direction: int,
    pulse_s: np.ndarray,
    *,
    voltage_v: float | None = None,
    trials: int = 16384,
    seed: int = 0,
    dt_s: float = DT_S,
    at_once: int = _BLOCK,
) -> np.ndarray:
    """Share of trials that switch, by pulse length.

    One run of the longest pulse gives the results for all lengths: its states at the ends of the
    shorter pulses settle without a current. Lengths are rounded to whole time steps. Trials start
    in thermal equilibrium.

    Parameters
    ----------
    direction : {AP_TO_P, P_TO_AP}
    pulse_s : ndarray of shape (lengths,), float, not falling
        Pulse lengths, seconds.
    voltage_v : float
        Amplitude, ``device.v_write_v`` by default.
    trials, seed : int
    dt_s : float
        Time step.
    at_once : int
        States that settle side by side. A larger number is faster and changes the random numbers.

    Returns
    -------
    ndarray of shape (lengths,), float

    Raises
    ------
    TypeError, ValueError
        If an argument is out of range.
    """
    pulse_s = checks.finite("pulse_s", pulse_s, 1)
    if len(pulse_s) and (pulse_s[0] < 0 or (np.diff(pulse_s) < 0).any()):
        raise ValueError(f"pulse_s must not fall, from 0 on, not {pulse_s.tolist()}")
    checks.integer("direction", direction, AP_TO_P, P_TO_AP)
    trials = checks.integer("trials", trials, 1)
    volts = checks.real("voltage_v", device.v_write_v if voltage_v is None else voltage_v, 0)
    seed = checks.integer("seed", seed, 0, _SEEDS - 1)
    model = Macrospin(device, dt_s)
    ends = np.rint(pulse_s / dt_s).astype(int)
    hits = np.zeros(len(ends), np.int64)
    blocks = range(0, trials, _BLOCK)
    seeds = np.random.SeedSequence(seed).spawn(len(blocks))
    for start, child in zip(blocks, seeds, strict=True):
        rng = np.random.Generator(np.random.SFC64(child))
        m = model.equilibrium(min(_BLOCK, trials - start), rng)
        # Trials start against the torque: AP_TO_P ends at +e, which is P, and starts at -e.
        m[0] = -m[0] if direction == AP_TO_P else m[0]
        states = []
        for steps in np.diff(ends, prepend=0):
            m = model.run(m, int(steps), rng, volts, direction)
            states.append(m)
        settling = np.concatenate([m[:, :0], *states], axis=1)
        in_p = _in_blocks(model, settling, rng, at_once)
        switched = in_p if direction == AP_TO_P else ~in_p
        hits += switched.reshape(len(ends), m.shape[1]).sum(axis=1)
    return hits / trials


def _in_blocks(model: Macrospin, m: np.ndarray, rng: np.random.Generator, block: int) -> np.ndarray:
    edges = [*range(0, m.shape[1], block), m.shape[1]]
    parts = [model.switched(m[:, a:b], rng) for a, b in itertools.pairwise(edges)]
    return np.concatenate([np.zeros(0, bool), *parts])

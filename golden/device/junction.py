"""A magnetic tunnel junction: its parameters and quantities that follow from them directly.

All units are SI; fields are flux densities mu0 H in tesla. Switching is in
``golden.device.switching`` (formulas) and ``golden.device.macrospin`` (simulation).
"""

import dataclasses
import json
import math
import tomllib
from dataclasses import dataclass
from importlib import resources
from pathlib import Path

import numpy as np

from golden import checks
from golden.codes import AP_TO_P, P_TO_AP

# CODATA 2018.
HBAR = 1.054571817e-34  # J s
ELECTRON = 1.602176634e-19  # C
BOLTZMANN = 1.380649e-23  # J / K
MU0 = 1.25663706212e-6  # N / A^2
GAMMA = 1.76085963023e11  # rad / (s T)

GEOMETRIES = ("in-plane", "perpendicular")
DIRECTIONS = {"AP_to_P": AP_TO_P, "P_to_AP": P_TO_AP}


# Limits by unit, far beyond any junction: a value outside was given in another unit.
_LIMITS = {
    "m": (1e-12, 1e-5), "t": (1e-9, 20.0), "v": (1e-6, 10.0), "s": (1e-18, 1.0),
    "ohm": (1e-3, 1e12), "k": (1e-6, 1e4), "j": (0.0, 1.0), "f": (0.0, 1.0),
}  # fmt: skip
LEAST_K = 1e-3  # lowest temperature of operation


def limits(name: str) -> tuple[float, float]:
    """Lower and upper limit of a parameter by the unit in its name, before any "_per_".

    Parameters without a unit are shares of 1.
    """
    return _LIMITS.get(name.partition("_per_")[0].rpartition("_")[2], (1e-9, 1.0))


def highest(name: str) -> float:
    """Upper limit of a parameter, see ``limits``."""
    return limits(name)[1]


@dataclass(frozen=True, kw_only=True)
class Device:
    """Parameters of a junction, its access transistor and the pulses that drive it.

    Parameters
    ----------
    name, source : str
        Name of the device, and the source of each number.
    geometry : {"in-plane", "perpendicular"}
        Direction of the easy axis.
    length_m, width_m, thickness_m : float
        Axes of the elliptical free layer and its thickness.
    mu0_ms_t : float
        Saturation magnetisation, at ``temperature_k``.
    mu0_hk_t : float
        Anisotropy field of the easy axis. For a perpendicular layer it is the effective one, after
        demagnetisation.
    damping : float
        Gilbert's alpha.
    polarisation : float
        Spin torque efficiency eta, 0 to 1.
    r_on_ohm, r_off_ohm : float
        Resistance in P and in AP at low voltage.
    r_access_ohm : float
        Resistance of the access transistor, in series.
    half_tmr_v : float
        Junction voltage at which the magnetoresistance ratio has fallen by half; infinite for a
        ratio that does not fall.
    temperature_k : float
        Temperature of operation.
    curie_k : float
        Curie temperature, for the magnetisation at other temperatures.
    tau0_s : float
        Attempt time of thermal switching in an in-plane junction.
    v_write_v, t_write_s : float
        Amplitude of the update pulses, and length of the full pulse.
    v_read_v, t_read_s : float
        Amplitude and length of a read.

    Raises
    ------
    TypeError, ValueError
        If a parameter is not of its type or not physical; the message names it.
    """

    name: str
    source: str
    geometry: str
    length_m: float
    width_m: float
    thickness_m: float
    mu0_ms_t: float
    mu0_hk_t: float
    damping: float
    polarisation: float
    r_on_ohm: float
    r_off_ohm: float
    v_write_v: float
    t_write_s: float
    v_read_v: float
    t_read_s: float
    r_access_ohm: float = 0.0
    half_tmr_v: float = math.inf
    temperature_k: float = 300.0
    curie_k: float = 1120.0
    tau0_s: float = 1e-9

    def __post_init__(self) -> None:
        for name in ("name", "source"):
            if not isinstance(getattr(self, name), str) or not getattr(self, name):
                raise TypeError(f"{name} must be a text, not {getattr(self, name)!r}")
        checks.choice("geometry", self.geometry, GEOMETRIES)
        for field in dataclasses.fields(self):
            if field.type is not float:
                continue
            value = getattr(self, field.name)
            if field.name == "half_tmr_v" and value == math.inf:
                checks.keep(self, half_tmr_v=math.inf)
                continue
            low, high = limits(field.name)
            number = checks.real(field.name, value, 0.0, high)
            if number == 0 and field.name != "r_access_ohm":
                raise ValueError(f"{field.name} must be positive, not {value!r}")
            if 0 < number < low:
                raise ValueError(f"{field.name} must be at least {low:g}, not {number:g}")
            checks.keep(self, **{field.name: number})
        if self.r_off_ohm <= self.r_on_ohm:
            raise ValueError(
                f"r_off_ohm must be above r_on_ohm = {self.r_on_ohm:g}, not {self.r_off_ohm:g}"
            )
        if self.temperature_k >= self.curie_k:
            raise ValueError(
                f"temperature_k must be below curie_k = {self.curie_k:g}, "
                f"not {self.temperature_k:g}"
            )
        if self.stability < 1:
            raise ValueError(
                f"mu0_hk_t, mu0_ms_t and the volume must give a barrier of at least 1 kT, "
                f"not {self.stability:.3g}"
            )

    @property
    def volume_m3(self) -> float:
        """Volume of the free layer, (pi / 4) a b t."""
        return math.pi / 4 * self.length_m * self.width_m * self.thickness_m

    @property
    def moment_am2(self) -> float:
        """Magnetic moment Ms V of the free layer."""
        return self.mu0_ms_t / MU0 * self.volume_m3

    @property
    def demagnetising_t(self) -> float:
        """Field that holds the moment in the plane: mu0 Ms in-plane, 0 for a perpendicular layer,
        whose ``mu0_hk_t`` contains it."""
        return self.mu0_ms_t if self.geometry == "in-plane" else 0.0

    @property
    def stability(self) -> float:
        """Thermal stability factor Delta = Ms V mu0 Hk / (2 kB T)."""
        return self.moment_am2 * self.mu0_hk_t / (2 * BOLTZMANN * self.temperature_k)

    @property
    def growth_time_s(self) -> float:
        """Decay time of a small precession, (1 + alpha^2) / (alpha gamma mu0 (Hk + Meff / 2)).

        Source: linearised Landau-Lifshitz-Gilbert equation; Sun, Phys. Rev. B 62, 570, 2000.
        """
        field = self.mu0_hk_t + self.demagnetising_t / 2
        return (1 + self.damping**2) / (self.damping * GAMMA * field)

    @property
    def critical_current_a(self) -> float:
        """Critical current at 0 K, Ic0 = (2 e / hbar) (alpha / eta) Ms V mu0 (Hk + Meff / 2).

        Meff is Ms in-plane and 0 perpendicular. Source: Sun, Phys. Rev. B 62, 570, 2000.
        """
        field = self.mu0_hk_t + self.demagnetising_t / 2
        torque = self.damping / self.polarisation * self.moment_am2 * field
        return 2 * ELECTRON / HBAR * torque

    @property
    def barrier_j(self) -> float:
        """Energy barrier between P and AP."""
        return self.stability * BOLTZMANN * self.temperature_k

    def resistances_ohm(self, voltage_v: float | np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Junction resistance in P and in AP with ``voltage_v`` over junction and transistor.

        The ratio falls as TMR(V) = TMR(0) / (1 + (V / Vh)^2), with V over the junction in AP (a
        common compact model: Zhang, Zhao et al., IEEE Trans. Electron Devices 59, 819, 2012).
        """
        volts = np.asarray(voltage_v, np.float64)
        on, off = np.full(volts.shape, self.r_on_ohm), np.full(volts.shape, self.r_off_ohm)
        if math.isinf(self.half_tmr_v):
            return on, off
        # With R_off its voltage rises and the ratio falls: there is one solution.
        low, high = on, off
        for _ in range(60):
            off = (low + high) / 2
            junction = volts * off / (off + self.r_access_ohm)
            rise = (self.r_off_ohm - self.r_on_ohm) / (1 + (junction / self.half_tmr_v) ** 2)
            above = off > self.r_on_ohm + rise
            low, high = np.where(above, low, off), np.where(above, off, high)
        return on, high

    def current_a(self, direction: int, voltage_v: float) -> float:
        """Current at the start of a pulse that drives a cell in ``direction``."""
        checks.integer("direction", direction, AP_TO_P, P_TO_AP)
        on, off = (float(ohm) for ohm in self.resistances_ohm(voltage_v))
        return voltage_v / (self.r_access_ohm + (off if direction == AP_TO_P else on))

    def at(self, temperature_k: float) -> "Device":
        """The device at another temperature.

        The magnetisation follows Bloch's law 1 - (T / Tc)^1.5. The anisotropy field is proportional
        to the magnetisation (exact for shape anisotropy, a first guess for interface anisotropy).
        Resistances stay the same.

        Raises
        ------
        TypeError, ValueError
            If ``temperature_k`` is not a temperature between 0 and ``curie_k``.
        """
        temperature_k = checks.real("temperature_k", temperature_k, limits("temperature_k")[0])
        if temperature_k >= self.curie_k:
            raise ValueError(
                f"temperature_k must be below curie_k = {self.curie_k:g}, not {temperature_k:g}"
            )
        bloch = [1 - (t / self.curie_k) ** 1.5 for t in (temperature_k, self.temperature_k)]
        scale = bloch[0] / bloch[1]
        return dataclasses.replace(
            self,
            temperature_k=temperature_k,
            mu0_ms_t=self.mu0_ms_t * scale,
            mu0_hk_t=self.mu0_hk_t * scale,
        )


def load(which: str | Path) -> Device:
    """A named device, or one in a TOML file (``which`` ends in ``.toml``).

    Raises
    ------
    ValueError
        For an unknown name, a file that is no TOML, unknown or missing keys and non-physical
        values; the message names them.
    TypeError
        For a value of a wrong type.
    OSError
        If the file cannot be read.
    """
    if str(which).endswith(".toml"):
        path = Path(which)
        return _parse(path.read_bytes(), str(path), path.stem)
    known = names()
    checks.choice("device", str(which), known)
    folder = resources.files("golden.device") / "devices"
    return _parse((folder / f"{which}.toml").read_bytes(), f"device {which}", str(which))


def dumps(device: Device) -> str:
    """The text of a TOML file from which ``load`` makes the device again."""
    lines = []
    for key, value in dataclasses.asdict(device).items():
        text = json.dumps(value, ensure_ascii=False) if isinstance(value, str) else repr(value)
        lines.append(f"{key} = {text}\n")
    return "".join(lines)


def names() -> tuple[str, ...]:
    """Names of the devices that come with spintrit."""
    folder = resources.files("golden.device") / "devices"
    found = [item.name.removesuffix(".toml") for item in folder.iterdir()]
    return tuple(sorted(name for name in found if (folder / f"{name}.toml").is_file()))


def _parse(content: bytes, where: str, name: str) -> Device:
    try:
        values = tomllib.loads(content.decode())
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise ValueError(f"{where} is not a TOML file: {error}") from None
    fields = {field.name: field for field in dataclasses.fields(Device)}
    values.setdefault("name", name)
    for key in values:
        if key not in fields:
            raise ValueError(f"{where}: unknown key {key!r}; known are {', '.join(fields)}")
    for key, field in fields.items():
        if field.default is dataclasses.MISSING and key not in values:
            raise ValueError(f"{where}: {key} is missing")
    try:
        return Device(**values)
    except (TypeError, ValueError) as error:
        raise type(error)(f"{where}: {error}") from None

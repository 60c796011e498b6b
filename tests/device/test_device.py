"""The junction against arithmetic by hand, and what it refuses."""

import dataclasses
import math

import numpy as np
import pytest

from golden import device
from golden.codes import AP_TO_P, P_TO_AP
from golden.device.junction import Device

DEFAULT = device.load("default")
REQUIRED = [f.name for f in dataclasses.fields(Device) if f.default is dataclasses.MISSING]
FLOATS = [f.name for f in dataclasses.fields(Device) if f.type is float]


def changed(**values):
    return dataclasses.replace(DEFAULT, **values)


def toml(path, junction=DEFAULT, drop=(), **extra):
    values = {k: v for k, v in dataclasses.asdict(junction).items() if k not in drop} | extra
    lines = [f"{k} = {v!r}" for k, v in values.items()]
    path.write_text("\n".join(lines))
    return path


# --- what follows from the parameters ---


def test_default_device_by_hand():
    # 50 nm x 20 nm x 2 nm, mu0 Ms 1.25 T, mu0 Hk 0.1 T, 300 K.
    assert pytest.approx(1.5707963e-24, rel=1e-6) == DEFAULT.volume_m3
    moment = 1.25 / (4e-7 * math.pi) * 1.5707963e-24  # 0.99472 MA/m
    assert moment == pytest.approx(1.5625e-18, rel=1e-4)
    assert DEFAULT.moment_am2 == pytest.approx(moment, rel=1e-6)
    # Ms V mu0 Hk / (2 kB T) = 1.5625e-19 J / 8.28389e-21 J
    assert DEFAULT.stability == pytest.approx(18.862, rel=1e-4)
    assert DEFAULT.barrier_j == pytest.approx(7.8125e-20, rel=1e-4)
    # alpha gamma (0.1 T + 1.25 T / 2) = 0.01 * 1.7608596e11 * 0.725 = 1.276623e9 / s
    assert DEFAULT.growth_time_s == pytest.approx(1.0001 / 1.276623e9, rel=1e-5)
    # (2 e / hbar) (0.01 / 0.5) 1.5625e-18 0.725 = 3.038535e15 * 2.265625e-20
    assert DEFAULT.critical_current_a == pytest.approx(6.8842e-5, rel=1e-4)
    assert DEFAULT.current_a(AP_TO_P, 1.0) == pytest.approx(400e-6, rel=1e-12)  # 1 V / 2.5 kohm
    assert DEFAULT.current_a(P_TO_AP, 1.0) == pytest.approx(1e-3 / 1.5, rel=1e-12)


def test_perpendicular_device_by_hand():
    # Ikeda's junction with Delta = 60: Ic0 = (4 e / hbar) (alpha / eta) Delta kB T.
    junction = device.load("retention")
    assert junction.stability == pytest.approx(60, abs=0.05)
    current = 4 * 1.602177e-19 / 1.054572e-34 * (0.02 / 0.6) * 60 * 1.380649e-23 * 300
    assert current == pytest.approx(50.3e-6, abs=0.1e-6)
    assert junction.critical_current_a == pytest.approx(current, rel=1e-3)
    rate = 0.02 * 1.76086e11 * 0.3187
    assert junction.growth_time_s == pytest.approx(1.0004 / rate, rel=1e-5)
    assert junction.demagnetising_t == 0


def test_every_named_device_loads_and_tells_its_source():
    assert device.names() == ("default", "retention", "stochastic")
    for name in device.names():
        junction = device.load(name)
        assert junction.name == name
        assert "ssumed" in junction.source
    # Sengupta et al.: a barrier of 20 kT.
    assert device.load("stochastic").stability == pytest.approx(20, abs=0.01)


# --- resistance ---


def test_without_a_voltage_limit_the_resistance_is_constant():
    on, off = DEFAULT.resistances_ohm(np.array([0.0, 0.5, 5.0]))
    assert on.tolist() == [1500.0] * 3
    assert off.tolist() == [2500.0] * 3


@pytest.mark.parametrize("voltage_v", [-0.7, 0.0, 0.01, 0.3, 0.8, 1.5, 10.0])
@pytest.mark.parametrize(
    ("r_off_ohm", "r_access_ohm", "half_tmr_v"),
    [(2500, 0, 0.5), (2500, 400, 0.5), (9000, 1000, 0.3), (20e3, 5e3, 0.1), (20e3, 5e4, 0.01)],
)
def test_falling_ratio_solves_its_equation(voltage_v, r_off_ohm, r_access_ohm, half_tmr_v):
    junction = changed(r_off_ohm=r_off_ohm, r_access_ohm=r_access_ohm, half_tmr_v=half_tmr_v)
    on, off = (float(ohm) for ohm in junction.resistances_ohm(voltage_v))
    assert on == 1500
    over_junction = voltage_v * off / (off + r_access_ohm)
    ratio = (r_off_ohm - 1500) / 1500 / (1 + (over_junction / half_tmr_v) ** 2)
    assert off == pytest.approx(1500 * (1 + ratio), rel=1e-9)
    assert junction.current_a(AP_TO_P, voltage_v) == voltage_v / (off + r_access_ohm)
    assert junction.current_a(P_TO_AP, voltage_v) == voltage_v / (1500 + r_access_ohm)


def test_ratio_is_half_at_the_half_voltage():
    on, off = changed(half_tmr_v=0.5).resistances_ohm(0.5)
    assert (float(on), float(off)) == (1500, pytest.approx(2000, rel=1e-12))


def test_current_needs_a_direction():
    with pytest.raises(ValueError, match=r"^direction must be in 0 to 1, not 2$"):
        DEFAULT.current_a(2, 1.0)


# --- temperature ---


def test_temperature_scales_magnetisation_and_barrier():
    hot = DEFAULT.at(350.0)
    scale = (1 - (350 / 1120) ** 1.5) / (1 - (300 / 1120) ** 1.5)  # Bloch's law
    assert scale == pytest.approx(0.8253 / 0.8614, abs=1e-4)
    assert hot.mu0_ms_t == pytest.approx(1.25 * scale, rel=1e-12)
    assert hot.mu0_hk_t == pytest.approx(0.1 * scale, rel=1e-12)
    assert hot.stability == pytest.approx(DEFAULT.stability * scale**2 * 300 / 350, rel=1e-12)
    assert hot.critical_current_a == pytest.approx(DEFAULT.critical_current_a * scale**2, rel=1e-12)
    assert (hot.r_on_ohm, hot.r_off_ohm) == (1500, 2500)
    assert hot.at(300.0).stability == pytest.approx(DEFAULT.stability, rel=1e-12)
    assert DEFAULT.at(300.0) == DEFAULT


@pytest.mark.parametrize(
    ("kelvin", "error", "message"),
    [
        (1120.0, ValueError, "temperature_k must be below curie_k = 1120, not 1120"),
        (2000.0, ValueError, "temperature_k must be below curie_k = 1120, not 2000"),
        (0.0, ValueError, "temperature_k must be finite and at least 1e-06, not 0.0"),
        (math.nan, ValueError, "temperature_k must be finite and at least 1e-06, not nan"),
        ("hot", TypeError, "temperature_k must be a number, not 'hot'"),
        (1100.0, ValueError, "a barrier of at least 1 kT"),
    ],
)
def test_no_temperature_beyond_the_magnet(kelvin, error, message):
    with pytest.raises(error, match=message):
        DEFAULT.at(kelvin)


# --- refused ---


@pytest.mark.parametrize("name", FLOATS)
def test_numbers_must_be_positive_and_finite(name):
    for value in (-1.0, -1e-30, math.nan, -math.inf):
        with pytest.raises(ValueError, match=f"^{name} must be finite and "):
            changed(**{name: value})
    for value in ("1", None, True, 1j, [1.0]):
        with pytest.raises(TypeError, match=f"^{name} must be a number, not "):
            changed(**{name: value})
    if name == "half_tmr_v":
        assert changed(half_tmr_v=math.inf).half_tmr_v == math.inf
    else:
        with pytest.raises(ValueError, match=f"^{name} must be finite and "):
            changed(**{name: math.inf})
    if name == "r_access_ohm":
        assert changed(r_access_ohm=0).r_access_ohm == 0
    else:
        with pytest.raises(ValueError, match=f"^{name} must be positive, not 0$"):
            changed(**{name: 0})


@pytest.mark.parametrize(
    ("values", "error", "message"),
    [
        ({"geometry": "vertical"}, ValueError,
         r"^geometry must be one of in-plane, perpendicular, not 'vertical'$"),
        ({"geometry": None}, ValueError, r"^geometry must be one of .*, not None$"),
        ({"name": ""}, TypeError, r"^name must be a text, not ''$"),
        ({"source": 3}, TypeError, r"^source must be a text, not 3$"),
        ({"polarisation": 1.1}, ValueError, r"^polarisation must be finite and in 0 to 1, not 1.1"),
        ({"damping": 1.1}, ValueError, r"^damping must be finite and in 0 to 1, not 1.1"),
        ({"r_off_ohm": 1500.0}, ValueError,
         r"^r_off_ohm must be above r_on_ohm = 1500, not 1500$"),
        ({"r_off_ohm": 900.0}, ValueError, r"^r_off_ohm must be above r_on_ohm = 1500, not 900$"),
        ({"temperature_k": 1120.0}, ValueError,
         r"^temperature_k must be below curie_k = 1120, not 1120$"),
        ({"curie_k": 290.0}, ValueError, r"^temperature_k must be below curie_k = 290, not 300$"),
        ({"mu0_hk_t": 1e-3}, ValueError,
         r"^mu0_hk_t, mu0_ms_t and the volume must give a barrier of at least 1 kT, not 0.189$"),
    ],
)  # fmt: skip
def test_what_is_no_junction_is_refused(values, error, message):
    with pytest.raises(error, match=message):
        changed(**values)


def test_whole_numbers_and_numpy_numbers_become_floats():
    junction = changed(r_on_ohm=1500, r_off_ohm=np.float32(2500), temperature_k=np.int64(300))
    assert junction == DEFAULT
    assert all(type(getattr(junction, name)) is float for name in FLOATS)


# --- files ---


def test_file_gives_the_device_back(tmp_path):
    path = toml(tmp_path / "mine.toml")
    assert device.load(path) == DEFAULT
    assert device.load(str(path)) == DEFAULT
    assert device.load(path).half_tmr_v == math.inf  # TOML writes it as Python does


def test_optional_keys_have_defaults_and_the_file_gives_the_name(tmp_path):
    path = toml(tmp_path / "mine.toml", drop=("name", "curie_k", "half_tmr_v", "r_access_ohm"))
    junction = device.load(path)
    assert junction == dataclasses.replace(DEFAULT, name="mine")


@pytest.mark.parametrize("name", [name for name in REQUIRED if name != "name"])
def test_missing_key_is_named(tmp_path, name):
    path = toml(tmp_path / "mine.toml", drop=(name,))
    with pytest.raises(ValueError, match=f"mine.toml: {name} is missing$"):
        device.load(path)


@pytest.mark.parametrize(
    ("extra", "error", "message"),
    [
        ({"colour": 3}, ValueError,
         r"mine\.toml: unknown key 'colour'; known are name, source, geometry, .*tau0_s$"),
        ({"length_m": "50 nm"}, TypeError, r"mine\.toml: length_m must be a number, not '50 nm'$"),
        ({"length_m": -5e-8}, ValueError, r"mine\.toml: length_m must be finite and in 0 to 1e-05"),
        ({"geometry": "flat"}, ValueError, r"mine\.toml: geometry must be one of "),
        ({"name": 3}, TypeError, r"mine\.toml: name must be a text, not 3$"),
    ],
)  # fmt: skip
def test_wrong_value_is_named_with_its_file(tmp_path, extra, error, message):
    with pytest.raises(error, match=message):
        device.load(toml(tmp_path / "mine.toml", **extra))


@pytest.mark.parametrize("content", [b"length_m = ", b"\xff\xfe", b"[[[", b"a = 1\na = 2"])
def test_file_that_is_no_toml(tmp_path, content):
    (tmp_path / "mine.toml").write_bytes(content)
    with pytest.raises(ValueError, match=r"mine\.toml is not a TOML file: "):
        device.load(tmp_path / "mine.toml")


def test_unknown_name_lists_the_known_ones():
    message = r"^device must be one of default, retention, stochastic, not 'defualt'$"
    with pytest.raises(ValueError, match=message):
        device.load("defualt")


def test_missing_file_is_named(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"none\.toml"):
        device.load(tmp_path / "none.toml")

"""The conditions of a run's junctions: pulses, unequal and stuck cells, reads, ageing."""

import functools
from dataclasses import asdict
from typing import Any

import numpy as np

from golden import checks
from golden.array.analog import AnalogRead
from golden.array.golden import GoldenArray
from golden.array.protocols import CellArray
from golden.codes import AP_TO_P, P_TO_AP
from golden.config import ArrayConfig
from golden.device import macrospin, nonideal, switching
from golden.device.curve import Curve
from golden.device.junction import Device
from golden.device.nonideal import Groups, NonIdealities
from golden.matrix.interface import Bank
from golden.matrix.reads import Reads
from golden.pulse import design
from golden.pulse.design import CoderConfig
from golden.pulse.table import ProbabilityTable

_READ_TRIALS = 1 << 17


class Conditions:
    """Arrays of one kind of cell under non-idealities.

    Parameters
    ----------
    array : ArrayConfig
        Configuration without the variants that the non-idealities need.
    curve : Curve or None
        Switching curve of the device; None if there is only a table.
    settings : NonIdealities
    coding : CoderConfig
        Makes the table from the curve.
    table : ProbabilityTable, optional
        Used instead of one from the curve.
    seed : int
        Seed of spread, stuck cells and converter noise.
    draws : int, optional
        Seed of converter noise, read disturb and ageing; ``seed`` by default.

    Attributes
    ----------
    config : ArrayConfig
        ``array`` with the variants that the non-idealities need.
    table : ProbabilityTable
    seed : int
    steepness : float
        m of tau(nu) = tanh(m nu).
    rng : numpy.random.Generator
        Generator of converter noise, read disturb and ageing. Checkpoints keep its state.

    Raises
    ------
    ValueError
        If ``settings`` need physics that a table alone does not have, or ``coding`` does not fit
        the device's pulses.
    """

    def __init__(
        self,
        array: ArrayConfig,
        curve: Curve | None,
        settings: NonIdealities,
        coding: CoderConfig,
        *,
        table: ProbabilityTable | None = None,
        seed: int = 0,
        draws: int | None = None,
    ):
        self.config, self._settings = settings.array(array), settings
        self.seed = seed = checks.integer("seed", seed, 0)
        self._device: Device | None = None
        self._groups: Groups | None = None
        if curve is None and (table is None or settings.physical):
            raise ValueError("the non-idealities need a device, but there is only a table")
        if table is not None and settings.in_table:
            name = settings.in_table[0]
            value = getattr(settings, name)
            raise ValueError(f"{name} = {value:g} cannot be combined with a table, which is fixed")
        if curve is not None:
            self._device = nonideal.operating(curve.device, settings)
            if any(settings.spread):
                self._groups = Groups(curve, settings, self.config.switching_variants, seed)
        if table is None:
            assert curve is not None
            table = design.design_table(
                curve.probability,
                curve.device.t_write_s,
                self.config,
                coding,
                actual=nonideal.actual(curve, settings),
                variants=self._groups.probability if self._groups else None,
            )
        self.table = table
        self.steepness = coding.steepness
        entropy = np.random.SeedSequence(seed if draws is None else draws, spawn_key=(1,))
        self.rng = np.random.default_rng(entropy)
        self._disturb = np.zeros(2)
        if settings.read_disturb:
            assert self._device is not None
            self._disturb = _read_disturb(self._device, _READ_TRIALS)
        self._lost = self._retention() if settings.retention_s else np.zeros((1, 2))

    @property
    def disturbs(self) -> bool:
        """Whether reads change cells."""
        return self._settings.read_disturb

    def identity(self) -> dict[str, Any]:
        """Settings that affect training, besides the table, by name."""
        device = None if self._device is None else asdict(self._device)
        settings = asdict(self._settings)
        for name in ("retention_s", "retention_k"):  # they affect the test alone
            del settings[name]
        return {"device": device, "steepness": self.steepness, **settings}

    def equip(self, array: CellArray, number: int) -> None:
        """Give array ``number`` of a run its unequal and stuck cells and its analog reads.

        Raises
        ------
        ValueError
            If reads have to be analog and ``array`` is not golden.
        """
        settings, config = self._settings, self.config
        shape = array.shape
        rng = np.random.default_rng(np.random.SeedSequence(self.seed, spawn_key=(2, number)))
        cells = nonideal.factors(settings, shape, rng)
        if self._groups or settings.stuck_p or settings.stuck_ap:
            variants = self._groups.of(cells) if self._groups else np.zeros(shape, np.int64)
            chance = rng.random(shape)
            stuck = chance < settings.stuck_p + settings.stuck_ap
            array.program(chance < settings.stuck_p)
            array.load_variants(np.where(stuck, config.variants - 1, variants))
        if settings.analog:
            if not isinstance(array, GoldenArray):
                raise ValueError(
                    "adc_bits, adc_noise, backward_adc_bits, backward_adc_noise and wire_ohm need "
                    f"a golden array, not {type(array).__name__}"
                )
            assert self._device is not None
            array.analog_read = AnalogRead(config, self._device, settings, cells[0], self.rng)

    def watch(self, bank: Bank) -> None:
        """Count the reads of all matrices of ``bank`` from now on, if reads change cells."""
        if self.disturbs:
            for matrix in bank.matrices:
                matrix.reads = Reads(matrix.n_in, matrix.n_out, self.config)

    def after_batch(self, bank: Bank) -> None:
        """Disturb cells by the reads since the last call.

        To first order: all cells of a matrix are read equally often and are equal, and half of the
        reads drive in either direction. The probability is rounded at random to the resolution of
        the draws, once a matrix.
        """
        if not self.disturbs:
            return
        for matrix in bank.matrices:
            assert matrix.reads  # see ``watch``
            reads = matrix.reads.take()
            thresholds = self._thresholds(-np.expm1(reads / 2 * np.log1p(-self._disturb)))
            if thresholds.any():
                matrix.age(thresholds)

    def disturb(self, bank: Bank, reads: float) -> None:
        """Disturb cells by ``reads`` reads of each, half of them in either direction.

        A cell leaves its two states at rates a and b. After the reads it has left the first state
        with probability a / (a + b) (1 - exp(-(a + b) reads)).
        """
        rates = -np.log1p(-self._disturb) / 2
        total = float(rates.sum())
        left = rates * (-np.expm1(-total * reads) / total if total else 0.0)
        for matrix in bank.matrices:
            thresholds = self._thresholds(left)
            if thresholds.any():
                matrix.age(thresholds)

    def store(self, bank: Bank) -> None:
        """Age cells by the time between training and test."""
        if self._settings.retention_s:
            for number, array in enumerate(bank.arrays):
                thresholds = self._thresholds(self._lost)
                if thresholds.any():
                    one = len(thresholds) == 1
                    array.age(thresholds[0] if one else thresholds, 0, bank.used(number))

    def _thresholds(self, probability: np.ndarray) -> np.ndarray:
        """Thresholds of AGE for probabilities (..., 2)."""
        scaled = probability * self.table.scale
        return np.floor(scaled + self.rng.random(scaled.shape)).astype(np.int64)

    def _retention(self) -> np.ndarray:
        """Probability that a cell is in the other state at the test, (groups or 1, 2).

        The axes are group and direction. A cell flips back and forth at the thermal rate r without
        a current. After time t it is in the other state with probability (1 - exp(-2 r t)) / 2.
        """
        settings, device = self._settings, self._device
        assert device is not None
        device = nonideal.at(device, "retention_k", settings.retention_k)
        stability = self._groups.stability if self._groups else np.ones((1, 1))
        lost = []
        for direction in (AP_TO_P, P_TO_AP):
            drive = switching.drive(device, direction, 0.0, stability=stability)
            # The time must be much longer than the delay of the flux, and shorter than 1 / r.
            rates = []
            for decays in (1e3, 30.0):
                time_s = decays * device.growth_time_s
                p = np.minimum(switching.probability(drive, time_s), 1 - 1e-12)
                rates.append(-np.log1p(-p) / time_s)
            rate = np.where(rates[0] * 1e3 * device.growth_time_s < 1, rates[0], rates[1])
            lost.append((-np.expm1(-2 * rate * settings.retention_s) / 2).mean(axis=-1))
        return np.stack(lost, axis=-1)


@functools.cache
def _read_disturb(device: Device, trials: int) -> np.ndarray:
    """Probability that one read switches a cell, by direction, shape (2,).

    The larger one of the simulated probability and that of the formula. The relative standard error
    of a simulated p is 1 / sqrt(p trials).
    """
    p = []
    for direction in (AP_TO_P, P_TO_AP):
        length = np.array([device.t_read_s])
        drive = switching.drive(device, direction, device.v_read_v)
        simulated = macrospin.probability(
            device, direction, length, voltage_v=device.v_read_v, trials=trials
        )
        p.append(max(float(simulated[0]), float(switching.probability(drive, length)[0])))
    return np.minimum(p, 1 - 1e-12)

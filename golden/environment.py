"""The world around the arrays of a run: their table, their unequal cells, and what time does to
them."""

import math
from dataclasses import asdict
from typing import Any

import numpy as np

from golden import coder, macrospin, nonideal, switching
from golden.array import GoldenArray, SynapseArray
from golden.coder import CoderConfig
from golden.config import ArrayConfig
from golden.curve import Curve
from golden.device import Device
from golden.energy import bits_set
from golden.nonideal import Groups, NonIdealities
from golden.ptable import AP_TO_P, P_TO_AP, ProbabilityTable
from golden.reading import Reading

_READ_TRIALS = 1 << 17


class Environment:
    """Arrays of one kind of cell under non-idealities.

    Parameters
    ----------
    array : ArrayConfig
        Wanted; ``config`` has the variants that the non-idealities need besides.
    curve : Curve or None
        Of the device; None where there is only a table.
    settings : NonIdealities
    coding : CoderConfig
        Makes the table from the curve.
    table : ProbabilityTable, optional
        In the place of one from the curve.
    seed : int
        Of spread, stuck cells and converter noise.

    Attributes
    ----------
    config : ArrayConfig
    table : ProbabilityTable
    steepness : float
        m of tau(nu) = tanh(m nu).
    rng : numpy.random.Generator
        Of converter noise and of what time does; a checkpoint keeps its state.

    Raises
    ------
    ValueError
        If ``settings`` ask for physics that a table alone does not have, or ``coding`` does not fit
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
    ):
        self.config, self._settings, self._seed = settings.array(array), settings, seed
        self._device: Device | None = None
        self._groups: Groups | None = None
        if curve is None and (table is None or settings.physical):
            raise ValueError("the non-idealities ask for a device, and there is only a table")
        if settings.read_disturb and not array.counters:
            raise ValueError("read_disturb = True asks for an array with counters = True")
        if curve is not None:
            self._device = nonideal.operating(curve.device, settings)
            if any(settings.spread):
                self._groups = Groups(curve, settings, self.config.switching_variants, seed)
        if table is None:
            assert curve is not None
            table = coder.table(
                curve.probability,
                curve.device.t_write_s,
                self.config,
                coding,
                actual=nonideal.actual(curve, settings),
                variants=self._groups.probability if self._groups else None,
            )
        self.table = table
        self.steepness = coding.steepness
        self.rng = np.random.default_rng(np.random.SeedSequence(seed, spawn_key=(1,)))
        self._disturb = self._read_disturb() if settings.read_disturb else np.zeros(2)
        self._reads: dict[int, float] = {}  # of a cell on average, by array, up to now

    def identity(self) -> dict[str, Any]:
        """What decides a run besides the table, by name."""
        device = None if self._device is None else asdict(self._device)
        return {"device": device, "steepness": self.steepness, **asdict(self._settings)}

    def equip(self, array: SynapseArray, number: int) -> None:
        """Give array ``number`` of a run its unequal and stuck cells and its analog reads.

        Raises
        ------
        ValueError
            If reads are to be analog and ``array`` is not golden.
        """
        settings, config = self._settings, self.config
        shape = (config.cols, config.rows, config.cells)
        rng = np.random.default_rng(np.random.SeedSequence(self._seed, spawn_key=(2, number)))
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
                    "adc_bits, adc_noise, their backward_ twins and wire_ohm change the sums, "
                    "which only a golden array does"
                )
            assert self._device is not None
            array.reading = Reading(config, self._device, settings, cells[0], self.rng)

    def after_batch(self, arrays: list[SynapseArray]) -> None:
        """Let the reads since the last call disturb cells.

        To first order: all cells of an array are read equally often, half of the reads drive either
        way. The probability is rounded at random to the draws' resolution.
        """
        if not self._settings.read_disturb:
            return
        for number, array in enumerate(arrays):
            reads = self._count(array)
            fresh = reads - self._reads.get(number, 0.0)
            self._reads[number] = reads
            self._age(array, -np.expm1(fresh / 2 * np.log1p(-self._disturb)))

    def store(self, arrays: list[SynapseArray]) -> None:
        """Let the time between training and test pass.

        A cell flips back and forth at the thermal rates r of both directions without a current, so
        it is in the other state with probability (1 - exp(-2 r t)) / 2.
        """
        if not self._settings.retention_s:
            return
        assert self._device is not None
        device, time_s = self._device, self._settings.retention_s
        if self._settings.retention_k:
            device = device.at(self._settings.retention_k)
        # Long against the delay of the flux and short against 1 / r, if there is such a time.
        short_s = min(time_s, 1e3 * device.growth_time_s)
        for array in arrays:
            p = []
            for direction in (AP_TO_P, P_TO_AP):
                drive = switching.drive(device, direction, 0.0)
                rate = -math.log1p(-float(switching.probability(drive, short_s))) / short_s
                p.append(-math.expm1(-2 * rate * time_s) / 2)
            self._age(array, np.array(p))

    def _age(self, array: SynapseArray, probability: np.ndarray) -> None:
        scaled = probability * self.table.scale
        thresholds = np.floor(scaled + self.rng.random(2)).astype(np.int64)
        if thresholds.any():
            array.age(thresholds)

    def _count(self, array: SynapseArray) -> float:
        """Reads of a cell so far, mean over the array."""
        done, config = array.activity(), self.config
        forward = done["forward_cells_p"] + done["forward_cells_ap"]
        backward = done["backward_cells_p"] + done["backward_cells_ap"]
        cells = config.cols * config.rows * config.cells
        return (forward + backward * bits_set(config)) / cells

    def _read_disturb(self) -> np.ndarray:
        """Probability that one read switches a cell, by direction: simulated, or below the reach of
        that the formula's."""
        device = self._device
        assert device is not None
        p = []
        for direction in (AP_TO_P, P_TO_AP):
            length = np.array([device.t_read_s])
            drive = switching.drive(device, direction, device.v_read_v)
            simulated = macrospin.probability(
                device, direction, length, voltage_v=device.v_read_v, trials=_READ_TRIALS
            )
            p.append(max(float(simulated[0]), float(switching.probability(drive, length)[0])))
        return np.array(p)

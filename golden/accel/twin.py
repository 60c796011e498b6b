"""The accelerator's golden twin in numpy: the same memories, programs and numbers."""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from golden import checks
from golden.accel import arithmetic, timing
from golden.accel.config import (
    AVERAGE_SHIFT,
    FRACTION,
    NEAR,
    OFFSET_FRACTION,
    SCALE_SHIFT,
    SCORE_BITS,
    SCORE_FRACTION,
    SLACK_LIMIT,
    STATES,
    WHERE,
    AcceleratorConfig,
)
from golden.accel.interface import Accelerator, Counts, ProgramError, Space
from golden.accel.program import WORDS, Code, Instruction
from golden.array import lfsr
from golden.array.golden import GoldenArray

_TOP = (1 << SCORE_BITS - 1) - 1


class GoldenAccelerator(Accelerator):
    """Numpy memories and ``GoldenArray`` tiles; counts the cycles of programs by formula.

    References
    ----------
    Hardware twin: ``hdl.accel.accelerator_core.AcceleratorCore``.
    """

    def __init__(self, config: AcceleratorConfig):
        super().__init__(config)
        rows, tiles = config.array.rows, config.tiles
        self._tiles = [GoldenArray(config.array) for _ in range(tiles)]
        self._activations = np.zeros((config.activation_words, rows), np.int8)
        self._errors = np.zeros((config.error_words, rows), np.int8)
        self._windows = np.zeros((config.error_words, rows), np.uint8)
        self._labels = np.zeros(config.positions, np.int64)
        self._thresholds = np.zeros((config.threshold_words, tiles, 4), np.int64)
        self._states = np.zeros(STATES, np.int64)
        self._results = np.zeros((config.positions, 2), np.int64)  # class, score
        self._program = np.zeros(config.program_words, np.uint32)
        self._streams = lfsr.Streams(lfsr.stream_states(0, 0, tiles), config.array.draw_bits)
        self._counts = Counts()

    def tile(self, number: int) -> GoldenArray:
        return self._tiles[checks.integer("number", number, 0, self.config.tiles - 1)]

    def counts(self) -> Counts:
        return Counts(**vars(self._counts))

    def drives(self, step: Instruction, batch: int) -> float:
        """Number of drives of single rows by a FORWARD, or of single columns by a BACKWARD.

        They follow from the present memories. For a BACKWARD it is the mean over the pixels of the
        kernel.
        """
        work = _Step(self, step, batch)
        if step.code == Code.FORWARD:
            return float(np.count_nonzero(self._activations[work.inputs()]))
        driven = sum(np.count_nonzero(d) for *_, d in work.errors_back())
        return driven / (step.kernel_height * step.kernel_width)

    def _seed(self, states: np.ndarray) -> None:
        self._streams = lfsr.Streams(states, self.config.array.draw_bits)

    def _generators(self) -> np.ndarray:
        return self._streams.states

    def _memory(self, space: Space) -> np.ndarray:
        """The memory behind a space, its words along the first axis."""
        memories: dict[Space, np.ndarray] = {
            Space.PROGRAM: self._program,
            Space.ACTIVATIONS: self._activations,
            Space.ERRORS: self._errors,
            Space.WINDOWS: self._windows,
            Space.LABELS: self._labels,
            Space.THRESHOLDS: self._thresholds,
            Space.STATES: self._states,
            Space.RESULTS: self._results,
        }
        return memories[space]

    def _write(self, space: Space, values: np.ndarray, first: int) -> None:
        self._memory(space)[first : first + len(values)] = values

    def _read(self, space: Space, first: int, count: int) -> np.ndarray:
        return self._memory(space)[first : first + count].copy()

    def _run(self, pc: int, batch: int) -> np.ndarray:
        counts = self._counts
        cycles = [tile.counters.cycles for tile in self._tiles]
        while True:
            if pc + WORDS > len(self._program):
                raise ProgramError(pc, "the program does not end")
            step = Instruction.of(self._program[pc : pc + WORDS])
            problem = timing.problem(step, batch, self.config)
            if problem and step.code != Code.END:
                raise ProgramError(pc, problem)
            spent = timing.cycles(step, batch, self.config)
            counts.cycles += spent.fetch + spent.total
            if step.code == Code.END:
                break
            _Step(self, step, batch).execute()
            counts.phase(Code(step.code), spent)
            pc += WORDS
        for tile, before in zip(self._tiles, cycles, strict=True):
            tile.counters.cycles = before
        return self._results[:batch].copy()


@dataclass
class _Step:
    """Execution of one instruction on the memories of ``host``."""

    host: GoldenAccelerator
    step: Instruction
    batch: int

    def execute(self) -> None:
        {Code.FORWARD: self._forward, Code.BACKWARD: self._backward, Code.UPDATE: self._update}[
            Code(self.step.code)
        ]()

    # Addresses, all of shape (positions, ...).

    def _positions(self, sample: int, row: int, pixel: int) -> np.ndarray:
        """b sample + y row + x pixel of every output position, (positions,)."""
        step = self.step
        parts = np.ogrid[: self.batch, : step.height, : step.width]
        positions: np.ndarray = (parts[0] * sample + parts[1] * row + parts[2] * pixel).ravel()
        return positions

    def inputs(self) -> np.ndarray:
        """Address of every input word: (taps, positions, places)."""
        step, side = self.step, 2 if self.step.pool else 1
        position = self._positions(step.in_sample, side * step.in_row, side * step.in_pixel)
        y, x = np.ogrid[:side, :side]
        place = (y * step.in_row + x * step.in_pixel).ravel()
        y, x = np.ogrid[: step.kernel_height, : step.kernel_width * step.in_pixel]
        tap = (y * step.in_row + x).ravel()
        addresses: np.ndarray = step.in_base + tap[:, None, None] + position[:, None] + place
        return addresses

    def _error_words(self) -> np.ndarray:
        """Address of the first error word of every output position, (positions,)."""
        step = self.step
        return step.errors + self._positions(step.error_sample, step.error_row, step.out_pixel)

    def _taps(self) -> np.ndarray:
        """First column of every input word under the kernel, (taps,)."""
        step = self.step
        y, x = np.ogrid[: step.kernel_height, : step.kernel_width * step.in_pixel]
        taps: np.ndarray = step.cells + (y * step.tap_row + x * step.groups).ravel()
        return taps

    def _columns(self) -> np.ndarray:
        """Output of each group and tile, (groups, tiles)."""
        return np.arange(self.step.groups * self.host.config.tiles).reshape(self.step.groups, -1)

    def _lanes(self) -> tuple[np.ndarray, np.ndarray]:
        """Word and lane of each output's error at the first position, (groups, tiles)."""
        return np.divmod(self._columns(), self.host.config.array.rows)

    def _errors_at(self, positions: np.ndarray, place: np.ndarray | int) -> np.ndarray:
        """Errors within the window, (..., groups, tiles), for word addresses ``positions`` (...)
        and their places in the pooling window (...)."""
        host, step = self.host, self.step
        word, lane = self._lanes()
        at = positions[..., None, None] + word
        errors = host._errors[at, lane].astype(np.int64)
        windows = host._windows[at, lane]
        live = np.ones(errors.shape, bool)
        if not step.plain:
            live &= (windows >> NEAR & 1).astype(bool)
        if step.pool:
            live = live & (windows >> WHERE == np.asarray(place)[..., None, None])
        counted: np.ndarray = errors * live
        return counted

    # FORWARD

    def _totals(self) -> tuple[np.ndarray, np.ndarray]:
        """Totals and their places in the pooling window: (positions, groups, tiles), int64."""
        host, step = self.host, self.step
        addresses = self.inputs()
        shape = (*addresses.shape[1:], step.groups, host.config.tiles)
        totals = np.zeros(shape, np.int64)
        for first, address in zip(self._taps(), addresses, strict=True):
            u = host._activations[address.ravel()]
            for number, tile in enumerate(host._tiles):
                sums = tile.forward(u, first, step.groups)
                if step.adc:
                    sums = np.clip(sums, -step.adc, step.adc)
                totals[..., number] += sums.reshape(shape[:-1])
        place = totals.argmax(axis=1)
        return np.take_along_axis(totals, place[:, None], 1)[:, 0], place

    def _forward(self) -> None:
        host, step = self.host, self.step
        totals, place = self._totals()
        stored = host._thresholds[step.thresholds : step.thresholds + step.groups]
        fine = totals << FRACTION
        if step.train:
            mean, spread = arithmetic.statistics(totals, step.mean_factor, step.mean_shift)
            bounds = arithmetic.bounds(
                mean, spread, stored[..., 3], step.bound, step.inner, step.outer
            )
            first, second = bounds.upper, bounds.lower
            if step.score:
                first, second = mean, step.scale // spread
            stored[..., 0] += first - stored[..., 0] >> AVERAGE_SHIFT
            stored[..., 1] += second - stored[..., 1] >> AVERAGE_SHIFT
        else:
            first, second = stored[..., 0], stored[..., 1]
        valid = self._columns() < step.columns
        word, lane = (part[valid] for part in self._lanes())
        errors_at = self._error_words()[:, None] + word
        if step.score:
            errors = self._score(fine, first, second, stored[..., 3])
            if step.train:
                host._errors[errors_at, lane] = errors[:, valid]
            return
        minus = fine < second
        plus = ~minus if step.binary else fine > first
        turned = np.zeros_like(stored[..., 2]) if step.train else stored[..., 2]
        value = np.where(np.where(turned, plus, minus), -1, 1) * (plus | minus)
        out = self._positions(step.out_sample, step.out_row, step.out_pixel)
        host._activations[step.out_base + out[:, None] + word, lane] = value[:, valid]
        if step.train:
            far = np.abs(fine - bounds.mean)
            near = (far >= bounds.inner) & (far <= bounds.outer)
            window = near << NEAR | place << WHERE
            host._windows[errors_at, lane] = window[:, valid]

    def _score(
        self, fine: np.ndarray, mean: np.ndarray, scale: np.ndarray, offset: np.ndarray
    ) -> np.ndarray:
        """Write scores to the results. Returns the errors of the squared hinge loss, (positions,
        groups, tiles)."""
        host, step = self.host, self.step
        offset = step.offset + (offset >> OFFSET_FRACTION - SCORE_FRACTION)
        scores: np.ndarray = ((fine - mean) * scale >> SCALE_SHIFT) + offset
        scores = np.clip(scores, -_TOP - 1, _TOP)
        flat = scores.reshape(len(scores), -1)[:, : step.columns]
        host._results[: len(flat)] = np.stack([flat.argmax(axis=1), flat.max(axis=1)], axis=1)
        if not step.train:
            return scores
        right = self._columns() == host._labels[: len(scores), None, None]
        target = np.where(right, 1, -1)
        slack = np.clip((1 << SCORE_FRACTION) - target * scores, 0, None)
        valid = self._columns() < step.columns
        counted = np.minimum(slack, SLACK_LIMIT)[:, valid]
        host._counts.loss += int(np.square(counted).sum())
        errors: np.ndarray = target * np.minimum(slack, 127)
        return errors

    # BACKWARD

    def _backward(self) -> None:
        host, step = self.host, self.step
        sums = np.zeros((self.batch, step.in_height, step.in_width, step.in_pixel,
                         host.config.array.rows), np.int64)  # fmt: skip
        for ky, kx, d in self.errors_back():
            for word in range(step.in_pixel):
                first = step.cells + ky * step.tap_row + kx * step.tap_pixel
                first += word * step.groups
                for number, tile in enumerate(host._tiles):
                    e = tile.backward(d[..., number], first)
                    sums[..., word, :] += e.reshape(sums[..., word, :].shape)
        # The row sums of all kernel positions take one conversion.
        extra = (step.kernel_height * step.kernel_width - 1) * sums.size
        for tile in host._tiles:
            tile.activity_counts.add(backward_conversions=-extra)
        errors = arithmetic.requantise(sums.reshape(-1, sums.shape[-1]), step.error_shift)
        host._errors[step.in_errors : step.in_errors + len(errors)] = errors

    def errors_back(self) -> Iterator[tuple[int, int, np.ndarray]]:
        """Kernel positions (y, x) with the errors at them: (inputs, groups, tiles)."""
        step = self.step
        side = 2 if step.pool else 1
        grid = np.ogrid[: self.batch, : step.in_height, : step.in_width]
        for ky in range(step.kernel_height):
            for kx in range(step.kernel_width):
                y, x = grid[1] + step.padding - ky, grid[2] + step.padding - kx
                inside = (y >= 0) & (y < side * step.height) & (x >= 0) & (x < side * step.width)
                y, x = (np.clip(part, 0, None) for part in (y, x))
                position = step.errors + grid[0] * step.error_sample
                position = position + y // side * step.error_row + x // side * step.out_pixel
                position = np.where(inside, position, step.errors)
                d = self._errors_at(position, y % side * 2 + x % side)
                d = d * inside[..., None, None]
                yield ky, kx, d.reshape(-1, step.groups, self.host.config.tiles)

    # UPDATE

    def _update(self) -> None:
        host, step = self.host, self.step
        array, tiles = host.config.array, host.config.tiles
        addresses = self.inputs()
        positions = self._error_words()[:, None]
        d = self._errors_at(positions, np.arange(addresses.shape[2]))
        d = d.reshape(-1, step.groups, tiles)  # (positions places, groups, tiles)
        bias = d.sum(axis=0)
        factor, shift = arithmetic.rate(step.rate - int(host._states[step.state]))
        stored = host._thresholds[step.thresholds : step.thresholds + step.groups]
        mean_error = bias * step.mean_factor >> step.mean_shift
        stored[..., 3] = arithmetic.learnt(stored[..., 3], mean_error, step.learn)
        total = 0
        for first, address in zip(self._taps(), addresses, strict=True):
            u = host._activations[address.ravel()].astype(np.float64)
            mean = u.sum(axis=0).astype(np.int64) * step.mean_factor >> step.mean_shift
            sums = np.tensordot(d.astype(np.float64), u, (0, 0)).astype(np.int64)
            g = (sums << FRACTION) - bias[..., None] * mean  # (groups, tiles, rows)
            size = np.abs(g)
            total += int((size >> FRACTION).sum())
            change = np.maximum((size * factor >> shift) - step.dead, 0)
            draws = host._streams.draw(step.groups * array.rows)
            draws = draws.reshape(step.groups, array.rows, tiles).swapaxes(1, 2)
            kappa, code = arithmetic.split(change, draws, array)
            sign = np.sign(g)
            for number, tile in enumerate(host._tiles):
                part = np.s_[:, number]
                host._counts.switched += tile.update(
                    (kappa * sign)[part], (code * sign)[part], first, blind=bool(step.blind),
                )  # fmt: skip
            host._counts.pulses += step.groups * tiles
        if total:
            host._states[step.state] = arithmetic.log2(total)

"""A network that trains in the accelerator's integers, on images and weights instead of memories.

Nothing here is the accelerator's own code: sums are direct convolutions, numbers are Python's. From
an instruction come its settings alone.
"""

from dataclasses import dataclass, field
from fractions import Fraction

import numpy as np

from golden.accel.program import Instruction
from golden.array.lfsr import Streams
from golden.pulse.table import ProbabilityTable, code_values

ONE = 1 << 18


def table_of(config, lowest):
    """Pulses of codes from ``lowest`` on switch for certain, shorter ones never."""
    thresholds = np.zeros((config.codes, 2), np.int64)
    thresholds[lowest:] = 1 << config.draw_bits
    ticks = np.arange(config.codes)[:, None] * np.ones(2, np.int64)
    return ProbabilityTable(thresholds, ticks, 1e-12, config.draw_bits)


def log2(x):
    """256 times log2, linear between powers of two, rounded down."""
    power = 0
    while 2 ** (power + 1) <= x:
        power += 1
    return int(256 * (power + Fraction(x, 2**power) - 1))


def times_power(x, logarithm):
    """x times 2^(logarithm / 256), the same way; rounded down, by less than 2^-63 not at all."""
    power, part = divmod(logarithm, 256)
    return x * (256 + part) // 2 ** min(max(8 - power, 0), 63)


@dataclass
class ModelLayer:
    """Weights of shape (n_out, kernel height, kernel width, channels)."""

    w: np.ndarray
    padding: int = 0
    pool: int = 1
    rows: int = 4
    thresholds: list = field(default_factory=list)  # of each output
    size: int = 0  # log2 of the last update's sums

    def __post_init__(self):
        self.thresholds = [[0, 0, 0, 0] for _ in self.w]

    def padded(self, u):
        side = (self.padding, self.padding)
        return np.pad(u, ((0, 0), side, side, (0, 0))).astype(np.int64)

    def patches(self, u):
        """For each place of the kernel, what it sees: (batch, y, x, channels) each, cut to whole
        pooling windows."""
        u = self.padded(u)
        kernel_height, kernel_width = self.w.shape[1:3]
        height, width = (
            (n - k + 1) // self.pool * self.pool
            for n, k in zip(u.shape[1:3], (kernel_height, kernel_width), strict=True)
        )
        for y in range(kernel_height):
            for x in range(kernel_width):
                yield (y, x), u[:, y : y + height, x : x + width]

    def totals(self, u, adc=0):
        """Totals (batch, y, x, n_out) and, pooled, the places of the maxima."""
        total = 0
        for (y, x), patch in self.patches(u):
            for start in range(0, u.shape[3], self.rows):
                lanes = slice(start, start + self.rows)
                part = patch[..., lanes] @ self.w[:, y, x, lanes].T.astype(np.int64)
                total = total + (np.clip(part, -adc, adc) if adc else part)
        if self.pool == 1:
            return total, np.zeros_like(total)
        batch, height, width, n_out = total.shape
        best = np.empty((batch, height // 2, width // 2, n_out), np.int64)
        place = np.empty_like(best)
        for b, y, x, i in np.ndindex(best.shape):
            window = [int(total[b, 2 * y + k // 2, 2 * x + k % 2, i]) for k in range(4)]
            best[b, y, x, i], place[b, y, x, i] = max(window), window.index(max(window))
        return best, place

    def spread_out(self, d, place):
        """Errors (batch, y, x, n_out) of pooled outputs at the maxima: one a place."""
        if self.pool == 1:
            return d
        batch, height, width, n_out = d.shape
        out = np.zeros((batch, 2 * height, 2 * width, n_out), np.int64)
        for b, y, x, i in np.ndindex(d.shape):
            k = place[b, y, x, i]
            out[b, 2 * y + k // 2, 2 * x + k % 2, i] = d[b, y, x, i]
        return out


class Model:
    """Layers, and what became of the last batch: lists of one array a layer.

    ``outputs``: trits, or scores of the last; ``near``, ``place``: window flags; ``errors``: at the
    outputs; ``sums``: an update's, 8 bits behind the point.
    """

    def __init__(self, layers, tiles=1):
        self.layers, self.tiles, self.loss = layers, tiles, 0

    def infer(self, u, steps: list[Instruction]):
        self.outputs = []
        for layer, step in zip(self.layers, steps, strict=True):
            totals, _ = layer.totals(u, step.adc)
            u = np.empty(totals.shape, np.int64)
            for i, (first, second, turned, offset) in enumerate(layer.thresholds):
                fine = [256 * int(t) for t in totals[..., i].ravel()]
                if step.score:
                    values = [self.score(t, first, second, offset, step) for t in fine]
                else:
                    values = [self.trit(t, first, second, step) * (1 - 2 * turned) for t in fine]
                u[..., i] = np.reshape(values, totals.shape[:-1])
            self.outputs.append(u)

    @staticmethod
    def trit(fine, upper, lower, step):
        if step.binary:
            return -1 if fine < lower else 1
        return (fine > upper) - (fine < lower)

    @staticmethod
    def score(fine, mean, scale, offset, step):
        score = (fine - mean) * scale // 2**20 + step.offset + offset // 2**11
        return max(-(1 << 15), min((1 << 15) - 1, score))

    def forward(self, u, labels, steps):
        """With statistics, down to the errors of the last layer."""
        self.inputs, self.outputs, self.near, self.place, self.errors = [], [], [], [], []
        for layer, step in zip(self.layers, steps, strict=True):
            totals, place = layer.totals(u, step.adc)
            self.inputs.append(u)
            u, near = np.empty(totals.shape, np.int64), np.zeros(totals.shape, bool)
            for i, stored in enumerate(layer.thresholds):
                fine = [256 * int(t) for t in totals[..., i].ravel()]
                mean = sum(fine) // 256 * step.mean_factor // 2**step.mean_shift
                spread = sum(abs(t - mean) for t in fine) * step.mean_factor
                spread = max(spread // 2 ** (step.mean_shift + 8), 1)
                if step.score:
                    first, second = mean, step.scale // spread
                    values = [self.score(t, first, second, stored[3], step) for t in fine]
                else:
                    mean -= spread * stored[3] // 2**16
                    reach, inner, outer = (
                        spread * n // 256 for n in (step.bound, step.inner, step.outer)
                    )
                    first, second = mean + reach, mean - reach
                    values = [self.trit(t, first, second, step) for t in fine]
                    far = [inner <= abs(t - mean) <= outer for t in fine]
                    near[..., i] = np.reshape(far, near.shape[:-1])
                stored[0] += (first - stored[0]) // 8
                stored[1] += (second - stored[1]) // 8
                u[..., i] = np.reshape(values, totals.shape[:-1])
            self.outputs.append(u)
            self.near.append(near)
            self.place.append(place)
            self.errors.append(np.zeros(u.shape, np.int64))
        for (b, _, _, i), score in np.ndenumerate(u):
            target = 1 if i == labels[b] else -1
            slack = max(0, 32 - target * int(score))
            self.errors[-1][b, 0, 0, i] = target * min(slack, 127)
            self.loss += min(slack, 1023) ** 2

    def live(self, number):
        """Errors of a layer that count, one a place."""
        d, layer = self.errors[number], self.layers[number]
        if number < len(self.layers) - 1:
            d = d * self.near[number]
        return layer.spread_out(d, self.place[number])

    def backward(self, shifts):
        """``shifts``: of each layer but the first, from the last on."""
        for number, shift in zip(range(len(self.layers) - 1, 0, -1), shifts, strict=True):
            layer, d = self.layers[number], self.live(number)
            e = np.zeros(layer.padded(self.inputs[number]).shape, np.int64)
            for y, x in np.ndindex(layer.w.shape[1:3]):
                part = e[:, y : y + d.shape[1], x : x + d.shape[2]]
                part += d @ layer.w[:, y, x].astype(np.int64)
            p = layer.padding
            e = e[:, p : e.shape[1] - p, p : e.shape[2] - p]
            rounded = [round(Fraction(int(v), 2**shift)) for v in e.ravel()]
            self.errors[number - 1] = np.clip(rounded, -127, 127).reshape(e.shape)

    def update(self, steps, streams: Streams, *, certain, array):
        """``certain``: any pulse switches its cells, not only the full one."""
        values = [0, *np.rint(code_values(array.codes) * ONE).astype(int).tolist()]
        self.sums = []
        for number, step in enumerate(steps):
            layer, d = self.layers[number], self.live(number)
            bias = d.sum(axis=(0, 1, 2))
            old = layer.w.copy()
            sums = np.zeros(layer.w.shape, np.int64)
            groups = -(-len(old) // self.tiles)
            for (y, x), patch in layer.patches(self.inputs[number]):
                mean = patch.sum(axis=(0, 1, 2)) * step.mean_factor >> step.mean_shift
                own = 256 * np.einsum("byxi,byxc->ic", d, patch) - bias[:, None] * mean
                sums[:, y, x] = own
                for start in range(0, patch.shape[3], array.rows):
                    draws = streams.draw(groups * array.rows).reshape(groups, array.rows, -1)
                    for i, lane in np.ndindex(len(old), array.rows):
                        if start + lane < patch.shape[3]:
                            place = i, y, x, start + lane
                            draw = int(draws[i // self.tiles, lane, i % self.tiles])
                            moved = self.moved(int(sums[place]), draw, step, layer, values, array)
                            layer.w[place] = self.switched(
                                int(old[place]), moved, certain, step.blind, array
                            )
            if step.learn:
                for stored, b in zip(layer.thresholds, bias.tolist(), strict=True):
                    mean = b * step.mean_factor // 2**step.mean_shift
                    stored[3] += mean * 2**step.learn // 2
                    stored[3] = max(-(1 << 19), min((1 << 19) - 1, stored[3]))
            total = int((np.abs(sums) >> 8).sum())
            layer.size = log2(total) if total else layer.size
            self.sums.append(sums)

    @staticmethod
    def moved(total, draw, step, layer, values, array):
        """Signed whole steps, and whether there is a pulse besides."""
        size = max(times_power(abs(total), step.rate - layer.size) - step.dead, 0)
        kappa, rest = divmod(min(size, array.max_kappa * ONE), ONE)
        below = max(i for i, value in enumerate(values) if value <= rest)
        gap = values[below + 1] - values[below]
        share = Fraction(rest - values[below], gap)
        code = below + (share > Fraction(draw, 1 << array.draw_bits))
        return (kappa, code > 0, 1 if total > 0 else -1)

    @staticmethod
    def switched(w, moved, certain, blind, array):
        kappa, pulse, sign = moved
        steps = kappa + (pulse and certain)
        if blind:
            return sign if steps else w
        return max(-1, min(1, w + sign * array.step * steps))

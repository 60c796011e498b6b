"""From a network to the accelerator's programs: place and instructions of each layer."""

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from golden import checks
from golden.accel import arithmetic
from golden.accel.config import (
    ADDRESS_BITS,
    CHANGE_FRACTION,
    FRACTION,
    MAX_POOL,
    SCALE_SHIFT,
    SCORE_FRACTION,
    STATES,
    AcceleratorConfig,
)
from golden.accel.program import LIMITS, WORDS, Code, Instruction
from golden.config import ArrayConfig
from golden.network import notation
from golden.network.layers import DEVIATION, MOST_SIZE
from golden.network.notation import Block
from golden.network.optim import LEAST_RATE, MOST_DEAD_ZONE, tail_rms


@dataclass(frozen=True, kw_only=True)
class Settings:
    """Settings of programs.

    Parameters
    ----------
    threshold, window, blind, dead_zone
        See ``golden.train.config.TrainConfig``; ``blind`` is its rule.
    learn : int
        Field of the instructions, see ``golden.accel.program``.
    gain : float
        Ratio of the spreads of the scores and of their targets, 0 to 4.
    adc : int
        Sum at which converters saturate; 0 for no limit.

    Raises
    ------
    TypeError, ValueError
        If a setting is not of its type or outside its range.
    """

    threshold: float = 0.5
    window: float = 0.5
    blind: bool = False
    dead_zone: float = 0.0
    learn: int = 4
    gain: float = 2.0
    adc: int = 0

    def __post_init__(self) -> None:
        sizes = {"threshold": MOST_SIZE, "window": MOST_SIZE, "dead_zone": MOST_DEAD_ZONE}
        for name, most in {**sizes, "gain": 4}.items():
            checks.keep(self, **{name: checks.real(name, getattr(self, name), 0, most)})
        for name in ("learn", "adc"):
            checks.keep(self, **{name: checks.integer(name, getattr(self, name), *LIMITS[name])})
        checks.keep(self, blind=checks.boolean("blind", self.blind))


@dataclass(frozen=True)
class Layer:
    """A layer and its place.

    Parameters
    ----------
    name : str
    n_in, n_out : int
        Inputs of the kernel; outputs.
    channels : int
        Channels of an input pixel.
    size : tuple of int
        Height and width of an input with its padding, in pixels.
    form : Instruction
        Fields that all instructions of the layer share.
    """

    name: str
    n_in: int
    n_out: int
    channels: int
    size: tuple[int, int]
    form: Instruction

    def rows(self, array: ArrayConfig) -> np.ndarray:
        """Places of the kernel's inputs: tap * rows + lane, (n_in,)."""
        word = self.form.in_pixel * array.rows
        pixels = self.n_in // self.channels
        return (np.arange(pixels)[:, None] * word + np.arange(self.channels)).ravel()


class Plan:
    """A network in an accelerator's memories.

    Parameters
    ----------
    blocks : sequence of Block
        All layers, the output layer included.
    shape : sequence of int
        Shape of an input, (n,) or (height, width, channels).
    config : AcceleratorConfig
    batch : int
        Samples that the memories must hold.
    settings : Settings

    Raises
    ------
    TypeError, ValueError
        If an argument is not of its type or outside its range, or the network does not fit; the
        message names the memory and its size.
    """

    def __init__(
        self,
        blocks: Sequence[Block],
        shape: Sequence[int],
        config: AcceleratorConfig,
        batch: int,
        settings: Settings,
    ):
        if not isinstance(config, AcceleratorConfig):
            raise TypeError(f"config must be an AcceleratorConfig, not {config!r}")
        if not isinstance(settings, Settings):
            raise TypeError(f"settings must be Settings, not {settings!r}")
        self.config, self.settings = config, settings
        self.shape = _flat(blocks, shape)
        self.layers = _place(blocks, shape, config.array.rows, config.tiles, batch)
        self.batch = checks.integer("batch", batch, 1)
        for name, (used, have) in self.demand().items():
            if used > have:
                raise ValueError(f"{name} must be at least {used} for this network, not {have}")

    def demand(self) -> dict[str, tuple[int, int]]:
        """Words used and available, by parameter of the configuration."""
        config, used = self.config, _demand(self.layers, self.batch)
        used["program_words"] = WORDS * (4 * len(self.layers) + 1)
        have = {name: getattr(config.array if name == "cols" else config, name) for name in used}
        return {name: (used[name], have[name]) for name in used}

    @property
    def infer_at(self) -> int:
        """First word of the program of inference, after that of training."""
        return WORDS * 3 * len(self.layers)

    def inputs(self, u: np.ndarray) -> np.ndarray:
        """Words of ACTIVATIONS, (words, rows) int8, from ``layers[0].form.in_base`` on.

        Parameters
        ----------
        u : ndarray, integer in {-1, 0, 1}
            Inputs (batch, n) or (batch, height, width, channels); any shape for a dense first
            layer.

        Raises
        ------
        TypeError, ValueError
            If the inputs are no such trits, or more samples than the memory holds.
        """
        first, rows = self.layers[0], self.config.array.rows
        if len(self.shape) == 1:
            u = np.reshape(u, (len(u), -1))
        u = checks.integers("u", u, (None, *self.shape), -1, 1)
        checks.integer("len(u)", len(u), 1, self.batch)
        u = u.reshape(len(u), *((1, 1) if len(self.shape) == 1 else ()), *self.shape)
        pad = first.form.padding
        words = np.zeros((len(u), *first.size, first.form.in_pixel * rows), np.int8)
        height, width, channels = u.shape[1:]
        words[:, pad : pad + height, pad : pad + width, :channels] = u
        return words.reshape(-1, rows)

    def infer_program(self, batch: int) -> list[Instruction]:
        """Program of forward alone, with the stored thresholds; raises as ``train_program``."""
        batch = checks.integer("batch", batch, 1, self.batch)
        return [self._forward(layer, batch, train=False) for layer in self.layers]

    def train_program(self, batch: int, learning_rate: float) -> list[Instruction]:
        """Program of a training step: forward, backward, update.

        Raises
        ------
        TypeError, ValueError
            If the batch is larger than the plan's, or the learning rate is not positive or too
            large for an instruction.
        """
        batch = checks.integer("batch", batch, 1, self.batch)
        learning_rate = checks.real("learning_rate", learning_rate, LEAST_RATE, 1e6)
        forward = [self._forward(layer, batch, train=True) for layer in self.layers]
        backward = [
            replace(layer.form, code=Code.BACKWARD, error_shift=_error_shift(layer))
            for layer in reversed(self.layers[1:])
        ]
        update = [self._update(layer, batch, learning_rate) for layer in self.layers]
        return forward + [self._sized(step, batch) for step in backward] + update

    def states(self) -> np.ndarray:
        """A guess of the sums' sizes for the first update, as logarithms: (layers,) int64."""
        guesses = []
        for layer in self.layers:
            count = layer.form.positions * self.batch  # positions of a sample until sized
            size = layer.n_in * layer.n_out * max(1, round(10 * count**0.5))
            guesses.append(arithmetic.log2(size))
        return np.array(guesses)

    def columns(self, layer: Layer, tile: int) -> slice:
        """Outputs of a layer in a tile, in the order of its columns from ``form.cells`` (plus tap *
        groups) on."""
        return slice(checks.integer("tile", tile, 0), layer.n_out, self.config.tiles)

    def _sized(self, step: Instruction, batch: int) -> Instruction:
        return replace(step, positions=step.positions * batch)

    def _forward(self, layer: Layer, batch: int, *, train: bool) -> Instruction:
        settings, last = self.settings, layer is self.layers[-1]
        step = self._sized(replace(layer.form, code=Code.FORWARD, train=int(train)), batch)
        factor, shift = reciprocal(step.positions)
        step = replace(step, mean_factor=factor, mean_shift=shift, adc=settings.adc)
        if last:
            # Mean of the targets of balanced classes; scores get this mean and the deviation.
            mean = -(layer.n_out - 2) / layer.n_out
            one = 1 << SCORE_FRACTION
            scale = settings.gain * math.sqrt(max(1 - mean * mean, 0.25)) * one / DEVIATION
            return replace(
                step, score=1, offset=round(one * mean), scale=round(scale * (1 << SCALE_SHIFT))
            )
        inner = max(settings.threshold - settings.window, 0.0)
        sizes = settings.threshold, inner, settings.threshold + settings.window
        bound, inner, outer = (min(round(256 * DEVIATION * x), 0xFFFF) for x in sizes)
        binary = int(settings.threshold == 0)
        return replace(step, binary=binary, bound=bound, inner=int(inner), outer=outer)

    def _update(self, layer: Layer, batch: int, learning_rate: float) -> Instruction:
        settings, array = self.settings, self.config.array
        step = self._sized(replace(layer.form, code=Code.UPDATE, blind=int(settings.blind)), batch)
        factor, shift = reciprocal(step.positions * step.places)
        scale = learning_rate / tail_rms(settings.dead_zone) / array.step
        rate = 10 + math.log2(scale * layer.n_in * layer.n_out / DEVIATION)
        return replace(
            step, mean_factor=factor, mean_shift=shift, rate=round(256 * rate),
            learn=settings.learn,
            dead=min(round(settings.dead_zone * scale * (1 << CHANGE_FRACTION)), LIMITS["dead"][1]),
        )  # fmt: skip


def sized(
    blocks: Sequence[Block], shape: Sequence[int], array: ArrayConfig, tiles: int, batch: int
) -> AcceleratorConfig:
    """The smallest accelerator for a network and batch.

    Raises
    ------
    TypeError, ValueError
        If an argument is not of its type or outside its range, or if a memory would need more than
        65,535 words.
    """
    if not isinstance(array, ArrayConfig):
        raise TypeError(f"array must be an ArrayConfig, not {array!r}")
    tiles, batch = checks.integer("tiles", tiles, 1), checks.integer("batch", batch, 1)
    layers = _place(blocks, shape, array.rows, tiles, batch)
    used = _demand(layers, batch)
    cols = max(used.pop("cols"), 2)
    words = WORDS * (4 * len(layers) + 1)
    sizes = {name: max(value, 2) for name, value in used.items()}
    config: dict[str, Any] = {"program_words": words, **sizes}
    return AcceleratorConfig(array=replace(array, cols=cols), tiles=tiles, **config)


def reciprocal(n: int) -> tuple[int, int]:
    """Factor (16 bits) and shift of 2^FRACTION / n."""
    n = checks.integer("n", n, 1)
    shift = 15 - FRACTION + (n - 1).bit_length()
    factor = round((1 << FRACTION + shift) / n)
    return (factor, shift) if factor < 1 << 16 else (factor >> 1, shift - 1)


def _error_shift(layer: Layer) -> int:
    """Shift for which errors fill eight bits if a third of the weights is not zero."""
    fan = layer.n_out * (layer.n_in // layer.channels)
    return max(0, round(math.log2(max(fan / 3, 1)) / 2))


def _flat(blocks: Sequence[Block], shape: Sequence[int]) -> tuple[int, ...]:
    """Shape of an input for the first layer: that of a dense one is a vector, which fills words."""
    shape = tuple(checks.integer("shape", n, 1) for n in shape)
    return shape if blocks[0].kernel else (math.prod(shape),)


def _place(
    blocks: Sequence[Block], shape: Sequence[int], rows: int, tiles: int, batch: int
) -> list[Layer]:
    """Layers, one after the other in each memory; ``positions`` are those of one sample."""
    tiles, batch = checks.integer("tiles", tiles, 1), checks.integer("batch", batch, 1)
    if not 1 <= len(blocks) <= STATES:
        raise ValueError(f"network must have 1 to {STATES} layers, not {len(blocks)}")
    shapes = notation.shapes(blocks, _flat(blocks, shape))
    images = [tuple(each) if len(each) == 3 else (1, 1, *each) for each in shapes]
    layers: list[Layer] = []
    cells = base = errors = thresholds = 0
    for number, block in enumerate(blocks):
        if block.pool > MAX_POOL:
            raise ValueError(
                f"network: {block} pools by more than {MAX_POOL}, which the accelerator cannot do"
            )
        height, width, channels = images[number]
        out_height, out_width, n_out = images[number + 1]
        last = number == len(blocks) - 1
        kernel = (block.kernel, block.kernel) if block.kernel else (height, width)
        ahead = 0 if last else blocks[number + 1].padding
        word, out_word = -(-channels // rows), -(-n_out // rows)
        size = height + 2 * block.padding, width + 2 * block.padding
        out_size = out_height + 2 * ahead, out_width + 2 * ahead
        groups, taps = -(-n_out // tiles), kernel[0] * kernel[1] * word
        here = base + batch * size[0] * size[1] * word  # first word of the outputs
        in_positions = height * width * word if number else 0
        out_positions = out_height * out_width * out_word
        _within_reach(
            batch,
            cols=cells + taps * groups,
            activation_words=here + (not last) * batch * out_size[0] * out_size[1] * out_word,
            error_words=errors + batch * (in_positions + out_positions),
            positions=batch * out_height * out_width,
            threshold_words=thresholds + groups,
        )
        form = Instruction(
            plain=int(last), pool=int(block.pool == 2), state=number, padding=block.padding,
            cells=cells, groups=groups, columns=n_out, positions=out_height * out_width,
            in_base=base, in_sample=size[0] * size[1] * word, in_row=size[1] * word, in_pixel=word,
            out_base=here + (ahead * out_size[1] + ahead) * out_word if not last else 0,
            out_sample=out_size[0] * out_size[1] * out_word, out_row=out_size[1] * out_word,
            out_pixel=out_word, errors=errors + batch * in_positions, in_errors=errors,
            tap_row=kernel[1] * word * groups, tap_pixel=word * groups,
            error_sample=out_positions, error_row=out_width * out_word,
            thresholds=thresholds, height=out_height, width=out_width,
            kernel_height=kernel[0], kernel_width=kernel[1], in_height=height, in_width=width,
        )  # fmt: skip
        n_in = kernel[0] * kernel[1] * channels
        layers.append(Layer(f"layer{number + 1}", n_in, n_out, channels, size, form))
        cells += taps * groups
        thresholds += groups
        errors += batch * in_positions
        base = here
    return layers


def _within_reach(batch: int, **words: int) -> None:
    """Raise ValueError if a memory would be larger than the range of addresses."""
    for name, value in words.items():
        if value >= 1 << ADDRESS_BITS:
            less = f"fewer samples a batch than {batch}"
            if name in ("cols", "threshold_words"):
                less = "more tiles, or a smaller network"
            raise ValueError(f"{name} = {value} is beyond 65535: give {less}")


def _demand(layers: list[Layer], batch: int) -> dict[str, int]:
    last = layers[-1].form
    outputs = [layer.form for layer in layers]
    return {
        "cols": last.cells + last.taps * last.groups,
        "activation_words": last.in_base + batch * last.in_sample,
        "error_words": last.errors + batch * last.positions * last.out_pixel,
        "positions": max(batch * form.positions for form in outputs),
        "threshold_words": last.thresholds + last.groups,
    }

"""The operations of ``golden.backend.torch.operations`` on a CPU, compiled by numba.

Each passes over its arrays once, with PyTorch's number of threads. numba keeps what it has
compiled beside this file or in the user's cache folder.
"""

from collections.abc import Callable
from types import FunctionType
from typing import Any, TypeAlias

import numba
import numpy as np
import torch
from numba import njit, prange

from golden.backend.columns import Columns
from golden.backend.numpy import Scaled, Tensor
from golden.backend.torch.operations import Operations, padded

_PARTS = 64  # of the rows, which threads share
_LINE = 64  # bytes of a patch in a row of the image; PyTorch copies longer ones faster
_LARGE = 1 << 16  # entries that are worth several threads
_MOST_THREADS = numba.get_num_threads()  # as numba finds them; more cannot be set
_Array: TypeAlias = np.ndarray


class Kernels(Operations):
    """The same passes, with the same bits."""

    def moments(self, x: Tensor) -> tuple[Tensor, Tensor]:
        sums = self._run(_moments, x.numpy())
        return torch.from_numpy(sums[0]), torch.from_numpy(sums[1])

    def activate(self, x: Tensor, columns: Columns) -> Tensor:
        found = torch.empty(x.shape, dtype=torch.int8)
        threshold = np.float32(columns.threshold)
        self._run(_activate, x.numpy(), _stacked(columns), threshold, found.numpy())
        return found

    def window_sums(self, errors: Tensor, x: Tensor, columns: Columns) -> tuple[Tensor, Tensor]:
        sums = self._run(
            _window_sums, errors.numpy(), x.numpy(), _stacked(columns), *_sizes(columns)
        )
        return torch.from_numpy(sums[0]), torch.from_numpy(sums[1])

    def gradient(
        self, errors: Tensor, x: Tensor, columns: Columns, factor: float, gamma: Tensor,
        beta: Tensor,
    ) -> Tensor:  # fmt: skip
        found = torch.empty(x.shape, dtype=torch.float32)
        self._run(
            _gradient, errors.numpy(), x.numpy(), _stacked(columns, gamma, beta),
            *_sizes(columns), np.float32(factor), found.numpy(),
        )  # fmt: skip
        return found

    def quantise(self, gradient: Tensor, scale: float, limit: int) -> Tensor:
        kind = torch.int8 if limit < 128 else torch.int32
        found = torch.empty(gradient.shape, dtype=kind)
        flat = gradient.contiguous().view(-1).numpy()
        self._run(_quantise, flat, scale, float(limit), found.view(-1).numpy())
        return found

    def norms(self, x: Tensor) -> Tensor:
        found = torch.empty(x.shape[:-1], dtype=torch.float64)
        flat = x.contiguous().view(-1, x.shape[-1]).numpy()
        self._run(_norms, flat, found.view(-1).numpy())
        return found

    def extremes(self, x: Tensor) -> tuple[Tensor, Tensor]:
        found = torch.empty((2, len(x)), dtype=x.dtype)
        self._run(_extremes, x.contiguous().numpy(), found.numpy())
        return found[0], found[1]

    def adam(
        self, gradient: Scaled, m: Tensor, v: Tensor, decay: float, square_decay: float,
        rate: float, epsilon: float,
    ) -> Tensor:  # fmt: skip
        found = torch.empty(m.shape, dtype=torch.float32)
        whole = gradient.whole.contiguous()
        numbers = 1 - decay, 1 - square_decay, -rate, epsilon
        self._run(
            _adam, *(a.view(-1).numpy() for a in (whole, m, v, found)), gradient.scale,
            *(np.float32(number) for number in numbers),
        )  # fmt: skip
        return found

    def turned(self, weights: Tensor, kernel: int) -> Tensor:
        n_out, width = weights.shape
        found = torch.empty((kernel**2 * n_out, width // kernel**2), dtype=weights.dtype)
        self._run(_turned, weights.contiguous().numpy(), found.view(kernel**2, n_out, -1).numpy())
        return found

    def patches(self, x: Tensor, kernel: int, padding: int) -> Tensor:
        if kernel * x.shape[-1] >= _LINE:
            return super().patches(x, kernel, padding)
        x = padded(x, padding)
        rows, cols = (n - kernel + 1 for n in x.shape[1:3])
        found = torch.empty((len(x) * rows * cols, kernel**2 * x.shape[-1]), dtype=x.dtype)
        self._run(_patches, x.contiguous().numpy(), kernel, found.numpy())
        return found

    def fold(self, patches: Tensor, shape: tuple[int, ...], kernel: int, padding: int) -> Tensor:
        batch, height, width, channels = shape
        full = batch, height + 2 * padding, width + 2 * padding, channels
        found = torch.zeros(full, dtype=patches.dtype)
        self._run(_fold, patches.contiguous().numpy(), kernel, found.numpy())
        return found[:, padding : padding + height, padding : padding + width].contiguous()

    def pool(self, x: Tensor, side: int) -> tuple[Tensor, Tensor]:
        shape = (len(x), *(n // side for n in x.shape[1:3]), x.shape[3])
        largest, best = torch.empty(shape, dtype=x.dtype), torch.empty(shape, dtype=torch.uint8)
        self._run(_pool, x.contiguous().numpy(), side, largest.numpy(), best.numpy())
        return largest, best

    def unpool(self, y: Tensor, best: Tensor, shape: tuple[int, ...], side: int) -> Tensor:
        whole = all(n % side == 0 for n in shape[1:3])
        found = (torch.empty if whole else torch.zeros)(shape, dtype=y.dtype)
        self._run(_unpool, y.contiguous().numpy(), best.numpy(), side, found.numpy())
        return found

    @staticmethod
    def _run(kernel: "_Compiled", *arguments: Any) -> Any:
        threads = min(torch.get_num_threads(), _MOST_THREADS)
        # To hand work to other threads takes as long as a small array does.
        if threads == 1 or max(a.size for a in arguments if isinstance(a, _Array)) < _LARGE:
            return kernel.serial(*arguments)
        numba.set_num_threads(threads)
        return kernel.parallel(*arguments)


def _stacked(columns: Columns, *more: Tensor) -> _Array:
    """The numbers of the columns in one array: a compiler does not vectorise over many."""
    numbers = columns.mean, columns.inverse, columns.gamma, columns.beta, *more
    return np.stack([array.numpy() for array in numbers])


def _sizes(columns: Columns) -> tuple[np.float32, np.float32]:
    return np.float32(columns.threshold), np.float32(columns.window)


class _Compiled:
    """A kernel for one thread, and one for several; each is compiled when it is first called."""

    def __init__(self, kernel: Callable[..., Any]):
        assert isinstance(kernel, FunctionType)
        self.serial = njit(cache=True)(kernel)
        # numba keeps what it has compiled under the function's name.
        other = FunctionType(kernel.__code__, kernel.__globals__, f"{kernel.__name__}_parallel")
        self.parallel = njit(parallel=True, cache=True)(other)


@_Compiled
def _moments(x: _Array) -> _Array:
    n, columns = x.shape
    sums = np.zeros((_PARTS, 2, columns))
    for part in prange(_PARTS):
        one, two = sums[part, 0], sums[part, 1]
        for i in range(part * n // _PARTS, (part + 1) * n // _PARTS):
            for j in range(columns):
                value = np.float64(x[i, j])
                one[j] += value
                two[j] += value * value
    total: _Array = sums.sum(axis=0)
    return total


@_Compiled
def _activate(x: _Array, columns: _Array, threshold: Any, found: _Array) -> None:
    mean, inverse, gamma, beta = columns[0], columns[1], columns[2], columns[3]
    binary = threshold == 0
    for i in prange(len(x)):
        for j in range(x.shape[1]):
            y = gamma[j] * ((np.float32(x[i, j]) - mean[j]) * inverse[j]) + beta[j]
            if binary:
                found[i, j] = np.int8(1) - np.int8(2) * np.int8(y < 0)
            else:
                found[i, j] = np.int8(y > threshold) - np.int8(y < -threshold)


@_Compiled
def _window_sums(errors: _Array, x: _Array, columns: _Array, threshold: Any, window: Any) -> _Array:
    n, width = x.shape
    mean, inverse, gamma, beta = columns[0], columns[1], columns[2], columns[3]
    sums = np.zeros((_PARTS, 2, width))
    for part in prange(_PARTS):
        one, two = sums[part, 0], sums[part, 1]
        for i in range(part * n // _PARTS, (part + 1) * n // _PARTS):
            for j in range(width):
                y = gamma[j] * ((np.float32(x[i, j]) - mean[j]) * inverse[j]) + beta[j]
                inside = abs(abs(y) - threshold) <= window
                value = np.float64(errors[i, j]) if inside else 0.0
                one[j] += value
                two[j] += value * np.float64(x[i, j])
    total: _Array = sums.sum(axis=0)
    return total


@_Compiled
def _gradient(
    errors: _Array, x: _Array, columns: _Array, threshold: Any, window: Any, factor: Any,
    found: _Array,
) -> None:  # fmt: skip
    mean, inverse, gamma, beta = columns[0], columns[1], columns[2], columns[3]
    at_gamma, at_beta = columns[4], columns[5]
    count = np.float32(len(x))
    for i in prange(len(x)):
        for j in range(x.shape[1]):
            normal = (np.float32(x[i, j]) - mean[j]) * inverse[j]
            inside = abs(abs(gamma[j] * normal + beta[j]) - threshold) <= window
            error = np.float32(errors[i, j]) * factor if inside else np.float32(0)
            centred = error - (normal * at_gamma[j] + at_beta[j]) / count
            found[i, j] = centred * (gamma[j] * inverse[j])


@_Compiled
def _quantise(gradient: _Array, scale: float, limit: float, found: _Array) -> None:
    for i in prange(len(gradient)):
        scaled = np.rint(np.float64(gradient[i]) / scale)
        found[i] = np.int32(min(max(scaled, -limit), limit))


@_Compiled
def _norms(x: _Array, found: _Array) -> None:
    for i in prange(len(x)):
        total = np.int64(0)
        for j in range(x.shape[1]):
            value = np.int64(x[i, j])
            total += value * value
        found[i] = total


@_Compiled
def _extremes(x: _Array, found: _Array) -> None:
    for i in prange(len(x)):
        least = most = x[i, 0]
        missing = 0  # numbers that are none
        for j in range(x.shape[1]):
            value = x[i, j]
            least, most = min(least, value), max(most, value)
            missing += value != value
        for j in range(x.shape[1] if missing else 0):
            if x[i, j] != x[i, j]:
                least = most = x[i, j]
        found[0, i], found[1, i] = least, most


@_Compiled
def _adam(
    whole: _Array, m: _Array, v: _Array, found: _Array, scale: float, mix: Any, square_mix: Any,
    rate: Any, epsilon: Any,
) -> None:  # fmt: skip
    for i in prange(len(whole)):
        g = np.float32(np.float64(whole[i]) * scale)
        mean = m[i] + (g - m[i]) * mix
        square = v[i] + (g * g - v[i]) * square_mix
        m[i], v[i] = mean, square
        found[i] = rate * mean / (np.sqrt(square) + epsilon)


@_Compiled
def _turned(weights: _Array, found: _Array) -> None:
    places, n_out, channels = found.shape
    for place in prange(places):
        for i in range(n_out):
            start = (places - 1 - place) * channels
            found[place, i] = weights[i, start : start + channels]


@_Compiled
def _pool(x: _Array, side: int, largest: _Array, best: _Array) -> None:
    rows = largest.shape[1]
    for number in prange(len(x) * rows):
        image, row = number // rows, number % rows
        for col in range(largest.shape[2]):
            most, which = largest[image, row, col], best[image, row, col]
            most[:] = x[image, row * side, col * side]
            which[:] = 0
            for k in range(1, side * side):
                other = x[image, row * side + k // side, col * side + k % side]
                for j in range(len(most)):
                    if other[j] > most[j]:
                        most[j] = other[j]
                        which[j] = k


@_Compiled
def _unpool(y: _Array, best: _Array, side: int, found: _Array) -> None:
    rows = y.shape[1]
    for number in prange(len(y) * rows):
        image, row = number // rows, number % rows
        for col in range(y.shape[2]):
            value, which = y[image, row, col], best[image, row, col]
            for k in range(side * side):
                to = found[image, row * side + k // side, col * side + k % side]
                for j in range(len(to)):
                    to[j] = value[j] if which[j] == k else 0


@_Compiled
def _patches(x: _Array, kernel: int, found: _Array) -> None:
    batch, height, width, channels = x.shape
    rows, cols, line = height - kernel + 1, width - kernel + 1, kernel * channels
    lines = x.reshape(batch, height, width * channels)
    for number in prange(batch * rows):
        image, row = number // rows, number % rows
        for i in range(kernel):
            source = lines[image, row + i]
            for col in range(cols):
                to = found[number * cols + col, i * line : (i + 1) * line]
                for j in range(line):
                    to[j] = source[col * channels + j]


@_Compiled
def _fold(patches: _Array, kernel: int, found: _Array) -> None:
    batch, height, width, channels = found.shape
    rows, cols, line = height - kernel + 1, width - kernel + 1, kernel * channels
    lines = found.reshape(batch, height, width * channels)
    for image in prange(batch):
        for row in range(rows):
            for col in range(cols):
                source = patches[(image * rows + row) * cols + col]
                for i in range(kernel):
                    to = lines[image, row + i, col * channels : col * channels + line]
                    part = source[i * line : (i + 1) * line]
                    for j in range(line):
                        to[j] += part[j]

"""Exact products of small whole numbers in PyTorch: on int8 units with int32 sums, or in floats.

Trits, inputs and errors of up to 8 bits are int8. A product of int8 matrices with sums in int32 has
the same bits as one in float32, as long as the sums are below 2^24 in magnitude; where a processor
has units for it (AMX, AVX-512 VNNI, tensor cores), it is several times as fast. ``choose`` measures
which is faster here.
"""

import time
from abc import ABC, abstractmethod

import torch

from golden.backend.numpy import Tensor
from golden.backend.torch.operations import Operations

_TRIAL = 512  # rows, columns and terms of the products that ``choose`` measures
_ROUNDS = 5


class Products(ABC):
    """Products of whole numbers, and convolutions of images (batch, y, x, channels) in int8.

    Attributes
    ----------
    name : str
    limit : int
        Sums below it in magnitude are exact in the type of the products. For others the products
        are made in float64.
    """

    name: str
    limit: int

    @abstractmethod
    def multiply(self, a: Tensor, b: Tensor, largest: int) -> Tensor:
        """a (m, k) times b (k, n), whole numbers whose sums are at most ``largest`` in magnitude;
        int32, or int64 where they may not fit."""

    @abstractmethod
    def convolve(
        self, x: Tensor, weights: Tensor, kernel: int, padding: int, largest: int
    ) -> tuple[Tensor, Tensor]:
        """Sums (batch, height, width, n_out) of images with weights (n_out, kernel^2 channels), and
        what ``total`` needs of x."""

    @abstractmethod
    def errors(
        self, d: Tensor, shape: tuple[int, ...], weights: Tensor, kernel: int, padding: int,
        largest: int,
    ) -> Tensor:  # fmt: skip
        """Errors at images of ``shape`` from errors d at the sums: the transpose of
        ``convolve``."""

    @abstractmethod
    def total(self, d: Tensor, kept: Tensor, kernel: int, padding: int, largest: int) -> Tensor:
        """The sum of d times patches of x, (n_out, kernel^2 channels)."""

    @staticmethod
    def gathered(x: Tensor, kernel: int, padding: int) -> Tensor:
        """Sums (batch, height, width) of the pixels in each patch of x (batch, y, x)."""
        ones = torch.ones((1, 1, kernel, kernel), dtype=x.dtype, device=x.device)
        return torch.nn.functional.conv2d(x[:, None], ones, padding=padding)


class Float32(Products):
    """Products and PyTorch's convolutions in float32."""

    name, limit = "float32", 1 << 24

    def multiply(self, a: Tensor, b: Tensor, largest: int) -> Tensor:
        kind = self._kind(largest)
        return _whole(a.to(kind) @ b.to(kind), largest)

    def convolve(
        self, x: Tensor, weights: Tensor, kernel: int, padding: int, largest: int
    ) -> tuple[Tensor, Tensor]:
        kind = self._kind(largest)
        sums = torch.nn.functional.conv2d(
            _channels_first(x.to(kind)), _filters(weights.to(kind), kernel), padding=padding
        )
        return _whole(sums.permute(0, 2, 3, 1), largest), x

    def errors(
        self, d: Tensor, shape: tuple[int, ...], weights: Tensor, kernel: int, padding: int,
        largest: int,
    ) -> Tensor:  # fmt: skip
        kind = self._kind(largest)
        x = torch.empty(shape, dtype=kind, device=d.device)
        back = self._back(d.to(kind), x, weights.to(kind), kernel, padding, [True, False, False])
        return _whole(back[0].permute(0, 2, 3, 1), largest)

    def total(self, d: Tensor, kept: Tensor, kernel: int, padding: int, largest: int) -> Tensor:
        kind = self._kind(largest)
        shape = d.shape[-1], kernel**2 * kept.shape[-1]
        weights = torch.empty(shape, dtype=kind, device=d.device)
        back = self._back(d.to(kind), kept.to(kind), weights, kernel, padding, [False, True, False])
        return _whole(back[1].permute(0, 2, 3, 1).reshape(shape), largest)

    def _kind(self, largest: int) -> torch.dtype:
        return torch.float32 if largest < self.limit else torch.float64

    @staticmethod
    def _back(
        d: Tensor, x: Tensor, weights: Tensor, kernel: int, padding: int, which: list[bool]
    ) -> tuple[Tensor, ...]:
        found: tuple[Tensor, ...] = torch.ops.aten.convolution_backward(
            _channels_first(d), _channels_first(x), _filters(weights, kernel), None,
            [1, 1], [padding, padding], [1, 1], False, [0, 0], 1, which,
        )  # fmt: skip
        return found


class Int8(Products):
    """Products of int8 matrices with sums in int32; convolutions are products of patches.

    Parameters
    ----------
    operations : golden.backend.torch.operations.Operations
        Makes patches of images.
    """

    name, limit = "int8", 1 << 31

    def __init__(self, operations: Operations):
        self._operations = operations

    def multiply(self, a: Tensor, b: Tensor, largest: int) -> Tensor:
        if largest >= self.limit or a.dtype != torch.int8 or b.dtype != torch.int8:
            return FLOAT32.multiply(a, b, largest)
        return _padded(a, b) if a.is_cuda else torch._int_mm(_plain(a), _plain(b))

    def convolve(
        self, x: Tensor, weights: Tensor, kernel: int, padding: int, largest: int
    ) -> tuple[Tensor, Tensor]:
        patches = self._operations.patches(x, kernel, padding)
        batch, height, width = x.shape[0], *(n + 2 * padding - kernel + 1 for n in x.shape[1:3])
        sums = self.multiply(patches, weights.t(), largest)
        return sums.reshape(batch, height, width, -1), patches

    def errors(
        self, d: Tensor, shape: tuple[int, ...], weights: Tensor, kernel: int, padding: int,
        largest: int,
    ) -> Tensor:  # fmt: skip
        if kernel - 1 > 2 * padding:  # fewer sums than pixels
            flat = d.reshape(-1, d.shape[-1])
            patches = self.multiply(flat, weights, largest)
            return self._operations.fold(patches, shape, kernel, padding)
        # The transpose of a convolution is one with the weights turned by half a turn.
        turned = self._operations.turned(weights, kernel)
        around = kernel - 1 - padding
        if around < 0:  # sums that see nothing but zeros
            d, around = d[:, -around:around, -around:around], 0
        patches = self._operations.patches(d.contiguous(), kernel, around)
        return self.multiply(patches, turned, largest).reshape(shape)

    def total(self, d: Tensor, kept: Tensor, kernel: int, padding: int, largest: int) -> Tensor:
        return self.multiply(d.reshape(-1, d.shape[-1]).t(), kept, largest)


FLOAT32 = Float32()


def choose(name: str, operations: Operations, device: str) -> Products:
    """The products ``name``, one of ``PRODUCTS``; "auto" takes what is faster on ``device``.

    Raises
    ------
    ValueError
        If int8 is asked for where its products are not exact or not there.
    """
    if name == "float32":
        return FLOAT32
    int8 = Int8(operations)
    reason = _wrong(int8, device)
    if reason and name == "int8":
        raise ValueError(f"products must be float32 here, not int8: {reason}")
    if reason or (name == "auto" and _seconds(int8, device) > _seconds(FLOAT32, device)):
        return FLOAT32
    return int8


def _wrong(products: Products, device: str) -> str:
    """Why int8 products cannot be used; empty if they can. Processors without units for them may
    saturate sums of pairs at 16 bits."""
    a, b = _trial(device)
    a[0], b[:, 0] = 127, 127
    a[1], b[:, 1] = -127, 127
    try:
        found = products.multiply(a, b, _TRIAL * 127 * 127)
    except (RuntimeError, AttributeError) as error:
        return str(error).splitlines()[0]
    exact = a.to(torch.float64) @ b.to(torch.float64)
    return "" if torch.equal(found.to(torch.float64), exact) else "their sums are not exact"


def _trial(device: str) -> tuple[Tensor, Tensor]:
    numbers = torch.arange(_TRIAL * _TRIAL, device=device).reshape(_TRIAL, _TRIAL)
    a, b = ((numbers * factor) % 255 - 127 for factor in (7919, 104729))
    return a.to(torch.int8), b.to(torch.int8)


def _seconds(products: Products, device: str) -> float:
    """The least time of a product."""
    a, b = _trial(device)
    times = []
    for _ in range(_ROUNDS):
        start = time.perf_counter()
        int(products.multiply(a, b, _TRIAL * 127)[0, 0])  # waits for a GPU
        times.append(time.perf_counter() - start)
    return min(times)


def _plain(a: Tensor) -> Tensor:
    """With the strides of a copy, if a side is 1. PyTorch takes the leading dimension from the
    strides, and those of a side of 1 may be anything: the result is then left as it was in memory
    (github.com/pytorch/pytorch/issues/195066)."""
    return a.clone(memory_format=torch.contiguous_format) if 1 in a.shape else a


def _padded(a: Tensor, b: Tensor) -> Tensor:
    """``torch._int_mm`` on a GPU: more than 16 rows, terms and columns multiples of 8."""
    (m, k), n = a.shape, b.shape[1]
    rows, terms, cols = max(m, 32), -(-k // 8) * 8, -(-n // 8) * 8
    pad = torch.nn.functional.pad
    a = pad(a, (0, terms - k, 0, rows - m)).contiguous()
    b = pad(b, (0, cols - n, 0, terms - k))
    return torch._int_mm(a, b)[:m, :n]


def _whole(x: Tensor, largest: int) -> Tensor:
    """Whole numbers, whatever the algorithm's rounding."""
    return torch.round(x).to(torch.int32 if largest < 1 << 31 else torch.int64)


def _channels_first(x: Tensor) -> Tensor:
    return x.permute(0, 3, 1, 2)


def _filters(weights: Tensor, kernel: int) -> Tensor:
    return weights.reshape(weights.shape[0], kernel, kernel, -1).permute(0, 3, 1, 2)

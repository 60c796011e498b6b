"""What a training step does with whole numbers besides products, in PyTorch's own operations.

Sums are int32, trits and errors of up to 8 bits int8. Statistics of a batch are sums of whole
numbers in float64. They are exact below 2^53, so that they do not depend on the order of the terms
or on the number of threads. ``golden.backend.torch.kernels`` has the same on a CPU in fewer passes,
with the same bits but for the last one of Adam's square root, which PyTorch may round wrongly.
"""

import torch

from golden.backend.columns import Columns
from golden.backend.numpy import Scaled, Tensor


class Operations:
    """Passes over sums x (n, n_out)."""

    def moments(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """Sums of x and of x^2 of each column, float64."""
        wide = x.to(torch.float64)
        return wide.sum(0), wide.square().sum(0)

    def activate(self, x: Tensor, columns: Columns) -> Tensor:
        """The activation of the batch norm of x, int8."""
        y = self._normal(x, columns)[1]
        if columns.threshold == 0:
            return 1 - 2 * (y < 0).to(torch.int8)
        return (y > columns.threshold).to(torch.int8) - (y < -columns.threshold).to(torch.int8)

    def window_sums(self, errors: Tensor, x: Tensor, columns: Columns) -> tuple[Tensor, Tensor]:
        """Sums of the errors within the window, and of these times x, of each column; float64."""
        inside = errors * self._inside(self._normal(x, columns)[1], columns)
        wide = inside.to(torch.float64)
        return wide.sum(0), (wide * x).sum(0)

    def gradient(
        self, errors: Tensor, x: Tensor, columns: Columns, factor: float, gamma: Tensor,
        beta: Tensor,
    ) -> Tensor:  # fmt: skip
        """Loss gradient at x, float32.

        ``factor`` times the errors within the window is the gradient at y; ``gamma`` and ``beta``
        are the gradients at the batch norm's parameters.
        """
        normal, y = self._normal(x, columns)
        inside = errors.to(torch.float32) * factor * self._inside(y, columns)
        centred = inside - (normal * gamma + beta) / float(len(x))
        return centred * (columns.gamma * columns.inverse)

    def quantise(self, gradient: Tensor, scale: float, limit: int) -> Tensor:
        """round(gradient / scale), half to even, in [-limit, limit]; int8, or int32 for more than 8
        bits."""
        scaled = torch.round(gradient.to(torch.float64) / scale).clip(-limit, limit)
        return scaled.to(torch.int8 if limit < 128 else torch.int32)

    def norms(self, x: Tensor) -> Tensor:
        """Squared norms of whole numbers x (..., n) along the last axis, float64."""
        wide = x.to(torch.float64)
        return (wide * wide).sum(-1)

    def extremes(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """Least and largest entry of each row of x (n, m); NaN if there is one."""
        least, most = torch.aminmax(x, dim=1)
        return least, most

    def largest(self, x: Tensor) -> float:
        """Largest magnitude; NaN if there is one."""
        low, high = torch.aminmax(x)
        return float(torch.maximum(-low, high))

    def adam(
        self, gradient: Scaled, m: Tensor, v: Tensor, decay: float, square_decay: float,
        rate: float, epsilon: float,
    ) -> Tensor:  # fmt: skip
        """A step of ``golden.network.optim.Adam``; changes m and v."""
        g = gradient.astype("float32")
        m += (g - m) * (1 - decay)
        v += (g * g - v) * (1 - square_decay)
        return -rate * m / (torch.sqrt(v) + epsilon)

    def turned(self, weights: Tensor, kernel: int) -> Tensor:
        """Weights (n_out, kernel^2 channels) as (kernel^2 n_out, channels), by half a turn: those
        of the transposed convolution."""
        sides = weights.reshape(len(weights), kernel, kernel, -1)
        sides = sides.permute(1, 2, 0, 3).flip(0, 1)
        return sides.reshape(-1, sides.shape[-1])

    def patches(self, x: Tensor, kernel: int, padding: int) -> Tensor:
        """Patches (positions, kernel^2 channels) of images (batch, y, x, channels) with zeros
        around them."""
        x = padded(x, padding).contiguous()
        batch, height, width, channels = x.shape
        image, row, pixel, _ = x.stride()
        rows, cols = height - kernel + 1, width - kernel + 1
        shape = batch, rows, cols, kernel, kernel * channels
        return x.as_strided(shape, (image, row, pixel, row, 1)).reshape(
            batch * rows * cols, kernel * kernel * channels
        )

    def fold(self, patches: Tensor, shape: tuple[int, ...], kernel: int, padding: int) -> Tensor:
        """Images of ``shape``, sums of patches at their places: the transpose of ``patches``."""
        batch, height, width, channels = shape
        full = batch, height + 2 * padding, width + 2 * padding, channels
        image = patches.new_zeros(full)
        rows, cols = full[1] - kernel + 1, full[2] - kernel + 1
        parts = patches.reshape(batch, rows, cols, kernel, kernel, channels)
        for y in range(kernel):
            for x in range(kernel):
                image[:, y : y + rows, x : x + cols] += parts[:, :, :, y, x]
        return image[:, padding : padding + height, padding : padding + width].contiguous()

    def pool(self, x: Tensor, side: int) -> tuple[Tensor, Tensor]:
        """See ``golden.backend.pooling.pool``."""
        height, width = (n // side * side for n in x.shape[1:3])
        largest, best = x[:, 0:height:side, 0:width:side], None
        best = torch.zeros_like(largest, dtype=torch.uint8)
        for number in range(1, side * side):
            i, j = divmod(number, side)
            part = x[:, i:height:side, j:width:side]
            best[part > largest] = number
            largest = torch.maximum(largest, part)
        return largest, best

    def unpool(self, y: Tensor, best: Tensor, shape: tuple[int, ...], side: int) -> Tensor:
        """See ``golden.backend.pooling.unpool``."""
        x = y.new_zeros(shape)
        height, width = (n * side for n in y.shape[1:3])
        for number in range(side * side):
            i, j = divmod(number, side)
            x[:, i:height:side, j:width:side] = y * (best == number)
        return x

    @staticmethod
    def _normal(x: Tensor, columns: Columns) -> tuple[Tensor, Tensor]:
        normal = (x.to(torch.float32) - columns.mean) * columns.inverse
        return normal, columns.gamma * normal + columns.beta

    @staticmethod
    def _inside(y: Tensor, columns: Columns) -> Tensor:
        return (y.abs() - columns.threshold).abs() <= columns.window


def padded(x: Tensor, padding: int) -> Tensor:
    """Images (batch, y, x, channels) with zeros around them."""
    sides = (0, 0, padding, padding, padding, padding)
    return torch.nn.functional.pad(x, sides) if padding else x

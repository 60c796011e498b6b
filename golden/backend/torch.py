"""The PyTorch back end, on the CPU or a GPU."""

import numpy as np

from golden.backend.numpy import Tensor
from golden.extras import install

try:
    import array_api_compat.torch  # noqa: F401  (what golden.backend.namespace finds)
    import torch
except ImportError as error:
    raise ModuleNotFoundError(
        f"{error}: {install('torch')}, for the back ends torch and cuda", name="torch"
    ) from None


class Torch:
    """A ``golden.backend.Backend`` with PyTorch's convolutions.

    Parameters
    ----------
    device : str
        "cpu" or "cuda".

    Raises
    ------
    ValueError
        If there is no such device on this computer.
    """

    def __init__(self, device: str):
        if device == "cuda" and not torch.cuda.is_available():
            raise ValueError("backend must be numpy or torch here, not cuda: PyTorch sees no GPU")
        self.name, self._device = "torch" if device == "cpu" else device, torch.device(device)

    def array(self, x: np.ndarray) -> Tensor:
        return torch.from_numpy(np.ascontiguousarray(x)).to(self._device)

    def host(self, x: Tensor) -> np.ndarray:
        host: np.ndarray = x.detach().cpu().numpy()
        return host

    def take(self, x: Tensor, at: np.ndarray) -> np.ndarray:
        return self.host(x.reshape(-1)[self.array(at)])

    def nonzero(self, x: Tensor) -> np.ndarray:
        return self.host(torch.nonzero(x.reshape(-1))[:, 0])

    def put(self, x: Tensor, at: np.ndarray, values: np.ndarray) -> None:
        x.view(-1)[self.array(at)] = self.array(values)

    def extremes(self, x: Tensor) -> tuple[np.ndarray, np.ndarray]:
        least, most = torch.aminmax(x, dim=1)
        return self.host(least).astype(np.float64), self.host(most).astype(np.float64)

    def pool(self, x: Tensor, side: int) -> tuple[Tensor, Tensor]:
        largest, best = torch.nn.functional.max_pool2d(
            _channels_first(x), side, return_indices=True
        )
        return largest.permute(0, 2, 3, 1), best

    def unpool(self, y: Tensor, best: Tensor, shape: tuple[int, ...], side: int) -> Tensor:
        x = y.new_empty(shape).permute(0, 3, 1, 2)
        sides = [side, side], [side, side], [0, 0], [1, 1], False
        x = torch.ops.aten.max_pool2d_with_indices_backward(_channels_first(y), x, *sides, best)
        return x.permute(0, 2, 3, 1)

    def convolve(self, x: Tensor, weights: Tensor, kernel: int, padding: int) -> Tensor:
        """Sums (batch, height, width, n_out) of images with weights (n_out, kernel^2 channels)."""
        sums = torch.nn.functional.conv2d(
            _channels_first(x), _filters(weights, kernel), padding=padding
        )
        return sums.permute(0, 2, 3, 1)

    def convolve_back(
        self, d: Tensor, x: Tensor, weights: Tensor, kernel: int, padding: int, *, errors: bool
    ) -> tuple[Tensor, Tensor]:
        """Errors at the images x, or None without ``errors``, from errors d at the sums; and the
        sum of d times patches of x, (n_out, kernel^2 channels)."""
        errors_x, total, _ = torch.ops.aten.convolution_backward(
            _channels_first(d), _channels_first(x), _filters(weights, kernel), None,
            [1, 1], [padding, padding], [1, 1], False, [0, 0], 1, [errors, True, False],
        )  # fmt: skip
        total = total.permute(0, 2, 3, 1).reshape(weights.shape)
        return errors_x.permute(0, 2, 3, 1) if errors else None, total


def _channels_first(x: Tensor) -> Tensor:
    return x.permute(0, 3, 1, 2)


def _filters(weights: Tensor, kernel: int) -> Tensor:
    return weights.reshape(weights.shape[0], kernel, kernel, -1).permute(0, 3, 1, 2)

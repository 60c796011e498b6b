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

from golden.backend.torch.operations import Operations
from golden.backend.torch.products import choose


class Torch:
    """A ``golden.backend.Backend`` whose sums are whole numbers.

    Parameters
    ----------
    device : str
        "cpu" or "cuda".
    products : {"auto", "int8", "float32"}
        See ``golden.backend.torch.products.choose``.

    Raises
    ------
    ValueError
        If there is no such device, or no exact int8 products, on this computer.
    """

    small = "int8"

    def __init__(self, device: str, products: str = "auto"):
        if device == "cuda" and not torch.cuda.is_available():
            raise ValueError("backend must be numpy or torch here, not cuda: PyTorch sees no GPU")
        self.name, self._device = "torch" if device == "cpu" else device, torch.device(device)
        self.operations = _operations(device)
        self.products = choose(products, self.operations, device)

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
        least, most = self.operations.extremes(x)
        return self.host(least).astype(np.float64), self.host(most).astype(np.float64)

    def pool(self, x: Tensor, side: int) -> tuple[Tensor, Tensor]:
        found: tuple[Tensor, Tensor] = self.operations.pool(x, side)
        return found

    def unpool(self, y: Tensor, best: Tensor, shape: tuple[int, ...], side: int) -> Tensor:
        return self.operations.unpool(y, best, shape, side)


def _operations(device: str) -> Operations:
    """Compiled passes on a CPU where numba is installed, else PyTorch's own operations."""
    if device == "cpu":
        try:
            from golden.backend.torch.kernels import Kernels
        except ImportError:
            return Operations()
        return Kernels()
    return Operations()

"""Start weights of a run, instead of random ones."""

from dataclasses import dataclass

import numpy as np

from golden import files
from golden.network.synapse_network import SynapseNetwork


def digest(weights: dict[str, np.ndarray]) -> str:
    """SHA-256 of a network's weights; their order has no effect."""
    names = np.frombuffer(" ".join(sorted(weights)).encode(), np.uint8)
    return files.digest(names, *(weights[name] for name in sorted(weights)))


@dataclass(frozen=True, eq=False)
class Start:
    """Start weights, or only their digest if a checkpoint replaces them.

    Parameters
    ----------
    digest : str
        Digest of the weights, see ``digest``.
    weights : dict of str to ndarray, optional
        Arrays for ``golden.network.synapse_network.SynapseNetwork.set_weights``.
    name : str
        Name of the weights in error messages.
    """

    digest: str
    weights: dict[str, np.ndarray] | None = None
    name: str = "start"

    @classmethod
    def of(cls, weights: dict[str, np.ndarray], name: str = "start") -> "Start":
        """A start from ``weights``."""
        return cls(digest(weights), weights, name)

    def give(self, network: SynapseNetwork) -> bool:
        """Program the weights, if any. Returns whether there are any.

        Raises
        ------
        ValueError
            If the weights do not fit; the message names them.
        """
        if self.weights is None:
            return False
        try:
            network.set_weights(self.weights)
        except KeyError as missing:
            message = f"{self.name} does not fit the network: it has no {missing}"
            raise ValueError(message) from None
        except (TypeError, ValueError) as error:
            raise ValueError(f"{self.name} does not fit the network: {error}") from None
        return True

"""Weights that a run starts from, instead of random ones."""

from dataclasses import dataclass

import numpy as np

from golden import files
from golden.network.synapse_network import SynapseNetwork


def digest(weights: dict[str, np.ndarray]) -> str:
    """SHA-256 of a network's weights, whatever their order."""
    names = np.frombuffer(" ".join(sorted(weights)).encode(), np.uint8)
    return files.digest(names, *(weights[name] for name in sorted(weights)))


@dataclass(frozen=True, eq=False)
class Start:
    """Weights, or their digest alone where a checkpoint has gone on from them.

    Parameters
    ----------
    digest : str
        Of the weights, see ``digest``.
    weights : dict of str to ndarray, optional
        As ``golden.network.network.SynapseNetwork.set_weights`` takes them.
    name : str
        What errors call them.
    """

    digest: str
    weights: dict[str, np.ndarray] | None = None
    name: str = "start"

    @classmethod
    def of(cls, weights: dict[str, np.ndarray], name: str = "start") -> "Start":
        """The start from ``weights``."""
        return cls(digest(weights), weights, name)

    def give(self, network: SynapseNetwork) -> bool:
        """Program the weights, if there are any; whether there are.

        Raises
        ------
        ValueError
            Naming the weights, if they do not fit.
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

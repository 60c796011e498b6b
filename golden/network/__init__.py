"""Gated-XNOR networks whose weights are synapses: notation, layers, optimisers."""

from golden.network.network import Network
from golden.network.notation import Block, parse
from golden.network.synapse_network import SynapseNetwork

__all__ = ["Block", "Network", "SynapseNetwork", "parse"]

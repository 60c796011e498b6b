"""Gated-XNOR networks whose weights are synapses: notation, layers, optimisers."""

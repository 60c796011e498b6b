"""One synapse array: its interface, the golden model, its command frames and their drivers."""

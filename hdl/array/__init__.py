"""The synapse array: RTL of lanes, controller and ports."""

"""The hardware, in Amaranth. Parameters, codes and frame layouts come from ``golden``."""

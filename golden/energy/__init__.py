"""Energy, efficiency and speed of an array from its counters."""

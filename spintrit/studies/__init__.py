"""Studies: many runs in a row, and their results."""

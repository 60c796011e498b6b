"""Arrays and accelerators on a board's serial line."""

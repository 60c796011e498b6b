"""The numpy golden model: what the hardware must do, bit for bit. Needs numpy alone."""

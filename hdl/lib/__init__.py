"""Parts that any design may use: adders, FIFO, delays."""

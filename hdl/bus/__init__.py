"""Buses: registers, AXI, UART."""

"""Tops for boards: pins, clocks, serial lines."""

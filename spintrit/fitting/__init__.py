"""Switching measurements: read, pooled, and fitted."""

"""Benches that run inside a simulator, under cocotb."""

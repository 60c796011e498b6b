"""Models that benches compare with, and broken arrays."""

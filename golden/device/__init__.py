"""One junction: from its physics, or from measurements, to its switching probability."""

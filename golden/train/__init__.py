"""Training: settings, conditions, epochs, checkpoints."""

"""The accelerator: tiles, memories and the engines that run its programs."""

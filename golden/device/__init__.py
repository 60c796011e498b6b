"""One junction: from its physics, or from measurements, to its switching probability."""

from golden.device.curve import Curve
from golden.device.junction import DIRECTIONS, Device, load, names
from golden.device.nonideal import NonIdealities

__all__ = ["DIRECTIONS", "Curve", "Device", "NonIdealities", "load", "names"]

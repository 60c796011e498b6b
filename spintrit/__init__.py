"""The command line: demo, train, generate, bench."""

from spintrit.version import __version__

__all__ = ["__version__"]

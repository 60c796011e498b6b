"""The version of spintrit. Its one source is ``pyproject.toml``."""

import tomllib
from importlib import metadata
from pathlib import Path

__all__ = ["__version__"]


def _version() -> str:
    """The installed version; in a checkout that is not installed, the one in pyproject.toml."""
    try:
        return metadata.version("spintrit")
    except metadata.PackageNotFoundError:
        project = Path(__file__).parents[1] / "pyproject.toml"
        return str(tomllib.loads(project.read_text())["project"]["version"])


__version__ = _version()

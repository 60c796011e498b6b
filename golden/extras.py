"""Installation of optional packages."""

import contextlib
from collections.abc import Iterator


def install(extra: str) -> str:
    """The command that installs an extra of pyproject.toml; spintrit itself is not on PyPI."""
    return f"pip install '.[{extra}]' in the checkout"


@contextlib.contextmanager
def hinted() -> Iterator[None]:
    """Add to an ImportError what installs the package, if it does not say so itself."""
    try:
        yield
    except ImportError as error:
        if "pip install" in str(error):
            raise
        message = f"{error}; try: {install('demo')}"
        raise ModuleNotFoundError(message, name=error.name) from error

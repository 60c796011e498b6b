"""Installation of optional packages."""


def install(extra: str) -> str:
    """The command that installs an extra of pyproject.toml; spintrit itself is not on PyPI."""
    return f"pip install '.[{extra}]' in the checkout"

"""Make the virtual environment with the pinned tool chain: ``python3 setup_env.py FOLDER``. Add
packages to an existing one: ``python3 setup_env.py FOLDER REQUIREMENTS``.

It needs Python 3.11 or later and only its standard library. Debian keeps ``ensurepip`` in a
separate package; without it pip is downloaded from PyPI and checked against the hash below.
"""

import hashlib
import importlib.util
import shutil
import subprocess
import sys
import tempfile
import urllib.request
import venv
from pathlib import Path
from typing import Any

PIP_URL = (
    "https://files.pythonhosted.org/packages/ef/7d/"
    "500c9ad20238fcfcb4cb9243eede163594d7020ce87bd9610c9e02771876/pip-24.3.1-py3-none-any.whl"
)
PIP_SHA256 = "3790624780082365f47549d032f3770eeb2b1e8bd1f7b2e02dace1afa361b4ed"
ROOT = Path(__file__).parent


def main(folder: Path, more: Path | None = None) -> None:
    """Check the tools, then make and fill the environment in ``folder``. With the requirements file
    ``more``, only add its packages and their dependencies."""
    if sys.version_info < (3, 11):  # noqa: UP036  (whoever runs this may have any)
        raise SystemExit(f"spintrit needs Python 3.11 or later, not {sys.version.split()[0]}")
    missing = [tool for tool in ("g++", "make", "perl") if shutil.which(tool) is None]
    if missing:
        raise SystemExit(f"spintrit needs {', '.join(missing)} on PATH: install and try again")
    with_pip = importlib.util.find_spec("ensurepip") is not None
    if more:
        wanted: list[list[Any]] = [["-r", more]]
    else:
        venv.create(folder, clear=True, with_pip=with_pip)
        wanted = [["--no-deps", "-r", ROOT / "requirements.txt"], ["--no-deps", "-e", ROOT]]
    python = folder / "bin" / "python"
    with tempfile.TemporaryDirectory() as scratch:
        pip = [python, "-m", "pip"] if with_pip else [python, _pip_wheel(Path(scratch)) / "pip"]
        for what in wanted:
            install = [*pip, "install", "--quiet", "--disable-pip-version-check", *what]
            if subprocess.run(install, check=False).returncode:
                raise SystemExit(f"pip could not install {what[-1]}: is PyPI within reach?")


def _pip_wheel(folder: Path) -> Path:
    """Download pip as a wheel, which runs without installation."""
    try:
        with urllib.request.urlopen(PIP_URL) as answer:
            content = answer.read()
    except OSError as error:
        raise SystemExit(
            f"this Python has no ensurepip, and PyPI does not answer: {error}"
        ) from None
    if hashlib.sha256(content).hexdigest() != PIP_SHA256:
        raise SystemExit(f"{PIP_URL} is not the file that it should be")
    wheel = folder / PIP_URL.rpartition("/")[2]
    wheel.write_bytes(content)
    return wheel


if __name__ == "__main__":
    main(*map(Path, sys.argv[1:]))

"""The wheel and the sdist are complete, and their metadata agrees with the files around."""

import shutil
import subprocess
import sys
import tarfile
import tomllib
import zipfile
from email.parser import HeaderParser
from pathlib import Path

import pytest

import spintrit
from spintrit import version

ROOT = Path(__file__).parents[1]
PACKAGES = ("golden", "hdl", "sim", "spintrit", "synth")
NOT_IN_SDIST = {".gitignore"}
BUILD = """
import sys
from setuptools import build_meta
folder = sys.argv[1]  # setuptools replaces sys.argv
build_meta.build_sdist(folder)
build_meta.build_wheel(folder)
"""


@pytest.fixture(scope="module")
def tracked():
    """The paths of all files that git tracks, from the root."""
    if not (ROOT / ".git").exists():
        pytest.skip("not a checkout of git: its list of files is missing")
    listed = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, check=True)
    files = {name for name in listed.stdout.decode().split("\0") if name}
    return {name for name in files if (ROOT / name).exists()}


@pytest.fixture(scope="module")
def built(tracked, tmp_path_factory):
    """The folder of a wheel and an sdist, built from a copy of the tracked files."""
    copy, folder = tmp_path_factory.mktemp("copy"), tmp_path_factory.mktemp("dist")
    for name in tracked:
        target = copy / name
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(ROOT / name, target)
    done = subprocess.run(
        [sys.executable, "-c", BUILD, folder], cwd=copy, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    assert "Warning" not in done.stderr
    return folder


@pytest.fixture(scope="module")
def wheel(built):
    """The files of the wheel: content by name."""
    (file,) = built.glob("*.whl")
    with zipfile.ZipFile(file) as archive:
        return {name: archive.read(name) for name in archive.namelist()}


def test_the_wheel_has_each_file_of_the_packages(wheel, tracked):
    expected = {name for name in tracked if name.startswith(tuple(f"{p}/" for p in PACKAGES))}
    assert {f"{package}/py.typed" for package in PACKAGES} <= expected
    inside = {name for name in wheel if not name.startswith("spintrit-")}
    assert inside == expected
    assert all(wheel[name] == (ROOT / name).read_bytes() for name in expected)


def test_the_sdist_has_each_tracked_file(built, tracked):
    (file,) = built.glob("*.tar.gz")
    with tarfile.open(file) as archive:
        inside = {name.partition("/")[2] for name in archive.getnames()}
    assert tracked - inside == NOT_IN_SDIST
    assert {"Makefile", "requirements.txt", "docs/cli.md", "tb/conftest.py"} <= inside


def test_the_metadata_of_the_wheel(wheel):
    (content,) = (c for name, c in wheel.items() if name.endswith("/METADATA"))
    head = HeaderParser().parsestr(content.decode())
    assert head["Version"] == spintrit.__version__
    assert head["License-Expression"] == "Apache-2.0"
    minors = [f"Programming Language :: Python :: 3.{minor}" for minor in (11, 12, 13)]
    assert set(minors) <= set(head.get_all("Classifier"))
    assert head.get_all("Project-URL") == ["Paper, https://arxiv.org/abs/1912.12636"]
    assert [r for r in head.get_all("Requires-Dist") if "extra ==" not in r] == ["numpy>=2.1"]


def test_one_version(monkeypatch):
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    assert spintrit.__version__ == project["version"]
    assert f"\nversion: {project['version']}\n" in (ROOT / "CITATION.cff").read_text()

    def missing(name):
        raise version.metadata.PackageNotFoundError(name)

    monkeypatch.setattr(version.metadata, "version", missing)
    assert version._version() == project["version"]

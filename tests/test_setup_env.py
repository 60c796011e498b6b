"""Setting up says in one line what is missing."""

import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]


@pytest.fixture
def setup_env(monkeypatch):
    monkeypatch.syspath_prepend(str(ROOT))
    import setup_env

    return setup_env


def test_missing_tools_are_named(tmp_path):
    done = subprocess.run(
        [sys.executable, ROOT / "setup_env.py", tmp_path / "venv"],
        capture_output=True, text=True, check=False, env={"PATH": str(tmp_path)},
    )  # fmt: skip
    assert done.returncode == 1
    assert done.stderr == "spintrit needs g++, make, perl on PATH: install and try again\n"
    assert not (tmp_path / "venv").exists()


def test_old_python_is_refused(setup_env, tmp_path, monkeypatch):
    monkeypatch.setattr(sys, "version_info", (3, 10, 4))
    with pytest.raises(SystemExit, match=r"^spintrit needs Python 3\.11 or later, not "):
        setup_env.main(tmp_path / "venv")


def test_another_pip_is_refused(setup_env, tmp_path, monkeypatch):
    (tmp_path / "pip.whl").write_bytes(b"something else")
    monkeypatch.setattr(setup_env, "PIP_URL", (tmp_path / "pip.whl").as_uri())
    with pytest.raises(SystemExit, match=r"^file:.*pip\.whl is not the file that it should be$"):
        setup_env._pip_wheel(tmp_path)


def test_no_network_is_one_line(setup_env, tmp_path, monkeypatch):
    monkeypatch.setattr(setup_env, "PIP_URL", (tmp_path / "nowhere").as_uri())
    with pytest.raises(
        SystemExit, match=r"^this Python has no ensurepip, and PyPI does not answer"
    ):
        setup_env._pip_wheel(tmp_path)


def test_more_requirements_leave_the_environment_as_it_is(setup_env, tmp_path, monkeypatch):
    ran = []

    def run(command, check):
        ran.append([str(word) for word in command])
        return subprocess.CompletedProcess(command, len(ran) - 1)

    monkeypatch.setattr(subprocess, "run", run)
    monkeypatch.setattr(setup_env, "_pip_wheel", lambda scratch: tmp_path)
    setup_env.main(tmp_path / "venv", tmp_path / "more.txt")
    [command] = ran
    assert command[0] == str(tmp_path / "venv" / "bin" / "python")
    assert command[-2:] == ["-r", str(tmp_path / "more.txt")]
    assert "--no-deps" not in command
    assert not (tmp_path / "venv").exists()
    with pytest.raises(SystemExit, match=r"^pip could not install .*more\.txt: is PyPI within"):
        setup_env.main(tmp_path / "venv", tmp_path / "more.txt")


@pytest.mark.parametrize(
    ("file", "used"),
    [
        ("requirements.txt", ("test", "demo", "device", "fpga", "rtl", "lint")),
        ("requirements-torch.txt", ("torch",)),
    ],
)
def test_every_requirement_is_pinned_and_covers_the_extras(file, used):
    import tomllib

    lines = (ROOT / file).read_text().splitlines()
    pins = [line for line in lines if not line.startswith("#")]
    assert all("==" in pin for pin in pins)
    names = {pin.partition("==")[0].lower().replace("_", "-") for pin in pins}
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    extras = project["optional-dependencies"]
    own = project["dependencies"] if file == "requirements.txt" else []
    for need in [*own, *(need for extra in used for need in extras[extra])]:
        name = need.partition(">=")[0]
        assert name in names or name.startswith("spintrit["), need

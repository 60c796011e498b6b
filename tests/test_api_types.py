"""The public interface in a type checker."""

import os
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[1]

USER = """
import spintrit

run = spintrit.train("digits", "8FC", epochs=2, seed=1)
reveal_type(run)
reveal_type(run.history)
reveal_type(run.accuracy)
reveal_type(run.weights)
reveal_type(spintrit.array(spintrit.ArrayConfig(rows=8), target="rtl"))
reveal_type(spintrit.dataset("mnist"))
reveal_type(spintrit.device("default"))
reveal_type(spintrit.table("default", coder="linear"))
reveal_type(spintrit.evaluate(run, adc_bits=5))
reveal_type(spintrit.load_run("x"))
reveal_type(spintrit.verilog())
reveal_type(spintrit.__version__)
"""
REVEALED = [
    "spintrit.records.Run", "list[dict[str, Any]]", "float", "dict[str, ndarray",
    "golden.array.interface.SynapseArray", "golden.data.split.Split",
    "golden.device.junction.Device", "golden.pulse.tablefile.TableFile", "dict[str, Any]",
    "spintrit.records.Run", "str", "str",
]  # fmt: skip
WRONG = """
import spintrit

spintrit.train("digits", epoch=2)
spintrit.train("digits", epochs="two")
spintrit.evaluate("run", adc_bits="five")
spintrit.train("digits").weight
"""


def checked(text, folder):
    """What mypy says of a user's file; of what the file imports it says nothing."""
    (folder / "user.py").write_text(text)
    cache = [f"--cache-dir={ROOT / '.mypy_cache' / 'user'}"]
    done = subprocess.run(
        [sys.executable, "-m", "mypy", "--strict", "--follow-imports=silent", *cache, "user.py"],
        cwd=folder, capture_output=True, text=True, check=False,
        env=os.environ | {"MYPYPATH": str(ROOT)},
    )  # fmt: skip
    short = done.stdout.replace("builtins.", "").replace("numpy.", "")
    return [line for line in short.splitlines() if line.startswith("user.py")], done


def test_a_user_s_file_is_type_checked(tmp_path):
    lines, done = checked(USER, tmp_path)
    assert done.returncode == 0, done.stdout
    assert len(lines) == len(REVEALED)
    for line, expected in zip(lines, REVEALED, strict=True):
        assert f'Revealed type is "{expected}' in line
    lines, _ = checked(WRONG, tmp_path)
    errors = [line.split(":")[1] for line in lines if ": error: " in line]
    assert errors == ["4", "5", "6", "7"]

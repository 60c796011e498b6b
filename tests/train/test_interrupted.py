"""Ctrl-C ends a command with its own status, wherever it comes."""

import os
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]


def test_an_interrupt_within_exec_ends_with_130(tmp_path):
    (tmp_path / "interrupted.py").write_text(
        "from spintrit.cli.status import guarded\n"
        "raise SystemExit(guarded(lambda: exec('raise KeyboardInterrupt')))\n"
    )
    done = subprocess.run(
        [sys.executable, "-m", "interrupted"], cwd=tmp_path, check=False, capture_output=True,
        env=os.environ | {"PYTHONPATH": str(ROOT)},
    )  # fmt: skip
    assert (done.returncode, done.stderr) == (130, b"spintrit: stopped\n")

"""The command line: what it writes, and what it says when it cannot."""

import json
import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
from commands import error_of, spintrit

from golden import files
from golden.array.golden import GoldenArray
from golden.array.lockstep import LockstepArray
from golden.config import ArrayConfig
from golden.device.nonideal import NonIdealities
from golden.pulse.design import CoderConfig
from golden.train.config import TrainConfig
from spintrit.cli import main as cli
from spintrit.cli import options
from spintrit.runs import run
from spintrit.targets import Lockstep

QUICK = "train --epochs 2 --network 8FC --rows 16 --cols 16"


def test_train_writes_a_run(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    assert spintrit(f"{QUICK} --seed 3 --out run") == 0
    files = {path.name for path in Path("run").iterdir()}
    assert files == {
        "summary.json", "metrics.jsonl", "weights.npz", "checkpoint.npz", "learning.png",
        "table.json", "config.json", "best.npz", "seconds.json",
    }  # fmt: skip
    summary = json.loads(Path("run/summary.json").read_text())
    assert summary["seed"] == 3
    assert summary["train_config"]["network"] == "8FC"
    assert summary["cycles_by_formula"] > 0
    lines = Path("run/metrics.jsonl").read_text().splitlines()
    assert [json.loads(line)["epoch"] for line in lines] == [1, 2]
    assert Path("run/learning.png").read_bytes().startswith(b"\x89PNG")
    with np.load("run/weights.npz") as weights:
        assert set(np.unique(weights["layer1.weights"])) <= {-1, 0, 1}
    shown = capsys.readouterr().out
    assert f"{summary['test_accuracy']:.2%}" in shown


def test_train_refuses_to_overwrite_resumes_and_overwrites(tmp_path, capsys):
    line = f"{QUICK} --out {tmp_path / 'run'}"
    assert spintrit(line) == 0
    before = (tmp_path / "run" / "weights.npz").read_bytes()
    capsys.readouterr()
    assert error_of(line, capsys) == (
        f"spintrit: error: out '{tmp_path / 'run'}' holds a run already "
        "(config.json): give --resume or --overwrite\n"
    )
    assert spintrit(f"{line} --resume") == 0
    summary = json.loads((tmp_path / "run" / "summary.json").read_text())
    assert summary["resumed_after_epoch"] == 2
    assert (tmp_path / "run" / "weights.npz").read_bytes() == before
    assert spintrit(f"{line} --overwrite --seed 1") == 0
    assert (tmp_path / "run" / "weights.npz").read_bytes() != before


def test_difference_is_told_and_recorded(tmp_path, monkeypatch, capsys):
    class Broken(GoldenArray):
        seconds = 1.0

        def _forward(self, u, first, count):
            sums = super()._forward(u, first, count)
            sums[0, 0] += 2
            return sums

    def make(_, config):
        return LockstepArray(GoldenArray(config), Broken(config))

    monkeypatch.setattr(Lockstep, "array", make)
    monkeypatch.setattr("sim.library.build", lambda config: None)
    assert spintrit(f"{QUICK} --array both --out {tmp_path}") == 1
    told = capsys.readouterr().err
    assert told.startswith("spintrit: RTL and golden model differ: column sum differs at layer ")
    summary = json.loads((tmp_path / "summary.json").read_text())
    first = summary["first_difference"]
    assert first["layer"] == "layer1"
    assert (first["sample"], first["column"]) == (0, 0)
    assert first["got"] == first["expected"] + 2
    assert summary["differences"] == 1
    assert not summary["complete"]
    assert "test_accuracy" not in summary


def test_array_that_fails_is_one_line_and_no_success(tmp_path, monkeypatch, capsys):
    class Silent(GoldenArray):
        seconds = 0.0

        def _backward(self, d, first):
            raise RuntimeError("the RTL array gave no answer")

    monkeypatch.setattr(Lockstep, "array", lambda _, c: LockstepArray(GoldenArray(c), Silent(c)))
    monkeypatch.setattr("sim.library.build", lambda config: None)
    told = error_of(f"{QUICK} --array both --out {tmp_path}", capsys)
    assert told == "spintrit: error: the RTL array gave no answer\n"
    summary = json.loads((tmp_path / "summary.json").read_text())
    assert not summary["complete"]
    assert "differences" not in summary


def test_a_new_run_removes_the_results_of_the_old(tmp_path, monkeypatch):
    assert spintrit(f"{QUICK} --out {tmp_path}") == 0

    def stop(*_):
        raise KeyboardInterrupt

    monkeypatch.setattr("golden.train.trainer.Trainer._train_epoch", stop)
    assert spintrit(f"{QUICK} --seed 1 --out {tmp_path} --overwrite") == 130
    assert not json.loads((tmp_path / "summary.json").read_text())["complete"]
    assert not (tmp_path / "weights.npz").exists()
    assert not (tmp_path / "learning.png").exists()


def test_demo_leaves_other_runs_alone(tmp_path, capsys):
    assert spintrit(f"{QUICK} --out {tmp_path}") == 0
    before = {path: path.read_bytes() for path in tmp_path.iterdir()}
    capsys.readouterr()
    assert "holds a run already" in error_of(f"demo --out {tmp_path}", capsys)
    assert {path: path.read_bytes() for path in tmp_path.iterdir()} == before


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("", "spintrit: error: the following arguments are required: COMMAND"),
        ("nonsense", "spintrit: error: argument COMMAND: invalid choice: 'nonsense'"),
        ("train --epochs many", "spintrit train: error: argument --epochs: invalid int value"),
        ("train --epochs 0", "spintrit: error: epochs must be at least 1, not 0"),
        ("train --network 8FC-0FC", "spintrit: error: network '8FC-0FC'"),
        ("train --density 1.5", "spintrit: error: density must be finite and in 0 to 1, not 1.5"),
        ("train --learning-rate nan", "spintrit: error: learning_rate must be finite"),
        ("train --rows 0", "spintrit: error: rows must be in 1 to 4096, not 0"),
        ("train --cols 10 --columns-per-cycle 3", "spintrit: error: columns_per_cycle must be a"),
        ("train --dataset birds", "spintrit train: error: argument --dataset: invalid choice"),
        ("train --array board", "spintrit train: error: argument --array: invalid choice"),
        ("train --draw-bits 12", "spintrit train: error: argument --draw-bits: invalid choice"),
        ("demo --seed -1", "spintrit: error: seed must be at least 0, not -1"),
        ("generate", "spintrit generate: error: the following arguments are required: -o"),
        ("generate -o .", "spintrit: error: . is not a regular file"),
        ("generate --init x.v -o x.v", "spintrit: error: x.v is read by this command, or written"),
        ("generate -o x.v --name module", "spintrit: error: name must be a Verilog identifier"),
        ("train --batch 1", "spintrit: error: batch must be at least 2, not 1"),
        ("train --resume --overwrite", "spintrit train: error: argument --overwrite: not allowed"),
        ("generate -o x.v --name 4you", "spintrit: error: name must be a Verilog identifier"),
    ],
)
def test_bad_arguments_give_one_line(line, message, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    assert error_of(line, capsys).startswith(message)
    assert not list(tmp_path.rglob("*.v"))


def test_out_that_is_a_file_gives_one_line(tmp_path, capsys):
    (tmp_path / "file").write_text("here")
    assert str(tmp_path / "file") in error_of(f"{QUICK} --out {tmp_path / 'file'}", capsys)
    assert (tmp_path / "file").read_text() == "here"


def test_damaged_checkpoint_gives_one_line(tmp_path, capsys):
    assert spintrit(f"{QUICK} --out {tmp_path}") == 0
    path = tmp_path / "checkpoint.npz"
    path.write_bytes(path.read_bytes()[:-100])
    capsys.readouterr()
    told = error_of(f"{QUICK} --out {tmp_path} --resume", capsys)
    assert told.startswith(f"spintrit: error: {path} is not a checkpoint, or damaged")


def test_another_configuration_is_not_resumed(tmp_path, capsys):
    assert spintrit(f"{QUICK} --out {tmp_path}") == 0
    before = {path: path.read_bytes() for path in tmp_path.iterdir()}
    capsys.readouterr()
    told = error_of(f"{QUICK} --seed 5 --out {tmp_path} --resume", capsys)
    assert "was made with seed = 0, not 5" in told
    assert {path: path.read_bytes() for path in tmp_path.iterdir()} == before


def test_generate_is_deterministic(tmp_path, monkeypatch, capsys):
    for name in ("a.v", "deep/b.v"):
        monkeypatch.setenv("SPINTRIT_CACHE", str(tmp_path / f"cache of {Path(name).name}"))
        assert spintrit(f"generate --rows 4 --cols 6 -o {tmp_path / name}") == 0
    first, second = (tmp_path / name for name in ("a.v", "deep/b.v"))
    assert first.read_bytes() == second.read_bytes()
    assert "module spintrit_array(" in first.read_text()
    assert "lines of Verilog" in capsys.readouterr().out
    assert spintrit(f"generate --rows 4 --cols 6 --name mine -o {tmp_path / 'c.v'}") == 0
    assert "module mine(" in (tmp_path / "c.v").read_text()


def test_missing_package_is_named(tmp_path, monkeypatch, capsys):
    monkeypatch.setitem(sys.modules, "sklearn.datasets", None)
    told = error_of(f"{QUICK} --out {tmp_path}", capsys)
    assert told == (
        "spintrit: error: the digits are scikit-learn's: pip install '.[demo]' in the checkout\n"
    )
    monkeypatch.setitem(sys.modules, "spintrit.report.picture", None)
    monkeypatch.delitem(sys.modules, "spintrit.runs.run")
    told = error_of(f"{QUICK} --out {tmp_path}", capsys)
    assert told.endswith("; try: pip install '.[demo]' in the checkout\n")


def test_missing_compiler_is_one_line(tmp_path, monkeypatch, capsys):
    monkeypatch.setenv("PATH", str(tmp_path))
    told = error_of(f"{QUICK} --array rtl --out {tmp_path}", capsys)
    assert told.startswith("spintrit: error: not found on PATH: g++, make, perl")


def test_every_field_has_an_option_and_its_default():
    arguments = cli.parser().parse_args(["train"])
    for cls, helps in (
        (TrainConfig, options.TRAIN_HELP),
        (ArrayConfig, options.ARRAY_HELP),
        (CoderConfig, options.CODER_HELP),
        (NonIdealities, options.NONIDEAL_HELP),
    ):
        assert set(helps) == set(cls.__dataclass_fields__)
        assert options.fields(cls, arguments) == cls()


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ("--device nosuch", r"device must be one of default, .*'?retention'?.*, not 'nosuch'"),
        ("--device nosuch.toml", r"nosuch\.toml"),
        ("--table nosuch.json", r"nosuch\.json"),
        ("--device ideal --amplitude-noise 0.1", r"need a device, but there is only a table"),
        ("--adc-bits 5 --array both", r"need array golden, not both"),
        ("--adc-bits 1", r"adc_bits must be 0 \(exact\) or at least 2, not 1"),
        ("--step-s 1", r"step_s must be between .* and t_write_s = 2e-09, not 1"),
        ("--coder other", r"argument --coder: invalid choice: 'other'"),
        ("--device ideal --table x", r"device = 'ideal' has no resistances"),
        ("--stuck-p 1.5", r"stuck_p must be finite and in 0 to 1, not 1\.5"),
        ("--device ideal --coder linear", r"coder = 'linear' cannot be combined with device ideal"),
        ("--retention-s 1 --retention-k 2000", r"retention_k = 2000 is too hot"),
    ],
)
def test_bad_cells_are_refused_in_one_line(options, message, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    assert re.search(message, error_of(f"{QUICK} --out run {options}", capsys))
    assert not Path("run").exists()


def test_a_table_file_trains_like_its_device(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    assert spintrit(f"{QUICK} --device stochastic --out a") == 0
    assert spintrit(f"{QUICK} --table a/table.json --out b") == 0
    weights = [Path(f"{name}/weights.npz").read_bytes() for name in "ab"]
    assert weights[0] == weights[1]
    summaries = [json.loads(Path(f"{name}/summary.json").read_text()) for name in "ab"]
    assert summaries[0]["device"] == summaries[1]["device"] == "stochastic"
    spent = [summary["total_j_per_train_sample"] for summary in summaries]
    assert spent[0] == spent[1] > summaries[0]["array_j_per_train_sample"] > 0
    assert spintrit(f"{QUICK} --table a/table.json --adc-bits 4 --retention-s 1e-3 --out d") == 0
    assert json.loads(Path("d/summary.json").read_text())["nonideal"]["adc_bits"] == 4
    capsys.readouterr()
    assert "steepness = 2 cannot be combined with a table made for 3.0" in error_of(
        f"{QUICK} --table a/table.json --steepness 2 --out c", capsys
    )
    assert "coder = 'linear' cannot be combined with a table" in error_of(
        f"{QUICK} --table a/table.json --coder linear --out c", capsys
    )


def test_an_array_without_counters_trains_but_tells_no_energy(tmp_path, capsys):
    assert spintrit(f"{QUICK} --no-counters --out {tmp_path / 'run'}") == 0
    summary = json.loads((tmp_path / "run" / "summary.json").read_text())
    assert "activity" not in summary
    assert "energy" not in capsys.readouterr().out
    told = error_of(f"energy {tmp_path / 'run'}", capsys)
    assert told.endswith("summary.json: a run with --no-counters has no energy to report\n")


def test_interrupt_tells_how_to_go_on(tmp_path, monkeypatch, capsys):
    def stop(*_, **__):
        raise KeyboardInterrupt

    monkeypatch.setattr(run, "run", stop)
    assert spintrit(f"{QUICK} --out {tmp_path}") == 130
    told = f"spintrit: stopped; start again with: spintrit {QUICK} --out {tmp_path}\n"
    assert capsys.readouterr().err == told


@pytest.mark.parametrize("command", ["", "demo", "train", "generate", "bench"])
def test_help_and_module_entry(command):
    done = subprocess.run(
        [sys.executable, "-m", "spintrit", *command.split(), "--help"],
        capture_output=True, text=True, check=True, env=os.environ | {"COLUMNS": "80"},
    )  # fmt: skip
    assert done.stdout.startswith(f"usage: spintrit {command}".rstrip())
    assert not done.stderr


def test_foreign_files_are_not_overwritten(tmp_path, capsys):
    (tmp_path / "weights.npz").write_bytes(b"dear to somebody")
    told = error_of(f"{QUICK} --out {tmp_path}", capsys)
    assert "holds a run already (weights.npz): " in told
    assert (tmp_path / "weights.npz").read_bytes() == b"dear to somebody"


def test_a_folder_is_one_process_s(tmp_path, capsys):
    with files.alone(tmp_path):
        told = error_of(f"{QUICK} --out {tmp_path}", capsys)
    assert told == (f"spintrit: error: out '{tmp_path}' is another process's, which runs in it\n")
    assert not list(tmp_path.iterdir())
    assert spintrit(f"{QUICK} --out {tmp_path}") == 0


def test_options_are_not_abbreviated(tmp_path, capsys):
    """A network's own settings would be lost on the way."""
    net = tmp_path / "net.toml"
    net.write_text('layers = "8FC"\n[training]\nepochs = 1\n')
    told = error_of(f"train --netw {net} --out {tmp_path / 'run'}", capsys)
    assert "unrecognized arguments: --netw" in told
    assert spintrit(f"train --network {net} --out {tmp_path / 'run'}") == 0
    assert len((tmp_path / "run" / "metrics.jsonl").read_text().splitlines()) == 1


def test_epochs_are_told_where_no_bar_moves(tmp_path, capsys):
    assert spintrit(f"{QUICK} --out {tmp_path}") == 0
    shown = capsys.readouterr().out
    assert "epoch 1 of 2  loss " in shown
    assert "epoch 2 of 2  loss " in shown


def test_a_killed_command_resumes_to_the_same_files_and_counts(tmp_path):
    options = "train --array fast --epochs 40 --network 32FC --seed 3"
    assert spintrit(f"{options} --out {tmp_path / 'whole'}") == 0
    command = [sys.executable, "-m", "spintrit", *options.split(), "--out", str(tmp_path / "cut")]
    with subprocess.Popen(command, stdout=subprocess.DEVNULL) as child:
        metrics = tmp_path / "cut" / "metrics.jsonl"
        # A line comes before its checkpoint, so the second tells of the first.
        while child.poll() is None and not (
            metrics.exists() and metrics.read_bytes().count(b"\n") > 1
        ):
            time.sleep(0.005)
        child.kill()
    assert child.returncode == -signal.SIGKILL
    assert spintrit(f"{options} --out {tmp_path / 'cut'} --resume") == 0
    names = {path.name for path in (tmp_path / "whole").iterdir()}
    assert names == {path.name for path in (tmp_path / "cut").iterdir()}
    for name in names - {"summary.json", "seconds.json"}:
        one, other = ((tmp_path / run / name).read_bytes() for run in ("whole", "cut"))
        assert name == "learning.png" or one == other, name
    one, other = (
        json.loads((tmp_path / run / "summary.json").read_text()) for run in ("whole", "cut")
    )
    assert 1 <= other["resumed_after_epoch"] < 40
    told = json.loads((tmp_path / "cut" / "seconds.json").read_text())
    assert len(told) == 41
    assert sorted(told) == told
    assert other["seconds"] >= told[-1] > 0
    for summary in (one, other):
        del summary["seconds"], summary["resumed_after_epoch"]
    assert one == other

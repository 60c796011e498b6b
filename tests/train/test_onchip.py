"""Training on chip from the command line: runs, resuming, wrong arguments, the block's files."""

import json
import re
import subprocess

import numpy as np
import pytest
from commands import error_of, spintrit

from golden.accel.interface import Counts
from golden.accel.lockstep import LockstepAccelerator
from golden.accel.twin import GoldenAccelerator
from golden.targets import Golden
from golden.train.trainer import BEST, Trainer

QUICK = "train --on-chip --network 8FC --rows 16"


def summary_of(folder):
    return json.loads((folder / "summary.json").read_text())


def test_a_run_learns_and_tells_what_the_block_did(tmp_path, capsys):
    assert spintrit(f"{QUICK} --network 32FC --epochs 8 --tiles 2 --out {tmp_path}") == 0
    told = summary_of(tmp_path)
    assert told["on_chip"]
    assert told["complete"]
    assert (told["tiles"], told["arrays"]) == (2, 2)
    assert told["optimiser_bytes_per_weight"] == 0
    assert told["test_accuracy"] > 0.6  # of ten classes
    counts = told["accelerator"]
    # All training, validation and test forward; backward and updates of training alone.
    assert counts["switched"] == told["cells_switched"] > 0
    assert min(told["cycles_by_formula"], counts["cycles"]) > 0
    for phase, share in told["lanes_busy"].items():
        assert share == pytest.approx(counts[f"{phase}_busy"] / counts[f"{phase}_cycles"], abs=1e-6)
    shown = capsys.readouterr().out
    assert "an accelerator with 2 arrays of 16 x" in re.sub(r"\s+", " ", shown.replace("│", ""))
    for phase in ("FORWARD", "BACKWARD", "UPDATE"):
        assert re.search(rf"{phase} .* {counts[f'{phase.lower()}_cycles']:,} ", shown)


def test_a_killed_run_goes_on_to_the_same_bits(tmp_path):
    line = f"{QUICK} --epochs 3 --seed 2"
    assert spintrit(f"{line} --out {tmp_path / 'whole'}") == 0
    assert spintrit(f"{line} --epochs 3 --out {tmp_path / 'parts'}") == 0
    whole = tmp_path / "whole"

    original = Trainer._save

    def stop(self):
        original(self)
        if self.epoch == 2:
            raise KeyboardInterrupt

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Trainer, "_save", stop)
        assert spintrit(f"{line} --overwrite --out {tmp_path / 'parts'}") == 130
    assert spintrit(f"{line} --resume --out {tmp_path / 'parts'}") == 0
    for name in ("metrics.jsonl", "weights.npz", BEST, "work.json"):
        assert (tmp_path / "parts" / name).read_bytes() == (whole / name).read_bytes(), name
    one, other = summary_of(whole), summary_of(tmp_path / "parts")
    for name in ("seconds", "resumed_after_epoch"):
        del one[name], other[name]
    assert one == other
    assert other["accelerator"]["switched"] == other["cells_switched"]


def test_tiles_change_nothing_in_what_is_read(tmp_path):
    """One tile or four: the same network classifies alike."""
    from spintrit.runs.evaluate import Evaluation, evaluate
    from spintrit.runs.trained import load

    assert spintrit(f"{QUICK} --epochs 2 --out {tmp_path}") == 0
    accuracies = set()
    for tiles in (1, 4):
        trained = load(tmp_path)
        object.__setattr__(trained, "tiles", tiles)
        accuracies.add(evaluate(Evaluation(trained))["accuracy"])
    assert accuracies == {summary_of(tmp_path)["test_accuracy"]}


def test_eval_tells_the_same_accuracy(tmp_path, capsys):
    assert spintrit(f"{QUICK} --epochs 2 --out {tmp_path}") == 0
    assert spintrit(f"eval {tmp_path} --json {tmp_path / 'found.json'}") == 0
    found = json.loads((tmp_path / "found.json").read_text())
    assert found["accuracy"] == summary_of(tmp_path)["test_accuracy"]
    assert found["array"] == "golden"
    assert found["cycles_by_formula"] > 0
    capsys.readouterr()
    told = error_of(f"export {tmp_path} -o {tmp_path / 'out'}", capsys)
    assert "was trained on chip" in told


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ("--array fast", "not fast"),
        ("--optimiser adam --dead-zone 0", "optimiser gradient, not adam"),
        ("--batch-norm variance", "batch_norm deviation, not variance"),
        ("--adc-bits 4", "not for on-chip training"),
        ("--columns-per-cycle 2", "array.columns_per_cycle must be 1, not 2"),
        ("--tiles 3", "tiles must be a power of two that divides rows = 16, not 3"),
        ("--tiles 0", "tiles must be at least 1, not 0"),
        ("--batch 60000 --network 64FC", "beyond 65535"),
    ],
)
def test_wrong_arguments_are_one_line(options, message, tmp_path, capsys):
    assert message in error_of(f"{QUICK} {options} --out {tmp_path / 'run'}", capsys)


def test_what_only_a_chip_has_needs_one(tmp_path, capsys):
    assert "tiles = 2 needs --on-chip" in error_of(f"train --tiles 2 --out {tmp_path}", capsys)
    told = error_of(f"train --array serial:/dev/none --out {tmp_path}", capsys)
    assert "/dev/none" in told
    told = error_of(f"train --on-chip --array serial:/dev/null@x --out {tmp_path}", capsys)
    assert "serial:PORT@BAUD, not '/dev/null@x'" in told
    told = error_of(f"train --array serial:/dev/null@3000000000 --out {tmp_path}", capsys)
    assert "baud must be in 300 to 12000000, not 3000000000" in told
    told = error_of(f"train --on-chip --array serial:/dev/null@0 --out {tmp_path}", capsys)
    assert "baud must be in 300 to 12000000, not 0" in told
    assert "invalid choice: 'serial:'" in error_of("train --array serial:", capsys)


def test_lock_step_finds_a_difference_and_records_it(tmp_path, monkeypatch, capsys):
    class Wrong(GoldenAccelerator):
        def _run(self, pc, batch):
            results = super()._run(pc, batch)
            results[1, 1] += 1
            return results

    def make(_, config):
        return LockstepAccelerator(GoldenAccelerator(config), Wrong(config))

    monkeypatch.setattr(Golden, "accelerator", make)
    assert spintrit(f"{QUICK} --array golden --epochs 1 --out {tmp_path}") == 1
    assert "result differs at sample 1, part 1: " in capsys.readouterr().err
    first = summary_of(tmp_path)["first_difference"]
    assert (first["what"], first["sample"], first["part"]) == ("result", 1, 1)
    assert first["got"] == first["expected"] + 1


def test_a_block_that_dies_leaves_an_incomplete_summary(tmp_path, monkeypatch, capsys):
    class Dead(GoldenAccelerator):
        def _run(self, pc, batch):
            raise RuntimeError("the RTL accelerator gave no answer")

        def counts(self) -> Counts:
            raise RuntimeError("the RTL accelerator gave no answer")

    monkeypatch.setattr(Golden, "accelerator", lambda _, config: Dead(config))
    monkeypatch.setattr("golden.accel.network.ChipBank.cycles", lambda self: 0)
    monkeypatch.setattr("golden.accel.network.ChipNetwork.train_step", _dead_step)
    told = error_of(f"{QUICK} --epochs 1 --out {tmp_path}", capsys)
    assert told == "spintrit: error: the RTL accelerator gave no answer\n"
    assert not summary_of(tmp_path)["complete"]


def _dead_step(self, u, *_, **__):
    return self._run(0, u)


def test_batch_norm_by_deviation_is_close_to_that_by_variance(tmp_path):
    """Both divide normally distributed sums by the same number; on digits both learn."""
    from golden.network.layers import BatchNorm

    x = np.random.default_rng(0).normal(3, 7, (20_000, 5))
    outputs = [BatchNorm("layer", 5, np.float64, spread=s).forward(x, train=True)
               for s in ("variance", "deviation")]  # fmt: skip
    np.testing.assert_allclose(*outputs, rtol=0.02, atol=0.02)
    exact = np.abs(x - x.mean(axis=0)).mean(axis=0) * np.sqrt(np.pi / 2)
    np.testing.assert_allclose(
        outputs[1], (x - x.mean(axis=0)) / np.sqrt(exact**2 + 1e-4), rtol=1e-9
    )
    with pytest.raises(ValueError, match=r"^spread must be one of variance, deviation, not 'x'$"):
        BatchNorm("layer", 1, spread="x")


def test_ip_files(tmp_path, capsys):
    line = f"ip --network 12FC --inputs 6 --classes 3 --batch 4 --rows 4 -o {tmp_path}"
    assert spintrit(line) == 0
    shown = capsys.readouterr().out
    assert "rows 4, cols 33, tiles 1, activation_words 20, error_words 16, positions 4" in shown
    verilog = (tmp_path / "spintrit_accelerator.v").read_text()
    ports = verilog[verilog.index("module spintrit_accelerator(") :].split(")")[0]
    for port in ("s_axil_awaddr", "s_axis_tdata", "m_axis_tlast", "irq", "clk", "rst"):
        assert port in ports
    core = (tmp_path / "spintrit_accelerator.core").read_text()
    assert core.startswith("CAPI=2:\nname: spintrit:ip:spintrit_accelerator:")
    for name in re.findall(r"- (\S+): \{", core):
        assert (tmp_path / name).exists(), name
    assert (tmp_path / "registers.md").exists()
    header = str(tmp_path / "spintrit_regs.h")
    subprocess.run(["g++", "-x", "c", "-fsyntax-only", header], check=True)


def test_ip_with_a_serial_line_and_its_own_name(tmp_path):
    line = "ip --uart 10 --name chip --rows 4 --cols 8 --positions 4 --activation-words 8"
    assert spintrit(f"{line} --error-words 8 --threshold-words 8 -o {tmp_path}") == 0
    verilog = (tmp_path / "chip.v").read_text()
    assert re.search(
        r"module chip\([^)]*\brx\b[^)]*\btx\b|module chip\([^)]*\btx\b[^)]*\brx\b", verilog
    )
    assert "toplevel: chip" in (tmp_path / "chip.core").read_text()


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ("--network 8FC --inputs 8x8", "inputs must be a shape such as 64 or 28x28x1, not '8x8'"),
        ("--network 8FC --inputs 0", "not '0'"),
        ("--network 8FC --classes 0", "classes must be at least 1, not 0"),
        ("--name 3x", "name must be a Verilog identifier, not '3x'"),
        ("--uart 2", "divisor must be at least 4, not 2"),
        ("--positions 1", "positions must be in 2 to 65535, not 1"),
    ],
)
def test_wrong_ip_arguments_are_one_line(options, message, tmp_path, capsys):
    line = f"ip --rows 4 --cols 8 {options} -o {tmp_path / 'out'}"
    assert message in error_of(line, capsys)
    assert not (tmp_path / "out").exists()

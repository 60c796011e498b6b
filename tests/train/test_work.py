"""The work of a run, counted over all of its processes."""

import json
from types import SimpleNamespace

import pytest
from commands import spintrit

from golden.accel.config import AcceleratorConfig
from golden.accel.interface import Counts
from golden.array.golden import GoldenArray
from golden.array.lockstep import LockstepArray
from golden.targets import Golden, OnChip
from golden.train.trainer import Trainer
from spintrit.runs.work import Work
from spintrit.targets import Board, Lockstep

LINE = "train --array both --network 4FC --rows 64 --cols 16 --epochs 3 --batch 1000 --seed 2"


class Timed(GoldenArray):
    """A golden array instead of the RTL: its cycles are the same."""

    seconds = 0.5


@pytest.fixture
def _no_rtl(monkeypatch):
    monkeypatch.setattr("golden.train.conditions._READ_TRIALS", 1 << 8)
    monkeypatch.setattr(
        Lockstep, "array", lambda _, config: LockstepArray(GoldenArray(config), Timed(config))
    )
    monkeypatch.setattr("sim.library.build", lambda config: None)


def summary_of(folder):
    return json.loads((folder / "summary.json").read_text())


@pytest.mark.usefixtures("_no_rtl")
@pytest.mark.parametrize(("stops", "extra"), [((0, 2), ""), ((1, 1), " --read-disturb")])
def test_a_resumed_run_in_lock_step_tells_what_an_unbroken_one_does(
    tmp_path, monkeypatch, stops, extra
):
    line = LINE + extra
    assert spintrit(f"{line} --out {tmp_path / 'whole'}") == 0
    for number, stop in enumerate(stops):
        with monkeypatch.context() as patch:
            original = Trainer._save

            def save(self, original=original, stop=stop):
                original(self)
                if self.epoch == stop:
                    raise KeyboardInterrupt

            def begin(self, original=Trainer._train_epoch, stop=stop):
                if self.epoch == stop:  # where there is nothing to save first
                    raise KeyboardInterrupt
                return original(self)

            patch.setattr(Trainer, "_save", save)
            patch.setattr(Trainer, "_train_epoch", begin)
            more = " --resume" if number else ""
            assert spintrit(f"{line}{more} --out {tmp_path / 'parts'}") == 130
    assert spintrit(f"{line} --resume --out {tmp_path / 'parts'}") == 0
    one, other = summary_of(tmp_path / "whole"), summary_of(tmp_path / "parts")
    assert one["values_compared"] > 1000
    assert one["rtl_cycles"] > 1000
    for name in ("seconds", "resumed_after_epoch", "rtl_seconds", "rtl_cycles_per_second"):
        del one[name], other[name]
    assert one == other


def block(**counts):
    return SimpleNamespace(config=AcceleratorConfig(), counts=lambda: Counts(**counts))


def bank(accelerator):
    return SimpleNamespace(accelerator=accelerator, arrays=[])


def test_a_board_that_was_used_before_counts_from_the_start_of_the_run(tmp_path):
    board = block(cycles=1000, forward_cycles=100, forward_busy=90)
    work = Work(tmp_path / "work.json", OnChip(Board("/dev/none")), bank(board))
    work.start(None)
    board.counts = lambda: Counts(cycles=1500, forward_cycles=300, forward_busy=190)
    work.save(0)
    told = work.report()
    assert told["accelerator"]["cycles"] == 500
    assert told["lanes_busy"]["forward"] == 0.5
    again = Work(tmp_path / "work.json", OnChip(Board("/dev/none")), bank(block(cycles=7)))
    again.start(None)  # a new run: what lay there is an older one's
    assert again.report()["accelerator"]["cycles"] == 0
    assert not (tmp_path / "work.json").exists()


@pytest.mark.parametrize("content", [None, b"", b"[{}]", b"{}", b"3", b'[{}, {"a": "b"}]'])
def test_totals_that_are_lost_or_damaged_are_not_known(tmp_path, content):
    path = tmp_path / "work.json"
    if content is not None:
        path.write_bytes(content)
    now = block(cycles=10)
    work = Work(path, OnChip(Golden()), bank(now))
    work.start(1)
    now.counts = lambda: Counts(cycles=25)
    assert work.report()["accelerator"]["cycles"] == 15
    work.save(2)
    assert json.loads(path.read_text())[-1]["accelerator.cycles"] == 15

"""Targets by name, and a trainer from Python that does what the command does."""

import json
import re
from pathlib import Path

import numpy as np
import pytest
from commands import spintrit
from training import ARRAY, CONFIG, SPLIT, files

from golden.accel.network import ChipBank
from golden.accel.twin import GoldenAccelerator
from golden.array.golden import GoldenArray
from golden.array.lockstep import LockstepArray
from golden.config import ArrayConfig
from golden.data import load as load_data
from golden.matrix.tiled import ArrayBank
from golden.matrix.whole_bank import WholeBank
from golden.network.network import Network
from golden.network.notation import Block
from golden.network.synapse_network import Step
from golden.pulse.design import IDEAL
from golden.pulse.table import tanh_table
from golden.targets import Arrays, Golden, OnChip, Target, Whole
from golden.train.cells import Cells
from golden.train.config import TrainConfig
from golden.train.log import Log
from golden.train.trainer import BEST, METRICS, WEIGHTS, Trainer
from spintrit.runs.request import Request
from spintrit.runs.settings import settings
from spintrit.runs.source import Source
from spintrit.targets import Board, Lockstep, Rtl, host_target, target

TARGETS = {
    "golden": Golden(),
    "fast": Whole(),
    "rtl": Rtl(),
    "both": Lockstep(),
    "serial:/dev/ttyUSB0": Board("/dev/ttyUSB0"),
    "serial:COM3@1000000": Board("COM3@1000000"),
}


@pytest.mark.parametrize("text", TARGETS)
def test_a_name_makes_a_target_and_is_its_text(text):
    found = target(text)
    assert (found, found.text, found.tiles) == (TARGETS[text], text, 0)
    assert target(found.text) == found
    assert hash(target(text)) == hash(found)
    if text != "fast":
        chip = target(text, tiles=4)
        assert (chip, chip.text, chip.tiles) == (OnChip(TARGETS[text], 4), text, 4)
        assert chip.matrices == "chip"


def test_a_back_end_belongs_to_whole_matrices():
    assert target("fast", "torch") == Whole("torch")
    assert target("fast", "torch").matrices == "torch"
    for text in set(TARGETS) - {"fast"}:
        with pytest.raises(ValueError, match=rf"^backend torch needs array fast, not {text}$"):
            target(text, "torch")
    with pytest.raises(ValueError, match=r"^backend must be one of numpy, torch, cuda, not 'x'$"):
        Whole("x")


@pytest.mark.parametrize("text", ["", "gold", "FAST", "serial", "serial:", "both "])
def test_another_name_is_refused_with_those_that_there_are(text):
    message = f"target (--array) must be one of golden, fast, rtl, both, serial:PORT, not {text!r}"
    with pytest.raises(ValueError, match=rf"^{re.escape(message)}$"):
        host_target(text)


def test_whole_matrices_are_no_accelerator():
    message = r"^on-chip training needs array golden, rtl, both or serial:PORT, not fast$"
    with pytest.raises(ValueError, match=message):
        OnChip(Whole())
    with pytest.raises(ValueError, match=message):
        target("fast", tiles=1)
    with pytest.raises(ValueError, match=r"^tiles must be at least 1, not 0$"):
        OnChip(Golden(), 0)


def test_what_differs_between_targets():
    def traits(each: Target):
        return each.whole, each.analog, each.simulated, each.compares, each.by_formula

    expected = {
        "golden": (False, True, False, False, True),
        "fast": (True, False, False, False, True),
        "rtl": (False, False, True, False, False),
        "both": (False, False, True, True, False),
        "serial:/dev/ttyUSB0": (False, False, False, False, True),
    }
    assert {text: traits(target(text)) for text in expected} == expected
    chips = {text: traits(target(text, tiles=1)) for text in expected if text != "fast"}
    assert chips == {
        "golden": (False, False, False, False, True),
        "rtl": (False, False, True, False, False),
        "both": (False, False, True, True, False),
        "serial:/dev/ttyUSB0": (False, False, False, False, False),
    }


def test_banks_and_sides_of_a_target():
    table = tanh_table(ARRAY)
    assert isinstance(Golden().bank(ARRAY, table, 1), ArrayBank)
    assert isinstance(Whole().bank(ARRAY, table, 1), WholeBank)
    pair = LockstepArray(GoldenArray(ARRAY), GoldenArray(ARRAY))
    assert (Lockstep().rtl(pair), Lockstep().counted(pair)) == (pair.other, pair.reference)
    assert (Rtl().rtl(pair), Rtl().counted(pair)) == (pair, pair)
    assert (Golden().rtl(pair), Golden().counted(pair)) == (None, pair)
    assert OnChip(Lockstep()).rtl(pair) is pair.other


@pytest.mark.parametrize(
    ("found", "expected"),
    [
        (Golden(), ("golden", False, None, "numpy")),
        (Whole("torch"), ("fast", False, None, "torch")),
        (OnChip(Lockstep(), 4), ("both", True, 4, "numpy")),
        (OnChip(Board("x@9600")), ("serial:x@9600", True, 1, "numpy")),
    ],
)
def test_a_run_keeps_a_target_by_its_options(found, expected):
    kept = settings(Request(found, Source(), TrainConfig(), ArrayConfig(), Cells()), Path())
    assert tuple(kept[name] for name in ("array", "on_chip", "tiles", "backend")) == expected
    assert target(kept["array"], kept["backend"], kept["tiles"] or 0) == found


# --- the trainer ---


def test_arguments_that_contradict_each_other_are_named():
    conditions = Cells(device=IDEAL).conditions(ARRAY, 4)
    with pytest.raises(
        ValueError, match=r"^conditions\.seed = 4 must be config\.seed = 3: one seed decides a run$"
    ):
        Trainer(CONFIG, SPLIT, conditions=conditions)
    for name, value in (("target", "golden"), ("conditions", ARRAY)):
        with pytest.raises(TypeError, match=rf"^{name} must be (a Target|Conditions), not "):
            Trainer(CONFIG, SPLIT, **{name: value})


@pytest.mark.parametrize(
    ("found", "bank"), [(Golden(), ArrayBank), (Whole(), WholeBank), (Arrays(), ArrayBank)]
)
def test_no_argument_is_dropped(found, bank, tmp_path):
    array = ArrayConfig(rows=24, cols=12)
    conditions = Cells(device="retention").conditions(array, CONFIG.seed)
    saved, epochs = [], []
    run = Trainer(
        CONFIG, SPLIT, found, conditions, tmp_path, log=Log(epoch=epochs.append, save=saved.append)
    )
    assert isinstance(run.bank, bank)
    assert (run.bank.config, run.bank.table) == (conditions.config, conditions.table)
    assert (run.bank.config.rows, run.bank.config.cols) == (24, 12)
    result = run.run()
    assert (saved, epochs) == ([0, 1, 2, 3, 4, 5], result.metrics)
    assert files(tmp_path).keys() >= {METRICS, WEIGHTS, BEST}


def test_an_accelerator_s_bank_is_its_tiles():
    config = TrainConfig(
        network="6FC", epochs=1, batch=16, optimiser="gradient", batch_norm="deviation"
    )
    run = Trainer(config, SPLIT, OnChip(Golden(), 2))
    assert isinstance(run.bank, ChipBank)
    assert isinstance(run.bank.accelerator, GoldenAccelerator)
    assert run.bank.size == 2
    assert run.network.optimiser_state() == {}
    with pytest.raises(ValueError, match=r"^m belongs to no parameter$"):
        run.network.set_optimiser_state({"m": np.zeros(1)})


def test_a_network_that_only_classifies_has_no_learner():
    bank = Golden().bank(ARRAY, tanh_table(ARRAY), 1)
    network = Network(bank, (12,), [Block(6)], 3)
    with pytest.raises(ValueError, match=r"^learner must be a Learner .* not None$"):
        network.train_step(SPLIT.x_train[:4], SPLIT.y_train[:4], 0.1)
    run = Trainer(CONFIG, SPLIT)
    step = run.network.train_step(SPLIT.x_train[:16], SPLIT.y_train[:16], 0.1)
    assert isinstance(step, Step)
    assert run.network.generators() == {"coder": run.rngs["coder"]}


@pytest.mark.parametrize(
    ("options", "found"),
    [("", None), ("--array fast", Whole()), ("--on-chip", OnChip(Golden()))],
)
def test_a_trainer_does_what_the_command_does(options, found, tmp_path):
    """Device, table, seed and all other defaults are the same."""
    line = f"train --network 8FC --epochs 2 --seed 7 {options}"
    assert spintrit(f"{line} --out {tmp_path / 'command'}") == 0
    kept = json.loads((tmp_path / "command" / "config.json").read_text())
    config = TrainConfig(**kept["train_config"])
    plain = TrainConfig(network="8FC", epochs=2, seed=7)
    if not options:
        assert config == plain
    split = load_data("digits", input_bits=2) if options == "--on-chip" else load_data("digits")
    Trainer(config, split, found, out=tmp_path / "python").run()
    for name in (METRICS, WEIGHTS, BEST):
        command, python = (tmp_path / side / name for side in ("command", "python"))
        assert command.read_bytes() == python.read_bytes(), name


# --- runs of earlier versions ---

OLD = Path(__file__).parent / "runs" / "config.json"


def test_the_options_of_a_kept_config_are_read(tmp_path):
    """A config.json as an earlier version wrote it."""
    from spintrit.runs.settings import resumed

    (tmp_path / "config.json").write_bytes(OLD.read_bytes())
    kept = resumed(tmp_path)
    assert target(kept["array"], kept["backend"], kept["tiles"] or 0) == OnChip(Lockstep(), 2)
    config = TrainConfig(**json.loads(OLD.read_text())["train_config"])
    assert (config.network, config.epochs, config.seed) == ("16FC", 2, 5)

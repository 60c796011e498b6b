"""Runs that go on by their folder alone, with more epochs, or from another run's weights."""

import json
import shlex
import shutil
from dataclasses import replace
from importlib import resources

import numpy as np
import pytest
from commands import error_of, spintrit
from training import CONFIG, Stop, files, stop_at, trainer

from golden.array.golden import GoldenArray
from golden.array.lockstep import LockstepArray
from golden.files import npz
from golden.network.start import Start, digest
from golden.train.trainer import Trainer

QUICK = "train --epochs 3 --network 8FC --rows 16 --cols 16"


def told(run, name="summary.json"):
    return json.loads((run / name).read_text())


@pytest.fixture
def stopping(monkeypatch):
    """A function that lets commands stop with Ctrl-C after so many epochs."""
    original = Trainer._save

    def stop_after(epochs):
        def save(self):
            original(self)
            if self.epoch == epochs:
                raise KeyboardInterrupt

        monkeypatch.setattr(Trainer, "_save", save)

    return stop_after


def undo(stopping):
    stopping(-1)


def resume_line(capsys):
    """The command after "go on with: spintrit"."""
    return capsys.readouterr().err.strip().partition("; go on with: spintrit ")[2]


SETTINGS = [
    "--seed 5 --batch 150 --rule blind --learning-rate 0.1",
    "--array fast --optimiser gradient --dead-zone 2 --width 2.0 --synapse binary",
    "--device retention --coder linear --adc-bits 5 --adc-range 12 --stuck-p 0.05",
    "--device ideal --steepness 2.5 --no-counters --columns-per-cycle 2",
    "--on-chip --tiles 2",
    "--device {toml}",
    "--table {table} --retention-s 1e-3",
]


@pytest.mark.parametrize("options", SETTINGS)
def test_resume_takes_all_settings_from_the_folder(
    options, tmp_path, monkeypatch, stopping, capsys
):
    monkeypatch.chdir(tmp_path)
    if "{table}" in options:
        assert spintrit("device table retention -o table.json") == 0
    own = tmp_path / "own.toml"
    if "{toml}" in options:
        own.write_text(toml_of_a_device())
    options = options.format(toml=own, table="table.json")
    assert spintrit(f"{QUICK} {options} --out whole") == 0
    stopping(1)
    capsys.readouterr()
    assert spintrit(f"{QUICK} {options} --out 'a cut'") == 130
    line = resume_line(capsys)
    assert line == "train --out 'a cut' --resume"
    undo(stopping)
    for name in ("own.toml", "table.json"):
        (tmp_path / name).unlink(missing_ok=True)
    assert spintrit(line) == 0
    whole, cut = files(tmp_path / "whole"), files(tmp_path / "a cut")
    assert whole.keys() == cut.keys()
    for name in whole.keys() - {"summary.json", "seconds.json", "learning.png"}:
        assert whole[name] == cut[name], name
    assert told(tmp_path / "a cut")["resumed_after_epoch"] == 1


def toml_of_a_device():
    """The default device, whose curve is kept."""
    return (resources.files("golden.device") / "devices" / "default.toml").read_text()


@pytest.fixture(scope="module")
def finished(tmp_path_factory):
    out = tmp_path_factory.mktemp("finished")
    assert spintrit(f"{QUICK} --seed 2 --out {out}") == 0
    return out


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ("--seed 1", "was made with seed = 2, not 1"),
        ("--device ideal", "was made with device = '', not 'ideal'"),
        ("--network 9FC", "was made with network = '8FC', not '9FC'"),
        ("--width 0.5", "was made with network = '8FC', not '4FC'"),
        ("--adc-bits 5", "was made with adc_bits = 0, not 5"),
        ("--on-chip", "was made with on_chip = False, not True"),
        ("--dataset mnist", "was made with dataset = 'digits', not 'mnist'"),
        ("--rows 32", "was made with rows = 16, not 32"),
        ("--coder linear", "was made with coder = 'inverse', not 'linear'"),
        ("--retention-s 1", "was made with retention_s = 0.0, not 1.0"),
        ("--init x", "was made with init = None, not '"),
        ("--epochs 2", "epochs = 2 is less than the 3 of "),
    ],
)
def test_other_settings_are_refused(finished, options, message, capsys):
    before = files(finished)
    line = f"train --out {finished} --resume {options}"
    assert message in error_of(line, capsys)
    assert files(finished) == before


def test_the_same_settings_may_be_given_again(finished, tmp_path):
    shutil.copytree(finished, tmp_path / "run")
    assert spintrit(f"{QUICK} --seed 2 --array golden --out {tmp_path / 'run'} --resume") == 0
    assert (tmp_path / "run" / "best.npz").read_bytes() == (finished / "best.npz").read_bytes()


@pytest.mark.parametrize(
    "options",
    [*SETTINGS[:2], *(pytest.param(options, marks=pytest.mark.full) for options in SETTINGS[2:5])],
)
def test_folders_that_do_not_list_their_settings_go_on(options, tmp_path, stopping, capsys):
    run = tmp_path / "run"
    assert spintrit(f"{QUICK} {options} --out {tmp_path / 'whole'}") == 0
    stopping(1)
    assert spintrit(f"{QUICK} {options} --out {run}") == 130
    undo(stopping)
    config = told(run, "config.json")
    del config["settings"]
    (run / "config.json").write_text(json.dumps(config))
    path = run / "checkpoint.npz"
    with np.load(path) as file:
        arrays = {name: file[name] for name in file.files}
    document = json.loads(arrays["meta"].tobytes())
    document["identity"]["epochs"] = 3
    del document["identity"]["start"]
    arrays["meta"] = np.frombuffer(json.dumps(document).encode(), np.uint8)
    path.write_bytes(npz(arrays))
    assert spintrit(f"train --out {run} --resume") == 0
    for name in ("best.npz", "weights.npz", "metrics.jsonl"):
        assert (run / name).read_bytes() == (tmp_path / "whole" / name).read_bytes(), name


def test_a_damaged_config_is_one_line(finished, tmp_path, capsys):
    shutil.copytree(finished, tmp_path / "run")
    path = tmp_path / "run" / "config.json"
    for text in ("{", "[]", '{"settings": 3}', '{"array": "golden"}'):
        path.write_text(text)
        told = error_of(f"train --out {tmp_path / 'run'} --resume", capsys)
        assert f"{path} " in told


def test_stopped_before_it_began_the_command_is_told_again(tmp_path, monkeypatch, capsys):
    def stop(*_, **__):
        raise KeyboardInterrupt

    monkeypatch.setattr("spintrit.runs.source.Source.load", stop)
    for command in (f"{QUICK} --out '{tmp_path}/a b'", f"demo --out '{tmp_path}/a b'"):
        assert spintrit(command) == 130
        again = shlex.join(["spintrit", *shlex.split(command)])
        assert capsys.readouterr().err == f"spintrit: stopped; start again with: {again}\n"


def test_a_study_is_told_again(monkeypatch, capsys):
    def stop(*_, **__):
        raise KeyboardInterrupt

    monkeypatch.setattr("spintrit.studies.study.jobs", stop)
    assert spintrit("study mnist --seeds 1 2") == 130
    told = "spintrit: stopped; go on with: spintrit study mnist --seeds 1 2\n"
    assert capsys.readouterr().err == told


@pytest.mark.full
def test_a_demo_goes_on_by_its_folder(tmp_path, monkeypatch, stopping, capsys):
    monkeypatch.setattr(
        "spintrit.targets.Lockstep.array", lambda _, c: LockstepArray(GoldenArray(c), Silent(c))
    )
    monkeypatch.setattr("sim.library.build", lambda config: None)
    stopping(1)
    assert spintrit(f"demo --epochs 2 --seed 3 --out {tmp_path}") == 130
    line = resume_line(capsys)
    assert line == f"demo --out {tmp_path} --resume"
    undo(stopping)
    assert spintrit(line) == 0
    assert told(tmp_path)["seed"] == 3
    assert told(tmp_path)["train_config"]["epochs"] == 2


class Silent(GoldenArray):
    """In the place of the RTL."""

    seconds = 0.0


# --- more epochs ---


def test_more_epochs_at_a_constant_rate_are_an_unbroken_run(tmp_path):
    flat = replace(CONFIG, learning_rate=0.1, final_learning_rate=0.1)
    trainer(tmp_path / "whole", flat).run()
    trainer(tmp_path / "parts", replace(flat, epochs=3)).run()
    run = trainer(tmp_path / "parts", flat)
    assert run.resume() == 3
    run.run()
    assert files(tmp_path / "parts") == files(tmp_path / "whole")


def test_the_rate_of_more_epochs_is_that_of_all_of_them(tmp_path):
    trainer(tmp_path, replace(CONFIG, epochs=2)).run()
    for stops in (4, 9):  # a run that goes on may be stopped again
        run = trainer(tmp_path, CONFIG, on_batch=stop_at(stops, 1))
        assert run.resume() >= 2
        if stops == 4:
            with pytest.raises(Stop):
                run.run()
        else:
            result = run.run()
    rates = [line["learning_rate"] for line in result.metrics]
    high, low = CONFIG.learning_rate, CONFIG.final_learning_rate
    assert rates[:2] == pytest.approx([high, low])
    assert rates[2:] == pytest.approx([high * (low / high) ** (k / 4) for k in (2, 3, 4)])
    with pytest.raises(ValueError, match=r"^epochs must be at least 5, as done in .*, not 3$"):
        trainer(tmp_path, replace(CONFIG, epochs=3)).resume()


def test_the_summary_tells_of_both_ends(finished, tmp_path, stopping, capsys):
    run = tmp_path / "run"
    shutil.copytree(finished, run)
    first = told(run)
    stopping(4)
    assert spintrit(f"train --out {run} --resume --epochs 5") == 130
    undo(stopping)
    assert spintrit(resume_line(capsys)) == 0
    keys = ("chosen_epoch", "val_accuracy", "test_accuracy", "last_test_accuracy")
    assert told(run)["earlier"] == [{"epochs": 3} | {key: first[key] for key in keys}]
    assert told(run)["train_config"]["epochs"] == 5
    assert len((run / "metrics.jsonl").read_text().splitlines()) == 5
    shown = " ".join(capsys.readouterr().out.split())
    assert "test accuracy after 3 epochs" in shown
    assert spintrit(f"train --out {run} --resume --epochs 6") == 0
    assert [end["epochs"] for end in told(run)["earlier"]] == [3, 5]


# --- given weights ---


@pytest.mark.covering(1)
@pytest.mark.parametrize("kind", ["golden", "fast", "both"])
@pytest.mark.parametrize("which", ["best", "last"])
def test_a_run_starts_from_given_weights(finished, kind, which, tmp_path, monkeypatch):
    seen = []
    original = Trainer.run

    def run(self):
        seen.append(self.network.weights())
        return original(self)

    monkeypatch.setattr(Trainer, "run", run)
    if kind == "both":
        monkeypatch.setattr(
            "spintrit.targets.Lockstep.array", lambda _, c: LockstepArray(GoldenArray(c), Silent(c))
        )
        monkeypatch.setattr("sim.library.build", lambda config: None)
    out = tmp_path / "run"
    line = f"train --array {kind} --device retention --coder linear --rule blind --epochs 1"
    line += f" --network 8FC --init {finished} --init-weights {which} --out {out}"
    assert spintrit(line) == 0
    with np.load(finished / {"best": "best.npz", "last": "weights.npz"}[which]) as file:
        expected = dict(file)
    assert seen[0].keys() == expected.keys()
    for name, array in expected.items():
        np.testing.assert_array_equal(seen[0][name], array)
    config = told(out, "config.json")
    assert config["start"] == digest(expected) == told(out)["start"]
    assert config["settings"]["init"] == str(finished)
    # The checkpoint goes on without the other run, and no other start goes with it.
    shutil.copytree(out, tmp_path / "copy")
    assert spintrit(f"train --out {tmp_path / 'copy'} --resume --epochs 2") == 0


def test_a_start_that_is_gone_does_not_matter_any_more(finished, tmp_path, stopping):
    shutil.copytree(finished, tmp_path / "first")
    line = f"{QUICK} --init {tmp_path / 'first'}"
    assert spintrit(f"{line} --out {tmp_path / 'whole'}") == 0
    stopping(1)
    assert spintrit(f"{line} --out {tmp_path / 'cut'}") == 130
    undo(stopping)
    shutil.rmtree(tmp_path / "first")
    assert spintrit(f"train --out {tmp_path / 'cut'} --resume") == 0
    for name in ("best.npz", "weights.npz", "config.json", "metrics.jsonl"):
        assert (tmp_path / "cut" / name).read_bytes() == (tmp_path / "whole" / name).read_bytes()


def test_a_start_on_chip(tmp_path, finished, capsys):
    line = "train --on-chip --epochs 1 --network 8FC --rows 16"
    assert spintrit(f"{line} --out {tmp_path / 'first'}") == 0
    one = f"{line} --init {tmp_path / 'first'} --out {tmp_path / 'second'}"
    assert spintrit(one) == 0
    assert told(tmp_path / "second")["start"]
    capsys.readouterr()
    assert "was trained by a host: its batch norms are no start for training on chip" in error_of(
        f"{line} --init {finished} --out {tmp_path / 'x'}", capsys
    )
    assert "was trained on chip: its batch norms are no start" in error_of(
        f"{QUICK} --init {tmp_path / 'first'} --out {tmp_path / 'x'}", capsys
    )


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ("--network 9FC", "best.npz does not fit the network: layer1.gamma must have shape (9,)"),
        ("--network 8FC-8FC", "does not fit the network: it has no 'layer3.gamma'"),
        ("--network 8FC --synapse binary", "network: layer1.cells must have shape (8, 64, 1)"),
    ],
)
def test_another_shape_is_refused_by_its_layer(finished, options, message, tmp_path, capsys):
    line = f"train --epochs 1 {options} --init {finished} --out {tmp_path / 'run'}"
    assert message in error_of(line, capsys)


def test_a_start_that_is_no_run(tmp_path, capsys):
    line = f"train --epochs 1 --init {tmp_path / 'none'} --out {tmp_path / 'run'}"
    assert "is not the folder of a run: there is no such folder" in error_of(line, capsys)


def test_a_digest_alone_starts_nothing(tmp_path):
    weights = trainer().network.weights()
    run = trainer(tmp_path, start=Start(digest(weights)))
    with pytest.raises(ValueError, match=r"^start has no weights, and there is no checkpoint"):
        run.run()
    trainer(tmp_path, start=Start.of(weights)).run()
    assert trainer(tmp_path, start=Start(digest(weights))).resume() == 5
    with pytest.raises(ValueError, match=r"was made with start = '[0-9a-f]{64}', not None$"):
        trainer(tmp_path).resume()

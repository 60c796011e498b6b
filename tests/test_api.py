"""The public interface: ``import spintrit`` alone."""

import dataclasses
import gc
import json
import os
import subprocess
import sys
import textwrap
from pathlib import Path

import numpy as np
import pytest
from commands import spintrit as command

import spintrit
from golden.device.nonideal import NonIdealities
from golden.pulse.design import CoderConfig
from golden.targets import Golden, OnChip, Whole
from spintrit import api, keywords
from spintrit.runs import conditions
from spintrit.runs.settings import settings

ROOT = Path(__file__).parents[1]
SMALL = {"network": "8FC", "epochs": 2, "rows": 16, "cols": 16}
LINE = "--network 8FC --epochs 2 --rows 16 --cols 16"
MEASURED = ROOT / "docs" / "examples" / "measured.csv"


@pytest.fixture(scope="module")
def run():
    return spintrit.train(**SMALL)


def python(text, *options, cwd=ROOT):
    done = subprocess.run(
        [sys.executable, *options, "-c", textwrap.dedent(text)],
        cwd=cwd, capture_output=True, text=True, check=False,
        env=os.environ | {"PYTHONPATH": str(ROOT)},
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    return done.stdout


# --- names ---


def test_every_name_resolves_and_has_a_docstring():
    assert sorted(spintrit.__all__) == sorted([*spintrit._PLACES, "__version__"])
    for name in spintrit._PLACES:
        assert getattr(spintrit, name).__doc__, name
    assert set(spintrit.__all__) <= set(dir(spintrit))
    with pytest.raises(AttributeError, match="'spintrit' has no attribute 'trian'"):
        spintrit.trian  # noqa: B018


def test_no_name_is_that_of_a_submodule():
    names = {path.stem for path in (ROOT / "spintrit").iterdir() if path.stem != "__init__"}
    assert not names & set(spintrit.__all__)


def test_import_needs_the_standard_library_alone():
    text = """
        import sys
        import spintrit
        third = {name.partition(".")[0] for name in sys.modules} - set(sys.stdlib_module_names)
        print(sorted(third - {"__main__", "sitecustomize", "usercustomize"}))
        """
    assert python(text, "-S") == "['spintrit']\n"


WITHOUT = """
import sys
class Missing:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in sys.argv[1:] or name.partition(".")[0] in BLOCKED:
            raise ModuleNotFoundError(f"No module named {name!r}", name=name)
BLOCKED = set("rich matplotlib PIL scipy sklearn statsmodels torch amaranth serial shtab".split())
sys.meta_path.insert(0, Missing())
import numpy as np
import spintrit
"""


def test_training_on_own_samples_needs_numpy_alone():
    text = WITHOUT + textwrap.dedent("""
        rng = np.random.default_rng(0)
        x, y = rng.integers(-1, 2, (60, 8)), rng.integers(0, 2, 60)
        split = spintrit.Split("mine", 2, x[:40], y[:40], x[40:50], y[40:50], x[50:], y[50:])
        run = spintrit.train(split, "4FC", epochs=2, batch=10)
        assert spintrit.evaluate(run)["accuracy"] == run.accuracy
        assert spintrit.energy(run)["total_j"]["array"] > 0
        for act in (
            lambda: spintrit.train(epochs=1), run.plot, lambda: spintrit.fit("x.csv"),
            spintrit.verilog, lambda: spintrit.Measured,
            lambda: spintrit.train(split, "4FC", epochs=2, batch=10, progress=True),
        ):
            try:
                act()
            except ModuleNotFoundError as error:
                print("pip install '.[" in str(error))
        """)
    assert python(text) == "True\n" * 6


# --- training ---


def test_ten_lines_train_from_python(tmp_path, capsys):
    run = spintrit.train("digits", "8FC", epochs=2, seed=1)
    assert [line["epoch"] for line in run.history] == [1, 2]
    assert run.accuracy == run.summary["test_accuracy"] > 0.2
    assert {name: (w.shape, w.dtype) for name, w in run.weights.items()} == {
        "layer1": ((8, 64), np.int8), "layer2": ((10, 8), np.int8),
    }  # fmt: skip
    assert set(np.unique(run.weights["layer1"])) <= {-1, 0, 1}
    assert run.config.seed == 1
    run.plot(tmp_path / "run.png")
    assert (tmp_path / "run.png").read_bytes().startswith(b"\x89PNG")
    assert spintrit.evaluate(run)["accuracy"] == run.accuracy
    assert capsys.readouterr() == ("", "")


def test_a_folder_is_the_command_s(tmp_path):
    made = spintrit.train(**SMALL, seed=3, out=tmp_path / "python", stuck_p=0.01)
    assert command(f"train {LINE} --seed 3 --stuck-p 0.01 --out {tmp_path / 'command'}") == 0
    files = {path.name for path in (tmp_path / "command").iterdir()}
    assert {path.name for path in (tmp_path / "python").iterdir()} == files
    for name in ("weights.npz", "best.npz", "metrics.jsonl", "table.json", "checkpoint.npz"):
        first, second = (tmp_path / who / name for who in ("python", "command"))
        assert first.read_bytes() == second.read_bytes(), name
    configs = [json.loads((tmp_path / who / "config.json").read_text()) for who in (
        "python", "command")]  # fmt: skip
    assert configs[0] == configs[1]
    loaded = spintrit.load_run(str(tmp_path / "command"))
    assert type(loaded) is type(made) is spintrit.Run
    assert (loaded.history, loaded.config) == (made.history, made.config)
    assert (loaded.weights["layer2"] == made.weights["layer2"]).all()
    with pytest.raises(ValueError, match="holds a run already"):
        spintrit.train(**SMALL, out=tmp_path / "python")
    again = spintrit.train(**SMALL, out=tmp_path / "python", overwrite=True)
    assert again.summary["seed"] == 0


def test_a_temporary_folder_goes_with_its_run():
    run = spintrit.train(**SMALL | {"epochs": 1})
    folder = run.place
    assert folder.is_dir()
    del run
    gc.collect()
    assert not folder.exists()


def test_a_refused_run_leaves_no_folder(tmp_path, monkeypatch):
    monkeypatch.setattr(api.tempfile, "mkdtemp", lambda **_: str(tmp_path / "run"))
    with pytest.raises(ValueError, match="augment needs images"):
        spintrit.train(**SMALL, augment="crop-flip")
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize("target", ["golden", OnChip(Golden())])
def test_a_run_goes_on(tmp_path, target):
    first = spintrit.train(**SMALL, target=target, out=tmp_path / "run")
    longer = spintrit.resume(first, epochs=3)
    assert (longer.history[:2], len(longer.history)) == (first.history, 3)
    assert spintrit.evaluate(longer)["accuracy"] == longer.accuracy
    with pytest.raises(ValueError, match="is not the folder of a run"):
        spintrit.resume(tmp_path)


def test_a_run_starts_from_another(run):
    tuned = spintrit.train(**SMALL | {"epochs": 1}, init=run, init_weights="last", rule="blind")
    assert tuned.history[0]["loss"] < run.history[0]["loss"]


def test_progress_is_shown_if_asked_for(capsys):
    spintrit.train(**SMALL, progress=True)
    assert "epoch 2 of 2" in capsys.readouterr().out


# --- arguments ---


@pytest.fixture
def asked(monkeypatch):
    """What train passes on, by the names of the options; and nothing is trained."""

    def passed(**given):
        found = {}

        def catch(asked, out, **_):
            found.update(settings(asked, Path("/out")))
            raise StopIteration

        monkeypatch.setattr(api, "_run", catch)
        with pytest.raises(StopIteration):
            spintrit.train(**given)
        return found

    return passed


OTHER = {
    "network": "4FC", "epochs": 3, "batch": 50, "learning_rate": 0.1, "final_learning_rate": 1e-5,
    "optimiser": "momentum", "momentum": 0.5, "rule": "blind", "activation": "binary",
    "threshold": 0.25, "window": 0.25, "batch_norm": "deviation", "density": 0.2, "seed": 5,
    "rows": 8, "cols": 8, "synapse": "binary", "columns_per_cycle": 2, "code_bits": 4,
    "draw_bits": 8, "error_bits": 6, "variant_bits": 1, "counters": False, "coder": "linear",
    "steepness": 2.0, "step_s": 1e-12, "resistance_spread": 0.1, "critical_current_spread": 0.1,
    "stability_spread": 0.1, "amplitude_noise": 0.1, "length_noise_s": 1e-11, "stuck_p": 0.1,
    "stuck_ap": 0.1, "temperature_k": 310.0, "read_disturb": True, "retention_s": 1.0,
    "adc_bits": 6, "adc_noise": 0.5, "backward_adc_bits": 6, "backward_adc_noise": 0.5,
    "wire_ohm": 1.0, "input_bits": 2, "augment": "none", "device": "retention",
}  # fmt: skip
WITH = {
    "dead_zone": {"optimiser": "gradient", "dead_zone": 1.0},
    "retention_k": {"retention_s": 1.0, "retention_k": 350.0},
    "adc_range": {"adc_bits": 6, "adc_range": 9.0},
    "backward_adc_range": {"backward_adc_bits": 6, "backward_adc_range": 9.0},
}


def test_every_field_has_a_keyword():
    known = {
        field.name: field.type
        for cls in (spintrit.TrainConfig, spintrit.ArrayConfig, CoderConfig, NonIdealities)
        for field in dataclasses.fields(cls)
        if field.name != "network"
    }
    assert keywords.TrainKeywords.__annotations__ == known
    own = set(keywords.ConditionKeywords.__annotations__)
    assert own == set(conditions.FIELDS)
    assert {*OTHER, *WITH} >= set(known)


@pytest.mark.parametrize("name", sorted({*OTHER, *WITH}))
def test_no_argument_is_dropped(name, asked):
    given = WITH.get(name) or {name: OTHER[name]}
    before, after = asked(), asked(**given)
    assert before[name] != given[name] == after[name]
    assert {key for key in before if before[key] != after[key]} == set(given)


def test_arguments_that_are_no_fields_are_passed_on(asked, run, tmp_path):
    assert asked(width=0.5)["network"] == "64FC"
    assert asked(dataset="mnist", root="here")["data"] == str(Path("here").absolute())
    assert asked(target=Whole("numpy"))["array"] == "fast"
    assert asked(table="t.json")["table"] == str(Path("t.json").absolute())
    found = asked(init=run, init_weights="last")
    assert (found["init"], found["init_weights"]) == (str(run.place), "last")


@pytest.mark.parametrize(
    ("given", "line"),
    [
        ({}, ""),
        ({"dataset": "mnist"}, "--dataset mnist"),
        ({"dataset": "mnist", "network": "mnist-cnn"}, "--dataset mnist --network mnist-cnn"),
        ({"target": OnChip(Golden())}, "--on-chip"),
        ({"target": OnChip(Golden(), 2)}, "--on-chip --tiles 2"),
        ({"target": OnChip(Golden()), "dataset": "mnist"}, "--on-chip --dataset mnist"),
        ({"target": "fast", "dataset": "cifar10"}, "--array fast --dataset cifar10"),
    ],
)
def test_defaults_are_the_command_s(given, line, asked, monkeypatch):
    kept = {}

    def catch(asked, out, **_):
        kept.update(settings(asked, out))
        raise ValueError

    monkeypatch.setattr("spintrit.runs.run.run", catch)
    assert command(f"train {line}") == 2
    assert asked(**given) == kept


@pytest.mark.parametrize(
    ("given", "error", "message"),
    [
        ({"epoch": 3}, TypeError, r"^train\(\) has no argument 'epoch'; did you mean epochs\?$"),
        ({"xyz": 3}, TypeError, r"^train\(\) has no argument 'xyz'$"),
        ({"epochs": 0}, ValueError, "^epochs must be at least 1, not 0"),
        ({"epochs": None}, TypeError, "^epochs must be an integer, not None"),
        ({"target": "gold"}, ValueError, r"^target \(--array\) must be one of golden, fast"),
        ({"target": 3}, TypeError, "^target must be a text or a Target, not 3$"),
        ({"dataset": "mnst"}, ValueError, "^name must be one of .*not 'mnst'"),
        ({"root": "x"}, ValueError, "^root .--data. = 'x' has no effect with the digits$"),
        (
            {"init_weights": "last"},
            ValueError,
            "^init_weights = 'last' has no effect without init$",
        ),
        ({"overwrite": True}, ValueError, "^overwrite = True has no effect without out$"),
        ({"dead_zone": 1.0}, ValueError, "^dead_zone = 1 needs optimiser gradient, not adam$"),
        ({"adc_range": 3.0}, ValueError, "^adc_range = 3 has no effect without adc_bits$"),
        (
            {"device": "ideal", "coder": "linear"},
            ValueError,
            "^coder = 'linear' cannot be",
        ),
        ({"device": "defalt"}, ValueError, "^device must be one of"),
        ({"target": "fast", "adc_bits": 5}, ValueError, "need array golden, not fast"),
    ],
)
def test_wrong_arguments_are_named(given, error, message):
    with pytest.raises(error, match=message):
        spintrit.train(**{"network": "8FC", "epochs": 1} | given)


def test_own_samples_have_their_own_settings():
    digits = spintrit.dataset("digits")
    for given in ({"root": "x"}, {"input_bits": 4}, {"augment": "crop-flip"}):
        with pytest.raises(ValueError, match=next(iter(given))):
            spintrit.train(digits, "8FC", epochs=1, **given)


# --- evaluation, energy ---


def test_evaluate_is_the_command_s(run, tmp_path):
    file = tmp_path / "x.json"
    line = f"eval {run.place} --adc-bits 5 --adc-noise 1 --repeats 2 --seed 4 --count 50"
    assert command(f"{line} --json={file}") == 0
    found = spintrit.evaluate(run, adc_bits=5, adc_noise=1, repeats=2, seed=4, count=50)
    kept = json.loads(file.read_text())
    assert {**found, "seconds": 0} == {**kept, "seconds": 0}


def test_evaluate_by_target_part_and_size(run):
    found = spintrit.evaluate(
        run.place, part="val", first=10, count=20, target="golden", rows=8, weights="last"
    )
    assert (found["array"], found["part"], found["samples"], found["rows"]) == (
        "golden", "val", 20, 8,
    )  # fmt: skip
    with pytest.raises(TypeError, match=r"^evaluate\(\) has no argument 'adc_bit'; did you mean"):
        spintrit.evaluate(run, adc_bit=3)
    with pytest.raises(ValueError, match=r"^count must be at least 1, not 0$"):
        spintrit.evaluate(run, count=0)
    with pytest.raises(TypeError, match=r"^count must be an integer, not '3'$"):
        spintrit.evaluate(run, count="3")
    with pytest.raises(ValueError, match=r"^seed = 1 has no effect w"):
        spintrit.evaluate(run, seed=1)
    with pytest.raises(ValueError, match=r"^root \(--data\) = 'x' has no effect with the digits$"):
        spintrit.evaluate(run, root="x")
    for name, call in {
        "root": lambda: spintrit.evaluate(run, root=1),
        "run": lambda: spintrit.evaluate(1),
        "folder": lambda: spintrit.load_run(1),
        "costs": lambda: spintrit.energy(run, costs=1),
        "out": lambda: spintrit.train(out=1),
        "init": lambda: spintrit.train(init=1),
        "table": lambda: spintrit.train(table=1),
    }.items():
        with pytest.raises(TypeError, match=rf"^{name} must be a path, not 1$"):
            call()
    with pytest.raises(TypeError, match=r"^target must be a text or a HostTarget"):
        spintrit.evaluate(run, target=OnChip(Golden()))


def test_own_samples_are_kept_for_evaluation(tmp_path):
    digits = dataclasses.replace(spintrit.dataset("digits"), name="mine")
    run = spintrit.train(digits, **SMALL, out=tmp_path / "run")
    assert run.summary["dataset"] == "mine"
    assert spintrit.evaluate(run)["accuracy"] == run.accuracy
    loaded = spintrit.load_run(tmp_path / "run")
    with pytest.raises(ValueError, match="not 'mine'"):
        spintrit.evaluate(loaded)
    assert spintrit.evaluate(loaded, samples=digits)["accuracy"] == run.accuracy
    assert spintrit.resume(run, epochs=3).accuracy > 0


def test_energy_is_the_command_s(run, tmp_path):
    assert command(f"energy {run.place} --adc-bits 5 --json={tmp_path / 'x.json'}") == 0
    found = json.loads(json.dumps(spintrit.energy(run, adc_bits=5)))
    assert found == json.loads((tmp_path / "x.json").read_text())


def test_a_device_of_ones_own_trains_and_goes_on(tmp_path):
    own = dataclasses.replace(spintrit.device("default"), name="mine", source='a "guess"')
    run = spintrit.train(**SMALL, device=own, out=tmp_path / "run")
    assert run.summary["device"] == "mine"
    assert spintrit.device(tmp_path / "run" / "own-device.toml") == own
    assert command(f"train --resume --epochs 3 --out {tmp_path / 'run'}") == 0
    assert "default" in spintrit.devices()

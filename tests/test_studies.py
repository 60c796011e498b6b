"""Studies: their runs, what is kept of them, the page and the pictures."""

import csv
import json
from pathlib import Path

import pytest
from commands import error_of, spintrit
from datafiles import write_svhn

from spintrit import cli, results, studies

SMALL = {
    "small": {
        "title": "Digits in no time",
        "seeds": [0],
        "common": "--epochs 2 --network 8FC",
        "rows": {
            "ideal": {"options": "--device ideal", "seeds": [0, 1]},
            "blind & linear": {"options": "--rule blind --coder linear"},
        },
        "sweeps": [
            {"options": "--stuck-p {0} --stuck-ap {0}", "label": "stuck cells", "values": [0, 0.1]}
        ],
    }
}


@pytest.fixture
def small(monkeypatch):
    for module in (studies, results):
        monkeypatch.setattr(module, "STUDIES", SMALL)


@pytest.mark.parametrize("name", studies.STUDIES)
def test_commands_of_all_studies_are_commands(name):
    todo = studies.jobs(name)
    assert todo
    assert len({job.folder for job in todo}) == len({job.command for job in todo}) == len(todo)
    for job in todo:
        arguments = cli.parser().parse_args(job.command.split()[1:])
        assert arguments.seed == job.seed


def test_jobs_are_rows_by_seeds_and_values(small):
    todo = studies.jobs("small")
    assert [(job.row, job.seed, job.x) for job in todo] == [
        ("ideal", 0, None),
        ("ideal", 1, None),
        ("blind & linear", 0, None),
        ("stuck cells 0", 0, 0),
        ("stuck cells 0.1", 0, 0.1),
    ]
    assert todo[2].folder == "blind-linear-seed0"
    assert todo[4].command == (
        "spintrit train --epochs 2 --network 8FC --stuck-p 0.1 --stuck-ap 0.1 --seed 0"
    )
    assert {job.seed for job in studies.jobs("small", [7])} == {7}


def test_unknown_study_is_refused():
    with pytest.raises(ValueError, match=r"^study must be one of mnist, .*, not 'birds'$"):
        studies.jobs("birds")


def test_a_study_is_run_once_and_leaves_its_results(small, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("spintrit.study_cli.STUDIES", SMALL)
    assert spintrit("study small --results found") == 0
    entries = json.loads(Path("found/accuracy.json").read_text())
    assert [(entry["row"], entry["seed"]) for entry in entries] == [
        (job.row, job.seed) for job in studies.jobs("small")
    ]
    for entry, job in zip(entries, studies.jobs("small"), strict=True):
        summary = json.loads(
            (Path("build/studies/small") / job.folder / "summary.json").read_text()
        )
        assert entry["command"] == job.command
        for key in ("test_accuracy", "last_test_accuracy", "chosen_epoch", "val_accuracy"):
            assert entry[key] == summary[key]
    first, blind = entries[0], entries[2]
    assert first["dataset"] == "digits"
    assert (first["network"], first["synapse"], first["rule"]) == ("8FC", "ternary", "exact")
    assert (first["coder"], first["device"]) == ("ideal", None)
    assert (blind["rule"], blind["coder"], blind["device"]) == ("blind", "linear", "default")
    assert first["optimiser_bytes_per_weight"] == 8
    assert first["synapses"] == 64 * 8 + 8 * 10
    with Path("found/accuracy.csv").open() as file:
        table = list(csv.DictReader(file))
    assert [float(line["test_accuracy"]) for line in table] == [
        entry["test_accuracy"] for entry in entries
    ]
    page = Path("found/README.md").read_text()
    mean = 50 * (entries[0]["test_accuracy"] + entries[1]["test_accuracy"])
    assert f"| ideal | {mean:.2f} (" in page
    assert "`spintrit train --epochs 2 --network 8FC --device ideal --seed N`" in page
    assert Path("found/small.png").read_bytes().startswith(b"\x89PNG")

    capsys.readouterr()
    before = {path: path.stat().st_mtime_ns for path in Path("build").rglob("summary.json")}
    assert spintrit("study small --results found") == 0
    assert {path: path.stat().st_mtime_ns for path in Path("build").rglob("summary.json")} == before
    assert json.loads(Path("found/accuracy.json").read_text()) == entries


def test_a_run_of_another_command_does_not_count(small, tmp_path):
    [first, *_] = studies.jobs("small")
    called = []

    def train(arguments):
        called.append(arguments)
        return cli.main(arguments)

    [before] = studies.run([first], tmp_path, train, [])
    [after] = studies.run([studies.changed(first, "--epochs", 1)], tmp_path, train, [])
    assert (before["epochs"], after["epochs"]) == (2, 1)
    assert (before["command"], after["command"]) == (
        "spintrit train --epochs 2 --network 8FC --device ideal --seed 0",
        "spintrit train --epochs 1 --network 8FC --device ideal --seed 0",
    )
    (tmp_path / "small" / first.folder / "summary.json").unlink()  # as if it had been killed
    studies.run([studies.changed(first, "--epochs", 1)], tmp_path, train, [])
    assert [arguments[-1] for arguments in called] == ["--overwrite", "--overwrite", "--resume"]


def test_a_stopped_study_says_how_to_go_on(small, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("spintrit.study_cli.STUDIES", SMALL)
    with monkeypatch.context() as patch:

        def stop(*_):
            raise KeyboardInterrupt

        patch.setattr("golden.train.Trainer._train_epoch", stop)
        assert spintrit("study small --only ideal --seeds 0") == 130
    assert capsys.readouterr().err == "spintrit: stopped; the same command goes on\n"
    assert spintrit("study small --only ideal --seeds 0") == 0
    assert Path("build/results/README.md").exists()


def test_a_study_whose_run_fails_says_why(small, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("spintrit.study_cli.STUDIES", SMALL)
    told = error_of("study small --only ideal --dataset mnist --data .", capsys)
    assert told.startswith("spintrit: error: no mnist in .: ")


def test_street_numbers_train_on_small_files(tmp_path, monkeypatch):
    """SVHN's study as it is but for one epoch and the back end, in the original format."""
    monkeypatch.chdir(tmp_path)
    write_svhn(tmp_path / "svhn")
    options = "--epochs 1 --backend numpy --data . --only software"
    assert spintrit(f"study svhn {options}") == 0
    [entry] = json.loads(Path("build/results/accuracy.json").read_text())
    assert (entry["dataset"], entry["test_samples"]) == ("svhn", 20)
    assert entry["network"] == ("32C3p1-32C3p1-MP2-64C3p1-64C3p1-MP2-128C3p1-128C3p1-MP2-256FC")


def test_changed_options_take_the_place_of_others(small):
    [first, *_] = studies.jobs("small")
    changed = studies.changed(studies.changed(first, "--network", "my net.toml"), "--rule", "blind")
    assert changed.options == "--epochs 2 --network 'my net.toml' --device ideal --rule blind"


def test_curves_show_every_run(small):
    entries = [
        {"study": "small", "row": f"stuck cells {x}", "sweep": "stuck cells", "x": x,
         "seed": seed, "test_accuracy": 0.9 - x + 0.01 * seed}
        for x in (0, 0.1, 0.2) for seed in (0, 1)
    ]  # fmt: skip
    [axis] = results.figure("small", entries).axes
    mean, dots = axis.lines
    assert mean.get_xdata().tolist() == [0, 0.1, 0.2]
    assert mean.get_ydata() == pytest.approx([90.5, 80.5, 70.5])
    assert len(dots.get_xdata()) == 6
    assert axis.get_xlabel() == "stuck cells"


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("study", "spintrit study: error: the following arguments are required: NAME"),
        ("study birds", "spintrit study: error: argument NAME: invalid choice: 'birds'"),
        ("study mnist --only birds", "spintrit: error: only ['birds'] name none of study mnist"),
    ],
)
def test_wrong_arguments_are_refused(line, message, capsys):
    assert error_of(line, capsys).startswith(message)


def test_list_only_lists(capsys, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert spintrit("study optimiser --list --epochs 3 --backend torch") == 0
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) == len(studies.jobs("optimiser"))
    assert all(line.endswith("--backend torch --epochs 3 --seed 0") for line in lines)
    assert spintrit("study cifar10 --list --epochs 3 --backend numpy --dataset images") == 0
    assert capsys.readouterr().out.splitlines()[0] == (
        "spintrit train --array fast --backend numpy --dataset images --network cifar-vgg "
        "--width 0.25 --epochs 3 --device ideal --seed 0"
    )
    assert not list(tmp_path.iterdir())


def test_the_page_says_what_is_missing(small, tmp_path, monkeypatch):
    monkeypatch.setitem(SMALL, "other", SMALL["small"] | {"title": "Birds", "note": "No data."})
    monkeypatch.setitem(SMALL, "third", SMALL["small"] | {"title": "Fish"})
    (tmp_path / "accuracy.json").write_text("[]")
    results.write(tmp_path)
    page = (tmp_path / "README.md").read_text()
    assert "## Birds\n\n`spintrit study other`. Not run. No data.\n" in page
    assert "## Fish\n\n`spintrit study third`. Not run.\n" in page


def test_damaged_results_are_refused(tmp_path):
    (tmp_path / "accuracy.json").write_text("[{")
    with pytest.raises(ValueError, match=r"accuracy\.json is damaged: "):
        studies.record([], tmp_path)

"""Studies: their runs, what is kept of them, the page and the pictures."""

import csv
import dataclasses
import json
import re
from pathlib import Path

import pytest
from commands import error_of, spintrit
from datafiles import write_svhn
from matplotlib.backends.backend_agg import FigureCanvasAgg

from spintrit.cli import main as cli
from spintrit.studies import results, studyfile
from spintrit.studies import study as studies

SMALL = """
[small]
title = "Digits in no time"
seeds = [0]
common = "--epochs 2 --network 8FC"

[small.rows]
ideal = { options = "--device ideal", seeds = [0, 1] }
"blind & linear" = "--rule blind --coder linear"

[[small.sweeps]]
options = "--stuck-p {0} --stuck-ap {0}"
label = "stuck cells"
values = [0, 0.1]
"""


@pytest.fixture
def small(tmp_path):
    """A study of one's own: its file."""
    path = tmp_path / "small.toml"
    path.write_text(SMALL)
    return path


def jobs(path, seeds=None):
    return studies.jobs(studyfile.read(path)["small"], seeds)


@pytest.mark.parametrize("name", studies.STUDIES)
def test_commands_of_all_studies_are_commands(name):
    todo = studies.jobs(studies.STUDIES[name])
    assert todo
    assert len({job.folder for job in todo}) == len({job.command for job in todo}) == len(todo)
    for job in todo:
        arguments = cli.parser().parse_args(job.command.split()[1:])
        assert arguments.seed == job.seed


def test_jobs_are_rows_by_seeds_and_values(small):
    todo = jobs(small)
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
    assert {job.seed for job in jobs(small, [7])} == {7}


def test_a_study_is_run_once_and_leaves_its_results(small, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    assert spintrit("study small.toml --results found") == 0
    entries = json.loads(Path("found/accuracy.json").read_text())
    assert [(entry["row"], entry["seed"]) for entry in entries] == [
        (job.row, job.seed) for job in jobs(small)
    ]
    for entry, job in zip(entries, jobs(small), strict=True):
        summary = json.loads(
            (Path("build/studies/small/small") / job.folder / "summary.json").read_text()
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
    assert "`spintrit study small.toml`; digits, 8FC, 592 synapses." in page
    mean = 50 * (entries[0]["test_accuracy"] + entries[1]["test_accuracy"])
    assert f"| ideal | {mean:.2f} ± " in page
    assert "`spintrit train --epochs 2 --network 8FC --device ideal --seed N`" in page
    for picture in ("small.png", "small-sweeps.png"):
        assert f"]({picture})" in page
        assert Path("found", picture).read_bytes().startswith(b"\x89PNG")

    capsys.readouterr()
    before = {path: path.stat().st_mtime_ns for path in Path("build").rglob("summary.json")}
    assert spintrit("study small.toml --results found") == 0
    assert {path: path.stat().st_mtime_ns for path in Path("build").rglob("summary.json")} == before
    assert json.loads(Path("found/accuracy.json").read_text()) == entries


def test_a_run_of_another_command_does_not_count(small, tmp_path):
    [first, *_] = jobs(small)
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
    with monkeypatch.context() as patch:

        def stop(*_):
            raise KeyboardInterrupt

        patch.setattr("golden.train.trainer.Trainer._train_epoch", stop)
        assert spintrit("study small.toml --only ideal --seeds 0") == 130
    command = "spintrit study small.toml --only ideal --seeds 0"
    assert capsys.readouterr().err == f"spintrit: stopped; go on with: {command}\n"
    assert spintrit("study small.toml --only ideal --seeds 0") == 0
    assert Path("build/results/small/README.md").exists()


def test_a_study_whose_run_fails_says_why(small, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    told = error_of("study small.toml --only ideal --dataset mnist --data .", capsys)
    assert told.startswith("spintrit: error: study small, row 'ideal': no mnist in .: ")


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
    [first, *_] = jobs(small)
    changed = studies.changed(studies.changed(first, "--network", "my net.toml"), "--rule", "blind")
    assert changed.options == "--epochs 2 --network 'my net.toml' --device ideal --rule blind"


def entry(row, seed, accuracy, x=None):
    return {
        "study": "small", "row": row, "sweep": None if x is None else "stuck cells", "x": x,
        "seed": seed, "test_accuracy": accuracy, "dataset": "digits",
        "optimiser_bytes_per_weight": 8,
    }  # fmt: skip


def bars(axis):
    """Centre and half length of each error bar, upwards."""
    found = []
    for container in axis.containers:
        [[(_, low), (_, high)]] = [line.get_segments()[0] for line in container[2]]
        found.append(((low + high) / 2, (high - low) / 2))
    return found


def test_several_seeds_have_mean_and_standard_deviation(small):
    study = studyfile.read(small)["small"]
    entries = [
        entry(f"stuck cells {x}", seed, 0.9 - x + 0.01 * seed, x)
        for x in (0, 0.1, 0.2) for seed in (0, 1)
    ]  # fmt: skip
    [figure] = results.figures(study, entries).values()
    [axis] = figure.axes
    # Of two values d apart the sample standard deviation is d / sqrt 2.
    assert bars(axis) == [pytest.approx((m, 2**-0.5)) for m in (90.5, 80.5, 70.5)]
    runs = [y for line in axis.lines if line.get_alpha() for y in line.get_ydata()]
    assert runs == pytest.approx([90, 91, 80, 81, 70, 71])
    assert axis.get_xlabel() == "stuck cells"
    assert figure.get_supxlabel() == (
        "bars: mean ± standard deviation over seeds; small dots: their runs"
    )


def test_a_single_run_is_not_drawn_as_a_mean(small):
    study = studyfile.read(small)["small"]
    entries = [entry("ideal", 0, 0.9), entry("stuck cells 0", 0, 0.8, 0)]
    shown = results.figures(study, entries)
    assert list(shown) == ["", "-sweeps"]
    for figure in shown.values():
        assert not figure.axes[0].containers
        assert figure.get_supxlabel() == "open circles: single runs, one seed"
    page = results.section(
        study,
        [e | {"network": "8FC", "synapses": 1, "last_test_accuracy": 0.5, "epochs": 2,
              "command": "spintrit train --seed 0"} for e in entries],
        [],
    )  # fmt: skip
    assert "| ideal | 90.00 | 50.00 | 0 |" in page


def test_long_titles_and_rows_stay_within_the_picture(small):
    study = dataclasses.replace(studyfile.read(small)["small"], title="Birds and bees " * 12)
    [figure] = results.figures(study, [entry("a rather long row " * 6, 0, 0.9)]).values()
    canvas = FigureCanvasAgg(figure)
    canvas.draw()
    width, height = figure.bbox.size
    texts = [figure.texts[0], *figure.axes[0].get_yticklabels()]
    for text in texts:
        box = text.get_window_extent(canvas.get_renderer())
        assert 0 <= box.x0 < box.x1 <= width, text
        assert 0 <= box.y0 < box.y1 <= height, text


def test_values_that_are_no_numbers_are_rows(tmp_path):
    path = tmp_path / "coders.toml"
    path.write_text('[small]\nsweeps = [{options = "--coder {}", values = ["linear", "gated"]}]')
    todo = jobs(path)
    assert [(job.row, job.seed, job.x) for job in todo[::3]] == [
        ("coder linear", 0, None), ("coder gated", 0, None),
    ]  # fmt: skip
    assert todo[3].command == "spintrit train --coder gated --seed 0"


def test_a_changed_device_file_is_another_run(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    Path("own.toml").write_text("a = 1")
    job = studies.Job("small", "own", 0, "--device own.toml --coder linear")
    before = job.identity
    assert before.splitlines()[0] == job.command
    Path("own.toml").write_text("a = 2")
    assert job.identity != before


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("a = ", "own.toml is no TOML file: Invalid value (at end of document)"),
        ("", "own.toml holds no study: give it a table such as [my-study]"),
        ("a = 1", "own.toml: a must be a table, not 1"),
        ('["../x"]\nrows = {a = ""}', "own.toml: study '../x' must be named by letters, digits, "
         "'.', '_' and '-' alone"),
        ("[a]", "own.toml: a must have rows or sweeps"),
        ("[a]\nrow = {}", "own.toml: a.row is none of title, note, common, seeds, rows, sweeps"),
        ("[a]\nrows = []", "own.toml: a.rows must be a table, not []"),
        ("[a]\nrows = {b = 1}", "own.toml: a.rows.b must be a table, not 1"),
        ('[a]\ntitle = 1\nrows = {b = ""}', "own.toml: a.title must be a text, not 1"),
        ('[a]\nseeds = []\nrows = {b = ""}', "own.toml: a.seeds must be an array of integers, "
         "not []"),
        ('[a]\nseeds = [0.5]\nrows = {b = ""}', "own.toml: a.seeds must be an integer, not 0.5"),
        ('[a]\nseeds = [1, 1]\nrows = {b = ""}', "own.toml: a.seeds must differ, not [1, 1]"),
        ('[a]\nrows = {b = "--seed 1"}', "own.toml: a.rows.b = '--seed 1': --seed is not for a "
         "study to set"),
        ("[a]\nrows = {b = \"'\"}", "own.toml: a.rows.b = \"'\": No closing quotation"),
        ("[a]\nsweeps = 1", "own.toml: a.sweeps must be an array of tables, not 1"),
        ("[a]\nsweeps = [{values = [1]}]", "own.toml: a.sweeps[0] must have options"),
        ('[a]\nsweeps = [{options = "--x {}", values = []}]',
         "own.toml: a.sweeps[0].values must be an array of numbers or texts, not []"),
        ('[a]\nsweeps = [{options = "--x {}", values = [nan]}]',
         "own.toml: a.sweeps[0].values must be finite and at least -inf, not nan"),
        ('[a]\nsweeps = [{options = "--x {}", values = [1, 1]}]',
         "own.toml: a.sweeps[0].values must differ, not [1, 1]"),
        ('[a]\nsweeps = [{options = "--x 1", values = [1]}]',
         "own.toml: a.sweeps[0].options must hold {} where the value goes and no other braces, "
         "not '--x 1'"),
        ('[a]\nsweeps = [{options = "--x {y}", values = [1]}]',
         "own.toml: a.sweeps[0].options must hold {} where the value goes and no other braces, "
         "not '--x {y}'"),
        ('[a]\nrows = {b = "--epoch 1"}',
         "study a, row 'b': unrecognized arguments: --epoch 1"),
        ('[a]\nrows = {b = "--network birds"}', "study a, row 'b': network 'birds': 'birds'"),
        ('[a]\ntitle = "b\\nc"\nrows = {b = ""}',
         "own.toml: a.title must be one line, not 'b\\nc'"),
        ('[a]\nrows = {"b\\nc" = ""}', "own.toml: a name in a.rows must be one line, not 'b\\nc'"),
        ('[a]\nrows = {b = "-ofolder"}', "own.toml: a.rows.b = '-ofolder': -ofolder is not for a "
         "study to set"),
        ('[a]\nsweeps = [{options = "{}", values = ["--read-disturb", "--overwrite"]}]',
         "own.toml: a.sweeps[0].options = '--overwrite': --overwrite is not for a study to set"),
        ('[a]\nrows = {b = "", c = "--steepness 0"}', "study a, row 'c': steepness must be finite"),
        ('[a]\nrows = {b = "", c = "--device birds"}', "study a, row 'c': device must be one of"),
        ('[a]\nrows = {b = "", c = "--table birds"}', "study a, row 'c': [Errno 2] No such file"),
        ('[a]\nrows = {b = "", c = "--tiles 2"}', "study a, row 'c': tiles = 2 needs --on-chip"),
        ('[a]\nrows = {"b c" = "", "b-c" = ""}', "study a: rows 'b c' and 'b-c' would share the "
         "folder b-c-seed0: give one another name"),
    ],
)  # fmt: skip
def test_wrong_files_are_refused_before_anything_is_trained(
    text, message, tmp_path, monkeypatch, capsys
):
    monkeypatch.chdir(tmp_path)
    Path("own.toml").write_text(text)
    assert error_of("study own.toml", capsys).startswith(f"spintrit: error: {message}")
    assert [path.name for path in tmp_path.iterdir()] == ["own.toml"]


def test_results_of_other_studies_stay(small, tmp_path):
    [first, *_] = jobs(small)
    one = entry("ideal", 0, 0.9)
    one |= {"network": "8FC", "synapses": 1, "last_test_accuracy": 0.5, "epochs": 2,
            "command": first.command}  # fmt: skip
    own = studyfile.read(small)
    studies.record([one, one | {"study": "birds"}, one | {"row": "gone"}], tmp_path, own)
    results.write(tmp_path, own)
    page = (tmp_path / "README.md").read_text()
    assert "## Digits in no time" in page
    assert "## birds" in page
    assert "| gone |" not in page
    assert len(json.loads((tmp_path / "accuracy.json").read_text())) == 3


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("study", "spintrit study: error: the following arguments are required: STUDY"),
        ("study birds", "spintrit study: error: argument STUDY: invalid choice: 'birds'"),
        ("study birds.toml", "spintrit: error: [Errno 2] No such file or directory: 'birds.toml'"),
        ("study mnist --only birds", "spintrit: error: only ['birds'] name none of study mnist"),
    ],
)
def test_wrong_arguments_are_refused(line, message, capsys):
    assert error_of(line, capsys).startswith(message)


def test_list_only_lists(capsys, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert spintrit("study optimiser --list --epochs 3 --backend torch") == 0
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) == len(studies.jobs(studies.STUDIES["optimiser"]))
    assert all(line.endswith("--backend torch --epochs 3 --seed 0") for line in lines)
    assert spintrit("study cifar10 --list --epochs 3 --backend numpy --dataset images") == 0
    assert capsys.readouterr().out.splitlines()[0] == (
        "spintrit train --array fast --backend numpy --dataset images --network cifar-vgg "
        "--width 0.25 --epochs 3 --device ideal --seed 0"
    )
    assert not list(tmp_path.iterdir())


def test_the_page_says_what_is_missing(small, tmp_path):
    study = studyfile.read(small)["small"]
    more = {
        "other": dataclasses.replace(
            study, name="other", source="other", title="Birds", note="No data."
        ),
        "third": dataclasses.replace(study, name="third", source="third", title="Fish"),
    }
    (tmp_path / "accuracy.json").write_text("[]")
    results.write(tmp_path, more)
    page = (tmp_path / "README.md").read_text()
    assert "## Birds\n\n`spintrit study other`. Not run. No data.\n" in page
    assert "## Fish\n\n`spintrit study third`. Not run.\n" in page


def test_damaged_results_are_refused(tmp_path):
    (tmp_path / "accuracy.json").write_text("[{")
    with pytest.raises(ValueError, match=r"accuracy\.json is damaged: "):
        studies.record([], tmp_path)


def test_the_pages_example_runs(tmp_path, monkeypatch, capsys):
    page = (Path(__file__).parents[2] / "docs" / "studies.md").read_text()
    [text] = re.findall(r"```toml\n(.*?)```", page, re.DOTALL)
    monkeypatch.chdir(tmp_path)
    Path("converters.toml").write_text(text)
    assert spintrit("study converters.toml --list") == 0
    assert len(capsys.readouterr().out.splitlines()) == 2 * 3 + 2 * 2
    assert spintrit("study converters.toml --only 6 --seeds 0") == 0
    assert Path("build/results/converters/converters.png").exists()
    assert Path("build/studies/converters/converters").is_dir()

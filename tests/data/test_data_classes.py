"""Class names: kept by runs and exports, and found again in other folders."""

import json
import shutil
import unicodedata

import numpy as np
import pytest
from commands import error_of, spintrit
from pictures import picture, write_images

from golden.checks import InputWarning
from golden.data import load
from golden.data.classes import matched

QUICK = "train --array fast --dataset images --epochs 3 --network 4FC --batch 4 --density 0.5"


def halves(kinds, seed=0):
    """Noisy pictures, bright on the left, on the right or on top, for each of three kinds."""
    rng = np.random.default_rng(seed)
    files = {}
    for number, kind in enumerate(kinds):
        for part, count in (("train", 20), ("test", 6)):
            for n in range(count):
                pixels = rng.integers(0, 60, (6, 6)).astype(np.uint8)
                bright = [np.s_[:, :3], np.s_[:, 3:], np.s_[:3]][number]
                pixels[bright] += 190
                files[f"{part}/{kind}/{n:02}.png"] = picture(pixels)
    return files


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    """The folder of a run on three classes, and that of its data."""
    root = tmp_path_factory.mktemp("classes")
    data = write_images(root, halves(("cat", "dog", "Emu")), packed=False)
    assert spintrit(f"{QUICK} --data {data} --out {root / 'run'}") == 0
    assert json.loads((root / "run" / "summary.json").read_text())["test_accuracy"] == 1.0
    return root / "run", data


def moved(data, to, names):
    """A copy of ``data`` with classes by other names."""
    shutil.copytree(data, to)
    for part in ("train", "test"):
        for old, new in names.items():
            (to / part / old).rename(to / part / f"{new}.new")
        for new in names.values():
            (to / part / f"{new}.new").rename(to / part / new)
    return to


def accuracy(run, data, tmp_path, options=""):
    line = f"eval {run} --data {data} --json {tmp_path / 'eval.json'} {options}"
    assert spintrit(line) == 0
    return json.loads((tmp_path / "eval.json").read_text())["accuracy"]


def test_run_and_export_keep_names_and_digests(run, tmp_path, capsys):
    folder, data = run
    told = json.loads((folder / "config.json").read_text())["data"]
    assert told["classes"] == ["Emu", "cat", "dog"]
    split = load("images", root=data)
    assert split.names == ("Emu", "cat", "dog")
    assert told["digests"] == {part: split.digest(part) for part in ("train", "val", "test")}
    assert json.loads((folder / "summary.json").read_text())["data"] == told
    assert spintrit(f"export {folder} -o {tmp_path}") == 0
    layout = json.loads((tmp_path / "layout.json").read_text())
    assert layout["classes"] == told["classes"]
    assert layout["data"] == {"name": "images", "digests": told["digests"]}


def test_the_same_data_are_evaluated_without_a_word(run, tmp_path, capsys):
    assert accuracy(*run, tmp_path) == 1.0
    assert not capsys.readouterr().err


def test_names_of_another_case_are_mapped(run, tmp_path, capsys):
    """They come in another order: upper case first."""
    folder, data = run
    other = moved(data, tmp_path / "other", {"cat": "Cat", "Emu": "emu"})
    assert load("images", root=other).names == ("Cat", "dog", "emu")
    for part in ("test", "val", "train"):
        wanted = accuracy(folder, data, tmp_path, f"--part {part}")
        assert wanted > 0.8
        capsys.readouterr()
        assert accuracy(folder, other, tmp_path, f"--part {part}") == wanted
        assert capsys.readouterr().err.splitlines() == [
            f"spintrit: warning: {other}: 'Cat' is taken for class 'cat'",
            f"spintrit: warning: {other}: 'emu' is taken for class 'Emu'",
        ]


@pytest.mark.parametrize("command", ["eval", "resume"])
@pytest.mark.parametrize(
    ("names", "message"),
    [
        ({"cat": "ant"}, "class 'ant' is unknown to the run (the run's classes are Emu, cat, dog)"),
        ({"cat": "CAT", "dog": "Katze"}, "class 'Katze' is unknown to the run ("),
    ],
)
def test_unknown_class_is_refused(run, names, message, command, tmp_path, capsys):
    folder, data = run
    other = moved(data, tmp_path / "other", names)
    told = _last_line(folder, other, command, capsys)
    assert message in told
    assert told.endswith(": give the folders these names, or train a new run")


def _last_line(folder, data, command, capsys):
    capsys.readouterr()
    line = f"eval {folder} --data {data}"
    if command == "resume":
        line = f"{QUICK} --data {data} --out {folder} --resume"
    assert spintrit(line) == 2
    return capsys.readouterr().err.splitlines()[-1]


def test_missing_class_is_refused(run, tmp_path, capsys):
    folder, data = run
    other = shutil.copytree(data, tmp_path / "other")
    for part in ("train", "test"):
        shutil.rmtree(other / part / "dog")
    told = error_of(f"eval {folder} --data {other}", capsys)
    assert f"{other}: class 'dog' of the run is missing (the run's classes are" in told


def test_resume_maps_names_too(run, tmp_path, capsys):
    folder, data = run
    kept = shutil.copytree(folder, tmp_path / "run")
    other = moved(data, tmp_path / "other", {"cat": "Cat", "Emu": "emu"})
    before = (kept / "weights.npz").read_bytes()
    assert spintrit(f"{QUICK} --data {other} --out {kept} --resume") == 0
    assert "'Cat' is taken for class 'cat'" in capsys.readouterr().err
    assert (kept / "weights.npz").read_bytes() == before
    assert json.loads((kept / "config.json").read_text())["data"]["classes"][0] == "Emu"


def test_new_test_pictures_are_told_in_one_line(run, tmp_path, capsys):
    folder, data = run
    other = shutil.copytree(data, tmp_path / "other")
    for name, content in halves(("cat", "dog", "Emu"), seed=1).items():
        if name.startswith("test"):
            (other / name).write_bytes(content)
    assert accuracy(folder, other, tmp_path) > 0.9
    assert capsys.readouterr().err == (
        f"spintrit: warning: the test samples of other are not those of the run in {folder}\n"
    )
    assert accuracy(folder, other, tmp_path, "--part val") > 0.8
    assert not capsys.readouterr().err


def test_run_without_names_is_evaluated_and_says_so(run, tmp_path, capsys):
    """As runs of earlier versions are."""
    folder, data = run
    old = shutil.copytree(folder, tmp_path / "run")
    config = json.loads((old / "config.json").read_text())
    del config["data"]["classes"], config["data"]["digests"]
    (old / "config.json").write_text(json.dumps(config))
    assert accuracy(old, data, tmp_path) == 1.0
    assert capsys.readouterr().err == (
        f"spintrit: warning: {old} keeps no class names: the folders of {data.name} are taken as "
        "its classes in their order\n"
    )
    assert spintrit(f"{QUICK} --data {data} --out {old} --resume") == 0


def test_damaged_names_are_refused(run, tmp_path, capsys):
    old = shutil.copytree(run[0], tmp_path / "run")
    config = json.loads((old / "config.json").read_text())
    config["data"]["classes"] = "cat"
    (old / "config.json").write_text(json.dumps(config))
    told = error_of(f"eval {old} --data {run[1]}", capsys)
    assert "config.json is damaged: classes must be a list of names, not 'cat'" in told


def test_exact_names_come_first():
    assert matched(["A", "a"], ["a", "A"], "x") == {"a": "a", "A": "A"}
    with pytest.warns(InputWarning, match=r"^x: 'B' is taken for class 'b'$"):
        assert list(matched(["A", "B", "a"], ["b", "A", "a"], "x")) == ["B", "A", "a"]


def test_accents_of_either_encoding_are_the_same():
    name = "caf\N{LATIN SMALL LETTER E WITH ACUTE}"
    other = unicodedata.normalize("NFD", name)
    assert other != name
    with pytest.warns(InputWarning):
        assert matched([other, "x"], [name, "x"], "here") == {other: name, "x": "x"}


@pytest.mark.parametrize(
    ("found", "wanted", "message"),
    [
        (["Cat", "CAT"], ["cat", "dog"], "class 'Cat' is unknown"),
        (["Cat", "x"], ["cat", "CAT"], "class 'Cat' is unknown"),
        (["cat"], ["cat", "dog"], "class 'dog' of the run is missing"),
    ],
)
def test_ambiguous_names_are_refused(found, wanted, message):
    with pytest.raises(ValueError, match=f"^x: {message}"):
        matched(found, wanted, "x")


def test_names_of_named_sets():
    digits = load("digits")
    assert digits.names == tuple("0123456789")
    assert load("digits", classes=digits.names).names == digits.names
    with pytest.raises(ValueError, match=r"^digits has the classes \('0', .*, not \('a', 'b'\)$"):
        load("digits", classes=("a", "b"))

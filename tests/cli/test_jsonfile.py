"""Files of JSON that are damaged in any way are refused in words, by every reader."""

import contextlib
import copy
import functools
import json
import shutil
from pathlib import Path

import pytest
from commands import spintrit
from hypothesis import given, settings
from hypothesis import strategies as st

from golden import checks, jsonfile
from golden.pulse import tablefile
from spintrit import records
from spintrit.report import synth_page
from spintrit.runs import energy, spent, trained
from spintrit.runs import settings as settings_of
from spintrit.studies import results, study, synth_sweep
from spintrit.studies.studyfile import Study

ROOT = Path(__file__).parents[2]
HUGE = 10**400
WRONG = [None, True, 0, -1, 1.5, 1e999, 2**63, HUGE, "", "1", [], [0], {}, {"a": 0}, [[1]]]


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    out = tmp_path_factory.mktemp("run")
    options = "--array fast --epochs 2 --network 8FC --rows 16 --cols 16"
    assert spintrit(f"train {options} --device stochastic --out {out}") == 0
    return out


def paths(value, path=()):
    """Of all entries below a JSON document, itself included."""
    yield path
    if isinstance(value, dict | list):
        for key in value if isinstance(value, dict) else range(min(len(value), 2)):
            yield from paths(value[key], (*path, key))


def replaced(document, path, value):
    if not path:
        return value
    document = copy.deepcopy(document)
    at = document
    for key in path[:-1]:
        at = at[key]
    if value is ...:
        del at[path[-1]]
    else:
        at[path[-1]] = value
    return document


def drawn(data, document):
    """The document with an entry or two that are missing or of another kind."""
    for _ in range(data.draw(st.integers(1, 2))):
        path = data.draw(st.sampled_from(list(paths(document))))
        value = data.draw(st.sampled_from([*WRONG, ...]))
        if path or value is not ...:
            document = replaced(document, path, value)
    return document


def refused(read):
    """``read`` must work, or refuse as a command can tell."""
    with contextlib.suppress(ValueError, TypeError, OSError):
        read()


def checksum(document):
    if isinstance(document, dict):
        document = {k: v for k, v in document.items() if k != "sha256"}
        return document | {"sha256": tablefile._digest(document)}
    return document


def written(folder, name, text):
    (folder / name).write_text(text)


def earlier(folder):
    return settings_of.earlier(folder, settings_of.read(folder), 3)


READERS = {  # of a run's folder, by the file that they read
    "config.json": (trained.load, settings_of.resumed, earlier),
    "table.json": (lambda folder: tablefile.load(folder / "table.json"),),
    "seconds.json": (lambda folder: spent.seconds(folder / "seconds.json", 2),),
    "metrics.jsonl": (records.load_run,),
    "summary.json": (records.load_run, study.finished, energy.report),
}


@pytest.mark.parametrize("name", READERS)
def test_readers_of_a_run_refuse_what_is_damaged(name, run, tmp_path):
    folder = tmp_path / "run"
    shutil.copytree(run, folder)
    text = (run / name).read_text()
    document = [json.loads(line) for line in text.splitlines()] if "jsonl" in name else None
    document = document or json.loads(text)

    @settings(max_examples=60)
    @given(st.data())
    def damage(data):
        found = drawn(data, document)
        if name == "table.json" and data.draw(st.booleans()):
            found = checksum(found)
        if name == "metrics.jsonl" and isinstance(found, list):
            out = "".join(json.dumps(line) + "\n" for line in found)
        else:
            out = json.dumps(found)
        written(folder, name, out)
        for read in READERS[name]:
            refused(functools.partial(read, folder))

    damage()


TEXTS = [
    "", "{", "[]", "7", '"x"', "null", "NaN", "[" * 100_000, "\udcff", f"[{HUGE}]",
    f'{{"seed": {"9" * 5000}}}', '{"a": ' + "9" * 401 + "}",
]  # fmt: skip


@pytest.mark.parametrize("name", READERS)
def test_readers_of_a_run_refuse_what_is_no_json(name, run, tmp_path):
    folder = tmp_path / "run"
    shutil.copytree(run, folder)
    for text in TEXTS:
        (folder / name).write_bytes(text.encode(errors="surrogateescape"))
        for read in READERS[name]:
            if name == "seconds.json":  # a lost time is no reason to stop
                assert read(folder) == [0.0] * 3
                continue
            with pytest.raises((ValueError, TypeError)):
                read(folder)


ENTRY = {
    "study": "s", "row": "r", "sweep": None, "x": None, "dataset": "digits", "network": "8FC",
    "seed": 0, "epochs": 2, "synapses": 592, "optimiser_bytes_per_weight": 8,
    "test_accuracy": 0.5, "last_test_accuracy": 0.5, "versions": {"numpy": "2"},
    "command": "spintrit train --seed 0",
}  # fmt: skip
SWEPT = ENTRY | {"row": "t", "sweep": "stuck", "x": 0.5}


def test_results_of_studies_are_refused_where_damaged(tmp_path):
    todo = {"s": Study("s", "s", "title", "", "", (), ())}

    @settings(max_examples=60)
    @given(st.data())
    def damage(data):
        found = drawn(data, [ENTRY, SWEPT])
        written(tmp_path, "accuracy.json", json.dumps(found))
        refused(lambda: study.record([ENTRY], tmp_path, todo))
        written(tmp_path, "accuracy.json", json.dumps(found))
        refused(lambda: results.write(tmp_path, todo))

    damage()


def shown(points):
    if points:
        synth_sweep.figure(points)
    synth_page.page(points, synth_sweep._LABELS, "synth.png")


def test_results_of_sweeps_are_refused_where_damaged(tmp_path):
    text = (ROOT / "docs" / "results" / "synth.json").read_text()
    points = json.loads(text)[:1]

    @settings(max_examples=40)
    @given(st.data())
    def damage(data):
        written(tmp_path, "synth.json", json.dumps(drawn(data, points)))
        refused(lambda: synth_sweep.record(points[0], tmp_path))
        refused(lambda: shown(synth_sweep.recorded(tmp_path)))

    damage()


def test_a_wrong_kind_is_named(run, tmp_path):
    folder = tmp_path / "run"
    shutil.copytree(run, folder)
    summary = json.loads((run / "summary.json").read_text()) | {"train_config": [0]}
    written(folder, "summary.json", json.dumps(summary))
    with pytest.raises(ValueError, match=r"summary\.json must hold 'train_config', a JSON object$"):
        energy.report(folder)
    written(folder, "config.json", json.dumps({"seed": HUGE}))
    with pytest.raises(ValueError, match=r"config\.json is damaged: an integer of 401 digits"):
        trained.load(folder)


def test_entries_are_of_their_kind():
    assert jsonfile.entry({"a": 1}, "a", int, "it") == 1
    assert jsonfile.entry({}, "a", dict, "it", {}) == {}
    for document in ({}, {"a": True}, {"a": "1"}):
        with pytest.raises(ValueError, match=r"^it must hold 'a', an integer$"):
            jsonfile.entry(document, "a", int, "it")


@pytest.mark.parametrize(
    "value", [HUGE, -HUGE, 10**5000, 2**63], ids=["401", "-401", "5001", "64 bits"]
)
def test_numbers_beyond_the_machine_are_refused_by_name(value):
    with pytest.raises(ValueError, match=r"^n must be at (most|least) "):
        checks.integer("n", value, 0)
    with pytest.raises(ValueError, match=r"^n must be in 0 to 8, not "):
        checks.integer("n", value, 0, 8)
    with pytest.raises(ValueError, match=r"^x must be finite and in 0 to 1, not "):
        checks.real("x", value, 0, 1)


def test_integers_of_64_bits_are_taken():
    assert checks.integer("n", 2**63 - 1, 0) == 2**63 - 1

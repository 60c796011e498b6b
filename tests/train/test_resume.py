"""Killed runs go on as if nothing had happened; damaged files are refused."""

import contextlib
import json
import signal
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import training
from hypothesis import given, settings
from hypothesis import strategies as st
from training import ARRAY, CONFIG, SPLIT, Stop, build, files, stop_at, trainer

from golden.array.golden import GoldenArray
from golden.array.lockstep import LockstepArray
from golden.backend import NUMPY
from golden.device.nonideal import NonIdealities
from golden.files import npz
from golden.pulse.design import CoderConfig
from golden.pulse.table import tanh_table
from golden.train import checkpoint
from golden.train.conditions import Conditions
from golden.train.trainer import CHECKPOINT, METRICS

HELPERS = str(Path(training.__file__).parent)


@given(st.lists(st.tuples(st.integers(1, 5), st.integers(1, 5)), min_size=1, max_size=3))
@settings(max_examples=12)
def test_a_run_stopped_anywhere_and_resumed_ends_alike(unbroken, tmp_path_factory, stops):
    out = tmp_path_factory.mktemp("broken")
    for epoch, batch in stops:
        run = trainer(out, on_batch=stop_at(epoch, batch))
        assert run.resume() == run.epoch <= 5
        try:
            run.run()
        except Stop:
            assert run.epoch == epoch - 1
    run = trainer(out)
    run.resume()
    assert (run.run(), files(out)) == unbroken[::-1]


CHILD = """
import sys, time
sys.path.insert(0, sys.argv[1])
from training import trainer
run = trainer(sys.argv[2], on_epoch=lambda line: print(line["epoch"], flush=True))
run.resume()
run.run()
"""


def test_a_killed_process_resumes_to_the_same_end(unbroken, tmp_path):
    rng = np.random.default_rng(5)
    done = [0]
    for _ in range(3):
        command = [sys.executable, "-c", CHILD, HELPERS, str(tmp_path)]
        with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as child:
            done.append(int(child.stdout.readline() or 6))
            try:
                child.wait(timeout=float(rng.uniform(0, 0.005)))
            except subprocess.TimeoutExpired:
                child.kill()
    assert done == sorted(done)  # every process went on from where its predecessor was
    run = trainer(tmp_path)
    assert run.resume() >= 1
    assert (run.run(), {n: files(tmp_path)[n] for n in unbroken[0]}) == unbroken[::-1]


BATCHES = """
import sys, time
sys.path.insert(0, sys.argv[1])
from training import trainer
from golden.backend import NUMPY
from golden.files import npz

def on_batch(*now):
    print(*now, flush=True)
    time.sleep(0.003)

run = trainer(sys.argv[2], backend=NUMPY, on_batch=on_batch)
run.resume()
run.run()
"""


def test_a_process_killed_within_an_epoch_resumes_on_whole_matrices(tmp_path):
    result = trainer(tmp_path / "unbroken", backend=NUMPY).run()
    rng = np.random.default_rng(6)
    out = tmp_path / "killed"
    for _ in range(2):
        command = [sys.executable, "-c", BATCHES, HELPERS, str(out)]
        with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as child:
            for _ in range(int(rng.integers(6, 12))):  # of 5 batches an epoch
                assert child.stdout.readline()
            child.kill()
        assert child.returncode == -signal.SIGKILL
    run = trainer(out, backend=NUMPY)
    assert 2 <= run.resume() < 5
    assert run.run() == result
    wanted = files(tmp_path / "unbroken")
    assert {name: files(out)[name] for name in wanted} == wanted


@given(st.lists(st.tuples(st.integers(1, 5), st.integers(1, 5)), min_size=1, max_size=2))
@settings(max_examples=5)
def test_a_stopped_run_on_whole_matrices_ends_alike(tmp_path_factory, stops):
    out = tmp_path_factory.mktemp("whole")
    result = trainer(out / "unbroken", backend=NUMPY).run()
    for epoch, batch in stops:
        run = trainer(out / "broken", backend=NUMPY, on_batch=stop_at(epoch, batch))
        run.resume()
        with contextlib.suppress(Stop):
            run.run()
    run = trainer(out / "broken", backend=NUMPY)
    run.resume()
    assert run.run() == result
    assert files(out / "broken") == files(out / "unbroken")


def test_resume_mends_half_a_line(unbroken, tmp_path):
    with pytest.raises(Stop):
        trainer(tmp_path, on_batch=stop_at(3, 1)).run()
    with (tmp_path / METRICS).open("a") as file:
        file.write('{"epoch": 3, "lear')
    run = trainer(tmp_path)
    assert run.resume() == 2
    run.run()
    assert files(tmp_path) == unbroken[0]


def test_resume_without_checkpoint_starts_at_the_start(unbroken, tmp_path):
    run = trainer(tmp_path)
    assert run.resume() == 0
    assert run.run() == unbroken[1]
    assert trainer().resume() == 0


def test_resume_after_the_end_only_tests_again(unbroken, tmp_path):
    trainer(tmp_path).run()
    run = trainer(tmp_path)
    assert run.resume() == 5
    assert (run.run(), files(tmp_path)) == unbroken[::-1]


def test_a_new_run_leaves_nothing_of_the_old(unbroken, tmp_path):
    trainer(tmp_path, replace(CONFIG, seed=9)).run()
    trainer(tmp_path).run()
    assert files(tmp_path) == unbroken[0]


STEEP = Conditions(
    ARRAY, None, NonIdealities(), CoderConfig(), table=tanh_table(ARRAY, m=2.0), seed=CONFIG.seed
)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"config": replace(CONFIG, batch=17)}, "batch = 16, not 17"),
        ({"config": replace(CONFIG, network="6FC-6FC")}, "network = '6FC', not '6FC-6FC'"),
        ({"config": replace(CONFIG, seed=4)}, "seed = 3, not 4"),
        ({"config": replace(CONFIG, rule="blind")}, "rule = 'exact', not 'blind'"),
        ({"array": replace(ARRAY, cols=5)}, "array cols = 4, not 5"),
        ({"conditions": STEEP}, "table = '[0-9a-f]{64}', not '[0-9a-f]{64}'"),
    ],
)
def test_resume_refuses_another_configuration(tmp_path, change, message):
    with pytest.raises(Stop):
        trainer(tmp_path, on_batch=stop_at(2, 1)).run()
    with pytest.raises(ValueError, match=rf"^\S+checkpoint\.npz was made with {message}$"):
        trainer(tmp_path, **change).resume()


def test_resume_refuses_other_data(tmp_path):
    trainer(tmp_path, replace(CONFIG, epochs=1)).run()
    other = replace(SPLIT, x_val=-SPLIT.x_val)
    run = build(replace(CONFIG, epochs=1), ARRAY, other, out=tmp_path)
    with pytest.raises(ValueError, match=r"^\S+checkpoint\.npz was made with data = "):
        run.resume()


@given(st.data())
@settings(max_examples=150)
def test_a_damaged_checkpoint_is_refused_or_harmless(unbroken, tmp_path_factory, data):
    path = tmp_path_factory.getbasetemp() / "damaged.npz"
    content = bytearray(unbroken[0][CHECKPOINT])
    position = data.draw(st.integers(0, len(content) - 1))
    if data.draw(st.booleans()):
        del content[position:]
    else:
        content[position] ^= 1 << data.draw(st.integers(0, 7))
    path.write_bytes(content)
    try:
        meta, groups = checkpoint.load(path, {})
    except ValueError as error:
        assert str(error).startswith(f"{path} is not a checkpoint, or damaged: ")  # noqa: PT017
        return
    # A flipped bit in a date or a flag of the archive: what counts is unharmed.
    path.write_bytes(unbroken[0][CHECKPOINT])
    wanted_meta, wanted = checkpoint.load(path, {})
    assert meta == wanted_meta
    assert {group: set(part) for group, part in groups.items()} == {
        group: set(part) for group, part in wanted.items()
    }
    for group, name in ((g, n) for g, part in wanted.items() for n in part):
        np.testing.assert_array_equal(groups[group][name], wanted[group][name])


def test_foreign_files_are_no_checkpoints(tmp_path):
    path = tmp_path / CHECKPOINT
    pickled = np.array([{}], object)
    np.savez(tmp_path / "pickle.npz", meta=pickled)
    other = json.dumps({"format": "other"}).encode()
    contents = [
        b"",
        b"text",
        npz({"a": np.zeros(3)}),
        npz({"meta": np.frombuffer(other, np.uint8)}),
        (tmp_path / "pickle.npz").read_bytes(),
    ]
    for content in contents:
        path.write_bytes(content)
        with pytest.raises(ValueError, match=r"^\S+checkpoint\.npz is not a checkpoint, or dam"):
            trainer(tmp_path).resume()


def test_a_checkpoint_without_its_arrays_is_refused(tmp_path):
    trainer(tmp_path).run()
    path = tmp_path / CHECKPOINT
    run = trainer(tmp_path)
    meta, groups = checkpoint.load(path, {})
    document = json.loads(bytes(np.load(path)["meta"]))
    del groups["network"]["array1.cells"]
    checkpoint.save(path, document["identity"], meta, groups)
    with pytest.raises(ValueError, match=r"^\S+ does not fit its own configuration: 'array1.cells"):
        run.resume()


def test_a_folder_that_cannot_be_made_is_named(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(FileExistsError, match=r"tmp|file"):
        trainer(tmp_path / "file")
    with pytest.raises(NotADirectoryError, match=r"file/out"):
        trainer(tmp_path / "file" / "out")


def test_a_file_that_cannot_be_written_is_named_before_training(tmp_path):
    (tmp_path / CHECKPOINT).mkdir()
    run = trainer(tmp_path, on_batch=stop_at(1, 1))
    with pytest.raises(OSError, match=r"not a regular file: '\S+checkpoint\.npz'$"):
        run.run()


def test_a_run_resumes_on_another_kind_of_array(unbroken, tmp_path):
    with pytest.raises(Stop):
        trainer(tmp_path, on_batch=stop_at(3, 2)).run()
    run = trainer(tmp_path, make=lambda c: LockstepArray(GoldenArray(c), GoldenArray(c)))
    assert run.resume() == 2
    assert (run.run(), files(tmp_path)) == unbroken[::-1]

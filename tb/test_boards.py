"""What is on the boards, behind their clock and at their own bit length, by the host's drivers."""

import json

import numpy as np
import pytest

from golden.accel.compiler import Plan, Settings
from golden.accel.driver import AcceleratorDriver, discover
from golden.accel.lockstep import LockstepAccelerator
from golden.accel.network import ChipNetwork
from golden.accel.twin import GoldenAccelerator
from golden.array import frames, serial
from golden.array.frames import HEADER, TRAILER, Cause, Op
from golden.array.golden import GoldenArray
from golden.array.lockstep import LockstepArray
from golden.network import notation
from golden.network.notation import Block
from golden.pulse.table import tanh_table
from golden.train.trainer import METRICS, WEIGHTS
from sim.uart import SerialBoard
from spintrit.board.array import BoardArray, SerialArray
from spintrit.board.array import discover as discover_array
from spintrit.board.port import SerialTransport
from spintrit.cli import main as cli
from synth.bitstream import build
from synth.boards import Workload, board
from tb import tiny

SMALL = Workload(network="6FC", inputs=(9,), classes=3, batch=4)
# The boards with few lanes and little memory, which make no difference to what is tested here.
ACCELERATOR = board("ulx3s-85f", rows=4, work=SMALL)
ARRAY = board("icebreaker", rows=4, work=SMALL)


@pytest.fixture(scope="module")
def accelerator_port():
    with SerialBoard(ACCELERATOR.config(), ACCELERATOR.divisor()) as simulated:
        yield simulated.port


@pytest.fixture(scope="module")
def array_port():
    with SerialBoard(ARRAY.config(), ARRAY.divisor()) as simulated:
        yield simulated.port


@pytest.fixture
def line(array_port):
    transport = SerialTransport(array_port)
    yield transport
    transport.close()


def test_training_step_of_the_accelerator_equals_the_twin(accelerator_port):
    line, config = SerialTransport(accelerator_port), ACCELERATOR.config()
    assert discover(line) == config
    block = LockstepAccelerator(GoldenAccelerator(config), AcceleratorDriver(config, line))
    blocks = [*notation.parse(SMALL.network), Block(SMALL.classes)]
    plan = Plan(blocks, SMALL.inputs, config, SMALL.batch, Settings())
    network = ChipNetwork(block, plan, tanh_table(config.array), 3)
    rng = np.random.default_rng(2)
    network.initialise(rng, 0.5)
    u = rng.integers(-1, 2, (SMALL.batch, *SMALL.inputs))
    step = network.train_step(u, rng.integers(0, SMALL.classes, SMALL.batch), 0.4)
    assert step.switched
    network.predict(u)
    block.verify()
    assert block.compared > 500
    line.close()


def test_commands_of_the_array_equal_the_golden_ones(line):
    config = ARRAY.config()
    assert discover_array(line) == config
    both = LockstepArray(GoldenArray(config), SerialArray(config, line))
    rng = np.random.default_rng(4)
    rows, cols = config.rows, config.cols
    both.load_table(tanh_table(config))
    both.seed(7)
    both.program(rng.integers(0, 2, (cols, rows, config.cells)))
    both.forward(rng.integers(-1, 2, (3, rows)))
    both.backward(rng.integers(-128, 128, (2, cols)))
    codes = rng.integers(0, config.codes, (cols, rows))
    assert both.update(np.zeros_like(codes), codes)
    assert both.update(np.ones_like(codes), codes, blind=True)
    both.verify()
    assert both.compared > 200


@pytest.mark.full
def test_training_with_the_array_equals_golden_training(line, tmp_path):
    config, split = ARRAY.config(), tiny.split(SMALL.inputs[0])
    settings = tiny.training(network=SMALL.network, epochs=1)
    expected = tiny.trainer(settings, config, split, out=tmp_path / "golden").run()
    made = tiny.trainer(settings, config, split, BoardArray(line), out=tmp_path / "board")
    assert made.run() == expected
    for name in (METRICS, WEIGHTS):
        assert (tmp_path / "board" / name).read_bytes() == (tmp_path / "golden" / name).read_bytes()


def test_network_that_is_too_large_for_the_array_is_told(line, tmp_path):
    settings, split = tiny.training(network="64FC"), tiny.split(SMALL.inputs[0])
    with pytest.raises(
        ValueError, match=r"^network must fit the board's array of 4 rows and \d+ columns$"
    ):
        tiny.trainer(settings, ARRAY.config(), split, BoardArray(line), out=tmp_path)


def test_faults_of_a_frame_are_told_and_the_line_goes_on(line):
    config = ARRAY.config()
    array = SerialArray(config, line)
    status = frames.frame(config, frames.control(HEADER, op=Op.STATUS))
    short = frames.frame(config, frames.control(HEADER, op=Op.PROGRAM, first=0, count=2))
    unknown = frames.frame(config, frames.control(HEADER, op=15))
    for words, cause in (
        (short.ravel(), Cause.SHORT),
        (unknown.ravel(), Cause.OPCODE),
        (short.ravel()[:1], Cause.RANGE),  # what is missing of a word is zeros
    ):
        line.send(words)
        trailer = line.receive()
        assert len(trailer) == serial.TRAILER_PARTS
        assert frames.field(TRAILER, "cause", int(trailer[0])) == cause
        array.command(status, 0)
    with pytest.raises(RuntimeError, match=r"refused the write to register 0x08$"):
        line.write_register(8, 1)
    with pytest.raises(RuntimeError, match=r"refused the read of register 0x20$"):
        line.read_register(0x20)
    assert array.forward(np.zeros((1, config.rows), int)).tolist() == [[0] * config.cols]


def test_answer_of_a_wrong_length_is_an_error(line, monkeypatch):
    array = SerialArray(ARRAY.config(), line)
    monkeypatch.setattr(line, "receive", lambda: np.zeros(1, np.uint32))
    monkeypatch.setattr(line, "send", lambda words: None)
    with pytest.raises(RuntimeError, match=r"^the array answered GENERATORS with 1 words$"):
        array.generators()


def test_commands_tell_what_is_not_there(array_port, accelerator_port, tmp_path, capsys):
    run = ["--out", str(tmp_path / "run")]
    for options, message in (
        (f"--on-chip --array serial:{array_port}", "ID must be 0x53505254, not 0x53504152"),
        (f"--array serial:{accelerator_port}", "ID must be 0x53504152, not 0x53505254"),
        (f"--array serial:{array_port}", "code_bits must be the board's 4, not 5"),
        (f"--array serial:{array_port} --code-bits 4 --draw-bits 8", "network must fit the board"),
    ):
        assert cli.main(["train", *options.split(), *run]) == 2
        error = capsys.readouterr().err
        assert message in error
        assert error.count("\n") == 1


def test_command_trains_with_the_array(array_port, tmp_path, monkeypatch, capsys):
    tiny_split = tiny.split(SMALL.inputs[0])
    monkeypatch.setattr("spintrit.runs.source.Source.load", lambda *_: tiny_split)
    options = "--network 6FC --epochs 1 --batch 60 --code-bits 4 --draw-bits 8"
    summaries = {}
    for name, array in (("board", f"serial:{array_port}"), ("golden", "golden --no-counters")):
        out = tmp_path / name
        words = f"train --array {array} {options} --rows 4 --cols {ARRAY.config().cols}"
        assert cli.main([*words.split(), "--out", str(out)]) == 0
        summaries[name] = json.loads((out / "summary.json").read_text())
    for name in ("array_config", "test_accuracy", "cells_switched", "cycles_by_formula"):
        assert summaries["board"][name] == summaries["golden"][name]


@pytest.mark.full
def test_smallest_bitstream_with_a_pll(tmp_path):
    small = board("icebreaker", rows=2, work=SMALL, hertz=18_000_000)
    built = build(small, tmp_path)
    assert built.bitstream.read_bytes()[:4] == bytes.fromhex("ff0000ff")  # icepack's empty comment
    [(clock, (achieved, wanted))] = built.clocks.items()
    assert achieved >= wanted == 18, clock
    used = built.timing.utilisation
    assert used["ICESTORM_PLL"][0] == 1
    assert used["ICESTORM_LC"][0] < 4000
    summary = json.loads((tmp_path / "summary.json").read_text())
    assert all(summary["tools"].values())

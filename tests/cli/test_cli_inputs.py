"""Commands do not write over what they read, and refuse numbers beyond the machine."""

import json
from pathlib import Path

import pytest
from commands import error_of, spintrit

QUICK = "train --array fast --epochs 1 --network 8FC --rows 16 --cols 16"
HUGE = "9" * 401


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    out = tmp_path_factory.mktemp("runs") / "run"
    assert spintrit(f"{QUICK} --device stochastic --out {out}") == 0
    return out


def contents(folder):
    return {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()}


@pytest.mark.parametrize(
    "line",
    [
        "export run -o run",
        "export run -o link",
        "export run -o other",
        "ip --network 8FC --inputs 6 --classes 3 --batch 4 --rows 4 -o run",
        "fpga --board icebreaker -o run",
        "synth --target generic --rows 2 --cols 2 -o run",
        "synth --sweep --target generic --rows 2 --cols 2 --results run",
        "eval run --json run/summary.json",
        "eval run --json link/config.json",
        f"{QUICK} --out new --table new/table.json --overwrite",
        f"{QUICK} --out run --init run --overwrite",
        f"{QUICK} --out link --init run --overwrite",
        f"{QUICK} --out new --json new/summary.json",
        f"{QUICK} --out new --table run/table.json --json run/table.json",
        "plot run -o run/metrics.jsonl",
        "device table d.toml -o d.toml",
        "device show d.toml --json d.toml",
        "generate --init cells.mem -o cells.mem",
    ],
)
def test_no_command_writes_over_a_run_or_its_inputs(line, run, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    Path("run").symlink_to(run)
    Path("link").symlink_to("run")
    for name, file in (("other", "config.json"), ("new", "table.json")):
        Path(name).mkdir()
        Path(name, file).write_bytes((run / file).read_bytes())
    root = Path(__file__).parents[2]
    Path("d.toml").write_text((root / "golden" / "device" / "devices" / "default.toml").read_text())
    Path("cells.mem").write_text("dear to somebody")
    before = contents(run) | contents(tmp_path)
    error_of(line, capsys)
    assert contents(run) | contents(tmp_path) == before


def test_an_export_may_be_repeated(run, tmp_path):
    for _ in range(2):
        assert spintrit(f"export {run} -o {tmp_path / 'cells'}") == 0


@pytest.mark.parametrize(
    "line",
    [
        *(
            f"{QUICK} --out x --{option} {HUGE}"
            for option in (
                "epochs", "batch", "seed", "rows", "cols", "columns-per-cycle", "code-bits",
                "error-bits", "variant-bits", "adc-bits", "backward-adc-bits", "input-bits",
                "learning-rate", "threshold", "density", "width", "adc-range", "retention-s",
                "temperature-k", "wire-ohm", "critical-current-spread", "step-s",
            )
        ),
        f"train --on-chip --out x --tiles {HUGE}",
        f"generate -o x --rows {HUGE}",
        f"ip -o x --batch {HUGE} --network 8FC",
        f"ip -o x --positions {HUGE}",
        f"ip -o x --uart {HUGE}",
        f"ip -o x --network 8FC --inputs {HUGE}",
        f"ip -o x --network {HUGE}FC",
        f"fpga --board icebreaker -o x --rows {HUGE}",
        f"fpga --board icebreaker -o x --baud {HUGE}",
        f"fpga --board icebreaker -o x --clock {HUGE}",
        f"fpga --board icebreaker -o x --seed {HUGE}",
        f"synth -o x --seed {HUGE}",
        f"synth -o x --clock {HUGE}",
        f"device table default --full-s {HUGE}",
        f"device plot default -o x.png --trials {HUGE}",
        f"device plot default -o x.png --seed {HUGE}",
        f"device check default --trials {HUGE}",
        f"eval RUN --count {HUGE}",
        f"eval RUN --first {HUGE}",
        f"eval RUN --rows {HUGE}",
        f"export RUN -o x --cols {HUGE}",
        f"energy RUN --adc-bits {HUGE}",
        f"demo --seed {HUGE}",
        f"demo --epochs {HUGE}",
        f"train --epochs {'9' * 5000}",
        f"train --network {'9' * 5000}FC",
        f"ip -o x --network 8FC --inputs {'9' * 5000}",
        f"{QUICK} --out x --learning-rate inf",
        f"{QUICK} --out x --density nan",
    ],
)  # fmt: skip
def test_numbers_beyond_the_machine_are_one_line(line, run, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    told = error_of(line.replace("RUN", str(run)), capsys)
    assert "error: " in told
    assert not list(tmp_path.iterdir())


def test_json_goes_alone_to_standard_output(run, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    for line in (
        f"{QUICK} --out a --json", f"{QUICK} --out b --json -", "eval a --count 5 --json",
        "energy a --json=-", "device show default --json",
        "device table default --model formula --json",
    ):  # fmt: skip
        assert spintrit(line) == 0
        assert json.loads(capsys.readouterr().out)


def test_json_goes_to_a_file_beside_the_text(run, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    assert spintrit(f"eval {run} --count 5 --json new/figures.json") == 0
    assert "accuracy" in capsys.readouterr().out
    assert json.loads(Path("new/figures.json").read_text())["samples"] == 5

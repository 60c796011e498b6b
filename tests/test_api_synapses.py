"""The public interface: arrays, tables, fits and Verilog."""

from pathlib import Path

import numpy as np
import pytest
from commands import spintrit as command

import spintrit
from golden.checks import InputWarning

MEASURED = Path(__file__).parents[1] / "docs" / "examples" / "measured.csv"


def test_tables_of_devices_fits_and_tanh(tmp_path):
    table = spintrit.table("retention", coder="linear")
    assert command(f"device table retention --coder linear -o {tmp_path / 't.json'}") == 0
    spintrit.save_table(table, str(tmp_path / "own.json"))
    assert (tmp_path / "own.json").read_bytes() == (tmp_path / "t.json").read_bytes()
    ideal = spintrit.table("ideal", spintrit.ArrayConfig(code_bits=4))
    assert (ideal.table.thresholds.shape[0], ideal.device) == (16, None)
    with pytest.raises(ValueError, match=r"^full_s = 1e-09 has no effect with source 'ideal'$"):
        spintrit.table("ideal", full_s=1e-9)
    with pytest.raises(ValueError, match=r"^device = 'default' has no effect with a device"):
        spintrit.table("default", device="default")


def test_a_fit_becomes_a_table_and_trains(tmp_path):
    found = spintrit.fit(MEASURED)
    table = spintrit.table(found, device="default")
    run = spintrit.train(
        network="8FC", epochs=2, rows=16, cols=16, table=table, out=tmp_path / "run"
    )
    assert run.summary["table"]["model"] == "fit"
    assert command(f"train --resume --epochs 3 --out {tmp_path / 'run'}") == 0
    with pytest.raises(ValueError, match="has no effect with a fit as the source"):
        spintrit.table(found, model="formula")
    with pytest.warns(InputWarning, match="lies outside of what was measured"):
        spintrit.table(found, voltage_v=2 * max(each.voltages_v[-1] for each in
                                                found.curves.values()))  # fmt: skip


def test_an_array_by_target():
    config = spintrit.ArrayConfig(rows=8, cols=4)
    array = spintrit.array(config)
    array.load_table(spintrit.table("ideal", config).table)
    array.seed(1)
    full = np.ones((4, 8), int)
    assert array.update(full, 0 * full) == 32
    with pytest.raises(ValueError, match=r"^a single array needs golden, rtl, both or serial:PORT"):
        spintrit.array(config, "fast")


def test_verilog_is_the_command_s(tmp_path):
    config = spintrit.ArrayConfig(rows=4, cols=6)
    assert command(f"generate --rows 4 --cols 6 --name mine -o {tmp_path / 'a.v'}") == 0
    assert spintrit.verilog(config, name="mine") == (tmp_path / "a.v").read_text()
    with pytest.raises(ValueError, match="has no effect with an accelerator"):
        spintrit.verilog(spintrit.AcceleratorConfig(), cells=np.array([1]))

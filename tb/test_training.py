"""End to end: networks trained in the RTL array, bit for bit like those in the golden one."""

import pytest

from golden.config import ArrayConfig
from golden.train.log import Log
from golden.train.trainer import CHECKPOINT, METRICS, WEIGHTS
from sim.array import RtlArray
from tb import tiny

CONFIGS = {
    "ternary": ArrayConfig(rows=8, cols=8),
    "binary": ArrayConfig(rows=8, cols=8, synapse="binary", columns_per_cycle=2),
}


def files(folder):
    return {name: (folder / name).read_bytes() for name in (METRICS, WEIGHTS, CHECKPOINT)}


@pytest.mark.covering(1)
@pytest.mark.parametrize("rule", ["exact", "blind"])
@pytest.mark.parametrize("synapse", CONFIGS)
def test_training_in_lock_step(synapse, rule, tmp_path):
    config, training, split = CONFIGS[synapse], tiny.training(rule=rule), tiny.split()
    golden = tiny.trainer(training, config, split, out=tmp_path / "golden")
    expected = golden.run()
    both = tiny.trainer(training, config, split, tiny.lockstep, out=tmp_path / "both")
    assert len(both.bank.arrays) > 2, "the layers are to be tiled over several arrays"
    result = both.run()
    assert result == expected
    assert files(tmp_path / "both") == files(tmp_path / "golden")
    assert result.cells_switched > 20
    assert result.test_accuracy > 0.6, "it should learn, or little is tested"
    assert sum(array.compared for array in both.bank.arrays) > 10_000
    for array in both.bank.arrays:
        assert array.reference.counters.cycles == array.other.counters.cycles


def test_interrupted_rtl_run_ends_like_an_unbroken_golden_one(tmp_path):
    config, training, split = CONFIGS["ternary"], tiny.training(), tiny.split()
    expected = tiny.trainer(training, config, split, out=tmp_path / "golden").run()

    def stop(entry):
        if entry["epoch"] == 2:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        tiny.trainer(training, config, split, RtlArray, tmp_path / "rtl", log=Log(epoch=stop)).run()
    resumed = tiny.trainer(training, config, split, RtlArray, tmp_path / "rtl")
    assert resumed.resume() == 2
    assert resumed.run() == expected
    assert files(tmp_path / "rtl") == files(tmp_path / "golden")

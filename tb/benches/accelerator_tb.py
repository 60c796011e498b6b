"""cocotb tests of the accelerator behind AXI; started by ``tb/test_accelerator_tb.py``."""

import cocotb
from cocotb.task import bridge

from golden.registers import Fault
from tb.benches.accelerator_bench import BATCH, Bench
from tb.benches.accelerator_scenarios import SCENARIOS

TESTS = 6  # with their parameters


@cocotb.test(timeout_time=50, timeout_unit="ms")
@cocotb.parametrize(stalled=[False, True], stream=[0, 1])
async def training_equals_the_twin(dut, stalled, stream):
    """Whole steps, a shorter batch among them: values and cycles, whatever the stalls."""
    await Bench.clock(dut)
    bench = Bench(dut, stalled=stalled, stream=stream)

    def run():
        bench.prepare()
        for size in (BATCH, BATCH - 1, BATCH, 1):
            bench.train(size)
            bench.expect(Fault.NONE, done=True)
        assert bench.block.counts().switched
        bench.intact()

    await bridge(run)()


@cocotb.test(timeout_time=200, timeout_unit="ms")
@cocotb.parametrize(stalled=[False, True])
async def every_scenario(dut, stalled):
    """Each as the table has it, and all sound afterwards."""
    await Bench.clock(dut)
    bench = Bench(dut, stalled=stalled, stream=2)

    def run():
        bench.prepare()
        bench.intact()
        for name, scenario in SCENARIOS.items():
            try:
                scenario.act(bench)
                bench.expect(scenario.cause, done=scenario.done)
                bench.intact(list(scenario.spaces))
            except Exception as error:
                error.add_note(f"scenario: {name}")
                cocotb.log.error("scenario: %s", name)
                raise

    await bridge(run)()

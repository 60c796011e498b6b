"""The registers behind a serial line under cocotb, with a far end of another author."""

import os

from hdl.bus.uart import UartBridge
from tb.benches import uart_tb
from tb.runner import run_tb
from tb.test_axi_tb import Registers

SEED = int(os.environ.get("SPINTRIT_TB_SEED", "1"))


def test_uart(tmp_path):
    bridge = UartBridge(uart_tb.DIVISOR, pause_bits=uart_tb.PAUSE_BITS)
    run_tb(Registers(bridge), "tb.benches.uart_tb", tmp_path, tests=uart_tb.TESTS, seed=SEED)

"""Benches of the generated Verilog: cocotb on Verilator, and the Verilated library."""

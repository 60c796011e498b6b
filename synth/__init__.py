"""From Amaranth to Verilog and beyond."""

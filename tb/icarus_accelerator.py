"""An accelerator in Icarus Verilog behind its AXI ports, as a transport for the driver.

A bench in plain Verilog reads commands from its standard input and writes the results to its
standard output. Registers, memories and idle inputs are X.
"""

import subprocess
from pathlib import Path

import numpy as np

from golden.accel.transport import Transport
from synth.accelerator import ACCELERATOR_NAME
from tb.icarus import elaborate, without_power_up

_PATIENCE = 20_000  # cycles for one transfer

# Commands: 0 write a register, 1 read one, 2 send a word of a packet (the address marks the last
# one), 3 take a packet. Inputs change at the falling edge.
_BENCH = """
module bench;
  integer command, waited = 0;
  reg [31:0] address, value;
  reg clk = 0, rst;
  reg [7:0] awaddr, araddr;
  reg [31:0] wdata, tdata;
  reg awvalid, wvalid, bready, arvalid, rready, tvalid, tlast, tready;
  wire awready, wready, bvalid, arready, rvalid, s_tready, m_tvalid, m_tlast, irq;
  wire [1:0] bresp, rresp;
  wire [31:0] rdata, m_tdata;
  wire [7:0] control = {{awready, wready, bvalid, arready, rvalid, s_tready, m_tvalid, irq}};

  {top} dut (.clk(clk), .rst(rst), .irq(irq),
    .s_axil_awaddr(awaddr), .s_axil_awprot(3'bx), .s_axil_awvalid(awvalid),
    .s_axil_awready(awready), .s_axil_wdata(wdata), .s_axil_wstrb(4'hf), .s_axil_wvalid(wvalid),
    .s_axil_wready(wready), .s_axil_bresp(bresp), .s_axil_bvalid(bvalid), .s_axil_bready(bready),
    .s_axil_araddr(araddr), .s_axil_arprot(3'bx), .s_axil_arvalid(arvalid),
    .s_axil_arready(arready), .s_axil_rdata(rdata), .s_axil_rresp(rresp), .s_axil_rvalid(rvalid),
    .s_axil_rready(rready), .s_axis_tdata(tdata), .s_axis_tlast(tlast), .s_axis_tvalid(tvalid),
    .s_axis_tready(s_tready), .m_axis_tdata(m_tdata), .m_axis_tlast(m_tlast),
    .m_axis_tvalid(m_tvalid), .m_axis_tready(tready));

  always #5 clk = ~clk;

  task fail(input [8 * 16:1] why);
    begin
      $display("%0s at %0t, outputs %b", why, $time, control);
      $fflush;
      $finish;
    end
  endtask

  always @(posedge clk) if (rst === 0) begin
    if (^control === 1'bx) fail("unknown output");
    waited = waited + 1;
    if (waited > {patience}) fail("no answer");
  end

  task idle;
    begin
      {{awvalid, wvalid, bready, arvalid, rready, tvalid, tready}} = 0;
      {{awaddr, wdata, araddr, tdata, tlast}} = 'bx;
    end
  endtask

  task write;
    begin
      {{awvalid, wvalid, bready, awaddr, wdata}} = {{3'b111, address[7:0], value}};
      while (awvalid || wvalid || bready) begin
        @(posedge clk) begin
          if (bready && bvalid) begin
            $display("%h", bresp);
            bready <= #1 0;
          end
          if (awready) {{awvalid, awaddr}} <= #1 {{1'b0, 8'bx}};
          if (wready) {{wvalid, wdata}} <= #1 {{1'b0, 32'bx}};
        end
        @(negedge clk);
      end
    end
  endtask

  task read;
    begin
      {{arvalid, rready, araddr}} = {{2'b11, address[7:0]}};
      while (arvalid || rready) begin
        @(posedge clk) begin
          if (rready && rvalid) begin
            $display("%h %h", rresp, rdata);
            rready <= #1 0;
          end
          if (arready) {{arvalid, araddr}} <= #1 {{1'b0, 8'bx}};
        end
        @(negedge clk);
      end
    end
  endtask

  task send;
    begin
      {{tvalid, tlast, tdata}} = {{1'b1, address[0], value}};
      while (tvalid) begin
        @(posedge clk) if (s_tready) {{tvalid, tlast, tdata}} <= #1 {{1'b0, 33'bx}};
        @(negedge clk);
      end
    end
  endtask

  task take;
    begin
      tready = 1;
      while (tready) begin
        @(posedge clk) if (m_tvalid) begin
          $display("%b %h", m_tlast, m_tdata);
          if (m_tlast) tready <= #1 0;
        end
        @(negedge clk);
      end
    end
  endtask

  initial begin
    @(posedge clk);
    #1 if (control !== 8'bx) fail("known before reset");
    rst = 1;
    @(posedge clk);
    #1 rst = 0;
    idle;
    @(negedge clk);
    while ($fscanf(32'h8000_0000, "%d %h %h", command, address, value) == 3) begin
      waited = 0;
      case (command)
        0: write;
        1: read;
        2: send;
        default: take;
      endcase
      $fflush;
    end
    $finish;
  end
endmodule
"""


class IcarusTransport(Transport):
    """The AXI ports of an accelerator that starts at X and is reset for one clock.

    Parameters
    ----------
    verilog : str
        Text with the module ``ACCELERATOR_NAME``.
    folder : Path
        Where all files go.
    """

    def __init__(self, verilog: str, folder: Path):
        bench = _BENCH.format(top=ACCELERATOR_NAME, patience=_PATIENCE)
        made = elaborate(folder, "bench", without_power_up(verilog), bench)
        self._process = subprocess.Popen(
            ["vvp", "-N", made], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )
        assert self._process.stdin
        assert self._process.stdout
        self._input, self._output = self._process.stdin, self._process.stdout

    def __enter__(self) -> "IcarusTransport":
        return self

    def __exit__(self, *_: object) -> None:
        self._process.communicate(timeout=60)

    def write_register(self, address: int, value: int) -> None:
        self._say(0, address, value)
        (response,) = self._hear(1)
        self._check(response, address)

    def read_register(self, address: int) -> int:
        self._say(1, address)
        response, value = self._hear(2)
        self._check(response, address)
        return value

    def send(self, words: np.ndarray) -> None:
        *most, last = words.tolist()
        for word in most:
            self._say(2, 0, word)
        self._say(2, 1, last)

    def receive(self) -> np.ndarray:
        self._say(3)
        words, last = [], 0
        while not last:
            last, word = self._hear(2)
            words.append(word)
        return np.array(words, np.uint32)

    def _say(self, command: int, address: int = 0, value: int = 0) -> None:
        self._input.write(f"{command} {address:x} {value:x}\n")

    def _hear(self, count: int) -> list[int]:
        self._input.flush()
        line = self._output.readline()
        values = line.split()
        if len(values) != count or not set(line) <= set("0123456789abcdef \n"):
            raise RuntimeError(f"Icarus Verilog answers {line!r}")
        return [int(value, 16) for value in values]

    @staticmethod
    def _check(response: int, address: int) -> None:
        if response:
            raise RuntimeError(f"refused: register {address:#04x}")

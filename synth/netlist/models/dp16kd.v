// Behaviour of the ECP5 block RAM in the modes that Yosys infers; Yosys itself has none.
//
// Data widths 1, 2, 4, 9, 18 and, port A writing and port B reading, 36. A byte has nine bits, of
// which the widths below 9 leave out the highest. Output registers, without their reset.
// What the silicon leaves open, or is not known here, is made as wrong as can be, so that no
// netlist works by chance: a word that one port reads while the other writes it comes out inverted,
// and an output register is all ones after a reset.

module DP16KD(
  input DIA17, DIA16, DIA15, DIA14, DIA13, DIA12, DIA11, DIA10, DIA9, DIA8, DIA7, DIA6, DIA5,
    DIA4, DIA3, DIA2, DIA1, DIA0,
  input ADA13, ADA12, ADA11, ADA10, ADA9, ADA8, ADA7, ADA6, ADA5, ADA4, ADA3, ADA2, ADA1, ADA0,
  input CEA, OCEA, CLKA, WEA, RSTA, CSA2, CSA1, CSA0,
  output DOA17, DOA16, DOA15, DOA14, DOA13, DOA12, DOA11, DOA10, DOA9, DOA8, DOA7, DOA6, DOA5,
    DOA4, DOA3, DOA2, DOA1, DOA0,
  input DIB17, DIB16, DIB15, DIB14, DIB13, DIB12, DIB11, DIB10, DIB9, DIB8, DIB7, DIB6, DIB5,
    DIB4, DIB3, DIB2, DIB1, DIB0,
  input ADB13, ADB12, ADB11, ADB10, ADB9, ADB8, ADB7, ADB6, ADB5, ADB4, ADB3, ADB2, ADB1, ADB0,
  input CEB, OCEB, CLKB, WEB, RSTB, CSB2, CSB1, CSB0,
  output DOB17, DOB16, DOB15, DOB14, DOB13, DOB12, DOB11, DOB10, DOB9, DOB8, DOB7, DOB6, DOB5,
    DOB4, DOB3, DOB2, DOB1, DOB0
);
  parameter DATA_WIDTH_A = 18, DATA_WIDTH_B = 18;
  parameter REGMODE_A = "NOREG", REGMODE_B = "NOREG";
  parameter RESETMODE = "SYNC", ASYNC_RESET_RELEASE = "SYNC";
  parameter CSDECODE_A = "0b000", CSDECODE_B = "0b000";
  parameter WRITEMODE_A = "NORMAL", WRITEMODE_B = "NORMAL";
  parameter CLKAMUX = "CLKA", CLKBMUX = "CLKB";
  parameter GSR = "AUTO";
  parameter [319:0] INITVAL_00 = 320'h0;
  parameter [319:0] INITVAL_01 = 320'h0;
  parameter [319:0] INITVAL_02 = 320'h0;
  parameter [319:0] INITVAL_03 = 320'h0;
  parameter [319:0] INITVAL_04 = 320'h0;
  parameter [319:0] INITVAL_05 = 320'h0;
  parameter [319:0] INITVAL_06 = 320'h0;
  parameter [319:0] INITVAL_07 = 320'h0;
  parameter [319:0] INITVAL_08 = 320'h0;
  parameter [319:0] INITVAL_09 = 320'h0;
  parameter [319:0] INITVAL_0A = 320'h0;
  parameter [319:0] INITVAL_0B = 320'h0;
  parameter [319:0] INITVAL_0C = 320'h0;
  parameter [319:0] INITVAL_0D = 320'h0;
  parameter [319:0] INITVAL_0E = 320'h0;
  parameter [319:0] INITVAL_0F = 320'h0;
  parameter [319:0] INITVAL_10 = 320'h0;
  parameter [319:0] INITVAL_11 = 320'h0;
  parameter [319:0] INITVAL_12 = 320'h0;
  parameter [319:0] INITVAL_13 = 320'h0;
  parameter [319:0] INITVAL_14 = 320'h0;
  parameter [319:0] INITVAL_15 = 320'h0;
  parameter [319:0] INITVAL_16 = 320'h0;
  parameter [319:0] INITVAL_17 = 320'h0;
  parameter [319:0] INITVAL_18 = 320'h0;
  parameter [319:0] INITVAL_19 = 320'h0;
  parameter [319:0] INITVAL_1A = 320'h0;
  parameter [319:0] INITVAL_1B = 320'h0;
  parameter [319:0] INITVAL_1C = 320'h0;
  parameter [319:0] INITVAL_1D = 320'h0;
  parameter [319:0] INITVAL_1E = 320'h0;
  parameter [319:0] INITVAL_1F = 320'h0;
  parameter [319:0] INITVAL_20 = 320'h0;
  parameter [319:0] INITVAL_21 = 320'h0;
  parameter [319:0] INITVAL_22 = 320'h0;
  parameter [319:0] INITVAL_23 = 320'h0;
  parameter [319:0] INITVAL_24 = 320'h0;
  parameter [319:0] INITVAL_25 = 320'h0;
  parameter [319:0] INITVAL_26 = 320'h0;
  parameter [319:0] INITVAL_27 = 320'h0;
  parameter [319:0] INITVAL_28 = 320'h0;
  parameter [319:0] INITVAL_29 = 320'h0;
  parameter [319:0] INITVAL_2A = 320'h0;
  parameter [319:0] INITVAL_2B = 320'h0;
  parameter [319:0] INITVAL_2C = 320'h0;
  parameter [319:0] INITVAL_2D = 320'h0;
  parameter [319:0] INITVAL_2E = 320'h0;
  parameter [319:0] INITVAL_2F = 320'h0;
  parameter [319:0] INITVAL_30 = 320'h0;
  parameter [319:0] INITVAL_31 = 320'h0;
  parameter [319:0] INITVAL_32 = 320'h0;
  parameter [319:0] INITVAL_33 = 320'h0;
  parameter [319:0] INITVAL_34 = 320'h0;
  parameter [319:0] INITVAL_35 = 320'h0;
  parameter [319:0] INITVAL_36 = 320'h0;
  parameter [319:0] INITVAL_37 = 320'h0;
  parameter [319:0] INITVAL_38 = 320'h0;
  parameter [319:0] INITVAL_39 = 320'h0;
  parameter [319:0] INITVAL_3A = 320'h0;
  parameter [319:0] INITVAL_3B = 320'h0;
  parameter [319:0] INITVAL_3C = 320'h0;
  parameter [319:0] INITVAL_3D = 320'h0;
  parameter [319:0] INITVAL_3E = 320'h0;
  parameter [319:0] INITVAL_3F = 320'h0;

  localparam KNOWN_A = DATA_WIDTH_A == 1 || DATA_WIDTH_A == 2 || DATA_WIDTH_A == 4
    || DATA_WIDTH_A == 9 || DATA_WIDTH_A == 18 || DATA_WIDTH_A == 36;
  localparam KNOWN_B = DATA_WIDTH_B == 1 || DATA_WIDTH_B == 2 || DATA_WIDTH_B == 4
    || DATA_WIDTH_B == 9 || DATA_WIDTH_B == 18 || DATA_WIDTH_B == 36;

  generate
    if (!KNOWN_A || !KNOWN_B || (DATA_WIDTH_A == 36) != (DATA_WIDTH_B == 36)
        || REGMODE_A != "NOREG" && REGMODE_A != "OUTREG"
        || REGMODE_B != "NOREG" && REGMODE_B != "OUTREG"
        || RESETMODE != "SYNC" && RESETMODE != "ASYNC"
        || ASYNC_RESET_RELEASE != "SYNC" && ASYNC_RESET_RELEASE != "ASYNC"
        || CSDECODE_A != "0b000" || CSDECODE_B != "0b000"
        || WRITEMODE_A != "NORMAL" && WRITEMODE_A != "WRITETHROUGH"
          && WRITEMODE_A != "READBEFOREWRITE"
        || WRITEMODE_B != "NORMAL" && WRITEMODE_B != "WRITETHROUGH"
          && WRITEMODE_B != "READBEFOREWRITE"
        || CLKAMUX != "CLKA" && CLKAMUX != "INV" || CLKBMUX != "CLKB" && CLKBMUX != "INV"
        || GSR != "AUTO" && GSR != "DISABLED") begin : unsupported
      DP16KD_in_a_mode_without_a_model wrong();
    end
  endgenerate

  reg [8:0] bytes [0:2047];
  wire [64 * 320 - 1:0] initial_words = {
    INITVAL_3F, INITVAL_3E, INITVAL_3D, INITVAL_3C, INITVAL_3B, INITVAL_3A, INITVAL_39,
    INITVAL_38, INITVAL_37, INITVAL_36, INITVAL_35, INITVAL_34, INITVAL_33, INITVAL_32,
    INITVAL_31, INITVAL_30, INITVAL_2F, INITVAL_2E, INITVAL_2D, INITVAL_2C, INITVAL_2B,
    INITVAL_2A, INITVAL_29, INITVAL_28, INITVAL_27, INITVAL_26, INITVAL_25, INITVAL_24,
    INITVAL_23, INITVAL_22, INITVAL_21, INITVAL_20, INITVAL_1F, INITVAL_1E, INITVAL_1D,
    INITVAL_1C, INITVAL_1B, INITVAL_1A, INITVAL_19, INITVAL_18, INITVAL_17, INITVAL_16,
    INITVAL_15, INITVAL_14, INITVAL_13, INITVAL_12, INITVAL_11, INITVAL_10, INITVAL_0F,
    INITVAL_0E, INITVAL_0D, INITVAL_0C, INITVAL_0B, INITVAL_0A, INITVAL_09, INITVAL_08,
    INITVAL_07, INITVAL_06, INITVAL_05, INITVAL_04, INITVAL_03, INITVAL_02, INITVAL_01, INITVAL_00
  };

  integer n;
  initial
    for (n = 0; n < 1024; n = n + 1) begin
      bytes[2 * n] = initial_words[20 * n +: 9];
      bytes[2 * n + 1] = initial_words[20 * n + 9 +: 9];
    end

  wire [17:0] di_a = {DIA17, DIA16, DIA15, DIA14, DIA13, DIA12, DIA11, DIA10, DIA9, DIA8, DIA7,
    DIA6, DIA5, DIA4, DIA3, DIA2, DIA1, DIA0};
  wire [13:0] ad_a = {ADA13, ADA12, ADA11, ADA10, ADA9, ADA8, ADA7, ADA6, ADA5, ADA4, ADA3, ADA2,
    ADA1, ADA0};
  wire [17:0] di_b = {DIB17, DIB16, DIB15, DIB14, DIB13, DIB12, DIB11, DIB10, DIB9, DIB8, DIB7,
    DIB6, DIB5, DIB4, DIB3, DIB2, DIB1, DIB0};
  wire [13:0] ad_b = {ADB13, ADB12, ADB11, ADB10, ADB9, ADB8, ADB7, ADB6, ADB5, ADB4, ADB3, ADB2,
    ADB1, ADB0};
  wire clk_a = CLKAMUX == "INV" ? ~CLKA : CLKA;
  wire clk_b = CLKBMUX == "INV" ? ~CLKB : CLKB;

  // A reset that waits for the clock also keeps its port from writing.
  localparam SYNC = RESETMODE != "ASYNC";
  wire clear_a = !SYNC & RSTA, clear_b = !SYNC & RSTB;

  // A port sees the four bytes of 36 bits that its address lies in.
  function [3:0] selected;  // bytes of the four
    input integer width;
    input [13:0] ad;
    case (width)
      36: selected = 4'b1111;
      18: selected = 4'b0011 << {ad[4], 1'b0};
      default: selected = 4'b0001 << ad[4:3];
    endcase
  endfunction

  function [35:0] mask;  // bits of the four bytes that a write changes
    input integer width;
    input [13:0] ad;
    integer i;
    begin
      mask = 36'b0;
      for (i = 0; i < 4; i = i + 1)
        if (selected(width, ad) >> i & 1)
          case (width)
            36: mask[9 * i +: 9] = {9{ad[i]}};
            18: mask[9 * i +: 9] = {9{ad[i & 1]}};
            9: mask[9 * i +: 9] = 9'h1ff;
            4: mask[9 * i +: 9] = 9'h00f << {ad[2], 2'b0};
            2: mask[9 * i +: 9] = 9'h003 << {ad[2:1], 1'b0};
            default: mask[9 * i +: 9] = 9'h001 << ad[2:0];
          endcase
    end
  endfunction

  function [35:0] placed;  // data at every place that the width allows
    input integer width;
    input [35:0] data;
    case (width)
      36: placed = data;
      18: placed = {2{data[17:0]}};
      9: placed = {4{data[8:0]}};
      4: placed = {4{1'b0, {2{data[3:0]}}}};
      2: placed = {4{1'b0, {4{data[1:0]}}}};
      default: placed = {4{1'b0, {8{data[0]}}}};
    endcase
  endfunction

  function [35:0] taken;  // what the width lets out of the four bytes
    input integer width;
    input [13:0] ad;
    input [35:0] four;
    reg [8:0] one;
    begin
      one = four >> 9 * ad[4:3];
      case (width)
        36: taken = four;
        18: taken = ad[4] ? four[35:18] : four[17:0];
        9: taken = one;
        4: taken = one[7:0] >> {ad[2], 2'b0} & 4'hf;
        2: taken = one[7:0] >> {ad[2:1], 1'b0} & 2'h3;
        default: taken = one[7:0] >> ad[2:0] & 1'h1;
      endcase
    end
  endfunction

  wire [8:0] four_a = ad_a[13:5], four_b = ad_b[13:5];
  wire [35:0] old_a = {bytes[{four_a, 2'd3}], bytes[{four_a, 2'd2}],
                       bytes[{four_a, 2'd1}], bytes[{four_a, 2'd0}]};
  wire [35:0] old_b = {bytes[{four_b, 2'd3}], bytes[{four_b, 2'd2}],
                       bytes[{four_b, 2'd1}], bytes[{four_b, 2'd0}]};
  wire writes_a = CEA & WEA & ~(SYNC & RSTA) & ~(CSA2 | CSA1 | CSA0);
  wire writes_b = CEB & WEB & ~(SYNC & RSTB) & ~(CSB2 | CSB1 | CSB0);
  wire [35:0] mask_a = writes_a ? mask(DATA_WIDTH_A, ad_a) : 36'b0;
  wire [35:0] mask_b = writes_b ? mask(DATA_WIDTH_B, ad_b) : 36'b0;
  wire [35:0] new_a = old_a & ~mask_a | placed(DATA_WIDTH_A, {di_b, di_a}) & mask_a;
  wire [35:0] new_b = old_b & ~mask_b | placed(DATA_WIDTH_B, {di_a, di_b}) & mask_b;
  wire [35:0] wrong_a = four_a == four_b ? mask_b : 36'b0;
  wire [35:0] wrong_b = four_a == four_b ? mask_a : 36'b0;

  always @(posedge clk_a)
    if (writes_a) begin
      if (|mask_a[8:0]) bytes[{four_a, 2'd0}] <= new_a[8:0];
      if (|mask_a[17:9]) bytes[{four_a, 2'd1}] <= new_a[17:9];
      if (|mask_a[26:18]) bytes[{four_a, 2'd2}] <= new_a[26:18];
      if (|mask_a[35:27]) bytes[{four_a, 2'd3}] <= new_a[35:27];
    end

  reg [35:0] out_a;
  initial out_a = 36'b0;
  always @(posedge clk_a or posedge clear_a)
    if (RSTA)
      out_a <= 36'b0;
    else if (CEA & (~writes_a | WRITEMODE_A != "NORMAL"))
      out_a <= taken(DATA_WIDTH_A, ad_a,
                     (WRITEMODE_A == "WRITETHROUGH" ? new_a : old_a) ^ wrong_a);

  always @(posedge clk_b)
    if (writes_b) begin
      if (|mask_b[8:0]) bytes[{four_b, 2'd0}] <= new_b[8:0];
      if (|mask_b[17:9]) bytes[{four_b, 2'd1}] <= new_b[17:9];
      if (|mask_b[26:18]) bytes[{four_b, 2'd2}] <= new_b[26:18];
      if (|mask_b[35:27]) bytes[{four_b, 2'd3}] <= new_b[35:27];
    end

  reg [35:0] out_b;
  initial out_b = 36'b0;
  always @(posedge clk_b or posedge clear_b)
    if (RSTB)
      out_b <= 36'b0;
    else if (CEB & (~writes_b | WRITEMODE_B != "NORMAL"))
      out_b <= taken(DATA_WIDTH_B, ad_b,
                     (WRITEMODE_B == "WRITETHROUGH" ? new_b : old_b) ^ wrong_b);

  // Where both halves of the outputs are one word, port B reads it; narrower ones are apart.
  localparam WIDE = DATA_WIDTH_B == 36;
  wire [17:0] now_a = WIDE ? out_b[17:0] : out_a[17:0];
  wire [17:0] now_b = WIDE ? out_b[35:18] : out_b[17:0];

  // Output registers have enables of their own, and are loaded whether their port reads or not.
  wire load_a = WIDE ? OCEA & OCEB : OCEA;
  wire reset_a = WIDE ? RSTB : RSTA;
  reg [17:0] late_a, late_b;
  initial {late_a, late_b} = 36'b0;
  wire clk_out_a = WIDE ? clk_b : clk_a;
  always @(posedge clk_out_a) if (load_a | reset_a) late_a <= now_a | {18{reset_a}};
  always @(posedge clk_b) if (OCEB | RSTB) late_b <= now_b | {18{RSTB}};
  assign {DOA17, DOA16, DOA15, DOA14, DOA13, DOA12, DOA11, DOA10, DOA9, DOA8, DOA7, DOA6, DOA5,
    DOA4, DOA3, DOA2, DOA1, DOA0} = REGMODE_A == "OUTREG" ? late_a : now_a;
  assign {DOB17, DOB16, DOB15, DOB14, DOB13, DOB12, DOB11, DOB10, DOB9, DOB8, DOB7, DOB6, DOB5,
    DOB4, DOB3, DOB2, DOB1, DOB0} = REGMODE_B == "OUTREG" ? late_b : now_b;
endmodule

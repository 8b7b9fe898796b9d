// The ECP5's block RAM DP16KD as far as Yosys makes use of it for our machines; Yosys ships its ports without a behaviour.
//
// Written from Lattice's technical note TN1264 (now FPGA-TN-02204), "ECP5 and ECP5-5G Memory Usage Guide", and from what
// Yosys' own mapping (techlibs/ecp5/brams.txt, brams_map.v) takes for granted. See docs/adr/0012.
//
// 1024 words of 18 bits: two bytes of 9. Ports 18 and 9 bits wide see all bits, narrower ones eight of a byte's nine.
// Address bit 0 counts bits; an 18-bit port takes its byte enables from address bits 0 and 1, so all its writes say which
// bytes. Each INITVAL holds sixteen words, 20 bits apart. Both ports must have one clock.
//
// 36 bits wide (the note's pseudo dual port), port A writes and port B reads, two words each: the even one on DIA and DOA, the
// odd one on DIB and DOB; address bits 0 to 3 of port A enable the bytes. Port B may be narrower then.
//
// What the note leaves open is answered with garbage, so that a design which depends on it does not pass by luck: a port
// that reads a word which the other port writes in the same clock gets the inverse of the old bits (with DP16KD_READS_OLD, for comparing blocks one by one, the old bits).
// What is not modelled stops the simulation at its start: output registers, chip selects, inverted clocks, other widths.
`timescale 1ns / 1ps
module DP16KD (
    input DIA17, DIA16, DIA15, DIA14, DIA13, DIA12, DIA11, DIA10, DIA9, DIA8, DIA7, DIA6, DIA5, DIA4, DIA3, DIA2, DIA1, DIA0,
    input ADA13, ADA12, ADA11, ADA10, ADA9, ADA8, ADA7, ADA6, ADA5, ADA4, ADA3, ADA2, ADA1, ADA0,
    input CEA, OCEA, CLKA, WEA, RSTA, CSA2, CSA1, CSA0,
    output DOA17, DOA16, DOA15, DOA14, DOA13, DOA12, DOA11, DOA10, DOA9, DOA8, DOA7, DOA6, DOA5, DOA4, DOA3, DOA2, DOA1, DOA0,
    input DIB17, DIB16, DIB15, DIB14, DIB13, DIB12, DIB11, DIB10, DIB9, DIB8, DIB7, DIB6, DIB5, DIB4, DIB3, DIB2, DIB1, DIB0,
    input ADB13, ADB12, ADB11, ADB10, ADB9, ADB8, ADB7, ADB6, ADB5, ADB4, ADB3, ADB2, ADB1, ADB0,
    input CEB, OCEB, CLKB, WEB, RSTB, CSB2, CSB1, CSB0,
    output DOB17, DOB16, DOB15, DOB14, DOB13, DOB12, DOB11, DOB10, DOB9, DOB8, DOB7, DOB6, DOB5, DOB4, DOB3, DOB2, DOB1, DOB0
);
    parameter DATA_WIDTH_A = 18, DATA_WIDTH_B = 18;
    parameter REGMODE_A = "NOREG", REGMODE_B = "NOREG";
    parameter RESETMODE = "SYNC", ASYNC_RESET_RELEASE = "SYNC", GSR = "ENABLED";
    parameter CSDECODE_A = "0b000", CSDECODE_B = "0b000";
    parameter WRITEMODE_A = "NORMAL", WRITEMODE_B = "NORMAL";
    parameter CLKAMUX = "CLKA", CLKBMUX = "CLKB";
    parameter [319:0] INITVAL_00 = 320'd0, INITVAL_01 = 320'd0, INITVAL_02 = 320'd0, INITVAL_03 = 320'd0;
    parameter [319:0] INITVAL_04 = 320'd0, INITVAL_05 = 320'd0, INITVAL_06 = 320'd0, INITVAL_07 = 320'd0;
    parameter [319:0] INITVAL_08 = 320'd0, INITVAL_09 = 320'd0, INITVAL_0A = 320'd0, INITVAL_0B = 320'd0;
    parameter [319:0] INITVAL_0C = 320'd0, INITVAL_0D = 320'd0, INITVAL_0E = 320'd0, INITVAL_0F = 320'd0;
    parameter [319:0] INITVAL_10 = 320'd0, INITVAL_11 = 320'd0, INITVAL_12 = 320'd0, INITVAL_13 = 320'd0;
    parameter [319:0] INITVAL_14 = 320'd0, INITVAL_15 = 320'd0, INITVAL_16 = 320'd0, INITVAL_17 = 320'd0;
    parameter [319:0] INITVAL_18 = 320'd0, INITVAL_19 = 320'd0, INITVAL_1A = 320'd0, INITVAL_1B = 320'd0;
    parameter [319:0] INITVAL_1C = 320'd0, INITVAL_1D = 320'd0, INITVAL_1E = 320'd0, INITVAL_1F = 320'd0;
    parameter [319:0] INITVAL_20 = 320'd0, INITVAL_21 = 320'd0, INITVAL_22 = 320'd0, INITVAL_23 = 320'd0;
    parameter [319:0] INITVAL_24 = 320'd0, INITVAL_25 = 320'd0, INITVAL_26 = 320'd0, INITVAL_27 = 320'd0;
    parameter [319:0] INITVAL_28 = 320'd0, INITVAL_29 = 320'd0, INITVAL_2A = 320'd0, INITVAL_2B = 320'd0;
    parameter [319:0] INITVAL_2C = 320'd0, INITVAL_2D = 320'd0, INITVAL_2E = 320'd0, INITVAL_2F = 320'd0;
    parameter [319:0] INITVAL_30 = 320'd0, INITVAL_31 = 320'd0, INITVAL_32 = 320'd0, INITVAL_33 = 320'd0;
    parameter [319:0] INITVAL_34 = 320'd0, INITVAL_35 = 320'd0, INITVAL_36 = 320'd0, INITVAL_37 = 320'd0;
    parameter [319:0] INITVAL_38 = 320'd0, INITVAL_39 = 320'd0, INITVAL_3A = 320'd0, INITVAL_3B = 320'd0;
    parameter [319:0] INITVAL_3C = 320'd0, INITVAL_3D = 320'd0, INITVAL_3E = 320'd0, INITVAL_3F = 320'd0;

    localparam WIDE_WRITE = DATA_WIDTH_A == 36, WIDE_READ = DATA_WIDTH_B == 36;
    function is_width;
        input integer width;
        is_width = width == 1 || width == 2 || width == 4 || width == 9 || width == 18 || width == 36;
    endfunction

    initial begin
        if (!is_width(DATA_WIDTH_A) || !is_width(DATA_WIDTH_B)) $fatal(1, "DP16KD: there is no such width");
        if (WIDE_READ && !WIDE_WRITE) $fatal(1, "DP16KD: a narrow write beside a wide read is not modelled");
        if (REGMODE_A != "NOREG" || REGMODE_B != "NOREG") $fatal(1, "DP16KD: output registers are not modelled");
        if (CLKAMUX != "CLKA" || CLKBMUX != "CLKB") $fatal(1, "DP16KD: inverted clocks are not modelled");
        if (CSDECODE_A != "0b000" || CSDECODE_B != "0b000") $fatal(1, "DP16KD: chip selects are not modelled");
    end

    reg [17:0] memory[0:1023];
    wire [64*320-1:0] image = {
        INITVAL_3F, INITVAL_3E, INITVAL_3D, INITVAL_3C, INITVAL_3B, INITVAL_3A, INITVAL_39, INITVAL_38,
        INITVAL_37, INITVAL_36, INITVAL_35, INITVAL_34, INITVAL_33, INITVAL_32, INITVAL_31, INITVAL_30,
        INITVAL_2F, INITVAL_2E, INITVAL_2D, INITVAL_2C, INITVAL_2B, INITVAL_2A, INITVAL_29, INITVAL_28,
        INITVAL_27, INITVAL_26, INITVAL_25, INITVAL_24, INITVAL_23, INITVAL_22, INITVAL_21, INITVAL_20,
        INITVAL_1F, INITVAL_1E, INITVAL_1D, INITVAL_1C, INITVAL_1B, INITVAL_1A, INITVAL_19, INITVAL_18,
        INITVAL_17, INITVAL_16, INITVAL_15, INITVAL_14, INITVAL_13, INITVAL_12, INITVAL_11, INITVAL_10,
        INITVAL_0F, INITVAL_0E, INITVAL_0D, INITVAL_0C, INITVAL_0B, INITVAL_0A, INITVAL_09, INITVAL_08,
        INITVAL_07, INITVAL_06, INITVAL_05, INITVAL_04, INITVAL_03, INITVAL_02, INITVAL_01, INITVAL_00
    };
    integer w;
    initial for (w = 0; w < 1024; w = w + 1) memory[w] = image[20*w +: 18];

    wire [17:0] data_a = {DIA17, DIA16, DIA15, DIA14, DIA13, DIA12, DIA11, DIA10, DIA9, DIA8, DIA7, DIA6, DIA5, DIA4, DIA3, DIA2, DIA1, DIA0};
    wire [17:0] data_b = {DIB17, DIB16, DIB15, DIB14, DIB13, DIB12, DIB11, DIB10, DIB9, DIB8, DIB7, DIB6, DIB5, DIB4, DIB3, DIB2, DIB1, DIB0};
    wire [13:0] address_a = {ADA13, ADA12, ADA11, ADA10, ADA9, ADA8, ADA7, ADA6, ADA5, ADA4, ADA3, ADA2, ADA1, ADA0};
    wire [13:0] address_b = {ADB13, ADB12, ADB11, ADB10, ADB9, ADB8, ADB7, ADB6, ADB5, ADB4, ADB3, ADB2, ADB1, ADB0};
    wire selected_a = CEA && {CSA2, CSA1, CSA0} == 3'd0;
    wire selected_b = CEB && {CSB2, CSB1, CSB0} == 3'd0;
    wire write_a = selected_a && WEA && !WIDE_WRITE;
    wire write_b = selected_b && WEB && !WIDE_WRITE;
    wire write_wide = selected_a && WEA && WIDE_WRITE;
    always @(posedge CLKB) if (selected_b && WEB && WIDE_WRITE) $fatal(1, "DP16KD: port B only reads beside a wide write");

    // Where a narrow port's bits begin in the word: the ninth bit of a byte is left out.
    function [4:0] low;
        input integer width;
        input [3:0] address;
        case (width)
            18: low = 5'd0;
            9: low = address[3] ? 5'd9 : 5'd0;
            4: low = (address[3] ? 5'd9 : 5'd0) + {2'd0, address[2], 2'd0};
            2: low = (address[3] ? 5'd9 : 5'd0) + {2'd0, address[2:1], 1'd0};
            default: low = (address[3] ? 5'd9 : 5'd0) + {2'd0, address[2:0]};
        endcase
    endfunction

    // The bits of the word that a write replaces.
    function [17:0] mask;
        input integer width;
        input [3:0] address;
        case (width)
            18: mask = {{9{address[1]}}, {9{address[0]}}};
            default: mask = ((18'd1 << width) - 18'd1) << low(width, address);
        endcase
    endfunction

    function [17:0] taken;
        input integer width;
        input [3:0] address;
        input [17:0] word;
        taken = (word >> low(width, address)) & ((width == 18) ? 18'h3FFFF : (18'd1 << width) - 18'd1);
    endfunction

    wire [17:0] mask_a = write_a ? mask(DATA_WIDTH_A, address_a[3:0]) : 18'd0;
    wire [17:0] mask_b = write_b ? mask(DATA_WIDTH_B, address_b[3:0]) : 18'd0;
    wire [17:0] placed_a = data_a << low(DATA_WIDTH_A, address_a[3:0]);
    wire [17:0] placed_b = data_b << low(DATA_WIDTH_B, address_b[3:0]);
    wire same = address_a[13:4] == address_b[13:4];
`ifdef DP16KD_READS_OLD
    localparam GARBLES = 0;
`else
    localparam GARBLES = 1;
`endif
    // Two words.
    wire [35:0] mask_wide =
        write_wide ? {{9{address_a[3]}}, {9{address_a[2]}}, {9{address_a[1]}}, {9{address_a[0]}}} : 36'd0;
    wire [35:0] kept_wide = {memory[{address_a[13:5], 1'b1}], memory[{address_a[13:5], 1'b0}]};
    wire [35:0] data_wide = (kept_wide & ~mask_wide) | ({data_b, data_a} & mask_wide);
    always @(posedge CLKA)
        if (write_wide) begin
            memory[{address_a[13:5], 1'b0}] <= data_wide[17:0];
            memory[{address_a[13:5], 1'b1}] <= data_wide[35:18];
        end
    wire [35:0] garbled_wide = (address_a[13:5] == address_b[13:5] && GARBLES) ? mask_wide : 36'd0;
    wire [35:0] seen_wide = {memory[{address_b[13:5], 1'b1}], memory[{address_b[13:5], 1'b0}]} ^ garbled_wide;

    wire [17:0] old_a = memory[address_a[13:4]] ^ ((same && GARBLES) ? mask_b : 18'd0);
    wire [17:0] old_b = memory[address_b[13:4]] ^ ((same && GARBLES) ? mask_a : 18'd0)
        ^ (address_b[4] ? garbled_wide[35:18] : garbled_wide[17:0]);
    wire [17:0] new_a = (old_a & ~mask_a) | (placed_a & mask_a);
    wire [17:0] new_b = (old_b & ~mask_b) | (placed_b & mask_b);

    // Bits that both ports write in one clock are the note's to leave open as well; port B's win here.
    wire [17:0] both = (((memory[address_a[13:4]] & ~mask_a) | (placed_a & mask_a)) & ~mask_b) | (placed_b & mask_b);
    wire [17:0] kept_a = (memory[address_a[13:4]] & ~mask_a) | (placed_a & mask_a);
    wire [17:0] kept_b = (memory[address_b[13:4]] & ~mask_b) | (placed_b & mask_b);
    always @(posedge CLKA)
        if (write_a) memory[address_a[13:4]] <= (same && write_b) ? both : kept_a;
    always @(posedge CLKB)
        if (write_b) memory[address_b[13:4]] <= (same && write_a) ? both : kept_b;

    reg [17:0] out_a = 18'd0, out_b = 18'd0;
    // What port A shows of its own where port B is wide is not used: its pins show port B's even word.
    wire reads_a = WIDE_READ ? selected_b : selected_a && (!WEA || WRITEMODE_A != "NORMAL");
    wire reads_b = selected_b && (!WEB || WRITEMODE_B != "NORMAL");
    wire [17:0] seen_a = WIDE_READ ? seen_wide[17:0]
        : taken(DATA_WIDTH_A, address_a[3:0], (WRITEMODE_A == "WRITETHROUGH") ? new_a : old_a);
    wire [17:0] seen_b = WIDE_READ ? seen_wide[35:18]
        : taken(DATA_WIDTH_B, address_b[3:0], (WRITEMODE_B == "WRITETHROUGH") ? new_b : old_b);
    wire reset_a = WIDE_READ ? RSTB : RSTA;
    generate
        if (RESETMODE == "ASYNC") begin : asynchronous
            always @(posedge CLKA or posedge reset_a)
                if (reset_a) out_a <= 18'd0;
                else if (reads_a) out_a <= seen_a;
            always @(posedge CLKB or posedge RSTB)
                if (RSTB) out_b <= 18'd0;
                else if (reads_b) out_b <= seen_b;
        end else begin : synchronous
            always @(posedge CLKA)
                if (reset_a) out_a <= 18'd0;
                else if (reads_a) out_a <= seen_a;
            always @(posedge CLKB)
                if (RSTB) out_b <= 18'd0;
                else if (reads_b) out_b <= seen_b;
        end
    endgenerate
    assign {DOA17, DOA16, DOA15, DOA14, DOA13, DOA12, DOA11, DOA10, DOA9, DOA8, DOA7, DOA6, DOA5, DOA4, DOA3, DOA2, DOA1, DOA0} = out_a;
    assign {DOB17, DOB16, DOB15, DOB14, DOB13, DOB12, DOB11, DOB10, DOB9, DOB8, DOB7, DOB6, DOB5, DOB4, DOB3, DOB2, DOB1, DOB0} = out_b;
endmodule

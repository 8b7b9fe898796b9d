// Runs `top` under Icarus for `bitline`, as main.cpp runs it under Verilator, but with four values to a bit: from
// power-on to the end no pin of the machine may ever be X or Z.
//
// Request, a line of hexadecimal numbers: clocks, switches (bit 0 start, bit 1 reset), count, count bytes for uart_rx.
// Response, a line of them: leds, count, count bytes from uart_tx; or, and then the end:
//     X clock uart_tx leds
// It ends with its stdin. The plus-argument clocks_per_bit says how long a bit lasts.
`timescale 1ns / 1ps
module bench;
    localparam STDIN = 32'h8000_0000;

    reg clock = 0, uart_rx = 1, start_switch = 0, reset_button = 0;
    wire uart_tx;
    wire [8:0] leds;
    top machine (
        .clock(clock),
        .uart_rx(uart_rx),
        .uart_tx(uart_tx),
        .start_switch(start_switch),
        .reset_button(reset_button),
        .leds(leds)
    );

    integer clocks_per_bit;
    reg [31:0] clocks, switches, count, value;
    integer step, k;
    integer clock_count = 0;

    // Bytes to send, between `first` and `last`, both modulo the size.
    reg [7:0] to_send[0:65535];
    reg [15:0] first = 0, last = 0;
    reg [9:0] frame_out;
    integer bits_out = 0, wait_out = 0;

    // Bytes received since the last response.
    reg [7:0] received[0:65535];
    integer received_count;
    reg [9:0] frame_in;
    integer bits_in = 0, wait_in = 0;
    reg active = 0;

    // Start bit, eight data bits from the least significant up, stop bit.
    task send;
        begin
            if (wait_out == 0) begin
                if (bits_out > 0) begin
                    frame_out = frame_out >> 1;
                    bits_out = bits_out - 1;
                end
                if (bits_out == 0 && first != last) begin
                    frame_out = {1'b1, to_send[first], 1'b0};
                    first = first + 1;
                    bits_out = 10;
                end
                if (bits_out > 0) wait_out = clocks_per_bit;
            end
            uart_rx = (bits_out > 0) ? frame_out[0] : 1'b1;
            if (wait_out > 0) wait_out = wait_out - 1;
        end
    endtask

    // Samples each bit in its middle; a byte whose stop bit is low is dropped.
    task receive;
        begin
            if (!active && !uart_tx) begin
                active = 1;
                bits_in = 0;
                wait_in = clocks_per_bit / 2;
            end
            if (active && wait_in > 0) wait_in = wait_in - 1;
            else if (active) begin
                wait_in = clocks_per_bit - 1;
                if (bits_in == 0 && uart_tx) active = 0;
                else begin
                    frame_in[bits_in] = uart_tx;
                    bits_in = bits_in + 1;
                    if (bits_in == 10) begin
                        active = 0;
                        if (uart_tx) begin
                            received[received_count] = frame_in[8:1];
                            received_count = received_count + 1;
                        end
                    end
                end
            end
        end
    endtask

    task check_pins;
        if ((^{uart_tx, leds}) === 1'bx) begin
            $display("X %0d %b %b", clock_count, uart_tx, leds);
            $fflush;
            $finish(0);
            // $finish lets the time step end first.
            forever #1000;
        end
    endtask

    initial begin
        if (!$value$plusargs("clocks_per_bit=%d", clocks_per_bit)) $fatal(1, "clocks_per_bit is missing");
        #1 check_pins;
        while ($fscanf(STDIN, " %h %h %h", clocks, switches, count) == 3) begin
            start_switch = switches[0];
            reset_button = switches[1];
            for (k = 0; k < count; k = k + 1) begin
                if ($fscanf(STDIN, " %h", value) != 1) $fatal(1, "a request ends in its middle");
                to_send[last] = value[7:0];
                last = last + 1;
            end
            received_count = 0;
            for (step = 0; step < clocks; step = step + 1) begin
                send;
                #1 clock = 1;
                clock_count = clock_count + 1;
                #1 check_pins;
                receive;
                #1 clock = 0;
                #1 check_pins;
            end
            $write("%0h %0h", leds, received_count);
            for (k = 0; k < received_count; k = k + 1) $write(" %0h", received[k]);
            $write("\n");
            $fflush;
        end
        $finish(0);
    end
endmodule

// Runs a Verilated `top` clock by clock and tells what every signal did: one side of a comparison of two rungs.
//
// Request:  u32 count, count bytes, each the pins for one clock (bit 0 uart_rx, bit 1 start_switch, bit 2 reset_button).
// stdout:   a VCD whose time is the clock, from 0, power-on. After each clock, and after clock 0, stands `$comment clock $end`;
//           a request's last clock is written before the next request is read. Numbers little-endian; it ends with its stdin.

#include <unistd.h>

#include <cstdint>
#include <cstdio>
#include <string>
#include <vector>

#include "Vtop.h"
#include "verilated.h"
#include "verilated_vcd_c.h"

namespace {

// What Verilator would write to a file.
struct Text final : VerilatedVcdFile {
    std::string text;
    bool open(const std::string &) override { return true; }
    void close() override {}
    ssize_t write(const char *from, ssize_t length) override {
        text.append(from, length);
        return length;
    }
    bool hand_over() {
        const bool good = fwrite(text.data(), 1, text.size(), stdout) == text.size();
        text.clear();
        return good;
    }
};

}  // namespace

int main(int argc, char **argv) {
    VerilatedContext context;
    context.commandArgs(argc, argv);
    context.traceEverOn(true);
    Text text;
    Vtop top{&context};
    VerilatedVcdC trace{&text};
    top.trace(&trace, 99);
    trace.open("stdout");
    uint64_t clock = 0;
    const auto tell = [&] {
        trace.dump(clock++);
        trace.flush();
        text.text += "$comment clock $end\n";
        return text.text.size() < 1 << 16 || text.hand_over();
    };
    top.clock = 0;
    top.uart_rx = 1;
    top.start_switch = 0;
    top.reset_button = 0;
    top.eval();
    if (!tell() || !text.hand_over() || fflush(stdout) != 0) return 2;

    uint8_t head[4];
    std::vector<uint8_t> pins;
    while (fread(head, 1, sizeof head, stdin) == sizeof head) {
        pins.resize(head[0] | head[1] << 8 | head[2] << 16 | uint32_t(head[3]) << 24);
        if (fread(pins.data(), 1, pins.size(), stdin) != pins.size()) return 2;
        for (const uint8_t levels : pins) {
            top.clock = 0;
            top.uart_rx = levels & 1;
            top.start_switch = levels >> 1 & 1;
            top.reset_button = levels >> 2 & 1;
            top.eval();
            top.clock = 1;
            top.eval();
            if (!tell()) return 2;
        }
        if (!text.hand_over() || fflush(stdout) != 0) return 2;
    }
    top.final();
    return 0;
}

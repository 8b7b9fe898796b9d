// Runs a Verilated `top` for `bitline`: clocks, switches and serial bytes come in on stdin, what the pins did goes out on stdout.
//
// Request:  u32 clocks, u8 switches (bit 0 start, bit 1 reset), u32 count, count bytes for uart_rx.
// Response: u16 leds, u32 count, count bytes from uart_tx.
// All numbers little-endian. The first argument is the number of clocks a bit lasts; what begins with + is for the model.
// The program ends with its stdin.

#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <deque>
#include <vector>

#include "Vtop.h"
#include "verilated.h"

namespace {

bool take(void *into, size_t count) { return fread(into, 1, count, stdin) == count; }

uint32_t number(const uint8_t *at) { return at[0] | at[1] << 8 | at[2] << 16 | uint32_t(at[3]) << 24; }

void put(std::vector<uint8_t> &into, uint32_t value, int bytes) {
    for (int i = 0; i < bytes; i++) into.push_back(value >> (8 * i));
}

// Start bit, eight data bits from the least significant up, stop bit.
struct Sender {
    uint32_t clocks_per_bit;
    std::deque<uint8_t> bytes;
    uint32_t frame = 1, bits_left = 0, clocks_left = 0;

    bool level() {
        if (clocks_left == 0) {
            if (bits_left > 0) {
                frame >>= 1;
                bits_left--;
            }
            if (bits_left == 0) {
                if (bytes.empty()) return true;
                frame = 0x200 | uint32_t(bytes.front()) << 1;
                bytes.pop_front();
                bits_left = 10;
            }
            clocks_left = clocks_per_bit;
        }
        clocks_left--;
        return frame & 1;
    }
};

// Samples each bit in its middle; a byte whose stop bit is low is dropped.
struct Receiver {
    uint32_t clocks_per_bit;
    uint32_t frame = 0, bits = 0, clocks_left = 0;
    bool active = false;

    void see(bool level, std::vector<uint8_t> &into) {
        if (!active) {
            if (level) return;
            active = true;
            bits = 0;
            frame = 0;
            clocks_left = clocks_per_bit / 2;
        }
        if (clocks_left > 0) {
            clocks_left--;
            return;
        }
        clocks_left = clocks_per_bit - 1;
        if (bits == 0 && level) {
            active = false;
            return;
        }
        frame |= uint32_t(level) << bits;
        if (++bits == 10) {
            active = false;
            if (level) into.push_back(frame >> 1);
        }
    }
};

}  // namespace

int main(int argc, char **argv) {
    if (argc < 2) return 2;
    VerilatedContext context;
    context.commandArgs(argc, argv);
    Vtop top{&context};
    const uint32_t clocks_per_bit = strtoul(argv[1], nullptr, 10);
    Sender sender{clocks_per_bit};
    Receiver receiver{clocks_per_bit};
    top.clock = 0;
    top.uart_rx = 1;
    top.start_switch = 0;
    top.reset_button = 0;
    top.eval();

    uint8_t head[9];
    std::vector<uint8_t> bytes, sent, response;
    while (take(head, sizeof head)) {
        const uint32_t clocks = number(head);
        top.start_switch = head[4] & 1;
        top.reset_button = head[4] >> 1 & 1;
        bytes.resize(number(head + 5));
        if (!take(bytes.data(), bytes.size())) return 2;
        sender.bytes.insert(sender.bytes.end(), bytes.begin(), bytes.end());
        sent.clear();
        for (uint32_t i = 0; i < clocks; i++) {
            top.uart_rx = sender.level();
            top.clock = 1;
            top.eval();
            receiver.see(top.uart_tx, sent);
            top.clock = 0;
            top.eval();
        }
        response.clear();
        put(response, top.leds, 2);
        put(response, sent.size(), 4);
        response.insert(response.end(), sent.begin(), sent.end());
        if (fwrite(response.data(), 1, response.size(), stdout) != response.size() || fflush(stdout) != 0) return 2;
    }
    top.final();
    return 0;
}

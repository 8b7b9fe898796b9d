// Runs a Verilated `top` without its UART for `bitline`: the same requests and responses as main.cpp, but bytes go in and out whole.
//
// The first argument is not used; what begins with + is for the model. The program ends with its stdin.

#include <cstdint>
#include <cstdio>
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

}  // namespace

int main(int argc, char **argv) {
    VerilatedContext context;
    context.commandArgs(argc, argv);
    Vtop top{&context};
    top.clock = 0;
    top.receive_valid = 0;
    top.transmit_ready = 1;
    top.start_switch = 0;
    top.reset_button = 0;
    top.eval();

    uint8_t head[9];
    std::vector<uint8_t> bytes, sent, response;
    std::deque<uint8_t> waiting;
    while (take(head, sizeof head)) {
        const uint32_t clocks = number(head);
        top.start_switch = head[4] & 1;
        top.reset_button = head[4] >> 1 & 1;
        bytes.resize(number(head + 5));
        if (!take(bytes.data(), bytes.size())) return 2;
        waiting.insert(waiting.end(), bytes.begin(), bytes.end());
        sent.clear();
        for (uint32_t i = 0; i < clocks; i++) {
            // What the design shows before the edge is what is taken at it.
            top.receive_valid = top.receive_ready && !waiting.empty();
            if (top.receive_valid) {
                top.receive_data = waiting.front();
                waiting.pop_front();
            }
            if (top.transmit_valid) sent.push_back(top.transmit_data);
            top.eval();
            top.clock = 1;
            top.eval();
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

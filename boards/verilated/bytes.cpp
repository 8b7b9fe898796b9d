// Runs a Verilated `top` without its UART for `bitline`: the same requests and responses as main.cpp, but bytes go in and out whole.
//
// The first argument is not used. +byte_clocks=N paces the bytes as a serial line does on which one lasts N clocks: one is whole N
// clocks after the one before, and replaces it if nobody has taken that; one that is sent takes N clocks, and comes out after them.
// What else begins with + is for the model. The program ends with its stdin.

#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <deque>
#include <string>
#include <vector>

#include "Vtop.h"
#include "verilated.h"

namespace {

bool take(void *into, size_t count) { return fread(into, 1, count, stdin) == count; }

uint32_t number(const uint8_t *at) { return at[0] | at[1] << 8 | at[2] << 16 | uint32_t(at[3]) << 24; }

void put(std::vector<uint8_t> &into, uint32_t value, int bytes) {
    for (int i = 0; i < bytes; i++) into.push_back(value >> (8 * i));
}

// What is between the host and the design, as registers that change at the edge.
struct Line {
    uint32_t byte_clocks;
    std::deque<uint8_t> waiting;
    // The byte that the design is shown, the one that is arriving, and the one that is being sent.
    bool held_valid = false;
    uint8_t held = 0, arriving = 0, leaving = 0;
    uint32_t arrives_in = 0, leaves_in = 0;

    bool is_free() const { return leaves_in == 0; }

    void step(bool shown, bool taken, bool offered, uint8_t byte, std::vector<uint8_t> &sent) {
        if (byte_clocks == 0) {
            if (shown && taken) waiting.pop_front();
            if (offered) sent.push_back(byte);
            return;
        }
        if (taken) held_valid = false;
        if (arrives_in == 0 && !waiting.empty()) {
            arriving = waiting.front();
            waiting.pop_front();
            arrives_in = byte_clocks;
        }
        if (arrives_in > 0 && --arrives_in == 0) {
            held = arriving;
            held_valid = true;
        }
        if (leaves_in > 0) {
            if (--leaves_in == 0) sent.push_back(leaving);
        } else if (offered) {
            leaving = byte;
            leaves_in = byte_clocks;
        }
    }
};

}  // namespace

int main(int argc, char **argv) {
    VerilatedContext context;
    context.commandArgs(argc, argv);
    Vtop top{&context};
    const std::string paced = context.commandArgsPlusMatch("byte_clocks=");
    const uint32_t byte_clocks = paced.empty() ? 0 : strtoul(paced.c_str() + paced.find('=') + 1, nullptr, 10);
    Line line{byte_clocks};
    top.clock = 0;
    top.receive_valid = 0;
    top.transmit_ready = 1;
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
        line.waiting.insert(line.waiting.end(), bytes.begin(), bytes.end());
        sent.clear();
        for (uint32_t i = 0; i < clocks; i++) {
            // What the design shows before the edge is what is taken at it.
            top.receive_valid = line.byte_clocks ? line.held_valid : top.receive_ready && !line.waiting.empty();
            top.receive_data = line.byte_clocks ? line.held : top.receive_valid ? line.waiting.front() : 0;
            top.transmit_ready = line.is_free();
            top.eval();
            line.step(top.receive_valid, top.receive_ready, top.transmit_valid, top.transmit_data, sent);
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

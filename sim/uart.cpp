// Drives a Verilated accelerator behind its serial line; called from Python through ctypes.

#include <cstdint>
#include <deque>
#include <memory>

#include "Vuart.h"
#include "verilated.h"

namespace {

constexpr int BITS = 10;  // of a byte on the line, with its start and stop bit

// One direction of the line: where in a byte it is. `bit` is BITS between bytes.
struct End {
    int bit = BITS;
    int64_t timer = 0;
    uint32_t shift = 0;
};

struct Simulation {
    VerilatedContext context;
    std::unique_ptr<Vuart> top;
    uint64_t cycles = 0;
    End sending, receiving;
    std::deque<uint8_t> to_send;
};

// What the host does on rx this cycle.
void send(Simulation& sim, int64_t divisor) {
    End& end = sim.sending;
    if (end.bit == BITS) {
        sim.top->rx = 1;
        if (sim.to_send.empty()) return;
        end = {0, 0, 0x200u | uint32_t(sim.to_send.front()) << 1};
        sim.to_send.pop_front();
    }
    sim.top->rx = end.shift >> end.bit & 1;
    if (++end.timer == divisor) {
        end.timer = 0;
        ++end.bit;
    }
}

// What the host hears on tx: true once a whole byte is in `shift`.
bool receive(Simulation& sim, int64_t divisor) {
    End& end = sim.receiving;
    if (end.bit == BITS) {
        if (sim.top->tx) return false;
        end = {0, 0, 0};
    }
    if (end.timer == divisor / 2) end.shift |= uint32_t(sim.top->tx) << end.bit;
    if (++end.timer < divisor) return false;
    end.timer = 0;
    return ++end.bit == BITS;
}

}  // namespace

extern "C" {

Simulation* spintrit_open() {
    auto sim = std::make_unique<Simulation>();
    sim->top = std::make_unique<Vuart>(&sim->context, "accelerator");
    Vuart& top = *sim->top;
    top.clk = 0;
    top.rx = 1;
    for (int rst : {1, 0}) {
        top.rst = rst;
        top.eval();
        if (!rst) break;
        top.clk = 1;
        top.eval();
        top.clk = 0;
    }
    return sim.release();
}

void spintrit_close(Simulation* sim) { delete sim; }

uint64_t spintrit_cycles(const Simulation* sim) { return sim->cycles; }

// Run for `cycles`, with `count` more bytes for rx; returns how many bytes tx gave, of which `out`
// has to hold cycles / (10 divisor) + 1.
int64_t spintrit_uart(Simulation* sim, int64_t divisor, const uint8_t* bytes, int64_t count,
                      uint8_t* out, int64_t cycles) {
    Vuart& top = *sim->top;
    sim->to_send.insert(sim->to_send.end(), bytes, bytes + count);
    int64_t given = 0;
    for (int64_t i = 0; i < cycles; ++i, ++sim->cycles) {
        send(*sim, divisor);
        if (receive(*sim, divisor)) out[given++] = uint8_t(sim->receiving.shift >> 1);
        top.clk = 1;
        top.eval();
        top.clk = 0;
        top.eval();
    }
    return given;
}

}  // extern "C"

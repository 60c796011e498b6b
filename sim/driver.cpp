// Drives a Verilated spintrit_array with whole command frames; called from Python through ctypes.
// Words are 32-bit, little end first; a frame word is the data padded to whole 32-bit words.

#include <cstdint>
#include <cstring>
#include <memory>

#include "Varray.h"
#include "verilated.h"

namespace {

struct Simulation {
    VerilatedContext context;
    std::unique_ptr<Varray> top;
    uint64_t cycles = 0;
};

// A port's 32-bit words, whichever of its two types Verilator gave it (64 bits, or more).
uint32_t* words(QData& port) { return reinterpret_cast<uint32_t*>(&port); }
template <size_t N>
uint32_t* words(VlWide<N>& port) { return port.data(); }

constexpr size_t IN_WORDS = sizeof(Varray::i_data) / sizeof(uint32_t);
constexpr size_t OUT_WORDS = sizeof(Varray::o_data) / sizeof(uint32_t);

void present(Varray& top, const uint32_t* word, bool last) {
    std::memcpy(words(top.i_data), word, IN_WORDS * sizeof(uint32_t));
    top.i_last = last;
    top.i_valid = 1;
}

void clock(Simulation& sim) {
    sim.top->clk = 1;
    sim.top->eval();
    sim.top->clk = 0;
    ++sim.cycles;
}

}  // namespace

extern "C" {

Simulation* spintrit_open() {
    auto sim = std::make_unique<Simulation>();
    sim->top = std::make_unique<Varray>(&sim->context, "array");
    Varray& top = *sim->top;
    top.clk = 0;
    top.rst = 1;
    top.i_valid = 0;
    top.o_ready = 0;
    top.eval();
    clock(*sim);
    top.rst = 0;
    sim->cycles = 0;
    return sim.release();
}

void spintrit_close(Simulation* sim) { delete sim; }

uint64_t spintrit_cycles(const Simulation* sim) { return sim->cycles; }

// Send one frame of `count` words and take the answering frame, trailer included, into `out`, which
// holds `room` words. Returns the number of words taken, or -1 if the answer is longer than `room`
// or does not end within `patience` cycles without progress.
int64_t spintrit_command(Simulation* sim, const uint32_t* frame, int64_t count, uint32_t* out,
                         int64_t room, int64_t patience) {
    Varray& top = *sim->top;
    top.o_ready = 1;
    int64_t sent = 0, taken = 0, idle = 0;
    present(top, frame, count == 1);
    while (idle++ < patience) {
        top.eval();
        const bool accepted = sent < count && top.i_ready;
        bool finished = false;
        if (top.o_valid) {
            if (taken == room) return -1;
            std::memcpy(out + OUT_WORDS * taken++, words(top.o_data), sizeof(top.o_data));
            finished = top.o_last;
            idle = 0;
        }
        clock(*sim);
        if (accepted) {
            idle = 0;
            if (++sent < count) {
                present(top, frame + IN_WORDS * sent, sent + 1 == count);
            } else {
                top.i_valid = 0;
            }
        }
        if (finished) return taken;
    }
    return -1;
}

// The bare loop that benchmarks compare with: hold `word` on the input for `cycles` clock cycles
// after the header of a FORWARD frame, taking every result and looking at none.
void spintrit_bare(Simulation* sim, const uint32_t* header, const uint32_t* word, int64_t cycles) {
    Varray& top = *sim->top;
    top.o_ready = 1;
    present(top, header, false);
    top.eval();
    clock(*sim);
    present(top, word, false);
    for (int64_t i = 1; i < cycles; ++i) {
        top.eval();
        clock(*sim);
    }
}

}  // extern "C"

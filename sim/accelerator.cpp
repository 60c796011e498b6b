// Drives a Verilated spintrit_accelerator through its AXI ports; called from Python through ctypes.
// The output stream is always ready; its words wait here until they are asked for.

#include <cstdint>
#include <cstring>
#include <deque>
#include <memory>

#include "Vaccelerator.h"
#include "verilated.h"

namespace {

struct Simulation {
    VerilatedContext context;
    std::unique_ptr<Vaccelerator> top;
    std::deque<uint32_t> words;
    std::deque<int64_t> packets;  // lengths of those that are complete
    int64_t open = 0;             // words of the one that is not
    uint64_t cycles = 0;
};

// One clock cycle; ports that were read before it must have been evaluated.
void clock(Simulation& sim) {
    Vaccelerator& top = *sim.top;
    if (top.m_axis_tvalid) {
        sim.words.push_back(top.m_axis_tdata);
        ++sim.open;
        if (top.m_axis_tlast) {
            sim.packets.push_back(sim.open);
            sim.open = 0;
        }
    }
    top.clk = 1;
    top.eval();
    top.clk = 0;
    top.eval();
    ++sim.cycles;
}

constexpr int PATIENCE = 100;  // cycles for a register access

}  // namespace

extern "C" {

Simulation* spintrit_open() {
    auto sim = std::make_unique<Simulation>();
    sim->top = std::make_unique<Vaccelerator>(&sim->context, "accelerator");
    Vaccelerator& top = *sim->top;
    top.clk = 0;
    top.rst = 1;
    top.s_axis_tvalid = 0;
    top.m_axis_tready = 1;
    top.s_axil_awvalid = top.s_axil_wvalid = top.s_axil_arvalid = 0;
    top.s_axil_bready = top.s_axil_rready = 1;
    top.s_axil_awprot = top.s_axil_arprot = 0;
    top.eval();
    clock(*sim);
    top.rst = 0;
    top.eval();
    sim->cycles = 0;
    return sim.release();
}

void spintrit_close(Simulation* sim) { delete sim; }

uint64_t spintrit_cycles(const Simulation* sim) { return sim->cycles; }

int spintrit_irq(const Simulation* sim) { return sim->top->irq; }

// Write a register; returns the AXI response, or -1 without one.
int spintrit_write(Simulation* sim, uint32_t address, uint32_t value) {
    Vaccelerator& top = *sim->top;
    top.s_axil_awaddr = address;
    top.s_axil_wdata = value;
    top.s_axil_wstrb = 15;
    top.s_axil_awvalid = top.s_axil_wvalid = 1;
    for (int i = 0; i < PATIENCE; ++i) {
        top.eval();
        const bool address_taken = top.s_axil_awvalid && top.s_axil_awready;
        const bool data_taken = top.s_axil_wvalid && top.s_axil_wready;
        const bool answered = top.s_axil_bvalid;
        const int response = top.s_axil_bresp;
        clock(*sim);
        if (address_taken) top.s_axil_awvalid = 0;
        if (data_taken) top.s_axil_wvalid = 0;
        if (answered) return response;
    }
    return -1;
}

// Read a register; returns the AXI response, or -1 without one.
int spintrit_read(Simulation* sim, uint32_t address, uint32_t* value) {
    Vaccelerator& top = *sim->top;
    top.s_axil_araddr = address;
    top.s_axil_arvalid = 1;
    for (int i = 0; i < PATIENCE; ++i) {
        top.eval();
        const bool taken = top.s_axil_arvalid && top.s_axil_arready;
        const bool answered = top.s_axil_rvalid;
        const int response = top.s_axil_rresp;
        if (answered) *value = top.s_axil_rdata;
        clock(*sim);
        if (taken) top.s_axil_arvalid = 0;
        if (answered) return response;
    }
    return -1;
}

// Send a packet; returns 0, or -1 if a word is not taken within `patience` cycles.
int spintrit_send(Simulation* sim, const uint32_t* words, int64_t count, int64_t patience) {
    Vaccelerator& top = *sim->top;
    for (int64_t i = 0; i < count; ++i) {
        top.s_axis_tdata = words[i];
        top.s_axis_tlast = i + 1 == count;
        top.s_axis_tvalid = 1;
        bool taken = false;
        for (int64_t idle = 0; !taken; ++idle) {
            if (idle == patience) {
                top.s_axis_tvalid = 0;
                return -1;
            }
            top.eval();
            taken = top.s_axis_tready;
            clock(*sim);
        }
    }
    top.s_axis_tvalid = 0;
    top.eval();
    return 0;
}

// Wait for a packet for at most `patience` cycles; returns its length, -1 if none came. Its words
// are then taken by spintrit_take.
int64_t spintrit_await(Simulation* sim, int64_t patience) {
    for (int64_t i = 0; sim->packets.empty() && i < patience; ++i) clock(*sim);
    return sim->packets.empty() ? -1 : sim->packets.front();
}

void spintrit_take(Simulation* sim, uint32_t* out) {
    for (int64_t i = 0; i < sim->packets.front(); ++i) {
        out[i] = sim->words.front();
        sim->words.pop_front();
    }
    sim->packets.pop_front();
}

}  // extern "C"

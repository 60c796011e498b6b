/* Registers of the accelerator.
 * Written by python -m synth.registers from golden/registers.py. */
#ifndef SPINTRIT_REGS_H
#define SPINTRIT_REGS_H

/* ro: identification: 0x53505254, SPRT in ASCII */
#define SPINTRIT_ID 0x00u
#define SPINTRIT_ID_VALUE 0x53505254u

/* ro: version of the interface, major number in the high half: 0x00010000 */
#define SPINTRIT_VERSION 0x04u
#define SPINTRIT_VERSION_VALUE 0x00010000u

/* ro: size of an array */
#define SPINTRIT_SHAPE 0x08u
#define SPINTRIT_SHAPE_ROWS_SHIFT 0 /* rows of an array */
#define SPINTRIT_SHAPE_ROWS_MASK 0x0000FFFFu
#define SPINTRIT_SHAPE_COLS_SHIFT 16 /* columns of an array */
#define SPINTRIT_SHAPE_COLS_MASK 0xFFFF0000u

/* ro: tiles, and widths of the arrays */
#define SPINTRIT_LAYOUT 0x0Cu
#define SPINTRIT_LAYOUT_TILES_SHIFT 0 /* number of arrays */
#define SPINTRIT_LAYOUT_TILES_MASK 0x000000FFu
#define SPINTRIT_LAYOUT_CELLS_SHIFT 8 /* junctions in a synapse */
#define SPINTRIT_LAYOUT_CELLS_MASK 0x00000300u
#define SPINTRIT_LAYOUT_CODE_BITS_SHIFT 12 /* width of a pulse code */
#define SPINTRIT_LAYOUT_CODE_BITS_MASK 0x0000F000u
#define SPINTRIT_LAYOUT_DRAW_BITS_SHIFT 16 /* width of a random draw */
#define SPINTRIT_LAYOUT_DRAW_BITS_MASK 0x003F0000u
#define SPINTRIT_LAYOUT_ERROR_BITS_SHIFT 24 /* width of an error */
#define SPINTRIT_LAYOUT_ERROR_BITS_MASK 0x1F000000u

/* ro: memory sizes */
#define SPINTRIT_MEMORY 0x10u
#define SPINTRIT_MEMORY_ACTIVATION_WORDS_SHIFT 0 /* words of activations */
#define SPINTRIT_MEMORY_ACTIVATION_WORDS_MASK 0x0000FFFFu
#define SPINTRIT_MEMORY_ERROR_WORDS_SHIFT 16 /* words of errors */
#define SPINTRIT_MEMORY_ERROR_WORDS_MASK 0xFFFF0000u

/* ro: memory sizes */
#define SPINTRIT_MEMORY2 0x14u
#define SPINTRIT_MEMORY2_POSITIONS_SHIFT 0 /* sums of a column: samples times output pixels */
#define SPINTRIT_MEMORY2_POSITIONS_MASK 0x0000FFFFu
#define SPINTRIT_MEMORY2_PROGRAM_WORDS_SHIFT 16 /* words of program */
#define SPINTRIT_MEMORY2_PROGRAM_WORDS_MASK 0xFFFF0000u

/* ro: memory size, and options of the arrays */
#define SPINTRIT_MEMORY3 0x18u
#define SPINTRIT_MEMORY3_THRESHOLD_WORDS_SHIFT 0 /* words of thresholds */
#define SPINTRIT_MEMORY3_THRESHOLD_WORDS_MASK 0x0000FFFFu
#define SPINTRIT_MEMORY3_VARIANT_BITS_SHIFT 16 /* width of a cell's variant */
#define SPINTRIT_MEMORY3_VARIANT_BITS_MASK 0x00070000u
#define SPINTRIT_MEMORY3_COUNTERS_SHIFT 19 /* the arrays have activity counters */
#define SPINTRIT_MEMORY3_COUNTERS_MASK 0x00080000u

/* wo: commands */
#define SPINTRIT_CONTROL 0x20u
#define SPINTRIT_CONTROL_START_SHIFT 0 /* run the program at PC */
#define SPINTRIT_CONTROL_START_MASK 0x00000001u
#define SPINTRIT_CONTROL_STOP_SHIFT 1 /* stop the program */
#define SPINTRIT_CONTROL_STOP_MASK 0x00000002u
#define SPINTRIT_CONTROL_CLEAR_SHIFT 2 /* clear the fault */
#define SPINTRIT_CONTROL_CLEAR_MASK 0x00000004u
#define SPINTRIT_CONTROL_RESET_COUNTERS_SHIFT 3 /* set all counters to 0 */
#define SPINTRIT_CONTROL_RESET_COUNTERS_MASK 0x00000008u

/* ro: state and fault */
#define SPINTRIT_STATUS 0x24u
#define SPINTRIT_STATUS_BUSY_SHIFT 0 /* a program runs */
#define SPINTRIT_STATUS_BUSY_MASK 0x00000001u
#define SPINTRIT_STATUS_FAULT_SHIFT 1 /* a fault is stored */
#define SPINTRIT_STATUS_FAULT_MASK 0x00000002u
#define SPINTRIT_STATUS_CAUSE_SHIFT 8 /* cause of the fault, see below */
#define SPINTRIT_STATUS_CAUSE_MASK 0x00000F00u
#define SPINTRIT_STATUS_WHAT_SHIFT 16 /* 16 bits of the packet's header, or word address of the instruction */
#define SPINTRIT_STATUS_WHAT_MASK 0xFFFF0000u

/* rw: interrupt enables */
#define SPINTRIT_IRQ_ENABLE 0x28u
#define SPINTRIT_IRQ_ENABLE_DONE_SHIFT 0 /* interrupt at the end of a program */
#define SPINTRIT_IRQ_ENABLE_DONE_MASK 0x00000001u
#define SPINTRIT_IRQ_ENABLE_FAULT_SHIFT 1 /* interrupt at a fault */
#define SPINTRIT_IRQ_ENABLE_FAULT_MASK 0x00000002u

/* w1c: interrupt flags */
#define SPINTRIT_IRQ_PENDING 0x2Cu
#define SPINTRIT_IRQ_PENDING_DONE_SHIFT 0 /* a program has ended */
#define SPINTRIT_IRQ_PENDING_DONE_MASK 0x00000001u
#define SPINTRIT_IRQ_PENDING_FAULT_SHIFT 1 /* a fault has occurred */
#define SPINTRIT_IRQ_PENDING_FAULT_MASK 0x00000002u

/* rw: start address of the program */
#define SPINTRIT_PC 0x30u
#define SPINTRIT_PC_VALUE_SHIFT 0 /* word address in the program memory */
#define SPINTRIT_PC_VALUE_MASK 0x0000FFFFu

/* rw: batch size */
#define SPINTRIT_BATCH 0x34u
#define SPINTRIT_BATCH_VALUE_SHIFT 0 /* number of samples */
#define SPINTRIT_BATCH_VALUE_MASK 0x0000FFFFu

/* ro: clock cycles while a program runs */
#define SPINTRIT_CYCLES 0x40u

/* ro: high word */
#define SPINTRIT_CYCLES_HIGH 0x44u

/* ro: cycles in FORWARD instructions */
#define SPINTRIT_FORWARD_CYCLES 0x48u

/* ro: high word */
#define SPINTRIT_FORWARD_CYCLES_HIGH 0x4Cu

/* ro: cycles in FORWARD instructions with lanes at work */
#define SPINTRIT_FORWARD_BUSY 0x50u

/* ro: high word */
#define SPINTRIT_FORWARD_BUSY_HIGH 0x54u

/* ro: cycles in BACKWARD instructions */
#define SPINTRIT_BACKWARD_CYCLES 0x58u

/* ro: high word */
#define SPINTRIT_BACKWARD_CYCLES_HIGH 0x5Cu

/* ro: cycles in BACKWARD instructions with lanes at work */
#define SPINTRIT_BACKWARD_BUSY 0x60u

/* ro: high word */
#define SPINTRIT_BACKWARD_BUSY_HIGH 0x64u

/* ro: cycles in UPDATE instructions */
#define SPINTRIT_UPDATE_CYCLES 0x68u

/* ro: high word */
#define SPINTRIT_UPDATE_CYCLES_HIGH 0x6Cu

/* ro: cycles in UPDATE instructions with lanes at work */
#define SPINTRIT_UPDATE_BUSY 0x70u

/* ro: high word */
#define SPINTRIT_UPDATE_BUSY_HIGH 0x74u

/* ro: columns pulsed */
#define SPINTRIT_PULSES 0x78u

/* ro: high word */
#define SPINTRIT_PULSES_HIGH 0x7Cu

/* ro: cells switched */
#define SPINTRIT_SWITCHED 0x80u

/* ro: high word */
#define SPINTRIT_SWITCHED_HIGH 0x84u

/* ro: sum of squared slacks, in 1/1024 */
#define SPINTRIT_LOSS 0x88u

/* ro: high word */
#define SPINTRIT_LOSS_HIGH 0x8Cu

/* STATUS, cause */
enum spintrit_fault {
    SPINTRIT_FAULT_NONE = 0, /* none */
    SPINTRIT_FAULT_PACKET = 1, /* unknown packet */
    SPINTRIT_FAULT_RANGE = 2, /* address beyond its memory */
    SPINTRIT_FAULT_SHORT = 3, /* packet ends too early */
    SPINTRIT_FAULT_LONG = 4, /* packet is too long */
    SPINTRIT_FAULT_BUSY = 5, /* packet or start while a program runs */
    SPINTRIT_FAULT_PROGRAM = 6, /* unknown instruction, or one of its addresses is beyond its memory */
    SPINTRIT_FAULT_FRAME = 7, /* an array refused a frame */
    SPINTRIT_FAULT_REGISTER = 8, /* write to a read-only register, or access to an address without a register */
    SPINTRIT_FAULT_STOPPED = 9 /* a program was stopped */
};

#endif

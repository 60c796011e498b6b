"""docs/faults.md: the scenarios as a table; ``python -m tb.fault_table`` prints it."""

from tb.benches.accelerator_scenarios import SCENARIOS


def markdown() -> str:
    """The text of ``docs/faults.md``."""
    lines = [
        "# Faults of the accelerator",
        "",
        "Faults at the ports of the accelerator, and their effects.",
        "`python -m tb.fault_table` writes this page from",
        "the list that the tests run, with and without stalls on every channel:"
        " [`tb/benches/accelerator_scenarios.py`](../tb/benches/accelerator_scenarios.py).",
        "",
        "`STATUS` holds the cause of the first fault since the last clear; see"
        " [registers.md](registers.md). A fault sets",
        "`IRQ_PENDING.fault`. The end of a program, by itself or by a fault, sets",
        "`IRQ_PENDING.done`.",
        "The next packet, register access and program work normally.",
        "",
        'In the column *answer*, "the program\'s" is the packet of results that a program sends at',
        'its end, and "the array\'s" is the answer frame of the array. SLVERR is the error',
        "response of AXI.",
        "",
        "| scenario | what is done | cause | answer | stored data |",
        "|---|---|---|---|---|",
    ]
    for name, each in SCENARIOS.items():
        cause = f"`{each.cause.name}`" if each.cause else "none"
        lines.append(f"| {name} | {each.stimulus} | {cause} | {each.answer} | {each.data} |")
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    print(markdown(), end="")

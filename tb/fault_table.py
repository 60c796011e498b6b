"""docs/faults.md: the scenarios as a table; ``python -m tb.fault_table`` prints it."""

from tb.accelerator_scenarios import SCENARIOS


def markdown() -> str:
    """The text of ``docs/faults.md``."""
    lines = [
        "# Faults of the accelerator",
        "",
        "What goes wrong at its ports, and what comes of it. Written by `python -m tb.fault_table`",
        "from the list that the tests go through, with and without stalls on every channel:"
        " [`tb/accelerator_scenarios.py`](../tb/accelerator_scenarios.py).",
        "",
        "The cause is that of `STATUS`, the first since it was last cleared; see"
        " [registers.md](registers.md). A fault raises",
        "`IRQ_PENDING.fault`, the end of a program, by itself or not, `IRQ_PENDING.done`. The next",
        "packet, register access and program then go as if nothing had been.",
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

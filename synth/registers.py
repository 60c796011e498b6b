"""Writes ``docs/registers.md`` and ``synth/spintrit_regs.h``: ``python -m synth.registers``."""

from pathlib import Path

from golden import registers

ROOT = Path(__file__).parents[1]


def generated() -> dict[Path, str]:
    """The files that are made of the register table, and the text of each."""
    return {
        ROOT / "docs" / "registers.md": registers.markdown(),
        ROOT / "synth" / "spintrit_regs.h": registers.c_header(),
    }


def main() -> None:
    """Write them."""
    for path, text in generated().items():
        path.write_text(text)
        print(path.relative_to(ROOT))


if __name__ == "__main__":
    main()

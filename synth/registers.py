"""Writes ``docs/registers.md`` and ``synth/spintrit_regs.h``: ``python -m synth.registers``."""

from pathlib import Path

from golden import registers

ROOT = Path(__file__).parents[1]


def generated() -> dict[Path, str]:
    """The generated files of the register table, with their texts."""
    return {
        ROOT / "docs" / "registers.md": registers.markdown(),
        ROOT / "synth" / "spintrit_regs.h": registers.c_header(),
    }


def main() -> None:
    """Write the generated files."""
    for path, text in generated().items():
        path.write_text(text)
        print(path.relative_to(ROOT))


if __name__ == "__main__":
    main()

"""The register table, and the files that are made of it."""

import re
import shutil
import subprocess

import pytest

from golden.registers import (
    ACCESSES,
    ADDRESS_BITS,
    COUNTERS,
    DATA_BITS,
    FAULT_TEXTS,
    FIXED,
    PARAMETERS,
    REGISTERS,
    Fault,
    by_name,
    c_header,
    markdown,
)
from synth import registers as command

each_register = pytest.mark.parametrize("register", REGISTERS, ids=lambda register: register.name)


@each_register
def test_register_is_sound(register):
    assert register.address % 4 == 0
    assert 0 <= register.address < 1 << ADDRESS_BITS
    assert register.access in ACCESSES
    assert re.fullmatch(r"[A-Z][A-Z0-9_]*", register.name)
    assert register.text
    assert register.fields
    assert len({field.name for field in register.fields}) == len(register.fields)
    end = 0
    for field in register.fields:
        assert re.fullmatch(r"[a-z][a-z0-9_]*", field.name)
        assert end <= field.low, f"{field.name} overlaps"
        assert field.width > 0
        assert field.mask.bit_count() == field.width
        assert field.mask >> field.low & 1
        assert field.text or field.width in (16, DATA_BITS)
        end = field.low + field.width
    assert end <= DATA_BITS


def test_addresses_and_names_are_unique_and_in_order():
    addresses = [register.address for register in REGISTERS]
    assert addresses == sorted(set(addresses))
    assert list(by_name().values()) == list(REGISTERS)


def test_counters_are_pairs():
    for name in COUNTERS:
        low, high = by_name()[name], by_name()[f"{name}_HIGH"]
        assert high.address == low.address + 4
        assert {low.access, high.access} == {"ro"}


def test_constants_are_of_read_only_registers():
    for name in (*PARAMETERS, *(key.split(".")[0] for key in FIXED)):
        assert by_name()[name].access == "ro"
    assert (FIXED["ID.value"]).to_bytes(4, "big") == b"SPRT"


def test_cause_holds_every_fault():
    [cause] = [field for field in by_name()["STATUS"].fields if field.name == "cause"]
    assert max(Fault) < 1 << cause.width
    assert set(FAULT_TEXTS) == set(Fault)


def test_generated_files_are_up_to_date():
    assert set(command.generated().values()) == {markdown(), c_header()}
    for path, text in command.generated().items():
        assert path.read_text() == text, f"{path.name}: run python -m synth.registers"


def test_command_writes_both(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(command, "ROOT", tmp_path)
    for folder in ("docs", "synth"):
        (tmp_path / folder).mkdir()
    command.main()
    assert capsys.readouterr().out == "docs/registers.md\nsynth/spintrit_regs.h\n"
    assert (tmp_path / "docs" / "registers.md").read_text() == markdown()
    assert (tmp_path / "synth" / "spintrit_regs.h").read_text() == c_header()


def test_header_compiles_and_says_what_the_table_says(tmp_path):
    macros = re.findall(r"^#define (\w+) ", c_header(), re.MULTILINE)
    assert len(macros) == len(set(macros))
    checks = []
    for register in REGISTERS:
        name = f"SPINTRIT_{register.name}"
        checks.append((name, register.address))
        for field in register.fields:
            macro = f"{name}_{field.name.upper()}"
            if field.text:
                checks.append((f"({macro}_MASK >> {macro}_SHIFT)", (1 << field.width) - 1))
            if macro in macros:
                checks.append((macro, FIXED[f"{register.name}.{field.name}"]))
    checks += [(f"SPINTRIT_FAULT_{fault.name}", int(fault)) for fault in Fault]
    source = tmp_path / "check.c"
    lines = ['#include "spintrit_regs.h"', '#include "spintrit_regs.h"']
    # An array of -1 elements does not compile.
    lines += [
        f"extern char check{i}[({macro} == {value:#x}) ? 1 : -1];"
        for i, (macro, value) in enumerate(checks)
    ]
    source.write_text("\n".join(lines) + "\n")
    compilers = [(name, []) for name in ("cc", "gcc") if shutil.which(name)]
    compilers += [("g++", ["-x", "c"])] if shutil.which("g++") else []
    assert compilers, "no C compiler, which every machine of ours has"
    flags = ["-fsyntax-only", "-std=c99", "-Wall", "-Wextra", "-Werror", "-pedantic"]
    include = ["-I", str(command.ROOT / "synth")]
    compiler, language = compilers[0]
    subprocess.run([compiler, *language, *flags, *include, str(source)], check=True)

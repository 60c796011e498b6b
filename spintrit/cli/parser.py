"""The command line's parser: one-line errors with a suggestion."""

import argparse
import difflib
import re
import sys
from collections.abc import Iterable, Sequence
from typing import Any, NoReturn

_CHOICES = re.compile(
    r"invalid choice: '(?P<given>[^']*)' \(choose from (?P<choices>.*)\)"
    r"|must be one of (?P<known>.*), not '(?P<text>[^']*)'"
)
_NO_VALUE = re.compile(r"(--[\w-]+=|-\w=?)--")


class Parser(argparse.ArgumentParser):
    """A parser with one-line errors and without abbreviated options.

    Parameters
    ----------
    strict : bool
        Whether ``parse_known_args`` refuses unknown arguments. A command then reports them itself,
        with its own options.
    """

    def __init__(self, *arguments: Any, strict: bool = True, **options: Any):
        # Default settings depend on --network, which has to be written in full.
        super().__init__(*arguments, **{"allow_abbrev": False} | options)
        self._strict = strict
        self._words: list[str] = []

    def parse_known_args(  # type: ignore[override]
        self, args: Sequence[str] | None = None, namespace: Any = None
    ) -> tuple[argparse.Namespace, list[str]]:
        """As in argparse, but ``--option=--`` is refused: argparse drops such a value."""
        self._words = list(sys.argv[1:] if args is None else args)
        for word in self._words:
            name = word[:-2].rstrip("=")
            if _NO_VALUE.fullmatch(word) and name in self._option_string_actions:
                self.error(f"argument {name}: expected a value, not '--'")
        found, unknown = super().parse_known_args(self._words, namespace)
        if unknown and self._strict:
            self.error(f"unrecognized arguments: {' '.join(unknown)}", unknown)
        return found, unknown

    def error(self, message: str, unknown: Iterable[str] = ()) -> NoReturn:
        """Exit with status 2 and one line."""
        names = [word.partition("=")[0] for word in unknown if word.startswith("-")]
        hints = [_meant(name, self._option_string_actions) for name in names]
        hints += [suggestion(message), self._swallowed(message)]
        text = " ".join(f"{message}{''.join(hints)}".split("\n"))
        self.exit(2, f"{self.prog}: error: {text} (see {self.prog} --help)\n")

    def _swallowed(self, message: str) -> str:
        """A hint where ``--json`` took the argument that is missing."""
        if "required" not in message or "--json" not in self._words[:-1]:
            return ""
        taken = self._words[self._words.index("--json") + 1]
        if taken.startswith("-"):
            return ""
        return f"; --json took {taken!r} as its FILE: write --json=FILE, or put --json last"


def suggestion(message: str) -> str:
    """The nearest of the choices in an error, as the end of a message; empty if none is near."""
    found = _CHOICES.search(message)
    if not found:
        return ""
    known = (found["choices"] or found["known"]).split(", ")
    return _meant(found["given"] or found["text"] or "", (word.strip("'") for word in known))


def _meant(word: str, known: Iterable[str]) -> str:
    close = difflib.get_close_matches(word, list(known), 1)
    return f"; did you mean {close[0]}?" if close else ""

"""The data set of a run."""

import warnings
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from golden import checks, data, jsonfile
from golden.checks import InputWarning
from golden.data import Split
from golden.data.pixels import INPUT_BITS
from spintrit.progress import Progress


@dataclass(frozen=True, kw_only=True)
class Source:
    """Source of the samples.

    Parameters
    ----------
    dataset : str
        See ``golden.data.load``, as for the others.
    root : Path, optional
    input_bits : int
    augment : str
    classes : tuple of str
    colour : bool
    split : Split, optional
        The samples themselves, where they come from no files; ``dataset`` is only their name then.
    digests : dict of str to str
        ``golden.data.Split.digest`` of each part; empty if not known.
    """

    dataset: str = "digits"
    root: Path | None = None
    input_bits: int = 0
    augment: str = ""
    classes: tuple[str, ...] = ()
    colour: bool = False
    split: Split | None = field(default=None, compare=False)
    digests: dict[str, str] = field(default_factory=dict)

    @classmethod
    def like(cls, entry: dict[str, Any]) -> "Source":
        """The source of a run, from ``entry``, the entry "data" of its config.json.

        Raises
        ------
        KeyError, TypeError, ValueError
            If it is damaged.
        """
        bits = checks.integer("input_bits", entry["input_bits"], *INPUT_BITS)
        classes = entry.get("classes", [])  # runs made by earlier versions have none
        if not isinstance(classes, list) or not all(isinstance(name, str) for name in classes):
            raise ValueError(f"classes must be a list of names, not {classes!r}")
        # Grey images in colour files were read as colour by earlier versions.
        colour = list(entry["shape"])[2:] == [3]
        return cls(
            dataset=entry["name"], input_bits=bits, classes=tuple(classes), colour=colour,
            digests=dict(entry.get("digests", {})),
        )  # fmt: skip

    def load(self, progress: Progress | None = None) -> Split:
        """Load the data; ``progress`` shows downloads.

        Raises
        ------
        ValueError
            If there is a ``split`` and another width of inputs or augmentation is asked for.
        TypeError, ValueError, OSError, ModuleNotFoundError
            As ``golden.data.load``.
        """
        if self.split:
            for name in ("input_bits", "augment"):
                asked, own = getattr(self, name), getattr(self.split, name)
                if asked and asked != own:
                    raise ValueError(f"{name} = {asked!r} must be the split's own, {own!r}")
            return self.split
        with (progress or Progress()).downloads() as show:
            return data.load(
                self.dataset, root=self.root, input_bits=self.input_bits, augment=self.augment,
                progress=show, classes=self.classes, colour=self.colour,
            )  # fmt: skip

    def compare(self, split: Split, part: str, run: Path) -> None:
        """Warn if the samples of a part or the names of the classes may differ from those of
        ``run``, whose source this is."""
        if self.dataset == "images" and not self.classes:
            warnings.warn(
                f"{run} keeps no class names: the folders of {split.name} are taken as its classes "
                "in their order",
                InputWarning, 2,
            )  # fmt: skip
        if self.digests and self.digests.get(part) != split.digest(part):
            warnings.warn(
                f"the {part} samples of {split.name} are not those of the run in {run}",
                InputWarning, 2,
            )  # fmt: skip


def resumed(source: Source, config: Path) -> Source:
    """``source`` with the classes and channels of the run to resume."""
    try:
        earlier = Source.like(jsonfile.read(config)["data"])
    except (OSError, KeyError, TypeError, ValueError):  # the checkpoint decides
        return source
    if earlier.dataset != source.dataset:
        return source
    return replace(source, classes=earlier.classes, colour=earlier.colour)

"""Checks of output files and folders before the work starts."""

from collections.abc import Iterable
from pathlib import Path

from golden import checks

PICTURES = (".png", ".svg", ".pdf")
STANDARD_OUTPUT = Path("-")


def no_run(folder: Path) -> None:
    """Refuse the folder of a run, whose files would be overwritten."""
    from golden.train.trainer import METRICS
    from spintrit.records import CONFIG

    for name in (CONFIG, METRICS):
        if (folder / name).exists():
            raise ValueError(f"{folder} is the folder of a run ({name}): name another folder")


def in_folder(path: Path) -> Path:
    """Create the folders of ``path`` and return it. Call it when writing, after all checks."""
    path.parent.mkdir(parents=True, exist_ok=True)
    return path


def writable(
    path: Path | None, inputs: Iterable[str | Path | None] = (), suffixes: tuple[str, ...] = ()
) -> None:
    """Refuse an output path that cannot be written, or that is one of ``inputs`` (None entries are
    ignored), before any work is done."""
    if path in (None, STANDARD_OUTPUT):
        return
    if suffixes:
        checks.choice(f"suffix of {path}", path.suffix, suffixes)
    if path.exists() and not path.is_file():
        raise ValueError(f"{path} is not a regular file")
    resolved = path.resolve()
    if resolved in {Path(each).resolve() for each in inputs if each is not None}:
        raise ValueError(f"{path} is read by this command, or written twice: name another file")
    folder = next(each for each in resolved.parents if each.exists())
    if not folder.is_dir():
        raise ValueError(f"{folder}, where {path} would be, is not a folder")

"""Files and folders that a command is to write: checks before the work."""

from collections.abc import Iterable
from pathlib import Path

from golden import checks

PICTURES = (".png", ".svg", ".pdf")
STANDARD_OUTPUT = Path("-")


def no_run(folder: Path) -> None:
    """Refuse a folder that a run is in: other files would take the place of its own."""
    from golden.train.trainer import METRICS
    from spintrit.records import CONFIG

    for name in (CONFIG, METRICS):
        if (folder / name).exists():
            raise ValueError(f"{folder} is the folder of a run ({name}): name another folder")


def in_folder(path: Path) -> Path:
    """``path``, with its folders made: on writing, that a refusal leaves nothing."""
    path.parent.mkdir(parents=True, exist_ok=True)
    return path


def writable(
    path: Path | None, inputs: Iterable[str | Path | None] = (), suffixes: tuple[str, ...] = ()
) -> None:
    """Refuse a path before the work that would go into it: one that cannot be written to, or one
    of ``inputs`` (None counts for nothing), files that would be lost."""
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

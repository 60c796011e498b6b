"""Image files in ``train/<class>/`` and ``test/<class>/`` of a folder or zip file."""

import os
import warnings
import zipfile
from collections.abc import Callable, Sequence
from pathlib import Path, PurePosixPath

import numpy as np

from golden.checks import InputWarning
from golden.data.classes import matched
from golden.data.pictures import decode, suffixes
from golden.data.pixels import MAX_BYTES, Raw
from golden.data.places import content_of, given_root, reading

PARTS = ("train", "test")
_UNUSED = ("val", "valid", "validation", "dev")
_LAYOUT = "train/<class>/* and test/<class>/*"
# Files of file managers, in lower case, besides names that begin with a dot.
_STRAY = frozenset(
    ("__macosx", "icon\r", "thumbs.db", "ehthumbs.db", "desktop.ini", "$recycle.bin", "@eadir")
)

Files = dict[str, dict[str, list[str]]]
"""Names of files by part and class, sorted."""


def find(root: Path | None) -> Path:
    """The folder or zip file: ``root`` itself, or ``images`` or ``images.zip`` in it."""
    given = given_root(root)
    if given is None:
        raise FileNotFoundError(
            f"images need --data or SPINTRIT_DATA: a folder or zip of {_LAYOUT}"
        )
    if given.is_file() or any((given / part).is_dir() for part in PARTS):
        return given
    for path in (given / "images", given / "images.zip"):
        if path.exists():
            return path
    raise FileNotFoundError(f"no images in {given}: put {_LAYOUT} there, or name a zip of them")


def _listed(where: Path) -> list[str]:
    """Names of the files in a folder's parts, relative to it; a class may be a link to a folder.

    Raises
    ------
    ValueError
        If an entry below a part is neither a file nor a folder, or a link in a class's folder
        points to a folder.
    OSError
        If a folder cannot be read.
    """
    names = []

    def fail(error: OSError) -> None:
        raise error

    tops = [where / part for part in PARTS + _UNUSED]
    for part in filter(Path.is_dir, tops):
        kinds = [path for path in part.iterdir() if path.is_dir()]
        found = [path for path in part.iterdir() if not path.is_dir()]
        for kind in kinds:
            for folder, below, files in os.walk(kind, onerror=fail):
                found += [Path(folder, name) for name in files]
                for path in (Path(folder, name) for name in below):
                    if path.is_symlink():
                        raise ValueError(f"{path} is a link to a folder below a class")
        for path in found:
            if not path.is_file() and not _stray(path.relative_to(where).parts):
                raise ValueError(f"{path} is a broken link or no regular file")
        names += [path.relative_to(where).as_posix() for path in found]
    return names


def _stray(parts: tuple[str, ...]) -> bool:
    """Whether a file is hidden or belongs to a file manager."""
    return any(part.startswith(".") or part.lower() in _STRAY for part in parts)


def _sort(names: list[str], where: Path) -> Files:
    """Sort names ``[top/]part/class/file``; files of file managers are left out.

    Classes and files are sorted by the characters of their paths: upper case is first.

    Raises
    ------
    ValueError
        If there is no training or test part, only one class, more than one folder with parts, a
        picture that is not directly in a class, or a name that occurs twice.
    """
    paths: dict[PurePosixPath, str] = {}
    for name in sorted(names):
        path = PurePosixPath(name)
        if path in paths:
            raise ValueError(f"{where} holds {name} more than once")
        if not _stray(path.parts):
            paths[path] = name
    roots = {path.parts[:-3] for path in paths if path.parts[-3:-2] and path.parts[-3] in PARTS}
    root = min(sorted(roots), key=len, default=())
    within = len(root)
    below = {(*root, part) for part in PARTS}
    others = [top for top in sorted(roots) if top[: within + 1] not in {root, *below}]
    if others:
        both = " and ".join(repr("/".join(top) or ".") for top in (root, others[0]))
        raise ValueError(f"{where} has more than one folder with {_LAYOUT}: {both}")
    pictures = suffixes()
    files: Files = {part: {} for part in PARTS}
    outside: list[str] = []
    misplaced: list[str] = []
    for path, name in paths.items():
        inner = path.parts[within:]
        if path.parts[: within + 1] in below and len(inner) == 3:
            files[inner[0]].setdefault(inner[1], []).append(name)
        elif path.suffix.lower() in pictures:
            (misplaced if path.parts[: within + 1] in below else outside).append(name)
    if misplaced:
        raise ValueError(
            f"{where} holds pictures that are not directly in a class's folder ({_LAYOUT}): "
            f"{_first(misplaced)}"
        )
    if outside:
        warnings.warn(
            f"{where}: pictures outside train and test are not used: {_first(outside)}",
            InputWarning, 2,
        )  # fmt: skip
    _check_classes(files, where)
    return files


def _check_classes(files: Files, where: Path) -> None:
    """Raise ValueError if a part has no pictures, or the test part has another class."""
    for part in PARTS:
        if not files[part]:
            raise ValueError(f"{where} has no {part} part: images must be in {_LAYOUT}")
    if len(files["train"]) < 2:
        raise ValueError(f"{where} must have at least two classes in train")
    for kind in files["test"]:
        if kind not in files["train"]:
            raise ValueError(f"{where}: test/{kind} is no class of the training part")


def _first(names: list[str]) -> str:
    return names[0] + (f" and {len(names) - 1:,} more" if names[1:] else "")


def read(where: Path, classes: Sequence[str] = (), *, colour: bool = False) -> Raw:
    """The data set in a folder or zip file, with its name. Colour images are augmented.

    Parameters
    ----------
    where : Path
    classes : sequence of str
        Names of the classes in the order of their labels; by default those of the folders, sorted.
    colour : bool
        Three channels even if all images are grey.

    Raises
    ------
    ValueError
        If the layout is wrong, the folders are not those of ``classes``, or a file is damaged or of
        another size; the message names the file.
    """
    name = where.resolve().name
    if where.is_dir():
        files = _sort(_listed(where), where)
        return _raw(name, files, lambda file: content_of(where / file), where, classes, colour)
    with reading(where, "a zip file"):
        archive = zipfile.ZipFile(where)
    with archive:
        members = [info for info in archive.infolist() if not info.is_dir()]
        total = sum(info.file_size for info in members)
        if total > MAX_BYTES:
            raise ValueError(f"{where} unpacks to {total:,} bytes, more than {MAX_BYTES:,}")
        files = _sort([info.filename for info in members], where)
        return _raw(Path(name).stem, files, archive.read, where, classes, colour)


def _raw(
    name: str,
    files: Files,
    content: Callable[[str], bytes],
    where: Path,
    classes: Sequence[str],
    colour: bool,
) -> Raw:
    if classes:
        means = matched(list(files["train"]), classes, where)
        files = {
            part: {means[kind]: files[part][kind] for kind in means if kind in files[part]}
            for part in PARTS
        }
    kinds = tuple(files["train"])
    flat = [file for part in PARTS for kind in files[part].values() for file in kind]
    labels = [
        np.repeat([kinds.index(kind) for kind in files[part]], [*map(len, files[part].values())])
        for part in PARTS
    ]
    count = len(labels[0])
    x = decode(flat, content, where, count, colour=colour)
    return Raw(
        name, kinds, x[:count], labels[0], x[count:], labels[1],
        "crop-flip" if x.shape[3] == 3 else "none",
    )  # fmt: skip

"""Classes of a run, matched to names in data."""

import unicodedata
import warnings
from collections.abc import Sequence
from pathlib import Path

from golden.checks import InputWarning

_SHOWN = 20  # names in a message


def matched(found: Sequence[str], wanted: Sequence[str], where: Path | str) -> dict[str, str]:
    """The class in ``wanted`` for each name in ``found``, in the order of ``wanted``.

    Equal names are matched first. The others may differ in case or in the encoding of accents, if
    only one name fits; there is an InputWarning then.

    Parameters
    ----------
    found, wanted : sequence of str
    where : Path or str
        The place of ``found`` in messages.

    Raises
    ------
    ValueError
        If a name is unknown, a class is missing, or several names fit.
    """
    means = {name: name for name in found if name in wanted}
    for name in sorted(set(found) - set(means)):
        fits = [w for w in wanted if w not in means.values() and _folded(w) == _folded(name)]
        rivals = [n for n in found if n not in wanted and _folded(n) == _folded(name)]
        if len(fits) == 1 and len(rivals) == 1:
            means[name] = fits[0]
            warnings.warn(f"{where}: {name!r} is taken for class {fits[0]!r}", InputWarning, 2)
    known = f"the run's classes are {_some(wanted)}"
    hint = "give the folders these names, or train a new run"
    for name in found:
        if name not in means:
            raise ValueError(f"{where}: class {name!r} is unknown to the run ({known}): {hint}")
    for name in wanted:
        if name not in means.values():
            raise ValueError(f"{where}: class {name!r} of the run is missing ({known}): {hint}")
    return dict(sorted(means.items(), key=lambda item: wanted.index(item[1])))


def _folded(name: str) -> str:
    return unicodedata.normalize("NFC", name).casefold()


def _some(names: Sequence[str]) -> str:
    return ", ".join(names[:_SHOWN]) + (", ..." if len(names) > _SHOWN else "")

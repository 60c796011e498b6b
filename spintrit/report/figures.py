"""Figures as files."""

import io
import warnings
from pathlib import Path
from typing import Any

import matplotlib as mpl
from matplotlib.figure import Figure

from golden import checks
from golden.checks import InputWarning
from golden.files import write_atomically
from spintrit.outputs import PICTURES

# Okabe and Ito's colours, which most colour-blind readers can distinguish.
SERIES = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#000000")

# The same figure gives the same file: no date, and names of parts that do not change.
_METADATA: dict[str, Any] = {".svg": {"Date": None}, ".pdf": {"CreationDate": None}}
_STYLE = {
    "svg.hashsalt": "spintrit",
    "pdf.fonttype": 42,  # text that editors and publishers take
}


def save(figure: Figure, path: Path) -> None:
    """Write a figure to a file.

    Parameters
    ----------
    figure : Figure
    path : Path
        Ends in .png, .svg or .pdf.

    Raises
    ------
    ValueError
        If it ends otherwise.
    OSError
        Naming the file, if it cannot be written.
    """
    checks.choice(f"suffix of {path}", path.suffix, PICTURES)
    buffer = io.BytesIO()
    with mpl.rc_context(_STYLE), warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("default")
        metadata = _METADATA.get(path.suffix)
        figure.savefig(buffer, format=path.suffix[1:], dpi=150, metadata=metadata)
    write_atomically(path, buffer.getvalue())
    lacking = [each for each in caught if "missing from" in str(each.message)]
    for each in caught:
        if each not in lacking:
            warnings.warn_explicit(each.message, each.category, each.filename, each.lineno)
    if lacking:
        warnings.warn(
            InputWarning(f"{path}: its font has no signs for some of the text"), stacklevel=2
        )

"""Predictions sample by sample, and the confusion matrix."""

import csv
import io
from collections.abc import Sequence

import numpy as np


def confusion(labels: np.ndarray, classes: np.ndarray, count: int) -> np.ndarray:
    """Samples by class (row) and predicted class (column), shape (count, count)."""
    return np.bincount(labels * count + classes, minlength=count * count).reshape(count, count)


def text(
    labels: np.ndarray,
    first: int,
    draws: Sequence[tuple[int | None, np.ndarray, np.ndarray | None]],
    classes: Sequence[str],
) -> str:
    """Predictions as CSV: a line a sample, with one column of scores for each class.

    Parameters
    ----------
    labels : ndarray of shape (samples,)
    first : int
        Number of the first sample.
    draws : sequence of (int or None, ndarray of shape (samples,), ndarray or None)
        Seed, classes and scores of each draw. Seeds make a column of their own. An accelerator
        gives no scores.
    classes : sequence of str
        Names of the classes.
    """
    seeded, scored = draws[0][0] is not None, draws[0][2] is not None
    out = io.StringIO()
    lines = csv.writer(out, lineterminator="\n")
    head = ["seed"] * seeded + ["index", "label", "predicted"]
    lines.writerow([*head, *[f"score {name}" for name in classes] * scored])
    for seed, found, scores in draws:
        for at, (label, predicted) in enumerate(zip(labels, found, strict=True)):
            line = [*[seed] * seeded, first + at, classes[label], classes[predicted]]
            lines.writerow([*line, *(scores[at].tolist() if scores is not None else [])])
    return out.getvalue()

"""Settings of all tests: threads, the cache folder, what runs first, and what ``make test`` takes.

Marks
-----
full
    Left to ``make test-full``.
covering(strength)
    For a test with parameters in several lists. With a strength of 1, ``make test`` runs enough
    combinations to cover every value of each list; with 2, every pair of values of two lists. The
    other combinations are ``full``.
"""

import itertools
import os
from collections import defaultdict
from pathlib import Path

ROOT = Path(__file__).parent
# More threads than free cores stall each other; numpy reads these when it is first imported.
for _name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
    os.environ[_name] = "1"
# Generated Verilog and compiled arrays stay here from one run of the tests to the next.
os.environ.setdefault("SPINTRIT_CACHE", str(ROOT / "build" / "cache"))

import pytest  # noqa: E402

# Files of the longest tests, the longest first: the last tests to start should be short.
FIRST = (
    "tb/test_accelerator_tb.py",
    "tb/test_netlist_accelerator.py",
    "tb/test_accelerator.py",
    "tb/",
    "tests/docs/",
    "tests/hdl/",
)
# Lines of Python that coverage would follow for long, and that other tests run, too: simulations
# of hardware whose Verilog others make, and training runs.
NOT_TRACED = ("test_hdl", "test_goes_on")


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items):
    """Mark what ``covering`` leaves over, and put long tests first."""
    tests = defaultdict(list)
    for item in items:
        if mark := item.get_closest_marker("covering"):
            tests[item.path, item.originalname].append((item, *mark.args))
    for found in tests.values():
        values = [item.callspec.params for item, *_ in found]  # the same objects in each list
        names = [{name: id(value) for name, value in each.items()} for each in values]
        chosen = covering(names, found[0][1])
        for number, (item, _) in enumerate(found):
            if number not in chosen:
                item.add_marker(pytest.mark.full)
    for item in items:
        if item.path.name.startswith(NOT_TRACED):
            item.add_marker("no_cover")
    items.sort(key=_place)


def covering(combinations, strength):
    """Indices of combinations (dicts of name to value) in which every choice of ``strength`` values
    occurs."""
    parts = [set(itertools.combinations(sorted(c.items()), strength)) for c in combinations]
    missing, chosen = set().union(*parts), set()
    while missing:
        best = max(range(len(parts)), key=lambda i: (len(parts[i] & missing), -i))
        chosen.add(best)
        missing -= parts[best]
    return chosen


def _place(item):
    name = item.path.relative_to(ROOT).as_posix()
    return next((i for i, first in enumerate(FIRST) if name.startswith(first)), len(FIRST))

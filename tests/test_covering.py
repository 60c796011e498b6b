"""``conftest.covering``: which combinations of parameters ``make test`` takes."""

import importlib.util
import itertools
from pathlib import Path

import pytest

spec = importlib.util.spec_from_file_location("root", Path(__file__).parents[1] / "conftest.py")
assert spec is not None
assert spec.loader is not None
root = importlib.util.module_from_spec(spec)
spec.loader.exec_module(root)

LISTS = {"a": range(2), "b": range(5), "c": range(3)}
ALL = [dict(zip(LISTS, values, strict=True)) for values in itertools.product(*LISTS.values())]


@pytest.mark.parametrize(("strength", "most"), [(1, 5), (2, 18), (3, 30)])
def test_every_choice_of_values_occurs(strength, most):
    chosen = [ALL[i] for i in root.covering(ALL, strength)]
    for names in itertools.combinations(LISTS, strength):
        wanted = set(itertools.product(*(LISTS[name] for name in names)))
        assert {tuple(each[name] for name in names) for each in chosen} == wanted
    assert len(chosen) <= most
    assert root.covering(ALL, strength) == root.covering(ALL, strength)

"""The known back ends, and errors for those that are not there."""

import sys

import numpy as np
import pytest

from golden import backend
from golden.backend import NUMPY
from golden.targets import Whole
from spintrit.targets import host_target


def test_numpy_is_at_hand():
    assert backend.load("numpy") is NUMPY
    assert backend.namespace(np.zeros(1)) is np


@pytest.mark.parametrize("name", ["jax", "", None, "NumPy"])
def test_an_unknown_back_end_is_named(name):
    with pytest.raises(
        ValueError, match=rf"^backend must be one of numpy, torch, cuda, not {name!r}$"
    ):
        backend.load(name)


@pytest.mark.parametrize("name", ["torch", "cuda"])
@pytest.mark.parametrize("missing", ["torch", "array_api_compat.torch"])
def test_a_back_end_that_is_not_installed_says_how_to(monkeypatch, name, missing):
    monkeypatch.setitem(sys.modules, missing, None)
    monkeypatch.delitem(sys.modules, "golden.backend.torch", raising=False)
    with pytest.raises(
        ModuleNotFoundError,
        match=r"pip install '\.\[torch\]' in the checkout, for the back ends torch and cuda$",
    ):
        backend.load(name)


def test_flat_indices_read_and_write():
    x = np.arange(12.0).reshape(3, 4)
    at = np.array([1, 7, 11])
    assert NUMPY.take(x, at).tolist() == [1, 7, 11]
    NUMPY.put(x, at, np.array([-1.0, -2.0, -3.0]))
    assert (x[0, 1], x[1, 3], x[2, 3]) == (-1, -2, -3)


def test_extremes_are_those_of_each_row():
    low, high = NUMPY.extremes(np.array([[1, -2, 0], [5, 6, 7]], np.float32))
    assert (low.tolist(), high.tolist()) == ([-2, 5], [1, 7])
    assert low.dtype == high.dtype == np.float64


def test_without_numba_the_passes_are_pytorchs(monkeypatch):
    pytest.importorskip("torch", reason="the extra torch is not installed")
    monkeypatch.setitem(sys.modules, "golden.backend.torch.kernels", None)
    assert type(backend.load("torch").operations).__name__ == "Operations"


@pytest.mark.parametrize("there", [True, False])
def test_auto_is_pytorch_where_it_is_installed(there, monkeypatch):
    monkeypatch.setattr("importlib.util.find_spec", lambda name: object() if there else None)
    assert backend.resolved("auto") == ("torch" if there else "numpy")
    assert Whole("auto").compute == ("torch" if there else "numpy")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("numpy", "int8"), "^products int8 needs backend torch or cuda, not numpy$"),
        (("numpy", "int4"), "^products must be one of auto, int8, float32, not 'int4'$"),
    ],
)
def test_products_that_a_back_end_does_not_have(arguments, message):
    with pytest.raises(ValueError, match=message):
        backend.load(*arguments)


def test_products_of_arrays_are_refused():
    with pytest.raises(ValueError, match=r"^products int8 needs array fast, not golden$"):
        host_target("golden", "numpy", "int8")
    assert host_target("golden", "auto").compute == "numpy"

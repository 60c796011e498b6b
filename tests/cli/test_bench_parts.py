"""Parts of the benchmark: the machine that it names, the products that it takes for a bound."""

from types import SimpleNamespace

import numpy as np
import pytest

from golden.network import notation
from spintrit.bench import machine
from spintrit.bench.training import Workload, golden_step, products_step

CPUINFO = """processor : 0
cpu family : 25
model : 17
model name : AMD EPYC
flags : fpu avx512_vnni amx_int8 sse

processor : 1
model name : other
"""


def test_the_machine_is_named_with_its_integer_units(tmp_path, monkeypatch):
    path = tmp_path / "cpuinfo"
    monkeypatch.setattr(machine, "_CPUINFO", path)
    path.write_text(CPUINFO)
    found = machine.describe()
    assert found["cpu"] == "AMD EPYC, family 25, model 17"
    assert found["integer_units"] == "amx_int8, avx512_vnni"
    assert len(found["date"].split("-")) == 3
    path.write_text("processor : 0\n")
    assert machine.describe()["integer_units"] == "none that is known"


def test_a_machine_without_cpuinfo_has_a_name(tmp_path, monkeypatch):
    monkeypatch.setattr(machine, "_CPUINFO", tmp_path / "none")
    assert machine.describe()["cpu"]


@pytest.mark.parametrize(
    ("network", "shape", "terms"),
    [
        # Sums, weight gradients; errors of all layers but the first.
        ("6FC", (12,), 4 * (2 * 12 * 6 + 3 * 6 * 10)),
        (
            "4C3p1-MP2-5C2-6FC", (6, 6, 2),
            4 * (2 * 36 * 18 * 4 + 3 * 4 * 16 * 5 + 3 * 20 * 6 + 3 * 6 * 10),
        ),
    ],
)  # fmt: skip
def test_products_are_those_of_a_step(network, shape, terms):
    found = []

    def multiply(a, b, largest):
        assert a.dtype == b.dtype == np.int8
        found.append(a.shape[0] * a.shape[1] * b.shape[1])
        assert a.shape[1] == b.shape[0]

    where = SimpleNamespace(array=lambda x: x, products=SimpleNamespace(multiply=multiply))
    products_step(Workload("", shape, network, 4, "adam"), where)()
    assert sum(found) == terms


@pytest.mark.parametrize("optimiser", ["adam", "gradient"])
def test_steps_train(optimiser):
    step = golden_step(Workload("", (12,), "6FC", 4, optimiser))
    step()
    step()


def test_named_networks_are_measured():
    from spintrit.bench import rates

    networks = {work.network for work in rates.WORKLOADS}
    assert {notation.load(name)[0] for name in ("mnist-cnn", "cifar-vgg")} <= networks

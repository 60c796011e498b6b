"""PyTorch computes what numpy does: same draws, same cells."""

import itertools

import numpy as np
import pytest
from training import CONFIG, Stop, build, files, stop_at

torch = pytest.importorskip("torch", reason="the extra torch is not installed")
pytest.importorskip("array_api_compat", reason="the extra torch is not installed")

from golden import backend  # noqa: E402
from golden.backend import NUMPY, PRODUCTS  # noqa: E402
from golden.backend.pooling import pool, unpool  # noqa: E402
from golden.backend.torch.operations import Operations  # noqa: E402
from golden.config import ArrayConfig  # noqa: E402
from golden.data import Split  # noqa: E402
from golden.matrix.whole_bank import WholeBank  # noqa: E402
from golden.network.layers import squared_hinge  # noqa: E402
from golden.network.network import Network  # noqa: E402
from golden.network.notation import parse  # noqa: E402
from golden.network.optim import OPTIMISERS  # noqa: E402
from golden.pulse.table import tanh_table  # noqa: E402
from golden.targets import Whole  # noqa: E402
from golden.train.trainer import CHECKPOINT  # noqa: E402

TORCH = backend.load("torch")
ARRAY = ArrayConfig(rows=16, cols=8, code_bits=4)
NOTATION = "6C3p1-MP2-5C2-9FC"
SHAPE = (7, 6, 2)


def network(where, limit=1, config=ARRAY, notation=NOTATION, shape=SHAPE, **options):
    bank = WholeBank(config, tanh_table(config), 1, backend=where)
    net = Network(bank, shape, parse(notation), 3, limit=limit, **options)
    net.initialise(np.random.default_rng(2), 0.5)
    return net


def batch(limit=1, n=20, shape=SHAPE):
    rng = np.random.default_rng(3)
    return rng.integers(-limit, limit + 1, (n, *shape)).astype(np.int8), rng.integers(0, 3, n)


def close(one, other):
    np.testing.assert_allclose(TORCH.host(other), one, rtol=2e-4, atol=2e-5)


def test_no_gpu_is_one_clear_line(monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    with pytest.raises(
        ValueError, match=r"^backend must be numpy or torch here, not cuda: PyTorch sees no GPU$"
    ):
        backend.load("cuda")


def test_arrays_go_there_and_back():
    assert (TORCH.name, NUMPY.name) == ("torch", "numpy")
    x = np.arange(24, dtype=np.float32).reshape(4, 6)[:, ::2]
    there = TORCH.array(x)
    np.testing.assert_array_equal(TORCH.host(there), x)
    assert TORCH.host(there).dtype == x.dtype
    at = np.array([0, 5, 11])
    np.testing.assert_array_equal(TORCH.take(there, at), x.reshape(-1)[at])
    TORCH.put(there, at, np.array([-1, -2, -3], np.float32))
    wanted = x.copy()
    wanted.reshape(-1)[at] = [-1, -2, -3]
    np.testing.assert_array_equal(TORCH.host(there), wanted)
    for got, want in zip(TORCH.extremes(there), NUMPY.extremes(wanted), strict=True):
        np.testing.assert_array_equal(got, want)
        assert got.dtype == np.float64


@pytest.mark.parametrize("side", [2, 3])
def test_pools_are_numpys(side):
    rng = np.random.default_rng(4)
    x = rng.integers(-2, 3, (3, 7, 8, 2)).astype(np.float32)  # many equals
    largest, best = pool(x, side)
    there, best_there = TORCH.pool(TORCH.array(x), side)
    np.testing.assert_array_equal(TORCH.host(there), largest)
    y = rng.normal(size=largest.shape).astype(np.float32)
    back = TORCH.unpool(TORCH.array(y), best_there, tuple(x.shape), side)
    np.testing.assert_array_equal(TORCH.host(back), unpool(y, best, x.shape, side))


@pytest.mark.parametrize("limit", [1, 127])
def test_sums_are_numpys(limit):
    one, other = (network(where, limit) for where in (NUMPY, TORCH))
    rng = np.random.default_rng(5)
    layers = zip(one.synapse_layers, other.synapse_layers, one.shapes, strict=False)
    for mine, theirs, shape in layers:
        np.testing.assert_array_equal(TORCH.host(theirs.matrix.weights), mine.matrix.weights)
        x = rng.integers(-mine.limit, mine.limit + 1, (8, *shape)).astype(np.float32)
        sums = mine.forward(x, train=True)
        there = theirs.forward(TORCH.array(x.astype(np.int8)), train=True)
        np.testing.assert_array_equal(TORCH.host(there), sums)
        gradient = rng.integers(-127, 128, sums.shape).astype(np.float32)
        errors = mine.backward(gradient)
        found = theirs.backward(TORCH.array(gradient))
        scaled = TORCH.host(found.whole).astype(np.float32) * found.scale
        np.testing.assert_array_equal(scaled, errors)
        np.testing.assert_array_equal(TORCH.host(theirs.total()), mine.total())
        assert theirs.spread() == pytest.approx(mine.spread(), rel=1e-5)


@pytest.mark.parametrize("limit", [1, 127])
def test_scores_loss_and_gradients_are_numpys(limit):
    one, other = (network(where, limit) for where in (NUMPY, TORCH))
    x, labels = batch(limit)
    scores = [net.forward(x, train=True) for net in (one, other)]
    close(*scores)
    (loss, gradient), (loss_there, there) = (squared_hinge(s, labels) for s in scores)
    assert loss_there == pytest.approx(loss, rel=1e-4)
    close(gradient, there)
    one.backward(gradient)
    other.backward(there)
    for mine, theirs in zip(one.synapse_layers, other.synapse_layers, strict=True):
        close(mine.gradient(), theirs.gradient().astype("float32"))
    for mine, theirs in zip(one.norms, other.norms, strict=True):
        for name in mine.gradients:
            close(mine.gradients[name], theirs.gradients[name])
    np.testing.assert_array_equal(one.predict(x), other.predict(x))


@pytest.mark.parametrize(
    ("name", "zone"), [*((name, 0.0) for name in OPTIMISERS), ("gradient", 2.0)]
)
@pytest.mark.parametrize("blind", [False, True], ids=["exact", "blind"])
@pytest.mark.parametrize("synapse", ["ternary", "binary"])
def test_training_steps_end_in_numpys_cells(name, zone, blind, synapse):
    """Whole matrices compute in float32, so that a code could be rounded otherwise: at these seeds
    none is."""
    config = ArrayConfig(rows=16, cols=8, code_bits=4, synapse=synapse)
    nets = [network(where, config=config) for where in (NUMPY, TORCH)]
    x, labels = batch()
    told = []
    for net in nets:
        optimiser, rng = OPTIMISERS[name](dead_zone=zone), np.random.default_rng(6)
        net.bank.count(True)
        for _ in range(4):
            net.backward(squared_hinge(net.forward(x, train=True), labels)[1])
            told.append(net.update(optimiser, 0.1, rng, blind=blind))
    assert told[:4] == told[4:]
    assert sum(told) > 0
    one, other = (net.weights() for net in nets)
    assert one.keys() == other.keys()
    for what, array in one.items():
        if what.endswith(("cells", "weights")):
            np.testing.assert_array_equal(other[what], array)
        else:
            np.testing.assert_allclose(other[what], array, rtol=1e-3, atol=1e-4)
    for mine, theirs in zip(nets[0].bank.arrays, nets[1].bank.arrays, strict=True):
        assert mine.counters == theirs.counters
        assert mine.activity() == theirs.activity()
        host = TORCH.host(theirs.weights)
        np.testing.assert_array_equal(host, mine.weights)


def test_state_goes_from_one_to_the_other():
    one, other = network(NUMPY), network(TORCH)
    x, labels = batch()
    one.backward(squared_hinge(one.forward(x, train=True), labels)[1])
    one.update(OPTIMISERS["adam"](), 0.1, np.random.default_rng(7))
    other.set_state(one.state())
    for name, array in other.state().items():
        np.testing.assert_array_equal(array, one.state()[name])
    close(one.forward(x), other.forward(x))


def test_a_gradient_that_is_not_finite_is_refused():
    net = network(TORCH)
    x, labels = batch()
    scores = net.forward(x, train=True)
    with pytest.raises(ValueError, match=r"^scores must be finite: their loss is nan$"):
        squared_hinge(scores * float("nan"), labels)
    with pytest.raises(ValueError, match=r"^gradient must be finite, not nan$"):
        net.synapse_layers[-1].keep(scores * float("nan"))
    with pytest.raises(ValueError, match=r"^gradient must have shape \(20, 3\), not \(20, 2\)$"):
        net.synapse_layers[-1].keep(scores[:, :2])
    change = torch.full((3, 9), float("inf"))
    with pytest.raises(ValueError, match=r"^change of layer4 must be finite$"):
        net.synapse_layers[-1].matrix.change(change, net.bank.table, np.random.default_rng(8))


# --- whole runs ---


def images():
    rng = np.random.default_rng(9)
    patterns = rng.integers(-1, 2, (3, 6, 6, 1))
    arrays = {}
    for part, n in {"train": 40, "val": 12, "test": 12}.items():
        y = rng.integers(0, 3, n)
        arrays |= {f"x_{part}": patterns[y], f"y_{part}": y}
    return Split("patterns", 3, **arrays)


SPLIT = images()


def trainer(out, optimiser, **options):
    settings = {**vars(CONFIG), "network": "4C3-MP2-6FC", "epochs": 3, "optimiser": optimiser}
    config = type(CONFIG)(**settings)
    return build(config, ARRAY, SPLIT, out=out, backend=TORCH, **options)


@pytest.mark.parametrize(
    ("kind", "optimiser"),
    [
        *itertools.product(("float32", "threads"), ("adam", "gradient")),
        ("plain", "gradient"),  # Adam's square root by PyTorch may be off by a last bit
    ],
)
def test_neither_products_nor_passes_nor_threads_change_a_bit(
    kind, optimiser, tmp_path, monkeypatch
):
    threads = torch.get_num_threads()
    ends = {}
    for name in ("int8", kind):
        if name == "plain":  # PyTorch's operations
            monkeypatch.setattr("golden.backend.torch._operations", lambda device: Operations())
        torch.set_num_threads(2 if name == "threads" else 1)
        try:
            options = {"network": "6C3p1-MP2-9FC", "epochs": 3, "optimiser": optimiser}
            run = build(
                type(CONFIG)(**vars(CONFIG) | options), ARRAY, SPLIT, out=tmp_path / name,
                target=Whole("torch", name if name in PRODUCTS else "int8"),
            )  # fmt: skip
            ends[name] = run.run()
        finally:
            torch.set_num_threads(threads)
    assert ends[kind] == ends["int8"]
    assert files(tmp_path / kind) == files(tmp_path / "int8")
    assert ends["int8"].cells_switched > 20


@pytest.mark.parametrize("optimiser", OPTIMISERS)
def test_a_stopped_run_resumes_to_the_same_end(tmp_path, optimiser):
    unbroken = trainer(tmp_path / "a", optimiser).run()
    with pytest.raises(Stop):
        trainer(tmp_path / "b", optimiser, on_batch=stop_at(2, 2)).run()
    run = trainer(tmp_path / "b", optimiser)
    assert run.resume() == 1
    assert run.run() == unbroken
    assert files(tmp_path / "a") == files(tmp_path / "b")
    assert CHECKPOINT in files(tmp_path / "a")


def test_a_run_does_not_resume_on_another_back_end(tmp_path):
    with pytest.raises(Stop):
        trainer(tmp_path, "adam", on_batch=stop_at(2, 1)).run()
    run = trainer(tmp_path, "adam")
    other = build(run.config, ARRAY, SPLIT, out=tmp_path, backend=NUMPY)
    with pytest.raises(ValueError, match=r"was made with matrices = 'torch', not 'numpy'$"):
        other.resume()

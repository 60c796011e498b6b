"""Products and passes over whole numbers: every way to compute them gives the same bits."""

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="the extra torch is not installed")
pytest.importorskip("array_api_compat", reason="the extra torch is not installed")

from golden.backend import NUMPY, PRODUCTS, Scaled, pooling  # noqa: E402
from golden.backend.columns import Columns  # noqa: E402
from golden.backend.torch.operations import Operations  # noqa: E402
from golden.backend.torch.products import FLOAT32, Int8, _padded, choose  # noqa: E402

PLAIN = Operations()
INT8 = Int8(PLAIN)


def compiled():
    kernels = pytest.importorskip("golden.backend.torch.kernels", reason="numba is not installed")
    return kernels.Kernels()


def whole(rng, shape, most, kind=torch.int8):
    return torch.from_numpy(rng.integers(-most, most + 1, shape)).to(kind)


def equal(one, other):
    assert one.dtype == other.dtype
    np.testing.assert_array_equal(one.numpy(), other.numpy())


# --- products ---


@pytest.mark.parametrize("shape", [
    (1, 1, 1), (1, 1, 4), (16, 1, 4), (5, 7, 1), (1, 784, 512), (3, 5, 7), (64, 27, 33),
    (20, 130, 2),
])  # fmt: skip
@pytest.mark.parametrize("most", [1, 127])
@pytest.mark.parametrize("products", [INT8, FLOAT32], ids=lambda p: p.name)
def test_products_are_those_of_integers(shape, most, products):
    rng = np.random.default_rng(1)
    m, k, n = shape
    a, b = whole(rng, (m, k), most), whole(rng, (k, n), 127)
    a[0], b[:, 0] = most, 127  # the largest sum
    exact = a.numpy().astype(np.int64) @ b.numpy().astype(np.int64)
    found = products.multiply(a, b, k * most * 127)
    assert found.dtype == torch.int32
    np.testing.assert_array_equal(found.numpy(), exact)
    # The strides of a side of 1 may be anything.
    turned = products.multiply(a.t().contiguous().t(), b.t().contiguous().t(), k * most * 127)
    np.testing.assert_array_equal(turned.numpy(), exact)


@pytest.mark.parametrize("products", [INT8, FLOAT32], ids=lambda p: p.name)
def test_sums_that_fit_no_int32_are_exact(products):
    k = (1 << 31) // 127**2 + 1
    a, b = torch.full((1, k), 127, dtype=torch.int8), torch.full((k, 1), -127, dtype=torch.int8)
    found = products.multiply(a, b, k * 127**2)
    assert found.item() == -k * 127**2 < -(1 << 31)


@pytest.mark.parametrize("shape", [(1, 1, 1), (17, 8, 8), (40, 13, 9)])
def test_padding_for_a_gpu_changes_nothing(shape):
    rng = np.random.default_rng(2)
    m, k, n = shape
    a, b = whole(rng, (m, k), 127), whole(rng, (k, n), 127)
    equal(_padded(a, b), INT8.multiply(a, b, k * 127**2))


def convolution(x, weights, kernel, padding):
    """By its definition, in integers."""
    n_out, channels = len(weights), x.shape[-1]
    w = weights.reshape(n_out, kernel, kernel, channels).astype(np.int64)
    x = np.pad(x.astype(np.int64), ((0, 0), (padding,) * 2, (padding,) * 2, (0, 0)))
    rows, cols = (n - kernel + 1 for n in x.shape[1:3])
    sums = np.zeros((len(x), rows, cols, n_out), np.int64)
    for i in range(rows):
        for j in range(cols):
            patch = x[:, i : i + kernel, j : j + kernel]
            sums[:, i, j] = np.einsum("byxc,oyxc->bo", patch, w)
    return sums


@pytest.mark.parametrize(
    ("shape", "kernel", "padding"),
    [((2, 5, 6, 3), 3, 1), ((1, 4, 4, 1), 1, 0), ((3, 5, 4, 2), 2, 0), ((1, 3, 4, 2), 2, 3)],
)
@pytest.mark.parametrize("products", [INT8, FLOAT32], ids=lambda p: p.name)
def test_convolutions_are_their_definition(shape, kernel, padding, products):
    rng, n_out = np.random.default_rng(3), 4
    x = whole(rng, shape, 127)
    weights = whole(rng, (n_out, kernel**2 * shape[-1]), 1)
    largest = 127**2 * x.numel() * n_out
    sums, kept = products.convolve(x, weights, kernel, padding, largest)
    exact = convolution(x.numpy(), weights.numpy(), kernel, padding)
    np.testing.assert_array_equal(sums.numpy(), exact)
    # The transposes, by sums over all pairs: <d, x * w> = <errors(d), x> = <total(d), w>.
    d = whole(rng, tuple(sums.shape), 127)
    errors = products.errors(d, shape, weights, kernel, padding, largest)
    total = products.total(d, kept, kernel, padding, largest)
    for at in np.ndindex(*shape):
        one = np.zeros(shape, np.int64)
        one[at] = 1
        seen = convolution(one, weights.numpy(), kernel, padding)
        assert errors[at].item() == (seen * d.numpy()).sum()
    for at in np.ndindex(*weights.shape):
        one = np.zeros(tuple(weights.shape), np.int64)
        one[at] = 1
        seen = convolution(x.numpy(), one, kernel, padding)
        assert total[at].item() == (seen * d.numpy()).sum()


@pytest.mark.parametrize("name", PRODUCTS)
def test_products_are_chosen_by_name_or_by_time(name, monkeypatch):
    times = {"int8": 1.0, "float32": 2.0}
    monkeypatch.setattr("golden.backend.torch.products._seconds", lambda p, device: times[p.name])
    assert choose(name, PLAIN, "cpu").name == ("int8" if name == "auto" else name)
    times["int8"] = 3.0
    assert choose(name, PLAIN, "cpu").name == ("float32" if name == "auto" else name)


@pytest.mark.parametrize("fault", ["saturated", "missing"])
def test_products_that_are_not_exact_are_not_taken(fault, monkeypatch):
    exact = torch._int_mm

    def broken(a, b):
        if fault == "missing":
            raise RuntimeError("no int8 here\nat all")
        return exact(a, b).clip(-(1 << 15), (1 << 15) - 1)

    monkeypatch.setattr(torch, "_int_mm", broken)
    assert choose("auto", PLAIN, "cpu") is FLOAT32
    reason = {"saturated": "their sums are not exact", "missing": "no int8 here"}[fault]
    with pytest.raises(ValueError, match=rf"^products must be float32 here, not int8: {reason}$"):
        choose("int8", PLAIN, "cpu")


# --- passes ---


def columns(rng, n, threshold, window):
    mean, inverse, gamma, beta = (
        torch.from_numpy(rng.normal(size=n).astype(np.float32)) for _ in range(4)
    )
    return Columns(mean, inverse.abs() / 40, gamma, beta, threshold, window)


@pytest.mark.parametrize(("threshold", "window"), [(0.5, 0.5), (0.7, 0.3), (0.0, 1.1)])
@pytest.mark.parametrize(("n", "width"), [(1, 1), (7, 3), (200, 17)])
def test_compiled_passes_have_the_same_bits(n, width, threshold, window):
    kernels, rng = compiled(), np.random.default_rng(4)
    x, errors = (whole(rng, (n, width), most, torch.int32) for most in (1000, 100_000))
    at = columns(rng, width, threshold, window)
    for one, other in zip(PLAIN.moments(x), kernels.moments(x), strict=True):
        equal(one, other)
    equal(PLAIN.activate(x, at), kernels.activate(x, at))
    sums = PLAIN.window_sums(errors, x, at)
    for one, other in zip(sums, kernels.window_sums(errors, x, at), strict=True):
        equal(one, other)
    gamma, beta = (s.to(torch.float32) * 1e-6 for s in sums)
    gradients = [p.gradient(errors, x, at, 1e-5, gamma, beta) for p in (PLAIN, kernels)]
    equal(*gradients)
    for limit in (127, 3, 500):
        scale = float(gradients[0].abs().max()) / limit or 1.0
        equal(*(p.quantise(gradients[0], scale, limit) for p in (PLAIN, kernels)))


def test_sums_of_a_batch_are_exact_in_any_order():
    rng = np.random.default_rng(5)
    x = whole(rng, (3000, 5), 4608, torch.int32)
    errors = whole(rng, (3000, 5), 585_000, torch.int32)
    at = columns(rng, 5, 0.5, 30.0)
    exact = x.numpy().astype(object)
    for passes in (PLAIN, compiled()):
        one, two = passes.moments(x)
        assert one.tolist() == exact.sum(0).tolist()
        assert two.tolist() == (exact**2).sum(0).tolist()
        total, product = passes.window_sums(errors, x, at)
        inside = PLAIN._inside(PLAIN._normal(x, at)[1], at).numpy()
        assert 0 < inside.sum() < inside.size
        kept = errors.numpy().astype(object) * inside
        assert total.tolist() == kept.sum(0).tolist()
        assert product.tolist() == (kept * exact).sum(0).tolist()


@pytest.mark.parametrize(
    ("shape", "kernel", "padding"),
    [((2, 5, 6, 3), 3, 1), ((1, 3, 2, 1), 2, 2), ((2, 5, 4, 40), 2, 0)],
)
def test_patches_and_their_transpose_are_the_same(shape, kernel, padding):
    rng = np.random.default_rng(6)
    x = whole(rng, shape, 127)
    patches = PLAIN.patches(x, kernel, padding)
    equal(patches, compiled().patches(x, kernel, padding))
    unfolded = NUMPY.unfold(x.numpy(), kernel, padding)
    np.testing.assert_array_equal(patches.numpy(), unfolded.reshape(patches.shape))
    errors = whole(rng, tuple(patches.shape), 10**6, torch.int32)
    folded = PLAIN.fold(errors, shape, kernel, padding)
    equal(folded, compiled().fold(errors, shape, kernel, padding))
    other = NUMPY.fold(errors.numpy().reshape(unfolded.shape), shape, kernel, padding)
    np.testing.assert_array_equal(folded.numpy(), other)


@pytest.mark.parametrize("kind", [torch.int8, torch.int32])
def test_norms_are_the_same(kind):
    x = whole(np.random.default_rng(10), (3, 4, 9), 127, kind)
    exact = (x.numpy().astype(np.int64) ** 2).sum(-1)
    for passes in (PLAIN, compiled()):
        np.testing.assert_array_equal(passes.norms(x).numpy(), exact)


@pytest.mark.parametrize("kind", [torch.int32, torch.float32])
def test_extremes_are_the_same(kind):
    x = whole(np.random.default_rng(11), (5, 37), 1000, kind)
    for passes in (PLAIN, compiled()):
        least, most = passes.extremes(x)
        np.testing.assert_array_equal(least.numpy(), x.numpy().min(1))
        np.testing.assert_array_equal(most.numpy(), x.numpy().max(1))


@pytest.mark.parametrize("at", [0, 20, 36])
def test_extremes_tell_what_is_no_number(at):
    x = torch.arange(2 * 37, dtype=torch.float32).reshape(2, 37)
    x[1, at] = torch.nan
    for passes in (PLAIN, compiled()):
        for found in passes.extremes(x):
            assert found.isnan().tolist() == [False, True]


@pytest.mark.parametrize("kernel", [1, 2, 3])
def test_turned_weights_are_the_same(kernel):
    weights = whole(np.random.default_rng(8), (5, kernel**2 * 3), 1)
    turned = PLAIN.turned(weights, kernel)
    equal(turned, compiled().turned(weights, kernel))
    sides = weights.numpy().reshape(5, kernel, kernel, 3)[:, ::-1, ::-1]
    turned = turned.numpy().reshape(kernel, kernel, 5, 3)
    np.testing.assert_array_equal(turned, sides.transpose(1, 2, 0, 3))


def test_steps_of_adam_keep_the_same_means():
    rng = np.random.default_rng(9)
    states = [[torch.zeros(7, 9), torch.zeros(7, 9)] for _ in range(2)]
    for number in range(1, 4):
        gradient = Scaled(whole(rng, (7, 9), 100_000, torch.int32), 3e-7)
        rate = 0.01 * (1 - 0.999**number) ** 0.5 / (1 - 0.9**number)
        steps = [
            passes.adam(gradient, *state, 0.9, 0.999, rate, 1e-8)
            for passes, state in zip((PLAIN, compiled()), states, strict=True)
        ]
        # PyTorch's root may be off by a last bit.
        np.testing.assert_allclose(steps[0].numpy(), steps[1].numpy(), rtol=3e-7)
        for one, other in zip(*states, strict=True):
            equal(one, other)


@pytest.mark.parametrize("side", [2, 3])
def test_pools_are_numpys(side):
    rng = np.random.default_rng(7)
    x = whole(rng, (3, 7, 8, 2), 2, torch.int32)  # many equals
    largest, best = pooling.pool(x.numpy(), side)
    y = whole(rng, largest.shape, 127)
    for passes in (PLAIN, compiled()):
        found, which = passes.pool(x, side)
        np.testing.assert_array_equal(found.numpy(), largest)
        np.testing.assert_array_equal(which.numpy(), best)
        back = passes.unpool(y, which, tuple(x.shape), side)
        np.testing.assert_array_equal(back.numpy(), pooling.unpool(y.numpy(), best, x.shape, side))

"""The switching rule against the closed formula of GXNOR's discrete state transition.

Three oracles, none of which shares code with the rule: the formula, with every draw enumerated; a
synapse at a time in plain Python; frequencies under the real generator.
"""

import itertools
import math
from collections import Counter
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from golden.array import cell
from golden.array.golden import GoldenArray
from golden.config import ArrayConfig
from golden.pulse.coder import encode
from golden.pulse.table import ProbabilityTable, tanh_table

TERNARY = {"0s": (0, 0), "+1": (1, 0), "-1": (0, 1), "0w": (1, 1)}
BINARY = {"-1": (0,), "+1": (1,)}
M = 3.0
SMALL = ArrayConfig(code_bits=3, draw_bits=8)
# Both directions differ, and the full pulse is not certain.
LOPSIDED = ProbabilityTable(
    np.array([[0, 0], [3, 1], [10, 40], [70, 41], [71, 90], [120, 200], [200, 201], [250, 240]]),
    np.zeros((8, 2), int),
    1e-12,
    8,
)
# Every pair of draws of 8 bits, and every single one.
PAIRS = np.stack(np.meshgrid(np.arange(256), np.arange(256)), axis=-1).reshape(-1, 2)
SINGLES = np.arange(256)[:, None]


def flips_of(bits, kappa, code, draws, table, blind):
    """Which cells of synapses of one variant leave their state."""
    pulses = cell.pulses(bits, kappa, code, len(table.thresholds) - 1, blind=blind)
    return cell.flips(cell.switch(pulses, draws, table.thresholds[None]), pulses.up, bits.shape[-1])


def weight(bits):
    return bits[0] - bits[1] if len(bits) == 2 else 2 * bits[0] - 1


def formula(w, dw, tau, step, blind):
    """Distribution {new weight: probability} of ``dw``, from the rule's text.

    ``tau`` gives the switching probability of a remainder nu.
    """
    sign = 1 if dw >= 0 else -1
    if blind:
        # Both cells get one pulse: that of nu, or the full one.
        p = 1 if abs(dw) >= step else tau(abs(dw))
        room = abs(sign - w) // step
        odds = {0: {0: 1}, 1: {0: 1 - p, 1: p}, 2: {0: (1 - p) ** 2, 1: 2 * p * (1 - p), 2: p * p}}
        return {w + sign * step * k: q for k, q in odds[room].items() if q}
    rho = min(1 - w, dw) if dw >= 0 else max(-1 - w, dw)
    kappa = math.trunc(rho / step)
    p = tau(abs(rho - kappa * step))
    moved = {w + kappa * step: 1 - p}
    if p:
        moved[w + (kappa + sign) * step] = p
    return {z: q for z, q in moved.items() if q}


def enumerate_draws(bits, kappa, code, table, blind):
    """Counter of new cell bits over every possible draw."""
    draws = PAIRS if len(bits) == 2 else SINGLES
    cells = np.array(bits, bool)
    flips = flips_of(cells, np.array(kappa), np.array(code), draws, table, blind)
    assert flips.shape == draws.shape
    assert flips.dtype == bool
    ends = (flips ^ cells) @ (1 << np.arange(len(bits)))
    return Counter(
        {tuple(e >> i & 1 for i in range(len(bits))): n for e, n in Counter(ends.tolist()).items()}
    )


def distribution(counts):
    total = sum(counts.values())
    odds = Counter()
    for bits, n in counts.items():
        odds[weight(bits)] += Fraction(n, total)
    return dict(odds)


def rule(bits, kappa, code, draws, thresholds, blind):
    """New cell bits of one synapse: the rule, cell by cell."""
    full, up = len(thresholds) - 1, kappa + code > 0
    steps, pulse = abs(kappa), abs(code)
    new = list(bits)
    if len(bits) == 1:
        if bits[0] != up and draws[0] < thresholds[full if steps else pulse][0 if up else 1]:
            new[0] = int(up)
        return tuple(new)
    to_p, to_ap = (0, 1) if up else (1, 0)  # which cell is driven where
    w = weight(bits)
    if blind or w == 0:
        pulses = {to_p: full if steps else pulse, to_ap: full if steps else pulse}
    elif w == (1 if up else -1):
        pulses = {to_p: 0, to_ap: 0}
    else:
        pulses = {0: (pulse, 0), 1: (full, pulse), 2: (full, full)}[steps]
        pulses = {to_p: pulses[0], to_ap: pulses[1]}
    if bits[to_p] == 0 and draws[0] < thresholds[pulses[to_p]][0]:
        new[to_p] = 1
    if bits[to_ap] == 1 and draws[1] < thresholds[pulses[to_ap]][1]:
        new[to_ap] = 0
    return tuple(new)


def pulses(config):
    for sign, kappa, code in itertools.product(
        (1, -1), range(config.max_kappa + 1), range(config.codes)
    ):
        yield sign * kappa, sign * code


# --- every draw ---


@pytest.mark.parametrize("blind", [False, True])
@pytest.mark.parametrize(("synapse", "names"), [("ternary", TERNARY), ("binary", BINARY)])
def test_every_draw_counted_gives_the_closed_formula(synapse, names, blind):
    config = ArrayConfig(code_bits=3, draw_bits=8, synapse=synapse)
    table = tanh_table(config)
    for (name, bits), (kappa, code) in itertools.product(names.items(), pulses(config)):
        p = Fraction(int(table.thresholds[abs(code), 0]), 256)
        # Any remainder will do: the pulse's code says how probable it is. Beyond a whole step the
        # blind rule knows no remainder, and the highest code is a whole step itself.
        sign = 1 if kappa + code > 0 else -1
        nu = Fraction(1, 2) if code else 0
        dw = kappa * config.step + sign * nu
        want = formula(weight(bits), dw, lambda rest, p=p: p if rest else 0, config.step, blind)
        got = distribution(enumerate_draws(bits, kappa, code, table, blind))
        assert got == want, (name, kappa, code)


@pytest.mark.parametrize("name", TERNARY)
def test_blind_rule_is_binomial(name):
    """p^2, 2p(1 - p), (1 - p)^2 from the far bound, p from a zero, nothing at the near bound."""
    table, bits = tanh_table(SMALL), TERNARY[name]
    for sign, code in itertools.product((1, -1), range(8)):
        n = int(table.thresholds[code, 0])
        got = distribution(enumerate_draws(bits, 0, sign * code, table, True))
        cases = {
            -sign: {-sign: (256 - n) ** 2, 0: 2 * n * (256 - n), sign: n * n},
            0: {0: (256 - n) * 256, sign: n * 256},
            sign: {sign: 65536},
        }
        want = {w: Fraction(k, 65536) for w, k in cases[weight(bits)].items() if k}
        assert got == want, (sign, code)


@pytest.mark.parametrize("sign", [1, -1])
@pytest.mark.parametrize("code", [1, 4, 6])
def test_one_exact_step_from_a_bound_ends_in_the_weak_zero(sign, code):
    far = TERNARY["-1" if sign > 0 else "+1"]
    for kappa, pulse in ((0, sign * code), (sign, 0)):
        ends = enumerate_draws(far, kappa, pulse, tanh_table(SMALL), False)
        assert set(ends) - {far} == {TERNARY["0w"]}
    blind = enumerate_draws(far, 0, sign * code, tanh_table(SMALL), True)
    assert blind[TERNARY["0w"]] == blind[TERNARY["0s"]] > 0


@pytest.mark.parametrize("blind", [False, True])
@pytest.mark.parametrize("name", [*TERNARY, *("m" + name for name in BINARY)])
def test_every_draw_does_what_the_plain_rule_does(name, blind):
    """With a table whose directions differ: which threshold meets which draw is seen."""
    bits = BINARY[name[1:]] if name.startswith("m") else TERNARY[name]
    thresholds = LOPSIDED.thresholds.tolist()
    # Draws on both sides of every threshold.
    edges = sorted({max(t + d, 0) for row in thresholds for t in row for d in (-1, 0)} | {255})
    draws = np.array(list(itertools.product(edges, repeat=len(bits))))
    config = ArrayConfig(
        code_bits=3, draw_bits=8, synapse="ternary" if len(bits) == 2 else "binary"
    )
    for kappa, code in pulses(config):
        cells = np.array(bits, bool)
        flips = flips_of(cells, np.array(kappa), np.array(code), draws, LOPSIDED, blind)
        want = [rule(bits, kappa, code, d, thresholds, blind) for d in draws.tolist()]
        assert np.array_equal(flips ^ cells, np.array(want, bool)), (kappa, code)


# --- real-valued changes, through the coder ---


class Fixed:
    """In the place of a generator: every number drawn is the one given."""

    def __init__(self, number):
        self.number = number

    def random(self, shape, dtype):
        return np.full(shape, self.number)


GRID = (0.0, 0.002, 0.03, 0.25, 0.5, 0.77, 0.99, 1.0, 1.01, 1.3, 1.5, 1.99, 2.0, 2.4, 7.0)


@pytest.mark.parametrize("dw", [s * x for x in GRID for s in (1, -1)])
@pytest.mark.parametrize("synapse", ["ternary", "binary"])
def test_exact_rule_moves_as_the_formula_says(dw, synapse):
    """The coder does not know w, the synapse does not know dW: together they keep rho."""
    config = ArrayConfig(code_bits=3, draw_bits=8, synapse=synapse)
    table = tanh_table(config)
    kappa, low = (int(x[0, 0]) for x in encode(np.array([[dw]]), table, config, Fixed(1.0)))
    high = int(encode(np.array([[dw]]), table, config, Fixed(-1.0))[1][0, 0])

    def tau(rest):
        return math.tanh(M * rest / config.step)

    p = [table.thresholds[abs(code), 0] / 256 for code in (low, high)]
    share = (tau(math.fmod(min(abs(dw), 2), config.step)) - p[0]) / ((p[1] - p[0]) or 1)
    for name, bits in (TERNARY if synapse == "ternary" else BINARY).items():
        got = Counter()
        for code, odds in ((low, 1 - share), (high, share)):
            for w, q in distribution(enumerate_draws(bits, kappa, code, table, False)).items():
                got[w] += odds * float(q)
        want = formula(weight(bits), dw, tau, config.step, False)
        for w in (-1, 0, 1):
            assert got[w] == pytest.approx(want.get(w, 0), abs=1e-12), (name, w)


# --- arrays of any shape ---


@given(
    st.integers(0, 2**32),
    st.sampled_from(["ternary", "binary"]),
    st.booleans(),
    st.tuples(st.integers(1, 4), st.integers(1, 5)),
)
def test_every_synapse_of_an_array_follows_the_plain_rule(seed, synapse, blind, shape):
    rng = np.random.default_rng(seed)
    cells = 2 if synapse == "ternary" else 1
    bits = rng.integers(0, 2, (*shape, cells)).astype(bool)
    sign = rng.choice([-1, 1], shape)
    kappa = (sign * rng.integers(0, cells + 1, shape)).astype(np.int8)
    code = (sign * rng.integers(0, 8, shape)).astype(np.int16)
    draws = rng.integers(0, 256, bits.shape).astype(np.uint8)
    before = bits.copy()
    new = bits ^ flips_of(bits, kappa, code, draws, LOPSIDED, blind)
    assert np.array_equal(bits, before)
    for i in np.ndindex(shape):
        synapse_bits = tuple(bits[i].astype(int).tolist())
        arguments = int(kappa[i]), int(code[i]), draws[i].tolist(), LOPSIDED.thresholds.tolist()
        assert tuple(new[i]) == rule(synapse_bits, *arguments, blind), (i, seed)


# --- frequencies under the real generator ---


@pytest.mark.parametrize("seed", [0, 1])
@pytest.mark.parametrize("blind", [False, True])
@pytest.mark.parametrize(("synapse", "names"), [("ternary", TERNARY), ("binary", BINARY)])
def test_frequencies_of_every_transition(seed, blind, synapse, names, plausible):
    """Coder, array and generator together; confidence 1 - 1e-6 over all comparisons of a run."""
    config = ArrayConfig(cols=1024, synapse=synapse)
    array = GoldenArray(config)
    table = tanh_table(config)
    array.load_table(table)
    array.seed(seed)
    rng = np.random.default_rng(seed)
    states = np.array(list(names.values()))
    grid = np.array([s * x for x in GRID for s in (1, -1)])
    counts = Counter()
    for _ in range(4):
        start = rng.integers(0, len(states), (1024, 64))
        chosen = rng.integers(0, len(grid), (1024, 64))
        array.program(states[start])
        kappa, code = encode(grid[chosen], table, config, rng)
        array.update(kappa, code, blind=blind)
        end = [weight(bits) for bits in array.read().reshape(-1, config.cells).astype(int).tolist()]
        counts.update(zip(start.ravel().tolist(), chosen.ravel().tolist(), end, strict=True))

    p = table.probabilities
    tests = 3 * len(states) * len(grid)
    for (i, bits), (j, dw) in itertools.product(enumerate(states.tolist()), enumerate(grid)):
        tau_dw = math.tanh(M * math.fmod(min(abs(dw), 2), config.step) / config.step)
        low = int(np.searchsorted(p[1:-1], tau_dw, side="right"))
        share = (tau_dw - p[low]) / (p[low + 1] - p[low])
        want = Counter()
        for pulse, odds in ((p[low], 1 - share), (p[low + 1], share)):
            law = formula(
                weight(bits), dw, lambda rest, q=pulse: q if rest else 0, config.step, blind
            )
            for w, q in law.items():
                want[w] += odds * q
        trials = sum(counts[i, j, w] for w in (-1, 0, 1))
        assert trials > 1000
        for w in (-1, 0, 1):
            assert plausible(counts[i, j, w], trials, min(want[w], 1), tests), (bits, dw, w, seed)

"""Settings of the fast tests, and the statistics that they share."""

import math

import pytest
from hypothesis import settings

# The same examples on every run; a failing one is printed with its arguments.
settings.register_profile("spintrit", derandomize=True, deadline=None, print_blob=True)
settings.load_profile("spintrit")


def _divergence(a, p):
    return 0.0 if a == 0 else math.inf if p == 0 else a * math.log(a / p)


@pytest.fixture(scope="session")
def plausible():
    """``plausible(hits, trials, p, tests)``: can ``hits`` be binomial?

    True except with a chance of at most 1e-6 over all ``tests`` (Chernoff's bound on both tails,
    Bonferroni's on the number of tests). Certain and impossible events allow no exception.
    """

    def plausible(hits, trials, p, tests):
        share = hits / trials
        distance = _divergence(share, p) + _divergence(1 - share, 1 - p)
        return trials * distance <= math.log(2 * tests / 1e-6)

    return plausible


@pytest.fixture(scope="session")
def unbroken(tmp_path_factory):
    """The files and the result of an unbroken run of ``training.trainer``."""
    from training import files, trainer

    out = tmp_path_factory.mktemp("unbroken")
    result = trainer(out).run()
    return files(out), result

"""A state that is refused leaves everything as it was."""

import numpy as np
import pytest
from training import ARRAY, Stop, stop_at, trainer

from golden.accel.compiler import Plan, Settings, sized
from golden.accel.network import ChipNetwork
from golden.accel.twin import GoldenAccelerator
from golden.array.golden import GoldenArray
from golden.array.lockstep import LockstepArray
from golden.backend import NUMPY
from golden.network.notation import Block
from golden.pulse.table import tanh_table
from golden.train import checkpoint
from golden.train.trainer import CHECKPOINT


def array():
    return GoldenArray(ARRAY)


def lockstep():
    return LockstepArray(GoldenArray(ARRAY), GoldenArray(ARRAY))


def network():
    return trainer().network


def whole_network():
    return trainer(backend=NUMPY).network


def matrix():
    return trainer(backend=NUMPY).network.synapse_layers[0].matrix


def chip():
    blocks, shape = [Block(7), Block(4)], (10,)
    config = sized(blocks, shape, ARRAY, 1, 4)
    plan = Plan(blocks, shape, config, 4, Settings(dead_zone=0.5))
    return ChipNetwork(GoldenAccelerator(config), plan, tanh_table(config.array), 1)


MAKERS = [array, lockstep, matrix, network, whole_network, chip]
DAMAGES = {
    "missing": lambda part: None,
    "shorter": lambda part: part[:-1],
    "longer": lambda part: np.concatenate([part, part[:1]]),
    "another axis": lambda part: part[None],
    "complex": lambda part: part.astype(complex),
    "text": lambda part: part.astype(str),
    "out of range": lambda part: np.full_like(part, np.nan) if part.dtype.kind == "f" else
    np.full(part.shape, -(1 << 40)),
}  # fmt: skip


@pytest.mark.parametrize("damage", DAMAGES.values(), ids=DAMAGES)
@pytest.mark.parametrize("make", MAKERS)
def test_a_refused_state_changes_nothing(make, damage):
    before = make()
    new = {name: other(part) for name, part in before.state().items()}
    make().set_state(new)  # which fits
    for name, part in new.items():
        damaged = {**new, name: damage(part)}
        if damaged[name] is None:
            del damaged[name]
        state = before.state()
        with pytest.raises((KeyError, TypeError, ValueError), match=name.rpartition(".")[2]):
            before.set_state(damaged)
        assert same(before.state(), state), name


@pytest.mark.parametrize("make", [network, whole_network, chip])
def test_refused_weights_change_nothing(make):
    net = make()
    state = net.state()
    new = {name: other(part) for name, part in net.weights().items() if "weights" not in name}
    last = list(new)[-1]
    for damage in DAMAGES.values():
        damaged = {**new, last: damage(new[last])}
        if damaged[last] is None:
            del damaged[last]
        with pytest.raises((KeyError, TypeError, ValueError), match=last):
            net.set_weights(damaged)
        assert same(net.state(), state)


def other(part):
    """Another that fits as well."""
    if part.dtype == bool:
        return ~part
    return np.roll(part, 1, axis=0) if part.ndim == 1 else part[::-1].copy()


def same(one, two):
    return one.keys() == two.keys() and all((one[name] == two[name]).all() for name in one)


def everything(run):
    rngs = {name: str(rng.bit_generator.state) for name, rng in run.rngs.items()}
    return run.network.state(), rngs, run.network.optimiser_state(), dict(run._best), [*run.metrics]


def test_a_refused_checkpoint_changes_nothing(tmp_path):
    with pytest.raises(Stop):
        trainer(tmp_path, on_batch=stop_at(3, 1)).run()
    path = tmp_path / CHECKPOINT
    meta, groups = checkpoint.load(path, {})
    run = trainer(tmp_path)
    identity = run._identity

    def damaged(group, name, part):
        changed = {g: dict(parts) for g, parts in groups.items()}
        if part is None:
            del changed[group][name]
        else:
            changed[group][name] = part
        return meta, changed

    weight = groups["optimiser"]["layer1.weight.v"]
    cases = [
        damaged("optimiser", "layer1.weight.v", None),
        damaged("optimiser", "layer1.weight.v", weight[:1]),
        damaged("optimiser", "layer1.weight.v", weight * np.nan),
        damaged("optimiser", "layer1.weight.steps", np.array(-1)),
        damaged("optimiser", "layer9.weight.steps", np.array(1)),
        damaged("best", "layer2.cells", None),
        damaged("best", "layer2.gamma", np.zeros(1, np.float32)),
        damaged("network", "array0.generators", None),
        ({**meta, "rngs": {}}, groups),
        ({**meta, "rngs": meta["rngs"] | {"order": {}}}, groups),
        ({**meta, "metrics": meta["metrics"][1:]}, groups),
        ({**meta, "metrics": [{}]}, groups),
        ({**meta, "metrics": 3}, groups),
    ]
    before = everything(run)
    for changed in cases:
        checkpoint.save(path, identity, *changed)
        with pytest.raises(ValueError, match="does not fit its own configuration"):
            run.resume()
        now = everything(run)
        assert same(now[0], before[0])
        assert now[1:] == before[1:]
    checkpoint.save(path, identity, meta, groups)
    assert run.resume() == 2

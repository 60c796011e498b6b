"""Training of ternary neural networks inside an array of magnetic tunnel junctions.

``import spintrit`` gives the whole public interface. Names are loaded when they are first used, and
need numpy alone where nothing more is asked for.
"""

import importlib
from typing import TYPE_CHECKING, Any

from spintrit.version import __version__

if TYPE_CHECKING:
    from golden.accel.config import AcceleratorConfig
    from golden.array.interface import SynapseArray
    from golden.array.lockstep import Mismatch
    from golden.config import ArrayConfig
    from golden.data import Split
    from golden.data import load as dataset
    from golden.device.junction import Device
    from golden.device.junction import load as device
    from golden.device.junction import names as devices
    from golden.pulse.tablefile import TableFile
    from golden.pulse.tablefile import load as load_table
    from golden.pulse.tablefile import save as save_table
    from golden.targets import Target
    from golden.train.config import TrainConfig
    from spintrit.api import energy, evaluate, load_run, resume, train
    from spintrit.fitting.fit import SwitchingFit
    from spintrit.fitting.measured import Measured
    from spintrit.records import Run
    from spintrit.synapses import array, fit, table, verilog
    from spintrit.targets import target

_PLACES = {
    # configurations
    "ArrayConfig": "golden.config",
    "AcceleratorConfig": "golden.accel.config",
    "TrainConfig": "golden.train.config",
    # devices and tables
    "Device": "golden.device.junction",
    "device": "golden.device.junction:load",
    "devices": "golden.device.junction:names",
    "Measured": "spintrit.fitting.measured",
    "fit": "spintrit.synapses",
    "SwitchingFit": "spintrit.fitting.fit",
    "table": "spintrit.synapses",
    "TableFile": "golden.pulse.tablefile",
    "load_table": "golden.pulse.tablefile:load",
    "save_table": "golden.pulse.tablefile:save",
    # arrays
    "target": "spintrit.targets",
    "Target": "golden.targets",
    "array": "spintrit.synapses",
    "SynapseArray": "golden.array.interface",
    "Mismatch": "golden.array.lockstep",
    "verilog": "spintrit.synapses",
    # training
    "dataset": "golden.data:load",
    "Split": "golden.data",
    "train": "spintrit.api",
    "resume": "spintrit.api",
    "Run": "spintrit.records",
    "load_run": "spintrit.api",
    "evaluate": "spintrit.api",
    "energy": "spintrit.api",
}

__all__ = [
    "AcceleratorConfig", "ArrayConfig", "Device", "Measured", "Mismatch", "Run", "Split",
    "SwitchingFit", "SynapseArray", "TableFile", "Target", "TrainConfig", "__version__", "array",
    "dataset", "device", "devices", "energy", "evaluate", "fit", "load_run", "load_table", "resume",
    "save_table", "table", "target", "train", "verilog",
]  # fmt: skip


def __getattr__(name: str) -> Any:
    place = _PLACES.get(name)
    if place is None:
        raise AttributeError(f"module 'spintrit' has no attribute {name!r}")
    from golden.extras import hinted

    module, _, attribute = place.partition(":")
    with hinted():
        found = getattr(importlib.import_module(module), attribute or name)
    globals()[name] = found
    return found


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})

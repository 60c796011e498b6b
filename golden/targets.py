"""Targets of training and inference: arrays, whole matrices, or an accelerator.

A host target has the synapses in arrays or whole matrices; the host computes everything else. With
``OnChip`` an accelerator of a host target does all of the training.
"""

from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeVar

from golden import backend, checks
from golden.array.golden import GoldenArray
from golden.array.interface import SynapseArray
from golden.array.protocols import CellArray
from golden.config import ArrayConfig
from golden.data import Split
from golden.matrix.interface import HostBank
from golden.matrix.tiled import ArrayBank
from golden.matrix.whole_bank import WholeBank
from golden.network import notation
from golden.network.network import Network
from golden.network.notation import Block
from golden.network.optim import OPTIMISERS, Learner
from golden.network.synapse_network import SynapseNetwork
from golden.pulse.table import ProbabilityTable
from golden.train import defaults
from golden.train.conditions import Conditions
from golden.train.config import TrainConfig, generators

if TYPE_CHECKING:
    from golden.accel.config import AcceleratorConfig
    from golden.accel.interface import Accelerator

Equip = Callable[[CellArray, int], None]
Part = TypeVar("Part")  # an array or an accelerator


class Target(ABC):
    """A target on which networks are trained."""

    @property
    @abstractmethod
    def text(self) -> str:
        """Name of the target in the option ``--array`` and in the files of a run."""

    @property
    @abstractmethod
    def matrices(self) -> str:
        """Kind of matrices, for a checkpoint: runs with equal ``matrices`` have equal bits."""

    @property
    def compute(self) -> str:
        """The back end of whole matrices, see ``golden.backend``."""
        return "numpy"

    @property
    def tiles(self) -> int:
        """Arrays of the accelerator that trains; 0 if the host trains."""
        return 0

    @property
    def whole(self) -> bool:
        """Whether it has whole matrices instead of arrays."""
        return False

    @property
    def analog(self) -> bool:
        """Whether converters and wires may change its sums."""
        return False

    @property
    def simulated(self) -> bool:
        """Whether RTL is simulated."""
        return False

    @property
    def compares(self) -> bool:
        """Whether RTL and golden model run in lock step."""
        return False

    @property
    def by_formula(self) -> bool:
        """Whether cycles come from the latency formulas instead of a counter."""
        return False

    @property
    def preparing(self) -> str:
        """A message for slow work before a network is made; empty if there is none."""
        return ""

    def settle(self, array: ArrayConfig) -> ArrayConfig:
        """The configuration of the target's arrays for a requested ``array``.

        Raises
        ------
        ValueError
            If its arrays have another configuration.
        OSError, RuntimeError
            If the hardware does not answer.
        """
        return array

    def prepare(self, array: ArrayConfig) -> None:  # noqa: B027  (a default, not a duty)
        """Compile the hardware for arrays of this configuration, if there is any."""

    @abstractmethod
    def network(self, config: TrainConfig, split: Split, conditions: Conditions) -> SynapseNetwork:
        """A network that trains on ``split`` with the settings ``config``.

        Raises
        ------
        ValueError
            If the target cannot train it.
        """

    def rtl(self, part: Any) -> Any:
        """The RTL of an array or accelerator that this target made, or None."""
        return None

    def counted(self, part: Part) -> Part:
        """The part of an array or accelerator whose counters are read without a comparison."""
        return part

    def close(self) -> None:  # noqa: B027  (a default, not a duty)
        """Release the target's resources."""


class HostTarget(Target):
    """A target whose synapses the host reads and pulses."""

    def bank(
        self, config: ArrayConfig, table: ProbabilityTable, seed: int, equip: Equip | None = None
    ) -> HostBank:
        """A bank without matrices; parameters as those of ``golden.matrix.tiled.ArrayBank``."""
        return ArrayBank(self.array, config, table, seed, equip)

    def network(self, config: TrainConfig, split: Split, conditions: Conditions) -> SynapseNetwork:
        bank = self.bank(conditions.config, conditions.table, config.seed, conditions.equip)
        optimiser = OPTIMISERS[config.optimiser](
            momentum=config.momentum, dead_zone=config.dead_zone
        )
        return Network(
            bank,
            split.shape,
            notation.parse(config.network),
            split.classes,
            limit=split.limit,
            threshold=config.activation_threshold,
            window=config.window,
            steepness=conditions.steepness,
            spread=config.batch_norm,
            learner=Learner(optimiser, generators(config.seed)["coder"], config.rule == "blind"),
        )

    def array(self, config: ArrayConfig) -> SynapseArray:
        """A new array, or the one array of a board.

        Raises
        ------
        ValueError
            If the target has no arrays.
        """
        raise ValueError(f"a single array needs golden, rtl, both or serial:PORT, not {self.text}")

    def accelerator(self, config: "AcceleratorConfig") -> "Accelerator":
        """An accelerator with the target's arrays.

        Raises
        ------
        ValueError
            If the target has no accelerator.
        """
        raise ValueError(
            f"on-chip training needs array golden, rtl, both or serial:PORT, not {self.text}"
        )

    def accelerator_for(
        self, blocks: Sequence[Block], shape: Sequence[int], array: ArrayConfig, tiles: int,
        batch: int,
    ) -> "Accelerator":  # fmt: skip
        """An accelerator just large enough for a network, see ``golden.accel.compiler.sized``."""
        from golden.accel.compiler import sized

        return self.accelerator(sized(blocks, shape, array, tiles, batch))


@dataclass(frozen=True)
class Arrays(HostTarget):
    """Arrays of any class.

    Parameters
    ----------
    make : callable
        ``make(config)`` returns a new SynapseArray.
    """

    make: Callable[[ArrayConfig], SynapseArray] = GoldenArray

    text = "golden"
    matrices = "arrays"

    def array(self, config: ArrayConfig) -> SynapseArray:
        """A new array."""
        return self.make(config)


@dataclass(frozen=True)
class Golden(HostTarget):
    """Golden arrays, which agree with the RTL in every bit; on chip the accelerator's twin."""

    text = "golden"
    matrices = "arrays"
    analog = True
    by_formula = True

    def array(self, config: ArrayConfig) -> SynapseArray:
        return GoldenArray(config)

    def accelerator(self, config: "AcceleratorConfig") -> "Accelerator":
        from golden.accel.twin import GoldenAccelerator

        return GoldenAccelerator(config)


@dataclass(frozen=True)
class Whole(HostTarget):
    """Whole matrices, for large networks; their distributions are those of golden arrays.

    Parameters
    ----------
    compute : {"numpy", "torch", "cuda", "auto"}
        The back end, see ``golden.backend``; "auto" becomes the one that it stands for.
    products : {"auto", "int8", "float32"}
        See ``golden.backend.load``.
    """

    compute: str = "numpy"
    products: str = backend.AUTO

    text = "fast"
    whole = True
    by_formula = True

    def __post_init__(self) -> None:
        checks.keep(self, compute=backend.resolved(self.compute))
        checks.choice("products", self.products, backend.PRODUCTS)

    @property
    def matrices(self) -> str:
        return self.compute

    def bank(
        self, config: ArrayConfig, table: ProbabilityTable, seed: int, equip: Equip | None = None
    ) -> WholeBank:
        return WholeBank(config, table, seed, equip, backend.load(self.compute, self.products))


@dataclass(frozen=True)
class OnChip(Target):
    """An accelerator that does all of the training.

    Parameters
    ----------
    on : HostTarget
        Makes the accelerator.
    tiles : int
        Arrays of the accelerator, which work in parallel; a power of two.

    Raises
    ------
    ValueError
        If ``on`` has no accelerator.
    """

    on: HostTarget
    tiles: int = 1

    matrices = "chip"
    preparing = "compiling and programming the accelerator ..."

    def __post_init__(self) -> None:
        checks.keep(self, tiles=checks.integer("tiles", self.tiles, 1))
        if self.on.whole:
            raise ValueError(
                f"on-chip training needs array golden, rtl, both or serial:PORT, not {self.on.text}"
            )

    @property
    def text(self) -> str:
        return self.on.text

    @property
    def simulated(self) -> bool:
        return self.on.simulated

    @property
    def compares(self) -> bool:
        return self.on.compares

    @property
    def by_formula(self) -> bool:
        return isinstance(self.on, Golden)

    def rtl(self, part: Any) -> Any:
        return self.on.rtl(part)

    def counted(self, part: Part) -> Part:
        return self.on.counted(part)

    def close(self) -> None:
        self.on.close()

    def network(self, config: TrainConfig, split: Split, conditions: Conditions) -> SynapseNetwork:
        from golden.accel.compiler import Plan, Settings
        from golden.accel.network import ChipNetwork

        for name in ("optimiser", "batch_norm"):
            wanted, given = defaults.ON_CHIP[name], getattr(config, name)
            if given != wanted:
                raise ValueError(f"on-chip training needs {name} {wanted}, not {given}")
        if split.input_bits != 2:
            raise ValueError(f"on-chip training needs input_bits 2, not {split.input_bits}")
        blocks = [*notation.parse(config.network), Block(split.classes)]
        settings = Settings(
            threshold=config.activation_threshold,
            window=config.window,
            blind=config.rule == "blind",
            dead_zone=config.dead_zone,
        )
        block = self.on.accelerator_for(
            blocks, split.shape, conditions.config, self.tiles, config.batch
        )
        plan = Plan(blocks, split.shape, block.config, config.batch, settings)
        made = ChipNetwork(block, plan, conditions.table, config.seed)
        for number, array in enumerate(made.bank.arrays):
            conditions.equip(array, number)
        return made

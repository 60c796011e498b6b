"""Targets: what trains a network and classifies with it.

A host target holds the synapses in arrays or whole matrices, and the host computes the rest.
``OnChip`` lets an accelerator of a host target do all of the training.
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
    """What a network is trained on."""

    @property
    @abstractmethod
    def text(self) -> str:
        """What the option ``--array`` and the files of a run call it."""

    @property
    @abstractmethod
    def matrices(self) -> str:
        """Who holds the matrices, for a checkpoint: runs of equal ``matrices`` have equal bits."""

    @property
    def compute(self) -> str:
        """The back end of whole matrices, see ``golden.backend``."""
        return "numpy"

    @property
    def tiles(self) -> int:
        """Arrays of the accelerator that trains; 0 where the host trains."""
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
        """Whether its cycles are those of the latency formulas, and none are counted."""
        return False

    @property
    def preparing(self) -> str:
        """What takes time before a network can be made; empty if nothing does."""
        return ""

    def settle(self, array: ArrayConfig) -> ArrayConfig:
        """The configuration of its arrays if ``array`` is asked for.

        Raises
        ------
        ValueError
            If its arrays are of another kind.
        OSError, RuntimeError
            If the hardware does not answer.
        """
        return array

    def prepare(self, array: ArrayConfig) -> None:  # noqa: B027  (a default, not a duty)
        """Compile what has to be compiled for arrays of this configuration."""

    @abstractmethod
    def network(self, config: TrainConfig, split: Split, conditions: Conditions) -> SynapseNetwork:
        """A network that trains on ``split`` as ``config`` says.

        Raises
        ------
        ValueError
            If the target cannot train it.
        """

    def rtl(self, part: Any) -> Any:
        """The RTL of an array or accelerator that this target made, or None."""
        return None

    def counted(self, part: Part) -> Part:
        """The side of an array or accelerator whose counters are read without comparing."""
        return part

    def close(self) -> None:  # noqa: B027  (a default, not a duty)
        """Give back what the target holds open."""


class HostTarget(Target):
    """A target whose synapses the host reads and pulses."""

    @abstractmethod
    def bank(
        self, config: ArrayConfig, table: ProbabilityTable, seed: int, equip: Equip | None = None
    ) -> HostBank:
        """A bank without matrices; parameters as those of ``golden.matrix.tiled.ArrayBank``."""

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

    def accelerator(self, config: "AcceleratorConfig") -> "Accelerator":
        """An accelerator with such arrays.

        Raises
        ------
        ValueError
            If there is none.
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

    def bank(
        self, config: ArrayConfig, table: ProbabilityTable, seed: int, equip: Equip | None = None
    ) -> ArrayBank:
        return ArrayBank(self.array, config, table, seed, equip)


@dataclass(frozen=True)
class Golden(HostTarget):
    """Golden arrays, which agree with the RTL in every bit; on chip the accelerator's twin."""

    text = "golden"
    matrices = "arrays"
    analog = True
    by_formula = True

    def bank(
        self, config: ArrayConfig, table: ProbabilityTable, seed: int, equip: Equip | None = None
    ) -> ArrayBank:
        return ArrayBank(GoldenArray, config, table, seed, equip)

    def accelerator(self, config: "AcceleratorConfig") -> "Accelerator":
        from golden.accel.twin import GoldenAccelerator

        return GoldenAccelerator(config)


@dataclass(frozen=True)
class Whole(HostTarget):
    """Whole matrices, for large networks; their distributions are those of golden arrays.

    Parameters
    ----------
    compute : {"numpy", "torch", "cuda"}
        The back end, see ``golden.backend``.
    """

    compute: str = "numpy"

    text = "fast"
    whole = True
    by_formula = True

    def __post_init__(self) -> None:
        checks.choice("backend", self.compute, backend.BACKENDS)

    @property
    def matrices(self) -> str:
        return self.compute

    def bank(
        self, config: ArrayConfig, table: ProbabilityTable, seed: int, equip: Equip | None = None
    ) -> WholeBank:
        return WholeBank(config, table, seed, equip, backend.load(self.compute))


@dataclass(frozen=True)
class OnChip(Target):
    """An accelerator that does all of the training.

    Parameters
    ----------
    on : HostTarget
        Makes the accelerator.
    tiles : int
        Its arrays that work side by side, a power of two.

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

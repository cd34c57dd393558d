"""The weight of every attention block at every step of a run, and whether it runs."""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Literal, TypeVar

from .errors import ScheduleError
from .fields import Fields, number, one_of, rows_of

T = TypeVar("T")

#: What a block's Transformers do: they run, pass their features unchanged, or add again what they
#: added when they last ran.
Mode = Literal["run", "skip", "reuse"]

#: A block runs where its weight plus this much reaches its threshold (the paper's code).
SKIP_TOLERANCE = 1e-6


@dataclass(frozen=True)
class BlockWeights:
    """Rows of steps (the noisiest first) by blocks (in execution order).

    `weights` and `thresholds` are finite and 0 or more. A block is skipped where
    `weight + 1e-6 < threshold`; elsewhere `modes` say what it does.
    """

    weights: list[list[float]]
    thresholds: list[list[float]] = field(default_factory=list)
    modes: list[list[Mode]] = field(default_factory=list)

    def __post_init__(self) -> None:
        blocks = len(self.weights[0]) if self.weights else 0
        if blocks == 0:
            raise ScheduleError("`weights`: expected at least one step and one block")
        for name in ("weights", "thresholds", "modes"):
            rows: list[list[Any]] = getattr(self, name)
            if not rows and name != "weights":
                default = 0.0 if name == "thresholds" else "run"
                object.__setattr__(self, name, [[default] * blocks for _ in self.weights])
            elif len(rows) != len(self.weights):
                raise ScheduleError(
                    f"`{name}`: expected {len(self.weights)} steps, found {len(rows)}"
                )
            for step, row in enumerate(rows):
                if len(row) != blocks:
                    raise ScheduleError(
                        f"`{name}`: expected {blocks} blocks in every step, "
                        f"found {len(row)} in step {step}"
                    )
        self._check_reuse()

    @classmethod
    def read(cls, value: Any, name: str) -> "BlockWeights":
        """The weights of a document."""
        fields = Fields(value, name, ("weights", "thresholds", "modes"))
        words = one_of("run", "skip", "reuse")
        return cls(
            fields.required("weights", _matrix(number)),
            fields.optional("thresholds", _matrix(number)) or [],
            fields.optional("modes", _matrix(words)) or [],
        )

    @property
    def steps(self) -> int:
        """Number of steps, each a call of the U-Net."""
        return len(self.weights)

    @property
    def blocks(self) -> int:
        """Number of attention blocks."""
        return len(self.weights[0])

    def mode(self, step: int, block: int) -> Mode:
        """What a block does at a step."""
        if self.weights[step][block] + SKIP_TOLERANCE < self.thresholds[step][block]:
            return "skip"
        return self.modes[step][block]

    def is_reused(self, step: int, block: int) -> bool:
        """Whether what a block adds at a step is added again at a later one."""
        later = [self.mode(at, block) for at in range(step + 1, self.steps)]
        added = [mode for mode in later if mode != "skip"]
        return self.mode(step, block) == "run" and added[:1] == ["reuse"]

    def _check_reuse(self) -> None:
        for block in range(self.blocks):
            ran = False
            for step in range(self.steps):
                mode, place = self.mode(step, block), f"step {step}, block {block}"
                if mode == "skip" and self.modes[step][block] == "reuse":
                    raise ScheduleError(
                        f"{place}: expected either a threshold above its weight, which skips it, "
                        "or `reuse`, found both"
                    )
                if mode == "reuse" and not ran:
                    raise ScheduleError(
                        f"{place}: expected an earlier step at which the block runs, whose residual "
                        "can be reused, found none"
                    )
                ran = ran or mode == "run"


def _matrix(read: Callable[[Any, str], T]) -> Callable[[Any, str], list[list[T]]]:
    """Rows of what `read` reads; at least one."""

    def read_matrix(value: Any, name: str) -> list[list[T]]:
        rows = rows_of(rows_of(read))(value, name)
        if not rows:
            raise ScheduleError(f"{name}: expected at least one step, found none")
        return rows

    return read_matrix

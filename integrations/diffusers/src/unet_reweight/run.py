"""One sampling run under a schedule, step after step."""

from collections.abc import Callable, Hashable, Sequence
from typing import TYPE_CHECKING

from .errors import ScheduleError
from .freeu import FreeU
from .schedule import Schedule

if TYPE_CHECKING:
    from torch import Tensor

#: Samples that are computed together, in one part.
WHOLE: tuple[Hashable, ...] = ("all",)


class Run:
    """What is done at the current step, and what Transformers added at earlier ones.

    Raises `ScheduleError` where the schedule has not `steps` steps.
    """

    def __init__(self, schedule: Schedule, steps: int) -> None:
        blocks = schedule.blocks
        if blocks is not None and blocks.steps != steps:
            raise ScheduleError(
                f"the schedule has {blocks.steps} steps, expected {steps}, one for each call of the "
                "U-Net; resample `nearest` or `interpolate` applies it nevertheless"
            )
        self._blocks, self._freeu, self.steps = blocks, schedule.freeu, steps
        self._step = 0
        self._residuals: dict[tuple[int, int, Hashable], Tensor] = {}

    def at(self, step: int) -> None:
        """Goes to a step, from 0."""
        if not 0 <= step < self.steps:
            raise ScheduleError(f"expected a step below {self.steps}, found {step}")
        self._step = step

    def freeu(self) -> FreeU | None:
        """FreeU, where it is active at this step."""
        active = self._freeu is not None and self._freeu.window.contains(self._step, self.steps)
        return self._freeu if active else None

    def output(
        self,
        block: int,
        layer: int,
        hidden: "Tensor",
        forward: Callable[[], "Tensor"],
        parts: Sequence[Hashable] = WHOLE,
    ) -> "Tensor":
        """The output of Transformer `layer` of a block for features `hidden`, `[batch, channels,
        height, width]`: `forward()`, or what the schedule puts in its place.

        The batch consists of equal `parts`, each the same samples whenever it has the same name.
        """
        if self._blocks is None:
            return forward()
        mode = self._blocks.mode(self._step, block)
        if mode == "skip":
            return hidden
        if mode == "reuse":
            output = hidden + self._kept(block, layer, parts, hidden)
        else:
            output = forward()
            if self._blocks.is_reused(self._step, block):
                residuals = (output - hidden).chunk(len(parts))
                self._residuals.update(
                    ((block, layer, part), kept)
                    for part, kept in zip(parts, residuals, strict=True)
                )
        weight = self._blocks.weights[self._step][block]
        return output if weight == 1.0 else output * weight

    def _kept(
        self, block: int, layer: int, parts: Sequence[Hashable], hidden: "Tensor"
    ) -> "Tensor":
        import torch

        kept = [self._residuals.get((block, layer, part)) for part in parts]
        found = [residual for residual in kept if residual is not None]
        together = torch.cat(found) if len(found) == len(parts) else None
        if together is None or together.shape != hidden.shape:
            shape = None if together is None else list(together.shape)
            raise ScheduleError(
                f"step {self._step}, block {block}: expected a residual of {list(hidden.shape)} kept "
                f"from an earlier step of this run, found {shape or 'none'}"
            )
        return together

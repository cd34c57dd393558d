"""A schedule, applied to a Stable Diffusion pipeline of diffusers."""

import warnings
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from typing import Any

from diffusers.models.modeling_outputs import Transformer2DModelOutput
from diffusers.models.transformers.transformer_2d import Transformer2DModel
from torch import Tensor, nn

from .errors import ScheduleError
from .levels import noise_levels
from .resample import Resampling
from .run import Run
from .schedule import Schedule
from .skips import join_hooks


def attention_blocks(unet: Any) -> dict[str, Any]:
    """The blocks with Transformers, in execution order, by their paths."""
    named = [(f"down_blocks.{at}", block) for at, block in enumerate(unet.down_blocks)]
    named += [("mid_block", unet.mid_block)]
    named += [(f"up_blocks.{at}", block) for at, block in enumerate(unet.up_blocks)]
    blocks = {path: block for path, block in named if getattr(block, "attentions", None)}
    for path, block in blocks.items():
        for layer, attention in enumerate(block.attentions):
            if not isinstance(attention, Transformer2DModel):
                raise ScheduleError(
                    f"`{path}.attentions.{layer}`: expected a Transformer2DModel, found "
                    f"{type(attention).__name__}"
                )
    return blocks


class _Applied:
    """What is known while a schedule is applied: the run that goes on, and where it is."""

    def __init__(self, schedule: Schedule, scheduler: Any, resample: Resampling | None) -> None:
        self._schedule, self._scheduler, self._resample = schedule, scheduler, resample
        self._run: Run | None = None
        self._timesteps: list[float] = []
        self._at = -1

    @property
    def run(self) -> Run:
        """The run that goes on."""
        if self._run is None:
            raise ScheduleError(
                "expected a run that begins with the scheduler's `set_timesteps`, found a call of the "
                "U-Net before it (the pipeline's scheduler must not be replaced within the context)"
            )
        return self._run

    def begin(self) -> None:
        """A run begins: the scheduler has its timesteps."""
        levels, schedule = noise_levels(self._scheduler), self._schedule
        if self._resample is not None:
            schedule = schedule.resampled(levels, self._resample)
        run = Run(schedule, len(levels))
        if not schedule.is_at(levels):
            warnings.warn(
                "the schedule was made for other noise levels, and is applied step by step; "
                "`resample` applies it by them",
                stacklevel=2,
            )
        self._run, self._timesteps, self._at = run, [level.timestep for level in levels], -1

    def call(self, timestep: Any) -> None:
        """The U-Net is called: the run goes on to the step of that timestep."""
        run, now = (
            self.run,
            float(timestep.flatten()[0] if isinstance(timestep, Tensor) else timestep),
        )
        after = self._at + 1
        if self._at < 0:
            # A run may begin later, as image to image does.
            steps = [at for at, own in enumerate(self._timesteps) if own == now]
            after = steps[0] if steps else len(self._timesteps)
        elif self._timesteps[after : after + 1] != [now] and self._timesteps[self._at] == now:
            # Another call at the same timestep belongs to the same step.
            after = self._at
        if self._timesteps[after : after + 1] != [now]:
            rest = self._timesteps[self._at + 1 :]
            expected = f"a call of the U-Net at timestep {rest[0]}" if rest else "no further call"
            raise ScheduleError(f"expected {expected} after step {self._at}, found one at {now}")
        self._at = after
        run.at(after)


@contextmanager
def applied(schedule: Schedule, pipe: Any, resample: Resampling | None) -> Iterator[Any]:
    """See `Schedule.applied`."""
    unet: Any = getattr(pipe, "unet", None)
    scheduler: Any = getattr(pipe, "scheduler", None)
    if unet is None or not hasattr(scheduler, "set_timesteps"):
        raise ScheduleError(
            f"expected a pipeline with a `unet` and a `scheduler`, found {type(pipe).__name__}"
        )
    if hasattr(unet, "_orig_mod") or getattr(unet, "_compiled_call_impl", None) is not None:
        raise ScheduleError(
            "expected a U-Net that is not compiled: what is applied would not be seen"
        )
    if getattr(unet, "_unet_reweight", False):
        raise ScheduleError("another schedule is applied to this U-Net already")
    blocks = attention_blocks(unet)
    if schedule.blocks is not None:
        schedule.check_paths(list(blocks))
    state = _Applied(schedule, scheduler, resample)
    with ExitStack() as undo:
        _set(undo, unet, "_unet_reweight", True)
        set_timesteps = scheduler.set_timesteps

        def timesteps_set(*args: Any, **kwargs: Any) -> Any:
            result = set_timesteps(*args, **kwargs)
            state.begin()
            return result

        # Some pipelines look at the parameters of `set_timesteps`.
        timesteps_set.__wrapped__ = set_timesteps  # type: ignore[attr-defined]
        _set(undo, scheduler, "set_timesteps", timesteps_set)

        def called(_: nn.Module, args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
            state.call(kwargs["timestep"] if "timestep" in kwargs else args[1])

        undo.callback(unet.register_forward_pre_hook(called, with_kwargs=True).remove)
        if schedule.blocks is not None:
            for number, block in enumerate(blocks.values()):
                for layer, transformer in enumerate(block.attentions):
                    forward = _replacement(state, number, layer, transformer.forward)
                    _set(undo, transformer, "forward", forward)
        if schedule.freeu is not None:
            for handle in join_hooks(unet, lambda: state.run.freeu()):
                undo.callback(handle.remove)
        yield pipe


def _replacement(
    state: _Applied, block: int, layer: int, forward: Callable[..., Any]
) -> Callable[..., Any]:
    """A Transformer's `forward` under the schedule."""

    def replaced(hidden_states: Tensor, *args: Any, **kwargs: Any) -> Any:
        def run() -> Tensor:
            output: Tensor = forward(hidden_states, *args, **kwargs)[0]
            return output

        output = state.run.output(block, layer, hidden_states, run)
        if kwargs.get("return_dict", True):
            return Transformer2DModelOutput(sample=output)
        return (output,)

    return replaced


def _set(undo: ExitStack, target: Any, name: str, value: Any) -> None:
    """Sets an attribute of the instance until the stack is closed."""
    own, before = name in vars(target), vars(target).get(name)
    setattr(target, name, value)
    undo.callback(setattr, target, name, before) if own else undo.callback(delattr, target, name)

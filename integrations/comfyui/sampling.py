"""At which step of a schedule ComfyUI's sampler is."""

import logging
import math
from typing import Any

from unet_reweight import NoiseLevel, Run, Schedule, ScheduleError
from unet_reweight.resample import Resampling, nearest, positions

_log = logging.getLogger("unet-reweight")

#: Relative difference below which noise levels are the same.
SAME = 1e-3


class Sampling:
    """Follows a sampler by the noise level σ of its calls; calls at one σ are one step.

    Newer versions of ComfyUI tell all of the sampler's σ with each call (`sample_sigmas`); in older
    ones the schedule's own are needed.
    """

    def __init__(self, schedule: Schedule, resample: Resampling | None) -> None:
        self._schedule, self._resample = schedule, resample
        self._run: Run | None = None
        #: Noise levels of the run's steps; none are needed where nothing depends on the step.
        self._sigmas: list[float] = []
        self._of_sampler: list[float] | None = None
        self._last: Any = None
        self._step = 0

    def run(self, options: dict[str, Any]) -> Run:
        """The run, at the step of a call with these `transformer_options`."""
        now = options["sigmas"]
        if self._run is not None and now is self._last:
            return self._run
        all_sigmas = options.get("sample_sigmas")
        sigma = float(now.flatten()[0])
        of_sampler = (
            None if all_sigmas is None else [float(one) for one in all_sigmas.flatten()[:-1]]
        )
        if self._run is None or of_sampler != self._of_sampler:
            self._begin(of_sampler)
        step = self._find(sigma)
        if step == 0 and self._step > 0:
            # The sampler began anew.
            self._begin(of_sampler)
        assert self._run is not None
        self._run.at(step)
        self._step, self._last = step, now
        return self._run

    def _begin(self, of_sampler: list[float] | None) -> None:
        schedule, own = self._schedule, self._schedule.levels
        levels = [NoiseLevel(0.0, sigma) for sigma in of_sampler or []]
        if of_sampler is None and own is None:
            if schedule.blocks is not None or schedule.freeu.window.start > 0.0:
                raise ScheduleError(
                    "this version of ComfyUI does not tell the sampler's steps: expected a schedule "
                    "that tells its own noise levels (`steps`)"
                )
            steps = 1
        elif self._resample is not None and of_sampler is not None:
            schedule, steps = schedule.resampled(levels, self._resample), len(levels)
        elif own is not None and (of_sampler is None or _within(of_sampler, own)):
            # A part of the schedule's own run.
            levels, steps = list(own), len(own)
        else:
            steps = len(levels)
            if not schedule.is_at(levels) and schedule.blocks and schedule.blocks.steps == steps:
                _log.warning(
                    "the schedule was made for other noise levels, and is applied "
                    "step by step; `resample` applies it by them"
                )
        self._run = Run(schedule, steps)
        self._sigmas = [level.sigma for level in levels]
        self._of_sampler, self._step, self._last = of_sampler, 0, None

    def _find(self, sigma: float) -> int:
        """The step of a noise level: the last whose own is not below it, or, by the schedule's own
        levels alone, the nearest."""
        if not self._sigmas:
            return 0
        if self._of_sampler is not None:
            above = [step for step, own in enumerate(self._sigmas) if own * (1 + SAME) >= sigma]
            return above[-1] if above else 0
        step = nearest(positions([sigma])[0], positions(self._sigmas))
        if self._resample is None and not math.isclose(self._sigmas[step], sigma, rel_tol=SAME):
            raise ScheduleError(
                f"expected a call at one of the schedule's noise levels, the nearest of which is "
                f"{self._sigmas[step]:.4f}, found one at {sigma:.4f}; `resample` takes the nearest"
            )
        return step


def _within(sigmas: list[float], own: tuple[NoiseLevel, ...]) -> bool:
    """Whether all of these noise levels are steps of a schedule's own run."""
    return all(
        any(math.isclose(level.sigma, sigma, rel_tol=SAME) for level in own) for sigma in sigmas
    )

"""Timestep and noise level of every U-Net call of a run, as a scheduler of diffusers has them."""

from typing import Any

from .errors import ScheduleError
from .schedule import NoiseLevel


def noise_levels(scheduler: Any) -> list[NoiseLevel]:
    """One level for each call, after `set_timesteps`; σ is the scheduler's own where it has any,
    else that of the model's noise schedule, `sqrt((1 - ᾱ) / ᾱ)`."""
    timesteps = [float(timestep) for timestep in scheduler.timesteps]
    sigmas = getattr(scheduler, "sigmas", None)
    if sigmas is not None and len(sigmas) >= len(timesteps):
        pairs = zip(timesteps, sigmas)
        return [NoiseLevel(timestep, float(sigma)) for timestep, sigma in pairs]
    alphas = getattr(scheduler, "alphas_cumprod", None)
    if alphas is None:
        raise ScheduleError(
            "expected a scheduler with `sigmas` or `alphas_cumprod`, found "
            f"{type(scheduler).__name__}"
        )
    sigmas = ((1.0 - alphas.double()) / alphas.double()).sqrt()
    last = len(sigmas) - 1
    return [
        NoiseLevel(timestep, float(sigmas[min(max(round(timestep), 0), last)]))
        for timestep in timesteps
    ]

"""Schedules of block weights, applied to Stable Diffusion U-Nets.

from unet_reweight import Schedule

schedule = Schedule.load("schedule.toml")
with schedule.applied(pipe):
    image = pipe("a cartoon of a dragon", num_inference_steps=10).images[0]
"""

from .errors import ScheduleError
from .freeu import FreeU
from .run import Run
from .schedule import NoiseLevel, Origin, Schedule, ScheduleModel
from .weights import BlockWeights, Mode
from .window import StepWindow

__all__ = [
    "BlockWeights",
    "FreeU",
    "Mode",
    "NoiseLevel",
    "Origin",
    "Run",
    "Schedule",
    "ScheduleError",
    "ScheduleModel",
    "StepWindow",
]

"""The nodes."""

from pathlib import Path
from typing import Any

from unet_reweight import Schedule

from .patch import patched

#: The type of the connection between the nodes.
SCHEDULE = "UNET_REWEIGHT_SCHEDULE"
CATEGORY = "unet-reweight"
#: What stands for no resampling.
EXACT = "off"


class LoadSchedule:
    """Reads a schedule file, `.toml` or `.json`."""

    RETURN_TYPES = (SCHEDULE,)
    FUNCTION = "load"
    CATEGORY = CATEGORY
    DESCRIPTION = "Reads a schedule of block weights that `unet-reweight` wrote (.toml or .json)."

    @classmethod
    def INPUT_TYPES(cls) -> dict[str, Any]:
        return {"required": {"path": ("STRING", {"default": "schedule.toml"})}}

    @classmethod
    def IS_CHANGED(cls, path: str) -> float:
        try:
            return Path(path).stat().st_mtime
        except OSError:
            return float("nan")

    def load(self, path: str) -> tuple[Schedule]:
        return (Schedule.load(path),)


class ScheduleText:
    """A schedule that is written in the node, as JSON."""

    RETURN_TYPES = (SCHEDULE,)
    FUNCTION = "read"
    CATEGORY = CATEGORY
    DESCRIPTION = "A schedule of block weights as JSON, such as `unet-reweight explain` copies."

    @classmethod
    def INPUT_TYPES(cls) -> dict[str, Any]:
        return {"required": {"json": ("STRING", {"default": "", "multiline": True})}}

    def read(self, json: str) -> tuple[Schedule]:
        return (Schedule.from_json(json),)


class ApplyBlockWeights:
    """A model whose attention blocks are re-weighted as a schedule says."""

    RETURN_TYPES = ("MODEL",)
    FUNCTION = "apply"
    CATEGORY = CATEGORY
    DESCRIPTION = (
        "Re-weights, skips or reuses attention blocks step by step, and applies FreeU, as the "
        "schedule says. `resample` applies it to another number of steps, by noise level; `start` "
        "and `end` are the part of the schedule, as fractions, that is applied."
    )

    @classmethod
    def INPUT_TYPES(cls) -> dict[str, Any]:
        fraction = {"min": 0.0, "max": 1.0, "step": 0.01}
        return {
            "required": {
                "model": ("MODEL",),
                "schedule": (SCHEDULE,),
                "resample": ([EXACT, "nearest", "interpolate"],),
                "start": ("FLOAT", {"default": 0.0, **fraction}),
                "end": ("FLOAT", {"default": 1.0, **fraction}),
            }
        }

    def apply(
        self, model: Any, schedule: Schedule, resample: str, start: float, end: float
    ) -> tuple[Any]:
        if (start, end) != (0.0, 1.0):
            schedule = schedule.within(start, end)
        return (patched(model, schedule, None if resample == EXACT else resample),)


NODE_CLASS_MAPPINGS = {
    "UNetReweightLoadSchedule": LoadSchedule,
    "UNetReweightScheduleText": ScheduleText,
    "UNetReweightApply": ApplyBlockWeights,
}
NODE_DISPLAY_NAME_MAPPINGS = {
    "UNetReweightLoadSchedule": "Load schedule",
    "UNetReweightScheduleText": "Schedule (text)",
    "UNetReweightApply": "Apply block weights",
}

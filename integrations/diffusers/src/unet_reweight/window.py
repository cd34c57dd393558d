"""When, during a run, something is active."""

from dataclasses import dataclass
from typing import Any

from .errors import ScheduleError
from .fields import Fields, number


@dataclass(frozen=True)
class StepWindow:
    """A part of a run, in fractions of its steps: active where `start <= step / steps < end`."""

    start: float = 0.0
    end: float = 1.0

    @classmethod
    def read(cls, value: Any, name: str) -> "StepWindow":
        """A window of a document."""
        fields = Fields(value, name, ("start", "end"))
        return cls(fields.required("start", number), fields.required("end", number))

    def intersection(self, other: "StepWindow") -> "StepWindow":
        """The part that both have in common; none of it where they do not meet."""
        return StepWindow(max(self.start, other.start), min(self.end, other.end))

    def check(self) -> None:
        """Raises `ScheduleError` where it is no part of a run."""
        if not 0.0 <= self.start < self.end <= 1.0:
            raise ScheduleError(
                "expected a window `start, end` with 0 <= start < end <= 1, "
                f"found {self.start}, {self.end}"
            )

    def contains(self, step: int, steps: int) -> bool:
        """Whether step `step` of `steps` lies in it."""
        return self.start <= step / max(steps, 1) < self.end

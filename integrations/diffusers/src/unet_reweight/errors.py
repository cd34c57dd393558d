"""What can go wrong."""


class ScheduleError(ValueError):
    """A schedule that is none, or that does not fit what it is applied to.

    The message says what was expected and what was found, and in which file.
    """

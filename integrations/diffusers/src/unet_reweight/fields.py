"""Fields of a document, read strictly: unknown keys, missing keys and wrong types are refused."""

import math
from collections.abc import Callable, Collection
from typing import Any, TypeVar

from .errors import ScheduleError

T = TypeVar("T")


class Fields:
    """The fields of one table of a document; `name` is the table's place in messages."""

    def __init__(self, value: Any, name: str, known: Collection[str]) -> None:
        if not isinstance(value, dict):
            raise ScheduleError(f"{name}: expected a table, found {_kind(value)}")
        for key in value:
            if key not in known:
                expected = "`, `".join(known)
                raise ScheduleError(f"{name}: unknown key `{key}`, expected one of `{expected}`")
        self._fields, self._name = value, name

    def optional(self, key: str, read: Callable[[Any, str], T]) -> T | None:
        """A field that may be absent (or null, in JSON)."""
        value = self._fields.get(key)
        return None if value is None else read(value, self._place(key))

    def required(self, key: str, read: Callable[[Any, str], T]) -> T:
        """A field that must be there."""
        value = self.optional(key, read)
        if value is None:
            raise ScheduleError(f"{self._name}: expected a key `{key}`, found none")
        return value

    def _place(self, key: str) -> str:
        return f"`{key}`" if self._name == "schedule" else f"{self._name}: `{key}`"


def text(value: Any, name: str) -> str:
    """A string."""
    if not isinstance(value, str):
        raise ScheduleError(f"{name}: expected a string, found {_kind(value)}")
    return value


def number(value: Any, name: str) -> float:
    """A finite number of 0 or more."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise ScheduleError(f"{name}: expected a number, found {_kind(value)}")
    if not math.isfinite(value) or value < 0:
        raise ScheduleError(f"{name}: expected a finite number of 0 or more, found {value}")
    return float(value)


def whole(value: Any, name: str) -> int:
    """A whole number of 0 or more."""
    if isinstance(value, bool) or not isinstance(value, int) or value < 0:
        raise ScheduleError(f"{name}: expected a whole number of 0 or more, found {value!r}")
    return value


def rows_of(read: Callable[[Any, str], T]) -> Callable[[Any, str], list[T]]:
    """A list of what `read` reads."""

    def read_list(value: Any, name: str) -> list[T]:
        if not isinstance(value, list):
            raise ScheduleError(f"{name}: expected a list, found {_kind(value)}")
        return [read(entry, f"{name}[{at}]") for at, entry in enumerate(value)]

    return read_list


def one_of(*choices: str) -> Callable[[Any, str], Any]:
    """One of these words."""

    def read_choice(value: Any, name: str) -> Any:
        if value not in choices:
            expected = "`, `".join(choices)
            raise ScheduleError(f"{name}: expected one of `{expected}`, found {value!r}")
        return value

    return read_choice


def _kind(value: Any) -> str:
    kinds = {dict: "a table", list: "a list", str: "a string", bool: "a truth value"}
    return kinds.get(type(value), "nothing" if value is None else repr(value))

"""What a case is, and which requests of a download it may be about."""

from dataclasses import dataclass, field
from typing import Callable

from hub import DOWNLOAD, WEIGHTS


@dataclass
class Surroundings:
    """Where a download takes place: the hub's address, variables, what stands before the command, and what servers
    heard that should not hear the token."""

    address: str
    variables: list = field(default_factory=list)
    before: list = field(default_factory=list)
    heard: list = field(default_factory=list)


@dataclass
class Case:
    """Which requests are answered how; whether the download should end well, none where either end is right, and
    whether there is a trouble to tell.

    `around` is a context manager that makes the surroundings of a hub, which listens at `bind`; `command` downloads.
    """

    when: Callable | None = None
    fault: Callable | None = None
    well: bool | None = False
    trouble: bool = True
    around: Callable | None = None
    bind: str = "127.0.0.1"
    command: tuple = tuple(DOWNLOAD)


def asking(request):
    """What the hub is asked of a file before it is fetched."""
    return request.command == "HEAD"


def fetching(request):
    """The largest file is fetched."""
    return request.command == "GET" and request.name == WEIGHTS


def fetching_small(request):
    """A file is fetched that is named by git's hash."""
    return request.command == "GET" and request.name == "unet/config.json"


def both(request):
    """The largest file is asked for and fetched."""
    return request.name == WEIGHTS


def used(request):
    """Something is wanted on a connection that brought an answer before."""
    return request.served > 0


def everything(request):
    return True


def first(when, count=1):
    """The first requests of those."""
    return lambda request: when(request) and request.before < count

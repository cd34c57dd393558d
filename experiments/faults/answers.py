"""Answers that stall, are truncated, refuse, redirect or lie."""

from cases import Case, asking, both, everything, fetching, fetching_small, first, used
from hub import COMMIT, WEIGHTS, etag, files

PAGE = b"<!doctype html><title>Log in</title><p>Please log in to the network.</p>\n"
HALF = len(files()[WEIGHTS]) // 2


def say(status, **headers):
    return lambda request: request.say(status, **headers)


def page(request):
    request.say(200, PAGE, Content_Type="text/html")


def nothing(request):
    request.silence()


def stall(at):
    def fault(request):
        request.file(until=at)
        request.silence()
    return fault


def cut(request):
    request.file(until=HALF)
    request.close_connection = True


def cut_then_416(request):
    request.say(416) if request.start else cut(request)


def drip(request):
    """A byte every two seconds."""
    request.head(200, Content_Length=len(request.content), **request.known())
    for at in range(len(request.content)):
        request.send(request.content[at:at + 1])
        if request.server.closing.wait(2):
            break
    request.close_connection = True


def promise(more):
    """Promises more bytes than there are, or fewer."""
    def fault(request):
        request.file(length=len(request.content) - request.start + more)
        request.close_connection = True
    return fault


def other_bytes(request):
    request.file(content=bytes(len(request.content)))


def busy(request):
    request.say((500, 503)[request.before % 2])


def circle(request):
    request.say(302, Location=request.path)


def elsewhere(request):
    """Sends to another server, as a hub does for large files."""
    known = {"X_Repo_Commit": COMMIT, "X_Linked_ETag": f'"{etag(request.name, request.content)}"',
             "X_Linked_Size": len(request.content)}
    request.say(302, Location=request.server.other.address + request.path, **known)


def away(request):
    """Sends to another server, and says nothing of the file."""
    request.say(302, Location=request.server.other.address + request.path)


CASES = {
    "healthy": Case(None, None, well=True, trouble=False),
    "no answer": Case(asking, nothing),
    "no answer on a used connection, once": Case(first(used), nothing, well=None),
    "no answer on a used connection": Case(used, nothing, well=None),
    "no answer to a fetch on a used connection": Case(lambda request: used(request) and not asking(request), nothing,
                                                      well=None),
    "stalls after the headers, once": Case(first(fetching), stall(0), well=True),
    "stalls after the headers": Case(fetching, stall(0)),
    "stalls in the middle, once": Case(first(fetching), stall(HALF), well=True),
    "stalls in the middle": Case(fetching, stall(HALF)),
    "truncated, once": Case(first(fetching), cut, well=True),
    "truncated": Case(fetching, cut),
    "promises more when asked, too": Case(both, promise(9)),
    "promises more": Case(fetching, promise(9)),
    "promises less": Case(fetching, promise(-9)),
    "drips": Case(fetching, drip),
    "other bytes": Case(fetching, other_bytes),
    "other bytes of a small file": Case(fetching_small, other_bytes),
    "page for the answer": Case(asking, page),
    "page for the file": Case(fetching, page),
    "redirects in a circle when asked": Case(asking, circle),
    "redirects in a circle": Case(fetching, circle),
    "redirects large files elsewhere": Case(both, elsewhere, well=True, trouble=False),
    "redirects everything elsewhere": Case(everything, away, well=True, trouble=False),
    "401": Case(everything, say(401)),
    "416 to the rest, once": Case(lambda request: fetching(request) and (request.start or not request.before),
                                  cut_then_416, well=True),
    "416 to the rest": Case(fetching, cut_then_416),
    "429, Retry-After 2, once": Case(first(both), say(429, Retry_After=2), well=True),
    "429, Retry-After 2": Case(everything, say(429, Retry_After=2)),
    "429, Retry-After 3600": Case(everything, say(429, Retry_After=3600)),
    "500 and 503, then well": Case(first(both, 2), busy, well=True),
    "503": Case(everything, say(503)),
    "503 for the file": Case(fetching, say(503)),
}

"""Bodies of answers with wrong lengths, encodings and ranges."""

import gzip
import socket
import struct

from answers import HALF, cut
from cases import Case, asking, both, everything, fetching, fetching_small, first
from heads import KNOWN, LENGTH, OK, raw, trickle

CHUNKED = (OK, *KNOWN, "Transfer-Encoding: chunked")
# How many bytes an endless body has in a second; more than a silent server.
SLOW = 20_000


def packed(request):
    """The file compressed, though it was asked for as it is."""
    content = gzip.compress(request.content, 1)
    raw(OK, *KNOWN, "Content-Encoding: gzip", f"Content-Length: {len(content)}", content=content)(request)


def packed_chunks(request):
    content = gzip.compress(request.content, 1)
    chunk = b"%x\r\n%b\r\n0\r\n\r\n" % (len(content), content)
    raw(*CHUNKED, "Content-Encoding: gzip", content=chunk)(request)


def chunks(*, size=b"%x", end=b"0\r\n\r\n"):
    """The file as a chunk that says its size so, and an end."""
    def fault(request):
        rest = request.content[request.start:]
        raw(*CHUNKED, content=(size % len(rest) if b"%" in size else size) + b"\r\n" + rest + b"\r\n" + end)(request)
    return fault


def endless_size(request):
    """A chunk whose size has no end."""
    raw(*CHUNKED, content=b"")(request)
    trickle(request, iter(lambda: b"0" * (SLOW // 10), None), 0.1)


def lengths(*values):
    """The file with these lengths; `{length}` is the right one."""
    return raw(OK, *KNOWN, *(f"Content-Length: {value}" for value in values))


def endless(*lines):
    """The file, and then more without an end."""
    def fault(request):
        raw(OK, *KNOWN, *lines)(request)
        if request.command != "HEAD":
            trickle(request, iter(lambda: bytes(SLOW // 10), None), 0.1)
    return fault


def part(content_range=None, zeros=False):
    """206 with that range; `{start}`, `{last}` and `{size}` are the right ones. Its bytes may be zeros."""
    def fault(request):
        size = len(request.content)
        content = bytes(size - request.start) if zeros else None
        facts = {"start": request.start, "last": size - 1, "size": size, "more": request.start + 9}
        lines = [f"Content-Range: {content_range.format(**facts)}"] if content_range else []
        raw("HTTP/1.1 206 Partial Content", LENGTH, *KNOWN, *lines, content=content)(request)
    return fault


def after_cut(then):
    """Half of the file; then, where the rest is wanted, something else."""
    return lambda request: then(request) if request.start else cut(request)


def from_the_start(request):
    """The whole file, though the rest was wanted."""
    request.start = 0
    request.file()


def reset(request):
    """Half of the file, then a connection that is reset."""
    request.file(until=HALF)
    request.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    request.connection.close()
    request.close_connection = True


CASES = {
    "reset in the middle, once": Case(first(fetching), reset, well=True),
    "reset in the middle": Case(fetching, reset),
    "gzip": Case(fetching, packed),
    "gzip of a small file": Case(fetching_small, packed),
    "gzip of everything, in chunks": Case(everything, packed_chunks),
    "chunks": Case(fetching, chunks(), well=True, trouble=False),
    "chunks, a size that is none": Case(fetching, chunks(size=b"xyz")),
    "chunks, size -1": Case(fetching, chunks(size=b"-1")),
    "chunks, size 2^64 - 1": Case(fetching, chunks(size=b"ffffffffffffffff")),
    "chunks, size 2^64": Case(fetching, chunks(size=b"10000000000000000")),
    "chunks without an end": Case(fetching, chunks(end=b""), well=None),
    "chunks, a size without an end": Case(fetching, endless_size),
    "Content-Length 0 when asked": Case(asking, lengths(0)),
    "Content-Length 0": Case(fetching, lengths(0)),
    "Content-Length -1": Case(both, lengths(-1), well=None),
    "Content-Length 2^63 when asked": Case(asking, lengths(2**63)),
    "Content-Length 2^63": Case(fetching, lengths(2**63)),
    "Content-Length 2^64 when asked": Case(asking, lengths(2**64), well=None),
    "Content-Length 2^64": Case(fetching, lengths(2**64), well=None),
    "Content-Length of words": Case(both, lengths("many"), well=None),
    "two Content-Lengths, the right one first": Case(both, lengths("{length}", 9), well=None),
    "two Content-Lengths, the right one last": Case(both, lengths(9, "{length}")),
    "no Content-Length": Case(everything, lengths(), well=True, trouble=False),
    "body without end": Case(fetching, endless()),
    "body without end, no length when asked": Case(both, endless(), well=None),
    "206 from the start": Case(everything, part("bytes {start}-{last}/{size}"), well=True, trouble=False),
    "206 without Content-Range": Case(fetching, part()),
    "206 with another start": Case(fetching, part("bytes {more}-{last}/{size}")),
    "206 of another size": Case(fetching, part("bytes {start}-{last}/9")),
    "206 of an unknown size": Case(fetching, part("bytes {start}-{last}/*"), well=True, trouble=False),
    "206 with garbage": Case(fetching, part("elephants 0-/")),
    "206 to the rest, without Content-Range": Case(fetching, after_cut(part())),
    "206 to the rest, with another start": Case(fetching, after_cut(part("bytes {more}-{last}/{size}"))),
    "206 to the rest, with its first bytes": Case(fetching, after_cut(part("bytes 0-{last}/{size}"))),
    "206 to the rest, with other bytes": Case(fetching, after_cut(part("bytes {start}-{last}/{size}", zeros=True))),
    "200 to the rest": Case(fetching, after_cut(from_the_start), well=True),
}

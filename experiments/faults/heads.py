"""Heads of answers that drip, never end, are of another protocol, or lie about a file, its commit or its place."""

from cases import Case, asking, both, everything, fetching, first
from hub import COMMIT, Request, etag

OK, KNOWN = "HTTP/1.1 200 OK", ("X-Repo-Commit: {commit}", 'ETag: "{etag}"')
LENGTH = "Content-Length: {length}"
ELSEWHERE = "Location: {other}{path}"
# A line that `ureq` takes; it takes none above 100 KiB.
LONG = 90_000


def raw(*lines, content=None, cut=False):
    """Sends these lines, then what is wanted of the file, or `content`; a head that is `cut` has no end.

    In the lines `{commit}`, `{etag}`, `{length}` and `{path}` stand for what is known of the file, `{hub}` and
    `{other}` for the servers' addresses, `{place}` for the other's without its scheme.
    """
    def fault(request):
        rest = request.content[request.start:]
        hub, other = request.server.address, request.server.other.address
        facts = {"commit": COMMIT, "etag": etag(request.name, request.content), "length": len(rest),
                 "path": request.path, "hub": hub, "other": other, "place": other.removeprefix("http://")}
        head = "\r\n".join(line.format(**facts) for line in lines)
        request.close_connection = True
        request.wfile.write((head + ("" if cut else "\r\n\r\n")).encode())
        if not cut:
            request.send(rest if content is None else content)
    return fault


def told(*lines):
    """Answers with these lines and the file."""
    return raw(OK, LENGTH, *lines)


def moved(*lines):
    """Says what the file is, and sends elsewhere."""
    return raw("HTTP/1.1 302 Found", "Content-Length: 0", "X-Repo-Commit: {commit}", 'X-Linked-ETag: "{etag}"',
               "X-Linked-Size: {length}", *lines, content=b"")


def sized(size):
    """Says that size of the file, or what becomes of the right one, and sends elsewhere."""
    def fault(request):
        number = size(len(request.content)) if callable(size) else size
        raw("HTTP/1.1 302 Found", "Content-Length: 0", "X-Repo-Commit: {commit}", 'X-Linked-ETag: "{etag}"',
            f"X-Linked-Size: {number}", ELSEWHERE, content=b"")(request)
    return fault


def informed(status):
    """Says something else first, as servers may."""
    def fault(request):
        request.wfile.write(f"HTTP/1.1 {status}\r\n\r\n".encode())
        request.file()
    return fault


def other_commits(request):
    """Each file is of another commit."""
    commit = f"{len(request.server.asked):040x}"
    raw(OK, LENGTH, f"X-Repo-Commit: {commit}", KNOWN[1])(request)


def bare(request):
    """The file without a head."""
    request.close_connection = True
    request.send(request.content)


def drip(request):
    """A head of which a byte comes every two seconds."""
    head = f"{OK}\r\n" + "X-Drip: drip\r\n" * 99
    trickle(request, (head[at:at + 1].encode() for at in range(len(head))), 2)


def endless(line, pause=0.05):
    """A head without an end: this line again and again."""
    def fault(request):
        request.wfile.write(f"{OK}\r\n".encode())
        trickle(request, iter(lambda: line.encode(), None), pause)
    return fault


def trickle(request: Request, parts, pause):
    """Sends part after part until the hub closes."""
    request.close_connection = True
    for part in parts:
        request.wfile.write(part)
        if request.server.closing.wait(pause):
            return


def traverse(header):
    """Names of files that lead out of the folder."""
    return told(*KNOWN, f"{header}: attachment; filename=\"../../../../traversed\"; filename*=UTF-8''..%2Ftraversed")


CASES = {
    "headers drip, once": Case(first(fetching), drip, well=True),
    "headers drip": Case(fetching, drip),
    "headers drip when asked": Case(asking, drip),
    "headers without end": Case(fetching, endless("X-More: more\r\n")),
    "header line without end": Case(fetching, endless("X-More: " + "m" * 4000)),
    "lines without end that are no headers": Case(fetching, endless("no header\r\n")),
    "ends before the status": Case(fetching, raw(cut=True)),
    "ends before the status, once": Case(first(fetching), raw(cut=True), well=True),
    "ends within a header": Case(fetching, raw(OK, "ETag: \"0123", cut=True)),
    "ends within a header, once": Case(first(fetching), raw(OK, "ETag: \"0123", cut=True), well=True),
    "ends within a long header": Case(fetching, raw(OK, "X-More: " + "m" * LONG, cut=True)),
    "garbage when asked": Case(asking, raw("hello", content=b"")),
    "garbage": Case(fetching, raw("hello")),
    "content without a head, as HTTP/0.9": Case(fetching, bare),
    "garbage in the status": Case(fetching, raw("HTTP/1.1 2OO OK", LENGTH, *KNOWN)),
    "status 999": Case(fetching, raw("HTTP/1.1 999 What", LENGTH, *KNOWN)),
    "status 000": Case(fetching, raw("HTTP/1.1 000 What", LENGTH, *KNOWN)),
    "HTTP/1.0": Case(everything, raw("HTTP/1.0 200 OK", LENGTH, *KNOWN), well=True, trouble=False),
    "HTTP/1.0 without lengths": Case(everything, raw("HTTP/1.0 200 OK", *KNOWN), well=True, trouble=False),
    "HTTP/2 in the status": Case(fetching, raw("HTTP/2 200", LENGTH, *KNOWN)),
    # An interim answer is not waited over: that is said, and an end.
    "100 first": Case(everything, informed("100 Continue")),
    "103 first": Case(everything, informed("103 Early Hints")),
    "304 when asked": Case(asking, raw("HTTP/1.1 304 Not Modified", *KNOWN, content=b"")),
    "304": Case(fetching, raw("HTTP/1.1 304 Not Modified", *KNOWN, content=b"")),
    "ETag without quotes": Case(everything, told(KNOWN[0], "ETag: {etag}"), well=True, trouble=False),
    "weak ETag": Case(everything, told(KNOWN[0], 'ETag: W/"{etag}"'), well=True, trouble=False),
    "no ETag": Case(asking, told(KNOWN[0])),
    "empty ETag": Case(asking, told(KNOWN[0], 'ETag: ""')),
    "ETag of 1 MB": Case(asking, told(KNOWN[0], f'ETag: "{"a" * 1_000_000}"')),
    "ETag of 90 kB": Case(asking, told(KNOWN[0], f'ETag: "{"a" * LONG}"')),
    "ETag of 90 kB, not only letters": Case(asking, told(KNOWN[0], f'ETag: "{"a." * (LONG // 2)}"')),
    "ETag of 250 letters": Case(asking, told(KNOWN[0], f'ETag: "{"a" * 250}"')),
    "ETag that leads out": Case(asking, told(KNOWN[0], 'ETag: "../../../../traversed"')),
    "ETag with an escape sequence": Case(asking, told(KNOWN[0], 'ETag: "\x1b[31mred"')),
    "X-Linked-Size with 9 bytes more": Case(both, sized(lambda size: size + 9)),
    "X-Linked-Size with 9 bytes fewer": Case(both, sized(lambda size: size - 9)),
    "X-Linked-Size 0": Case(both, sized(0)),
    "X-Linked-Size -1": Case(both, sized(-1), well=None),
    "X-Linked-Size 2^63": Case(both, sized(2**63)),
    "X-Linked-Size 2^64": Case(both, sized(2**64), well=None),
    "X-Repo-Commit is no hash": Case(asking, told("X-Repo-Commit: main", KNOWN[1])),
    "X-Repo-Commit leads out": Case(asking, told("X-Repo-Commit: ../../../../traversed", KNOWN[1])),
    "X-Repo-Commit of 90 kB": Case(asking, told(f"X-Repo-Commit: {'a' * LONG}", KNOWN[1])),
    "X-Repo-Commit is another for each file": Case(asking, other_commits),
    "Content-Disposition leads out": Case(everything, traverse("Content-Disposition"), well=True, trouble=False),
    "Location file://": Case(fetching, moved("Location: file:///etc/passwd")),
    "Location file://, when asked": Case(asking, raw("HTTP/1.1 302 Found", "Location: file:///etc/passwd",
                                                     content=b"")),
    "no Location": Case(fetching, moved()),
    "Location of 1 MB": Case(fetching, moved(ELSEWHERE + "?" + "a" * 1_000_000)),
    "Location of 90 kB that there is not": Case(fetching, moved("Location: {other}/" + "a" * LONG)),
    "Location of 90 kB that is none": Case(fetching, moved("Location: " + "a" * LONG)),
    "Location with a line break": Case(fetching, moved("Location: {other}\n{path}")),
    "Location with an escape sequence": Case(fetching, moved("Location: \x1b[31mred")),
    "Location that leads up": Case(fetching, moved("Location: /../../../../etc/passwd")),
    "Location beside the file": Case(first(fetching), moved("Location: diffusion_pytorch_model.fp16.safetensors"),
                                     well=None),
    "Location without a scheme": Case(lambda request: fetching(request) and "localhost" not in request.path,
                                      moved("Location: //{place}{path}"), well=None),
    "Location with the hub as a name": Case(fetching, moved("Location: {hub}@{place}{path}"), well=None),
}

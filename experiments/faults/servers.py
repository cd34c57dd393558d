#!/usr/bin/env python3
"""Downloads from servers that stall, truncate, refuse, redirect or lie; then, into the same cache, from a good one.

Usage: servers.py [--list] [--limit 520] [--at-once 4] [--work FOLDER] [CASE…]

Within five seconds of the trouble there must be a line about it, within the limit an end. An end with 0 must leave the
files that the server has, any end no other file under a real name; the second download must end with all of them. The
token must reach the hub and no other server, and be in no output and no file. `--list` names the cases.
"""

import argparse
import concurrent.futures
import hashlib
import pathlib
import re
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
from dataclasses import dataclass
from typing import Callable

from hub import COMMIT, DOWNLOAD, REPOSITORY, WEIGHTS, Hub, etag, files
from runs import fresh, report, start

TOKEN = "hf_aaaaaaaaaaaaaaaa"
# Seconds within which there must be a line about the trouble.
SOON = 5
# Lines that are not about a trouble: the licence, files that are here, paths.
QUIET = re.compile(r": licence |: complete, |: here already$|^/")
PAGE = b"<!doctype html><title>Log in</title><p>Please log in to the network.</p>\n"
HALF = len(files()[WEIGHTS]) // 2


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


def everything(request):
    return True


def first(when, count=1):
    """The first requests of those."""
    return lambda request: when(request) and request.before < count


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


@dataclass
class Case:
    """Which requests are answered how; whether the download should end well, and whether there is a trouble to tell."""

    when: Callable | None
    fault: Callable | None
    well: bool = False
    trouble: bool = True


CASES = {
    "healthy": Case(None, None, well=True, trouble=False),
    "connection refused": Case(None, None),
    "no answer": Case(asking, nothing),
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


def download(home, address, limit, *more):
    """Downloads once; the exit code, none past the limit, and the lines with their times."""
    variables = [f"HF_ENDPOINT={address}", f"HF_TOKEN={TOKEN}"]
    process = start([*variables, *DOWNLOAD, *more], home, text=True)
    timer = threading.Timer(limit, process.kill)
    timer.start()
    lines = [(time.monotonic(), line.rstrip("\n")) for line in process.stdout]
    timer.cancel()
    code = process.wait()
    return None if code == -signal.SIGKILL else code, lines


def wrong_files(home, all_of_them):
    """Files in the cache that are not the server's."""
    folder = home / "hf/hub" / f"models--{REPOSITORY.replace('/', '--')}"
    snapshot, wrong = folder / "snapshots" / COMMIT, []
    for name, content in files().items():
        path = snapshot / name
        if path.is_file() and path.read_bytes() != content:
            wrong.append(f"{name} differs")
        elif all_of_them and not path.is_file():
            wrong.append(f"{name} is missing")
    names = {etag(name, content): hashlib.sha256(content).digest() for name, content in files().items()}
    for path in folder.glob("blobs/*"):
        if path.suffix == ".incomplete":
            wrong += [f"{path.name} is left"] if all_of_them else []
        elif names.get(path.name) != hashlib.sha256(path.read_bytes()).digest():
            wrong.append(f"blob {path.name} differs")
    return wrong


def free_port():
    """A port at which nobody listens."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return listener.getsockname()[1]


def leaks(home, lines, strangers):
    """Where the token is that should not be."""
    found = ["printed"] if any(TOKEN in line for _, line in lines) else []
    found += [f"in {path.name}" for path in home.rglob("*") if path.is_file() and TOKEN.encode() in path.read_bytes()]
    return found + (["sent to another server"] if any(asked[3] for asked in strangers) else [])


def run_case(name, work, limit):
    """One case; a row of results."""
    case, home = CASES[name], fresh(work / re.sub(r"\W+", "-", name))
    with Hub(case.when, case.fault) as hub, Hub(name="localhost") as hub.other, Hub() as well:
        address = f"http://127.0.0.1:{free_port()}" if name == "connection refused" else hub.address
        begun = time.monotonic()
        code, lines = download(home, address, limit, *(["-vvv"] if not case.trouble else []))
        ended = time.monotonic()
        wrong = wrong_files(home, code == 0)
        here = sum(len(content) for content in files().values())
        again, more = download(home, well.address, limit, "-vvv")
        wrong += [f"then: {text}" for text in wrong_files(home, True)] + ([f"then exit {again}"] if again else [])
        token = leaks(home, lines + more, hub.other.asked)
        sent = [asked[3] for asked in hub.asked + well.asked]
        token += ["not sent to the hub"] if any(value != f"Bearer {TOKEN}" for value in sent) else []
        token += ["no other server was asked"] if case.fault in (elsewhere, away) and not hub.other.asked else []
        trouble, fetched = hub.trouble or begun, well.sent
    troubles = [(at, line) for at, line in lines if not QUIET.search(line)] if case.trouble else []
    soon = round(troubles[0][0] - trouble, 1) if troubles else None
    times = [trouble, *(at for at, _ in lines if at > trouble), ended]
    silence = max(later - earlier for earlier, later in zip(times, times[1:]))
    plain = [line.replace(address, "HUB").replace(str(home), "HOME") for _, line in troubles]
    wrong += token
    if code is None:
        wrong.append(f"no end within {limit} s")
    elif code != (0 if case.well else 1):
        wrong.append(f"exit {code}")
    if case.trouble and (soon is None or soon > SOON):
        wrong.append("nothing said soon")
    return {"case": name, "line after": soon, "longest silence": round(silence, 1),
            "end after": round(ended - begun, 1), "exit": code,
            "then fetched": round(fetched / here, 2), "first": plain[0] if plain else "",
            "last": plain[-1] if plain else "", "wrong": wrong}


def main():
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    arguments.add_argument("cases", nargs="*", metavar="CASE", default=list(CASES))
    arguments.add_argument("--limit", type=float, default=520)
    arguments.add_argument("--at-once", type=int, default=4)
    arguments.add_argument("--list", action="store_true")
    arguments.add_argument("--work", type=pathlib.Path)
    chosen = arguments.parse_args()
    if chosen.list:
        return print("\n".join(CASES))
    rows = []
    with tempfile.TemporaryDirectory() as temporary, concurrent.futures.ThreadPoolExecutor(chosen.at_once) as pool:
        work = (chosen.work or pathlib.Path(temporary)).resolve()
        for row in pool.map(lambda name: run_case(name, work, chosen.limit), chosen.cases):
            rows.append(row)
            print(row, flush=True)
        report(work / "servers.jsonl", rows)
    sys.exit(any(row["wrong"] for row in rows))


if __name__ == "__main__":
    main()

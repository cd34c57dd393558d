#!/usr/bin/env python3
"""Downloads from servers that stall, truncate, refuse, redirect or lie; then, into the same cache, from a good one.

Usage: servers.py [--list] [--limit 520] [--at-once 4] [--work FOLDER] [CASE…]

Within five seconds of the trouble there must be a line about it, within the limit an end. An end with 0 must leave the
files that the server has, any end no other file under a real name; the second download must end with all of them. The
token must reach the hub and no other server, and be in no output and no file. No line may be long, have control
characters or tell of a panic. `--list` names the cases; those of a network that goes away want Linux and root, and
those of https the program `openssl`.
"""

import argparse
import concurrent.futures
import contextlib
import hashlib
import pathlib
import re
import signal
import sys
import tempfile
import threading
import time

import answers
import bodies
import heads
import networks
import proxies
from cases import Surroundings
from hub import COMMIT, DOWNLOAD, REPOSITORY, Hub, etag, files
from runs import BIN, fresh, report, start

TOKEN = "hf_aaaaaaaaaaaaaaaa"
# Seconds within which there must be a line about the trouble.
SOON = 5
# Lines that are not about a trouble: the licence, files that are here, paths.
QUIET = re.compile(r": licence |: complete, |: here already$|^/")
# No line is longer.
LONGEST = 2000
CASES = answers.CASES | heads.CASES | bodies.CASES | networks.CASES | proxies.CASES


def download(home, around, limit, command, *more):
    """Downloads once; the exit code, none past the limit, and the lines with their times."""
    variables = [f"HF_ENDPOINT={around.address}", f"HF_TOKEN={TOKEN}", *around.variables]
    command = [*around.before, BIN / command[0], *command[1:], *more]
    process = start([*variables, *command], home, text=True, errors="backslashreplace")
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
    checkpoints = [path for path in (home / "torch").rglob("*") if path.is_file() and not path.name.startswith(".")]
    wrong += [f"checkpoint {path.name}" for path in checkpoints if path.suffix != ".incomplete"]
    names = {etag(name, content): hashlib.sha256(content).digest() for name, content in files().items()}
    for path in folder.glob("blobs/*"):
        if path.suffix == ".incomplete":
            wrong += [f"{path.name} is left"] if all_of_them else []
        elif names.get(path.name) != hashlib.sha256(path.read_bytes()).digest():
            wrong.append(f"blob {path.name} differs")
    return wrong


def leaks(home, lines, strangers, heard):
    """Where the token is that should not be."""
    found = ["printed"] if any(TOKEN in line for _, line in lines) else []
    found += [f"in {path.name}" for path in home.rglob("*") if path.is_file() and TOKEN.encode() in path.read_bytes()]
    sent = any(TOKEN in (asked[3] or "") for asked in strangers) or TOKEN.encode() in b"".join(heard)
    return found + (["sent to another server"] if sent else [])


def strange(lines):
    """What is wrong with what was said."""
    said = [line for _, line in lines]
    found = ["panic"] if any("panicked" in line for line in said) else []
    found += [f"a line of {longest} characters"] if (longest := max(map(len, said), default=0)) > LONGEST else []
    return found + (["a control character"] if any(not line.replace("\t", " ").isprintable() for line in said) else [])


def run_case(name, work, limit):
    """One case; a row of results."""
    case, home = CASES[name], fresh(work / re.sub(r"\W+", "-", name))
    with contextlib.ExitStack() as stack:
        hub = stack.enter_context(Hub(case.when, case.fault, bind=case.bind))
        hub.other, well = stack.enter_context(Hub(name="localhost")), stack.enter_context(Hub())
        around = stack.enter_context(case.around(hub)) if case.around else Surroundings(hub.address)
        begun = time.monotonic()
        code, lines = download(home, around, limit, case.command, *(["-vvv"] if not case.trouble else []))
        ended = time.monotonic()
        wrong = wrong_files(home, code == 0 and case.command == tuple(DOWNLOAD))
        here = sum(len(content) for content in files().values())
        again, more = download(home, Surroundings(well.address), limit, DOWNLOAD, "-vvv")
        wrong += [f"then: {text}" for text in wrong_files(home, True)] + ([f"then exit {again}"] if again else [])
        token = leaks(home, lines + more, hub.other.asked, around.heard)
        sent = [asked[3] for asked in hub.asked + well.asked]
        token += ["not sent to the hub"] if any(value != f"Bearer {TOKEN}" for value in sent) else []
        moved = case.fault in (answers.elsewhere, answers.away)
        token += ["no other server was asked"] if moved and not hub.other.asked else []
        trouble, fetched = hub.trouble or begun, well.sent
    told = (lambda line: not QUIET.search(line)) if case.trouble else (lambda line: line.startswith("error: "))
    troubles = [(at, line) for at, line in lines if told(line)]
    soon = round(troubles[0][0] - trouble, 1) if troubles else None
    times = [trouble, *(at for at, _ in lines if at > trouble), ended]
    silence = max(later - earlier for earlier, later in zip(times, times[1:]))
    plain = [line.replace(around.address, "HUB").replace(str(home), "HOME")[:LONGEST // 4] for _, line in troubles]
    wrong += token + strange(lines)
    if code is None:
        wrong.append(f"no end within {limit} s")
    elif code not in (0, 1) or case.well is not None and case.well != (code == 0):
        wrong.append(f"exit {code}")
    if case.trouble and (case.well is not None or code) and (soon is None or soon > SOON):
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

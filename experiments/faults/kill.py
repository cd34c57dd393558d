#!/usr/bin/env python3
"""Kills commands at random moments, lets them go on, and compares their results with those of a run that was left alone.

Usage: kill.py [--moments 20] [--seed 1] [--work FOLDER] [SUBJECT…]

A moment is an amount of processor time, of commands that wait for others of time by the clock, drawn evenly from 0 to
most of what the whole command takes; a command is killed and started again until it ends by itself, then it is compared
and a new one begins, until there were as many moments.
"""

import argparse
import os
import pathlib
import random
import sys
import tempfile
import time

from runs import difference, kill_after, report, run, start, tree
from subjects import ALL, WAITING, folder_of

# Of the time that the whole takes; below 1, so that most runs are killed.
SHARE = 0.8


def whole(name, work):
    """The results of a run that is left alone, and the time it took, as moments are measured."""
    folder = folder_of(work, f"{name}-whole")
    begun = time.monotonic()
    process = start(ALL[name](folder), work / "home", stdout=(folder / "said").open("wb"))
    _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode != 0:
        sys.exit(f"{name}: {(folder / 'said').read_text()[-2000:]}")
    taken = time.monotonic() - begun if name in WAITING else usage.ru_utime + usage.ru_stime
    return tree(folder / "out"), taken


def subject(name, work, moments, seed):
    """Kills one subject; a row of results."""
    draws = random.Random(f"{seed} {name}")
    expected, taken = whole(name, work)
    killed, ends, wrong, begun = 0, 0, [], time.monotonic()
    while killed < moments:
        folder = folder_of(work, name)
        command = ALL[name](folder)
        here = 0
        while True:
            process = start(command, work / "home", stdout=(folder / "said").open("wb"))
            if killed >= moments:
                process.wait()
            elif kill_after(process, draws.uniform(0, SHARE * taken), name in WAITING):
                killed, here = killed + 1, here + 1
                continue
            if process.returncode != 0:
                wrong.append(f"after {here} kills: {(folder / 'said').read_text()[-500:]}")
            break
        ends += 1
        if names := difference(expected, tree(folder / "out")):
            wrong.append(f"after {here} kills differ: {names[:5]}")
    row = {"subject": name, "moments": killed, "runs": ends, "files": len(expected), "seconds": round(taken, 2),
           "wall": round(time.monotonic() - begun), "wrong": wrong}
    print(row, flush=True)
    return row


def main():
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("subjects", nargs="*", metavar="SUBJECT", default=list(ALL))
    arguments.add_argument("--moments", type=int, default=20)
    arguments.add_argument("--seed", type=int, default=1)
    arguments.add_argument("--work", type=pathlib.Path)
    chosen = arguments.parse_args()
    with tempfile.TemporaryDirectory() as temporary:
        work = (chosen.work or pathlib.Path(temporary)).resolve()
        rows = [subject(name, work, chosen.moments, chosen.seed) for name in chosen.subjects]
        report(work / "kill.jsonl", rows)
    sys.exit(any(row["wrong"] for row in rows))


if __name__ == "__main__":
    main()

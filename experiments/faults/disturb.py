#!/usr/bin/env python3
"""Disturbs commands by their surroundings, and compares what they end with to an undisturbed run. Linux, as root.

Usage: disturb.py [--flips 10] [--only KIND]… [--seed 1] [--work FOLDER] [SUBJECT…]

twice      two processes with the same folder at once
full       a disk that is full at a random point; then the same command with room
read-only  a folder that cannot be written
times      file times in 1970 and 2100, between a kill and going on
clock      a clock that jumps by years, back and forth, all the time (Debian's package `faketime`)
flips      one random bit flipped in every file that a killed run has left, then the same command

A command that a disturbance stops must say which file, and must not panic; one that ends with 0 must have the results of
an undisturbed run.
"""

import argparse
import itertools
import os
import pathlib
import random
import subprocess
import sys
import tempfile

from kill import whole
from runs import difference, fresh, kill_after, report, run, start, tree
from subjects import ALL, WAITING, folder_of

SHARE = 0.7


def judged(code, said, expected, folder):
    """What became of a command: `same`, `said` (an error that names a file), or what is wrong."""
    if code == 0:
        names = difference(expected, tree(folder / "out"))
        return f"differs: {names[:5]}" if names else "same"
    if code in (1, 2) and "panicked" not in said and "`" in said:
        return "said"
    return f"exit {code}: {said[-300:]}"


def twice(name, work, expected, taken, draws, flips):
    folder = folder_of(work, name)
    command = ALL[name](folder)
    both = [start(command, work / "home") for _ in range(2)]
    ended = [(process.communicate()[0].decode(errors="replace"), process.returncode) for process in both]
    rows = [judged(code, said, expected, folder) for said, code in ended]
    return rows + [judged(*run(command, work / "home"), expected, folder)]


def full(name, work, expected, taken, draws, flips):
    rows = []
    folder = fresh(work / f"{name}-full")
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=64m", "tmpfs", folder], check=True)
    try:
        command = ALL[name](folder)
        filler = folder / "filler"
        for left in [0, 4 << 10, draws.randrange(8 << 10, 64 << 10)]:
            filler.unlink(missing_ok=True)
            free = os.statvfs(folder)
            filler.write_bytes(b"0" * max(0, free.f_bavail * free.f_bsize - left))
            rows.append(judged(*run(command, work / "home"), expected, folder))
        filler.unlink()
        rows.append(judged(*run(command, work / "home"), expected, folder))
        left = [str(path) for path in (folder / "out").rglob("*") if path.name.endswith((".tmp", ".partial"))]
        return rows + ([f"left behind: {left}"] if left else [])
    finally:
        subprocess.run(["umount", folder], check=True)


def read_only(name, work, expected, taken, draws, flips):
    folder = fresh(work / f"{name}-read-only")
    subprocess.run(["mount", "-t", "tmpfs", "tmpfs", folder], check=True)
    try:
        command = ALL[name](folder)
        subprocess.run(["mount", "-o", "remount,ro", folder], check=True)
        stopped = judged(*run(command, work / "home"), expected, folder)
        subprocess.run(["mount", "-o", "remount,rw", folder], check=True)
        return [stopped, judged(*run(command, work / "home"), expected, folder)]
    finally:
        subprocess.run(["umount", folder], check=True)


def killed(name, work, taken, draws):
    """A folder as a kill leaves it, and the command."""
    folder = folder_of(work, name)
    command = ALL[name](folder)
    process = start(command, work / "home", stdout=subprocess.DEVNULL)
    kill_after(process, draws.uniform(0.3, 1) * SHARE * taken, name in WAITING)
    return folder, command


def times(name, work, expected, taken, draws, flips):
    rows = []
    for year in (0, 4102444800):
        folder, command = killed(name, work, taken, draws)
        for path in folder.rglob("*"):
            os.utime(path, (year, year))
        rows.append(judged(*run(command, work / "home"), expected, folder))
    return rows


def clock(name, work, expected, taken, draws, flips):
    libraries = sorted(pathlib.Path("/usr/lib").glob("*/faketime/libfaketimeMT.so.1"))
    if not libraries:
        return ["no libfaketime"]
    rows = []
    for jumps in (["-30y", "+0"], ["+70y", "+0"], ["-3y", "+3y"]):
        folder = folder_of(work, name)
        shown = folder / "clock"
        shown.write_text("+0")
        # What only goes forward, as pauses and time limits need it, goes on doing so.
        jumping = [f"LD_PRELOAD={libraries[0]}", f"FAKETIME_TIMESTAMP_FILE={shown}", "FAKETIME_NO_CACHE=1",
                   "FAKETIME_DONT_FAKE_MONOTONIC=1", "NO_FAKE_STAT=1"]
        process = start([*jumping, *ALL[name](folder)], work / "home", stdout=(folder / "said").open("wb"))
        for jump in itertools.cycle(jumps):
            aside = folder / "clock.next"
            aside.write_text(jump)
            aside.rename(shown)
            try:
                process.wait(timeout=0.2)
                break
            except subprocess.TimeoutExpired:
                pass
        said = (folder / "said").read_text(errors="replace")
        rows.append(judged(process.returncode, said, expected, folder))
    return rows


def flips(name, work, expected, taken, draws, flips):
    rows = []
    for _ in range(flips):
        folder, command = killed(name, work, taken, draws)
        files = [path for path in sorted(folder.rglob("*")) if path.is_file() and path.stat().st_size
                 and not str(path.relative_to(folder)).startswith(("data", "recipe", "experiment", "said"))]
        for path in files:
            content = bytearray(path.read_bytes())
            content[draws.randrange(len(content))] ^= 1 << draws.randrange(8)
            path.write_bytes(content)
        verdict = judged(*run(command, work / "home"), expected, folder)
        rows.append(verdict if files else "nothing to flip")
    return rows


DISTURBANCES = {"twice": twice, "full": full, "read-only": read_only, "times": times, "clock": clock,
                "flips": flips}


def main():
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    arguments.add_argument("subjects", nargs="*", metavar="SUBJECT", default=list(ALL))
    arguments.add_argument("--flips", type=int, default=10)
    arguments.add_argument("--only", action="append", choices=DISTURBANCES, default=[])
    arguments.add_argument("--seed", type=int, default=1)
    arguments.add_argument("--work", type=pathlib.Path)
    chosen = arguments.parse_args()
    rows = []
    with tempfile.TemporaryDirectory() as temporary:
        work = (chosen.work or pathlib.Path(temporary)).resolve()
        for name in chosen.subjects:
            expected, taken = whole(name, work)
            for kind in chosen.only or DISTURBANCES:
                draws = random.Random(f"{chosen.seed} {name} {kind}")
                verdicts = DISTURBANCES[kind](name, work, expected, taken, draws, chosen.flips)
                rows.append({"subject": name, "disturbance": kind, "verdicts": verdicts})
                print(rows[-1], flush=True)
        report(work / "disturb.jsonl", rows)
    wrong = [row for row in rows if set(row["verdicts"]) - {"same", "said", "nothing to flip"}]
    sys.exit(bool(wrong))


if __name__ == "__main__":
    main()

"""What the scripts of this folder share: programs, folders, and whether two of them are the same."""

import hashlib
import json
import os
import pathlib
import re
import shutil
import signal
import subprocess
import time

ROOT = pathlib.Path(__file__).resolve().parents[2]
BIN = pathlib.Path(os.environ.get("FAULTS_BIN", ROOT / "target/debug"))
# What is measured with a clock, in results that are otherwise the same in every run: keys of JSON and TOML; of the page
# of `explain`, what skipping a block saves.
TIMES = re.compile(
    rb'("?(?:milli)?seconds"?\s*[:=]\s*)[-+.e\d]+'
    rb'|("whole":\s*)[-+.e\d]+'
    rb'|("saved":\s*)\[[^\]]*\]'
    rb'|(saves |saved if skipped, )(?:[.\d]+ )?of [.\d]+'
    rb'|(<td>)-?[.\d]+(?=</td>)'
)
TEXTS = {".json", ".toml", ".csv", ".html", ".svg", ".md"}


def environment(home):
    """An environment with caches of its own."""
    own = {key: os.environ[key] for key in ("PATH", "LANG", "LD_LIBRARY_PATH") if key in os.environ}
    return own | {
        "HOME": str(home),
        "XDG_CACHE_HOME": str(home / "cache"),
        "HF_HOME": str(home / "hf"),
        "TORCH_HOME": str(home / "torch"),
        "UNET_REWEIGHT_MODELS": str(ROOT / "models"),
        "RAYON_NUM_THREADS": "2",
    }


def start(command, home, **more):
    """Starts one of the programs in the repository; variables may stand before it, as in a shell: `NAME=value`."""
    words = list(map(str, command))
    at = next(place for place, word in enumerate(words) if "=" not in word)
    variables = dict(word.split("=", 1) for word in words[:at])
    command = [str(BIN / words[at]), *words[at + 1:]]
    more = {"stdout": subprocess.PIPE, "stderr": subprocess.STDOUT, "cwd": ROOT} | more
    return subprocess.Popen(command, env=environment(home) | variables, **more)


def run(command, home, **more):
    """Runs one of the programs to its end; its exit code and what it said."""
    process = start(command, home, **more)
    said, _ = process.communicate()
    return process.returncode, (said or b"").decode(errors="replace")


def processor_time(process):
    """Seconds of processor time that a running process has taken; None once it has ended."""
    if process.poll() is not None:
        return None
    try:
        words = pathlib.Path(f"/proc/{process.pid}/stat").read_text().rpartition(")")[2].split()
    except (FileNotFoundError, ProcessLookupError):
        return None
    return (int(words[11]) + int(words[12])) / os.sysconf("SC_CLK_TCK")


def kill_after(process, seconds, by_clock=False):
    """Kills a process once it has taken so much processor time, or once so much time has passed; whether it was still
    running."""
    begun = time.monotonic()
    while (taken := processor_time(process)) is not None:
        if (time.monotonic() - begun if by_clock else taken) >= seconds:
            process.send_signal(signal.SIGKILL)
            process.wait()
            return process.returncode == -signal.SIGKILL
        time.sleep(0.005)
    return False


def tree(folder):
    """Relative paths and hashes of all files; times in texts count as equal."""
    hashes = {}
    for path in sorted(folder.rglob("*")):
        if path.is_file():
            content = path.read_bytes()
            if path.suffix in TEXTS:
                content = TIMES.sub(b"", content)
            hashes[str(path.relative_to(folder))] = hashlib.sha256(content).hexdigest()
    return hashes


def difference(expected, found):
    """The names of files that differ."""
    return sorted(name for name in expected.keys() | found.keys() if expected.get(name) != found.get(name))


def fresh(folder):
    """An empty folder."""
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    return folder


def report(path, rows):
    """Writes results as JSON, one object per line."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))

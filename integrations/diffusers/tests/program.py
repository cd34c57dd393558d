"""The program `unet-reweight`, whose results the package must give again."""

import json
import os
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).resolve().parents[3]
SHIPPED = ROOT / "models" / "emoji-sd"
PROMPT = "a cartoon of a dragon"
GUIDANCE = 3.0


def program() -> str:
    """`UNET_REWEIGHT`, else what this checkout built, else what is installed."""
    built = [ROOT / "target" / profile / "unet-reweight" for profile in ("release", "debug")]
    found = [os.environ.get("UNET_REWEIGHT"), *(str(path) for path in built if path.is_file())]
    chosen = next(filter(None, found), None) or shutil.which("unet-reweight")
    if chosen is None:
        pytest.skip("no program: `cargo build -p cli`, or name one in UNET_REWEIGHT")
    return chosen


@dataclass
class Generated:
    """Initial noise and last latents, `[1, channels, height, width]`."""

    noise: Any
    latents: Any


def generate(
    folder: Path, model: Path, schedule: dict[str, Any] | None, *options: str
) -> Generated:
    """What the program makes of the prompt under a schedule, in 10 steps unless `options` differ."""
    from safetensors.torch import load_file

    command = [program(), "generate", PROMPT, "--model", str(model), "--guidance", str(GUIDANCE)]
    command += ["--out", str(folder), "--save-latents", "--seeds", "7", *options]
    if "--steps" not in options:
        command += ["--steps", "10"]
    if schedule is not None:
        path = folder / "schedule.json"
        path.write_text(json.dumps(schedule), encoding="utf-8")
        command += ["--weights", str(path)]
    subprocess.run(command, check=True, capture_output=True, text=True)
    return Generated(**load_file(folder / "latents.safetensors"))

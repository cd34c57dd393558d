"""Schedules that together use every part of the format."""

import random

STEPS = 10


def weights(blocks: int, seed: int = 0) -> list[list[float]]:
    """Weights from 0.9 to 1.15."""
    draw = random.Random(seed)
    return [[round(draw.uniform(0.9, 1.15), 3) for _ in range(blocks)] for _ in range(STEPS)]


def freeu(**others) -> dict:
    """Published factors for SD 2.1."""
    return {"b1": 1.4, "b2": 1.6, "s1": 0.9, "s2": 0.2, **others}


def _skips(blocks: int) -> dict:
    """A block is skipped by its threshold at every other step, another by its mode."""
    thresholds = [[1.5 * (block == step % 2) for block in range(blocks)] for step in range(STEPS)]
    modes = [
        ["skip" if block == blocks - 1 and step > 6 else "run" for block in range(blocks)]
        for step in range(STEPS)
    ]
    return {"weights": weights(blocks), "thresholds": thresholds, "modes": modes}


def _reuse(blocks: int) -> dict:
    """Every block reuses at some steps what it added before, beyond a skip too."""

    def mode(step: int, block: int) -> str:
        at = (step + block) % 4
        return "run" if step < 2 or at < 2 else ("skip" if at == 2 and block % 2 else "reuse")

    modes = [[mode(step, block) for block in range(blocks)] for step in range(STEPS)]
    return {"weights": weights(blocks, 1), "modes": modes}


def schedules(blocks: int) -> dict[str, dict | None]:
    """By name; `None` is the model as it is."""
    return {
        "vanilla": None,
        "weights": {"blocks": {"weights": weights(blocks)}},
        "skips": {"blocks": _skips(blocks)},
        "reuse": {"blocks": _reuse(blocks)},
        "freeu": {"freeu": freeu()},
        "freeu-zero": {"freeu": freeu(s2=0.0)},
        "freeu-channels-late": {
            "freeu": freeu(gating="channels", form="adaptive", window={"start": 0.45, "end": 1.0})
        },
        "weights-and-freeu": {"blocks": {"weights": weights(blocks)}, "freeu": freeu()},
    }

"""A schedule made for some steps, applied to others."""

import math
from typing import Literal

from .errors import ScheduleError
from .weights import BlockWeights

#: How weights are taken from the steps of a schedule to those of a run: those of the step whose
#: noise level is nearest, or between the two steps around; whether a block runs is always that of
#: the nearest.
Resampling = Literal["nearest", "interpolate"]

#: Noise levels below this count as this: what is left of the noise cannot be told.
LEAST_SIGMA = 1e-6


def positions(sigmas: list[float]) -> list[float]:
    """Where steps of these noise levels lie, ascending: by the logarithm of σ."""
    return [-math.log(max(sigma, LEAST_SIGMA)) for sigma in sigmas]


def fractions(steps: int) -> list[float]:
    """Where steps lie whose noise levels are not known: by the fraction of the run."""
    return [(step + 0.5) / steps for step in range(steps)]


def around(at: float, steps: list[float]) -> tuple[int, int, float]:
    """The steps around a position, and how far it is from the first to the second."""
    after = next((step for step, place in enumerate(steps) if place >= at), len(steps) - 1)
    if after == 0 or steps[after] <= at:
        return after, after, 0.0
    low, high = steps[after - 1], steps[after]
    return after - 1, after, (at - low) / (high - low)


def nearest(at: float, steps: list[float]) -> int:
    """The step nearest to a position; of two as near the later."""
    low, high, share = around(at, steps)
    return low if share < 0.5 else high


def resampled_weights(
    blocks: BlockWeights, own: list[float], run: list[float], how: Resampling
) -> BlockWeights:
    """The weights for steps at the positions `run`, of those at `own` (each ascending)."""
    if how not in ("nearest", "interpolate"):
        raise ScheduleError(f"expected to resample `nearest` or `interpolate`, found {how!r}")
    weights = []
    for at in run:
        low, high, share = around(at, own)
        if how == "nearest":
            low, share = nearest(at, own), 0.0
        rows = zip(blocks.weights[low], blocks.weights[high])
        weights.append([first + (second - first) * share for first, second in rows])
    steps = [nearest(at, own) for at in run]
    modes = [[blocks.mode(step, block) for block in range(blocks.blocks)] for step in steps]
    return BlockWeights(weights, modes=modes)

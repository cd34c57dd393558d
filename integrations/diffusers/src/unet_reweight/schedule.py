"""A schedule: what is done, to which blocks of which model, at which noise levels, and where it
comes from. The format of `unet-reweight`, version 1, in TOML or JSON."""

import json
import math
import tomllib
from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from .errors import ScheduleError
from .fields import Fields, number, rows_of, text, whole
from .freeu import FreeU
from .resample import Resampling, fractions, positions, resampled_weights
from .weights import BlockWeights
from .window import StepWindow

#: The version of the format that is read.
VERSION = 1


@dataclass(frozen=True)
class NoiseLevel:
    """Training timestep and noise level σ of a step, both 0 or more."""

    timestep: float
    sigma: float

    @classmethod
    def read(cls, value: Any, name: str) -> "NoiseLevel":
        """A level of a document."""
        fields = Fields(value, name, ("timestep", "sigma"))
        return cls(fields.required("timestep", number), fields.required("sigma", number))


@dataclass(frozen=True)
class ScheduleModel:
    """A model by its name and the SHA-256 of its files, in hexadecimal.

    The hash is of the files as `unet-reweight` reads them: a loaded pipeline does not know it.
    """

    name: str | None = None
    sha256: str | None = None

    @classmethod
    def read(cls, value: Any, name: str) -> "ScheduleModel":
        """A model of a document."""
        fields = Fields(value, name, ("name", "sha256"))
        return cls(fields.optional("name", text), fields.optional("sha256", text))


@dataclass(frozen=True)
class Origin:
    """How a schedule was made: method, prompt, noise seeds, and what it took."""

    method: str
    prompt: str | None = None
    seeds: tuple[int, ...] = ()
    unet_samples: int | None = None
    seconds: float | None = None

    @classmethod
    def read(cls, value: Any, name: str) -> "Origin":
        """An origin of a document."""
        fields = Fields(value, name, ("method", "prompt", "seeds", "unet_samples", "seconds"))
        return cls(
            fields.required("method", text),
            fields.optional("prompt", text),
            tuple(fields.optional("seeds", rows_of(whole)) or ()),
            fields.optional("unet_samples", whole),
            fields.optional("seconds", number),
        )


@dataclass(frozen=True)
class Schedule:
    """Weights of the attention blocks, FreeU, or both, and what they are of.

    `paths` are diffusers' paths of the blocks (`down_blocks.0`, `mid_block`), in the order of the
    columns; `levels` are the steps' noise levels, which fall.
    """

    blocks: BlockWeights | None = None
    freeu: FreeU | None = None
    paths: tuple[str, ...] | None = None
    levels: tuple[NoiseLevel, ...] | None = None
    model: ScheduleModel | None = None
    origin: Origin | None = None

    def __post_init__(self) -> None:
        if self.blocks is None and self.freeu is None:
            raise ScheduleError("expected `blocks` or `freeu`, found neither")
        if self.blocks is None:
            return
        if self.paths is not None and len(self.paths) != self.blocks.blocks:
            raise ScheduleError(
                f"`paths`: expected {self.blocks.blocks}, one per block, found {len(self.paths)}"
            )
        if self.levels is None:
            return
        if len(self.levels) != self.blocks.steps:
            raise ScheduleError(
                f"`steps`: expected {self.blocks.steps}, one per row, found {len(self.levels)}"
            )
        for step, (level, after) in enumerate(zip(self.levels, self.levels[1:])):
            if level.sigma < after.sigma:
                raise ScheduleError(
                    f"`steps`: expected falling noise levels, found a rise at {step}"
                )

    @classmethod
    def load(cls, path: str | Path) -> "Schedule":
        """Reads a schedule file, `.toml` or `.json`.

        Raises `ScheduleError` naming the file and what is wrong with it, `OSError` where it cannot
        be read. The YAML of the paper's authors is read by `unet-reweight` only.
        """
        path = Path(path)
        readers: dict[str, Callable[[str], Any]] = {".toml": tomllib.loads, ".json": _parsed}
        if path.suffix not in readers:
            raise ScheduleError(f"`{path}`: expected a file `.toml` or `.json`")
        try:
            return cls.from_document(readers[path.suffix](path.read_text(encoding="utf-8")))
        except ValueError as error:
            raise ScheduleError(f"`{path}`: {error}") from error

    @classmethod
    def from_json(cls, document: str) -> "Schedule":
        """The schedule that a text in JSON holds; raises `ScheduleError`."""
        try:
            return cls.from_document(_parsed(document))
        except ValueError as error:
            raise ScheduleError(str(error)) from error

    @classmethod
    def from_document(cls, document: Any) -> "Schedule":
        """The schedule that a parsed TOML or JSON text holds; raises `ScheduleError`."""
        known = ("version", "paths", "model", "origin", "steps", "blocks", "freeu")
        fields = Fields(document, "schedule", known)
        version = fields.optional("version", whole)
        if version not in (None, VERSION):
            raise ScheduleError(f"expected version {VERSION}, found {version}")
        paths = fields.optional("paths", rows_of(text))
        levels = fields.optional("steps", rows_of(NoiseLevel.read))
        return cls(
            blocks=fields.optional("blocks", BlockWeights.read),
            freeu=fields.optional("freeu", FreeU.read),
            paths=None if paths is None else tuple(paths),
            levels=None if levels is None else tuple(levels),
            model=fields.optional("model", ScheduleModel.read),
            origin=fields.optional("origin", Origin.read),
        )

    def check_paths(self, paths: list[str]) -> None:
        """Raises `ScheduleError` where its columns are not these blocks."""
        if self.blocks is not None and self.paths is None and self.blocks.blocks != len(paths):
            raise ScheduleError(
                f"the schedule has {self.blocks.blocks} blocks, expected {len(paths)}: "
                f"`{'`, `'.join(paths)}`"
            )
        own = paths if self.paths is None else list(self.paths)
        for at in range(max(len(own), len(paths))):
            expected, found = ((names[at : at + 1] or ["none"])[0] for names in (paths, own))
            if expected != found:
                raise ScheduleError(
                    f"the schedule is for other blocks: expected `{expected}` as block {at}, "
                    f"found `{found}`"
                )

    def within(self, start: float, end: float) -> "Schedule":
        """The same where `start <= step / steps < end`; elsewhere the U-Net stays as it is.

        Raises `ScheduleError` for a window that is none, or without a step, and where a residual
        would be reused whose step lies outside.
        """
        window = StepWindow(start, end)
        window.check()
        blocks, freeu = self.blocks, self.freeu
        if blocks is not None:
            inside = [window.contains(step, blocks.steps) for step in range(blocks.steps)]
            if not any(inside):
                raise ScheduleError(f"the window {start}, {end} holds none of {blocks.steps} steps")
            modes = [
                [blocks.mode(step, at) for at in range(blocks.blocks)]
                for step in range(blocks.steps)
            ]
            blocks = BlockWeights(
                [row if kept else [1.0] * len(row) for row, kept in zip(blocks.weights, inside)],
                modes=[row if kept else ["run"] * len(row) for row, kept in zip(modes, inside)],
            )
        if freeu is not None:
            freeu = replace(freeu, window=freeu.window.intersection(window))
        return replace(self, blocks=blocks, freeu=freeu)

    def resampled(self, levels: list[NoiseLevel], how: Resampling) -> "Schedule":
        """The schedule for a run at these noise levels, by the logarithm of σ; where its own levels
        are not known, both runs are compared by the fraction that is done.

        Raises `ScheduleError` where a residual would be reused whose step falls away.
        """
        if self.blocks is None or not levels or self.levels == tuple(levels):
            return self
        if self.levels is None:
            own, run = fractions(self.blocks.steps), fractions(len(levels))
        else:
            own = positions([level.sigma for level in self.levels])
            run = positions([level.sigma for level in levels])
        blocks = resampled_weights(self.blocks, own, run, how)
        return replace(self, blocks=blocks, levels=tuple(levels))

    def is_at(self, levels: list[NoiseLevel]) -> bool:
        """Whether its steps lie at these noise levels, to 0.1 %, or it does not say where."""
        if self.levels is None:
            return True
        pairs = zip((level.sigma for level in self.levels), (level.sigma for level in levels))
        return all(math.isclose(own, run, rel_tol=1e-3, abs_tol=1e-6) for own, run in pairs)

    def applied(
        self, pipe: Any, *, resample: Resampling | None = None
    ) -> AbstractContextManager[Any]:
        """Applies it to a Stable Diffusion pipeline of diffusers as long as the context lasts.

        Without `resample`, a run of another number of U-Net calls is refused. Raises
        `ScheduleError` where the pipeline has other blocks, at once, or where a run has other steps,
        when it begins. The model's hash is not checked: a loaded pipeline does not know its files.
        """
        from .pipeline import applied

        return applied(self, pipe, resample)


def _parsed(document: str) -> Any:
    def unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        keys = [key for key, _ in pairs]
        for key in keys:
            if keys.count(key) > 1:
                raise ScheduleError(f"key `{key}` is given twice")
        return dict(pairs)

    return json.loads(document, object_pairs_hook=unique)

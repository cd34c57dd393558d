"""FreeU (Si et al., *FreeU: Free Lunch in Diffusion U-Net*, arXiv 2309.11497)."""

import math
from dataclasses import dataclass, field
from functools import lru_cache
from typing import TYPE_CHECKING, Any, Literal

from .errors import ScheduleError
from .fields import Fields, number, one_of
from .window import StepWindow

if TYPE_CHECKING:
    from torch import Tensor, device


@dataclass(frozen=True)
class FreeU:
    """Scales half of the backbone features of the first two decoder stages by `b1` and `b2`, and
    the lowest frequencies of their skip connections by `s1` and `s2`; all factors 0 or more.

    `gating` says which layers are meant: `resolution`, those of the first and the second up block
    (diffusers), or `channels`, those whose backbone has four times, or twice, the channels of the
    highest resolution (the original, ComfyUI). `form` says how the backbone is scaled: `constant`,
    by `b` (the first version, diffusers), or `adaptive`, by `(b - 1) m + 1` where `m` is the
    features' channel mean brought to [0, 1] (the second version).
    """

    b1: float
    b2: float
    s1: float
    s2: float
    gating: Literal["resolution", "channels"] = "resolution"
    form: Literal["constant", "adaptive"] = "constant"
    window: StepWindow = field(default_factory=StepWindow)

    def __post_init__(self) -> None:
        start, end = self.window.start, self.window.end
        if not 0.0 <= start <= end <= 1.0:
            raise ScheduleError(
                f"`freeu`: expected a window with 0 <= start <= end <= 1, found {start} and {end}"
            )

    @classmethod
    def read(cls, value: Any, name: str) -> "FreeU":
        """FreeU of a document."""
        fields = Fields(value, name, ("b1", "b2", "s1", "s2", "gating", "form", "window"))
        return cls(
            b1=fields.required("b1", number),
            b2=fields.required("b2", number),
            s1=fields.required("s1", number),
            s2=fields.required("s2", number),
            gating=fields.optional("gating", one_of("resolution", "channels")) or "resolution",
            form=fields.optional("form", one_of("constant", "adaptive")) or "constant",
            window=fields.optional("window", StepWindow.read) or StepWindow(),
        )

    def factors(
        self, up_block: int, channels: int, model_channels: int
    ) -> tuple[float, float] | None:
        """`(b, s)` where a skip connection joins up block `up_block` (the deepest is 0), whose
        backbone has `channels`; `None` where FreeU does nothing there."""
        stage = up_block
        if self.gating == "channels":
            stage = {4 * model_channels: 0, 2 * model_channels: 1}.get(channels, -1)
        return {0: (self.b1, self.s1), 1: (self.b2, self.s2)}.get(stage)

    def rewrite(
        self, hidden: "Tensor", skip: "Tensor", factors: tuple[float, float]
    ) -> tuple["Tensor", "Tensor"]:
        """Backbone and skip features `[batch, channels, height, width]` under these factors."""
        backbone, low = factors
        return self._scaled_backbone(hidden, backbone), scaled_low_frequencies(skip, low)

    def _scaled_backbone(self, hidden: "Tensor", factor: float) -> "Tensor":
        import torch

        half = hidden.shape[1] // 2
        first, rest = hidden[:, :half], hidden[:, half:]
        if self.form == "constant":
            return torch.cat([first * factor, rest], 1)
        mean = hidden.mean(1, keepdim=True)
        least, most = mean.amin((2, 3), keepdim=True), mean.amax((2, 3), keepdim=True)
        # Constant features have no spread; their map is 0.
        share = (mean - least) / (most - least).clamp_min(1e-12)
        return torch.cat([first * (share * (factor - 1.0) + 1.0), rest], 1)


def scaled_low_frequencies(x: "Tensor", factor: float) -> "Tensor":
    """Multiplies the (at most) four lowest Fourier bins, frequencies -1 and 0 of each axis, of
    `x`, `[batch, channels, height, width]`, by `factor`; without a Fourier transform."""
    height, width = x.shape[-2:]
    basis = _low_basis(height, width, x.device)
    flat = x.float().flatten(2)
    low = flat @ basis.T @ basis
    return (flat + low * ((factor - 1.0) / (height * width))).reshape(x.shape).to(x.dtype)


@lru_cache(maxsize=16)
def _low_basis(height: int, width: int, device: "device") -> "Tensor":
    """Cosines and sines of the low bins, `[2 bins, height * width]`."""
    import torch

    def frequencies(size: int) -> list[int]:
        # An axis of length 1 has one frequency only.
        return [-1, 0] if size > 1 else [0]

    y = torch.arange(height, dtype=torch.float64)[:, None] / height
    x = torch.arange(width, dtype=torch.float64)[None, :] / width
    rows = []
    for ky in frequencies(height):
        for kx in frequencies(width):
            phase = (math.tau * (ky * y + kx * x)).flatten()
            rows += [phase.cos(), phase.sin()]
    return torch.stack(rows).to(device=device, dtype=torch.float32)

"""Where skip connections join the way up of a diffusers U-Net, and FreeU there."""

from collections.abc import Callable, Iterator
from typing import Any

import torch
from torch import Tensor, nn
from torch.utils.hooks import RemovableHandle

from .errors import ScheduleError
from .freeu import FreeU


def join_hooks(unet: Any, active: Callable[[], FreeU | None]) -> Iterator[RemovableHandle]:
    """Hooks on the way up's resnets, whose input is backbone and skip features side by side.

    Raises `ScheduleError` where diffusers' own FreeU is on: its effect would come twice.
    """
    if any(getattr(block, factor, None) for block in unet.up_blocks for factor in ("s1", "b1")):
        raise ScheduleError("expected diffusers' own FreeU off: call `pipe.disable_freeu()` first")
    model_channels = unet.config.block_out_channels[0]
    backbone = unet.config.block_out_channels[-1]
    for up_block, block in enumerate(unet.up_blocks):
        for resnet in block.resnets:
            hook = _hook(active, up_block, backbone, model_channels)
            yield resnet.register_forward_pre_hook(hook)
            backbone = resnet.out_channels


def _hook(
    active: Callable[[], FreeU | None], up_block: int, backbone: int, model_channels: int
) -> Callable[[nn.Module, tuple[Any, ...]], tuple[Any, ...] | None]:
    """Rewrites the input of a resnet whose first `backbone` channels are the backbone."""

    def rewrite(_: nn.Module, args: tuple[Any, ...]) -> tuple[Any, ...] | None:
        freeu = active()
        if freeu is None:
            return None
        factors = freeu.factors(up_block, backbone, model_channels)
        if factors is None:
            return None
        joined: Tensor = args[0]
        hidden, skip = joined[:, :backbone], joined[:, backbone:]
        return (torch.cat(freeu.rewrite(hidden, skip, factors), 1), *args[1:])

    return rewrite

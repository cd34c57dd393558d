"""Where the attention blocks are in ComfyUI's U-Net, by diffusers' paths."""

from typing import Any

from comfy.ldm.modules.attention import SpatialTransformer, SpatialVideoTransformer
from comfy.ldm.modules.diffusionmodules.openaimodel import Downsample, UNetModel, Upsample
from unet_reweight import ScheduleError


def attention_blocks(unet: Any) -> dict[str, list[str]]:
    """For each attention block, in execution order, the paths of its Transformers in the U-Net.

    Raises `ScheduleError` for a model that is no U-Net of Stable Diffusion.
    """
    if not isinstance(unet, UNetModel):
        raise ScheduleError(
            f"expected a U-Net of Stable Diffusion (SD 1.x, 2.x, SDXL), found {type(unet).__name__}"
        )
    levels = {f"input_blocks.{at}": block for at, block in enumerate(unet.input_blocks)}
    blocks: dict[str, list[str]] = {}
    level = 0
    for path, block in levels.items():
        _collect(blocks, f"down_blocks.{level}", path, block)
        level += any(isinstance(layer, Downsample) for layer in block)
    _collect(blocks, "mid_block", "middle_block", unet.middle_block)
    for at, level in enumerate(up_blocks(unet)):
        _collect(blocks, f"up_blocks.{level}", f"output_blocks.{at}", unet.output_blocks[at])
    return blocks


def up_blocks(unet: Any) -> list[int]:
    """For each of ComfyUI's output blocks the number of diffusers' up block it is in."""
    level, levels = 0, []
    for block in unet.output_blocks:
        levels.append(level)
        level += any(isinstance(layer, Upsample) for layer in block)
    return levels


def _collect(blocks: dict[str, list[str]], name: str, path: str, layers: Any) -> None:
    for at, layer in enumerate(layers):
        if isinstance(layer, SpatialVideoTransformer):
            raise ScheduleError("expected a U-Net for pictures, found one for videos")
        if isinstance(layer, SpatialTransformer):
            blocks.setdefault(name, []).append(f"{path}.{at}")

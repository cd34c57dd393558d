"""A schedule, applied to a model of ComfyUI."""

from collections.abc import Callable, Hashable
from typing import Any

from torch import Tensor
from unet_reweight import Schedule
from unet_reweight.resample import Resampling

from .blocks import attention_blocks, up_blocks
from .sampling import Sampling

#: Where ComfyUI's model has its U-Net.
UNET = "diffusion_model"


def patched(model: Any, schedule: Schedule, resample: Resampling | None) -> Any:
    """A clone of the model under the schedule; the model itself stays as it is.

    Raises `ScheduleError` where it has other blocks; where a run has other steps, when it begins.
    """
    unet = model.get_model_object(UNET)
    blocks = attention_blocks(unet)
    if schedule.blocks is not None:
        schedule.check_paths(list(blocks))
    clone, sampling = model.clone(), Sampling(schedule, resample)
    if schedule.blocks is not None:
        for block, transformers in enumerate(blocks.values()):
            for layer, path in enumerate(transformers):
                name = f"{UNET}.{path}.forward"
                own = model.get_model_object(name)
                clone.add_object_patch(name, _replacement(sampling, block, layer, own))
    if schedule.freeu is not None:
        clone.set_model_output_block_patch(_freeu(sampling, up_blocks(unet), unet.model_channels))
    return clone


def _replacement(
    sampling: Sampling, block: int, layer: int, forward: Callable[..., Tensor]
) -> Callable[..., Tensor]:
    """A Transformer's `forward` under the schedule."""

    def replaced(x: Tensor, context: Any = None, transformer_options: Any = None) -> Tensor:
        options = {} if transformer_options is None else transformer_options
        return sampling.run(options).output(
            block, layer, x, lambda: forward(x, context, options), _parts(options)
        )

    return replaced


def _parts(options: dict[str, Any]) -> list[Hashable]:
    """A name for each of the conditionings that are computed together, the same at every step."""
    kinds = options.get("uuids") or options["cond_or_uncond"]
    return [(kind, kinds[:at].count(kind)) for at, kind in enumerate(kinds)]


def _freeu(
    sampling: Sampling, levels: list[int], model_channels: int
) -> Callable[[Tensor, Tensor, dict[str, Any]], tuple[Tensor, Tensor]]:
    def rewrite(h: Tensor, hsp: Tensor, options: dict[str, Any]) -> tuple[Tensor, Tensor]:
        freeu = sampling.run(options).freeu()
        if freeu is None:
            return h, hsp
        factors = freeu.factors(levels[options["block"][1]], h.shape[1], model_channels)
        return (h, hsp) if factors is None else freeu.rewrite(h, hsp, factors)

    return rewrite

"""ComfyUI's own engine, whose folder COMFYUI names, and tiny models in it."""

import importlib.util
import os
import sys
from pathlib import Path
from typing import Any

import pytest

PACK = Path(__file__).resolve().parents[1]


def comfy() -> Any:
    """The package `comfy`, on the processor."""
    root = os.environ.get("COMFYUI")
    if root is None:
        pytest.skip("no ComfyUI: name its folder in COMFYUI")
    torch = pytest.importorskip("torch", reason="no PyTorch")
    # Models this small gain nothing from more threads.
    torch.set_num_threads(1)
    sys.path.insert(0, root)
    import comfy.cli_args

    comfy.cli_args.args.cpu = True
    import comfy.sample
    import comfy.samplers
    import comfy.sd

    return comfy


def pack() -> Any:
    """The nodes, loaded as ComfyUI loads a folder of `custom_nodes`."""
    name = "unet_reweight_nodes"
    if name not in sys.modules:
        spec = importlib.util.spec_from_file_location(
            name, PACK / "__init__.py", submodule_search_locations=[str(PACK)]
        )
        module = importlib.util.module_from_spec(spec)
        sys.modules[name] = module
        spec.loader.exec_module(module)
    return sys.modules[name]


def load(comfy: Any, checkpoint: Path) -> Any:
    """The U-Net of a tiny model in one file, as a `MODEL`.

    ComfyUI knows models by their sizes; it is told of these.
    """
    import comfy.supported_models as known
    from tiny_models import SIZE, TEXT

    for base, changes in [
        (known.SD15, {"model_channels": 64, "context_dim": TEXT}),
        (known.SD20, {"model_channels": 64, "context_dim": TEXT}),
        (
            known.SDXL,
            {
                "model_channels": 64,
                "context_dim": 2 * TEXT,
                "adm_in_channels": 6 * SIZE + TEXT,
                "transformer_depth": [0, 0, 1, 1, 2, 2],
            },
        ),
    ]:
        tiny = type(f"Tiny{base.__name__}", (base,), {})
        tiny.unet_config = {**base.unet_config, **changes}
        if not any(model.__name__ == tiny.__name__ for model in known.models):
            known.models.append(tiny)
    return comfy.sd.load_checkpoint_guess_config(
        str(checkpoint), output_vae=False, output_clip=False
    )[0]

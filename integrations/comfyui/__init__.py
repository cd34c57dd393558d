"""Nodes for ComfyUI: schedules of block weights, loaded and applied to Stable Diffusion models."""

import importlib.util
import sys
from pathlib import Path

if importlib.util.find_spec("unet_reweight") is None:
    # The package of schedules stands beside this folder where the repository is checked out.
    sys.path.append(str(Path(__file__).resolve().parent.parent / "diffusers" / "src"))

from .schedule_nodes import NODE_CLASS_MAPPINGS, NODE_DISPLAY_NAME_MAPPINGS

__all__ = ["NODE_CLASS_MAPPINGS", "NODE_DISPLAY_NAME_MAPPINGS"]

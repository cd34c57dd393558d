"""Models of the shapes of SD 1.x, 2.x and SDXL with few channels and random weights, and the shipped
model's tokenizer."""

import shutil
from pathlib import Path

import torch
from program import SHIPPED
from transformers import (
    CLIPTextConfig,
    CLIPTextModel,
    CLIPTextModelWithProjection,
    CLIPTokenizer,
)

from diffusers import (
    AutoencoderKL,
    DDIMScheduler,
    StableDiffusionPipeline,
    StableDiffusionXLPipeline,
    UNet2DConditionModel,
)

TEXT = 32
#: Width of an embedded number of SDXL's size conditioning, which ComfyUI does not vary.
SIZE = 256

DOWN, ATTENTION = "DownBlock2D", "CrossAttnDownBlock2D"
SHAPES = {
    "sd1": {
        "block_out_channels": (64, 64, 128, 128),
        "down_block_types": (ATTENTION, ATTENTION, ATTENTION, DOWN),
        "attention_head_dim": 8,
        "cross_attention_dim": TEXT,
        "use_linear_projection": False,
    },
    "sd": {
        "block_out_channels": (64, 64, 128, 128),
        "down_block_types": (ATTENTION, ATTENTION, ATTENTION, DOWN),
        "attention_head_dim": (1, 1, 2, 2),
        "cross_attention_dim": TEXT,
        "use_linear_projection": True,
    },
    "sdxl": {
        "block_out_channels": (64, 128, 128),
        "down_block_types": (DOWN, ATTENTION, ATTENTION),
        "attention_head_dim": (1, 2, 2),
        "cross_attention_dim": 2 * TEXT,
        "use_linear_projection": True,
        "transformer_layers_per_block": (1, 1, 2),
        "addition_embed_type": "text_time",
        "addition_time_embed_dim": SIZE,
        "projection_class_embeddings_input_dim": 6 * SIZE + TEXT,
    },
}


def write_tiny_model(folder: Path, shape: str) -> None:
    """Writes a pipeline folder of diffusers, the same each time; `shape` is one of `SHAPES`."""
    torch.manual_seed(0)
    config = SHAPES[shape]
    down = config["down_block_types"]
    unet = UNet2DConditionModel(
        sample_size=16,
        up_block_types=[name.replace("Down", "Up") for name in reversed(down)],
        **config,
    )
    tokenizer = CLIPTokenizer.from_pretrained(SHIPPED / "tokenizer")
    tokens = len(tokenizer)
    text = CLIPTextConfig(
        vocab_size=tokens,
        hidden_size=TEXT,
        intermediate_size=2 * TEXT,
        num_hidden_layers=2,
        num_attention_heads=2,
        max_position_embeddings=24,
        projection_dim=TEXT,
        hidden_act="quick_gelu" if shape == "sd1" else "gelu",
        bos_token_id=tokens - 2,
        eos_token_id=tokens - 1,
        pad_token_id=tokens - 1,
    )
    parts = {"unet": unet, "vae": _autoencoder(), "scheduler": _scheduler(), "tokenizer": tokenizer}
    parts["text_encoder"] = CLIPTextModel(text)
    if shape == "sdxl":
        pipe = StableDiffusionXLPipeline(
            **parts,
            text_encoder_2=CLIPTextModelWithProjection(text),
            tokenizer_2=tokenizer,
            force_zeros_for_empty_prompt=True,
            add_watermarker=False,
        )
    else:
        pipe = StableDiffusionPipeline(
            **parts, safety_checker=None, feature_extractor=None, requires_safety_checker=False
        )
    pipe.save_pretrained(folder)
    for name in ("tokenizer", "tokenizer_2")[: 1 + (shape == "sdxl")]:
        # Newer versions of transformers write none of the older files.
        shutil.copytree(SHIPPED / "tokenizer", folder / name, dirs_exist_ok=True)


def _autoencoder() -> AutoencoderKL:
    return AutoencoderKL(
        block_out_channels=(32, 32, 32, 32),
        down_block_types=("DownEncoderBlock2D",) * 4,
        up_block_types=("UpDecoderBlock2D",) * 4,
        latent_channels=4,
        layers_per_block=1,
        sample_size=128,
    )


def _scheduler() -> DDIMScheduler:
    return DDIMScheduler(
        beta_start=0.00085,
        beta_end=0.012,
        beta_schedule="scaled_linear",
        clip_sample=False,
        set_alpha_to_one=False,
        steps_offset=1,
    )

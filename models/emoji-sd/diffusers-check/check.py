"""Samples a picture of each shipped model with diffusers from fixed latents, beside which the Rust pipeline is tested.

Writes `diffusers-check/golden.safetensors` in each model's folder: the initial latents, the latents after each step, the
decoded picture and the ids. The files beside this were made with diffusers 0.42.1, transformers 5.24.0 and torch 2.15.0 on
a CPU. Run from this folder: pip install torch diffusers transformers safetensors; python check.py
"""

import torch
from diffusers import DDIMScheduler, StableDiffusionPipeline
from safetensors.torch import save_file

PROMPT = "a cartoon of a dragon"
# Steps and guidance scale.
MODELS = {"emoji-sd": (4, 3.0), "emoji-turbo": (2, 0.0)}

for name, (steps, guidance) in MODELS.items():
    folder = f"../../{name}"
    pipeline = StableDiffusionPipeline.from_pretrained(folder, torch_dtype=torch.float32, safety_checker=None)
    assert isinstance(pipeline.scheduler, DDIMScheduler)
    latents = torch.randn(1, 4, 16, 16, generator=torch.Generator().manual_seed(0))
    after = []
    picture = pipeline(
        PROMPT,
        num_inference_steps=steps,
        guidance_scale=guidance,
        latents=latents.clone(),
        output_type="np",
        callback_on_step_end=lambda _, step, t, values: after.append(values["latents"].clone()) or values,
    ).images[0]
    ids = pipeline.tokenizer(PROMPT, padding="max_length", max_length=24, truncation=True).input_ids
    save_file(
        {
            "initial": latents,
            "latents": torch.stack(after),
            "picture_hwc": torch.from_numpy(picture).contiguous(),
            "ids": torch.tensor(ids),
        },
        f"{folder}/diffusers-check/golden.safetensors",
    )
    print("written", folder)

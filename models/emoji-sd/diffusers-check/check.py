"""Samples one picture with diffusers from fixed latents, beside which the Rust pipeline is tested.

Writes `golden.safetensors`: the initial latents, the latents after each step and the decoded picture.
Run from this folder: pip install torch diffusers==0.32.1 transformers==4.47.1 safetensors; python check.py
"""

import torch
from diffusers import DDIMScheduler, StableDiffusionPipeline
from safetensors.torch import save_file

PROMPT = "a cartoon of a dragon"
STEPS = 4
GUIDANCE = 3.0

pipeline = StableDiffusionPipeline.from_pretrained("..", torch_dtype=torch.float32, safety_checker=None)
assert isinstance(pipeline.scheduler, DDIMScheduler)
latents = torch.randn(1, 4, 16, 16, generator=torch.Generator().manual_seed(0))
steps = []
picture = pipeline(
    PROMPT,
    num_inference_steps=STEPS,
    guidance_scale=GUIDANCE,
    latents=latents.clone(),
    output_type="np",
    callback_on_step_end=lambda _, step, t, values: steps.append(values["latents"].clone()) or values,
).images[0]
ids = pipeline.tokenizer(PROMPT, padding="max_length", max_length=24, truncation=True).input_ids
save_file(
    {
        "initial": latents,
        "latents": torch.stack(steps),
        "picture_hwc": torch.from_numpy(picture).contiguous(),
        "ids": torch.tensor(ids),
    },
    "golden.safetensors",
)
print("written golden.safetensors")

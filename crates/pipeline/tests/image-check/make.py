"""Makes golden.safetensors: what diffusers makes of a picture with the shipped model.

pip install diffusers torch transformers safetensors pillow; python make.py. The file beside this was made with diffusers
0.42.1, transformers 5.24.0 and torch 2.15.0, CPU.
"""

import json

import diffusers
import torch
from diffusers import StableDiffusionImg2ImgPipeline
from PIL import Image
from safetensors.torch import save_file

MODEL = "../../../../models/emoji-sd"
# Where diffusers itself in f32 and f64 differs by at most 3e-6 of the largest value; elsewhere rounding may grow to 5e-5.
PICTURE = "objects_red_heart_3d.png"
PROMPT, TARGET = "a 3d render of a red heart", "pixel art of a red heart"
SEED, GUIDANCE = 7, 3.0
# Class, overrides of the model's configuration, steps, strength, η.
CASES = {
    "ddim": ("DDIMScheduler", {}, 5, 0.6, 0.0),
    "ddim-eta": ("DDIMScheduler", {}, 4, 0.75, 0.7),
    "euler-karras": ("EulerDiscreteScheduler", {"use_karras_sigmas": True}, 6, 0.5, 0.0),
    "euler-a": ("EulerAncestralDiscreteScheduler", {}, 4, 0.8, 0.0),
    "heun": ("HeunDiscreteScheduler", {}, 4, 0.5, 0.0),
    "pndm": ("PNDMScheduler", {"skip_prk_steps": True}, 7, 0.6, 0.0),
    "pndm-runge-kutta": ("PNDMScheduler", {"skip_prk_steps": False}, 5, 0.8, 0.0),
    "dpm++2m-sde": (
        "DPMSolverMultistepScheduler",
        {"algorithm_type": "sde-dpmsolver++", "use_exponential_sigmas": True},
        5,
        1.0,
        0.0,
    ),
}
INVERSION_STEPS = 8

pipeline = StableDiffusionImg2ImgPipeline.from_pretrained(MODEL, torch_dtype=torch.float32, safety_checker=None)
picture = Image.open(f"{MODEL}/validation/{PICTURE}").convert("RGB")
own = dict(pipeline.scheduler.config)
tensors = {}
for name, (kind, overrides, steps, strength, eta) in CASES.items():
    pipeline.scheduler = getattr(diffusers, kind).from_config(own, **overrides)
    tensors[name] = pipeline(
        PROMPT,
        image=picture,
        strength=strength,
        num_inference_steps=steps,
        guidance_scale=GUIDANCE,
        eta=eta,
        generator=torch.Generator().manual_seed(SEED),
        output_type="latent",
    ).images

with torch.no_grad():
    pixels = pipeline.image_processor.preprocess(picture)
    latents = pipeline.vae.encode(pixels).latent_dist.mode() * pipeline.vae.config.scaling_factor
    tensors["encoded"] = latents
    encode = lambda prompt: pipeline.encode_prompt(prompt, "cpu", 1, True, "")
    source, empty = encode(PROMPT)
    target, _ = encode(TARGET)
    inverse = diffusers.DDIMInverseScheduler.from_config(own)
    inverse.set_timesteps(INVERSION_STEPS)
    for timestep in inverse.timesteps:
        prediction = pipeline.unet(latents, timestep, encoder_hidden_states=source).sample
        latents = inverse.step(prediction, timestep, latents).prev_sample
    tensors["inverted"] = latents
    ddim = diffusers.DDIMScheduler.from_config(own)
    ddim.set_timesteps(INVERSION_STEPS)
    for timestep in ddim.timesteps:
        both = pipeline.unet(torch.cat([latents] * 2), timestep, encoder_hidden_states=torch.cat([empty, target])).sample
        negative, positive = both.chunk(2)
        latents = ddim.step(negative + GUIDANCE * (positive - negative), timestep, latents).prev_sample
    tensors["edited"] = latents
save_file({name: tensor.contiguous() for name, tensor in tensors.items()}, "golden.safetensors")
print({name: [round(float(tensor.min()), 3), round(float(tensor.max()), 3)] for name, tensor in tensors.items()})

"""The networks of `cargo xtask gpu-check` as PyTorch and diffusers run them, on random weights.

Takes one JSON object as argument: `work`, `config`, `dtype`, `device`, `cells`. Prints a row of JSON
for each cell, in the form of the program's own.
"""

import json
import sys
import time

import torch

job = json.loads(sys.argv[1])
dtype = getattr(torch, job["dtype"])
device = job["device"]
config = {key: value for key, value in job["config"].items() if not key.startswith("_")}


def wait():
    if device.startswith("cuda"):
        torch.cuda.synchronize(device)


def random_model(kind):
    with torch.device("meta"):
        model = kind(**config)
    model = model.to(dtype).to_empty(device=device)
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.uniform_(-0.03, 0.03)
    return model.eval()


def unet():
    from diffusers import UNet2DConditionModel

    model = random_model(UNet2DConditionModel)

    def prepare(batch, side):
        sample = torch.randn(batch, 4, side, side, device=device, dtype=dtype)
        width = config["cross_attention_dim"]
        context = torch.randn(batch, 77, width, device=device, dtype=dtype)
        added = None
        if config.get("addition_embed_type"):
            sizes = 6 * config["addition_time_embed_dim"]
            pooled = config["projection_class_embeddings_input_dim"] - sizes
            ids = torch.tensor([[1024.0, 1024, 0, 0, 1024, 1024]], device=device)
            added = {
                "text_embeds": torch.randn(batch, pooled, device=device, dtype=dtype),
                "time_ids": ids.to(dtype).expand(batch, 6),
            }
        return lambda: model(sample, 500, encoder_hidden_states=context, added_cond_kwargs=added)

    return prepare


def vae():
    from diffusers import AutoencoderKL

    model = random_model(AutoencoderKL)

    def prepare(batch, side):
        latents = torch.randn(batch, 4, side, side, device=device, dtype=dtype)
        return lambda: model.decode(latents)

    return prepare


prepare = {"unet": unet, "vae": vae}[job["work"]]()
for cell in job["cells"]:
    run = prepare(cell["batch"], cell["side"])
    seconds = []
    with torch.inference_mode():
        while len(seconds) < 2 or (len(seconds) < 6 and sum(seconds[1:]) < 1.0):
            start = time.perf_counter()
            run()
            wait()
            seconds.append(time.perf_counter() - start)
    held = torch.cuda.max_memory_reserved(device) if device.startswith("cuda") else None
    row = {"name": cell["name"], "seconds": seconds[1:], "first": seconds[0], "bytes": held}
    print(json.dumps({"time": row}), flush=True)

"""The work of `cargo xtask peers` as PyTorch, diffusers and transformers do it, on random weights but
for whole pictures.

Reads one JSON object from standard input: `work`, `config`, `batch`, `repeats`, `threads`. Writes
one to standard output: `seconds` of each timed run, `peak_bytes` of the process, `versions`.
"""

import json
import resource
import sys
import time

import torch


def without_classes(config):
    return {key: value for key, value in config.items() if not key.startswith("_")}


def random_model(make):
    """A model whose parameters are drawn once, not first as its layers would."""
    with torch.device("meta"):
        model = make()
    model = model.to_empty(device="cpu")
    for name, buffer in model.named_buffers():
        if name.endswith("position_ids"):
            buffer.copy_(torch.arange(buffer.shape[-1]).expand(buffer.shape))
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.uniform_(-0.03, 0.03)
    return model.eval()


def unet(config):
    from diffusers import UNet2DConditionModel

    return random_model(lambda: UNet2DConditionModel(**without_classes(config)))


def unet_inputs(work, config, batch):
    side, tokens = (64, 77) if work in ("sd", "sdxl") else (16, 24)
    sample = torch.randn(batch, 4, side, side)
    context = torch.randn(batch, tokens, config["cross_attention_dim"])
    added = None
    if config.get("addition_embed_type"):
        pooled = config["projection_class_embeddings_input_dim"] - 6 * config["addition_time_embed_dim"]
        sizes = torch.tensor([[512.0, 512.0, 0.0, 0.0, 512.0, 512.0]]).expand(batch, 6)
        added = {"text_embeds": torch.randn(batch, pooled), "time_ids": sizes}
    return sample, context, added


def forward(work, config, batch):
    model = unet(config)
    sample, context, added = unet_inputs(work, config, batch)

    def run():
        with torch.inference_mode():
            model(sample, 500, encoder_hidden_states=context, added_cond_kwargs=added)

    return run


def probe(work, config, batch):
    """24,000 samples: the U-Net, guidance and the loss against the teacher's prediction.

    The published code re-weights by hooks on the attention blocks; so does this.
    """
    model = unet(config)
    sample, context, _ = unet_inputs(work, config, batch)
    weights = torch.rand(batch, 7) * 0.01 + 0.99
    place = iter(range(7))

    def hook(index):
        def scale(module, inputs, output):
            factor = weights[:, index].view(-1, *([1] * (output[0].dim() - 1)))
            return (output[0] * factor, *output[1:])

        return scale

    for name, module in model.named_modules():
        if name.endswith("attentions.0") or name.endswith("attentions.1"):
            index = next(place, None)
            if index is not None:
                module.register_forward_hook(hook(index))
    teacher = torch.randn(batch, 4, 16, 16)

    def run():
        with torch.inference_mode():
            for _ in range(24_000 // batch):
                output = model(sample, 500, encoder_hidden_states=context).sample
                (output - teacher).square().mean(dim=(1, 2, 3)).tolist()

    return run


def training(work, config, batch):
    model = unet(config).train()
    sample, context, _ = unet_inputs(work, config, batch)
    noise = torch.randn_like(sample)
    optimizer = torch.optim.AdamW(model.parameters(), lr=1e-4)

    def run():
        output = model(sample, 500, encoder_hidden_states=context).sample
        loss = (output - noise).square().mean()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        loss.item()

    return run


def text(work, config, batch):
    from transformers import CLIPTextConfig, CLIPTextModel

    model = random_model(lambda: CLIPTextModel(CLIPTextConfig(**without_classes(config))))
    ids = torch.arange(77)[None]

    def run():
        with torch.inference_mode():
            model(ids)

    return run


def vae(work, config, batch):
    from diffusers import AutoencoderKL

    model = random_model(lambda: AutoencoderKL(**without_classes(config)))
    latents = torch.randn(batch, 4, 64, 64)

    def run():
        with torch.inference_mode():
            model.decode(latents)

    return run


def pictures(work, config, batch):
    from diffusers import DDIMScheduler, StableDiffusionPipeline

    folder, options = config["folder"], {"torch_dtype": torch.float32, "safety_checker": None}
    pipeline = StableDiffusionPipeline.from_pretrained(folder, **options)
    pipeline.scheduler = DDIMScheduler.from_config(pipeline.scheduler.config)
    pipeline.set_progress_bar_config(disable=True)
    prompts = ["a cartoon of a dragon"] * batch

    def run():
        pipeline(prompts, num_inference_steps=20, guidance_scale=3.0, height=64, width=64)

    return run


WORKS = {
    "picture1": pictures,
    "picture8": pictures,
    "probe": probe,
    "training": training,
    "text": text,
    "vae": vae,
}


def main():
    task = json.load(sys.stdin)
    torch.manual_seed(0)
    torch.set_num_threads(task["threads"])
    work = task["work"]
    run = WORKS.get(work, forward)(work, task["config"], task["batch"])
    seconds = []
    for index in range(task["repeats"] + 1):
        start = time.perf_counter()
        run()
        # The first run warms up, except where one run is thousands of calls.
        if index > 0 or work == "probe":
            seconds.append(time.perf_counter() - start)
        if work == "probe":
            break
    import diffusers

    json.dump(
        {
            "seconds": seconds,
            "peak_bytes": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024,
            "versions": {"torch": torch.__version__, "diffusers": diffusers.__version__},
        },
        sys.stdout,
    )


if __name__ == "__main__":
    main()

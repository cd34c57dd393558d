"""Random LoRAs for the shipped model in the forms that are in use, and what diffusers makes of them.

Writes `kohya.safetensors` (kohya's names, alphas, linear and convolution layers, text encoder),
`diffusers.safetensors` (as `save_lora_weights` writes it, alpha in its metadata) and
`processor.safetensors` (names of diffusers before 0.22), and `golden.safetensors`: for each of them, at the
strength in `STRENGTHS`, some of the merged weights, the text embeddings and the last latents.
Made with torch 2.15.0, diffusers 0.42.1, transformers 5.24.0, peft 0.21.2 on a CPU, in f32.
Run from this folder: python make.py
"""

import torch
from diffusers import DDIMScheduler, StableDiffusionPipeline
from diffusers.utils import convert_state_dict_to_diffusers
from peft import LoraConfig
from peft.utils import get_peft_model_state_dict
from safetensors.torch import load_file, save_file
from transformers.integrations import peft as text_encoder_peft

# transformers 5.24 asks for a peft that is not published yet; all that is used here is in 0.21.
text_encoder_peft.check_peft_version = lambda min_version: None

MODEL = "../../../../models/emoji-sd"
PROMPT = "a cartoon of a dragon"
STEPS = 4
GUIDANCE = 3.0
STRENGTHS = {"kohya": 0.7, "diffusers": 1.0, "processor": -0.5}

# U-Net modules and their alphas. Those of attention layers are the most frequent alpha, because diffusers
# 0.42.1 gives that one to every attention layer of a kohya file, whatever the file says.
UNET = {
    "down_blocks.0.attentions.0.transformer_blocks.0.attn1.to_q": 2.0,
    "down_blocks.0.attentions.0.transformer_blocks.0.attn2.to_k": 2.0,
    "down_blocks.0.attentions.0.transformer_blocks.0.attn2.to_out.0": 2.0,
    "down_blocks.0.attentions.0.transformer_blocks.0.ff.net.0.proj": 2.0,
    "down_blocks.0.attentions.0.proj_in": 0.5,
    "down_blocks.0.resnets.0.conv1": 2.0,
    "down_blocks.0.downsamplers.0.conv": 1.0,
    "down_blocks.1.resnets.0.conv_shortcut": 2.0,
    "down_blocks.1.resnets.0.time_emb_proj": 2.0,
    "mid_block.attentions.0.transformer_blocks.0.attn1.to_v": 2.0,
    "up_blocks.3.attentions.1.transformer_blocks.0.ff.net.2": 4.0,
}
TEXT_LEAVES = ["self_attn.q_proj", "self_attn.out_proj", "mlp.fc1"]
TEXT = [f"encoder.layers.{layer}.{leaf}" for layer in (0, 1) for leaf in TEXT_LEAVES]


def pipe():
    pipeline = StableDiffusionPipeline.from_pretrained(MODEL, torch_dtype=torch.float32, safety_checker=None)
    assert isinstance(pipeline.scheduler, DDIMScheduler)
    pipeline.set_progress_bar_config(disable=True)
    return pipeline


def factors(weight, rank, generator):
    """Down and up of a LoRA whose product has about a third of the weight's deviation, in f16."""
    kernel = weight.shape[2:]
    down = torch.randn(rank, weight.shape[1], *kernel, generator=generator) / weight[0].numel() ** 0.5
    up = torch.randn(weight.shape[0], rank, *([1] * len(kernel)), generator=generator) / rank**0.5 / 3
    return down.half(), up.half()


def kohya(pipeline, generator):
    tensors = {}
    text = dict.fromkeys(TEXT, 1.0)
    parts = [("lora_unet", pipeline.unet, "", UNET), ("lora_te", pipeline.text_encoder, "text_model_", text)]
    for prefix, part, inner, modules in parts:
        weights = dict(part.named_parameters())
        for rank, (name, alpha) in zip([2, 2, 3] * 9, modules.items()):
            rank = rank if prefix == "lora_unet" else 2
            down, up = factors(weights[f"{name}.weight"], rank, generator)
            key = f"{prefix}_{inner}{name.replace('.', '_')}"
            tensors |= {f"{key}.lora_down.weight": down, f"{key}.lora_up.weight": up}
            tensors[f"{key}.alpha"] = torch.tensor(alpha)
    save_file(tensors, "kohya.safetensors", {"ss_network_module": "networks.lora"})


def diffusers(pipeline, generator):
    states, metadata = {}, {}
    for name, part, targets in [("unet", pipeline.unet, list(UNET)), ("text_encoder", pipeline.text_encoder, TEXT)]:
        config = LoraConfig(r=2, lora_alpha=3, target_modules=targets)
        part.add_adapter(config, "default")
        for key, value in part.named_parameters():
            if "lora_" in key:
                deviation = 0.3 if "lora_B" in key else value[0].numel() ** -0.5
                value.data = torch.randn(value.shape, generator=generator) * deviation
        state = get_peft_model_state_dict(part, adapter_name="default")
        state = state if name == "unet" else convert_state_dict_to_diffusers(state)
        states[name] = {key: value.half() for key, value in state.items()}
        metadata[name] = part.peft_config["default"].to_dict()
    StableDiffusionPipeline.save_lora_weights(
        ".", states["unet"], states["text_encoder"], weight_name="diffusers.safetensors",
        unet_lora_adapter_metadata=metadata["unet"], text_encoder_lora_adapter_metadata=metadata["text_encoder"],
    )


def processor(pipeline, generator):
    tensors = {}
    unet, text = dict(pipeline.unet.named_parameters()), dict(pipeline.text_encoder.named_parameters())
    attention = "up_blocks.3.attentions.0.transformer_blocks.0.attn2"
    for leaf in ["to_q", "to_k", "to_v", "to_out"]:
        module = f"{attention}.{leaf}" + (".0" if leaf == "to_out" else "")
        down, up = factors(unet[f"{module}.weight"], 2, generator)
        key = f"unet.{attention}.processor.{leaf}_lora"
        tensors |= {f"{key}.down.weight": down, f"{key}.up.weight": up}
    for leaf, old in [("q_proj", "to_q_lora"), ("out_proj", "to_out_lora")]:
        down, up = factors(text[f"encoder.layers.0.self_attn.{leaf}.weight"], 2, generator)
        key = f"text_encoder.text_model.encoder.layers.0.self_attn.{old}"
        tensors |= {f"{key}.down.weight": down, f"{key}.up.weight": up}
    save_file(tensors, "processor.safetensors")


def reference(form, golden):
    pipeline = pipe()
    before = {name: value.clone() for name, value in pipeline.unet.named_parameters()}
    pipeline.load_lora_weights(".", weight_name=f"{form}.safetensors")
    pipeline.fuse_lora(lora_scale=STRENGTHS[form])
    pipeline.unload_lora_weights()
    changed = {n: v for n, v in pipeline.unet.named_parameters() if not torch.equal(v, before[n])}
    print(f"{form}: {len(changed)} weights of the U-Net changed")
    for name, value in changed.items():
        # A part of the rows is enough of the large ones.
        golden[f"{form}/unet.{name}"] = value.detach()[: max(1, 1024 // value[0].numel())].clone()
    embeds, _ = pipeline.encode_prompt(PROMPT, "cpu", 1, False)
    golden[f"{form}/embeds"] = embeds.detach()
    start = load_file(f"{MODEL}/diffusers-check/golden.safetensors")["initial"]
    golden[f"{form}/latents"] = pipeline(
        PROMPT, num_inference_steps=STEPS, guidance_scale=GUIDANCE, latents=start.clone(), output_type="latent"
    ).images


if __name__ == "__main__":
    torch.set_num_threads(1)
    generator = torch.Generator().manual_seed(3471)
    for make in [kohya, diffusers, processor]:
        make(pipe(), generator)
    golden = {}
    with torch.no_grad():
        for form in STRENGTHS:
            reference(form, golden)
    save_file(golden, "golden.safetensors")

"""Writes which tensors of a checkpoint in one file become which of diffusers and transformers.

pip install torch diffusers==0.32.1 transformers==4.47.1; python make.py FOLDER NAME, where FOLDER is a pipeline
folder, such as `cargo xtask random-model PRESET --tiny --out FOLDER` writes. names-sd.json was made of sd-turbo,
names-sdxl.json of sdxl-base, names-sd1.json of sd-1.5, all tiny.

The names of the one file are formed here and then checked: every tensor carries a number of its own through diffusers'
conversion functions, which must give each module exactly the tensors it has, in its shapes. An entry is the checkpoint's
name and diffusers' name, or three names for a fused projection.
"""

import json
import re
import sys
from pathlib import Path

import torch
from diffusers import AutoencoderKL, UNet2DConditionModel
from diffusers.loaders import single_file_utils as convert
from transformers import CLIPTextConfig, CLIPTextModel, CLIPTextModelWithProjection

folder, name = Path(sys.argv[1]), sys.argv[2]
sdxl = (folder / "text_encoder_2").exists()
sd1 = not json.loads((folder / "unet/config.json").read_text()).get("use_linear_projection", False)


def config(part):
    return json.loads((folder / part / "config.json").read_text())


def swap(text, pairs):
    for ours, theirs in pairs:
        text = text.replace(ours, theirs)
    return text


RESNET = [("norm1.", "in_layers.0."), ("conv1.", "in_layers.2."), ("time_emb_proj.", "emb_layers.1."),
          ("norm2.", "out_layers.0."), ("conv2.", "out_layers.3."), ("conv_shortcut.", "skip_connection.")]


def unet_name(key, config):
    n = config["layers_per_block"]
    if key.startswith("time_embedding."):
        return swap(key, [("time_embedding.linear_1", "time_embed.0"), ("time_embedding.linear_2", "time_embed.2")])
    if key.startswith("add_embedding."):
        return swap(key, [("add_embedding.linear_1", "label_emb.0.0"), ("add_embedding.linear_2", "label_emb.0.2")])
    if key.startswith("conv_in."):
        return "input_blocks.0.0." + key[8:]
    if key.startswith("conv_norm_out."):
        return "out.0." + key[14:]
    if key.startswith("conv_out."):
        return "out.2." + key[9:]
    if key.startswith("mid_block."):
        kind, index, rest = re.match(r"mid_block\.(\w+)\.(\d)\.(.*)", key).groups()
        return f"middle_block.1.{rest}" if kind == "attentions" else f"middle_block.{2 * int(index)}.{swap(rest, RESNET)}"
    way, level, kind, layer, rest = re.match(r"(down|up)_blocks\.(\d)\.(\w+)\.(\d)\.(.*)", key).groups()
    level, layer = int(level), int(layer)
    if way == "down":
        if kind == "downsamplers":
            return f"input_blocks.{(level + 1) * (n + 1)}.0.op.{rest[5:]}"
        block = f"input_blocks.{1 + level * (n + 1) + layer}"
    else:
        if kind == "upsamplers":
            part = 2 if "CrossAttn" in config["up_block_types"][level] else 1
            return f"output_blocks.{level * (n + 1) + n}.{part}.{rest}"
        block = f"output_blocks.{level * (n + 1) + layer}"
    return f"{block}.1.{rest}" if kind == "attentions" else f"{block}.0.{swap(rest, RESNET)}"


def vae_name(key, config):
    last = len(config["block_out_channels"]) - 1
    key = re.sub(r"up_blocks\.(\d)", lambda m: f"up.{last - int(m[1])}", key)
    key = re.sub(r"down_blocks\.(\d)", r"down.\1", key)
    key = re.sub(r"\.resnets\.(\d)", r".block.\1", key)
    pairs = [("mid_block.block.0", "mid.block_1"), ("mid_block.block.1", "mid.block_2"),
             ("mid_block.attentions.0.group_norm", "mid.attn_1.norm"), ("mid_block.attentions.0.to_q", "mid.attn_1.q"),
             ("mid_block.attentions.0.to_k", "mid.attn_1.k"), ("mid_block.attentions.0.to_v", "mid.attn_1.v"),
             ("mid_block.attentions.0.to_out.0", "mid.attn_1.proj_out"), ("conv_norm_out", "norm_out"),
             ("conv_shortcut", "nin_shortcut"), ("downsamplers.0", "downsample"), ("upsamplers.0", "upsample")]
    return swap(key, pairs)


def open_clip_name(key):
    pairs = [("text_model.embeddings.token_embedding.", "token_embedding."),
             ("text_model.embeddings.position_embedding.weight", "positional_embedding"),
             ("text_model.final_layer_norm.", "ln_final."), ("text_projection.weight", "text_projection"),
             ("text_model.encoder.layers.", "transformer.resblocks."), ("layer_norm1.", "ln_1."), ("layer_norm2.", "ln_2."),
             ("self_attn.out_proj.", "attn.out_proj."), ("mlp.fc1.", "mlp.c_fc."), ("mlp.fc2.", "mlp.c_proj.")]
    return swap(key, pairs)


def same(converted, expected, what):
    expected = {key: value for key, value in expected.items() if not key.endswith("position_ids")}
    converted = {key: value for key, value in converted.items() if not key.endswith("position_ids")}
    assert converted.keys() == expected.keys(), (what, converted.keys() ^ expected.keys())
    for key, value in expected.items():
        assert torch.equal(converted[key].reshape(value.shape), value), (what, key)


def numbered(module):
    return {key: torch.full(value.shape, float(number)) for number, (key, value) in enumerate(module.state_dict().items())}


entries = []
unet_config = config("unet")
tensors = numbered(UNet2DConditionModel.from_config(unet_config))
file = {"model.diffusion_model." + unet_name(key, unet_config): value for key, value in tensors.items()}
same(convert.convert_ldm_unet_checkpoint(dict(file), unet_config), tensors, "unet")
entries += [["model.diffusion_model." + unet_name(key, unet_config), "unet/" + key] for key in tensors]

vae_config = config("vae")
tensors = numbered(AutoencoderKL.from_config(vae_config))
file = {}
for key, value in tensors.items():
    is_map = re.search(r"attentions\.0\.to_\w+(\.0)?\.weight", key)
    file["first_stage_model." + vae_name(key, vae_config)] = value[:, :, None, None] if is_map else value
same(convert.convert_ldm_vae_checkpoint(dict(file), vae_config), tensors, "vae")
entries += [["first_stage_model." + vae_name(key, vae_config), "vae/" + key] for key in tensors]

parts = [("text_encoder_2", "conditioner.embedders.1.model.")] if sdxl else [("text_encoder", "cond_stage_model.model.")]
parts = [] if sd1 else parts
for part, prefix in parts:
    kind = CLIPTextModelWithProjection if sdxl else CLIPTextModel
    module = kind(CLIPTextConfig.from_dict(config(part)))
    tensors = {key: value for key, value in numbered(module).items() if not key.endswith("position_ids")}
    file, fused = {}, {}
    for key, value in tensors.items():
        projection = re.match(r"(.*layers\.\d+)\.self_attn\.([qkv])_proj\.(weight|bias)", key)
        if projection:
            layer, which, leaf = projection.groups()
            fused.setdefault((open_clip_name(layer + "."), leaf), {})[which] = key
        else:
            file[prefix + open_clip_name(key)] = value.T if key == "text_projection.weight" else value
            entries.append([prefix + open_clip_name(key), f"{part}/{key}"])
    for (layer, leaf), names in fused.items():
        file[f"{prefix}{layer}attn.in_proj_{leaf}"] = torch.cat([tensors[names[which]] for which in "qkv"])
        entries.append([f"{prefix}{layer}attn.in_proj_{leaf}", *(f"{part}/{names[which]}" for which in "qkv")])
    width = config(part)["projection_dim"]
    file.setdefault(prefix + "text_projection", torch.zeros(config(part)["hidden_size"], width))
    convert.convert_open_clip_checkpoint(module, dict(file), prefix=prefix)
    converted = convert.convert_open_clip_checkpoint(module, dict(file), prefix=prefix)
    if not sdxl:
        converted = {key: value for key, value in converted.items() if key != "text_projection.weight"}
    same(converted, tensors, part)
if sdxl or sd1:
    module = CLIPTextModel(CLIPTextConfig.from_dict(config("text_encoder")))
    prefix = "cond_stage_model.transformer." if sd1 else "conditioner.embedders.0.transformer."
    tensors = {key: value for key, value in numbered(module).items() if not key.endswith("position_ids")}
    same(convert.convert_ldm_clip_checkpoint({prefix + key: value for key, value in tensors.items()}), tensors, "text_encoder")
    entries += [[prefix + key, "text_encoder/" + key] for key in tensors]

with open(f"names-{name}.json", "w") as out:
    out.write("[\n" + ",\n".join(json.dumps(entry) for entry in entries) + "\n]\n")
print(len(entries), "tensors")

"""Scores held-out pictures with open_clip itself: pip install open_clip_torch==3.3.0 safetensors pillow regex.

Run in this folder; writes golden.json, which a test compares with this project's scores. The ids come from the
folder's own vocabulary through open_clip's byte-pair code.
"""
import gzip
import json
import os
import tempfile
import numpy as np
import open_clip
import torch
from PIL import Image
from safetensors.torch import load_file

model_folder = ".."
pictures = "../../emoji-sd/validation"
config = json.load(open(f"{model_folder}/open_clip_config.json"))
cfg = config["model_cfg"]
model = open_clip.model.CLIP(
    embed_dim=cfg["embed_dim"],
    vision_cfg=open_clip.model.CLIPVisionCfg(**cfg["vision_cfg"]),
    text_cfg=open_clip.model.CLIPTextCfg(**cfg["text_cfg"]),
)
state = {name: tensor.float() for name, tensor in load_file(f"{model_folder}/open_clip_model.safetensors").items()}
print(model.load_state_dict(state, strict=True))
model.eval()

# open_clip counts on the 48,894 merges of its own vocabulary; a shorter one only shortens the lists.
merges = open(f"{model_folder}/tokenizer/merges.txt").read().splitlines()[1:]
vocabulary = json.load(open(f"{model_folder}/tokenizer/vocab.json"))
path = os.path.join(tempfile.mkdtemp(), "bpe.txt.gz")
with gzip.open(path, "wt") as file:
    file.write("\n".join(["#version: 0.2"] + merges) + "\n")
tokenizer = open_clip.tokenizer.SimpleTokenizer(path)


def ids(text, length):
    words = tokenizer.pat.findall(open_clip.tokenizer._clean_lower(text))
    tokens = []
    for word in words:
        characters = "".join(tokenizer.byte_encoder[b] for b in word.encode())
        tokens += [vocabulary[part] for part in tokenizer.bpe(characters).split(" ")]
    tokens = [vocabulary["<|startoftext|>"]] + tokens[: length - 2] + [vocabulary["<|endoftext|>"]]
    return tokens + [0] * (length - len(tokens))


mean, std = (torch.tensor(config["preprocess_cfg"][key]).view(3, 1, 1) for key in ("mean", "std"))
rows = []
for line in open(f"{pictures}/metadata.jsonl").read().splitlines()[::8]:
    row = json.loads(line)
    image = np.asarray(Image.open(f"{pictures}/{row['file_name']}").convert("RGB"))
    pixels = (torch.from_numpy(image.copy()).permute(2, 0, 1).float() / 255 - mean) / std
    with torch.no_grad():
        a = model.encode_image(pixels[None], normalize=True)
        b = model.encode_text(torch.tensor([ids(row["text"], cfg["text_cfg"]["context_length"])]), normalize=True)
    rows.append({"file_name": row["file_name"], "text": row["text"], "score": (a @ b.T).item()})
json.dump(rows, open("golden.json", "w"), indent=1)
print(rows[:3])

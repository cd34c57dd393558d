"""Writes the reference values beside this file: pip install torch torchvision lpips pytorch-fid scipy pillow.

Weights are not stored: every tensor is drawn by the generator below, which the Rust tests repeat.
"""
import io
import json
import numpy as np
import torch
import lpips
import scipy.stats
from PIL import Image

BASE = 0x0BAD5EED
MASK = (1 << 64) - 1


def fnv1a(text):
    value = 0xCBF29CE484222325
    for byte in text.encode():
        value = ((value ^ byte) * 0x100000001B3) & MASK
    return value


def draw(name, shape):
    """Uniform in [-1, 1) from SplitMix64, seeded by the tensor's name."""
    count = int(np.prod(shape)) if shape else 1
    i = np.arange(1, count + 1, dtype=np.uint64)
    x = np.uint64(fnv1a(name) ^ BASE) + i * np.uint64(0x9E3779B97F4A7C15)
    x = (x ^ (x >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    x = (x ^ (x >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    x = x ^ (x >> np.uint64(31))
    u = 2.0 * ((x >> np.uint64(40)).astype(np.float64) / (1 << 24)) - 1.0
    if name.startswith("lin"):
        u = 0.5 * (u + 1.0)
    elif len(shape) > 1:
        u = u * np.sqrt(6.0 / np.prod(shape[1:]))
    else:
        u = 0.1 * u
    return torch.from_numpy(u.reshape(shape).astype(np.float32))


def picture(seed, width, height):
    """A smooth pattern with some noise, repeated in the Rust tests."""
    y, x = np.mgrid[0:height, 0:width].astype(np.int64)
    channels = [(x * (3 + c) + y * (5 + seed) + (x * y * (seed + c + 1)) // 16) % 256 for c in range(3)]
    return np.stack(channels, -1).astype(np.uint8)


np.seterr(over="ignore")
out = {}
for net in ("alex", "vgg", "squeeze"):
    torch.manual_seed(0)
    model = lpips.LPIPS(net=net, pretrained=False, pnet_rand=True, verbose=False).eval()
    state = {}
    for name, tensor in model.state_dict().items():
        if name.startswith("scaling_layer"):
            state[name] = tensor
            continue
        name_in_file = name.replace("lins.", "lin") if name.startswith("lins.") else name
        plain = name_in_file
        if plain.startswith("net.slice"):
            plain = "features." + plain.split(".", 2)[2]
        state[name] = draw(plain, tuple(tensor.shape))
    model.load_state_dict(state)
    rows = []
    for (width, height) in ((64, 64), (71, 50)):
        a, b = (torch.from_numpy(picture(s, width, height)).permute(2, 0, 1)[None].float() / 127.5 - 1 for s in (1, 2))
        with torch.no_grad():
            total, layers = model(a, b, retPerLayer=True)
            model.spatial = True
            spatial = model(a, b)
            model.spatial = False
        rows.append({
            "size": [width, height],
            "total": total.item(),
            "layers": [layer.item() for layer in layers],
            "map_first_row": spatial[0, 0, 0, ::7].tolist(),
        })
    out[net] = rows

exact = [1.5, -0.5, 2.25, 3.0, -1.0, 0.75, 4.5, -0.25, 2.0, 1.25]
tied = [1.0, 1.0, -1.0, 2.0, 3.0, 0.0, -2.0, 4.0, 5.0, 5.0, 6.0, -3.0]
many = [((i * 37) % 101 - 40) / 7 for i in range(1, 80)]
out["wilcoxon"] = []
for values in (exact, tied, many):
    result = scipy.stats.wilcoxon(values)
    out["wilcoxon"].append({"values": values, "statistic": float(result.statistic), "p": float(result.pvalue)})

# How Pillow turns pictures of other kinds into RGB.
rng = np.random.default_rng(3)
modes = {}
grey16 = (rng.integers(0, 65536, (5, 7))).astype(np.uint16)
grey16[0, :3] = [0, 200, 300]
Image.fromarray(grey16).save("grey16.png")
rgba = rng.integers(0, 256, (5, 7, 4)).astype(np.uint8)
Image.fromarray(rgba, "RGBA").save("rgba.png")
Image.fromarray(rgba[..., :2].copy(), "LA").save("grey_alpha.png")
Image.fromarray(rgba[..., :3].copy(), "RGB").quantize(6).save("palette.png", transparency=2)
Image.fromarray((rgba[..., 0] > 128)).save("bilevel.png")
Image.fromarray(rgba[..., :3].copy(), "RGB").save("lossless.webp", lossless=True)
Image.fromarray(picture(3, 24, 16)).save("colour.jpg", quality=90)
for name in ("grey16.png", "rgba.png", "grey_alpha.png", "palette.png", "bilevel.png", "lossless.webp", "colour.jpg"):
    with Image.open(name) as image:
        modes[name] = {"mode": image.mode, "rgb": np.asarray(image.convert("RGB")).reshape(-1).tolist()}
out["pictures"] = modes

# Pillow's and torch's resizing.
source = Image.fromarray(picture(4, 37, 23))
out["resize"] = []
for size in ((16, 16), (50, 41), (37, 10)):
    for name, filter in (("bilinear", Image.Resampling.BILINEAR), ("bicubic", Image.Resampling.BICUBIC)):
        pillow = np.asarray(source.resize(size, filter)).reshape(-1)
        tensor = torch.from_numpy(picture(4, 37, 23)).permute(2, 0, 1)[None].float() / 255
        floats = torch.nn.functional.interpolate(tensor, size=size[::-1], mode=name, antialias=True, align_corners=False)
        out["resize"].append({"size": size, "filter": name, "pillow": pillow[::5].tolist(),
                              "torch": floats.reshape(-1)[::5].tolist()})

out["versions"] = {"torch": torch.__version__, "lpips": "0.1.4", "scipy": scipy.__version__, "pillow": Image.__version__}
with open("reference.json", "w") as file:
    json.dump(out, file)

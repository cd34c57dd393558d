"""Writes the reference values beside this file: pip install torch torchvision lpips pytorch-fid scipy.

Weights are not stored: every tensor is drawn by the generator below, which the Rust tests repeat.
"""
import json
import numpy as np
import torch
import lpips
import scipy.stats

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

out["versions"] = {"torch": torch.__version__, "lpips": "0.1.4", "scipy": scipy.__version__}
with open("reference.json", "w") as file:
    json.dump(out, file)

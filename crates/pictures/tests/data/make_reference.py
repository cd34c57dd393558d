"""Writes the reference values and the pictures beside this file: pip install torch pillow."""
import json
import numpy as np
import torch
from PIL import Image


def picture(seed, width, height):
    """A smooth pattern with some noise, repeated in the Rust tests."""
    y, x = np.mgrid[0:height, 0:width].astype(np.int64)
    channels = [(x * (3 + c) + y * (5 + seed) + (x * y * (seed + c + 1)) // 16) % 256 for c in range(3)]
    return np.stack(channels, -1).astype(np.uint8)


out = {}
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
Image.fromarray(picture(3, 24, 16)).convert("L").save("grey.jpg", quality=90)
ink = np.concatenate([picture(3, 24, 16), picture(2, 24, 16)[..., :1]], -1)
Image.fromarray(ink, "CMYK").save("ink.jpg", quality=90)
Image.fromarray(picture(3, 24, 16)).save("progressive.jpg", quality=90, progressive=True)
# Held sideways: EXIF's orientation 6.
turned = Image.new("RGB", (6, 4))
turned.putdata([(10 * i, 255 - 10 * i, 5 * i) for i in range(24)])
exif = Image.Exif()
exif[0x0112] = 6
turned.save("turned.jpg", exif=exif, quality=90)
turned.save("turned.png", exif=exif)
names = ("grey16.png", "rgba.png", "grey_alpha.png", "palette.png", "bilevel.png", "lossless.webp", "colour.jpg",
         "grey.jpg", "ink.jpg", "progressive.jpg")
for name in names:
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

out["versions"] = {"torch": torch.__version__, "pillow": Image.__version__}
with open("reference.json", "w") as file:
    json.dump(out, file)

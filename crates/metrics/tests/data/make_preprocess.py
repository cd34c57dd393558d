"""Writes open_clip_preprocess.json: pip install numpy pillow.

The steps are those of open_clip 3.3's `image_transform` for evaluation before `ToTensor`, with what torchvision does to
Pillow pictures written out: `Resize(n)` scales the shorter side to n and rounds the longer down, `CenterCrop(n)` rounds
half pixels to even; `ResizeKeepRatio(longest=1)` and `CenterCropOrPad` are open_clip's own.
"""
import json
import numpy as np
from PIL import Image, ImageOps


def picture(seed, width, height):
    """A smooth pattern with some noise, repeated in the Rust tests."""
    y, x = np.mgrid[0:height, 0:width].astype(np.int64)
    channels = [(x * (3 + c) + y * (5 + seed) + (x * y * (seed + c + 1)) // 16) % 256 for c in range(3)]
    return Image.fromarray(np.stack(channels, -1).astype(np.uint8))


def shortest(image, side):
    width, height = image.size
    short, long = min(width, height), max(width, height)
    longer = int(side * long / short)
    size = (side, longer) if width <= height else (longer, side)
    image = image if short == side else image.resize(size, Image.Resampling.BICUBIC)
    left, top = (int(round((length - side) / 2.0)) for length in image.size)
    return image.crop((left, top, left + side, top + side))


def longest(image, side):
    ratio = max(image.size[0] / side, image.size[1] / side)
    image = image.resize([round(length / ratio) for length in image.size], Image.Resampling.BICUBIC)
    (width, height) = image.size
    return ImageOps.expand(image, ((side - width) // 2, (side - height) // 2, (side - width + 1) // 2, (side - height + 1) // 2))


rows = []
for (width, height), side in (((37, 23), 16), ((23, 37), 16), ((61, 60), 17), ((9, 41), 12), ((12, 31), 12), ((5, 7), 14)):
    for mode, transform in (("shortest", shortest), ("longest", longest)):
        square = np.asarray(transform(picture(4, width, height), side))
        rows.append({"picture": [width, height], "size": side, "mode": mode, "rgb": square.reshape(-1)[::5].tolist(),
                     "sum": int(square.sum())})
with open("open_clip_preprocess.json", "w") as file:
    json.dump(rows, file)

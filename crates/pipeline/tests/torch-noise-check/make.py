"""Writes what torch.randn gives on the CPU for seeds, shapes and data types.

pip install torch; python make.py FILE. Of the files beside this, values.json was made with torch
2.15.0 and values-legacy.json with torch 2.3.1, both on a CPU.
"""

import json
import sys

import torch

cases = []
for seed in (0, 42, 2**40 + 7):
    for shape in ((1, 1, 3), (1, 3, 5), (1, 4, 4), (4, 9, 11), (4, 16, 16)):
        for name in ("float32", "float16", "bfloat16"):
            generator = torch.Generator("cpu").manual_seed(seed)
            draws = [torch.randn((1, *shape), generator=generator, dtype=getattr(torch, name)) for _ in range(3)]
            count = draws[0].numel()
            at = sorted({0, 1, 2, 7, 8, 15, 16, count // 2, count - 17, count - 16, count - 9, count - 1} & set(range(count)))
            values = [[float(f"{draw.flatten()[i].item():.9g}") for i in at] for draw in draws]
            cases.append({"seed": seed, "shape": shape, "dtype": name, "at": at, "values": values})
with open(sys.argv[1], "w") as file:
    file.write("[\n" + ",\n".join(json.dumps(case) for case in cases) + "\n]\n")

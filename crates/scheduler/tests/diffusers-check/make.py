"""Makes golden.json: what diffusers' schedulers do with fixed model outputs.

pip install diffusers torch; python make.py. The file beside this was made with diffusers 0.42.1 on torch 2.15.0, CPU.
"""

import json

import diffusers
import torch

BASE = {
    "beta_start": 0.00085,
    "beta_end": 0.012,
    "beta_schedule": "scaled_linear",
    "num_train_timesteps": 1000,
    "prediction_type": "epsilon",
    "set_alpha_to_one": False,
    "clip_sample": False,
    "skip_prk_steps": True,
    "steps_offset": 1,
}
V = {"prediction_type": "v_prediction"}
CASES = []
for steps in (1, 2, 4, 11, 16):
    for spacing in ("leading", "trailing", "linspace"):
        S = {"timestep_spacing": spacing}
        CASES += [
            ("EulerAncestralDiscreteScheduler", S, steps, 0.0),
            ("PNDMScheduler", S, steps, 0.0),
            ("DPMSolverMultistepScheduler", S, steps, 0.0),
        ]
for steps in (3, 9):
    CASES += [
        ("EulerAncestralDiscreteScheduler", V, steps, 0.0),
        ("PNDMScheduler", V, steps, 0.0),
        ("PNDMScheduler", {"set_alpha_to_one": True}, steps, 0.0),
        ("DPMSolverMultistepScheduler", V, steps, 0.0),
        ("DPMSolverMultistepScheduler", {"prediction_type": "sample"}, steps, 0.0),
        ("DPMSolverMultistepScheduler", {"solver_type": "heun"}, steps, 0.0),
        ("DPMSolverMultistepScheduler", {"solver_order": 1}, steps, 0.0),
        ("DPMSolverMultistepScheduler", {"use_karras_sigmas": True}, steps, 0.0),
        ("DPMSolverMultistepScheduler", {"thresholding": True, "sample_max_value": 1.5}, steps, 0.0),
        ("DPMSolverMultistepScheduler", V | {"rescale_betas_zero_snr": True, "timestep_spacing": "trailing"}, steps, 0.0),
        ("EulerAncestralDiscreteScheduler", V | {"rescale_betas_zero_snr": True, "timestep_spacing": "trailing"}, steps, 0.0),
        ("EulerDiscreteScheduler", V | {"rescale_betas_zero_snr": True, "timestep_spacing": "trailing"}, steps, 0.0),
        ("EulerDiscreteScheduler", {"use_karras_sigmas": True}, steps, 0.0),
        ("DDIMScheduler", {}, steps, 1.0),
        ("DDIMScheduler", V, steps, 0.5),
        ("DDIMScheduler", {"thresholding": True, "sample_max_value": 2.0}, steps, 0.0),
        ("DDIMScheduler", {"clip_sample": True}, steps, 0.7),
    ]

SHAPE = (1, 1, 2, 3)


def numbers(tensor):
    return [float(f"{value:.9g}") for value in tensor.flatten().tolist()]


def run(name, overrides, steps, eta):
    config = BASE | overrides
    cls = getattr(diffusers, name)
    # As a pipeline does it: the configuration of some class read as this one.
    scheduler = cls.from_config(config)
    scheduler.set_timesteps(steps)
    generator = torch.Generator().manual_seed(steps)
    outputs = torch.randn((len(scheduler.timesteps), *SHAPE), generator=generator)
    sample = torch.randn(SHAPE, generator=generator) * scheduler.init_noise_sigma
    start = sample.clone()
    noises = torch.Generator().manual_seed(100 + steps)
    drawn = torch.Generator().manual_seed(100 + steps)
    extra = {"eta": eta} if name == "DDIMScheduler" else {}
    if name in ("DDIMScheduler", "EulerAncestralDiscreteScheduler"):
        extra["generator"] = noises
    inputs, results = [], []
    for index, timestep in enumerate(scheduler.timesteps):
        inputs += numbers(scheduler.scale_model_input(sample, timestep))
        sample = scheduler.step(outputs[index], timestep, sample, **extra).prev_sample
        results += numbers(sample)
    calls = len(scheduler.timesteps)
    return {
        "class": name,
        "config": {"_class_name": "DDIMScheduler"} | config,
        "steps": steps,
        "eta": eta,
        "timesteps": [float(t) for t in scheduler.timesteps],
        "init_noise_sigma": float(scheduler.init_noise_sigma),
        "start": numbers(start),
        "outputs": numbers(outputs),
        "noise": [numbers(torch.randn(SHAPE, generator=drawn)) for _ in range(calls)] if "generator" in extra else [],
        "inputs": inputs,
        "results": results,
    }


with open("golden.json", "w") as file:
    cases = []
    for case in CASES:
        try:
            cases.append(run(*case))
        except Exception as error:
            print("left out:", case, repr(error)[:200])
    file.write("[\n" + ",\n".join(json.dumps(case) for case in cases) + "\n]\n")
    print(len(cases), "cases")

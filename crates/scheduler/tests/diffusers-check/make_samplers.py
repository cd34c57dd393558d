"""Makes samplers.json, in golden.json's form: Heun, LCM, the stochastic DPM-Solver++, DDIM's inversion, and σ spaced
by Karras et al. or exponentially; and begun.json: what clean latents become where a run begins midway.

pip install diffusers torch; python make_samplers.py. The files beside this were made with diffusers 0.42.1 on torch
2.15.0, CPU.
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
X = {"prediction_type": "sample"}
KARRAS = {"use_karras_sigmas": True}
EXPONENTIAL = {"use_exponential_sigmas": True}
ENDS = {"sigma_min": 0.05, "sigma_max": 12.0}
ZERO = {"rescale_betas_zero_snr": True, "timestep_spacing": "trailing"}
SDE = {"algorithm_type": "sde-dpmsolver++"}
HEUN, LCM, INVERSE = "HeunDiscreteScheduler", "LCMScheduler", "DDIMInverseScheduler"
EULER, DPM = "EulerDiscreteScheduler", "DPMSolverMultistepScheduler"
CASES = []
for steps in (1, 2, 7):
    for spacing in ("leading", "trailing", "linspace"):
        S = {"timestep_spacing": spacing}
        CASES += [(HEUN, S, steps), (DPM, S | SDE, steps)]
        if spacing != "linspace":
            CASES += [(INVERSE, S, steps), (INVERSE, S | V, steps)]
for steps in (1, 3, 16):
    for ladder in (KARRAS, EXPONENTIAL):
        for name, more in ((EULER, {}), (HEUN, {}), (DPM, {}), (DPM, SDE)):
            CASES.append((name, ladder | more, steps))
for steps in (4, 9):
    for name, more in ((EULER, {}), (HEUN, {}), (DPM, {}), (DPM, SDE)):
        CASES += [(name, more | ladder | ENDS, steps) for ladder in (KARRAS, EXPONENTIAL)]
    CASES += [
        (EULER, EXPONENTIAL | V | {"timestep_spacing": "leading"}, steps),
        (DPM, KARRAS | {"beta_schedule": "squaredcos_cap_v2"}, steps),
        (HEUN, V, steps),
        (HEUN, X, steps),
        (HEUN, {"clip_sample": True, "clip_sample_range": 1.5}, steps),
        (HEUN, V | ZERO, steps),
        (HEUN, {"thresholding": True}, steps),
        (DPM, SDE | V, steps),
        (DPM, SDE | X, steps),
        (DPM, SDE | {"solver_type": "heun"}, steps),
        (DPM, SDE | {"solver_order": 1}, steps),
        (DPM, SDE | V | ZERO, steps),
        (LCM, {}, steps),
        (LCM, V, steps),
        (LCM, X, steps),
        (LCM, {"clip_sample": True}, steps),
        (LCM, {"thresholding": True, "sample_max_value": 1.5}, steps),
        (LCM, {"original_inference_steps": 30, "timestep_scaling": 0.01}, steps),
        (LCM, V | ZERO, steps),
        (INVERSE, {"set_alpha_to_one": True}, steps),
        (INVERSE, {"clip_sample": True}, steps),
        (INVERSE, V | {"steps_offset": 0}, steps),
    ]
CASES += [(LCM, {}, 1), (LCM, {}, 50)]

SHAPE = (1, 1, 2, 3)


def numbers(tensor):
    return [float(f"{value:.9g}") for value in tensor.flatten().tolist()]


def run(name, overrides, steps):
    config = BASE | overrides
    # As a pipeline does it: the configuration of some class read as this one.
    scheduler = getattr(diffusers, name).from_config(config)
    scheduler.set_timesteps(steps)
    if hasattr(scheduler, "set_begin_index"):
        # Else a first timestep that comes twice would be looked up, and its second place found.
        scheduler.set_begin_index(0)
    calls = len(scheduler.timesteps)
    generator = torch.Generator().manual_seed(steps)
    outputs = torch.randn((calls, *SHAPE), generator=generator)
    sample = torch.randn(SHAPE, generator=generator) * scheduler.init_noise_sigma
    start = sample.clone()
    noisy = name == LCM or config.get("algorithm_type") == SDE["algorithm_type"]
    extra = {"generator": torch.Generator().manual_seed(100 + steps)} if noisy else {}
    drawn = torch.Generator().manual_seed(100 + steps)
    inputs, results = [], []
    for index, timestep in enumerate(scheduler.timesteps):
        inputs += numbers(scheduler.scale_model_input(sample, timestep))
        sample = scheduler.step(outputs[index], timestep, sample, **extra).prev_sample
        results += numbers(sample)
    return {
        "class": name,
        "config": {"_class_name": name} | config,
        "steps": steps,
        "eta": 0.0,
        "timesteps": [float(t) for t in scheduler.timesteps],
        "init_noise_sigma": float(scheduler.init_noise_sigma),
        "start": numbers(start),
        "outputs": numbers(outputs),
        "noise": [numbers(torch.randn(SHAPE, generator=drawn)) for _ in range(calls)] if noisy else [],
        "inputs": inputs,
        "results": results,
    }


def begun(name, overrides, steps, begin):
    """As StableDiffusionImg2ImgPipeline begins, with `begin` inference steps left out."""
    config = BASE | overrides
    scheduler = getattr(diffusers, name).from_config(config)
    scheduler.set_timesteps(steps)
    timesteps = scheduler.timesteps[begin * scheduler.order :]
    if hasattr(scheduler, "set_begin_index"):
        scheduler.set_begin_index(begin * scheduler.order)
    generator = torch.Generator().manual_seed(steps)
    clean, noise = torch.randn((2, *SHAPE), generator=generator)
    outputs = torch.randn((len(timesteps), *SHAPE), generator=generator)
    noisy = scheduler.add_noise(clean, noise, timesteps[:1])
    drawn = torch.Generator().manual_seed(100 + steps)
    adds = name in (LCM, "EulerAncestralDiscreteScheduler") or "algorithm_type" in overrides
    extra = {"generator": torch.Generator().manual_seed(100 + steps)} if adds else {}
    sample, results = noisy, []
    for index, timestep in enumerate(timesteps):
        sample = scheduler.step(outputs[index], timestep, scheduler_input(scheduler, sample, timestep), **extra).prev_sample
        results += numbers(sample)
    return {
        "class": name,
        "config": {"_class_name": name} | config,
        "steps": steps,
        "begin": begin,
        "clean": numbers(clean),
        "added": numbers(noise),
        "noisy": numbers(noisy),
        "outputs": numbers(outputs),
        "noise": [numbers(torch.randn(SHAPE, generator=drawn)) for _ in timesteps] if adds else [],
        "results": results,
    }


def scheduler_input(scheduler, sample, timestep):
    # Some classes find their place in the run, and warn where they were not asked before.
    scheduler.scale_model_input(sample, timestep)
    return sample


BEGUN = [
    (name, more, 8, begin)
    for begin in (1, 3, 7)
    for name, more in (
        ("DDIMScheduler", {}),
        ("DDIMScheduler", V | {"timestep_spacing": "trailing"}),
        (EULER, {}),
        (EULER, KARRAS),
        ("EulerAncestralDiscreteScheduler", V),
        (HEUN, {}),
        (HEUN, EXPONENTIAL),
        (DPM, {}),
        (DPM, KARRAS | V),
        (DPM, SDE),
        (LCM, {}),
    )
]


def write(path, cases):
    with open(path, "w") as file:
        file.write("[\n" + ",\n".join(json.dumps(case) for case in cases) + "\n]\n")
    print(path, len(cases), "cases")


write("samplers.json", [run(*case) for case in CASES])
write("begun.json", [begun(*case) for case in BEGUN])

"""Makes prk.json: what diffusers' PNDMScheduler does with Runge-Kutta steps, in golden.json's form.

pip install numpy; pip download --no-deps diffusers==0.32.1; unzip the wheel; python make_prk.py <unzipped folder>.
diffusers' own scheduling_pndm.py runs unchanged, with the few functions of torch that it calls taken from numpy in f32;
that this makes no difference is checked on golden.json's cases without Runge-Kutta steps, which torch computed.
"""

import functools
import importlib.util
import inspect
import json
import sys
import types

import numpy as np


class Array(np.ndarray):
    def to(self, *_args, **_options):
        return self


def array(values, dtype=np.float32):
    return np.asarray(values, dtype=dtype).view(Array)


def linspace(start, end, n, dtype):
    # torch counts from both ends.
    start, end = np.float32(start), np.float32(end)
    step = (end - start) / np.float32(n - 1)
    at = np.arange(n, dtype=np.float32)
    return array(np.where(np.arange(n) < n // 2, start + step * at, end - step * (np.float32(n - 1) - at)))


def register_to_config(init):
    @functools.wraps(init)
    def wrapped(self, **given):
        known = inspect.signature(init).parameters
        values = {name: p.default for name, p in known.items() if name != "self"}
        values |= {name: value for name, value in given.items() if name in known}
        self.config = types.SimpleNamespace(**values)
        init(self, **values)

    return wrapped


def load(root):
    torch = types.ModuleType("torch")
    torch.Tensor = torch.IntTensor = Array
    torch.device, torch.float32 = str, np.float32
    torch.tensor, torch.linspace = array, linspace
    torch.cumprod = lambda values, dim: array(np.cumprod(values.astype(np.float64)))
    torch.from_numpy = lambda values: values.view(Array)
    sys.modules["torch"] = torch
    for name in ("diffusers", "diffusers.schedulers"):
        sys.modules[name] = types.ModuleType(name)
        sys.modules[name].__path__ = []
    configuration = types.ModuleType("diffusers.configuration_utils")
    configuration.ConfigMixin = type("ConfigMixin", (), {})
    configuration.register_to_config = register_to_config
    sys.modules[configuration.__name__] = configuration
    utils = types.ModuleType("diffusers.schedulers.scheduling_utils")
    utils.KarrasDiffusionSchedulers = []
    utils.SchedulerMixin = type("SchedulerMixin", (), {})
    utils.SchedulerOutput = lambda prev_sample: types.SimpleNamespace(prev_sample=prev_sample)
    sys.modules[utils.__name__] = utils
    name = "diffusers.schedulers.scheduling_pndm"
    spec = importlib.util.spec_from_file_location(name, f"{root}/diffusers/schedulers/scheduling_pndm.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module.PNDMScheduler


def numbers(values):
    return [float(f"{value:.9g}") for value in np.asarray(values).flatten().tolist()]


def run(cls, config, steps, start, outputs=None):
    scheduler = cls(**config)
    scheduler.set_timesteps(steps)
    calls = len(scheduler.timesteps)
    if outputs is None:
        outputs = np.random.default_rng(steps).standard_normal((calls, 1, 1, 2, 3), dtype=np.float32)
    sample, inputs, results = array(start), [], []
    for output, timestep in zip(outputs, scheduler.timesteps):
        inputs += numbers(scheduler.scale_model_input(sample, timestep))
        sample = scheduler.step(array(output), timestep, sample).prev_sample
        results += numbers(sample)
    return {
        "class": "PNDMScheduler",
        "config": {"_class_name": "PNDMScheduler"} | config,
        "steps": steps,
        "eta": 0.0,
        "timesteps": [float(t) for t in scheduler.timesteps],
        "init_noise_sigma": float(scheduler.init_noise_sigma),
        "start": numbers(start),
        "outputs": numbers(outputs),
        "noise": [],
        "inputs": inputs,
        "results": results,
    }


cls = load(sys.argv[1])
with open("golden.json") as file:
    checked, largest = 0, 0.0
    for case in json.load(file):
        if case["class"] != "PNDMScheduler":
            continue
        start = np.reshape(case["start"], (1, 1, 2, 3))
        outputs = np.reshape(case["outputs"], (-1, 1, 1, 2, 3))
        again = run(cls, case["config"], case["steps"], start, outputs)
        assert again["timesteps"] == case["timesteps"]
        scale = max(map(abs, case["results"]))
        largest = max(largest, np.abs(np.subtract(again["results"], case["results"])).max() / scale)
        checked += 1
print(f"numpy in torch's place: {checked} cases of golden.json agree within {largest:.1e}")

BASE = {
    "beta_start": 0.00085,
    "beta_end": 0.012,
    "beta_schedule": "scaled_linear",
    "num_train_timesteps": 1000,
    "prediction_type": "epsilon",
    "set_alpha_to_one": False,
    "steps_offset": 1,
}
CASES = [({"timestep_spacing": spacing}, steps) for spacing in ("leading", "trailing", "linspace") for steps in (4, 11, 20)]
CASES += [({"skip_prk_steps": False}, 5), ({"set_alpha_to_one": True}, 7), ({"steps_offset": 0}, 6)]
CASES += [({"prediction_type": "v_prediction"}, steps) for steps in (4, 9)]
cases = []
for overrides, steps in CASES:
    start = np.random.default_rng(1000 + steps).standard_normal((1, 1, 2, 3), dtype=np.float32)
    cases.append(run(cls, BASE | overrides, steps, start))
for steps in (1, 2, 3):
    try:
        cls(**BASE).set_timesteps(steps)
        print(f"{steps} steps: accepted")
    except ValueError as error:
        print(f"{steps} steps: refused ({error})")
with open("prk.json", "w") as file:
    file.write("[\n" + ",\n".join(json.dumps(case) for case in cases) + "\n]\n")
print(len(cases), "cases")

"""ComfyUI under a schedule gives the latents that `unet-reweight` gives."""

import importlib
import json
import subprocess
from types import SimpleNamespace

import pytest
from engine import comfy as engine
from engine import load, pack
from program import GUIDANCE, PROMPT, generate, program
from schedules import STEPS, freeu, schedules, weights

#: Largest difference of latents that is allowed; theirs are of the order of 10.
TOLERANCE = 1e-3
BLOCKS = {"sd1": 7, "sd": 7, "sdxl": 5}
NAMES = [name for name in schedules(1) if name != "vanilla"]


@pytest.fixture(scope="session", params=list(BLOCKS))
def model(request, tmp_path_factory):
    """A tiny model: its folder, its conditioning, the sampler's σ, and a `MODEL` of ComfyUI."""
    torch = pytest.importorskip("torch", reason="no PyTorch")
    diffusers = pytest.importorskip("diffusers", reason="no diffusers")
    comfy = engine()
    from tiny_models import write_tiny_model

    shape, folder = request.param, tmp_path_factory.mktemp(request.param)
    write_tiny_model(folder / "model", shape)
    checkpoint = folder / "model.safetensors"
    command = [program(), "export", "checkpoint", "--model", str(folder / "model")]
    command += ["--dtype", "f32", "--out", str(checkpoint)]
    subprocess.run(command, check=True, capture_output=True, text=True)
    pipe = diffusers.DiffusionPipeline.from_pretrained(folder / "model")
    scheduler = diffusers.EulerDiscreteScheduler.from_config(pipe.scheduler.config)
    scheduler.set_timesteps(STEPS)
    with torch.no_grad():
        encoded = pipe.encode_prompt(
            PROMPT, device="cpu", num_images_per_prompt=1, do_classifier_free_guidance=True
        )
    pooled = encoded[2:] if shape == "sdxl" else (None, None)
    size = {"width": 128, "height": 128, "target_width": 128, "target_height": 128}
    conditioning = [
        [[embeds, {"pooled_output": extra, **size} if extra is not None else {}]]
        for embeds, extra in zip(encoded[:2], pooled)
    ]
    return SimpleNamespace(
        comfy=comfy,
        folder=folder / "model",
        blocks=BLOCKS[shape],
        conditioning=conditioning,
        sigmas=scheduler.sigmas,
        first=float(scheduler.init_noise_sigma) / float(scheduler.sigmas[0]),
        levels=[
            {"timestep": float(timestep), "sigma": float(sigma)}
            for timestep, sigma in zip(scheduler.timesteps, scheduler.sigmas)
        ],
        unet=load(comfy, checkpoint),
    )


def sampled(model, unet, noise, sigmas=None, sampler="euler", tells=True):
    """The last latents from that noise, by ComfyUI; `tells` is whether each call is told all of the
    sampler's σ, as newer versions do it themselves."""
    import torch

    sigmas = model.sigmas if sigmas is None else sigmas
    unet = unet.clone()
    if tells:
        unet.model_options["transformer_options"]["sample_sigmas"] = sigmas
    positive, negative = model.conditioning
    samples = model.comfy.sample.sample_custom(
        unet,
        noise * model.first,
        GUIDANCE,
        model.comfy.samplers.sampler_object(sampler),
        sigmas,
        positive,
        negative,
        torch.zeros_like(noise),
        disable_pbar=True,
    )
    return unet.model.process_latent_in(samples)


def applied(model, document, resample="off", start=0.0, end=1.0):
    """The model under a schedule, by the nodes."""
    nodes = pack().NODE_CLASS_MAPPINGS
    (schedule,) = nodes["UNetReweightScheduleText"]().read(json.dumps(document))
    return nodes["UNetReweightApply"]().apply(model.unet, schedule, resample, start, end)[0]


def difference(samples, generated):
    return float((samples - generated.latents).abs().max())


@pytest.mark.parametrize("name", NAMES)
def test_the_same_latents(model, tmp_path, name):
    document = schedules(model.blocks)[name]
    generated = generate(tmp_path, model.folder, document, "--scheduler", "euler")
    vanilla = sampled(model, model.unet, generated.noise)
    samples = sampled(model, applied(model, document), generated.noise)
    assert difference(samples, generated) < TOLERANCE
    assert difference(vanilla, generated) > 2 * TOLERANCE
    # Nothing is left in the model that the clone shares.
    assert sampled(model, model.unet, generated.noise).equal(vanilla)


def test_without_a_schedule_the_same_latents(model, tmp_path):
    generated = generate(tmp_path, model.folder, None, "--scheduler", "euler")
    assert difference(sampled(model, model.unet, generated.noise), generated) < TOLERANCE


def test_by_the_schedules_own_levels_where_comfyui_tells_none(model, tmp_path):
    document = {**schedules(model.blocks)["reuse"], "steps": model.levels}
    generated = generate(tmp_path, model.folder, document, "--scheduler", "euler")
    samples = sampled(model, applied(model, document), generated.noise, tells=False)
    assert difference(samples, generated) < TOLERANCE
    document.pop("steps")
    with pytest.raises(ValueError, match="does not tell the sampler's steps"):
        sampled(model, applied(model, document), generated.noise, tells=False)


def test_other_steps_are_refused_or_resampled(model, tmp_path):
    own = [{"timestep": 0.0, "sigma": 14.6 * 0.55**step} for step in range(STEPS)]
    document = {"blocks": {"weights": weights(model.blocks)}, "steps": own}
    options = ["--scheduler", "euler", "--steps", "6", "--resample", "nearest"]
    generated = generate(tmp_path, model.folder, document, *options)
    import diffusers

    scheduler = diffusers.DDIMScheduler.from_pretrained(model.folder, subfolder="scheduler")
    scheduler = diffusers.EulerDiscreteScheduler.from_config(scheduler.config)
    scheduler.set_timesteps(6)
    scale = float(scheduler.init_noise_sigma / scheduler.sigmas[0]) / model.first
    noise, sigmas = generated.noise * scale, scheduler.sigmas
    unet = applied(model, document, resample="nearest")
    assert difference(sampled(model, unet, noise, sigmas), generated) < TOLERANCE
    with pytest.raises(ValueError, match="has 10 steps, expected 6"):
        sampled(model, applied(model, document), noise, sigmas)


def test_a_window(model, tmp_path):
    document = {"blocks": {"weights": weights(model.blocks)}, "freeu": freeu()}
    options = ["--scheduler", "euler", "--window", "0.25,0.7"]
    generated = generate(tmp_path, model.folder, document, *options)
    unet = applied(model, document, start=0.25, end=0.7)
    assert difference(sampled(model, unet, generated.noise), generated) < TOLERANCE


def test_a_second_run_is_the_first_again(model):
    import torch

    noise = torch.randn(1, 4, 16, 16, generator=torch.Generator().manual_seed(0))
    unet = applied(model, schedules(model.blocks)["reuse"])
    once, again = (sampled(model, unet, noise, sampler="heun") for _ in range(2))
    assert once.equal(again)
    assert not once.equal(sampled(model, model.unet, noise, sampler="heun"))


def steps(schedule, calls, sigmas=None, resample=None):
    """The steps of calls at these σ, and how many runs they are."""
    import torch

    engine()
    module = importlib.import_module(f"{pack().__name__}.sampling")
    sampling = module.Sampling(schedule, resample)
    told = {} if sigmas is None else {"sample_sigmas": torch.tensor(sigmas)}
    runs = [
        (sampling.run({"sigmas": torch.tensor([sigma]), **told}), sampling._step) for sigma in calls
    ]
    return [step for _, step in runs], len({id(run) for run, _ in runs})


def test_calls_at_one_level_are_one_step():
    from unet_reweight import BlockWeights, NoiseLevel, Schedule

    pytest.importorskip("torch", reason="no PyTorch")
    schedule = Schedule(blocks=BlockWeights([[1.0]] * 3))
    sigmas = [8.0, 4.0, 2.0, 0.0]
    # Heun's second call of a step is at the next step's level; others call in between.
    assert steps(schedule, [8.0, 4.0, 4.0, 2.0, 2.0], sigmas) == ([0, 1, 1, 2, 2], 1)
    assert steps(schedule, [8.0, 5.0, 4.0, 3.0, 2.0, 1.0], sigmas) == ([0, 0, 1, 1, 2, 2], 1)
    # The sampler begins anew.
    assert steps(schedule, [8.0, 2.0, 8.0, 2.0], sigmas) == ([0, 2, 0, 2], 2)
    own = tuple(NoiseLevel(0.0, sigma) for sigma in sigmas[:3])
    known = Schedule(blocks=schedule.blocks, levels=own)
    assert steps(known, [8.0, 4.0, 2.0]) == ([0, 1, 2], 1)
    # A part of the schedule's own run, as from a picture.
    assert steps(known, [4.0, 2.0], [4.0, 2.0, 0.0]) == ([1, 2], 1)
    with pytest.raises(ValueError, match="found one at 5.0000"):
        steps(known, [5.0])
    assert steps(known, [5.0], resample="nearest") == ([1], 1)


def test_what_does_not_fit_is_refused(model):
    for document, expected in [
        ({"blocks": {"weights": [[1.0] * 3] * STEPS}}, f"has 3 blocks, expected {model.blocks}"),
        ({"blocks": {"weights": [[1.0]]}, "paths": ["up_blocks.9"]}, "found `up_blocks.9`"),
    ]:
        with pytest.raises(ValueError, match=expected):
            applied(model, document)


def test_load_schedule_reads_a_file(tmp_path):
    engine()
    path = tmp_path / "schedule.json"
    path.write_text('{"blocks": {"weights": [[1.0, 1.1]]}}')
    node = pack().NODE_CLASS_MAPPINGS["UNetReweightLoadSchedule"]
    (schedule,) = node().load(str(path))
    assert schedule.blocks.weights == [[1.0, 1.1]]
    assert node.IS_CHANGED(str(path)) == path.stat().st_mtime
    absent = str(tmp_path / "absent.json")
    assert node.IS_CHANGED(absent) != node.IS_CHANGED(absent)
    with pytest.raises(ValueError, match="absent.yaml"):
        node().load("absent.yaml")

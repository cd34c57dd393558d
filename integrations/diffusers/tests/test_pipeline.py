"""Pipelines of diffusers under a schedule give the latents that `unet-reweight` gives."""

import contextlib
import warnings

import pytest
from program import GUIDANCE, PROMPT, SHIPPED, generate
from schedules import STEPS, schedules, weights
from unet_reweight import BlockWeights, FreeU, Schedule, ScheduleError

#: Largest difference of latents that is allowed; theirs are of the order of 1.
TOLERANCE = 1e-3
NAMES = list(schedules(1))
FREEU = FreeU(1.4, 1.6, 0.9, 0.2)


def sampled(pipe, noise, schedule, steps=STEPS, **options):
    """The last latents from that noise."""
    done = contextlib.nullcontext() if schedule is None else schedule.applied(pipe, **options)
    with done:
        return pipe(
            PROMPT,
            latents=noise.clone(),
            num_inference_steps=steps,
            guidance_scale=GUIDANCE,
            output_type="latent",
        ).images


def difference(pipe, generated, schedule, **options):
    return float(
        (sampled(pipe, generated.noise, schedule, **options) - generated.latents).abs().max()
    )


def loaded(document):
    return None if document is None else Schedule.from_document(document)


@pytest.mark.parametrize("name", NAMES)
def test_sd_gives_the_same_latents(shipped, tmp_path, name):
    document = schedules(7)[name]
    generated = generate(tmp_path, SHIPPED, document)
    assert difference(shipped, generated, loaded(document)) < TOLERANCE
    if document is not None:
        # The schedule does something, and nothing of it is left.
        assert difference(shipped, generated, None) > 10 * TOLERANCE


@pytest.mark.parametrize("name", NAMES)
def test_sd_1_gives_the_same_latents(sd1, sd1_folder, tmp_path, name):
    document = schedules(7)[name]
    generated = generate(tmp_path, sd1_folder, document)
    assert difference(sd1, generated, loaded(document)) < TOLERANCE / 10
    if document is not None:
        assert difference(sd1, generated, None) > TOLERANCE


@pytest.mark.parametrize("name", NAMES)
def test_sdxl_gives_the_same_latents(sdxl, sdxl_folder, tmp_path, name):
    document = schedules(5)[name]
    generated = generate(tmp_path, sdxl_folder, document)
    assert difference(sdxl, generated, loaded(document)) < TOLERANCE
    if document is not None:
        assert difference(sdxl, generated, None) > 10 * TOLERANCE


@pytest.mark.parametrize(
    ("name", "scheduler", "calls"),
    [
        ("EulerDiscreteScheduler", "euler", STEPS),
        ("DPMSolverMultistepScheduler", "dpm++2m", STEPS),
        ("PNDMScheduler", "pndm", STEPS + 9),
    ],
)
def test_every_call_of_the_unet_is_a_step(diffusers, shipped, tmp_path, name, scheduler, calls):
    ddim, rows = shipped.scheduler, (2 * weights(7))[:calls]
    document = {"blocks": {"weights": rows}}
    generated = generate(tmp_path, SHIPPED, document, "--scheduler", scheduler)
    shipped.scheduler = getattr(diffusers, name).from_config(ddim.config)
    try:
        assert difference(shipped, generated, loaded(document)) < TOLERANCE
        if calls != STEPS:
            with pytest.raises(ScheduleError, match=f"has {STEPS} steps, expected {calls}"):
                sampled(shipped, generated.noise, loaded({"blocks": {"weights": weights(7)}}))
    finally:
        shipped.scheduler = ddim


@pytest.mark.parametrize("how", ["nearest", "interpolate"])
def test_other_steps_are_resampled_by_noise_level(shipped, tmp_path, how):
    own = [{"timestep": 1000.0 - 90 * step, "sigma": 14.6 * 0.55**step} for step in range(STEPS)]
    document = {"blocks": {"weights": weights(7)}, "steps": own}
    generated = generate(tmp_path, SHIPPED, document, "--steps", "6", "--resample", how)
    schedule = loaded(document)
    assert difference(shipped, generated, schedule, steps=6, resample=how) < TOLERANCE
    with pytest.raises(ScheduleError, match="has 10 steps, expected 6"):
        sampled(shipped, generated.noise, schedule, steps=6)
    with pytest.warns(UserWarning, match="other noise levels"):
        sampled(shipped, generated.noise, schedule)


def test_a_window_leaves_the_other_steps(shipped, tmp_path):
    document = {"blocks": {"weights": weights(7)}, "freeu": schedules(7)["freeu"]["freeu"]}
    generated = generate(tmp_path, SHIPPED, document, "--window", "0.25,0.7")
    assert difference(shipped, generated, loaded(document).within(0.25, 0.7)) < TOLERANCE


def test_image_to_image_begins_at_its_step(diffusers, shipped):
    import torch

    pipe = diffusers.StableDiffusionImg2ImgPipeline(
        **shipped.components, requires_safety_checker=False
    )
    pipe.set_progress_bar_config(disable=True)
    picture = torch.rand(1, 3, 64, 64, generator=torch.Generator().manual_seed(0))

    def made(rows):
        done = (
            Schedule(blocks=BlockWeights(rows)).applied(pipe) if rows else contextlib.nullcontext()
        )
        noise = torch.Generator().manual_seed(1)
        with done:
            return pipe(
                PROMPT,
                image=picture,
                strength=0.5,
                num_inference_steps=STEPS,
                generator=noise,
                output_type="latent",
            ).images

    first_half = [[1.3] * 7] * 5 + [[1.0] * 7] * 5
    assert torch.equal(made(first_half), made(None))
    assert not torch.equal(made(first_half[::-1]), made(None))


def attributes(pipe):
    """Everything that is set on instances, and every hook."""
    modules = list(pipe.unet.modules()) + [pipe.scheduler]
    hooks = [len(getattr(module, "_forward_pre_hooks", ())) for module in modules]
    return [set(vars(module)) for module in modules], hooks


def test_nothing_is_left_after_an_exception(shipped):
    before = attributes(shipped)
    schedule = Schedule(blocks=BlockWeights([[1.1] * 7] * STEPS), freeu=FREEU)
    with pytest.raises(KeyError), schedule.applied(shipped) as pipe:
        assert pipe is shipped and attributes(shipped) != before
        again = pytest.raises(ScheduleError, match="another schedule is applied")
        with again, schedule.applied(shipped):
            pass
        raise KeyError("anything")
    assert attributes(shipped) == before
    with pytest.raises(ScheduleError):
        sampled(shipped, pytest.importorskip("torch").randn(1, 4, 16, 16), schedule, steps=3)
    assert attributes(shipped) == before


def test_another_forward_is_put_back(shipped):
    transformer = shipped.unet.mid_block.attentions[0]
    own = transformer.forward
    transformer.forward = own
    try:
        with Schedule(blocks=BlockWeights([[1.1] * 7] * STEPS)).applied(shipped):
            assert transformer.forward is not own
        assert transformer.forward is own
    finally:
        del transformer.forward


def test_what_does_not_fit_is_refused_before_anything_is_done(diffusers, shipped):
    before = attributes(shipped)
    for schedule, expected in [
        (Schedule(blocks=BlockWeights([[1.0] * 5])), "has 5 blocks, expected 7"),
        (Schedule(blocks=BlockWeights([[1.0]]), paths=("mid_block",)), "expected `down_blocks.0`"),
    ]:
        with pytest.raises(ScheduleError, match=expected), schedule.applied(shipped):
            pass
    with pytest.raises(ScheduleError, match="expected a pipeline"), schedule.applied(object()):
        pass
    shipped.enable_freeu(0.9, 0.2, 1.4, 1.6)
    try:
        schedule = Schedule(freeu=FREEU)
        with pytest.raises(ScheduleError, match="disable_freeu"), schedule.applied(shipped):
            pass
    finally:
        shipped.disable_freeu()
    # `disable_freeu` leaves its attributes, empty.
    assert attributes(shipped)[1] == before[1]


def test_a_call_out_of_turn_is_refused(shipped):
    import torch

    sample, text = torch.zeros(1, 4, 16, 16), torch.zeros(1, 24, 128)
    schedule = Schedule(blocks=BlockWeights([[1.1] * 7] * STEPS))
    with schedule.applied(shipped), torch.no_grad():
        with pytest.raises(ScheduleError, match="`set_timesteps`"):
            shipped.unet(sample, 500, text)
        shipped.scheduler.set_timesteps(STEPS)
        first, second, third = shipped.scheduler.timesteps[:3]
        for timestep in (first, first, second):
            shipped.unet(sample, timestep, text)
        assert len(shipped.unet(sample, timestep=third, encoder_hidden_states=text)) == 1
        with pytest.raises(ScheduleError, match="found one at 17.0"):
            shipped.unet(sample, 17, text)


def test_half_precision_stays_half(diffusers, sdxl):
    import copy

    import torch

    half = copy.deepcopy(sdxl.unet).to(torch.bfloat16)
    pipe = copy.copy(sdxl)
    pipe.unet = half
    sample, text = torch.randn(2, 4, 8, 8), torch.randn(2, 24, 64)
    added = {"text_embeds": torch.randn(2, 32), "time_ids": torch.ones(2, 6)}
    schedule = Schedule.from_document(schedules(5)["weights-and-freeu"])
    with schedule.applied(pipe), torch.no_grad(), warnings.catch_warnings():
        pipe.scheduler.set_timesteps(STEPS)
        output = half(
            sample.bfloat16(),
            pipe.scheduler.timesteps[0],
            text.bfloat16(),
            added_cond_kwargs={name: value.bfloat16() for name, value in added.items()},
        ).sample
    assert output.dtype == torch.bfloat16 and output.isfinite().all()

//! Fine-tuning of a student towards its teacher.

use std::path::Path;
use std::time::{Duration, Instant};

use burn::module::{Module, ParamGroup};
use burn::optim::{AdamConfig, GradientsParams};
use burn::tensor::{FloatDType, Tensor};
use pipeline::{Conditioning, Pipeline, Prediction, SampleRequest, Trajectory};
use reweight::BlockWeights;
use unet_core::UNet2DConditionModel;
use weights::cast;

use crate::PruningError;
use crate::checkpoint::{self, trained};
use crate::settings::{ADAM_EPSILON, FineTuning};
use crate::task::task;

/// Most epochs of a fine-tuning.
const MAX_EPOCHS: usize = 1_000_000;

/// A fine-tuned student.
#[derive(Debug)]
pub struct Student {
    /// Its U-Net, in f32; it skips nothing by itself.
    pub unet: UNet2DConditionModel,
    /// Mean loss of each epoch.
    pub losses: Vec<f64>,
}

/// How far a fine-tuning is.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Progress {
    /// Epochs done.
    pub epochs: usize,
    /// Mean loss of the last one.
    pub loss: f64,
    /// Expected time to the end.
    pub remaining: Duration,
}

/// The pipeline with its U-Net in f32: the teacher of its students, which are in f32 as well, so
/// that pictures of both differ by what is skipped alone.
pub fn teacher(pipeline: &Pipeline) -> Pipeline {
    pipeline.with_unet(cast(pipeline.unet().clone(), FloatDType::F32))
}

/// Fine-tunes a copy of the pipeline's U-Net that skips what `skips` says, step by step, to predict
/// what the U-Net itself predicts.
///
/// Only parameters whose path contains `attentions` are trained, in f32, with one optimiser step
/// per inference step and batch. The loss is the mean squared error of the raw predictions (both
/// halves where guided); the student's own prediction drives the trajectory, so that it learns on
/// the inputs it will see. `samples` are requests of one prompt, guidance and number of steps.
///
/// Goes on from a checkpoint in `folder` to the same result, where it is of the same model, skips,
/// samples and settings; one of others, or of more epochs than asked for, is replaced at the next.
/// Nothing else in the folder is touched; it is left for the caller to remove.
///
/// # Errors
/// [`PruningError`]: samples that do not fit, an unwritable or broken checkpoint, a loss that is not
/// finite.
pub fn fine_tune(
    pipeline: &Pipeline,
    skips: &BlockWeights,
    samples: &[SampleRequest],
    settings: &FineTuning,
    folder: &Path,
    progress: &mut dyn FnMut(Progress),
) -> Result<Student, PruningError> {
    let first = check(samples, settings)?;
    skips
        .check_fits(first.calls()?, pipeline.unet().config().num_attention_blocks())
        .map_err(|error| PruningError::Settings(error.to_string()))?;
    let teacher = teacher(pipeline);
    let frozen = ParamGroup::all().exclude(trained());
    let student = teacher.unet().clone().freeze_group(frozen).train();
    let task = task(pipeline, skips, samples, settings)?;
    let optimizer = AdamConfig::new().with_epsilon(ADAM_EPSILON).init();
    let (mut state, mut student, mut optimizer) =
        checkpoint::load(folder, &task, settings.epochs, student, optimizer)?;
    let scale = first.guidance_scale();
    let (start, begun) = (Instant::now(), state.epochs);
    for epoch in state.epochs..settings.epochs {
        let (mut sum, mut count) = (0.0, 0);
        for batch in samples.chunks(settings.batch) {
            let Some(batch) = SampleRequest::joined(batch.to_vec()) else { continue };
            let conditioning = batch.unet_conditioning();
            let tracked = tracked(&conditioning);
            let sizes = batch.sizes.as_ref();
            let mut trajectory = Trajectory::new(&batch)?;
            loop {
                let mut gradients = None;
                trajectory.advance(|info, input| {
                    let timestep = info.timestep;
                    let target = teacher
                        .predict(input.clone(), timestep, &conditioning, scale, sizes, None)
                        .raw;
                    let policy = skips.at_step(info.step)?;
                    let predicted = teacher.with_unet(student.clone()).predict(
                        input.autodiff(),
                        timestep,
                        &tracked,
                        scale,
                        sizes,
                        Some(&policy),
                    );
                    let loss = (predicted.raw.clone() - target.autodiff()).square().mean();
                    let value = f64::from(loss.clone().inner().into_scalar::<f32>());
                    if !value.is_finite() {
                        return Err(PruningError::Diverged { epoch, loss: value });
                    }
                    sum += value;
                    count += 1;
                    gradients = Some(GradientsParams::from_grads(loss.backward(), &student));
                    let (raw, guided) = (predicted.raw.inner(), predicted.guided.inner());
                    Ok(Prediction { raw, guided })
                })?;
                let Some(gradients) = gradients else { break };
                student = optimizer.step(settings.learning_rate, student, gradients);
            }
        }
        state.epochs = epoch + 1;
        state.losses.push(sum / f64::from(count.max(1)));
        if state.epochs % settings.checkpoint_every == 0 && state.epochs < settings.epochs {
            checkpoint::save(folder, &mut state, &student, &optimizer)?;
        }
        let per_epoch = start.elapsed() / (state.epochs - begun) as u32;
        progress(Progress {
            epochs: state.epochs,
            loss: sum / f64::from(count.max(1)),
            remaining: per_epoch * (settings.epochs - state.epochs) as u32,
        });
    }
    Ok(Student { unet: student.valid(), losses: state.losses })
}

/// The first sample, where all fit each other and the settings can be run.
fn check<'a>(
    samples: &'a [SampleRequest],
    settings: &FineTuning,
) -> Result<&'a SampleRequest, PruningError> {
    let fail = |text: String| Err(PruningError::Settings(text));
    let Some(first) = samples.first() else {
        return fail("expected at least one sample to fine-tune on, found none".into());
    };
    for (name, value) in
        [("batch", settings.batch), ("checkpoint_every", settings.checkpoint_every)]
    {
        if value == 0 {
            return fail(format!("expected `{name}` above 0, found 0"));
        }
    }
    if !(1..=MAX_EPOCHS).contains(&settings.epochs) {
        let found = settings.epochs;
        return fail(format!("expected 1 to {MAX_EPOCHS} epochs, found {found}"));
    }
    if !settings.learning_rate.is_finite() || settings.learning_rate <= 0.0 {
        let found = settings.learning_rate;
        return fail(format!("expected a learning rate above 0, found {found}"));
    }
    let odd = samples.iter().find(|sample| {
        sample.steps != first.steps
            || sample.guided() != first.guided()
            || sample.prompts.batch() != 1
    });
    match odd {
        Some(odd) => fail(format!(
            "expected samples of one prompt in {} steps, found {} in {}",
            first.steps,
            odd.prompts.batch(),
            odd.steps
        )),
        None => Ok(first),
    }
}

fn tracked(conditioning: &Conditioning) -> Conditioning {
    Conditioning {
        embeds: conditioning.embeds.clone().autodiff(),
        pooled: conditioning.pooled.clone().map(Tensor::autodiff),
    }
}

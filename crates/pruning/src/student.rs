//! Fine-tuning of a student that skips blocks.

use std::path::Path;
use std::time::{Duration, Instant};

use burn::module::{Module, ParamGroup};
use burn::optim::{AdamConfig, GradientsParams};
use burn::tensor::{FloatDType, Tensor};
use pipeline::{Conditioning, Pipeline, PipelineError, Prediction, SampleRequest, Trajectory};
use reweight::BlockWeights;
use serde_json::json;
use unet_core::UNet2DConditionModel;
use weights::cast;

use crate::PruningError;
use crate::checkpoint::{self, trained};

/// How a student is fine-tuned.
#[derive(Debug, Clone, PartialEq)]
pub struct FineTuning {
    /// Adam's learning rate (the authors': 5e-6).
    pub learning_rate: f64,
    /// Samples of one optimiser step (the authors': 8).
    pub batch: usize,
    /// Passes over all samples (the authors': 300).
    pub epochs: usize,
    /// Epochs after which a checkpoint is written.
    pub checkpoint_every: usize,
}

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

/// Fine-tunes a copy of the pipeline's U-Net that skips what `skips` says, step by step, to predict
/// what the U-Net itself predicts.
///
/// Only parameters whose path contains `attentions` are trained, in f32, with one optimiser step
/// per inference step and batch. The loss is the mean squared error of the raw predictions (both
/// halves where guided); the student's own prediction drives the trajectory, so that it learns on
/// the inputs it will see. `samples` are requests of one prompt, guidance and number of steps.
///
/// Goes on from a checkpoint of the same task in `folder` to the same result; the folder is left
/// for the caller to remove.
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
    // Nothing of the teacher is copied but what another type of its weights takes.
    let teacher = pipeline.with_unet(cast(pipeline.unet().clone(), FloatDType::F32));
    let frozen = ParamGroup::all().exclude(trained());
    let student = teacher.unet().clone().freeze_group(frozen).train();
    let task = task(pipeline, skips, samples, settings)?;
    let optimizer = AdamConfig::new().init();
    let (mut state, mut student, mut optimizer) =
        checkpoint::load(folder, &task, student, optimizer)?;
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
                    let policy = skips.at_step(info.step).map_err(PipelineError::from)?;
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
        if state.epochs % settings.checkpoint_every.max(1) == 0 && state.epochs < settings.epochs {
            checkpoint::save(folder, &state, &student, &optimizer)?;
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
    if settings.batch == 0 {
        return fail("expected a batch above 0".into());
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

/// What a checkpoint must be of to be gone on with.
fn task(
    pipeline: &Pipeline,
    skips: &BlockWeights,
    samples: &[SampleRequest],
    settings: &FineTuning,
) -> Result<serde_json::Value, PruningError> {
    let noise: f64 = samples
        .iter()
        .map(|sample| f64::from(sample.noise.clone().abs().sum().into_scalar::<f32>()))
        .sum();
    Ok(json!({
        "model": pipeline.fingerprint()?,
        "skips": skips,
        "samples": samples.len(),
        "noise": noise,
        "learning_rate": settings.learning_rate,
        "batch": settings.batch,
    }))
}

fn tracked(conditioning: &Conditioning) -> Conditioning {
    Conditioning {
        embeds: conditioning.embeds.clone().autodiff(),
        pooled: conditioning.pooled.clone().map(Tensor::autodiff),
    }
}

//! Estimates of importance for one prompt, and the effects they are judged by.

use ::probe::{Effects, Estimates, ProbeError, UNetEvaluator};
use metrics::mean_squared_error;
use pictures::RgbImage;
use reweight::StepMatrix;

use super::context::Context;
use super::library::Library;
use super::request::request;
use super::results::MeasuredEffects;
use crate::ReproduceError;
use crate::plan::{Influence, Measured, Unit};

/// Pictures that are decoded and measured at a time.
const TOGETHER: usize = 8;

/// Measures and stores what an estimator needs, from where an earlier run was interrupted.
pub(crate) fn estimates(library: &Library<'_>, measured: &Measured) -> Result<(), ReproduceError> {
    let (context, unit) = (library.context, Unit::Estimates(*measured));
    let Measured { example, steps, estimator } = *measured;
    let (store, key, blocks) =
        (&context.store, context.keys().state(&unit), context.study.blocks());
    let request = request(context, example, context.experiment().train_seed, steps)?;
    let unet_batch = context.options.unet_batch;
    let mut evaluator = UNetEvaluator::new(&context.pipeline, &[request], unet_batch)?;
    // A state that is damaged, or of another version, is as good as none.
    let mut estimates = store
        .read::<Estimates>(&key)
        .unwrap_or_default()
        .filter(|state| {
            state.estimator == estimator && state.check_continues(steps, 1, blocks).is_ok()
        })
        .unwrap_or_else(|| Estimates::new(estimator));
    estimates.complete(&mut evaluator, &mut |state| {
        store.write(&key, state).map_err(|error| ProbeError::Interrupted {
            epoch: state.measured.len(),
            reason: error.to_string(),
        })
    })?;
    library.store(&unit, &estimates)?;
    store.remove(&key);
    Ok(())
}

/// Measures and stores the effects on latents, pictures and scores.
pub(crate) fn effects(library: &Library<'_>, influence: &Influence) -> Result<(), ReproduceError> {
    let context = library.context;
    let Influence { example, steps, effect } = *influence;
    let request = request(context, example, context.experiment().train_seed, steps)?;
    let (pipeline, unet_batch) = (&context.pipeline, context.options.unet_batch);
    let Effects { distances, latents, .. } =
        Effects::measure(pipeline, &request, effect, unet_batch, &mut |_| {})?;
    let count = latents.dims()[0];
    let mut seen = Seen::default();
    for start in (0..count).step_by(TOGETHER) {
        let part = latents.clone().narrow(0, start, TOGETHER.min(count - start));
        seen.add(context, &context.example(example).text, pipeline.pictures(part)?)?;
    }
    let blocks = context.study.blocks();
    let matrix = |values: &[f64]| {
        StepMatrix::from_fn(steps, blocks, |step, block| values[1 + step * blocks + block])
    };
    let complete = |values: &[f64]| (values.len() == count).then(|| matrix(values));
    let vanilla = seen.scores.first().copied().unwrap_or_default();
    let measured = MeasuredEffects {
        latents: distances,
        pixels: matrix(&seen.pixels),
        lpips: complete(&seen.lpips),
        score: complete(&seen.scores).map(|scores| scores.map(|score| score - vanilla)),
    };
    library.store(&Unit::Effects(*influence), &measured)
}

/// What was measured on the pictures so far, the vanilla one first.
#[derive(Default)]
struct Seen {
    vanilla: Option<RgbImage>,
    pixels: Vec<f64>,
    lpips: Vec<f64>,
    scores: Vec<f64>,
}

impl Seen {
    fn add(
        &mut self,
        context: &Context,
        prompt: &str,
        pictures: Vec<RgbImage>,
    ) -> Result<(), ReproduceError> {
        let Some(first) = pictures.first() else { return Ok(()) };
        let vanilla = self.vanilla.get_or_insert_with(|| first.clone());
        for picture in &pictures {
            self.pixels.push(mean_squared_error(picture, vanilla)?);
        }
        if let Some(lpips) = &context.networks.lpips {
            let beside = vec![vanilla.clone(); pictures.len()];
            self.lpips.extend(lpips.distances(&pictures, &beside)?.total);
        }
        if let Some(scorer) = &context.scorer {
            let prompts = vec![prompt.to_string(); pictures.len()];
            self.scores.extend(scorer.cosines(&scorer.embed(&pictures)?, &prompts)?);
        }
        Ok(())
    }
}

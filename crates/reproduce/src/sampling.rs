//! How pictures are sampled, several together where that is faster.

use pipeline::{Control, DeviceChoice, PictureRecord, SampleRequest};
use reweight::Policy;
use scheduler::SchedulerKind;

use crate::ReproduceError;
use crate::units::{Runner, Unit};
use crate::weightings::Weighting;

impl Runner<'_> {
    /// How many of the pictures at the front of `units` are sampled together: those of the same
    /// steps that differ in prompt, seed and weights alone.
    pub(crate) fn together(&self, units: &[&Unit]) -> usize {
        let kind = |unit: &Unit| match unit {
            Unit::Picture { weighting: Weighting::FreeU(_), .. } => None,
            Unit::Picture { steps, .. } => Some(*steps),
            _ => None,
        };
        let Some(first) = units.first().and_then(|unit| kind(unit)) else { return 1 };
        let most = self.context.options.picture_batch.max(1);
        units.iter().take(most).take_while(|unit| kind(unit) == Some(first)).count().max(1)
    }

    /// Samples and stores pictures that [`Self::together`] put together.
    pub(crate) fn pictures(&self, units: &[&Unit]) -> Result<(), ReproduceError> {
        let mut requests = Vec::new();
        let mut policies = Vec::new();
        for unit in units {
            let Unit::Picture { example, seed, steps, weighting } = unit else { continue };
            requests.push(self.request(*example, *seed, *steps)?);
            policies.push(self.policy(*example, *steps, weighting)?);
        }
        let Some(request) = SampleRequest::joined(requests) else { return Ok(()) };
        let pipeline = &self.context.pipeline;
        let batch = Policy::for_batch(policies.iter().cloned());
        let latents = pipeline.sample(&request, &batch, &mut |_| Control::Continue)?;
        let pictures = pipeline.pictures(latents)?;
        for ((unit, policy), picture) in units.iter().zip(&policies).zip(pictures) {
            let Unit::Picture { example, seed, steps, .. } = unit else { continue };
            let Some(key) = self.key(unit)? else { continue };
            let path = self.context.store.path(&key, "png");
            let record = self.record(*example, *seed, *steps, policy);
            let png = record
                .to_png(&picture)
                .map_err(|error| ReproduceError::broken(&path, error))?;
            self.context.store.write_bytes(&path, &png)?;
        }
        Ok(())
    }

    /// What is stored with a picture.
    fn record(&self, example: usize, seed: u64, steps: usize, policy: &Policy) -> PictureRecord {
        let (context, experiment) = (self.context, self.context.experiment());
        PictureRecord {
            prompt: self.example(example).text.clone(),
            negative_prompt: experiment.negative_prompt.clone(),
            seed,
            steps,
            guidance_scale: experiment.guidance_scale,
            scheduler: SchedulerKind::Ddim.class_name().into(),
            size: [context.study.picture_size; 2],
            noise: experiment.noise,
            eta: 0.0,
            model: context.pipeline.name().into(),
            model_sha256: context.model_sha256.clone(),
            dtype: Some(context.pipeline.precision()),
            device: DeviceChoice::of(context.pipeline.device()),
            version: env!("CARGO_PKG_VERSION").into(),
            intervention: serde_json::to_value(policy).unwrap_or_default(),
        }
    }
}

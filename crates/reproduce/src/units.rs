use std::cell::RefCell;
use std::collections::HashMap;

use burn::tensor::{DType, Tensor, TensorData};
use dataset::Example;
use pipeline::{Control, Guidance, Picture, PictureRecord, SampleRequest, initial_noise};
use probe::{CounterDraws, ProbeState, SampleBatch, UNetEvaluator, Vote, search, vote};
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;
use rand_distr::StandardNormal;
use reweight::Policy;
use scheduler::SchedulerKind;
use serde_json::json;

use crate::weightings::Weighting;
use crate::{Context, ReproduceError};

/// Changes whenever a unit's result would change for the same settings.
const FORMAT: u32 = 1;
/// Largest number of samples of one U-Net call; results do not depend on it.
const UNET_BATCH: usize = 32;

/// One piece of work whose result is stored.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Unit {
    /// The importance of every block for one picture's caption.
    Probe { example: usize },
    /// Eq. 2 on one picture, at every inference step.
    Snr { example: usize, seed: u64, steps: usize, weighting: Weighting },
    /// A picture sampled from one caption.
    Picture { example: usize, seed: u64, weighting: Weighting },
}

/// Runs units, keeping what several of them need.
pub(crate) struct Runner<'a> {
    pub(crate) context: &'a Context,
    examples: Vec<&'a Example>,
    latents: RefCell<HashMap<usize, Tensor<4>>>,
}

impl<'a> Runner<'a> {
    pub(crate) fn new(context: &'a Context) -> Self {
        Self { context, examples: context.examples().collect(), latents: RefCell::default() }
    }

    pub(crate) fn example(&self, index: usize) -> &'a Example {
        self.examples[index]
    }

    /// The key of everything a unit depends on.
    pub(crate) fn key(&self, unit: &Unit) -> Result<String, ReproduceError> {
        let context = self.context;
        let experiment = &context.experiment;
        let common = |example: usize| {
            let example = self.examples[example];
            json!({
                "format": FORMAT,
                "model": context.model_sha256,
                "text": example.text,
                "guidance": experiment.guidance_scale,
                "negative": experiment.negative_prompt,
                "size": context.picture_size,
            })
        };
        let probed = |example: usize, weighting: &Weighting| -> Result<_, ReproduceError> {
            Ok(if weighting.needs_probe() {
                Some(self.key(&Unit::Probe { example })?)
            } else {
                None
            })
        };
        let value = match unit {
            Unit::Probe { example } => json!({
                "kind": "probe",
                "common": common(*example),
                "steps": experiment.steps,
                "seed": experiment.train_seed,
                "probe": experiment.probe_at(context.size),
            }),
            Unit::Snr { example, seed, steps, weighting } => json!({
                "kind": "snr",
                "common": common(*example),
                "pixels": context.store.key(&self.examples[*example].pixels)?,
                "steps": steps,
                "seed": seed,
                "weighting": weighting,
                "probe": probed(*example, weighting)?,
            }),
            Unit::Picture { example, seed, weighting } => json!({
                "kind": "picture",
                "common": common(*example),
                "steps": experiment.steps,
                "seed": seed,
                "weighting": weighting,
                "probe": probed(*example, weighting)?,
            }),
        };
        context.store.key(&value)
    }

    /// Whether the unit's result is stored.
    pub(crate) fn is_done(&self, unit: &Unit) -> Result<bool, ReproduceError> {
        let key = self.key(unit)?;
        let store = &self.context.store;
        Ok(match unit {
            Unit::Probe { .. } => store.read::<Vote>(&key).is_some(),
            Unit::Snr { .. } => store.read::<Vec<f64>>(&key).is_some(),
            Unit::Picture { .. } => store.has(&key, "png"),
        })
    }

    /// Samples the U-Net runs on for the unit.
    pub(crate) fn cost(&self, unit: &Unit) -> usize {
        let experiment = &self.context.experiment;
        let doubled = if experiment.guidance_scale > 1.0 { 2 } else { 1 };
        match unit {
            Unit::Probe { .. } => {
                let probe = experiment.probe_at(self.context.size);
                doubled * (probe.evaluations(experiment.steps, 1) + experiment.steps)
            }
            Unit::Snr { steps, .. } => *steps,
            Unit::Picture { .. } => doubled * experiment.steps,
        }
    }

    /// How long the U-Net takes for one sample, in seconds, measured on a full batch.
    pub(crate) fn seconds_per_sample(&self) -> Result<f64, ReproduceError> {
        let request = self.request(0, 0)?;
        let prompt = request.prompts.repeated(UNET_BATCH);
        let input = request.noise.repeat_dim(0, UNET_BATCH);
        let policy = Policy::default();
        let mut seconds = 0.0;
        // The first call warms up.
        for _ in 0..2 {
            let start = std::time::Instant::now();
            let output = self.predict(input.clone(), &[500.0], prompt.clone(), &policy);
            let _ = output.sum().into_scalar::<f32>();
            seconds = start.elapsed().as_secs_f64();
        }
        Ok(seconds / UNET_BATCH as f64)
    }

    /// Computes and stores the unit unless that was done before.
    pub(crate) fn run(&self, unit: &Unit) -> Result<(), ReproduceError> {
        if self.is_done(unit)? {
            return Ok(());
        }
        let key = self.key(unit)?;
        match unit {
            Unit::Probe { example } => self.probe(*example, &key),
            Unit::Snr { example, seed, steps, weighting } => {
                let ratios = self.snr(*example, *seed, *steps, weighting)?;
                self.context.store.write(&key, &ratios)
            }
            Unit::Picture { example, seed, weighting } => {
                self.picture(*example, *seed, weighting, &key)
            }
        }
    }

    /// The stored result of a probe.
    pub(crate) fn vote(&self, example: usize) -> Result<Vote, ReproduceError> {
        let key = self.key(&Unit::Probe { example })?;
        self.context.store.read(&key).ok_or_else(|| self.absent(&key))
    }

    /// The stored ratios of a signal-to-noise unit, one per step.
    pub(crate) fn ratios(&self, unit: &Unit) -> Result<Vec<f64>, ReproduceError> {
        let key = self.key(unit)?;
        self.context.store.read(&key).ok_or_else(|| self.absent(&key))
    }

    /// The stored PNG of a picture unit.
    pub(crate) fn png(&self, unit: &Unit) -> Result<Vec<u8>, ReproduceError> {
        let path = self.context.store.path(&self.key(unit)?, "png");
        std::fs::read(&path).map_err(|source| ReproduceError::Io { path, source })
    }

    fn absent(&self, key: &str) -> ReproduceError {
        ReproduceError::broken(self.context.store.path(key, "json"), "the result is not there")
    }

    fn request(&self, example: usize, seed: u64) -> Result<SampleRequest, ReproduceError> {
        let (pipeline, experiment) = (&self.context.pipeline, &self.context.experiment);
        let prompts = pipeline.encode_prompts(&[self.examples[example].text.clone()])?;
        let negative = pipeline.encode_negative(experiment.negative_prompt.as_deref(), &prompts)?;
        let [height, width] = pipeline.latent_size([self.context.picture_size; 2])?;
        let shape = [pipeline.unet().config().in_channels, height, width];
        Ok(SampleRequest {
            prompts,
            guidance: Some(Guidance { scale: experiment.guidance_scale, negative }),
            noise: initial_noise(&[seed], shape, pipeline.device()),
            scheduler: SchedulerKind::Ddim,
            steps: experiment.steps,
            sizes: None,
        })
    }

    fn probe(&self, example: usize, key: &str) -> Result<(), ReproduceError> {
        let experiment = &self.context.experiment;
        let config = experiment.probe_at(self.context.size);
        let request = self.request(example, experiment.train_seed)?;
        let batch = SampleBatch { request, scheduler: None };
        let mut evaluator = UNetEvaluator::new(&self.context.pipeline, &[batch], UNET_BATCH)?;
        let mut draws = CounterDraws::new(config.seed);
        let (steps, blocks) = (experiment.steps, self.context.blocks());
        let store = &self.context.store;
        let state_key = store.key(&("probe state", key))?;
        let mut state = store
            .read::<ProbeState>(&state_key)
            .filter(|state| state.check_continues(&config, steps, blocks).is_ok())
            .map_or_else(|| ProbeState::new(&config, steps, blocks, &mut draws), Ok)?;
        search(&mut state, &mut evaluator, &mut draws, &mut |_| {}, &mut |state| {
            store.write(&state_key, state).map_err(|error| probe::ProbeError::Interrupted {
                epoch: state.epoch,
                reason: error.to_string(),
            })
        })?;
        let result = vote(&state.thresholds(), config.seed);
        store.write(key, &result)?;
        store.remove(&state_key);
        Ok(())
    }

    /// What a weighting does for one caption.
    fn policy(
        &self,
        example: usize,
        steps: usize,
        weighting: &Weighting,
    ) -> Result<Policy, ReproduceError> {
        let vote = if weighting.needs_probe() { Some(self.vote(example)?) } else { None };
        weighting.policy(steps, self.context.blocks(), vote.as_ref())
    }

    /// The picture's latent, encoded once.
    fn clean(&self, example: usize) -> Tensor<4> {
        let mut cached = self.latents.borrow_mut();
        let side = self.context.picture_size;
        let encode = || {
            let data = TensorData::new(self.examples[example].pixels.clone(), [1, 3, side, side]);
            let device = self.context.pipeline.device();
            self.context.pipeline.encode(Tensor::from_data(data, (device, DType::F32)))
        };
        cached.entry(example).or_insert_with(encode).clone()
    }

    /// Encode, noise, predict: Eq. 2 at each inference step, all steps in one U-Net call.
    fn snr(
        &self,
        example: usize,
        seed: u64,
        steps: usize,
        weighting: &Weighting,
    ) -> Result<Vec<f64>, ReproduceError> {
        let pipeline = &self.context.pipeline;
        let scheduler = pipeline
            .scheduler_config()
            .build(SchedulerKind::Ddim, steps)
            .map_err(pipeline::PipelineError::from)?;
        let timesteps = scheduler.timesteps().to_vec();
        let schedule = pipeline.noise_schedule();
        let picture = self.context.store.key(&self.examples[example].pixels)?;
        let picture = u64::from_str_radix(&picture[..12], 16).unwrap_or(0);
        let clean = self.clean(example);
        let shape = clean.dims();
        let device = clean.device();
        let noised: Vec<(Tensor<4>, Tensor<4>)> = timesteps
            .iter()
            .map(|timestep| {
                // The same noise for a picture, seed and timestep under every weighting.
                let mut rng = ChaCha8Rng::seed_from_u64(seed);
                rng.set_stream(picture << 16 | *timestep as u64);
                let count = shape.iter().product();
                let noise: Vec<f32> = rng.sample_iter(StandardNormal).take(count).collect();
                let noise = Tensor::from_data(TensorData::new(noise, shape), (&device, DType::F32));
                let sample = schedule.add_noise(clean.clone(), noise.clone(), *timestep as usize);
                (noise, sample)
            })
            .collect();
        let policy = self.policy(example, steps, weighting)?;
        let prompt = pipeline.encode_prompts(&[self.examples[example].text.clone()])?;
        let input = Tensor::cat(noised.iter().map(|(_, sample)| sample.clone()).collect(), 0);
        let output = self.predict(input, &timesteps, prompt.repeated(steps), &policy);
        let clean: Vec<f32> = clean.into_data().iter::<f32>().collect();
        let host = |tensor: Tensor<4>| -> Vec<f32> { tensor.into_data().iter::<f32>().collect() };
        noised
            .into_iter()
            .enumerate()
            .map(|(step, (noise, sample))| {
                let own = output.clone().narrow(0, step, 1);
                let predicted = schedule.to_epsilon(own, sample, timesteps[step] as usize);
                Ok(metrics::snr(&clean, &host(noise), &host(predicted))?)
            })
            .collect()
    }

    /// One unguided U-Net call with a sample per step, each under its step's weights.
    fn predict(
        &self,
        input: Tensor<4>,
        timesteps: &[f64],
        prompt: pipeline::Conditioning,
        policy: &Policy,
    ) -> Tensor<4> {
        let unet = self.context.pipeline.unet();
        let blocks = policy.blocks.as_ref().map(reweight::BlockWeights::all_steps);
        let mut both = reweight::Composed::new();
        if let Some(blocks) = blocks {
            both = both.with(blocks);
        }
        if let Some(freeu) = policy.freeu {
            both = both.with(freeu);
        }
        unet.forward(input, timesteps, prompt.embeds, None, Some(&both)).cast(DType::F32)
    }

    fn picture(
        &self,
        example: usize,
        seed: u64,
        weighting: &Weighting,
        key: &str,
    ) -> Result<(), ReproduceError> {
        let (pipeline, experiment) = (&self.context.pipeline, &self.context.experiment);
        let policy = self.policy(example, experiment.steps, weighting)?;
        let request = self.request(example, seed)?;
        let latents = pipeline.sample(
            &request,
            Some(&|info| policy.at_step(info.step, info.steps)),
            &mut |_, _| Control::Continue,
        )?;
        let record = PictureRecord {
            prompt: self.examples[example].text.clone(),
            negative_prompt: experiment.negative_prompt.clone(),
            seed,
            steps: experiment.steps,
            guidance_scale: experiment.guidance_scale,
            scheduler: SchedulerKind::Ddim.class_name().into(),
            size: [self.context.picture_size; 2],
            model: pipeline.name(),
            model_sha256: self.context.model_sha256.clone(),
            version: env!("CARGO_PKG_VERSION").into(),
            intervention: serde_json::to_value(&policy).unwrap_or_default(),
        };
        let path = self.context.store.path(key, "png");
        for picture in Picture::from_tensor(pipeline.decode(latents)) {
            let png = picture
                .to_png(Some(&record))
                .map_err(|error| ReproduceError::broken(&path, error))?;
            self.context.store.write_bytes(&path, &png)?;
        }
        Ok(())
    }
}

//! How probes, signal-to-noise ratios and scores are computed.

use burn::tensor::{DType, Tensor, TensorData};
use pipeline::{Guidance, NoiseSource, PipelineError, SampleRequest};
use probe::{CounterDraws, ProbeState, UNetEvaluator, search, vote};
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;
use rand_distr::StandardNormal;
use reweight::Policy;
use scheduler::SchedulerKind;

use crate::ReproduceError;
use crate::units::{Runner, Scored, Unit};
use crate::weightings::Weighting;

impl Runner<'_> {
    /// The noise of a seed, as the experiment wants it made.
    pub(crate) fn noise(&self, seed: u64) -> NoiseSource {
        NoiseSource {
            kind: self.context.experiment().noise,
            dtype: self.context.pipeline.precision(),
            seeds: vec![seed],
        }
    }

    /// Channels, height and width of the latents.
    pub(crate) fn latent_shape(&self) -> Result<[usize; 3], ReproduceError> {
        let pipeline = &self.context.pipeline;
        let [height, width] = pipeline.latent_size([self.context.study.picture_size; 2])?;
        Ok([pipeline.unet().config().in_channels, height, width])
    }

    /// One sample of one prompt, from the first noise of `seed`.
    pub(crate) fn request(
        &self,
        example: usize,
        seed: u64,
        steps: usize,
    ) -> Result<SampleRequest, ReproduceError> {
        let (pipeline, experiment) = (&self.context.pipeline, self.context.experiment());
        let prompts = pipeline.encode_prompts(&[self.example(example).text.clone()])?;
        let negative = pipeline.encode_negative(experiment.negative_prompt.as_deref(), &prompts)?;
        Ok(SampleRequest {
            prompts,
            guidance: Some(Guidance { scale: experiment.guidance_scale, negative }),
            noise: self.noise(seed).draw(0, self.latent_shape()?, pipeline.device()),
            fresh_noise: None,
            scheduler: SchedulerKind::Ddim,
            scheduler_config: pipeline.scheduler_config().clone(),
            steps,
            sizes: None,
        })
    }

    pub(crate) fn probe(
        &self,
        example: usize,
        steps: usize,
        key: &str,
    ) -> Result<(), ReproduceError> {
        let experiment = self.context.experiment();
        let config = experiment.probe_at(self.context.study.size);
        let request = self.request(example, experiment.train_seed, steps)?;
        let unet_batch = self.context.options.unet_batch;
        let mut evaluator = UNetEvaluator::new(&self.context.pipeline, &[request], unet_batch)?;
        let mut draws = CounterDraws::new(config.seed);
        let blocks = self.context.study.blocks();
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
        let result = vote(&state.thresholds(), config.seed)?;
        store.write(key, &result)?;
        store.remove(&state_key);
        Ok(())
    }

    /// What a weighting does for one prompt.
    pub(crate) fn policy(
        &self,
        example: usize,
        steps: usize,
        weighting: &Weighting,
    ) -> Result<Policy, ReproduceError> {
        let vote = match weighting.needs_probe() {
            true => Some(self.result(&Unit::Probe { example, steps })?),
            false => None,
        };
        weighting.policy(steps, self.context.study.blocks(), vote.as_ref())
    }

    /// The picture's latent, encoded once.
    fn clean(&self, example: usize) -> Result<Tensor<4>, ReproduceError> {
        if let Some(latent) = self.latents.borrow().get(&example) {
            return Ok(latent.clone());
        }
        let pixels = self.example(example).pixels.clone().ok_or_else(|| {
            ReproduceError::Experiment("Eq. 2 needs `pictures`, not prompts alone".into())
        })?;
        let side = self.context.study.picture_size;
        let found = pixels.len();
        if found != 3 * side * side {
            return Err(ReproduceError::Experiment(format!(
                "expected pictures of {side}×{side}, found {found} values of one; leave `size` out"
            )));
        }
        let device = self.context.pipeline.device();
        let data = TensorData::new(pixels, [1, 3, side, side]);
        let latent = self.context.pipeline.encode(Tensor::from_data(data, (device, DType::F32)))?;
        self.latents.borrow_mut().insert(example, latent.clone());
        Ok(latent)
    }

    /// Encode, noise, predict: Eq. 2 at each inference step, all steps in one U-Net call.
    pub(crate) fn snr(
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
            .map_err(PipelineError::from)?;
        let timesteps = scheduler.timesteps().to_vec();
        let schedule = pipeline.noise_schedule();
        let picture = u64::from_str_radix(&self.content[example][..12], 16).unwrap_or(0);
        let clean = self.clean(example)?;
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
        let prompt = pipeline.encode_prompts(&[self.example(example).text.clone()])?;
        let input = Tensor::cat(noised.iter().map(|(_, sample)| sample.clone()).collect(), 0);
        let output = self.predict(input, &timesteps, prompt.repeated(steps), &policy)?;
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
    ) -> Result<Tensor<4>, ReproduceError> {
        let unet = self.context.pipeline.unet();
        let intervention = policy.at_all_steps(timesteps.len())?;
        let sizes = pipeline::SizeConditioning::of_picture([self.context.study.picture_size; 2]);
        let added = prompt.added(&sizes);
        let active = intervention.as_deref();
        Ok(unet.forward(input, timesteps, prompt.embeds, added.as_ref(), active).cast(DType::F32))
    }

    /// The scorer's word on a picture that is stored.
    pub(crate) fn score(
        &self,
        example: usize,
        picture: &Unit,
        key: &str,
    ) -> Result<(), ReproduceError> {
        let scorer = self.context.scorer.as_ref().ok_or_else(|| {
            ReproduceError::Experiment("a score needs a `[scorer]` in the experiment".into())
        })?;
        let vectors = scorer.embed(&[self.decoded(picture)?])?;
        let prompt = [self.example(example).text.clone()];
        let scores = scorer.cosines(&vectors, &prompt)?;
        for (features, score) in vectors.into_iter().zip(scores) {
            self.context.store.write(key, &Scored { score, features })?;
        }
        Ok(())
    }
}

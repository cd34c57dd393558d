//! How each kind of unit is computed.

use burn::tensor::{DType, Tensor, TensorData};
use metrics::RgbImage;
use pipeline::{
    Control, Guidance, NoiseKind, Picture, PictureRecord, SampleRequest, initial_noise,
};
use probe::{CounterDraws, ProbeState, SampleBatch, UNetEvaluator, search, vote};
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;
use rand_distr::StandardNormal;
use reweight::Policy;
use scheduler::SchedulerKind;

use crate::ReproduceError;
use crate::units::{Runner, Scored, UNET_BATCH, Unit};
use crate::weightings::Weighting;

impl Runner<'_> {
    pub(crate) fn request(
        &self,
        example: usize,
        seed: u64,
    ) -> Result<SampleRequest, ReproduceError> {
        let (pipeline, experiment) = (&self.context.pipeline, &self.context.experiment);
        let prompts = pipeline.encode_prompts(&[self.examples[example].text.clone()])?;
        let negative = pipeline.encode_negative(experiment.negative_prompt.as_deref(), &prompts)?;
        let [height, width] = pipeline.latent_size([self.context.picture_size; 2])?;
        let shape = [pipeline.unet().config().in_channels, height, width];
        Ok(SampleRequest {
            prompts,
            guidance: Some(Guidance { scale: experiment.guidance_scale, negative }),
            noise: initial_noise(&[seed], shape, pipeline.device()),
            fresh_noise: None,
            scheduler: SchedulerKind::Ddim,
            steps: experiment.steps,
            sizes: None,
        })
    }

    pub(crate) fn probe(&self, example: usize, key: &str) -> Result<(), ReproduceError> {
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
            .map_err(pipeline::PipelineError::from)?;
        let timesteps = scheduler.timesteps().to_vec();
        let schedule = pipeline.noise_schedule();
        let picture = u64::from_str_radix(&self.pixels[example][..12], 16).unwrap_or(0);
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
    pub(crate) fn predict(
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

    pub(crate) fn picture(
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
            noise: NoiseKind::Counter,
            eta: 0.0,
            model: pipeline.name().into(),
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

    /// The scorer's word on a picture that is stored.
    pub(crate) fn score(
        &self,
        example: usize,
        seed: u64,
        weighting: &Weighting,
        key: &str,
    ) -> Result<(), ReproduceError> {
        let scorer = self.context.scorer.as_ref().ok_or_else(|| {
            ReproduceError::Experiment("a score needs a `[scorer]` in the experiment".into())
        })?;
        let weighting = *weighting;
        let picture = Picture::from_png(&self.png(&Unit::Picture { example, seed, weighting })?)?;
        let Picture { width, height, rgb } = picture;
        let vectors = scorer.embed(&[RgbImage { width, height, rgb }]);
        let prompt = [self.examples[example].text.clone()];
        let scores = scorer.cosines(&vectors, &prompt)?;
        for (features, score) in vectors.into_iter().zip(scores) {
            self.context.store.write(key, &Scored { score, features })?;
        }
        Ok(())
    }
}

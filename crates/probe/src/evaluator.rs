//! A real pipeline as the evaluator of candidates.

use std::collections::BTreeSet;

use burn::tensor::{Tensor, TensorData};
use pipeline::{Conditioning, Pipeline, Prediction, SampleRequest, Trajectory};
use reweight::StepWeights;
use scheduler::NoiseSchedule;
use unet_core::Intervention;

use crate::non_finite::{FirstNonFinite, is_finite};
use crate::{Candidate, DifferenceEvaluator, Evaluator, NoiseLevel, ProbeError};

/// One step of the teacher's trajectory.
#[derive(Debug)]
struct TeacherStep {
    level: NoiseLevel,
    /// What the U-Net is given, `[samples, …]`, doubled where guided.
    input: Tensor<4>,
    /// The teacher's raw predictions, one vector per sample.
    raw: Vec<Vec<f32>>,
}

/// Compares a re-weighted U-Net with itself at full weights, along the latter's trajectory.
///
/// Trajectory and teacher predictions are the same for every candidate, epoch and round: they are
/// computed once.
pub struct UNetEvaluator<'a> {
    pipeline: &'a Pipeline,
    unet_batch: usize,
    batches: Vec<(Conditioning, Option<pipeline::SizeConditioning>, Vec<TeacherStep>)>,
    calls: usize,
}

impl<'a> UNetEvaluator<'a> {
    /// Runs the teacher over all batches of samples.
    ///
    /// `unet_batch` is the largest number of samples of one U-Net call; results do not depend on
    /// it.
    ///
    /// # Errors
    /// [`ProbeError`] for requests that cannot be sampled, or differ in their number of steps;
    /// [`ProbeError::NotFinite`] naming step and block where a prediction is not finite.
    pub fn new(
        pipeline: &'a Pipeline,
        batches: &[SampleRequest],
        unet_batch: usize,
    ) -> Result<Self, ProbeError> {
        let steps = batches.first().map_or(0, |batch| batch.steps);
        if steps == 0 || unet_batch == 0 {
            return Err(ProbeError::Config(
                "expected at least one batch of samples, one step and a U-Net batch above 0".into(),
            ));
        }
        let calls = batches.iter().map(SampleRequest::calls).collect::<Result<Vec<_>, _>>()?;
        if calls.iter().any(|count| *count != calls[0]) {
            return Err(ProbeError::Config("expected the same steps for every batch".into()));
        }
        let mut evaluator = Self { pipeline, unet_batch, batches: Vec::new(), calls: 0 };
        for batch in batches {
            let teacher = evaluator.teacher(batch)?;
            evaluator.batches.push((batch.unet_conditioning(), batch.sizes, teacher));
        }
        Ok(evaluator)
    }

    /// Samples the U-Net was run on so far.
    pub fn unet_samples(&self) -> usize {
        self.calls
    }

    /// Inputs of the U-Net at one step, over all batches: samples, twice where guided.
    pub fn inputs(&self) -> usize {
        self.batches.iter().map(|(conditioning, _, _)| conditioning.batch()).sum()
    }

    /// Timestep and noise level of every step.
    pub fn levels(&self) -> Vec<NoiseLevel> {
        let steps = self.batches.first().map(|(_, _, steps)| steps.as_slice()).unwrap_or_default();
        steps.iter().map(|step| step.level).collect()
    }

    fn teacher(&mut self, request: &SampleRequest) -> Result<Vec<TeacherStep>, ProbeError> {
        let (conditioning, samples) = (request.unet_conditioning(), request.samples());
        let doubled = conditioning.batch() / samples;
        let most = (self.unet_batch / doubled).max(1);
        let schedule = NoiseSchedule::new(&request.scheduler_config);
        let mut trajectory = Trajectory::new(request)?;
        let mut steps = Vec::new();
        while let Some(step) = trajectory.advance::<ProbeError>(|info, input| {
            let (sizes, scale) = (request.sizes.as_ref(), request.guidance_scale());
            let mut parts = Vec::new();
            for start in (0..samples).step_by(most) {
                let count = most.min(samples - start);
                let negative = (doubled == 2).then(|| conditioning.part(start, count));
                let prompts = conditioning.part((doubled - 1) * samples + start, count);
                let chosen = match negative {
                    Some(negative) => negative.followed_by(prompts),
                    None => prompts,
                };
                let predict = |seen: Option<&dyn Intervention>| {
                    let input = input.clone().narrow(0, start, count);
                    self.pipeline.predict(input, info.timestep, &chosen, scale, sizes, seen)
                };
                parts.push(self.finite(
                    info.step,
                    "the teacher's prediction",
                    None,
                    predict,
                    |p| &p.raw,
                )?);
            }
            Prediction::joined(parts)
                .ok_or_else(|| ProbeError::Config("expected a batch of at least one sample".into()))
        })? {
            self.calls += conditioning.batch();
            let (timestep, sigma) = (step.info.timestep, step.info.sigma);
            let sigma = sigma.map_or_else(|| schedule.sigma(timestep), f64::from);
            steps.push(TeacherStep {
                level: NoiseLevel { timestep, sigma },
                input: step.input.repeat_dim(0, doubled),
                raw: per_sample(step.prediction.raw),
            });
        }
        Ok(steps)
    }
}

impl UNetEvaluator<'_> {
    /// The prediction under an intervention, or where it stops being finite.
    fn finite<T>(
        &self,
        step: usize,
        what: &str,
        intervention: Option<&dyn Intervention>,
        predict: impl Fn(Option<&dyn Intervention>) -> T,
        raw: impl Fn(&T) -> &Tensor<4>,
    ) -> Result<T, ProbeError> {
        let prediction = predict(intervention);
        if is_finite(raw(&prediction)) {
            return Ok(prediction);
        }
        let finder = FirstNonFinite::new(intervention);
        predict(Some(&finder));
        let blocks = self.pipeline.unet().config().blocks();
        let place = match finder.block().and_then(|site| blocks.get(site.index)) {
            Some(block) => format!(" from block {} (`{}`) on", block.site.index, block.path),
            None => " after the last block".into(),
        };
        Err(ProbeError::NotFinite { step, what: what.into(), place })
    }
}

/// The values of each sample.
fn per_sample(tensor: Tensor<4>) -> Vec<Vec<f32>> {
    let samples = tensor.dims()[0];
    let values: Vec<f32> = tensor.into_data().iter::<f32>().collect();
    values.chunks(values.len() / samples.max(1)).map(<[f32]>::to_vec).collect()
}

/// Σ (a − b)², in f64.
fn squared_distance(a: &[f32], b: &[f32]) -> f64 {
    a.iter().zip(b).map(|(a, b)| (f64::from(*a) - f64::from(*b)).powi(2)).sum()
}

impl UNetEvaluator<'_> {
    /// Shows `see` the raw prediction of every candidate for every sample (their positions come
    /// first), and tells on how many samples the U-Net was run.
    fn predict_each(
        &self,
        batch: usize,
        step: usize,
        candidates: &[Candidate<'_>],
        see: &mut dyn FnMut(usize, usize, &[f32]),
    ) -> Result<usize, ProbeError> {
        let samples = self.batches[batch].2[step].raw.len();
        // Candidates times samples, cut into U-Net calls wherever they fill up.
        let pairs: Vec<(usize, usize)> =
            (0..candidates.len()).flat_map(|c| (0..samples).map(move |s| (c, s))).collect();
        for chunk in pairs.chunks(self.unet_batch) {
            let predicted = self.predict_pairs(batch, step, candidates, chunk)?;
            for ((candidate, sample), values) in chunk.iter().zip(predicted) {
                see(*candidate, *sample, &values);
            }
        }
        Ok(pairs.len())
    }

    /// The raw predictions for these candidates and samples, in one call of the U-Net.
    fn predict_pairs(
        &self,
        batch: usize,
        step: usize,
        candidates: &[Candidate<'_>],
        pairs: &[(usize, usize)],
    ) -> Result<Vec<Vec<f32>>, ProbeError> {
        let (conditioning, sizes, steps) = &self.batches[batch];
        let teacher = &steps[step];
        let distinct: BTreeSet<usize> = pairs.iter().map(|(_, sample)| *sample).collect();
        let distinct: Vec<usize> = distinct.into_iter().collect();
        let device = teacher.input.device();
        let picked: Vec<i64> = distinct.iter().map(|sample| *sample as i64).collect();
        let picked = Tensor::from_data(TensorData::new(picked, [distinct.len()]), &device);
        let chosen = Conditioning {
            embeds: conditioning.embeds.clone().select(0, picked.clone()),
            pooled: conditioning.pooled.clone().map(|pooled| pooled.select(0, picked.clone())),
        };
        let input = teacher.input.clone().select(0, picked);
        let rows: Vec<usize> =
            pairs.iter().map(|(_, sample)| distinct.partition_point(|s| s < sample)).collect();
        let weights = pairs.iter().map(|(c, _)| candidates[*c].weights.to_vec()).collect();
        let thresholds = pairs.iter().map(|(c, _)| candidates[*c].thresholds.to_vec()).collect();
        let student = StepWeights::new(weights, thresholds);
        let predict = |seen: Option<&dyn Intervention>| {
            let (input, sizes) = (input.clone(), sizes.as_ref());
            let timestep = teacher.level.timestep;
            self.pipeline.predict_repeated(input, timestep, &chosen, &rows, sizes, seen)
        };
        let what = "the student's prediction";
        self.finite(step, what, Some(&student), predict, |raw| raw).map(per_sample)
    }
}

impl Evaluator for UNetEvaluator<'_> {
    fn batches(&self) -> usize {
        self.batches.len()
    }

    fn steps(&self) -> usize {
        self.batches.first().map_or(0, |(_, _, steps)| steps.len())
    }

    fn blocks(&self) -> usize {
        self.pipeline.unet().config().num_attention_blocks()
    }

    fn losses(
        &mut self,
        batch: usize,
        step: usize,
        candidates: &[Candidate<'_>],
    ) -> Result<Vec<f64>, ProbeError> {
        let teacher = &self.batches[batch].2[step].raw;
        let count = teacher.iter().map(Vec::len).sum::<usize>() as f64;
        let mut sums = vec![0.0; candidates.len()];
        self.calls +=
            self.predict_each(batch, step, candidates, &mut |candidate, sample, values| {
                sums[candidate] += squared_distance(values, &teacher[sample]);
            })?;
        Ok(sums.into_iter().map(|sum| sum / count).collect())
    }
}

impl DifferenceEvaluator for UNetEvaluator<'_> {
    fn differences(
        &mut self,
        batch: usize,
        step: usize,
        candidates: &[Candidate<'_>],
    ) -> Result<Vec<Vec<f64>>, ProbeError> {
        let teacher = &self.batches[batch].2[step].raw;
        let mut differences = vec![Vec::new(); candidates.len()];
        self.calls +=
            self.predict_each(batch, step, candidates, &mut |candidate, sample, values| {
                let pairs = values.iter().zip(&teacher[sample]);
                differences[candidate].extend(pairs.map(|(a, b)| f64::from(*a) - f64::from(*b)));
            })?;
        Ok(differences)
    }
}

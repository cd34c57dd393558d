//! Fig. 3: which blocks are skipped when, the students that learn to do without them, and how far
//! their pictures are from the teacher's.

use ::pruning::{FineTuning, fine_tune};
use metrics::{Features, extract, frechet_from_features, kernel_distance};
use pictures::RgbImage;
use pipeline::{Control, Pipeline, SampleRequest};
use probe::skip_strategies;
use reweight::{BlockWeights, Policy, StepMatrix};
use serde::{Deserialize, Serialize};
use serde_json::json;

use crate::ReproduceError;
use crate::study::Study;
use crate::tables::SEED;
use crate::units::{Runner, Unit};

/// Whose pictures.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Students {
    /// The U-Net as it is.
    Teacher,
    /// The student of the strategy of that number.
    Pruned(usize),
}

/// Where a strategy comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Origin {
    /// From the importance ranking, with so many blocks skipped at a step.
    Ranking(usize),
    /// The same blocks at every step.
    Baseline(usize),
}

/// What is skipped at each step.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Strategy {
    /// The skipped blocks, step by step: `0+1 | 0+2`.
    pub(crate) label: String,
    pub(crate) origin: Origin,
    /// Whether it is from the ranking and equals a baseline.
    pub(crate) duplicate: bool,
    /// `[step][block]`.
    pub(crate) thresholds: Vec<Vec<f64>>,
}

impl Strategy {
    fn new(origin: Origin, duplicate: bool, thresholds: Vec<Vec<f64>>) -> Self {
        let step = |row: &Vec<f64>| {
            let skipped: Vec<String> = row
                .iter()
                .enumerate()
                .filter(|(_, threshold)| **threshold > 1.0)
                .map(|(block, _)| block.to_string())
                .collect();
            skipped.join("+")
        };
        let label = thresholds.iter().map(step).collect::<Vec<_>>().join(" | ");
        Self { label, origin, duplicate, thresholds }
    }
}

/// Strategies from a ranking of `steps` steps and `blocks` blocks, and baselines.
pub(crate) fn count(steps: usize, blocks: usize) -> usize {
    2usize.saturating_pow(steps as u32) + 3usize.saturating_pow(steps as u32) + blocks + blocks / 2
}

/// Skip-1, skip-2, each block at all steps, each symmetric pair at all steps.
pub(crate) fn strategies(ranking: &[Vec<usize>]) -> Result<Vec<Strategy>, ReproduceError> {
    let (steps, blocks) = (ranking.len(), ranking.first().map_or(0, Vec::len));
    let mut all = Vec::with_capacity(count(steps, blocks));
    for skipped in [1, 2] {
        for strategy in skip_strategies(ranking, skipped)? {
            let origin = Origin::Ranking(skipped);
            all.push(Strategy::new(origin, strategy.duplicate, strategy.thresholds));
        }
    }
    for (skipped, rows) in [(1, probe::static_blocks(blocks)), (2, probe::static_pairs(blocks))] {
        let baseline = |row| Strategy::new(Origin::Baseline(skipped), false, vec![row; steps]);
        all.extend(rows.into_iter().map(baseline));
    }
    Ok(all)
}

/// What else than the strategy a student depends on.
pub(crate) fn key_settings(study: &Study) -> serde_json::Value {
    let size = study.size;
    let pruning = study.experiment.pruning.as_ref();
    json!({
        "steps": pruning.map(|own| own.steps),
        "learning_rate": pruning.map(|own| own.learning_rate),
        "batch": pruning.map(|own| own.batch),
        "samples": size.pruning_samples,
        "epochs": size.pruning_epochs,
    })
}

/// What is stored when all pictures of a student are.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct Finished {
    /// Mean loss of each epoch of its fine-tuning.
    pub(crate) losses: Vec<f64>,
    /// Pictures of each seed.
    pub(crate) pictures: usize,
}

/// How far a student's pictures are from the teacher's of the same seed.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct Distances {
    pub(crate) fid: Option<f64>,
    pub(crate) kid: Option<f64>,
    pub(crate) lpips: Option<f64>,
}

impl Runner<'_> {
    /// The samples of one seed: its first noise, its second, and so on, for a prompt that is
    /// encoded once.
    fn samples(&self, seed: u64) -> Result<Vec<SampleRequest>, ReproduceError> {
        let study = &self.context.study;
        let steps = study.experiment.pruning.as_ref().map_or(1, |pruning| pruning.steps);
        let (first, source) = (self.request(study.focus(), seed, steps)?, self.noise(seed));
        let (shape, device) = (self.latent_shape()?, self.context.pipeline.device());
        let sample =
            |draw| SampleRequest { noise: source.draw(draw, shape, device), ..first.clone() };
        Ok((0..study.size.pruning_samples).map(sample).collect())
    }

    /// Fine-tunes a student, or takes the teacher, and stores its pictures of both seeds.
    pub(crate) fn students(
        &self,
        strategy: Option<&Strategy>,
        key: &str,
    ) -> Result<(), ReproduceError> {
        let (context, experiment) = (self.context, self.context.experiment());
        let (Some(pruning), size) = (&experiment.pruning, context.study.size) else {
            return Err(ReproduceError::Experiment("Fig. 3 needs `[pruning]`".into()));
        };
        let folder = context.store.path(key, "training");
        let (pipeline, policy, losses) = match strategy {
            None => (context.pipeline.clone(), Policy::default(), Vec::new()),
            Some(strategy) => {
                let skips = BlockWeights::vanilla(pruning.steps, context.study.blocks())
                    .with_thresholds(StepMatrix::from_rows(strategy.thresholds.clone())?)?;
                let settings = FineTuning {
                    learning_rate: pruning.learning_rate,
                    batch: pruning.batch,
                    epochs: size.pruning_epochs,
                    checkpoint_every: (size.pruning_epochs / 10).max(1),
                };
                let samples = self.samples(experiment.train_seed)?;
                let student = fine_tune(
                    &context.pipeline,
                    &skips,
                    &samples,
                    &settings,
                    &folder,
                    &mut |_| {},
                )?;
                let own = context.pipeline.with_unet(student.unet);
                (own, Policy::from(skips), student.losses)
            }
        };
        for seed in [experiment.train_seed, experiment.test_seed] {
            for (draw, request) in self.samples(seed)?.into_iter().enumerate() {
                let picture = sampled(&pipeline, &request, &policy)?;
                let path = self.student_picture(key, seed, draw);
                let png =
                    picture.to_png(&[]).map_err(|error| ReproduceError::broken(&path, error))?;
                context.store.write_bytes(&path, &png)?;
            }
        }
        context.store.write(key, &Finished { losses, pictures: size.pruning_samples })?;
        // A leftover costs nothing but room.
        let _ = std::fs::remove_dir_all(&folder);
        Ok(())
    }

    fn student_picture(&self, key: &str, seed: u64, draw: usize) -> std::path::PathBuf {
        self.context.store.path(key, &format!("{seed}-{draw}.png"))
    }

    fn student_pictures(&self, key: &str, seed: u64) -> Result<Vec<RgbImage>, ReproduceError> {
        let read = |draw| Ok(RgbImage::open(self.student_picture(key, seed, draw))?);
        (0..self.context.study.size.pruning_samples).map(read).collect()
    }

    /// Fréchet, kernel and perceptual distance of a student's pictures to the teacher's.
    pub(crate) fn distances(
        &self,
        strategy: usize,
        seed: u64,
    ) -> Result<Distances, ReproduceError> {
        let pictures = |students| -> Result<Vec<RgbImage>, ReproduceError> {
            let key = self.key(&Unit::Students(students))?.unwrap_or_default();
            self.student_pictures(&key, seed)
        };
        let (own, teacher) = (pictures(Students::Pruned(strategy))?, pictures(Students::Teacher)?);
        let networks = &self.context.fidelity;
        let lpips = match &networks.lpips {
            None => None,
            Some(lpips) => {
                let pairs = lpips.distances(&own, &teacher)?.total;
                Some(pairs.iter().sum::<f64>() / pairs.len().max(1) as f64)
            }
        };
        let (Some(own), Some(teacher)) = (self.features(&own)?, self.features(&teacher)?) else {
            return Ok(Distances { fid: None, kid: None, lpips });
        };
        let fid = match own.count() {
            0 | 1 => None,
            _ => Some(frechet_from_features(&own, &teacher)?),
        };
        let kid = match own.count() {
            0..=3 => None,
            count => Some(kernel_distance(&own, &teacher, 100, count / 2, SEED)?.mean),
        };
        Ok(Distances { fid, kid, lpips })
    }

    /// Inception's features, or the scorer's where there is no Inception.
    fn features(&self, pictures: &[RgbImage]) -> Result<Option<Features>, ReproduceError> {
        const BATCH: usize = 8;
        let open = |index: usize| Ok(pictures[index].clone());
        let count = pictures.len();
        Ok(match (&self.context.fidelity.inception, &self.context.scorer) {
            (Some(inception), _) => Some(extract(inception, count, &open, BATCH, &mut |_| {})?),
            (None, Some(scorer)) => {
                Some(extract(&scorer.features(), count, &open, BATCH, &mut |_| {})?)
            }
            (None, None) => None,
        })
    }
}

fn sampled(
    pipeline: &Pipeline,
    request: &SampleRequest,
    policy: &Policy,
) -> Result<RgbImage, ReproduceError> {
    let latents = pipeline.sample(request, &policy.into(), &mut |_| Control::Continue)?;
    let mut pictures = pipeline.pictures(latents)?;
    pictures.pop().ok_or_else(|| ReproduceError::Experiment("nothing was sampled".into()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn strategies_are_those_of_the_paper() {
        // Table II of the paper, SD-Turbo.
        let ranking = vec![vec![0, 1, 2, 4, 6, 5, 3], vec![1, 0, 5, 4, 2, 6, 3]];
        let all = strategies(&ranking).unwrap();
        assert_eq!(all.len(), count(2, 7));
        let labels: Vec<&str> = all.iter().map(|strategy| strategy.label.as_str()).collect();
        assert_eq!(labels[..4], ["0 | 1", "0 | 0", "1 | 1", "1 | 0"]);
        assert!(all[1].duplicate && all[2].duplicate && !all[0].duplicate);
        assert!(labels.contains(&"0+1 | 0+1") && labels.contains(&"2+4 | 2+4"));
        assert!(labels.contains(&"0+6 | 0+6") && labels.contains(&"6 | 6"));
        let baselines = all.iter().filter(|one| matches!(one.origin, Origin::Baseline(_)));
        assert_eq!(baselines.count(), 10);
    }
}

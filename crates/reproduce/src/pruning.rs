//! Fig. 3: the students of the pruning strategies, their pictures, and how far these are from the
//! teacher's.

use ::pruning::{
    DistanceNetworks, Distances, FineTuning, STUDENT_VERSION, Strategy, TeacherPictures, fine_tune,
    teacher,
};
use metrics::FeatureNetwork;
use pictures::RgbImage;
use pipeline::{Control, Pipeline, SampleRequest};
use reweight::Policy;
use serde::{Deserialize, Serialize};
use serde_json::json;

use crate::ReproduceError;
use crate::study::Study;
use crate::units::{Runner, Unit};

/// Whose pictures.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Students {
    /// The U-Net as it is.
    Teacher,
    /// The student of the strategy of that number.
    Pruned(usize),
}

/// What else than the strategy a student depends on.
pub(crate) fn key_settings(study: &Study) -> serde_json::Value {
    let size = study.size;
    let pruning = study.experiment.pruning.as_ref();
    json!({
        "version": STUDENT_VERSION,
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
            None => (teacher(&context.pipeline), Policy::default(), Vec::new()),
            Some(strategy) => {
                let skips = strategy.skips.block_weights()?;
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
        let (student, teacher) =
            (pictures(Students::Pruned(strategy))?, pictures(Students::Teacher)?);
        let (inception, lpips) = (&self.context.fidelity.inception, &self.context.fidelity.lpips);
        // The scorer's features where there is no Inception.
        let of_scorer = match (inception, &self.context.scorer) {
            (None, Some(scorer)) => Some(scorer.features()),
            _ => None,
        };
        let features: Option<&dyn FeatureNetwork> = match (inception, &of_scorer) {
            (Some(inception), _) => Some(inception),
            (None, Some(of_scorer)) => Some(of_scorer),
            (None, None) => None,
        };
        let networks = DistanceNetworks { features, lpips: lpips.as_ref() };
        Ok(TeacherPictures::new(teacher, networks)?.distances(&student)?)
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

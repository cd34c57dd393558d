//! Fig. 3: students that learn to do without some blocks, and how far their pictures are from the
//! teacher's.

use std::cell::RefCell;
use std::collections::HashMap;
use std::path::Path;
use std::rc::Rc;

use files::FileError;
use pictures::RgbImage;
use pipeline::{Control, Pipeline, SampleRequest};
use pruning::{FineTuning, PruningError, SkipSets, TeacherPictures, fine_tune, teacher};
use reweight::Policy;

use super::context::Context;
use super::decoded::Decoded;
use super::library::Library;
use super::request::{latent_shape, noise, request};
use super::results::{Finished, SeedPictures};
use super::store::Damage;
use crate::ReproduceError;
use crate::plan::{Fidelity, Student, Unit};

/// Fine-tunes a student, or takes the teacher, and stores its pictures of both seeds.
pub(crate) fn student(
    library: &Library<'_>,
    student: &Student,
    damaged: &mut dyn FnMut(Damage),
) -> Result<(), ReproduceError> {
    let context = library.context;
    let experiment = context.experiment();
    let folder = library.training_folder(student);
    let (pipeline, policy, losses) = match student {
        Student::Teacher => (teacher(&context.pipeline), Policy::default(), Vec::new()),
        Student::Pruned(skips) => fine_tuned(context, skips, &folder, damaged)?,
    };
    let mut seeds = Vec::new();
    for seed in [experiment.train_seed, experiment.test_seed] {
        let mut sha256 = Vec::new();
        for (draw, request) in samples(context, seed)?.into_iter().enumerate() {
            let png = sampled(&pipeline, &request, &policy)?.to_png(&[]);
            let png = png.map_err(|error| ReproduceError::Impossible(error.to_string()))?;
            sha256.push(library.store_student_png(student, seed, draw, &png)?);
        }
        seeds.push(SeedPictures { seed, sha256 });
    }
    library.store(&Unit::Student(student.clone()), &Finished { losses, seeds })?;
    // A leftover costs nothing but room.
    let _ = std::fs::remove_dir_all(&folder);
    Ok(())
}

/// The pipeline with a student for its U-Net, what it skips, and the losses of its epochs.
fn fine_tuned(
    context: &Context,
    skips: &SkipSets,
    folder: &Path,
    damaged: &mut dyn FnMut(Damage),
) -> Result<(Pipeline, Policy, Vec<f64>), ReproduceError> {
    let (experiment, size) = (context.experiment(), context.study.size);
    let Some(pruning) = &experiment.pruning else {
        return Err(ReproduceError::Experiment("Fig. 3 needs `[pruning]`".into()));
    };
    let skips = skips.block_weights()?;
    let settings = FineTuning {
        learning_rate: pruning.learning_rate,
        batch: pruning.batch,
        epochs: size.pruning_epochs,
        checkpoint_every: (size.pruning_epochs / 10).max(1),
    };
    let samples = samples(context, experiment.train_seed)?;
    let tune = || fine_tune(&context.pipeline, &skips, &samples, &settings, folder, &mut |_| {});
    let student = match tune() {
        Err(PruningError::Checkpoint { path, reason }) => {
            damaged(Damage { path, reason });
            std::fs::remove_dir_all(folder).map_err(FileError::at(folder))?;
            tune()?
        }
        tuned => tuned?,
    };
    Ok((context.pipeline.with_unet(student.unet), Policy::from(skips), student.losses))
}

/// The samples of one seed: its first noise, its second, and so on, for a prompt that is encoded
/// once.
fn samples(context: &Context, seed: u64) -> Result<Vec<SampleRequest>, ReproduceError> {
    let study = &context.study;
    let steps = study.experiment.pruning.as_ref().map_or(1, |pruning| pruning.steps);
    let (first, source) = (request(context, study.focus(), seed, steps)?, noise(context, seed));
    let (shape, device) = (latent_shape(context)?, context.pipeline.device());
    let sample = |draw| SampleRequest { noise: source.draw(draw, shape, device), ..first.clone() };
    Ok((0..study.size.pruning_samples).map(sample).collect())
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

/// Compares students with the teacher, whose features are computed once.
pub(crate) struct Judge<'a> {
    library: Library<'a>,
    teachers: RefCell<HashMap<u64, Rc<TeacherPictures<'a>>>>,
}

impl<'a> Judge<'a> {
    pub(crate) fn new(library: Library<'a>) -> Self {
        Self { library, teachers: RefCell::default() }
    }

    /// Stores the Fréchet, kernel and perceptual distance of a student's pictures to the teacher's.
    pub(crate) fn compare(
        &self,
        decoded: &Decoded<'_>,
        fidelity: &Fidelity,
    ) -> Result<(), ReproduceError> {
        let student = Student::Pruned(fidelity.skips.clone());
        let pictures = decoded.student(&student, fidelity.seed)?;
        let distances = self.teacher(decoded, fidelity.seed)?.distances(&pictures)?;
        self.library.store(&Unit::Fidelity(fidelity.clone()), &distances)
    }

    fn teacher(
        &self,
        decoded: &Decoded<'_>,
        seed: u64,
    ) -> Result<Rc<TeacherPictures<'a>>, ReproduceError> {
        if let Some(teacher) = self.teachers.borrow().get(&seed) {
            return Ok(teacher.clone());
        }
        let pictures = decoded.student(&Student::Teacher, seed)?.to_vec();
        let networks = self.library.context.networks.distances();
        let teacher = Rc::new(TeacherPictures::new(pictures, networks)?);
        self.teachers.borrow_mut().insert(seed, teacher.clone());
        Ok(teacher)
    }
}

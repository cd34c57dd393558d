//! A fit from its first picture to its last, in pieces that are kept.

use serde::{Deserialize, Serialize};

use super::components::StepComponents;
use super::moments::PictureMoments;
use super::targets::{Noised, PictureNoise, TargetEvaluator, answers, covariance};
use super::weights::{FitSettings, FittedWeights};
use crate::ProbeError;

/// What is fitted on what, and tested.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FitPlan {
    /// Pictures, the first of the evaluator's, that weights are fitted on; 1 or more.
    pub fitted: usize,
    /// Pictures after them that the weights are tested on.
    pub tested: usize,
    /// Seeds of the noise that every picture is put under, 1 or more.
    pub seeds: Vec<u64>,
    /// Of how many fitted pictures, crossed with as many shared noises, the terms of Proposition 1 are
    /// taken; 0 for none, else 2 or more.
    pub crossed: usize,
    /// How weights are fitted.
    pub settings: FitSettings,
}

impl FitPlan {
    /// Checks the ranges, for so many pictures.
    ///
    /// # Errors
    /// [`ProbeError::Config`] naming what is out of its range.
    pub fn check(&self, pictures: usize) -> Result<(), ProbeError> {
        self.settings.check()?;
        let refuse = |text: String| Err(ProbeError::Config(text));
        let Self { fitted, tested, seeds, crossed, .. } = self;
        if *fitted == 0 || fitted + tested != pictures || seeds.is_empty() {
            return refuse(format!(
                "expected pictures to fit, {pictures} with those to test, and a noise seed, found \
                 {fitted}, {tested} and {} seeds",
                seeds.len()
            ));
        }
        if *crossed == 1 || crossed > fitted {
            return refuse(format!(
                "expected 0 pictures to cross with noises, or 2 to {fitted}, found {crossed}"
            ));
        }
        Ok(())
    }

    /// U-Net samples that a fit of so many steps and blocks takes.
    pub fn unet_samples(&self, steps: usize, blocks: usize) -> usize {
        let pictures = (self.fitted + self.tested) * self.seeds.len();
        let crossed = self.crossed * self.crossed;
        // A crossed picture's outputs are looked at once more; the weights are tried on each.
        steps * (pictures * (blocks + 2) + crossed * (blocks + 2))
    }

    /// The seeds of the noises that pictures are crossed with.
    fn shared_seeds(&self) -> Vec<u64> {
        let first = self.seeds.first().copied().unwrap_or(0);
        (0..self.crossed as u64).map(|at| first.wrapping_add(at)).collect()
    }
}

/// What was measured so far: everything needed to go on.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FitState {
    /// What is fitted and tested.
    pub plan: FitPlan,
    /// Moments of the pictures done.
    pub moments: Vec<PictureMoments>,
    /// Proposition 1's terms at the steps done.
    pub components: Vec<StepComponents>,
    /// Var(y − ε(w)) under the fitted weights, `[picture][step][seed]`, of the pictures done.
    pub reweighted: Vec<Vec<Vec<f64>>>,
}

impl FitState {
    /// Nothing measured yet.
    pub fn new(plan: FitPlan) -> Self {
        let (moments, components, reweighted) = Default::default();
        Self { plan, moments, components, reweighted }
    }

    /// U-Net samples that it stands for, of so many steps and blocks.
    pub fn unet_samples(&self, steps: usize, blocks: usize) -> usize {
        let (seeds, crossed) = (self.plan.seeds.len(), self.plan.crossed);
        self.moments.len() * steps * seeds * (blocks + 1)
            + self.components.len() * crossed * crossed * (blocks + 2)
            + self.reweighted.len() * steps * seeds
    }

    /// Checks that a saved state continues a fit by `plan` of so many steps and blocks.
    ///
    /// # Errors
    /// [`ProbeError::State`] saying what differs or is broken.
    pub fn check_continues(
        &self,
        plan: &FitPlan,
        steps: usize,
        blocks: usize,
    ) -> Result<(), ProbeError> {
        let differs = |what: &str| Err(ProbeError::State(what.into()));
        if self.plan != *plan {
            return differs("its pictures, seeds or settings differ");
        }
        let (pictures, seeds) = (plan.fitted + plan.tested, plan.seeds.len());
        let moments = self.moments.iter().all(|picture| picture.fits(steps, blocks, seeds));
        let components = self.components.iter().all(|step| step.blocks.len() == blocks);
        let finite = |row: &Vec<f64>| row.len() == seeds && row.iter().all(|x| x.is_finite());
        let rows = |picture: &Vec<Vec<f64>>| picture.len() == steps && picture.iter().all(finite);
        let most = if plan.crossed > 0 { steps } else { 0 };
        let ordered = self.moments.len() <= pictures
            && self.components.len() <= most
            && self.reweighted.len() <= pictures
            && (self.components.is_empty() || self.moments.len() == pictures)
            && (self.reweighted.is_empty() || self.components.len() == most);
        if !(ordered && moments && components && self.reweighted.iter().all(rows)) {
            return differs("its values are not as many finite ones as it measures");
        }
        Ok(())
    }

    /// Measures what is left: moments, the terms of Proposition 1, and the weights' effect.
    ///
    /// `after` sees the state after every piece, to save it; an error from it ends the run.
    ///
    /// # Errors
    /// As [`Self::check_continues`]; [`ProbeError::NotFinite`] for a value that is not finite; what
    /// the evaluator or `after` report.
    pub fn complete(
        &mut self,
        evaluator: &mut dyn TargetEvaluator,
        after: &mut dyn FnMut(&Self) -> Result<(), ProbeError>,
    ) -> Result<(), ProbeError> {
        let (steps, blocks) = (evaluator.steps(), evaluator.blocks());
        let plan = self.plan.clone();
        plan.check(evaluator.pictures())?;
        self.check_continues(&plan, steps, blocks)?;
        let pictures = plan.fitted + plan.tested;
        for picture in self.moments.len()..pictures {
            self.moments.push(PictureMoments::measure(evaluator, picture, &plan.seeds)?);
            after(self)?;
        }
        if plan.crossed > 0 {
            let (crossed, seeds) = (Vec::from_iter(0..plan.crossed), plan.shared_seeds());
            for step in self.components.len()..steps {
                self.components.push(StepComponents::measure(evaluator, &crossed, &seeds, step)?);
                after(self)?;
            }
        }
        let weights = self.weights()?.weights;
        for picture in self.reweighted.len()..pictures {
            let at =
                |step: usize, seed: u64| Noised { picture, noise: PictureNoise::Own(seed), step };
            let asked: Vec<(Noised, &[f64])> = (0..steps)
                .flat_map(|step| plan.seeds.iter().map(move |seed| (step, *seed)))
                .map(|(step, seed)| (at(step, seed), &weights.weights()[step]))
                .collect();
            let errors = answers(evaluator, &asked)?;
            let variances: Vec<f64> = errors.iter().map(|error| covariance(error, error)).collect();
            let rows = variances.chunks(plan.seeds.len()).map(<[f64]>::to_vec);
            self.reweighted.push(rows.collect());
            after(self)?;
        }
        Ok(())
    }

    /// The weights fitted on the fitted pictures.
    ///
    /// # Errors
    /// [`ProbeError::State`] where moments of them are missing; [`ProbeError::Config`] for settings
    /// out of range.
    pub fn weights(&self) -> Result<FittedWeights, ProbeError> {
        match self.moments.get(..self.plan.fitted) {
            Some(fitted) => self.plan.settings.weights(fitted),
            None => Err(ProbeError::State(format!(
                "expected the moments of {} pictures, found {}",
                self.plan.fitted,
                self.moments.len()
            ))),
        }
    }
}

//! Reading an experiment file, and refusing what cannot be run.

use std::path::Path;

use probe::ProbeConfig;
use pruning::{MAX_STRATEGIES, strategy_count};

use super::experiment::Experiment;
use super::part::Part;
use super::settings::{PromptSettings, PruningSettings, Size};
use crate::ReproduceError;

/// Largest height and width of pictures.
const MOST_PIXELS: usize = 8192;
impl Experiment {
    /// Reads an experiment file.
    ///
    /// # Errors
    /// [`ReproduceError`] naming the file and what is wrong with it.
    pub fn from_file(path: impl AsRef<Path>) -> Result<Self, ReproduceError> {
        let path = path.as_ref();
        let text = files::read_to_string(path)?;
        let experiment: Self =
            toml::from_str(&text).map_err(|error| ReproduceError::broken(path, error))?;
        check(&experiment).map_err(|error| ReproduceError::broken(path, error))?;
        Ok(experiment)
    }
}

fn fail<T>(text: impl Into<String>) -> Result<T, ReproduceError> {
    Err(ReproduceError::Experiment(text.into()))
}

/// Whether a number is from 1 to `most`.
fn within(name: &str, value: usize, most: usize) -> Result<(), ReproduceError> {
    match (1..=most).contains(&value) {
        true => Ok(()),
        false => fail(format!("`{name}` must be from 1 to {most}, found {value}")),
    }
}

fn check(experiment: &Experiment) -> Result<(), ReproduceError> {
    within("steps", experiment.steps, ProbeConfig::MAX_STEPS)?;
    if experiment.table1_steps.is_empty() {
        return fail("`table1_steps` must not be empty");
    }
    for steps in &experiment.table1_steps {
        within("table1_steps", *steps, ProbeConfig::MAX_STEPS)?;
    }
    if !experiment.table1_scored_steps.iter().all(|steps| experiment.table1_steps.contains(steps)) {
        return fail("`table1_scored_steps` must be among `table1_steps`");
    }
    if let Some(size) = experiment.size {
        within("size", size, MOST_PIXELS)?;
    }
    if experiment.figure4_low.is_empty() {
        return fail("`figure4_low` must not be empty");
    }
    if experiment.ranges.is_empty() {
        return fail("`ranges` must not be empty");
    }
    for (name, value) in
        [("guidance_scale", experiment.guidance_scale), ("table1_weight", experiment.table1_weight)]
    {
        if !value.is_finite() || value < 0.0 {
            return fail(format!("`{name}` must be 0 or more, found {value}"));
        }
    }
    if let Some(budget) =
        experiment.skipping_budgets.iter().find(|budget| !(**budget > 0.0 && **budget < 1.0))
    {
        return fail(format!("`skipping_budgets` must be above 0 and below 1, found {budget}"));
    }
    match (&experiment.pictures, &experiment.prompts) {
        (Some(_), None) => {}
        (None, Some(prompts)) => check_prompts(prompts)?,
        _ => return fail("expected either `pictures` or `[prompts]`"),
    }
    let wanted = |part| experiment.parts.as_ref().is_some_and(|parts| parts.contains(&part));
    experiment.freeu.check()?;
    experiment.probe.check(experiment.steps)?;
    match &experiment.pruning {
        Some(pruning) => {
            check_pruning(pruning)?;
            experiment.probe.check(pruning.steps)?;
        }
        None if wanted(Part::Figure3) => {
            return fail("`figure-3` needs `[pruning]`");
        }
        None => {}
    }
    if wanted(Part::FewerSteps) && experiment.steps < 2 {
        return fail("`fewer-steps` needs `steps` above 1");
    }
    let scales = &experiment.scales;
    for (name, size) in
        [("smoke", scales.smoke), ("default", scales.default), ("paper", scales.paper)]
    {
        check_size(name, size, experiment.pruning.is_some())?;
        let probe = experiment.probe_at(size);
        probe.check(experiment.steps)?;
        experiment.converged_at(size, false).check(experiment.steps)?;
        experiment.pruning.as_ref().map_or(Ok(()), |pruning| probe.check(pruning.steps))?;
        experiment.figure4_ranges(size)?;
    }
    Ok(())
}

fn check_prompts(prompts: &PromptSettings) -> Result<(), ReproduceError> {
    if prompts.categories.is_empty() {
        return fail("`categories` must not be empty");
    }
    if prompts.package.is_some() == prompts.folder.is_some() {
        return fail("expected either `package` or `folder` in `[prompts]`");
    }
    Ok(())
}

fn check_pruning(pruning: &PruningSettings) -> Result<(), ReproduceError> {
    if strategy_count(pruning.steps, 0).is_err() {
        return fail(format!(
            "`steps` of `[pruning]` must be above 0 and make at most {MAX_STRATEGIES} strategies \
             (2 and 3 to their power), found {}",
            pruning.steps
        ));
    }
    within("batch` of `[pruning]", pruning.batch, 1_000_000)?;
    if !pruning.learning_rate.is_finite() || pruning.learning_rate <= 0.0 {
        return fail("`learning_rate` must be above 0");
    }
    Ok(())
}

/// Limits that are far above what anyone waits for, and far below where counts overflow.
fn check_size(scale: &str, size: Size, pruned: bool) -> Result<(), ReproduceError> {
    let within = |name: &str, value: usize, most: usize| {
        within(&format!("{name}` of `[scales.{scale}]"), value, most)
    };
    within("prompts", size.prompts, 10_000)?;
    within("table1_seeds", size.table1_seeds, 10_000)?;
    within("shuffles", size.shuffles, 1000)?;
    within("fitted", size.fitted, 10_000)?;
    if pruned {
        within("pruning_samples", size.pruning_samples, 100_000)?;
        within("pruning_epochs", size.pruning_epochs, 1_000_000)?;
    }
    Ok(())
}

//! What a sample's weighting does to the U-Net.

use pipeline::PipelineError;
use rand::SeedableRng;
use rand::seq::SliceRandom;
use rand_chacha::ChaCha8Rng;
use reweight::{BlockWeights, ImportanceScores, NoiseLevel, Policy, Resampling, Schedule};
use scheduler::SchedulerKind;

use super::context::Context;
use super::library::Library;
use super::skipping::plan;
use crate::ReproduceError;
use crate::plan::{Control, Rule, Sample, Weighting};

/// The policy of a sample; the probe, estimates or fit it comes from must be done.
pub(crate) fn policy(library: &Library<'_>, sample: &Sample) -> Result<Policy, ReproduceError> {
    let (steps, blocks) = (sample.steps, library.context.study.blocks());
    Ok(match sample.weighting {
        Weighting::Vanilla => BlockWeights::vanilla(steps, blocks).into(),
        Weighting::Block { block, weight } => {
            BlockWeights::static_block(steps, blocks, block, weight)?.into()
        }
        Weighting::Importance(range) => {
            BlockWeights::importance(&scores(library, sample)?, range).into()
        }
        Weighting::Inverted(range) => {
            BlockWeights::inverted(&scores(library, sample)?, range).into()
        }
        Weighting::Control(control) => weights(library, sample, &control)?.into(),
        Weighting::FreeU(freeu) => freeu.into(),
        Weighting::Skipping(skipping) => plan(library, sample, &skipping)?.block_weights()?.into(),
    })
}

/// The mean weight of a sample's schedule.
pub(crate) fn mean_weight(library: &Library<'_>, sample: &Sample) -> Result<f64, ReproduceError> {
    Ok(policy(library, sample)?.blocks.map_or(1.0, |weights| weights.mean()))
}

/// The weights of a control; those of a probe of other steps are interpolated by noise level.
fn weights(
    library: &Library<'_>,
    sample: &Sample,
    control: &Control,
) -> Result<BlockWeights, ReproduceError> {
    let probed = sample.probe().map_or(sample.steps, |probe| probe.steps);
    let weights = ruled(library, sample, control, probed)?;
    if probed == sample.steps {
        return Ok(weights);
    }
    let steps = Some(levels(library.context, probed)?);
    let schedule = Schedule { blocks: Some(weights), steps, ..Schedule::default() };
    let to = levels(library.context, sample.steps)?;
    schedule.resampled(&to, Resampling::Interpolate)?.blocks.ok_or_else(|| {
        ReproduceError::Experiment(format!("{} has no weights", sample.weighting.label()))
    })
}

/// The weights of a control in a run of `steps` steps.
fn ruled(
    library: &Library<'_>,
    sample: &Sample,
    control: &Control,
    steps: usize,
) -> Result<BlockWeights, ReproduceError> {
    let (context, range) = (library.context, control.range);
    let blocks = context.study.blocks();
    let voted = || scores(library, sample);
    let important = || Ok::<_, ReproduceError>(BlockWeights::importance(&voted()?, range));
    let constant = |of: BlockWeights| BlockWeights::constant(steps, blocks, of.mean());
    Ok(match control.rule {
        Rule::Importance => important()?,
        Rule::Inverted => BlockWeights::inverted(&voted()?, range),
        Rule::Constant => constant(important()?)?,
        Rule::Shuffled(order) => {
            let text = &context.example(sample.example).text;
            important()?.reordered(&block_order(order, text, blocks))?
        }
        Rule::MatchedInverse => {
            BlockWeights::inverted(&voted()?, range).shifted_to_mean(important()?.mean())?
        }
        Rule::Derivative => BlockWeights::importance(&estimated(library, sample)?, range),
        Rule::Empirical => BlockWeights::empirical(&context.study.unet.blocks(), steps, range),
        Rule::Fitted => fitted(library, sample)?,
        Rule::FittedConstant => constant(fitted(library, sample)?)?,
    })
}

/// The vote's importance at each step of the probe.
fn scores(library: &Library<'_>, sample: &Sample) -> Result<ImportanceScores, ReproduceError> {
    let probe = sample.probe().ok_or_else(|| needs(sample, "a probe"))?;
    Ok(library.vote(&probe)?.importance()?)
}

/// The importance by derivatives.
fn estimated(library: &Library<'_>, sample: &Sample) -> Result<ImportanceScores, ReproduceError> {
    let measured = sample.measured().ok_or_else(|| needs(sample, "estimates"))?;
    Ok(library.estimates(&measured)?.scores()?)
}

/// The weights fitted to real pictures.
fn fitted(library: &Library<'_>, sample: &Sample) -> Result<BlockWeights, ReproduceError> {
    let fit = sample.fit().ok_or_else(|| needs(sample, "a fit"))?;
    Ok(library.fit(&fit)?.weights()?.weights)
}

fn needs(sample: &Sample, what: &str) -> ReproduceError {
    ReproduceError::Experiment(format!("{} needs {what}", sample.weighting.label()))
}

/// Timestep and noise level of every step of a run.
fn levels(context: &Context, steps: usize) -> Result<Vec<NoiseLevel>, ReproduceError> {
    let pipeline = &context.pipeline;
    let scheduler = pipeline.scheduler_config().build(SchedulerKind::Ddim, steps);
    let scheduler = scheduler.map_err(PipelineError::from)?;
    let schedule = pipeline.noise_schedule();
    let level =
        |timestep: &f64| NoiseLevel { timestep: *timestep, sigma: schedule.sigma(*timestep) };
    Ok(scheduler.timesteps().iter().map(level).collect())
}

/// The `number`th order of the blocks for a prompt, whichever other prompts there are.
fn block_order(number: u32, text: &str, blocks: usize) -> Vec<usize> {
    let mut rng = ChaCha8Rng::seed_from_u64(u64::from(number));
    // Hexadecimal digits have no way to fail.
    rng.set_stream(u64::from_str_radix(&files::sha256_bytes(text)[..16], 16).unwrap_or(0));
    let mut order: Vec<usize> = (0..blocks).collect();
    order.shuffle(&mut rng);
    order
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn block_order_is_a_permutation_that_prompts_and_numbers_draw_anew() {
        let orders: Vec<Vec<usize>> =
            (0..40).map(|number| block_order(number % 4, &format!("{}", number / 4), 7)).collect();
        for order in &orders {
            let mut sorted = order.clone();
            sorted.sort_unstable();
            assert_eq!(sorted, [0, 1, 2, 3, 4, 5, 6]);
        }
        let distinct: std::collections::HashSet<_> = orders.iter().collect();
        // 5,040 orders: that 40 draws hold 35 different ones is next to certain.
        assert!(distinct.len() >= 35);
        assert_eq!(block_order(1, "a fox", 7), block_order(1, "a fox", 7));
        // Every block is as likely to stay: 1 in 7.
        let stay = (0..2000).filter(|i| block_order(*i, "a fox", 7)[3] == 3).count();
        assert!((200..380).contains(&stay), "{stay}");
    }
}

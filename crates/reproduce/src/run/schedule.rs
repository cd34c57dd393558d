//! What a sample's weighting does to the U-Net.

use pipeline::PipelineError;
use probe::Vote;
use rand::SeedableRng;
use rand::seq::SliceRandom;
use rand_chacha::ChaCha8Rng;
use reweight::{BlockWeights, ImportanceScores, Policy};
use scheduler::SchedulerKind;

use super::context::Context;
use super::library::Library;
use crate::ReproduceError;
use crate::plan::{Control, Rule, Sample, Weighting};

/// The policy of a sample; the probe, estimate or fit it comes from must be done.
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
    })
}

/// The mean weight of a sample's schedule.
pub(crate) fn mean_weight(library: &Library<'_>, sample: &Sample) -> Result<f64, ReproduceError> {
    Ok(policy(library, sample)?.blocks.map_or(1.0, |weights| weights.mean()))
}

fn weights(
    library: &Library<'_>,
    sample: &Sample,
    control: &Control,
) -> Result<BlockWeights, ReproduceError> {
    let (context, range) = (library.context, control.range);
    let blocks = context.study.blocks();
    let important =
        || Ok::<_, ReproduceError>(BlockWeights::importance(&scores(library, sample)?, range));
    Ok(match control.rule {
        Rule::Importance => important()?,
        Rule::Inverted => BlockWeights::inverted(&scores(library, sample)?, range),
        Rule::Constant => BlockWeights::constant(sample.steps, blocks, important()?.mean())?,
        Rule::Shuffled(order) => {
            let text = &context.example(sample.example).text;
            important()?.reordered(&block_order(order, text, blocks))?
        }
        Rule::MatchedInverse => {
            let inverted = BlockWeights::inverted(&scores(library, sample)?, range);
            inverted.shifted_to_mean(important()?.mean())?
        }
        Rule::Derivative => BlockWeights::importance(&estimated(library, sample)?, range),
        Rule::Fitted => fitted(library, sample)?,
        Rule::FittedConstant => {
            BlockWeights::constant(sample.steps, blocks, fitted(library, sample)?.mean())?
        }
        Rule::Empirical => {
            BlockWeights::empirical(&context.study.unet.blocks(), sample.steps, range)
        }
    })
}

/// The vote's importance at each step of the sample.
fn scores(library: &Library<'_>, sample: &Sample) -> Result<ImportanceScores, ReproduceError> {
    let probe = sample.probe().ok_or_else(|| {
        ReproduceError::Experiment(format!("{} needs a probe", sample.weighting.label()))
    })?;
    let vote: Vote = library.vote(&probe)?;
    let scores = vote.importance()?;
    if probe.steps == sample.steps {
        return Ok(scores);
    }
    let timesteps = |steps| timesteps(library.context, steps);
    Ok(scores.resampled(&timesteps(probe.steps)?, &timesteps(sample.steps)?)?)
}

/// The importance by derivatives.
fn estimated(library: &Library<'_>, sample: &Sample) -> Result<ImportanceScores, ReproduceError> {
    let estimate = sample.estimate().ok_or_else(|| {
        ReproduceError::Experiment(format!("{} needs an estimate", sample.weighting.label()))
    })?;
    Ok(library.estimates(&estimate)?.scores()?)
}

/// The weights fitted to real pictures.
fn fitted(library: &Library<'_>, sample: &Sample) -> Result<BlockWeights, ReproduceError> {
    let fit = sample.fit().ok_or_else(|| {
        ReproduceError::Experiment(format!("{} needs a fit", sample.weighting.label()))
    })?;
    Ok(library.fit(&fit)?.weights()?.weights)
}

fn timesteps(context: &Context, steps: usize) -> Result<Vec<f64>, ReproduceError> {
    let scheduler = context.pipeline.scheduler_config().build(SchedulerKind::Ddim, steps);
    Ok(scheduler.map_err(PipelineError::from)?.timesteps().to_vec())
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

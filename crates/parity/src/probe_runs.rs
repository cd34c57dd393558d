//! Whole searches of the probe with the reference's draws.

use anyhow::{Context, bail};
use pipeline::SampleRequest;
use probe::{DrawAddress, PerStep, ProbeConfig, ProbeState, UNetEvaluator, UniformDraws, search};

use crate::case::Case;
use crate::facts::Facts;
use crate::golden::Golden;
use crate::report::Report;
use crate::sampler::Run;
use crate::update_rules::update_strategy;

/// Thresholds and weights follow from decisions, not from rounding: wherever all decisions are the
/// reference's they agree to the rounding of sums in f64, which this exceeds a thousandfold.
const TOLERANCE: f64 = 1e-9;
/// Samples that are denoised at once.
const SAMPLES_AT_ONCE: usize = 5;

/// The draws of a recorded run, in the order in which the reference made them: per round its
/// initial matrix, then one vector per epoch, batch and step.
struct Recorded {
    initial: Vec<Vec<Vec<f64>>>,
    /// `[round][epoch · batches · steps]`
    perturbations: Vec<Vec<Vec<f64>>>,
    batches: usize,
    steps: usize,
}

impl UniformDraws for Recorded {
    fn initial(&mut self, round: usize, step: usize, _blocks: usize) -> Vec<f64> {
        self.initial[round][step].clone()
    }

    fn perturbation(&mut self, at: DrawAddress, _blocks: usize) -> Vec<f64> {
        let index = (at.epoch * self.batches + at.batch) * self.steps + at.step;
        self.perturbations[at.round][index].clone()
    }
}

impl Recorded {
    /// Reads the draws of `config`'s rounds and epochs, each of one number per block.
    fn read(
        run: &Facts,
        config: &ProbeConfig,
        [batches, steps, blocks]: [usize; 3],
    ) -> anyhow::Result<Self> {
        let mut recorded = Self { initial: vec![], perturbations: vec![], batches, steps };
        for draw in run.get("uniform_draws_in_order")?.items()? {
            let draw = draw.get("u")?;
            if draw.json()[0].is_array() {
                recorded.initial.push(draw.matrix(blocks)?);
                recorded.perturbations.push(Vec::new());
            } else {
                let round = recorded.perturbations.last_mut().context("no initial draw")?;
                round.push(draw.vector(blocks)?);
            }
        }
        let vectors = config.epochs * batches * steps;
        if recorded.initial.len() != config.rounds
            || recorded.initial.iter().any(|round| round.len() != steps)
            || recorded.perturbations.iter().any(|round| round.len() != vectors)
        {
            bail!(
                "`uniform_draws_in_order`: expected {} rounds of {steps} initial and {vectors} \
                 further vectors",
                config.rounds
            );
        }
        Ok(recorded)
    }
}

pub(crate) fn run(case: &Case<'_>, report: &mut Report<'_>) -> anyhow::Result<()> {
    let facts = Facts::open(&case.folder.join("golden_probe.json"))?;
    let noise = Golden::open(&case.folder.join("golden_probe.safetensors"))?;
    for run in facts.get("runs")?.items()? {
        let name: String = run.read("name")?;
        one(case, &noise, &run, &name, report).with_context(|| format!("probe run `{name}`"))?;
    }
    for unused in noise.unused() {
        report.missed(&case.label(&unused), "no probe run asks for it");
    }
    Ok(())
}

fn config(run: &Facts) -> anyhow::Result<ProbeConfig> {
    let settings =
        || Ok([run.get("sample_accepted_prob_dict")?, run.get("sample_rejected_prob_dict")?]);
    Ok(ProbeConfig {
        rounds: run.read("num_round")?,
        epochs: run.read("num_epoch")?,
        loss_tolerance: PerStep::List(run.read("noise_pred_loss_threshold")?),
        weight_bias: PerStep::List(run.read("weight_max_bias")?),
        weight_eps: run.read("weight_eps")?,
        update: update_strategy(&run.read::<String>("strategy")?, settings)?,
        ..ProbeConfig::reference()
    })
}

fn batches(case: &Case<'_>, noise: &Golden, run: &Facts) -> anyhow::Result<Vec<SampleRequest>> {
    let scheduler: String = run.read("scheduler")?;
    let negative: Option<String> =
        run.find("negative_prompt").map(|negative| negative.parse()).transpose()?;
    let prompts: Vec<Vec<String>> = run.read("prompts")?;
    let keys: Vec<String> = run.read("noise_keys")?;
    let mut batches = Vec::new();
    for (prompts, key) in prompts.iter().zip(&keys) {
        let channels = case.pipeline.unet().config().in_channels;
        let shape = [Some(prompts.len()), Some(channels), None, None];
        let run = Run {
            scheduler: &scheduler,
            steps: run.read("num_inference_step")?,
            guidance: run.read("guidance")?,
            prompts,
            negative_prompt: negative.as_deref(),
            noise: noise.tensor(key, shape, &case.device)?,
            sizes: None,
        };
        batches.push(run.request(case)?.0);
    }
    Ok(batches)
}

fn one(
    case: &Case<'_>,
    noise: &Golden,
    run: &Facts,
    name: &str,
    report: &mut Report<'_>,
) -> anyhow::Result<()> {
    let config = config(run)?;
    let batches = batches(case, noise, run)?;
    let steps = batches.first().context("no batches")?.steps;
    let blocks = case.pipeline.unet().config().num_attention_blocks();
    let mut draws = Recorded::read(run, &config, [batches.len(), steps, blocks])?;
    let mut evaluator = UNetEvaluator::new(&case.pipeline, &batches, SAMPLES_AT_ONCE)?;
    let mut state = ProbeState::new(&config, steps, blocks, &mut draws)?;
    search(&mut state, &mut evaluator, &mut draws, &mut |_| {}, &mut |_| Ok(()))?;
    let rounds = run.get("rounds")?.items()?;
    if rounds.len() != state.rounds.len() {
        report.missed(&case.label(&format!("probe/{name}")), "the numbers of rounds differ");
    }
    for (round, (searched, expected)) in state.rounds.iter().zip(&rounds).enumerate() {
        let label = case.label(&format!("probe/{name}/round {round}"));
        let history = expected.get("history")?.items()?;
        if searched.history.len() != history.len() {
            report.missed(&label, "the numbers of epochs differ");
        }
        for (epoch, (thresholds, expected)) in searched.history.iter().zip(&history).enumerate() {
            let label = format!("{label}/thresholds {epoch}");
            let expected = expected.matrix(blocks)?.concat();
            report.compare(&label, thresholds.values(), &expected, TOLERANCE);
        }
        let best = expected.get("final_history_best")?.matrix(blocks)?.concat();
        let label = format!("{label}/best weights");
        report.compare(&label, searched.best.values(), &best, TOLERANCE);
    }
    Ok(())
}

use anyhow::Context;
use pipeline::{Guidance, SampleRequest};
use probe::{
    DrawAddress, PerStep, ProbeConfig, ProbeState, UNetEvaluator, UniformDraws, UpdateStrategy,
    search,
};
use serde_json::Value;

use crate::golden::{Golden, json};
use crate::pipelines::Case;
use crate::probe_core::{matrix, number, probability, vector};
use crate::report::Report;
use crate::trajectories::scheduler;

/// Thresholds and weights follow from decisions, not from rounding; they agree to rounding in f64.
const TOLERANCE: f64 = 1e-9;

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

pub(crate) fn run(case: &Case<'_>, report: &mut Report<'_>) -> anyhow::Result<()> {
    let facts = json(&case.folder.join("golden_probe.json"))?;
    let noise = Golden::open(&case.folder.join("golden_probe.safetensors"))?;
    for run in facts["runs"].as_array().context("`runs`")? {
        let name = run["name"].as_str().context("`name`")?;
        one(case, &noise, run, name, report).with_context(|| format!("probe run `{name}`"))?;
    }
    for unused in noise.unused() {
        report.missed(&format!("{}/{unused}", case.name), "no probe run asks for it");
    }
    Ok(())
}

fn config(run: &Value) -> anyhow::Result<ProbeConfig> {
    let update = match run["strategy"].as_str() {
        Some("hard") => UpdateStrategy::Hard,
        Some("soft") => UpdateStrategy::Soft,
        Some("probability") => {
            probability(&run["sample_accepted_prob_dict"], &run["sample_rejected_prob_dict"])?
        }
        other => anyhow::bail!("the update strategy {other:?} is not implemented"),
    };
    Ok(ProbeConfig {
        rounds: number(run, "num_round")? as usize,
        epochs: number(run, "num_epoch")? as usize,
        loss_tolerance: PerStep::List(vector(&run["noise_pred_loss_threshold"])?),
        weight_bias: PerStep::List(vector(&run["weight_max_bias"])?),
        weight_eps: number(run, "weight_eps")?,
        update,
        ..ProbeConfig::reference()
    })
}

fn batches(case: &Case<'_>, noise: &Golden, run: &Value) -> anyhow::Result<Vec<SampleRequest>> {
    let (config, kind) = scheduler(case, run["scheduler"].as_str().context("`scheduler`")?)?;
    let steps = number(run, "num_inference_step")? as usize;
    let scale = number(run, "guidance")?;
    let prompts: Vec<Vec<String>> = serde_json::from_value(run["prompts"].clone())?;
    let keys: Vec<String> = serde_json::from_value(run["noise_keys"].clone())?;
    let mut batches = Vec::new();
    for (prompts, key) in prompts.iter().zip(&keys) {
        let prompts = case.pipeline.encode_prompts(prompts)?;
        let negative = case.pipeline.encode_negative(run["negative_prompt"].as_str(), &prompts)?;
        batches.push(SampleRequest {
            prompts,
            guidance: Some(Guidance { scale, negative }),
            noise: noise.tensor(key, &case.device)?,
            fresh_noise: None,
            scheduler: kind,
            scheduler_config: config.clone(),
            steps,
            sizes: None,
        });
    }
    Ok(batches)
}

fn recorded(run: &Value, batches: usize, steps: usize) -> anyhow::Result<Recorded> {
    let draws = run["uniform_draws_in_order"].as_array().context("`uniform_draws_in_order`")?;
    let mut recorded = Recorded { initial: vec![], perturbations: vec![], batches, steps };
    for draw in draws {
        if draw["u"][0].is_array() {
            recorded.initial.push(matrix(&draw["u"])?);
            recorded.perturbations.push(Vec::new());
        } else {
            let round = recorded.perturbations.last_mut().context("no initial draw")?;
            round.push(vector(&draw["u"])?);
        }
    }
    Ok(recorded)
}

fn one(
    case: &Case<'_>,
    noise: &Golden,
    run: &Value,
    name: &str,
    report: &mut Report<'_>,
) -> anyhow::Result<()> {
    let config = config(run)?;
    let batches = batches(case, noise, run)?;
    let steps = batches.first().context("no batches")?.steps;
    let mut draws = recorded(run, batches.len(), steps)?;
    let mut evaluator = UNetEvaluator::new(&case.pipeline, &batches, 5)?;
    let blocks = case.pipeline.unet().config().num_attention_blocks();
    let mut state = ProbeState::new(&config, steps, blocks, &mut draws)?;
    search(&mut state, &mut evaluator, &mut draws, &mut |_| {}, &mut |_| Ok(()))?;
    for (round, (found, expected)) in
        state.rounds.iter().zip(run["rounds"].as_array().context("`rounds`")?).enumerate()
    {
        let history = expected["history"].as_array().context("`history`")?;
        for (epoch, (found, expected)) in found.history.iter().zip(history).enumerate() {
            let label = format!("{}/probe/{name}/round {round}/thresholds {epoch}", case.name);
            report.compare(&label, &found.concat(), &matrix(expected)?.concat(), TOLERANCE);
        }
        if found.history.len() != history.len() {
            report.missed(&format!("{name}/round {round}"), "the numbers of epochs differ");
        }
        let label = format!("{}/probe/{name}/round {round}/best weights", case.name);
        let best = matrix(&expected["final_history_best"])?.concat();
        report.compare(&label, &found.best.concat(), &best, TOLERANCE);
    }
    Ok(())
}

//! `schedule skip`: which blocks need not run, within a budget, and what that saves.

use std::path::Path;

use anyhow::bail;
use clap::builder::RangedU64ValueParser;
use clap::{Args, ValueEnum};
use pipeline::{
    DeviceChoice, GenerationSettings, Pipeline, PipelineConfigs, Precision, SampleRequest,
};
use probe::{ImportanceMap, block_labels};
use pruning::{Omission, ReuseLosses, SkipCosts, SkipLosses, SkipPlan, time_runs};
use reweight::{BlockWeights, Policy};
use serde_json::Value;

use crate::failure::{OrUsage, usage};
use crate::loras::LoraOptions;
use crate::options::named_model;

/// Tokens of a prompt where the model does not say.
const TOKENS: usize = 77;
/// Samples of one U-Net call where reuse is measured.
const UNET_BATCH: usize = 32;
/// Runs that are timed where nothing is said.
const RUNS: usize = 5;

/// Options of `schedule skip`.
#[derive(Args)]
pub struct SkipOptions {
    /// What a picture may cost, as a fraction of what it costs with all blocks, above 0 and at most
    /// 1 (skip).
    #[arg(long, allow_negative_numbers = true)]
    budget: Option<f64>,
    /// Where a block does not run, add again what it added when it last ran (skip).
    #[arg(long)]
    reuse: bool,
    /// Measure what reuse does, block by block, for the map's prompt and first seed, instead of taking
    /// the map's losses of skips for it: about m·T²/2 samples of the U-Net (skip, with --reuse).
    #[arg(long)]
    measure_reuse: bool,
    /// What is counted (skip) [default: macs].
    #[arg(long, value_enum)]
    cost: Option<CostKind>,
    /// Timed runs, whose median counts; 0 for none (skip) [default: 5].
    #[arg(long, value_parser = RangedU64ValueParser::<usize>::new().range(0..=1000))]
    runs: Option<usize>,
    #[command(flatten)]
    loras: LoraOptions,
    /// Device that is timed: cpu, cuda[:n], wgpu[:n] or torch[:n] (skip) [default: cpu].
    #[arg(long)]
    device: Option<DeviceChoice>,
    /// Data type of the weights that is timed: f32, f16 or bf16 (skip) [default: f32].
    #[arg(long)]
    dtype: Option<Precision>,
}

#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
enum CostKind {
    /// Multiply-accumulates of the U-Net.
    Macs,
    /// Time on this machine, measured block by block.
    Time,
}

impl SkipOptions {
    /// The budget; all of the cost where none is given.
    pub fn budget(&self) -> f64 {
        self.budget.unwrap_or(1.0)
    }

    /// Whether residuals are reused.
    pub fn reuses(&self) -> bool {
        self.reuse
    }

    /// The files of LoRAs: something that is read.
    pub fn lora_files(&self) -> impl Iterator<Item = &Path> {
        self.loras.files()
    }

    /// Its options, and whether they are given.
    pub fn given(&self) -> Vec<(&'static str, bool)> {
        let plan = [
            ("--budget", self.budget.is_some()),
            ("--reuse", self.reuse),
            ("--measure-reuse", self.measure_reuse),
            ("--cost", self.cost.is_some()),
            ("--runs", self.runs.is_some()),
        ];
        [&plan[..], &self.of_loaded()].concat()
    }

    /// The options about the model that is timed or measured, and whether they are given.
    fn of_loaded(&self) -> [(&'static str, bool); 3] {
        [
            ("--lora", !self.loras.choices().is_empty()),
            ("--device", self.device.is_some()),
            ("--dtype", self.dtype.is_some()),
        ]
    }
}

/// The schedule that stays within the budget, and the importance map it comes from, of the method
/// `masks` (the best of all there are) or `skip` (block by block); what it saves is said on standard
/// error.
pub fn weights(
    options: &SkipOptions,
    map: Option<&Path>,
    model: Option<&str>,
) -> anyhow::Result<(BlockWeights, ImportanceMap)> {
    let (Some(path), Some(budget)) = (map, options.budget) else {
        return Err(usage(
            "`schedule skip` needs --map, an importance map of the method `masks` or `skip`, and \
             --budget",
        ));
    };
    if !(budget > 0.0 && budget <= 1.0) {
        return Err(usage(format_args!(
            "expected a --budget above 0 and at most 1, found {budget}"
        )));
    }
    let (runs, cost) = (options.runs.unwrap_or(RUNS), options.cost.unwrap_or(CostKind::Macs));
    if cost == CostKind::Time && runs == 0 {
        return Err(usage("--cost time measures: expected --runs above 0, found 0"));
    }
    if options.measure_reuse && !options.reuse {
        return Err(usage("--measure-reuse means nothing without --reuse"));
    }
    let needed = runs > 0 || options.measure_reuse;
    if let Some((name, _)) = options.of_loaded().iter().find(|(_, given)| *given && !needed) {
        return Err(usage(format_args!("{name} means nothing where nothing is timed or measured")));
    }
    let map = ImportanceMap::read(path)?;
    let losses = SkipLosses::from_map(&map).or_usage()?;
    let model = named_model(model, None)?;
    let configs = PipelineConfigs::open(&model, None)?;
    let blocks = block_labels(&configs.unet.blocks());
    if blocks != map.blocks {
        return Err(usage(format_args!(
            "`{}` is of a model with the blocks {}, `{model}` has {}: name the map's with --model",
            path.display(),
            map.blocks.join(", "),
            blocks.join(", ")
        )));
    }
    let macs = SkipCosts::macs(&configs.unet, latents(&map, &configs)?, tokens(&configs))?;
    let loaded = if needed { Some(Loaded::open(options, &model, &map)?) } else { None };
    if loaded.is_none() {
        terminal::note("nothing is timed: whether the map is of this model was not compared");
    }
    let costs = match (&loaded, cost) {
        (Some(loaded), CostKind::Time) => loaded.costs(runs)?,
        _ => macs.clone(),
    };
    let omission = if options.reuse { Omission::Reuse } else { Omission::Skip };
    let (plan, foreseen) = match &loaded {
        Some(loaded) if options.measure_reuse => {
            let losses = loaded.reuse_losses(&map)?;
            let plan = SkipPlan::reusing(&losses, &costs, budget).or_usage()?;
            let total = losses.total(&plan.skips).unwrap_or(f64::NAN);
            (plan, format!("of reuse {total:.3e}, measured block by block"))
        }
        _ => {
            let plan = SkipPlan::within(&losses, &costs, budget, omission).or_usage()?;
            let known = if losses.of_all_sets() { "as measured" } else { "block by block" };
            let total = losses.loss(&plan.skips);
            (plan, format!("of skips {total:.3e}, {known}"))
        }
    };
    let weights = plan.block_weights()?;
    say(&plan, &macs, &foreseen);
    if let Some(loaded) = loaded.filter(|_| runs > 0) {
        loaded.say(&weights, runs)?;
    }
    Ok((weights, map))
}

/// Height and width of the latents that the map was measured on.
fn latents(map: &ImportanceMap, configs: &PipelineConfigs) -> anyhow::Result<[usize; 2]> {
    /// Longest side of a picture.
    const LONGEST: u64 = 16_384;
    let size = match &map.facts["size"] {
        Value::Null => configs.default_size(),
        size => {
            let side =
                |axis: usize| size[axis].as_u64().filter(|side| (1..=LONGEST).contains(side));
            match (side(0), side(1)) {
                (Some(height), Some(width)) => [height as usize, width as usize],
                _ => bail!("the map's `size`: expected height and width, found {size}"),
            }
        }
    };
    Ok(size.map(|side| side.div_ceil(configs.vae.downscale())))
}

fn tokens(configs: &PipelineConfigs) -> usize {
    configs.text.first().map_or(TOKENS, |text| text.max_position_embeddings)
}

/// Says what is left out, and what that is counted and foreseen to do.
fn say(plan: &SkipPlan, macs: &SkipCosts, foreseen: &str) {
    let left_out = match plan.omission {
        Omission::Skip => "skipped",
        Omission::Reuse => "reused",
    };
    terminal::note(format_args!("{left_out}, step by step: {}", plan.skips));
    let steps = plan.skips.steps().len();
    let (whole, share) = (macs.step() as f64 * steps as f64, macs.share(&plan.skips));
    terminal::note(format_args!(
        "multiply-accumulates of a sample: {:.3} G of {:.3} G ({:.1} %)",
        share * whole / 1e9,
        whole / 1e9,
        100.0 * share
    ));
    terminal::note(format_args!("sum of the losses over the steps: {foreseen}"));
}

/// The model, and a picture as the map's are made.
struct Loaded {
    pipeline: Pipeline,
    request: SampleRequest,
}

impl Loaded {
    /// Loads the model; a picture is asked for as the map's were, of their first seed.
    fn open(options: &SkipOptions, model: &str, map: &ImportanceMap) -> anyhow::Result<Self> {
        let device = options.device.unwrap_or(DeviceChoice::Cpu).open()?;
        let dtype = options.dtype.unwrap_or(Precision::F32).into();
        let loras = options.loras.choices();
        let pipeline = Pipeline::open_with(model, None, loras, dtype, &device)?;
        if let Some(expected) = map.facts["model_sha256"].as_str() {
            let found = pipeline.fingerprint()?;
            if found != expected {
                return Err(usage(format_args!(
                    "the map is of a model of sha256 {expected}, found {found} of `{}`: name the \
                     map's with --model and --lora",
                    pipeline.name()
                )));
            }
        }
        let side = |axis: usize| map.facts["size"][axis].as_u64().map(|side| side as usize);
        let generation = pipeline.resolve(GenerationSettings {
            prompt: map.facts["prompt"].as_str().unwrap_or_default().into(),
            seeds: vec![map.facts["seeds"][0].as_u64().unwrap_or_default()],
            steps: Some(map.steps.len()),
            guidance_scale: map.facts["guidance"].as_f64(),
            height: side(0),
            width: side(1),
            ..GenerationSettings::default()
        })?;
        let request = pipeline.request(&generation, 0..1)?;
        Ok(Self { pipeline, request })
    }

    fn reuse_losses(&self, map: &ImportanceMap) -> anyhow::Result<ReuseLosses> {
        if let Some(scheduler) = map.facts["scheduler"].as_str() {
            return Err(usage(format_args!(
                "--measure-reuse samples by DDIM, and the map is of {scheduler}"
            )));
        }
        Ok(ReuseLosses::measure(&self.pipeline, &self.request, UNET_BATCH)?)
    }

    fn costs(&self, runs: usize) -> anyhow::Result<SkipCosts> {
        let costs = SkipCosts::measured(&self.pipeline, &self.request, runs)?;
        let milliseconds = |nanoseconds: &u64| format!("{:.3}", *nanoseconds as f64 / 1e6);
        terminal::note(format_args!(
            "a step takes {} ms; the blocks save {}",
            milliseconds(&costs.step()),
            costs.blocks().iter().map(milliseconds).collect::<Vec<_>>().join(", ")
        ));
        Ok(costs)
    }

    /// Says how long a picture takes with all blocks, and under the schedule.
    fn say(&self, weights: &BlockWeights, runs: usize) -> anyhow::Result<()> {
        let policies = [Policy::default(), weights.clone().into()];
        let timed = policies.map(|policy| (&self.request, policy));
        let seconds = time_runs(&self.pipeline, &timed, runs)?;
        let (whole, left) = (1000.0 * seconds[0], 1000.0 * seconds[1]);
        terminal::note(format_args!(
            "time from noise to latents: {left:.1} ms of {whole:.1} ms ({:.1} %), medians of {runs}",
            100.0 * left / whole
        ));
        Ok(())
    }
}

//! `tune`: block weights that raise a score of a prompt's pictures.

mod print;
mod samples;
mod summary;

use std::path::{Path, PathBuf};

use anyhow::Context;
use burn::tensor::FloatDType;
use clap::{Args, ValueEnum};
use files::write_atomically;
use metrics::ClipScorer;
use pipeline::{Generation, NoiseSource, Pipeline};
use probe::{ScoreEvaluator, TuneSettings, TuneState, block_labels};

use crate::commands::document::{About, document};
use crate::commands::fit::Per;
use crate::commands::saved::SavedState;
use crate::commands::{progress_bar, scorer};
use crate::facts::facts;
use crate::failure::{OrUsage, usage};
use crate::options::{BatchOptions, ModelOptions, SamplingOptions, count};
use crate::outputs::{Kind, OutputOptions, Outputs, sealed};
use samples::Samples;
use summary::Summary;

/// Names of the result, the schedule and the state.
const RESULT: &str = "tune.json";
const SCHEDULE: &str = "schedule.toml";
const STATE: &str = "state.json";
/// Seeds that weights are chosen on where none are given.
const TRAIN_SEEDS: [u64; 8] = [1, 2, 3, 4, 5, 6, 7, 8];

/// Arguments of `tune`.
#[derive(Args)]
#[command(
    after_help = "Examples:\n  unet-reweight tune \"a cartoon of a lion\" --steps 10 --out tune\n  \
                  unet-reweight tune \"a lighthouse\" --model sd-turbo --score hps --budget 100\n\
                  \nWeights are chosen on the training seeds; what they are worth is what they do on \
                  the test seeds, which nothing was chosen on.",
    mut_arg("seeds", |arg| arg
        .long("train-seeds")
        .help("Seeds that weights are chosen on [default: 1 to 8]")),
    mut_arg("initial_noise", |arg| arg.hide(true))
)]
pub struct TuneArgs {
    #[command(flatten)]
    model: ModelOptions,
    #[command(flatten)]
    sampling: SamplingOptions,
    #[command(flatten)]
    batch: BatchOptions,
    /// What is to rise.
    #[arg(long, value_enum, default_value = "clip")]
    score: Score,
    /// Weights of HPS (a file, or the downloaded package `hps-v2` or `hps-v2.1`), or a CLIP's folder
    /// in open_clip's layout [default: hps-v2.1; the shipped scorer `emoji-clip`].
    #[arg(long)]
    scorer: Option<PathBuf>,
    /// Folder with the `vocab.json` and `merges.txt` of HPS's tokenizer.
    #[arg(long)]
    tokenizer: Option<PathBuf>,
    /// open_clip's configuration of another HPS than ViT-H-14.
    #[arg(long)]
    scorer_config: Option<PathBuf>,
    /// Seeds that the weights are tested on.
    #[arg(
        long,
        value_delimiter = ',',
        default_value = "101,102,103,104,105,106,107,108,109,110,111,112,113,114,115,116"
    )]
    test_seeds: Vec<u64>,
    /// Text file of more prompts, one a line, that weights are chosen on and tested on with PROMPT.
    #[arg(long)]
    more_prompts: Option<PathBuf>,
    /// Text file of other prompts, one a line, that the weights are tested on with the test seeds.
    #[arg(long)]
    other_prompts: Option<PathBuf>,
    /// Steps that share weights.
    #[arg(long, value_enum, default_value = "window")]
    per: Per,
    /// Evaluations of weights on all training samples, at most: one for vanilla, two for every weight
    /// that is tried.
    #[arg(long, default_value_t = TuneSettings::default().budget, value_parser = count())]
    budget: usize,
    /// First change of a weight that is tried; halved where none helps.
    #[arg(long, default_value_t = TuneSettings::default().step, allow_negative_numbers = true)]
    change: f64,
    /// Largest change of a weight from 1, at most 1.
    #[arg(long, default_value_t = TuneSettings::default().limit, allow_negative_numbers = true)]
    limit: f64,
    /// Seed of the order in which weights are tried.
    #[arg(long, default_value_t = TuneSettings::default().seed)]
    search_seed: u64,
    /// Folder for `tune.json`, `schedule.toml`, and the state an interrupted search resumes from.
    #[arg(long, default_value = "tune")]
    out: PathBuf,
    /// Print the result as JSON.
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    output: OutputOptions,
}

/// Scores that can be raised.
#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Score {
    /// The cosine of picture and prompt under a CLIP.
    Clip,
    /// HPS.
    Hps,
}

impl TuneArgs {
    fn settings(&self) -> anyhow::Result<TuneSettings> {
        let settings = TuneSettings {
            span: self.per.into(),
            budget: self.budget,
            step: self.change,
            limit: self.limit,
            seed: self.search_seed,
        };
        settings.check().or_usage()?;
        Ok(settings)
    }

    /// What needs no file.
    fn check(&self) -> anyhow::Result<()> {
        if self.sampling.noise_file().is_some() {
            return Err(usage("--initial-noise means nothing to `tune`, which draws from seeds"));
        }
        for (option, given) in [
            ("--tokenizer", self.tokenizer.is_some()),
            ("--scorer-config", self.scorer_config.is_some()),
        ] {
            if given && self.score == Score::Clip {
                return Err(usage(format_args!("{option} means nothing to --score clip")));
            }
        }
        Ok(())
    }

    fn load_scorer(&self, pipeline: &Pipeline) -> anyhow::Result<ClipScorer> {
        let on = (pipeline.device().clone(), FloatDType::F32);
        match self.score {
            Score::Clip => scorer::clip(self.scorer.as_deref(), on),
            Score::Hps => {
                let weights = self.scorer.as_deref().unwrap_or(Path::new("hps-v2.1"));
                let (tokenizer, config) =
                    (self.tokenizer.as_deref(), self.scorer_config.as_deref());
                scorer::hps(weights, tokenizer, config, on)
            }
        }
    }
}

/// The prompts of a file, one a line; none without a file.
fn prompts(file: Option<&Path>) -> anyhow::Result<Vec<String>> {
    let Some(file) = file else { return Ok(Vec::new()) };
    let text = files::read_to_string(file)?;
    let lines = text.lines().map(str::trim).filter(|line| !line.is_empty());
    let prompts: Vec<String> = lines.map(str::to_string).collect();
    match prompts.is_empty() {
        true => anyhow::bail!("`{}`: expected a prompt on each line, found none", file.display()),
        false => Ok(prompts),
    }
}

/// Prompts that are trained on must not be for testing.
fn check_prompts(train: &[String], other: &[String]) -> anyhow::Result<()> {
    match train.iter().find(|prompt| other.contains(prompt)) {
        Some(prompt) => Err(usage(format_args!(
            "expected other --other-prompts than those that are trained on, found \"{prompt}\" in both"
        ))),
        None => Ok(()),
    }
}

/// Seeds that are for training must not be for testing.
fn check_seeds(train: &[u64], test: &[u64]) -> anyhow::Result<()> {
    match train.iter().find(|seed| test.contains(seed)) {
        Some(seed) => Err(usage(format_args!(
            "expected other --test-seeds than --train-seeds, found {seed} in both"
        ))),
        None => Ok(()),
    }
}

pub fn run(mut args: TuneArgs) -> anyhow::Result<()> {
    args.check()?;
    let settings = args.settings()?;
    args.sampling = args.sampling.or_seeds(&TRAIN_SEEDS);
    check_seeds(args.sampling.seeds(), &args.test_seeds)?;
    let outputs = Outputs::new()
        .with(args.out.join(RESULT), Kind::TuneResult)
        .with(args.out.join(SCHEDULE), Kind::SealedSchedule);
    let (more, others) = (args.more_prompts.as_deref(), args.other_prompts.as_deref());
    let inputs = [more, others, args.scorer.as_deref()].into_iter().flatten();
    outputs.check(inputs.chain(args.model.files()), &args.output)?;
    let (more, others) = (prompts(more)?, prompts(others)?);
    let pipeline = args.model.load()?;
    let scorer = args.load_scorer(&pipeline)?;
    let (out, json) = (args.out, args.json);
    let generation = args.sampling.in_batches(&args.batch).resolve(&pipeline)?;
    let train: Vec<String> = std::iter::once(generation.prompt.clone()).chain(more).collect();
    check_prompts(&train, &others)?;
    let facts = {
        let mut facts = facts(&generation)?;
        facts["prompts"] = train.clone().into();
        facts["model_sha256"] = pipeline.fingerprint()?.into();
        facts["test_seeds"] = args.test_seeds.clone().into();
        facts["other_prompts"] = others.clone().into();
        facts["score"] = scorer.name().into();
        facts["scorer"] = scorer.fingerprint().into();
        facts
    };
    let test = NoiseSource { seeds: args.test_seeds, ..generation.noise.clone() };
    let with = |prompts: &[String], noise: &NoiseSource| -> Vec<Generation> {
        let with = |prompt: &String| Generation {
            prompt: prompt.clone(),
            noise: noise.clone(),
            ..generation.clone()
        };
        prompts.iter().map(with).collect()
    };
    let sets = [with(&train, &generation.noise), with(&train, &test), with(&others, &test)];
    let seeds = [generation.noise.seeds.len(), test.seeds.len()];
    let mut samples = Samples::new(&pipeline, &scorer, generation.calls()?, sets)?;
    let saved = SavedState::new(&out.join(STATE), &facts);
    let mut state = saved.read()?.unwrap_or_else(|| TuneState::new(settings));
    if state.settings != settings {
        let named = saved.begin_anew();
        return Err(usage(format_args!("{named}: it is of a search with other settings")));
    }
    let bar = progress_bar(settings.budget as u64 + 4, "tuning");
    bar.set_position(state.evaluations.len() as u64);
    let tuned = state
        .complete(&mut samples, &mut |state| {
            bar.set_position(state.evaluations.len() as u64);
            Ok(saved.write_at_times(state)?)
        })
        .with_context(|| format!("`{}`", out.display()))?;
    saved.write(&state)?;
    bar.finish_and_clear();
    let summary = Summary::new(&scorer, &tuned, seeds)?;
    let labels = block_labels(&pipeline.unet().config().blocks());
    let report = tuned.report(facts.clone(), labels.clone(), settings, summary);
    write_atomically(out.join(RESULT), serde_json::to_string_pretty(&report)?)?;
    let steps = samples.steps();
    let about = About::measured(&facts, &labels, None, None);
    let method = format!("search for {}", scorer.name());
    let schedule = document(tuned.weights, method, about).to_toml()?;
    write_atomically(out.join(SCHEDULE), sealed(&schedule))?;
    if json {
        return terminal::json(&serde_json::to_value(&report)?);
    }
    print::report(&report, steps)?;
    terminal::line(format_args!("written to {}", out.display()))
}

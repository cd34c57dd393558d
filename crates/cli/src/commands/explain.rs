//! `explain`: one page on what each block does for a prompt.

use std::path::{Path, PathBuf};

use clap::Args;
use explain::{Plan, Question};
use pipeline::{Generation, ImageRecord, ImageUse, Pipeline, write_latents};
use probe::ProbeConfig;
use scheduler::SchedulerKind;
use serde_json::json;

use crate::commands::source::{SourcePicture, inverted};
use crate::commands::{progress_bar, scorer};
use crate::facts::facts;
use crate::failure::{OrUsage, usage};
use crate::options::{ModelOptions, SamplingOptions, count};
use crate::outputs::{Kind, OutputOptions, Outputs};

/// Picture seeds where none are given.
const SEEDS: [u64; 2] = [42, 43];

/// Noise that `--image` is turned into, beside the page.
const INVERTED: &str = "inverted.safetensors";
/// Its seed, which names the pictures and draws nothing.
const INVERTED_SEED: u64 = 0;

/// Arguments of `explain`.
#[derive(Args)]
#[command(
    after_help = "Examples:\n  unet-reweight explain \"a red apple\" --out apple\n  \
                  unet-reweight explain \"a green apple\" --image apple.png --source-prompt \"a red apple\"\n\n\
                  Then open apple/index.html in a browser; it needs no server.",
    mut_arg("seeds", |arg| arg.help("Seeds of the pictures [default: 42,43]"))
)]
pub struct ExplainArgs {
    #[command(flatten)]
    model: ModelOptions,
    #[command(flatten)]
    sampling: SamplingOptions,
    /// Picture that is turned into noise by DDIM's inversion: the page then shows what each block
    /// does when it is made again under the prompt.
    #[arg(long, conflicts_with_all = ["seeds", "initial_noise", "width", "height"])]
    image: Option<PathBuf>,
    /// What the picture shows: the prompt of the inversion, the page's own where absent.
    #[arg(long)]
    source_prompt: Option<String>,
    /// Folder of the scorer, in open_clip's layout [default: the shipped scorer `emoji-clip`].
    #[arg(long)]
    scorer: Option<PathBuf>,
    /// Largest number of samples of one U-Net call; results do not depend on it.
    #[arg(long, default_value_t = 32, value_parser = count())]
    unet_batch: usize,
    /// Folder for the page `index.html`, `explain.json`, the full pictures, and the state an
    /// interrupted run resumes from.
    #[arg(long, default_value = "explain")]
    out: PathBuf,
    /// Show the paper's vote, too, by its search on derivatives and skip sets (as `probe --fast`).
    #[arg(long)]
    vote: bool,
    /// Say what it would take, and do nothing.
    #[arg(long)]
    dry_run: bool,
    /// Print what was found as JSON.
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    output: OutputOptions,
}

pub fn run(args: ExplainArgs) -> anyhow::Result<()> {
    if args.source_prompt.is_some() && args.image.is_none() {
        return Err(usage("--source-prompt is what --image shows: expected both"));
    }
    let outputs = Outputs::new()
        .with(args.out.join("index.html"), Kind::Page)
        .with(args.out.join("explain.json"), Kind::Explanation);
    let noise_path = args.out.join(INVERTED);
    let outputs = match args.image {
        Some(_) => outputs.with(noise_path.clone(), Kind::Latents),
        None => outputs,
    };
    let inputs = [args.sampling.noise_file(), args.image.as_deref()].into_iter().flatten();
    outputs.check(inputs.chain(args.model.files()), &args.output)?;
    let source = args.image.as_deref().map(SourcePicture::open).transpose()?;
    let pipeline = args.model.load()?;
    let sampling = match &source {
        Some(source) => args.sampling.or_seeds(&[INVERTED_SEED]).sized(source.picture.size()),
        None => args.sampling.or_seeds(&SEEDS),
    };
    let mut generation = sampling.resolve(&pipeline)?;
    if source.is_some() {
        check_invertible(&generation)?;
    }
    let source_prompt = args.source_prompt.unwrap_or_else(|| generation.prompt.clone());
    let image = source.as_ref().map(|source| ImageRecord {
        sha256: source.sha256.clone(),
        used: ImageUse::Inverted { prompt: source_prompt.clone(), guidance_scale: 1.0 },
    });
    let (dtype, device) = (pipeline.precision().into(), pipeline.device().clone());
    let scorer = scorer::clip(args.scorer.as_deref(), (device, dtype))?;
    let sha256 = pipeline.fingerprint()?;
    let mut facts = facts(&generation)?;
    facts["model_sha256"] = sha256.as_str().into();
    facts["scorer"] = scorer.fingerprint().into();
    if let Some(image) = &image {
        facts["image"] = serde_json::to_value(image)?;
    }
    if args.vote {
        ProbeConfig::paper().check(generation.calls()?).or_usage()?;
    }
    if source.is_some() {
        generation.initial_noise = Some(noise_path.clone());
    }
    let question = Question {
        pipeline: &pipeline,
        generation: &generation,
        image,
        scorer: Some(&scorer),
        facts,
        model_sha256: &sha256,
        source: args.model.source(&pipeline),
        vote: args.vote.then(ProbeConfig::paper),
        unet_batch: args.unet_batch,
        out: &args.out,
    };
    let pictures = question.picture_files()?.into_iter();
    let pictures = pictures.fold(Outputs::new(), |all, path| all.with(path, Kind::Picture));
    pictures.check([], &args.output)?;
    let plan = question.plan()?;
    let Plan { unet_samples, pictures } = plan;
    if args.dry_run {
        return match args.json {
            true => terminal::json(&json!(plan)),
            false => terminal::line(format_args!(
                "{}{unet_samples} samples of the U-Net and {pictures} pictures; nothing was done",
                if args.vote { "at least " } else { "" }
            )),
        };
    }
    question.check_kept()?;
    if let Some(source) = &source {
        invert(&pipeline, &generation, source, source_prompt, &noise_path)?;
    }
    let bar = progress_bar(unet_samples as u64, "explaining");
    let answer = question.answer(&mut |progress| bar.set_position(progress.done as u64))?;
    bar.finish_and_clear();
    if args.json {
        return terminal::json(&serde_json::to_value(&answer)?);
    }
    answer.summary.iter().try_for_each(terminal::line)?;
    terminal::line(format_args!("written to {}", args.out.join("index.html").display()))
}

/// That DDIM's inversion goes back the sampler's steps.
///
/// # Errors
/// For a sampler whose steps DDIM's inversion does not go back.
fn check_invertible(generation: &Generation) -> anyhow::Result<()> {
    let (scheduler, eta) = (generation.scheduler, generation.scheduler_config.eta);
    if scheduler != SchedulerKind::Ddim || eta != 0.0 {
        return Err(usage(format_args!(
            "--image is turned into noise by DDIM's inversion: expected --scheduler ddim with --eta 0, \
             found {scheduler} with {eta}"
        )));
    }
    Ok(())
}

/// Writes the noise that a picture is made of under the prompt of what it shows, without guidance.
fn invert(
    pipeline: &Pipeline,
    generation: &Generation,
    source: &SourcePicture<'_>,
    prompt: String,
    path: &Path,
) -> anyhow::Result<()> {
    let latents = source.encode(pipeline)?.mean();
    let of_source = Generation {
        prompt,
        negative_prompt: None,
        guidance_scale: 1.0,
        initial_noise: None,
        ..generation.clone()
    };
    let noise = inverted(pipeline, &pipeline.request(&of_source, 0..1)?, latents.clone())?;
    Ok(write_latents(path, &[("noise", &noise), ("latents", &latents)])?)
}

//! `generate`: pictures of a prompt.

use std::path::{Path, PathBuf};

use anyhow::{Context, bail};
use burn::tensor::Tensor;
use clap::Args;
use pipeline::{ImageSource, PictureRecord, write_latents};
use reweight::Policy;
use serde::Deserialize;
use serde_json::{Value, json};

use crate::commands::applied::AppliedOptions;
use crate::commands::sample;
use crate::commands::source::SourcePicture;
use crate::options::{BatchOptions, ModelOptions, SamplingOptions};
use crate::outputs::{Kind, OutputOptions, Outputs};

/// Name of the file of noise and latents.
const LATENTS: &str = "latents.safetensors";

/// What a picture that is made again says itself.
const SETTINGS: [&str; 19] = [
    "prompt",
    "negative",
    "steps",
    "guidance",
    "seeds",
    "noise",
    "sampler_noise",
    "initial_noise",
    "width",
    "height",
    "scheduler",
    "sigmas",
    "eta",
    "image",
    "strength",
    "weights",
    "resample",
    "window",
    "dtype",
];

/// Arguments of `generate`.
#[derive(Args)]
#[command(
    after_help = "Examples:\n  unet-reweight generate \"pixel art of a grinning face\"\n  \
                  unet-reweight generate \"a red apple\" --seeds 1,2,3 --weights schedule.toml\n  \
                  unet-reweight generate \"a blue apple\" --image apple.png --strength 0.6\n  \
                  unet-reweight generate --like out/42.png --out again",
    mut_arg("prompt", |arg| arg.required(false).required_unless_present("like"))
)]
pub struct GenerateArgs {
    #[command(flatten)]
    model: ModelOptions,
    #[command(flatten)]
    sampling: SamplingOptions,
    #[command(flatten)]
    batch: BatchOptions,
    /// Make this picture again, bit for bit: prompt, seed, weights and all else are what it says.
    #[arg(long, conflicts_with_all = SETTINGS)]
    like: Option<PathBuf>,
    /// Begin with this picture, noised, in the place of the first steps; its size is that of the
    /// results.
    #[arg(long, conflicts_with_all = ["width", "height"])]
    image: Option<PathBuf>,
    /// Share of the steps that are taken with --image, above 0 (nothing changes) to 1; their number is
    /// rounded down.
    #[arg(long, default_value_t = 0.8, requires = "image", allow_negative_numbers = true)]
    strength: f64,
    /// Schedule file (TOML, JSON, or the authors' YAML).
    #[arg(long)]
    weights: Option<PathBuf>,
    #[command(flatten)]
    applied: AppliedOptions,
    /// Folder the pictures are written to.
    #[arg(long, default_value = "out")]
    out: PathBuf,
    /// Also write `latents.safetensors`: the initial noise and the last latents of all seeds.
    #[arg(long)]
    save_latents: bool,
    /// Print what was written as JSON.
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    output: OutputOptions,
}

impl GenerateArgs {
    /// Checks what will be written, before anything is loaded.
    fn check_outputs(&self, sampling: &SamplingOptions) -> anyhow::Result<()> {
        let mut outputs = Outputs::new();
        for seed in sampling.seeds() {
            outputs = outputs.with_picture(&self.out.join(format!("{seed}.png")));
        }
        if self.save_latents {
            outputs = outputs.with(self.out.join(LATENTS), Kind::Latents);
        }
        let [weights, like, image] = [&self.weights, &self.like, &self.image].map(Option::as_deref);
        let inputs = [weights, like, image, sampling.noise_file()].into_iter().flatten();
        outputs.check(inputs.chain(self.model.files()), &self.output)
    }
}

/// The record of the picture that is to be made again, and what it says was done to the U-Net.
fn recorded(path: &Path) -> anyhow::Result<(PictureRecord, Policy)> {
    let record = PictureRecord::of_png(path)?;
    let policy = match &record.intervention {
        Value::Null => Policy::default(),
        done => Policy::deserialize(done).with_context(|| {
            format!("`{}`: its record tells no single schedule", path.display())
        })?,
    };
    Ok((record, policy))
}

pub fn run(mut args: GenerateArgs) -> anyhow::Result<()> {
    let recorded = args.like.as_deref().map(recorded).transpose()?;
    if let Some((record, _)) = &recorded {
        args.sampling = SamplingOptions::like(record)?;
        args.model = args.model.like(record)?;
    }
    args.check_outputs(&args.sampling)?;
    let source = args.image.as_deref().map(SourcePicture::open).transpose()?;
    if let Some(source) = &source {
        args.sampling = args.sampling.sized(source.picture.size());
    }
    let pipeline = args.model.load()?;
    let encoded = source.as_ref().map(|source| source.encode(&pipeline)).transpose()?;
    let mut generation = args.sampling.in_batches(&args.batch).resolve(&pipeline)?;
    generation.image =
        source.map(|source| ImageSource { sha256: source.sha256, strength: args.strength });
    let sha256 = pipeline.fingerprint()?;
    let policy = match recorded {
        Some((record, _)) if record.model_sha256 != sha256 => bail!(
            "the picture was made by `{}` of sha256 {}, found {sha256} of `{}`: name its model with \
             --model",
            record.model,
            record.model_sha256,
            pipeline.name()
        ),
        Some((_, policy)) => policy,
        None => args.applied.policy(args.weights.as_deref(), &generation, &pipeline)?,
    };
    let intervention = serde_json::to_value(&policy)?;
    let pictures: Vec<Planned> = (generation.noise.seeds.iter())
        .map(|seed| Planned {
            path: args.out.join(format!("{seed}.png")),
            record: pipeline.record(&generation, &sha256, *seed, intervention.clone()),
        })
        .collect();
    // All latents are wanted, those of pictures that are there among them.
    let kept: Vec<bool> =
        pictures.iter().map(|picture| !args.save_latents && picture.is_there()).collect();
    let (mut noise, mut latents) = (Vec::new(), Vec::new());
    for samples in generation.batches_of(|at| !kept[at]) {
        let request = pipeline.request(&generation, samples.clone())?;
        let start =
            encoded.as_ref().and_then(|one| pipeline.start(&generation, one, samples.clone()));
        let sampled = sample(&pipeline, &request, start.as_ref(), &policy, "sampling")?;
        if args.save_latents {
            noise.push(request.noise);
            latents.push(sampled.clone());
        }
        // One by one: each is on disk before the next is decoded.
        for (at, Planned { path, record }) in pictures[samples].iter().enumerate() {
            for picture in pipeline.pictures(sampled.clone().narrow(0, at, 1))? {
                record.save(&picture, path)?;
            }
        }
    }
    if args.save_latents {
        let path = args.out.join(LATENTS);
        let (noise, latents) = (Tensor::cat(noise, 0), Tensor::cat(latents, 0));
        write_latents(&path, &[("noise", &noise), ("latents", &latents)])?;
    }
    report(&pictures, &kept, args.json)
}

/// Says which pictures there are now, and which of them were there before.
fn report(pictures: &[Planned], kept: &[bool], json: bool) -> anyhow::Result<()> {
    let names = |wanted: &dyn Fn(usize) -> bool| -> Vec<String> {
        let chosen = pictures.iter().enumerate().filter(|(at, _)| wanted(*at));
        chosen.map(|(_, picture)| picture.path.display().to_string()).collect()
    };
    let (all, kept) = (names(&|_| true), names(&|at| kept[at]));
    if !kept.is_empty() {
        terminal::note(format_args!(
            "kept {} of {} pictures, which are there already and say that they were made like this",
            kept.len(),
            all.len()
        ));
    }
    if json {
        return terminal::json(&json!({ "pictures": all, "kept": kept }));
    }
    all.iter().try_for_each(terminal::line)
}

/// A picture that is to be made.
struct Planned {
    path: PathBuf,
    record: PictureRecord,
}

impl Planned {
    /// Whether it is there, with its record beside it, and both say that it was made just so.
    fn is_there(&self) -> bool {
        let beside = || -> Option<PictureRecord> {
            let text = std::fs::read_to_string(self.path.with_extension("json")).ok()?;
            serde_json::from_str(&text).ok()
        };
        let within = PictureRecord::of_png(&self.path).ok();
        within.as_ref() == Some(&self.record) && beside().as_ref() == Some(&self.record)
    }
}

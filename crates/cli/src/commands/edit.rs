//! `edit`: a picture, turned into the noise it could have been made of, and made again otherwise.

use std::path::PathBuf;

use burn::tensor::Tensor;
use clap::Args;
use metrics::psnr;
use pictures::RgbImage;
use pipeline::{
    Generation, GenerationSettings, ImageRecord, ImageUse, PictureRecord, Pipeline, SampleRequest,
};
use reweight::Policy;
use serde_json::{Value, json};

use crate::commands::applied::AppliedOptions;
use crate::commands::sample;
use crate::commands::source::{SourcePicture, inverted};
use crate::failure::OrUsage;
use crate::options::{ModelOptions, steps};
use crate::outputs::{OutputOptions, Outputs};

/// Names of the results: the edited picture, and the source as inversion alone gives it back.
const EDITED: &str = "edited.png";
const RECONSTRUCTION: &str = "reconstruction.png";
/// Steps where none are given: inversion is the more exact the more there are.
const STEPS: usize = 50;

/// Arguments of `edit`.
#[derive(Args)]
#[command(
    after_help = "Examples:\n  unet-reweight edit apple.png --prompt \"a red apple\" --to \"a green apple\"\n  \
                  unet-reweight edit apple.png --prompt \"a red apple\" --to \"a red apple\" --guidance 1 \
                  --weights schedule.toml --steps 10\n\n\
                  The source is turned into noise by DDIM's inversion under --prompt, and denoised by DDIM \
                  under --to. How well inversion alone gives it back is reported beside."
)]
pub struct EditArgs {
    /// Picture; its sides must be multiples of the autoencoder's factor (8, the shipped model's 4).
    source: PathBuf,
    /// What the source shows: the prompt of the inversion.
    #[arg(long)]
    prompt: String,
    /// What it is to show.
    #[arg(long)]
    to: String,
    /// What guidance leads away from when it is denoised.
    #[arg(long)]
    negative: Option<String>,
    #[command(flatten)]
    model: ModelOptions,
    /// Steps of the inversion and of the denoising.
    #[arg(long, default_value_t = STEPS, value_parser = steps())]
    steps: usize,
    /// Guidance scale of the denoising, 0 or 1 for none; the model's own where absent, else 3.
    #[arg(long, allow_negative_numbers = true)]
    guidance: Option<f64>,
    /// Guidance scale of the inversion and of the reconstruction. Above 1 inversion is less exact.
    #[arg(long, default_value_t = 1.0, allow_negative_numbers = true)]
    source_guidance: f64,
    /// Schedule file (TOML, JSON, or the authors' YAML), for the denoising.
    #[arg(long)]
    weights: Option<PathBuf>,
    #[command(flatten)]
    applied: AppliedOptions,
    /// Folder for `edited.png` and `reconstruction.png`.
    #[arg(long, default_value = "edit")]
    out: PathBuf,
    /// Print the result as JSON.
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    output: OutputOptions,
}

impl EditArgs {
    /// What is generated of a prompt: the source's, or another.
    fn generation(
        &self,
        pipeline: &Pipeline,
        size: [usize; 2],
        (prompt, negative_prompt): (&str, Option<&str>),
        guidance_scale: Option<f64>,
    ) -> anyhow::Result<Generation> {
        let [height, width] = size.map(Some);
        let settings = GenerationSettings {
            prompt: prompt.into(),
            negative_prompt: negative_prompt.map(Into::into),
            seeds: vec![0],
            steps: Some(self.steps),
            guidance_scale,
            height,
            width,
            ..GenerationSettings::default()
        };
        pipeline.resolve(settings).or_usage()
    }
}

pub fn run(args: EditArgs) -> anyhow::Result<()> {
    let (edited_path, again_path) = (args.out.join(EDITED), args.out.join(RECONSTRUCTION));
    let inputs = [Some(args.source.as_path()), args.weights.as_deref()].into_iter().flatten();
    let outputs = Outputs::new().with_picture(&edited_path).with_picture(&again_path);
    outputs.check(inputs.chain(args.model.files()), &args.output)?;
    let source = SourcePicture::open(&args.source)?;
    let pipeline = args.model.load()?;
    let latents = source.encode(&pipeline)?.mean();
    let size = source.picture.size();
    let of_source =
        args.generation(&pipeline, size, (&args.prompt, None), Some(args.source_guidance))?;
    let of_target =
        args.generation(&pipeline, size, (&args.to, args.negative.as_deref()), args.guidance)?;
    let policy = args.applied.policy(args.weights.as_deref(), &of_target, &pipeline)?;
    let request = pipeline.request(&of_source, 0..1)?;
    let noise = inverted(&pipeline, &request, latents.clone())?;
    let denoised = |generation: &Generation, policy: &Policy, what: &str| {
        let request = pipeline.request(generation, 0..1)?;
        let request = SampleRequest { noise: noise.clone(), ..request };
        picture(&pipeline, sample(&pipeline, &request, None, policy, what)?)
    };
    let again = denoised(&of_source, &Policy::default(), "reconstructing")?;
    let edited = denoised(&of_target, &policy, "editing")?;
    let sha256 = pipeline.fingerprint()?;
    let record = |generation: &Generation, intervention: Value| -> PictureRecord {
        let mut record = pipeline.record(generation, &sha256, 0, intervention);
        record.extras.image = Some(ImageRecord {
            sha256: source.sha256.clone(),
            used: ImageUse::Inverted {
                prompt: args.prompt.clone(),
                guidance_scale: args.source_guidance,
            },
        });
        record
    };
    record(&of_source, serde_json::to_value(Policy::default())?).save(&again, &again_path)?;
    record(&of_target, serde_json::to_value(&policy)?).save(&edited, &edited_path)?;
    let autoencoder = psnr(&source.picture, &picture(&pipeline, latents)?)?;
    let reconstruction = psnr(&source.picture, &again)?;
    if args.json {
        return terminal::json(&json!({
            "edited": edited_path,
            "reconstruction": again_path,
            "steps": args.steps,
            "guidance": of_target.guidance_scale,
            "source_guidance": args.source_guidance,
            "psnr": { "autoencoder": autoencoder, "reconstruction": reconstruction },
        }));
    }
    terminal::line(edited_path.display())?;
    terminal::line(again_path.display())?;
    terminal::line(format_args!(
        "{} steps, guidance {} there and {} back: inversion alone gives the source back with a PSNR of \
         {reconstruction:.2} dB; the autoencoder alone with {autoencoder:.2} dB",
        args.steps, args.source_guidance, of_target.guidance_scale
    ))
}

/// The one picture that latents stand for.
fn picture(pipeline: &Pipeline, latents: Tensor<4>) -> anyhow::Result<RgbImage> {
    let pictures = pipeline.pictures(latents)?;
    pictures.into_iter().next().ok_or_else(|| anyhow::anyhow!("no picture was decoded"))
}

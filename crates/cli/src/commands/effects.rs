//! `effects`: what each block does to the result, at each step by itself.

use std::path::{Path, PathBuf};

use charts::heatmap_svg;
use clap::{Args, ValueEnum};
use files::write_atomically;
use metrics::{ClipScorer, EQUAL_PSNR, Lpips, LpipsNetwork, psnr};
use pictures::RgbImage;
use pipeline::Pipeline;
use probe::{Effect, Effects, block_labels, block_path};
use reweight::StepMatrix;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::saved::SavedState;
use crate::commands::{progress_bar, scorer};
use crate::facts::facts;
use crate::options::{ModelOptions, SamplingOptions, count};
use crate::outputs::{Kind, OutputOptions, Outputs};

/// Names of the result, its table and its drawing.
const RESULT: &str = "effects.json";
const TABLE: &str = "effects.csv";
const DRAWING: &str = "effects.svg";
/// Pictures that are decoded and measured at a time.
const TOGETHER: usize = 8;

/// Arguments of `effects`.
#[derive(Args)]
#[command(
    after_help = "Example:\n  unet-reweight effects \"a red apple\" --steps 10 --effect skip\n\n\
                  T steps and m blocks take T(T + 1)/2 · m samples of the U-Net a seed, twice as \
                  many with guidance: the measure that `importance` is judged by, not a cheap one."
)]
pub struct EffectsArgs {
    #[command(flatten)]
    model: ModelOptions,
    #[command(flatten)]
    sampling: SamplingOptions,
    /// What is done to one block at one step.
    #[arg(long, value_enum, default_value = "lower")]
    effect: What,
    /// Folder of the scorer, in open_clip's layout [default: the shipped scorer `emoji-clip`].
    #[arg(long)]
    scorer: Option<PathBuf>,
    /// Largest number of samples of one U-Net call; results do not depend on it.
    #[arg(long, default_value_t = 32, value_parser = count())]
    unet_batch: usize,
    /// Folder for `effects.json`, `effects.csv`, `effects.svg`, and the state an interrupted run
    /// resumes from.
    #[arg(long, default_value = "effects")]
    out: PathBuf,
    /// Print the result as JSON.
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    output: OutputOptions,
}

#[derive(Clone, Copy, ValueEnum)]
enum What {
    /// Its weight is 0.95.
    Lower,
    /// It is skipped.
    Skip,
}

impl From<What> for Effect {
    fn from(what: What) -> Self {
        match what {
            What::Lower => Self::Lower,
            What::Skip => Self::Skip,
        }
    }
}

/// The effects in the picture of one seed.
#[derive(Serialize, Deserialize)]
struct OfSeed {
    /// Mean squared distance of the final latents to the vanilla ones.
    latents: StepMatrix,
    /// PSNR to the vanilla picture in dB, 100 of equal ones.
    psnr: StepMatrix,
    /// The scorer's cosine with the prompt, minus that of the vanilla picture.
    score: StepMatrix,
    /// LPIPS (alex) to the vanilla picture, where its weights are on this machine.
    lpips: Option<StepMatrix>,
}

/// What pictures are measured by.
struct Measures {
    scorer: ClipScorer,
    lpips: Option<Lpips>,
}

pub fn run(args: EffectsArgs) -> anyhow::Result<()> {
    let effect = Effect::from(args.effect);
    let outputs = Outputs::new()
        .with(args.out.join(RESULT), Kind::Effects)
        .with(args.out.join(TABLE), Kind::ProbeTable)
        .with(args.out.join(DRAWING), Kind::ProbeDrawing);
    let inputs = args.sampling.noise_file().into_iter().chain(args.model.files());
    outputs.check(inputs, &args.output)?;
    let pipeline = args.model.load()?;
    let generation = args.sampling.resolve(&pipeline)?;
    let measures = measures(args.scorer.as_deref(), &pipeline)?;
    let mut facts = facts(&generation)?;
    facts["model_sha256"] = pipeline.fingerprint()?.into();
    facts["effect"] = effect.name().into();
    facts["scorer"] = measures.scorer.fingerprint().into();
    facts["lpips"] = measures.lpips.is_some().into();
    let state_path = args.out.join("state.json");
    let saved = SavedState::new(&state_path, &facts);
    let mut done: Vec<OfSeed> = saved.read()?.unwrap_or_default();
    let (seeds, steps) = (generation.samples(), generation.calls()?);
    let bar = progress_bar((seeds * steps) as u64, "measuring");
    for seed in done.len()..seeds {
        bar.set_position((seed * steps) as u64);
        let request = pipeline.request(&generation, seed..seed + 1)?;
        let effects = Effects::measure(&pipeline, &request, effect, args.unet_batch, &mut |_| {
            bar.inc(1);
        })?;
        done.push(measures.of(&pipeline, &generation.prompt, &effects)?);
        saved.write(&done)?;
    }
    bar.finish_and_clear();
    let labels = block_labels(&pipeline.unet().config().blocks());
    report(&args.out, args.json, facts, &labels, &done)
}

fn measures(folder: Option<&Path>, pipeline: &Pipeline) -> anyhow::Result<Measures> {
    let (dtype, device) = (pipeline.precision().into(), pipeline.device());
    let scorer = scorer::clip(folder, (device.clone(), dtype))?;
    // Weights that nobody fetched are not missed.
    let lpips = hub::installed("lpips-alex", &hub::Settings::from_env())
        .ok()
        .map(|files| Lpips::from_files(LpipsNetwork::Alex, &files, dtype, device))
        .transpose()?;
    Ok(Measures { scorer, lpips })
}

impl Measures {
    /// Decodes the latents of one seed, and measures each picture beside the vanilla one.
    fn of(&self, pipeline: &Pipeline, prompt: &str, effects: &Effects) -> anyhow::Result<OfSeed> {
        let (latents, shape) = (&effects.latents, &effects.distances);
        let count = latents.dims()[0];
        let vanilla = pipeline.pictures(latents.clone().narrow(0, 0, 1))?;
        let (mut psnrs, mut scores, mut distances) = (Vec::new(), Vec::new(), Vec::new());
        let score = |pictures: &[RgbImage]| {
            self.scorer.score(pictures, &vec![prompt.to_string(); pictures.len()])
        };
        let usual = score(&vanilla)?[0];
        for start in (1..count).step_by(TOGETHER) {
            let length = TOGETHER.min(count - start);
            let pictures = pipeline.pictures(latents.clone().narrow(0, start, length))?;
            for picture in &pictures {
                psnrs.push(psnr(picture, &vanilla[0])?.min(EQUAL_PSNR));
            }
            scores.extend(score(&pictures)?.into_iter().map(|score| score - usual));
            if let Some(lpips) = &self.lpips {
                let beside = vec![vanilla[0].clone(); length];
                distances.extend(lpips.distances(&pictures, &beside)?.total);
            }
        }
        let matrix = |values: &[f64]| {
            let blocks = shape.blocks();
            StepMatrix::from_fn(shape.steps(), blocks, |step, block| values[step * blocks + block])
        };
        Ok(OfSeed {
            latents: effects.distances.clone(),
            psnr: matrix(&psnrs),
            score: matrix(&scores),
            lpips: self.lpips.is_some().then(|| matrix(&distances)),
        })
    }
}

/// The mean over the seeds of what was measured.
fn mean<'a>(
    seeds: &'a [OfSeed],
    what: impl Fn(&'a OfSeed) -> Option<&'a StepMatrix>,
) -> Option<StepMatrix> {
    let all: Vec<&StepMatrix> = seeds.iter().map(what).collect::<Option<_>>()?;
    let first = all.first()?;
    Some(StepMatrix::from_fn(first.steps(), first.blocks(), |step, block| {
        all.iter().map(|of| of[step][block]).sum::<f64>() / all.len() as f64
    }))
}

fn report(
    out: &Path,
    as_json: bool,
    facts: Value,
    labels: &[String],
    seeds: &[OfSeed],
) -> anyhow::Result<()> {
    let Some(latents) = mean(seeds, |of| Some(&of.latents)) else { return Ok(()) };
    let (psnr, score) = (mean(seeds, |of| Some(&of.psnr)), mean(seeds, |of| Some(&of.score)));
    let lpips = mean(seeds, |of| of.lpips.as_ref());
    let mut csv = String::from("step,block,path,latents,psnr,score,lpips\n");
    let text = |matrix: &Option<StepMatrix>, step: usize, block: usize| {
        matrix.as_ref().map_or_else(String::new, |matrix| matrix[step][block].to_string())
    };
    for (step, row) in latents.rows().enumerate() {
        for (block, value) in row.iter().enumerate() {
            let path = block_path(&labels[block]);
            let others = [&psnr, &score, &lpips].map(|matrix| text(matrix, step, block));
            csv += &format!("{step},{block},{path},{value},{}\n", others.join(","));
        }
    }
    let result = json!({
        "version": 1, "facts": facts, "blocks": labels, "latents": latents, "psnr": psnr,
        "score": score, "lpips": lpips, "seeds": seeds,
    });
    write_atomically(out.join(RESULT), serde_json::to_string_pretty(&result)?)?;
    write_atomically(out.join(TABLE), csv)?;
    let largest = latents.values().iter().copied().fold(f64::MIN_POSITIVE, f64::max);
    let shares = latents.map(|value| (value / largest).sqrt());
    write_atomically(out.join(DRAWING), heatmap_svg(shares.rows(), labels, &[]))?;
    if as_json {
        return terminal::json(&result);
    }
    terminal::line("root mean squared distance of the final latents to the vanilla ones")?;
    terminal::line(format_args!("{:>8} {}", "", labels.join("  ")))?;
    for (step, row) in latents.rows().enumerate() {
        let cells: Vec<String> = row
            .iter()
            .zip(labels)
            .map(|(value, label)| format!("{:>width$.4}", value.sqrt(), width = label.len()))
            .collect();
        terminal::line(format_args!("step {step:>3} {}", cells.join("  ")))?;
    }
    terminal::line(format_args!("PSNR, score and LPIPS: in {}", out.join(TABLE).display()))
}

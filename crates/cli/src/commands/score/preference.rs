//! `score hps` and `clip`: pictures scored for their prompts.

use std::path::PathBuf;

use clap::Args;
use metrics::ClipScorer;
use pictures::{RgbImage, list_pictures};
use serde_json::json;

use super::{RunOptions, print_values};
use crate::commands::progress_bar;
use crate::commands::prompts::prompts;
use crate::commands::scorer;

/// Which pictures, for which prompts.
#[derive(Args)]
struct Prompted {
    /// Folder of pictures.
    folder: PathBuf,
    /// JSON lines with `file_name` and `prompt` (or `text`) for every picture; without it the
    /// prompts stored beside the pictures by `generate` are taken.
    #[arg(long)]
    prompts: Option<PathBuf>,
    #[command(flatten)]
    run: RunOptions,
    /// Print JSON.
    #[arg(long)]
    json: bool,
}

/// Arguments of `score hps`.
#[derive(Args)]
pub(super) struct HpsArgs {
    #[command(flatten)]
    pictures: Prompted,
    /// `HPS_v2_compressed.pt` or `HPS_v2.1_compressed.pt`, the same weights as safetensors, or the
    /// downloaded package `hps-v2` or `hps-v2.1`.
    #[arg(long, default_value = "hps-v2.1")]
    weights: PathBuf,
    /// Folder with CLIP's `vocab.json` and `merges.txt` [default: `tokenizer` beside the weights,
    /// else the built-in one].
    #[arg(long)]
    tokenizer: Option<PathBuf>,
    /// open_clip's configuration of another model than ViT-H-14.
    #[arg(long)]
    config: Option<PathBuf>,
}

/// Arguments of `score clip`.
#[derive(Args)]
pub(super) struct ClipArgs {
    #[command(flatten)]
    pictures: Prompted,
    /// Folder in open_clip's layout, with a `tokenizer` folder.
    /// [default: the shipped scorer `emoji-clip`].
    #[arg(long)]
    scorer: Option<PathBuf>,
}

pub(super) fn hps(args: &HpsArgs) -> anyhow::Result<()> {
    let (tokenizer, config) = (args.tokenizer.as_deref(), args.config.as_deref());
    let scorer = scorer::hps(&args.weights, tokenizer, config, args.pictures.run.device()?)?;
    score(&args.pictures, &scorer)
}

pub(super) fn clip(args: &ClipArgs) -> anyhow::Result<()> {
    let scorer = scorer::clip(args.scorer.as_deref(), args.pictures.run.device()?)?;
    score(&args.pictures, &scorer)
}

fn score(args: &Prompted, scorer: &ClipScorer) -> anyhow::Result<()> {
    let pictures = list_pictures(&args.folder)?;
    let prompts = prompts(&pictures, args.prompts.as_deref())?;
    let bar = progress_bar(pictures.len() as u64, "scoring");
    let mut rows = Vec::with_capacity(pictures.len());
    let batches = pictures.chunks(args.run.batch()).zip(prompts.chunks(args.run.batch()));
    for (paths, prompts) in batches {
        let images = paths.iter().map(RgbImage::open).collect::<Result<Vec<_>, _>>()?;
        for (path, score) in paths.iter().zip(scorer.score(&images, prompts)?) {
            let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
            rows.push((name, score));
        }
        bar.inc(paths.len() as u64);
    }
    bar.finish_and_clear();
    let details = json!({ "checkpoint": scorer.checkpoint() });
    print_values(scorer.name(), "", &rows, details, args.json)
}

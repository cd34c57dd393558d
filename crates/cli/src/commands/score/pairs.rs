//! `score lpips`, `psnr` and `ssim`: pictures compared in pairs.

use std::path::{Path, PathBuf};

use anyhow::Context;
use clap::builder::RangedU64ValueParser;
use clap::{Args, ValueEnum};
use metrics::{Lpips, LpipsNetwork, MetricsError};
use pictures::{Filter, Frame, RgbImage, pair_by_name, resize_like_pillow};
use serde_json::json;

use super::{RunOptions, print_values};
use crate::commands::progress_bar;
use crate::outputs::{Kind, OutputOptions, Outputs};

/// Arguments of `score psnr` and `score ssim`.
#[derive(Args)]
pub(super) struct PairArgs {
    /// Folder of pictures.
    a: PathBuf,
    /// Folder of pictures of the same names.
    b: PathBuf,
    /// Print JSON.
    #[arg(long)]
    json: bool,
}

/// Arguments of `score lpips`.
#[derive(Args)]
pub(super) struct LpipsArgs {
    #[command(flatten)]
    pairs: PairArgs,
    /// Network.
    #[arg(long, value_enum, default_value = "alex")]
    net: Net,
    /// Its weights: torchvision's trunk and lpips's linear layers, or one file with both; PyTorch
    /// files or safetensors [default: the downloaded package `lpips-NET`].
    #[arg(long)]
    weights: Vec<PathBuf>,
    /// First resize the shorter side to this and cut out the middle, as the paper does with 512.
    #[arg(long, value_parser = RangedU64ValueParser::<usize>::new().range(1..=4096))]
    resize: Option<usize>,
    /// Write a map of each pair's differences to this folder, brightest where they differ most.
    #[arg(long)]
    maps: Option<PathBuf>,
    #[command(flatten)]
    output: OutputOptions,
    #[command(flatten)]
    run: RunOptions,
}

#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Net {
    Alex,
    Vgg,
    Squeeze,
}

pub(super) fn simple(
    args: &PairArgs,
    metric: &str,
    unit: &str,
    compare: fn(&RgbImage, &RgbImage) -> Result<f64, MetricsError>,
) -> anyhow::Result<()> {
    let mut rows = Vec::new();
    for (left, right) in pair_by_name(&args.a, &args.b)? {
        let (a, b) = (RgbImage::open(&left)?, RgbImage::open(&right)?);
        let value = compare(&a, &b).with_context(|| between(&left, &right))?;
        rows.push((name(&left), value));
    }
    print_values(metric, unit, &rows, json!({}), args.json)
}

pub(super) fn lpips(args: &LpipsArgs) -> anyhow::Result<()> {
    let pairs = pair_by_name(&args.pairs.a, &args.pairs.b)?;
    if let Some(folder) = &args.maps {
        let outputs = pairs.iter().fold(Outputs::new(), |outputs, (left, _)| {
            outputs.with(map_path(folder, left), Kind::Map)
        });
        let pictures = pairs.iter().flat_map(|(left, right)| [left.as_path(), right.as_path()]);
        outputs.check(pictures.chain(args.weights.iter().map(PathBuf::as_path)), &args.output)?;
    }
    let (device, dtype) = args.run.device()?;
    let network = match args.net {
        Net::Alex => LpipsNetwork::Alex,
        Net::Vgg => LpipsNetwork::Vgg,
        Net::Squeeze => LpipsNetwork::Squeeze,
    };
    let settings = hub::Settings::from_env();
    let files = match args.weights.as_slice() {
        [] => hub::installed(&format!("lpips-{}", network.name()), &settings)?,
        [one] => hub::file_or_installed(one, &settings)?,
        several => several.to_vec(),
    };
    let lpips = Lpips::from_files(network, &files, dtype, &device)?;
    let bar = progress_bar(pairs.len() as u64, "comparing");
    let mut rows = Vec::new();
    for (left, right) in &pairs {
        let open = |path: &Path| -> anyhow::Result<RgbImage> {
            let picture = RgbImage::open(path)?;
            Ok(match args.resize {
                Some(side) => Frame::middle(picture.size(), side)
                    .and_then(|frame| resize_like_pillow(&picture, frame, Filter::Bilinear))
                    .with_context(|| format!("`{}` --resize {side}", path.display()))?,
                None => picture,
            })
        };
        let (a, b) = ([open(left)?], [open(right)?]);
        let context = || between(left, right);
        let distances = lpips.distances(&a, &b).with_context(context)?;
        rows.extend(distances.total.iter().map(|value| (name(left), *value)));
        if let Some(folder) = &args.maps {
            for map in lpips.maps(&a, &b).with_context(context)? {
                write_map(&map_path(folder, left), &map, &a[0])?;
            }
        }
        bar.inc(1);
    }
    bar.finish_and_clear();
    let details = json!({ "checkpoints": lpips.checkpoints() });
    print_values(&lpips.name(), "", &rows, details, args.pairs.json)
}

fn name(path: &Path) -> String {
    path.file_name().unwrap_or_default().to_string_lossy().into_owned()
}

fn between(left: &Path, right: &Path) -> String {
    format!("`{}` and `{}`", left.display(), right.display())
}

/// A grey picture whose brightest pixel is the largest difference.
fn write_map(path: &Path, map: &[f32], size: &RgbImage) -> anyhow::Result<()> {
    let most = map.iter().copied().fold(f32::MIN_POSITIVE, f32::max);
    let grey = map.iter().flat_map(|value| [(value / most * 255.0).clamp(0.0, 255.0) as u8; 3]);
    let picture = RgbImage { width: size.width, height: size.height, rgb: grey.collect() };
    Ok(picture.save_png(path, &[(Kind::MAP_KEYWORD, "LPIPS")])?)
}

/// Where the map of a picture's differences is written.
fn map_path(folder: &Path, picture: &Path) -> PathBuf {
    folder.join(name(picture)).with_extension("png")
}

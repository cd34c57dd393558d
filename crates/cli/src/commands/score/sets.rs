//! `score fid` and `kid`: sets of pictures compared by the features of a network.

use std::path::{Path, PathBuf};

use anyhow::Context;
use clap::{Args, ValueEnum};
use metrics::{
    ClipScorer, FeatureNetwork, FeatureStatistics, Features, Inception, InceptionTap, extract,
    frechet_distance, frechet_from_features, kernel_distance,
};
use pictures::{RgbImage, list_pictures};
use serde_json::json;

use super::RunOptions;
use crate::commands::progress_bar;
use crate::failure::usage;
use crate::options::{count, default_scorer};
use crate::outputs::{Kind, OutputOptions, Outputs};

/// Networks whose features sets are compared by.
#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Network {
    /// pytorch-fid's Inception-v3.
    Inception,
    /// A CLIP in open_clip's layout: CLIP-FID.
    Clip,
    /// The ONNX file this program was built with.
    #[cfg(feature = "onnx")]
    Onnx,
}

/// Which network, from where.
#[derive(Args)]
struct NetworkOptions {
    /// Network.
    #[arg(long, value_enum, default_value = "inception")]
    network: Network,
    /// Inception: `pt_inception-2015-12-05-6726825d.pth`, or the same as safetensors [default: the
    /// downloaded package `inception`]. CLIP: a folder [default: the shipped scorer].
    #[arg(long)]
    weights: Option<PathBuf>,
    /// Length of Inception's features: 64, 192, 768 or 2048 [default: 2048].
    #[arg(long)]
    dims: Option<usize>,
    /// Side of the squares the ONNX network takes, in pixels.
    #[cfg(feature = "onnx")]
    #[arg(long, default_value_t = 224)]
    onnx_size: usize,
    /// Mean of the pixels in [0, 1] that the ONNX network was trained with.
    #[cfg(feature = "onnx")]
    #[arg(long, value_delimiter = ',', default_value = "0.485,0.456,0.406")]
    onnx_mean: Vec<f32>,
    /// Their standard deviation.
    #[cfg(feature = "onnx")]
    #[arg(long, value_delimiter = ',', default_value = "0.229,0.224,0.225")]
    onnx_std: Vec<f32>,
    #[command(flatten)]
    run: RunOptions,
    /// Print JSON.
    #[arg(long)]
    json: bool,
}

/// Arguments of `score fid`.
#[derive(Args)]
pub(super) struct FidArgs {
    /// Folder of pictures, or statistics (`.npz`).
    a: PathBuf,
    /// Folder of pictures, or statistics (`.npz`).
    b: Option<PathBuf>,
    /// Write the statistics of A to this `.npz`, which pytorch-fid reads too.
    #[arg(long)]
    save_stats: Option<PathBuf>,
    #[command(flatten)]
    output: OutputOptions,
    #[command(flatten)]
    network: NetworkOptions,
}

/// Arguments of `score kid`.
#[derive(Args)]
pub(super) struct KidArgs {
    /// Folder of pictures.
    a: PathBuf,
    /// Folder of pictures.
    b: PathBuf,
    /// Random subsets.
    #[arg(long, default_value_t = 100, value_parser = count())]
    subsets: usize,
    /// Pictures of each set in a subset; half of the smaller set where that is fewer.
    #[arg(long, default_value_t = 1000)]
    subset_size: usize,
    /// Seed of the subsets.
    #[arg(long, default_value_t = 0)]
    seed: u64,
    #[command(flatten)]
    network: NetworkOptions,
}

impl NetworkOptions {
    /// The layer of Inception that gives the features; other networks have but one.
    fn tap(&self) -> anyhow::Result<InceptionTap> {
        let dims = self.dims.unwrap_or(2048);
        if self.dims.is_some() && self.network != Network::Inception {
            return Err(usage("--dims is for --network inception; others have one length"));
        }
        InceptionTap::from_dims(dims).ok_or_else(|| {
            usage(format_args!("expected --dims 64, 192, 768 or 2048, found {dims}"))
        })
    }

    fn load(&self) -> anyhow::Result<Box<dyn FeatureNetwork>> {
        let tap = self.tap()?;
        let (device, dtype) = self.run.device()?;
        match self.network {
            Network::Inception => {
                let named = self.weights.as_deref().unwrap_or(Path::new("inception"));
                let files = hub::file_or_installed(named, &hub::Settings::from_env())?;
                let weights = files.first().context("the package has no files")?;
                Ok(Box::new(Inception::from_file(weights, tap, dtype, &device)?))
            }
            Network::Clip => {
                let folder = self.weights.clone().map_or_else(default_scorer, Ok)?;
                let scorer = ClipScorer::from_folder(&folder, dtype, &device)
                    .with_context(|| format!("the scorer `{}`", folder.display()))?;
                Ok(Box::new(scorer.features()))
            }
            #[cfg(feature = "onnx")]
            Network::Onnx => {
                let channels = |option: &str, values: &[f32]| -> anyhow::Result<[f32; 3]> {
                    <[f32; 3]>::try_from(values)
                        .map_err(|_| usage(format_args!("expected three numbers for --{option}")))
                };
                Ok(Box::new(onnx_backbone::OnnxBackbone::new(
                    [self.onnx_size; 2],
                    channels("onnx-mean", &self.onnx_mean)?,
                    channels("onnx-std", &self.onnx_std)?,
                    &device,
                )))
            }
        }
    }

    fn features(&self, network: &dyn FeatureNetwork, folder: &Path) -> anyhow::Result<Features> {
        let pictures = list_pictures(folder)?;
        let bar = progress_bar(pictures.len() as u64, &folder.display().to_string());
        let open = |index: usize| RgbImage::open(&pictures[index]);
        let features = extract(network, pictures.len(), &open, self.run.batch(), &mut |done| {
            bar.set_position(done as u64);
        })?;
        bar.finish_and_clear();
        Ok(features)
    }
}

/// One side of a Fréchet distance.
enum Side {
    Pictures(Features),
    Statistics(FeatureStatistics),
}

impl Side {
    fn open(
        path: &Path,
        options: &NetworkOptions,
        network: Option<&dyn FeatureNetwork>,
    ) -> anyhow::Result<Self> {
        match network {
            Some(network) if !is_npz(path) => Ok(Self::Pictures(options.features(network, path)?)),
            _ => Ok(Self::Statistics(FeatureStatistics::load(path)?)),
        }
    }

    fn statistics(&self) -> anyhow::Result<FeatureStatistics> {
        Ok(match self {
            Self::Pictures(features) => FeatureStatistics::of(features)?,
            Self::Statistics(statistics) => statistics.clone(),
        })
    }

    fn count(&self) -> Option<usize> {
        match self {
            Self::Pictures(features) => Some(features.count()),
            Self::Statistics(statistics) => statistics.count,
        }
    }

    fn dims(&self) -> usize {
        match self {
            Self::Pictures(features) => features.dims,
            Self::Statistics(statistics) => statistics.dims(),
        }
    }
}

fn is_npz(path: &Path) -> bool {
    path.extension().is_some_and(|extension| extension == "npz")
}

pub(super) fn fid(args: &FidArgs) -> anyhow::Result<()> {
    args.network.tap()?;
    if args.b.is_none() && args.save_stats.is_none() {
        return Err(usage("expected a second set to compare with, or --save-stats FILE"));
    }
    if let Some(path) = &args.save_stats {
        let mut inputs: Vec<PathBuf> = args.network.weights.iter().cloned().collect();
        for side in [Some(&args.a), args.b.as_ref()].into_iter().flatten() {
            inputs.extend(if side.is_dir() { list_pictures(side)? } else { vec![side.clone()] });
        }
        let outputs = Outputs::new().with(path, Kind::Statistics);
        outputs.check(inputs.iter().map(PathBuf::as_path), &args.output)?;
    }
    let needs_network = [Some(&args.a), args.b.as_ref()].into_iter().flatten().any(|p| !is_npz(p));
    let network = if needs_network { Some(args.network.load()?) } else { None };
    let a = Side::open(&args.a, &args.network, network.as_deref())?;
    if let Some(path) = &args.save_stats {
        a.statistics()?.save(path)?;
        let (a, path) = (args.a.display(), path.display());
        terminal::note(format_args!("statistics of `{a}` written to `{path}`"));
    }
    let Some(b) = &args.b else { return Ok(()) };
    let b = Side::open(b, &args.network, network.as_deref())?;
    let distance = match (&a, &b) {
        (Side::Pictures(a), Side::Pictures(b)) => frechet_from_features(a, b)?,
        _ => frechet_distance(&a.statistics()?, &b.statistics()?)?,
    };
    for side in [&a, &b] {
        if let Some(count) = side.count().filter(|count| *count <= side.dims()) {
            terminal::warn(format_args!(
                "{count} pictures for {} dimensions: FID depends on the number of pictures \
                 and is biased upwards; report KID beside it",
                side.dims()
            ));
        }
    }
    let name = network.map_or_else(|| "statistics".into(), |network| network.name());
    if args.network.json {
        return terminal::pretty_json(&json!({
            "metric": "FID", "network": name, "value": distance,
            "counts": [a.count(), b.count()], "dims": a.dims(),
        }));
    }
    terminal::line(format_args!("FID ({name}): {distance:.6}"))
}

pub(super) fn kid(args: &KidArgs) -> anyhow::Result<()> {
    let network = args.network.load()?;
    let a = args.network.features(network.as_ref(), &args.a)?;
    let b = args.network.features(network.as_ref(), &args.b)?;
    let kid = kernel_distance(&a, &b, args.subsets, args.subset_size, args.seed)?;
    if args.network.json {
        return terminal::pretty_json(&json!({
            "metric": "KID", "network": network.name(), "value": kid,
            "counts": [a.count(), b.count()],
        }));
    }
    terminal::line(format_args!(
        "KID ({}): {:.6} ± {:.6} over {} subsets of {}",
        network.name(),
        kid.mean,
        kid.deviation,
        kid.subsets,
        kid.subset_size
    ))
}

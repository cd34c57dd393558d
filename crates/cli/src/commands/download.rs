//! `unet-reweight download`: models and weights into the usual caches.

use clap::Args;
use clap::builder::RangedU64ValueParser;
use downloads::{fetch, planned};
use hub::{Manifest, Settings, Variant, preset};
use hub_download::{DownloadOptions, plan};

/// Arguments of `unet-reweight download`.
#[derive(Args)]
#[command(
    after_help = "Examples:\n  unet-reweight download --list\n  unet-reweight download sd-turbo \
                        hps-v2.1\n  unet-reweight download sd-2.1 --variant fp16 --dry-run"
)]
pub struct DownloadArgs {
    /// Presets and packages, as `--list` names them.
    #[arg(required_unless_present = "list", conflicts_with = "list")]
    names: Vec<String>,
    /// Print what there is, with licences, and what is here.
    #[arg(long)]
    list: bool,
    /// Print which files would be fetched, their sizes and licences.
    #[arg(long, conflicts_with_all = ["list", "verify", "workers"])]
    dry_run: bool,
    /// Weights: fp16, fp32 or single-file; the preset's own where absent.
    #[arg(long, conflicts_with = "list")]
    variant: Option<Variant>,
    /// Hash files that are here already, too; their sizes are always compared.
    #[arg(long, conflicts_with = "list")]
    verify: bool,
    /// Files fetched at a time.
    #[arg(
        long,
        default_value_t = 4,
        conflicts_with = "list",
        value_parser = RangedU64ValueParser::<usize>::new().range(1..=64)
    )]
    workers: usize,
}

pub fn run(args: DownloadArgs) -> anyhow::Result<()> {
    let settings = Settings::from_env();
    if args.list {
        return list(&settings);
    }
    // A wrong name must not be found out after hours of downloading.
    let manifests = args.names.iter().map(|name| preset(name)).collect::<Result<Vec<_>, _>>()?;
    manifests.iter().try_for_each(|manifest| manifest.check_variant(args.variant))?;
    for manifest in manifests {
        if args.dry_run {
            planned(manifest, args.variant, &settings)?.iter().try_for_each(terminal::line)?;
            continue;
        }
        let options = DownloadOptions {
            variant: args.variant,
            workers: args.workers,
            verify: args.verify,
            ..DownloadOptions::default()
        };
        for path in fetch(manifest, &options, &settings)? {
            terminal::line(path.display())?;
        }
    }
    Ok(())
}

fn list(settings: &Settings) -> anyhow::Result<()> {
    for manifest in hub::packages() {
        let planned = plan(manifest, None, settings);
        let here = planned.iter().filter(|planned| planned.present.is_some()).count();
        let Manifest { name, title, licence, .. } = manifest;
        terminal::line(format_args!("{name:<13} {title} ({licence})"))?;
        let count = planned.len();
        terminal::line(format_args!("{:13} {here} of {count} files are here", ""))?;
    }
    let (hub, torch) = (settings.hub_cache.display(), settings.torch_cache.display());
    terminal::line(format_args!("kept in {hub} and {torch}"))
}

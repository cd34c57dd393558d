//! `unet-reweight download`: models and weights into the usual caches.

use clap::Args;
use downloads::{fetch, planned};
use hub::{DownloadOptions, Settings, Variant, plan, preset};

/// Arguments of `unet-reweight download`.
#[derive(Args)]
#[command(
    after_help = "Examples:\n  unet-reweight download --list\n  unet-reweight download sd-turbo \
                        hps-v2.1\n  unet-reweight download sd-2.1 --variant fp16 --dry-run"
)]
pub struct DownloadArgs {
    /// Presets and packages, as `--list` names them.
    #[arg(required_unless_present = "list")]
    names: Vec<String>,
    /// Print what there is, with licences, and what is here.
    #[arg(long)]
    list: bool,
    /// Print which files would be fetched, their sizes and licences.
    #[arg(long)]
    dry_run: bool,
    /// Weights: fp16, fp32 or single-file; the preset's own where absent.
    #[arg(long)]
    variant: Option<Variant>,
    /// Hash files that are here already, too.
    #[arg(long)]
    verify: bool,
    /// Files fetched at a time.
    #[arg(long, default_value_t = 4)]
    workers: usize,
}

pub fn run(args: DownloadArgs) -> anyhow::Result<()> {
    let settings = Settings::from_env();
    if args.list {
        list(&settings);
        return Ok(());
    }
    // A wrong name must not be found out after hours of downloading.
    let manifests = args.names.iter().map(|name| preset(name)).collect::<Result<Vec<_>, _>>()?;
    for manifest in manifests {
        if args.dry_run {
            for line in planned(manifest, args.variant, &settings)? {
                println!("{line}");
            }
            continue;
        }
        let options = DownloadOptions {
            variant: args.variant,
            workers: args.workers,
            verify: args.verify,
            ..DownloadOptions::default()
        };
        for path in fetch(manifest, &options, &settings)? {
            println!("{}", path.display());
        }
    }
    Ok(())
}

fn list(settings: &Settings) {
    for manifest in hub::packages() {
        let planned = plan(manifest, None, settings);
        let here = planned.iter().filter(|planned| planned.present.is_some()).count();
        println!("{:<13} {} ({})", manifest.name, manifest.title, manifest.licence);
        println!("{:13} {} of {} files are here", "", here, planned.len());
    }
    println!("kept in {} and {}", settings.hub_cache.display(), settings.torch_cache.display());
}

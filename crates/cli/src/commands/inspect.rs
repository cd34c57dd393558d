use burn::module::Module;
use clap::Args;
use serde_json::json;

use crate::options::ModelOptions;

/// Arguments of `inspect`.
#[derive(Args)]
#[command(after_help = "Example:\n  unet-reweight inspect --model models/emoji-sd")]
pub struct InspectArgs {
    #[command(flatten)]
    model: ModelOptions,
    /// Print JSON.
    #[arg(long)]
    json: bool,
}

pub fn run(args: InspectArgs) -> anyhow::Result<()> {
    let pipeline = args.model.load()?;
    let config = pipeline.unet().config();
    let [height, width] = pipeline.default_size();
    let latents = pipeline.latent_size([height, width])?;
    let blocks: Vec<_> = config
        .blocks()
        .into_iter()
        .map(|block| {
            let [rows, columns] = block.resolution(latents);
            json!({
                "index": block.site.index,
                "path": block.path,
                "resolution": [rows, columns],
                "channels": block.channels,
                "transformers": block.transformers,
                "depth": block.depth,
                "comfyui": block.comfyui,
            })
        })
        .collect();
    let unet = pipeline.unet().num_params();
    let vae = pipeline.vae().num_params();
    let bytes = |parameters: usize, width: usize| (parameters * width) as f64 / (1 << 20) as f64;
    let facts = json!({
        "model": pipeline.name(),
        "default_size": [height, width],
        "blocks": blocks,
        "parameters": { "unet": unet, "vae": vae },
        "unet_mebibytes": { "f32": bytes(unet, 4), "f16": bytes(unet, 2) },
        "scheduler": pipeline.scheduler_config().class_name,
        "prediction_type": pipeline.scheduler_config().prediction_type,
    });
    if args.json {
        println!("{}", serde_json::to_string_pretty(&facts)?);
        return Ok(());
    }
    println!("{}: {width}×{height} pixels", pipeline.name());
    println!(
        "U-Net {:.1} M parameters ({:.1} MiB in f16, {:.1} in f32), autoencoder {:.1} M",
        unet as f64 / 1e6,
        bytes(unet, 2),
        bytes(unet, 4),
        vae as f64 / 1e6
    );
    println!("block  path            resolution  channels  Transformers  depth  ComfyUI");
    for block in config.blocks() {
        let [rows, columns] = block.resolution(latents);
        println!(
            "{:>5}  {:<14}  {:>10}  {:>8}  {:>12}  {:>5}  {}",
            block.site.index,
            block.path,
            format!("{rows}×{columns}"),
            block.channels,
            block.transformers,
            block.depth,
            block.comfyui.join(" ")
        );
    }
    Ok(())
}

//! `inspect`: what a model is made of, and what it costs.

use burn::tensor::Device;
use clap::Args;
use pipeline::{DeviceChoice, PipelineConfigs, Precision};
use serde_json::{Value, json};
use unet_core::{PartCost, parameter_count};

use super::lora_table;
use crate::loras::LoraOptions;
use crate::options::{named_model, side};

/// Tokens of a prompt, begin, end and padding included.
const TOKENS: usize = 77;

/// Arguments of `inspect`.
#[derive(Args)]
#[command(mut_arg("choices", |arg| arg.help(
    "LoRA to be measured: how far it changes the weights of every block, as strongly and where it \
     would be merged. May be given several times"
)))]
#[command(after_help = "Examples:\n  unet-reweight inspect\n  \
                        unet-reweight inspect --model sdxl-base --width 512 --height 512\n  \
                        unet-reweight inspect --model sd-turbo --lora style.safetensors=0.8")]
pub struct InspectArgs {
    /// Preset, downloaded or not, folder of a diffusers pipeline, or checkpoint in one file.
    /// [default: the shipped model `emoji-sd`].
    #[arg(long)]
    model: Option<String>,
    /// Preset whose configuration a checkpoint in one file has.
    #[arg(long)]
    base: Option<String>,
    /// Width in pixels; the model's own where absent.
    #[arg(long, value_parser = side())]
    width: Option<usize>,
    /// Height in pixels; the model's own where absent.
    #[arg(long, value_parser = side())]
    height: Option<usize>,
    /// Device whose memory is asked about: cpu, cuda[:n], wgpu[:n] or torch[:n].
    #[arg(long, default_value = "cpu")]
    device: DeviceChoice,
    /// Data type of the weights on it: f32, f16 or bf16.
    #[arg(long, default_value = "f32")]
    dtype: Precision,
    #[command(flatten)]
    loras: LoraOptions,
    /// Print JSON.
    #[arg(long)]
    json: bool,
}

pub fn run(args: InspectArgs) -> anyhow::Result<()> {
    let model = named_model(args.model.as_deref(), args.base.as_deref())?;
    let configs = PipelineConfigs::open(&model, args.base.as_deref())?;
    let [height, width] = configs.default_size();
    let size = [args.height.unwrap_or(height), args.width.unwrap_or(width)];
    let latents = size.map(|side| side.div_ceil(configs.vae.downscale()));
    let mut facts = facts(&configs, size, latents);
    facts["memory"] = memory(&configs, size, args.device, args.dtype);
    let choices = args.loras.choices();
    if !choices.is_empty() {
        let of = (&*model, args.base.as_deref());
        facts["loras"] = lora_table::facts(&configs, of, choices)?.into();
    }
    if args.json {
        return terminal::pretty_json(&facts);
    }
    print(&facts)?;
    match facts["loras"].as_array() {
        Some(loras) => loras.iter().try_for_each(lora_table::print),
        None => print_parts(&facts),
    }
}

fn mebibytes(values: usize, width: usize) -> f64 {
    (values * width) as f64 / f64::from(1 << 20)
}

fn facts(configs: &PipelineConfigs, size: [usize; 2], latents: [usize; 2]) -> Value {
    let table = configs.unet.blocks();
    let costs = configs.unet.costs(latents, TOKENS);
    let part = |cost: &PartCost| {
        let block = table.iter().find(|block| block.path == cost.path);
        json!({
            "path": cost.path,
            "index": block.map(|block| block.site.index),
            "resolution": block.map(|block| block.resolution(latents)),
            "channels": block.map(|block| block.channels),
            "transformers": block.map(|block| block.transformers),
            "depth": block.map(|block| block.depth),
            "comfyui": block.map(|block| block.comfyui.clone()),
            "parameters": cost.parameters,
            "mebibytes": { "f32": mebibytes(cost.parameters, 4), "f16": mebibytes(cost.parameters, 2) },
            "gigamacs": cost.macs as f64 / 1e9,
            "attention_gigamacs": cost.attention_macs as f64 / 1e9,
            "transformer_gigamacs": cost.transformer_macs as f64 / 1e9,
            "largest_activation_mebibytes_f32": mebibytes(cost.widest, 4),
        })
    };
    let device = Device::flex();
    let unet: usize = costs.iter().map(|cost| cost.parameters).sum();
    let vae = parameter_count(&configs.vae.init(&device));
    let text: usize = configs.text.iter().map(|text| parameter_count(&text.init(&device))).sum();
    let macs: u64 = costs.iter().map(|cost| cost.macs).sum();
    let parameters = unet + vae + text;
    let parts: Vec<Value> = costs.iter().map(part).collect();
    let blocks: Vec<&Value> = parts.iter().filter(|part| !part["index"].is_null()).collect();
    json!({
        "model": configs.name,
        "size": size,
        "blocks": blocks,
        "parts": parts,
        "parameters": { "unet": unet, "vae": vae, "text_encoders": text },
        "weights_mebibytes": { "f32": mebibytes(parameters, 4), "f16": mebibytes(parameters, 2) },
        "unet_mebibytes": { "f32": mebibytes(unet, 4), "f16": mebibytes(unet, 2) },
        "unet_gigamacs": macs as f64 / 1e9,
        "scheduler": configs.scheduler.class_name,
        "prediction_type": configs.scheduler.prediction_type,
    })
}

/// What the model takes of a device's memory, and what is free there.
fn memory(
    configs: &PipelineConfigs,
    size: [usize; 2],
    device: DeviceChoice,
    dtype: Precision,
) -> Value {
    let mebibytes = |bytes: u64| bytes as f64 / f64::from(1 << 20);
    let need = configs.memory(size, dtype);
    json!({
        "device": device,
        "dtype": dtype,
        "weights_mebibytes": mebibytes(need.weights),
        "unet_sample_mebibytes": mebibytes(need.unet_sample),
        "picture_mebibytes": mebibytes(need.picture),
        "free_mebibytes": device.free_memory().map(mebibytes),
    })
}

fn print(facts: &Value) -> anyhow::Result<()> {
    let number = |value: &Value| value.as_f64().unwrap_or(0.0);
    let millions = |value: &Value| number(value) / 1e6;
    terminal::line(format!(
        "{}: {}×{} pixels, {}",
        facts["model"].as_str().unwrap_or(""),
        facts["size"][1],
        facts["size"][0],
        facts["scheduler"].as_str().unwrap_or("")
    ))?;
    terminal::line(format!(
        "parameters: U-Net {:.1} M, autoencoder {:.1} M, text encoders {:.1} M",
        millions(&facts["parameters"]["unet"]),
        millions(&facts["parameters"]["vae"]),
        millions(&facts["parameters"]["text_encoders"])
    ))?;
    terminal::line(format!(
        "weights: {:.0} MiB in f16, {:.0} MiB in f32; a U-Net call: {:.1} GMACs a sample",
        number(&facts["weights_mebibytes"]["f16"]),
        number(&facts["weights_mebibytes"]["f32"]),
        number(&facts["unet_gigamacs"])
    ))?;
    let memory = &facts["memory"];
    let free = match memory["free_mebibytes"].as_f64() {
        Some(free) => format!("{free:.0} MiB are free"),
        None => "what is free is not known".into(),
    };
    terminal::line(format!(
        "memory on {} in {}, at the least: {:.0} MiB of weights, {:.0} MiB for each sample of a U-Net \
         call, {:.0} MiB for each picture that is decoded; {free}",
        memory["device"].as_str().unwrap_or(""),
        memory["dtype"].as_str().unwrap_or(""),
        number(&memory["weights_mebibytes"]),
        number(&memory["unet_sample_mebibytes"]),
        number(&memory["picture_mebibytes"])
    ))
}

fn print_parts(facts: &Value) -> anyhow::Result<()> {
    let number = |value: &Value| value.as_f64().unwrap_or(0.0);
    terminal::line(format!(
        "block  path             resolution  channels  Transf.  depth  {:>12}  {:>9}  {:>9}  \
         {:>9}  {:>9}  ComfyUI",
        "parameters M", "f16 MiB", "GMACs", "attention", "Transf."
    ))?;
    for part in facts["parts"].as_array().into_iter().flatten() {
        let text = |value: &Value| match value {
            Value::Null => "-".to_string(),
            other => other.to_string(),
        };
        let resolution = match &part["resolution"] {
            Value::Array(sides) => format!("{}×{}", sides[0], sides[1]),
            _ => "-".into(),
        };
        let comfyui: Vec<&str> =
            part["comfyui"].as_array().into_iter().flatten().filter_map(Value::as_str).collect();
        terminal::line(format!(
            "{:>5}  {:<15}  {resolution:>10}  {:>8}  {:>7}  {:>5}  {:>12.1}  {:>9.1}  {:>9.2}  \
             {:>9.2}  {:>9.2}  {}",
            text(&part["index"]),
            part["path"].as_str().unwrap_or(""),
            text(&part["channels"]),
            text(&part["transformers"]),
            text(&part["depth"]),
            number(&part["parameters"]) / 1e6,
            number(&part["mebibytes"]["f16"]),
            number(&part["gigamacs"]),
            number(&part["attention_gigamacs"]),
            number(&part["transformer_gigamacs"]),
            comfyui.join(" ")
        ))?;
    }
    Ok(())
}

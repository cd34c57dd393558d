//! Which tensors of a checkpoint belong to which part of a pipeline.

use autoencoder::AutoencoderKLConfig;
use clip::CLIPTextConfig;
use unet_core::UNet2DConditionConfig;
use weights::{KeyMap, Tensors};

use super::text_names::{open_clip_names, transformers_names};
use super::unet_names::unet_names;
use super::vae_names::vae_names;

const UNET: &str = "model.diffusion_model.";
/// OpenAI's encoder in SD 1.x, under transformers' names.
pub(super) const TEXT_SD1: &str = "cond_stage_model.transformer.";
/// OpenCLIP's encoder in SD 2.x.
pub(super) const TEXT_SD2: &str = "cond_stage_model.model.";
/// OpenAI's encoder in SDXL, under transformers' names.
pub(super) const TEXT_SDXL: &str = "conditioner.embedders.0.transformer.";
/// OpenCLIP's encoder in SDXL.
pub(super) const TEXT_SDXL_2: &str = "conditioner.embedders.1.model.";

/// What training leaves in a checkpoint beside the model: schedules, averages, counters.
const LEFTOVERS: [&str; 16] = [
    "alphas_cumprod",
    "betas",
    "cond_stage_model.logit_scale",
    "denoiser.",
    "epoch",
    "global_step",
    "log_one_minus",
    "logvar",
    "loss.",
    "lvlb_weights",
    "model_ema.",
    "posterior_",
    "pytorch-lightning_version",
    "scale_factor",
    "sqrt_",
    "v_pred",
];

/// A checkpoint's tensors under the names of diffusers and transformers.
pub(super) struct Parts<'a> {
    pub(super) unet: Tensors<'a>,
    pub(super) vae: Tensors<'a>,
    /// One for each encoder.
    pub(super) text: Vec<Tensors<'a>>,
}

/// The preset whose shape a checkpoint has.
pub(super) fn guess(tensors: &Tensors<'_>) -> Result<&'static str, String> {
    if tensors.keys().any(|name| name.contains("lora_")) {
        return Err(
            "it is a LoRA adapter, not a checkpoint: name a model, and this file with `--lora`"
                .into(),
        );
    }
    let context = "input_blocks.1.1.transformer_blocks.0.attn2.to_k.weight";
    let width = tensors.get(&format!("{UNET}{context}")).and_then(|view| view.shape().get(1));
    if tensors.keys().any(|name| name.starts_with(TEXT_SDXL_2)) {
        return Ok("sdxl-base");
    }
    if width == Some(&768) && tensors.keys().any(|name| name.starts_with(TEXT_SD1)) {
        return Ok("sd-1.5");
    }
    let named = tensors.keys().next().map_or("nothing", String::as_str);
    Err(match width {
        Some(1024) => "an SD 2.x checkpoint does not say whether it predicts noise or velocity: \
                       name the preset it is like (`--base sd-turbo`, `sd-2.1-base` or `sd-2.1`)"
            .into(),
        Some(width) => format!(
            "its text has {width} channels, expected 768 (SD 1.x), 1024 (SD 2.x) or both encoders of \
             SDXL: name the preset it is like (`--base`)"
        ),
        None => format!("expected tensors that begin with `{UNET}`, found `{named}` first"),
    })
}

impl<'a> Parts<'a> {
    /// Sorts and renames; what fits nowhere is listed.
    pub(super) fn sort(
        mut rest: Tensors<'a>,
        unet: &UNet2DConditionConfig,
        vae: &AutoencoderKLConfig,
        text: &[CLIPTextConfig],
    ) -> Result<Self, String> {
        let mut take = |map: KeyMap| map.take(&mut rest).map_err(|unfit| unfit.to_string());
        let (unet, vae) = (take(unet_names(unet))?, take(vae_names(vae))?);
        let mut encoders = Vec::new();
        for (config, open_clip) in text.iter().zip([TEXT_SD2, TEXT_SDXL_2]) {
            let mut tensors = take(open_clip_names(config).under(open_clip))?;
            if encoders.is_empty() {
                for prefix in [TEXT_SD1, TEXT_SDXL] {
                    tensors.extend(take(transformers_names().under(prefix))?);
                }
            }
            encoders.push(tensors);
        }
        let leftover = |name: &String| LEFTOVERS.iter().any(|start| name.starts_with(start));
        let mut strange: Vec<_> = rest.into_keys().filter(|name| !leftover(name)).collect();
        match strange.len() {
            0 => Ok(Self { unet, vae, text: encoders }),
            count => {
                strange.truncate(10);
                let names = strange.join("`, `");
                Err(format!("{count} tensors of the checkpoint have no place, such as `{names}`"))
            }
        }
    }
}

//! Pipelines written as checkpoints in one file.

use std::path::Path;

use clip::CLIPTextModel;
use weights::{Collected, KeyMap, StoredDtype};

use super::parts::{TEXT_SD1, TEXT_SD2, TEXT_SDXL, TEXT_SDXL_2};
use super::text_names::{open_clip_names, transformers_names};
use super::unet_names::unet_names;
use super::vae_names::vae_names;
use crate::text_encoders::TextEncoders;
use crate::{Pipeline, PipelineError};

/// The autoencoder's attention, whose linear maps are 1×1 convolutions in such files.
const VAE_ATTENTION: [&str; 2] =
    ["first_stage_model.encoder.mid.attn_1", "first_stage_model.decoder.mid.attn_1"];

/// What the header of such a file says of it.
pub const CHECKPOINT_METADATA: [(&str, &str); 2] = [("format", "pt"), ("writer", "unet-reweight")];

impl Pipeline {
    /// Writes the pipeline as a checkpoint in one file, under the names of the first implementation
    /// (LDM), that other programs read: U-Net, autoencoder, text encoders. What kind of model it is,
    /// and whether it predicts noise or velocity, such a file does not say.
    ///
    /// The file appears complete or not at all. All of its values are held meanwhile.
    ///
    /// # Errors
    /// [`PipelineError::SingleFile`] for a tensor that such files have no name for;
    /// [`PipelineError::Weights`] where the file cannot be written or a value does not fit `dtype`.
    pub fn write_single_file(&self, path: &Path, dtype: StoredDtype) -> Result<(), PipelineError> {
        let wrong = |reason: String| PipelineError::SingleFile { path: path.to_path_buf(), reason };
        let config = self.unet().config();
        let part = |collected: Collected, names: KeyMap| {
            let nameless = collected.names().find(|name| !names.gives(name)).map(String::from);
            match nameless {
                Some(name) => Err(wrong(format!("such files have no name for `{name}`"))),
                None => Ok(collected.restored(&names)?),
            }
        };
        let unet = Collected::of(self.unet(), dtype);
        let unet = as_convolutions(unet, |name| config.is_stored_as_convolution(name));
        let vae = part(Collected::of(self.vae(), dtype), vae_names(self.vae().config()))?;
        let vae = as_convolutions(vae, is_of_vae_attention);
        let mut whole = part(unet, unet_names(config))?.with(vae);
        for (encoder, names) in text_names(&self.text, config.use_linear_projection) {
            whole = whole.with(part(Collected::of(encoder, dtype), names)?);
        }
        Ok(whole.write(path, &CHECKPOINT_METADATA)?)
    }
}

/// The text encoders, and the names under which such files have them. SD 1.x is told from SD 2.x by
/// the projections of its Transformers, which are convolutions.
fn text_names(text: &TextEncoders, linear: bool) -> Vec<(&CLIPTextModel, KeyMap)> {
    let open_clip =
        |encoder: &CLIPTextModel, prefix| open_clip_names(encoder.config()).under(prefix);
    match text {
        TextEncoders::Single { encoder, .. } if linear => {
            vec![(encoder, open_clip(encoder, TEXT_SD2))]
        }
        TextEncoders::Single { encoder, .. } => {
            vec![(encoder, transformers_names().under(TEXT_SD1))]
        }
        TextEncoders::Double { encoders, .. } => {
            let [first, second] = &**encoders;
            vec![
                (first, transformers_names().under(TEXT_SDXL)),
                (second, open_clip(second, TEXT_SDXL_2)),
            ]
        }
    }
}

/// Whether `name` is of one of the linear maps of the autoencoder's attention.
fn is_of_vae_attention(name: &str) -> bool {
    VAE_ATTENTION.iter().any(|attention| {
        let rest = name.strip_prefix(attention).and_then(|rest| rest.strip_prefix('.'));
        let map = rest.and_then(|rest| rest.strip_suffix(".weight"));
        map.is_some_and(|map| ["q", "k", "v", "proj_out"].contains(&map))
    })
}

/// The linear maps that `is_one` names as 1×1 convolutions.
fn as_convolutions(mut part: Collected, is_one: impl Fn(&str) -> bool) -> Collected {
    let names: Vec<String> = part.names().filter(|name| is_one(name)).map(String::from).collect();
    for name in names {
        if let Some(shape) = part.shape_mut(&name) {
            shape.extend([1, 1]);
        }
    }
    part
}

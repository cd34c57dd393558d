//! Names of text encoder tensors.

use clip::CLIPTextConfig;
use weights::{StoredTensor, Tensors};

/// Whether a tensor is a buffer that only counts positions or marks what is hidden.
pub(super) fn is_buffer(name: &str) -> bool {
    name.ends_with("embeddings.position_ids") || name == "attn_mask" || name == "logit_scale"
}

/// OpenCLIP's text tower under transformers' names.
///
/// | OpenCLIP | transformers |
/// |---|---|
/// | `token_embedding.weight` | `text_model.embeddings.token_embedding.weight` |
/// | `positional_embedding` | `text_model.embeddings.position_embedding.weight` |
/// | `transformer.resblocks.i.ln_1`, `ln_2` | `text_model.encoder.layers.i.layer_norm1`, `2` |
/// | `….attn.in_proj_weight` (three in one) | `….self_attn.q_proj.weight`, `k_proj`, `v_proj` |
/// | `….attn.out_proj` | `….self_attn.out_proj` |
/// | `….mlp.c_fc`, `c_proj` | `….mlp.fc1`, `fc2` |
/// | `ln_final` | `text_model.final_layer_norm` |
/// | `text_projection` (applied from the right) | `text_projection.weight`, transposed |
///
/// Layers beyond the configuration's are left out: SD 2.x never runs OpenCLIP's last.
pub(super) fn from_open_clip<'a>(
    tensors: Tensors<'a>,
    config: &CLIPTextConfig,
) -> Result<Tensors<'a>, String> {
    let mut renamed = Tensors::new();
    for (name, tensor) in tensors {
        if is_buffer(&name) {
            continue;
        }
        let unusable = || format!("the text encoder's `{name}` has the shape {:?}", tensor.shape());
        let read = |result: std::io::Result<Option<StoredTensor<'a>>>| {
            result.map_err(|error| format!("`{name}`: {error}"))?.ok_or_else(unusable)
        };
        if let Some(rest) = name.strip_prefix("transformer.resblocks.") {
            let (layer, rest) = rest.split_once('.').ok_or_else(unusable)?;
            if layer.parse::<usize>().is_ok_and(|layer| layer >= config.num_hidden_layers) {
                continue;
            }
            let prefix = format!("text_model.encoder.layers.{layer}");
            if let Some(leaf) = rest.strip_prefix("attn.in_proj_") {
                let width = config.hidden_size;
                for (part, own) in ["q_proj", "k_proj", "v_proj"].into_iter().enumerate() {
                    let rows = read(tensor.rows(part * width..(part + 1) * width))?;
                    renamed.insert(format!("{prefix}.self_attn.{own}.{leaf}"), rows);
                }
                continue;
            }
            let own = inside(rest).ok_or_else(unusable)?;
            renamed.insert(format!("{prefix}.{own}"), tensor);
            continue;
        }
        match name.as_str() {
            "token_embedding.weight" => {
                renamed.insert("text_model.embeddings.token_embedding.weight".into(), tensor);
            }
            "positional_embedding" => {
                renamed.insert("text_model.embeddings.position_embedding.weight".into(), tensor);
            }
            "text_projection" if config.with_projection() => {
                renamed.insert("text_projection.weight".into(), read(tensor.transposed())?);
            }
            "text_projection" => {}
            _ => {
                let leaf = name.strip_prefix("ln_final.").ok_or_else(unusable)?;
                renamed.insert(format!("text_model.final_layer_norm.{leaf}"), tensor);
            }
        }
    }
    Ok(renamed)
}

/// The inside of a layer.
fn inside(name: &str) -> Option<String> {
    const NAMES: [(&str, &str); 5] = [
        ("ln_1.", "layer_norm1."),
        ("ln_2.", "layer_norm2."),
        ("attn.out_proj.", "self_attn.out_proj."),
        ("mlp.c_fc.", "mlp.fc1."),
        ("mlp.c_proj.", "mlp.fc2."),
    ];
    NAMES
        .iter()
        .find_map(|(open_clip, own)| Some(format!("{own}{}", name.strip_prefix(open_clip)?)))
}

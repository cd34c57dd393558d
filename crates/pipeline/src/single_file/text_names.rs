//! The names of text encoders' tensors in checkpoints in one file.

use clip::CLIPTextConfig;
use weights::KeyMap;

/// Names that are transformers' own, less the buffer that only counts positions.
pub(super) fn transformers_names() -> KeyMap {
    buffers().keep("**")
}

/// transformers' names for OpenCLIP's text tower.
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
/// The layer after the configuration's last is left out: SD 2.x never runs OpenCLIP's last.
pub(super) fn open_clip_names(config: &CLIPTextConfig) -> KeyMap {
    let projections = |leaf| ["q", "k", "v"].map(|part| format!("self_attn.{part}_proj.{leaf}"));
    let (weights, biases) = (projections("weight"), projections("bias"));
    let layer = KeyMap::new()
        .rename("ln_1.*", "layer_norm1.*")
        .rename("ln_2.*", "layer_norm2.*")
        .split("attn.in_proj_weight", &weights.each_ref().map(String::as_str))
        .split("attn.in_proj_bias", &biases.each_ref().map(String::as_str))
        .rename("attn.out_proj.*", "self_attn.out_proj.*")
        .rename("mlp.c_fc.*", "mlp.fc1.*")
        .rename("mlp.c_proj.*", "mlp.fc2.*");
    let map = buffers()
        .rename("token_embedding.weight", "text_model.embeddings.token_embedding.weight")
        .rename("positional_embedding", "text_model.embeddings.position_embedding.weight")
        .rename("ln_final.*", "text_model.final_layer_norm.*")
        .drop(&format!("transformer.resblocks.{}.**", config.num_hidden_layers))
        .within("transformer.resblocks.*", "text_model.encoder.layers.*", &layer);
    match config.with_projection() {
        true => map.transpose("text_projection", "text_projection.weight"),
        false => map.drop("text_projection"),
    }
}

/// Buffers that count positions, mark what is hidden, or scale a score nobody asks for.
fn buffers() -> KeyMap {
    KeyMap::new()
        .drop("**.embeddings.position_ids")
        .drop("embeddings.position_ids")
        .drop("attn_mask")
        .drop("logit_scale")
}

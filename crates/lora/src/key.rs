//! How the keys of LoRA files read: a layer, and which of its tensors it is.

/// Which tensor of a layer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Role {
    /// `[rank, inputs, …kernel]`.
    Down,
    /// `[outputs, rank, …]`.
    Up,
    /// `[rank, rank, …kernel]`, between the two (LyCORIS' LoCon with `use_cp`).
    Mid,
    /// The numerator of the scale; its denominator is the rank.
    Alpha,
}

/// The ends of keys. None ends like another one.
///
/// | end | written by |
/// |---|---|
/// | `.lora_down.weight`, `.lora_up.weight`, `.lora_mid.weight`, `.alpha` | kohya, LyCORIS |
/// | `.lora_A.weight`, `.lora_B.weight` | PEFT, diffusers from 0.22 on |
/// | `.lora_linear_layer.down.weight` | diffusers, text encoders |
/// | `.lora.down.weight` | diffusers to 0.22, layers without a processor |
/// | `_lora.down.weight` | diffusers to 0.22, attention processors and text encoders |
const ENDS: [(&str, Role); 14] = [
    (".lora_down.weight", Role::Down),
    (".lora_up.weight", Role::Up),
    (".lora_mid.weight", Role::Mid),
    (".alpha", Role::Alpha),
    (".lora_A.weight", Role::Down),
    (".lora_B.weight", Role::Up),
    (".lora_A.default.weight", Role::Down),
    (".lora_B.default.weight", Role::Up),
    (".lora_linear_layer.down.weight", Role::Down),
    (".lora_linear_layer.up.weight", Role::Up),
    (".lora.down.weight", Role::Down),
    (".lora.up.weight", Role::Up),
    ("_lora.down.weight", Role::Down),
    ("_lora.up.weight", Role::Up),
];

/// How words between dots begin that betray other kinds of adaptations.
const OTHERS: [(&str, &str); 8] = [
    ("dora_scale", "is of a DoRA"),
    ("lora_magnitude_vector", "is of a DoRA"),
    ("hada_", "is of a LoHa"),
    ("lokr_", "is of a LoKr"),
    ("oft_", "is of an OFT"),
    ("on_input", "is of an (IA)³"),
    ("lora_embedding_", "is of a LoRA of an embedding"),
    ("bundle_emb", "is of a textual inversion"),
];

/// Last words that do.
const OTHER_ENDS: [(&str, &str); 5] = [
    ("diff", "is a whole difference of weights"),
    ("diff_b", "is a whole difference of weights"),
    ("w_norm", "is a whole difference of weights"),
    ("b_norm", "is a whole difference of weights"),
    ("bias", "is a bias"),
];

/// The layer's name in the file, and the tensor's role; what it is instead where it is of no LoRA.
pub(crate) fn parse(key: &str) -> Result<(&str, Role), &'static str> {
    let begins = |mark: &str| key.split('.').any(|word| word.starts_with(mark));
    let ends = |end: &str| key.split('.').next_back() == Some(end);
    let other = OTHERS.iter().find(|(mark, _)| begins(mark));
    if let Some((_, what)) = other.or_else(|| OTHER_ENDS.iter().find(|(end, _)| ends(end))) {
        return Err(what);
    }
    let found = ENDS.iter().find_map(|(end, role)| Some((key.strip_suffix(end)?, *role)));
    found.ok_or("is nothing known")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_form_of_one_layer_reads_as_its_name_and_role() {
        for (key, layer, role) in [
            ("lora_unet_mid.lora_down.weight", "lora_unet_mid", Role::Down),
            ("lora_unet_mid.lora_mid.weight", "lora_unet_mid", Role::Mid),
            ("lora_unet_mid.alpha", "lora_unet_mid", Role::Alpha),
            ("unet.a.to_q.lora_B.weight", "unet.a.to_q", Role::Up),
            ("unet.a.to_q.lora.up.weight", "unet.a.to_q", Role::Up),
            ("unet.a.processor.to_q_lora.up.weight", "unet.a.processor.to_q", Role::Up),
            ("unet.a.processor.to_q_lora.down.weight", "unet.a.processor.to_q", Role::Down),
            ("text_encoder.q_proj.lora_linear_layer.up.weight", "text_encoder.q_proj", Role::Up),
        ] {
            assert_eq!(parse(key), Ok((layer, role)), "{key}");
        }
    }

    #[test]
    fn other_adaptations_are_told_by_name() {
        for (key, word) in [
            ("lora_unet_a.dora_scale", "DoRA"),
            ("unet.a.lora_magnitude_vector", "DoRA"),
            ("lora_unet_a.hada_w1_a", "LoHa"),
            ("lora_unet_a.lokr_w1", "LoKr"),
            ("lora_unet_a.diff", "difference"),
            ("unet.a.lora_B.bias", "bias"),
            ("bundle_emb.name.string_to_param.*", "textual inversion"),
            ("unet.a.weight", "nothing known"),
            ("diffusion_model.a.weight", "nothing known"),
        ] {
            assert!(parse(key).unwrap_err().contains(word), "{key}");
        }
    }
}

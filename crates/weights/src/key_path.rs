//! The key path that a Hugging Face file has for a parameter of a module.

/// Where the traversal of a module stands, as the key path a Hugging Face file uses.
#[derive(Debug, Default)]
pub(crate) struct KeyPath {
    segments: Vec<String>,
    containers: Vec<String>,
}

impl KeyPath {
    pub(crate) fn enter(&mut self, name: &str, container: &str) {
        self.segments.push(file_segment(name).to_string());
        self.containers.push(container.to_string());
    }

    pub(crate) fn exit(&mut self) {
        self.segments.pop();
        self.containers.pop();
    }

    /// The key, for example `down_blocks.0.attentions.1.norm.weight`.
    pub(crate) fn key(&self) -> String {
        self.segments.join(".")
    }

    /// Whether the parameter here is the weight of a linear layer, stored transposed in files.
    pub(crate) fn is_linear_weight(&self) -> bool {
        self.segments.last().is_some_and(|name| name == "weight")
            && self.containers.last().is_some_and(|container| container == "Struct:Linear")
    }
}

/// The file's word for a field: norms call their scale and shift `weight` and `bias`, and `_2`
/// stands for a position in a `Sequential`, which cannot be a Rust field name.
fn file_segment(name: &str) -> &str {
    match name {
        "gamma" => "weight",
        "beta" => "bias",
        _ => match name.strip_prefix('_') {
            Some(digits) if digits.bytes().all(|b| b.is_ascii_digit()) => digits,
            _ => name,
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn file_segment_norms_and_positions_are_renamed() {
        let renamed: Vec<_> = ["gamma", "beta", "_0", "_12", "_x", "to_q"].map(file_segment).into();
        assert_eq!(renamed, ["weight", "bias", "0", "12", "_x", "to_q"]);
    }
}

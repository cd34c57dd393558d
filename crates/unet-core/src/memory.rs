//! Memory of a U-Net call, from the configuration alone.

use crate::cost::positions_of;
use crate::{BlockType, UNet2DConditionConfig};

/// Tensors of a Transformer's width that its feed-forward network holds at once: the residual, eight
/// for the projection of GEGLU, four for what the gate lets through.
const FEED_FORWARD: usize = 13;

impl UNet2DConditionConfig {
    /// Values that a call holds at once for each sample, at the least, with latents of that height
    /// and width: what is kept for the way up, and the features of the level that takes most.
    ///
    /// Attention's scores are not among them, where it is computed in tiles. Sizes beyond any machine
    /// count as the largest number.
    pub fn features(&self, latents: [usize; 2]) -> usize {
        let positions = |level| positions_of(latents, level);
        let channels = &self.block_out_channels;
        let mut kept = channels[0].saturating_mul(positions(0));
        let mut most = 0;
        for (level, kind) in self.down_block_types.iter().enumerate() {
            let (own, deeper) = (channels[level], channels.get(level + 1));
            let feature = own.saturating_mul(positions(level));
            kept = kept.saturating_add(feature.saturating_mul(self.layers_per_block));
            // On the way up a residual block has what comes from below beside what was kept.
            let below = deeper.unwrap_or(&own).saturating_mul(positions(level));
            let resnet = below.saturating_add(feature.saturating_mul(3));
            let transformer = match kind {
                BlockType::CrossAttention => feature.saturating_mul(FEED_FORWARD),
                BlockType::Plain => 0,
            };
            most = most.max(kept.saturating_add(resnet.max(transformer)));
            if deeper.is_some() {
                kept = kept.saturating_add(own.saturating_mul(positions(level + 1)));
            }
        }
        most
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn features_of_sd_are_those_counted_by_hand() {
        const SD21: &str = r#"{"attention_head_dim": [5, 10, 20, 20], "cross_attention_dim": 1024,
            "use_linear_projection": true}"#;
        let config = UNet2DConditionConfig::from_json(SD21, "unet/config.json").unwrap();
        // The highest level takes most: three features are kept, of `conv_in` and two Transformers.
        assert_eq!(config.features([64, 64]), (3 + 13) * 320 * 64 * 64);
        assert_eq!(config.features([128, 64]), 2 * config.features([64, 64]));
        assert_eq!(config.features([usize::MAX, usize::MAX]), usize::MAX);
    }
}

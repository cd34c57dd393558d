//! Decoding in overlapping tiles, so that no feature map is larger than one tile's.

use burn::tensor::{Tensor, TensorData};

use crate::AutoencoderKL;

/// Side of a tile, in latents; a tile and its feature maps are as large as those of a picture of
/// 512×512 pixels.
const TILE: usize = 64;
/// Latents by which neighbours overlap.
const OVERLAP: usize = 16;

/// Where the tiles of a side begin: as few as cover it, the last aligned with the end.
fn starts(length: usize) -> Vec<usize> {
    let mut starts = Vec::new();
    let mut at = 0;
    while at + TILE < length {
        starts.push(at);
        at += TILE - OVERLAP;
    }
    starts.push(length.saturating_sub(TILE));
    starts
}

/// Weight of each pixel of a tile's side: rising and falling linearly where it overlaps a
/// neighbour.
fn ramp(pixels: usize, overlap: usize, first: bool, last: bool) -> Vec<f32> {
    let rise = |i: usize| (i as f32 + 0.5) / overlap as f32;
    (0..pixels)
        .map(|i| {
            let left = if first { 1.0 } else { rise(i).min(1.0) };
            let right = if last { 1.0 } else { rise(pixels - 1 - i).min(1.0) };
            left.min(right)
        })
        .collect()
}

impl AutoencoderKL {
    /// As [`Self::decode`], in overlapping tiles whose seams are blended. Latents of up to one
    /// tile's size are decoded whole, with the very same result.
    ///
    /// Every tile has its own norms' statistics, so that the picture differs a little from one that
    /// was decoded whole.
    ///
    /// # Shapes
    /// - latents: `[batch, latent_channels, height, width]`
    /// - output: `[batch, 3, height · downscale, width · downscale]`, f32 on the latents' device
    pub fn decode_tiled(&self, latents: Tensor<4>) -> Tensor<4> {
        let [batch, _, height, width] = latents.dims();
        if height <= TILE && width <= TILE {
            return self.decode(latents);
        }
        let (device, factor) = (latents.device(), self.config().downscale());
        let (rows, columns) = (starts(height), starts(width));
        let (out_height, out_width) = (height * factor, width * factor);
        let channels = self.config().out_channels;
        let mut sum = vec![0.0f32; batch * channels * out_height * out_width];
        let mut total = vec![0.0f32; out_height * out_width];
        for (r, &top) in rows.iter().enumerate() {
            for (c, &left) in columns.iter().enumerate() {
                let size = [height.min(TILE), width.min(TILE)];
                let tile = latents.clone().narrow(2, top, size[0]).narrow(3, left, size[1]);
                let decoded = self.decode(tile);
                let [_, _, tall, wide] = decoded.dims();
                let values: Vec<f32> = decoded.into_data().iter::<f32>().collect();
                let overlap = OVERLAP * factor;
                let vertical = ramp(tall, overlap, r == 0, r + 1 == rows.len());
                let horizontal = ramp(wide, overlap, c == 0, c + 1 == columns.len());
                for y in 0..tall {
                    for x in 0..wide {
                        let weight = vertical[y] * horizontal[x];
                        let at = (top * factor + y) * out_width + left * factor + x;
                        total[at] += weight;
                        for plane in 0..batch * channels {
                            sum[plane * out_height * out_width + at] +=
                                weight * values[(plane * tall + y) * wide + x];
                        }
                    }
                }
            }
        }
        for plane in sum.chunks_exact_mut(out_height * out_width) {
            plane.iter_mut().zip(&total).for_each(|(value, total)| *value /= total);
        }
        Tensor::from_data(TensorData::new(sum, [batch, channels, out_height, out_width]), &device)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn starts_cover_every_length_with_overlaps() {
        for length in 1..400 {
            let tiles = starts(length);
            assert_eq!(tiles[0], 0);
            assert_eq!(tiles[tiles.len() - 1] + TILE.min(length), length);
            assert!(tiles.windows(2).all(|p| p[0] < p[1] && p[1] <= p[0] + TILE - OVERLAP));
        }
    }

    #[test]
    fn ramp_is_positive_everywhere_and_whole_inside() {
        let weights = ramp(512, 128, false, false);
        assert!(weights.iter().all(|weight| *weight > 0.0 && *weight <= 1.0));
        assert_eq!(weights[256], 1.0);
        assert_eq!(ramp(512, 128, true, true), vec![1.0; 512]);
    }
}

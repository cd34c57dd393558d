//! WebP, lossy and lossless.

use std::io::{BufRead, Seek};

use image_webp::WebPDecoder;

use super::{Limits, broken, to_rgb};
use crate::{DecodeError, RgbImage};

pub(super) fn decode(reader: impl BufRead + Seek, limits: Limits) -> Result<RgbImage, DecodeError> {
    let broken = broken("WebP");
    let mut decoder = WebPDecoder::new(reader).map_err(&broken)?;
    decoder.set_memory_limit(usize::try_from(limits.max_bytes).unwrap_or(usize::MAX));
    let (width, height) = decoder.dimensions();
    let channels = if decoder.has_alpha() { 4 } else { 3 };
    let mut pixels = vec![0; limits.buffer(width.into(), height.into(), channels)?];
    decoder.read_image(&mut pixels).map_err(&broken)?;
    let rgb = match channels {
        3 => pixels,
        _ => to_rgb(&pixels, 4, |value| value),
    };
    Ok(RgbImage { width: width as usize, height: height as usize, rgb })
}

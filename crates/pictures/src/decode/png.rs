//! PNG.

use std::io::{BufRead, Seek};

use png::{BitDepth, ColorType, Decoder, Transformations};

use super::{Limits, broken, to_rgb};
use crate::{DecodeError, RgbImage};

pub(super) fn decode(reader: impl BufRead + Seek, limits: Limits) -> Result<RgbImage, DecodeError> {
    let broken = broken("PNG");
    let bytes = usize::try_from(limits.max_bytes).unwrap_or(usize::MAX);
    let mut decoder = Decoder::new_with_limits(reader, png::Limits { bytes });
    // Palettes and fewer than 8 bits become 8-bit samples; 16 bits stay.
    decoder.set_transformations(Transformations::EXPAND);
    let header = decoder.read_header_info().map_err(&broken)?;
    let (width, height) = (u64::from(header.width), u64::from(header.height));
    // At least this much, before the chunks in front of the pixels are read.
    limits.buffer(width, height, 1)?;
    let mut reader = decoder.read_info().map_err(&broken)?;
    if reader.info().color_type == ColorType::Indexed {
        check_palette(reader.info().palette.as_deref().unwrap_or_default())?;
    }
    let (color, depth) = reader.output_color_type();
    let channels = color.samples();
    let samples = if depth == BitDepth::Sixteen { 2 } else { 1 };
    let mut pixels = vec![0; limits.buffer(width, height, (channels * samples) as u64)?];
    reader.next_frame(&mut pixels).map_err(&broken)?;
    let rgb = match (color, depth) {
        (ColorType::Rgb, BitDepth::Eight) => pixels,
        (_, BitDepth::Sixteen) => {
            let wide: Vec<u16> =
                pixels.chunks_exact(2).map(|pair| u16::from_be_bytes([pair[0], pair[1]])).collect();
            match color {
                // Pillow's mode `I;16` is cut off where it becomes 8-bit grey.
                ColorType::Grayscale => to_rgb(&wide, 1, |value| value.min(255) as u8),
                _ => to_rgb(&wide, channels, |value| (value >> 8) as u8),
            }
        }
        _ => to_rgb(&pixels, channels, |value| value),
    };
    Ok(RgbImage { width: width as usize, height: height as usize, rgb })
}

/// The decoder takes for granted what PNG's specification demands of a palette (11.2.2 `PLTE`): 1 to
/// 256 colours of three bytes.
fn check_palette(palette: &[u8]) -> Result<(), DecodeError> {
    let length = palette.len();
    match (1..=3 * 256).contains(&length) && length.is_multiple_of(3) {
        true => Ok(()),
        false => Err(DecodeError::Broken {
            format: "PNG",
            reason: format!("expected a palette of 1 to 256 colours, found {length} bytes"),
        }),
    }
}

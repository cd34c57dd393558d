//! JPEG, with the smooth enlargement of colours that libjpeg, and so Pillow, has.

use std::io::BufRead;

use jpeg_decoder::{Decoder, PixelFormat};

use super::{Limits, broken, to_rgb};
use crate::{DecodeError, RgbImage};

pub(super) fn decode(reader: impl BufRead, limits: Limits) -> Result<RgbImage, DecodeError> {
    let broken = broken("JPEG");
    let mut decoder = Decoder::new(reader);
    decoder.read_info().map_err(&broken)?;
    let info = decoder.info().ok_or_else(|| DecodeError::Broken {
        format: "JPEG",
        reason: "expected a frame header, found none".into(),
    })?;
    let format = info.pixel_format;
    limits.buffer(info.width.into(), info.height.into(), format.pixel_bytes() as u64)?;
    let pixels = decoder.decode().map_err(&broken)?;
    let rgb = match format {
        PixelFormat::RGB24 => pixels,
        PixelFormat::L8 => to_rgb(&pixels, 1, |value| value),
        PixelFormat::CMYK32 => pixels.chunks_exact(4).flat_map(from_cmyk).collect(),
        PixelFormat::L16 => {
            return Err(DecodeError::Broken {
                format: "JPEG",
                reason: "expected 8 bits per channel, found 16".into(),
            });
        }
    };
    Ok(RgbImage { width: info.width.into(), height: info.height.into(), rgb })
}

/// Ink to light as Pillow's `cmyk2rgb` computes it.
fn from_cmyk(pixel: &[u8]) -> [u8; 3] {
    let light = 255 - u32::from(pixel[3]);
    [pixel[0], pixel[1], pixel[2]].map(|ink| {
        // Pillow's `MULDIV255`: the product over 255, rounded.
        let product = u32::from(ink) * light + 128;
        light.saturating_sub(((product >> 8) + product) >> 8) as u8
    })
}

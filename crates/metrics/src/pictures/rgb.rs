use std::fs::File;
use std::io::BufReader;
use std::path::Path;

use image::{DynamicImage, ImageFormat, ImageReader};
use jpeg_decoder::PixelFormat;

use super::{Filter, RgbView, resize_like_pillow, shortest_to};
use crate::MetricsError;

/// An RGB picture with 8 bits per channel.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RgbImage {
    /// Width in pixels.
    pub width: usize,
    /// Height in pixels.
    pub height: usize,
    /// `3 · width · height` bytes, row by row.
    pub rgb: Vec<u8>,
}

/// Channels of floats, one after the other.
#[derive(Debug, Clone, PartialEq)]
pub struct Planes {
    /// Width in pixels.
    pub width: usize,
    /// Height in pixels.
    pub height: usize,
    /// `3 · height · width` values, channel by channel.
    pub values: Vec<f32>,
}

impl RgbImage {
    /// Reads a PNG, JPEG or WebP file; its content decides, not its name.
    ///
    /// Converted as Pillow's `convert("RGB")` does, which the originals call: transparency is
    /// dropped, not blended, palettes are looked up, grey is repeated, of 16-bit colours the high
    /// byte is taken; 16-bit grey is cut off at 255.
    ///
    /// # Errors
    /// [`MetricsError::Io`] or [`MetricsError::Broken`], naming the file.
    pub fn open(path: impl AsRef<Path>) -> Result<Self, MetricsError> {
        let path = path.as_ref();
        let reader = ImageReader::open(path)
            .and_then(ImageReader::with_guessed_format)
            .map_err(MetricsError::io(path))?;
        match reader.format() {
            None => {
                return Err(MetricsError::broken(path, "expected a PNG, JPEG or WebP picture"));
            }
            Some(ImageFormat::Jpeg) => {
                if let Some(picture) = read_jpeg(path)? {
                    return Ok(picture);
                }
            }
            Some(_) => {}
        }
        let decoded = reader.decode().map_err(|error| MetricsError::broken(path, error))?;
        let (width, height) = (decoded.width() as usize, decoded.height() as usize);
        let rgb = match decoded {
            DynamicImage::ImageLuma16(grey) => {
                grey.pixels().flat_map(|p| [p.0[0].min(255) as u8; 3]).collect()
            }
            DynamicImage::ImageLumaA16(grey) => {
                grey.pixels().flat_map(|p| [high_byte(p.0[0]); 3]).collect()
            }
            DynamicImage::ImageRgb16(rgb) => rgb.iter().copied().map(high_byte).collect(),
            DynamicImage::ImageRgba16(rgba) => {
                rgba.pixels().flat_map(|p| [p.0[0], p.0[1], p.0[2]]).map(high_byte).collect()
            }
            // Drops alpha and repeats grey.
            other => other.into_rgb8().into_raw(),
        };
        Ok(Self { width, height, rgb })
    }

    /// The picture resized so that its shorter side is `side`, as torchvision's `Resize` does with
    /// Pillow pictures (bilinear).
    pub fn resized_to(&self, side: usize) -> Self {
        let size = shortest_to([self.height, self.width], side);
        resize_like_pillow(self, size, Filter::Bilinear)
    }

    /// A view for the comparisons.
    pub fn view(&self) -> RgbView<'_> {
        RgbView { width: self.width, height: self.height, data: &self.rgb }
    }

    /// Its channels, each value divided by 255 (torchvision `ToTensor`).
    pub fn to_unit(&self) -> Planes {
        let count = self.width * self.height;
        let mut values = vec![0.0; 3 * count];
        for (i, pixel) in self.rgb.chunks_exact(3).enumerate() {
            for (channel, value) in pixel.iter().enumerate() {
                values[channel * count + i] = f32::from(*value) / 255.0;
            }
        }
        Planes { width: self.width, height: self.height, values }
    }
}

/// Decodes a JPEG with the smooth enlargement of colours that libjpeg, and so Pillow, has; `None`
/// for one that is neither grey nor coloured in three channels.
fn read_jpeg(path: &Path) -> Result<Option<RgbImage>, MetricsError> {
    let file = File::open(path).map_err(MetricsError::io(path))?;
    let mut decoder = jpeg_decoder::Decoder::new(BufReader::new(file));
    let pixels = decoder.decode().map_err(|error| MetricsError::broken(path, error))?;
    let Some(info) = decoder.info() else { return Ok(None) };
    let rgb = match info.pixel_format {
        PixelFormat::RGB24 => pixels,
        PixelFormat::L8 => pixels.into_iter().flat_map(|value| [value; 3]).collect(),
        PixelFormat::L16 | PixelFormat::CMYK32 => return Ok(None),
    };
    let (width, height) = (usize::from(info.width), usize::from(info.height));
    Ok(Some(RgbImage { width, height, rgb }))
}

fn high_byte(value: u16) -> u8 {
    (value >> 8) as u8
}

impl Planes {
    /// Every value multiplied by `factor` of its channel, then increased by its `shift`.
    pub fn affine(mut self, factor: [f32; 3], shift: [f32; 3]) -> Self {
        let count = self.width * self.height;
        for (channel, values) in self.values.chunks_exact_mut(count.max(1)).enumerate() {
            values.iter_mut().for_each(|value| *value = *value * factor[channel] + shift[channel]);
        }
        self
    }

    /// `(value − mean) / deviation` for each channel (torchvision `Normalize`).
    pub fn normalize(mut self, mean: [f32; 3], deviation: [f32; 3]) -> Self {
        let count = self.width * self.height;
        for (channel, values) in self.values.chunks_exact_mut(count.max(1)).enumerate() {
            let (mean, deviation) = (mean[channel], deviation[channel]);
            values.iter_mut().for_each(|value| *value = (*value - mean) / deviation);
        }
        self
    }
}

use std::path::Path;

use serde::{Deserialize, Serialize};

use crate::MetricsError;
use crate::pictures::{Filter, Planes, RgbImage, crop_origin, resize_antialiased, shortest_to};

/// How a picture of another shape becomes a square.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum ResizeMode {
    /// The longer side fits, black beside it (hpsv2, open_clip `longest`).
    Longest,
    /// The shorter side fits, the middle is cut out (open_clip `shortest`).
    Shortest,
}

/// What is done to a picture before a contrastive model sees it.
///
/// Everything happens on floats in [0, 1], as in hpsv2: resizing is bicubic with antialiasing, and
/// black is added before the mean is taken away.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct ClipPreprocess {
    /// Side of the square.
    pub size: usize,
    /// Mean of each channel.
    pub mean: [f32; 3],
    /// Standard deviation of each channel.
    pub std: [f32; 3],
    /// How other shapes become a square.
    pub resize_mode: ResizeMode,
}

/// The part of `preprocess_cfg` that is read, and what it may say of the rest.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct PreprocessConfig {
    size: usize,
    mode: Option<String>,
    mean: [f32; 3],
    std: [f32; 3],
    interpolation: Option<String>,
    resize_mode: Option<ResizeMode>,
    fill_color: Option<u8>,
}

#[derive(Deserialize)]
struct Folder {
    preprocess_cfg: PreprocessConfig,
}

impl ClipPreprocess {
    /// OpenAI's mean and deviation and hpsv2's resizing.
    pub fn hps(size: usize) -> Self {
        Self {
            size,
            mean: [0.481_454_66, 0.457_827_5, 0.408_210_73],
            std: [0.268_629_54, 0.261_302_6, 0.275_777_1],
            resize_mode: ResizeMode::Longest,
        }
    }

    /// Reads `preprocess_cfg` of an `open_clip_config.json`.
    ///
    /// # Errors
    /// [`MetricsError`] for a file that is absent or asks for what is not implemented.
    pub fn from_file(path: impl AsRef<Path>) -> Result<Self, MetricsError> {
        let path = path.as_ref();
        let text = std::fs::read_to_string(path).map_err(MetricsError::io(path))?;
        let Folder { preprocess_cfg: config } =
            serde_json::from_str(&text).map_err(|error| MetricsError::broken(path, error))?;
        let only = |key: &str, found: Option<&str>, implemented: &str| match found {
            Some(found) if found != implemented => Err(MetricsError::broken(
                path,
                format!("`{key}`: expected \"{implemented}\", found \"{found}\""),
            )),
            _ => Ok(()),
        };
        only("mode", config.mode.as_deref(), "RGB")?;
        only("interpolation", config.interpolation.as_deref(), "bicubic")?;
        if config.fill_color.is_some_and(|color| color != 0) {
            return Err(MetricsError::broken(path, "`fill_color`: expected 0"));
        }
        let resize_mode = config.resize_mode.unwrap_or(ResizeMode::Shortest);
        Ok(Self { size: config.size, mean: config.mean, std: config.std, resize_mode })
    }

    /// The square the model sees.
    pub fn apply(&self, picture: &RgbImage) -> Planes {
        let unit = picture.to_unit();
        let square = match self.resize_mode {
            ResizeMode::Longest => self.pad(&unit),
            ResizeMode::Shortest => self.crop(&unit),
        };
        square.normalize(self.mean, self.std)
    }

    fn pad(&self, picture: &Planes) -> Planes {
        let longer = picture.height.max(picture.width) as f64;
        let scale = self.size as f64 / longer;
        // Python rounds halves to even; a very thin picture keeps one row.
        let scaled = |length: usize| ((length as f64 * scale).round_ties_even() as usize).max(1);
        let size = [scaled(picture.height), scaled(picture.width)];
        let resized = resize_antialiased(picture, size, Filter::Bicubic);
        let (top, left) = ((self.size - size[0]) / 2, (self.size - size[1]) / 2);
        let mut values = vec![0.0; 3 * self.size * self.size];
        for channel in 0..3 {
            for y in 0..size[0] {
                let row = &resized.values[(channel * size[0] + y) * size[1]..][..size[1]];
                let start = (channel * self.size + top + y) * self.size + left;
                values[start..start + size[1]].copy_from_slice(row);
            }
        }
        Planes { width: self.size, height: self.size, values }
    }

    fn crop(&self, picture: &Planes) -> Planes {
        let size = shortest_to([picture.height, picture.width], self.size);
        let resized = resize_antialiased(picture, size, Filter::Bicubic);
        let [top, left] = crop_origin(size, self.size);
        let mut values = Vec::with_capacity(3 * self.size * self.size);
        for channel in 0..3 {
            for y in top..top + self.size {
                let start = (channel * size[0] + y) * size[1] + left;
                values.extend_from_slice(&resized.values[start..start + self.size]);
            }
        }
        Planes { width: self.size, height: self.size, values }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn longest_pads_black_on_both_sides() {
        let picture = RgbImage { width: 8, height: 4, rgb: vec![255; 96] };
        let preprocess = ClipPreprocess {
            size: 8,
            mean: [0.0; 3],
            std: [1.0; 3],
            resize_mode: ResizeMode::Longest,
        };
        let square = preprocess.apply(&picture);
        let row = |y: usize| square.values[y * 8];
        assert_eq!(
            [row(0), row(1), row(2), row(5), row(6), row(7)],
            [0.0, 0.0, 1.0, 1.0, 0.0, 0.0]
        );
        let thin = RgbImage { width: 1000, height: 1, rgb: vec![255; 3000] };
        assert_eq!(preprocess.apply(&thin).values.len(), 192);
    }
}

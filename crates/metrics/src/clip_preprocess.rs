//! What is done to a picture before a contrastive model sees it.

use std::path::Path;

use pictures::{Filter, Frame, Planes, RgbImage, resize_antialiased, resize_like_pillow};
use serde::{Deserialize, Serialize};

use crate::MetricsError;

/// How a picture of another shape becomes a square.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum ResizeMode {
    /// The longer side fits, black beside it (hpsv2, open_clip `longest`).
    Longest,
    /// The shorter side fits, the middle is cut out (open_clip `shortest`).
    Shortest,
}

/// What a picture is resized as, which depends on when its pixels become floats.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Resampling {
    /// 8-bit pixels, rounded after each direction: open_clip resizes Pillow pictures.
    Pixels,
    /// Floats in [0, 1]: hpsv2 resizes tensors.
    Floats,
}

/// What is done to a picture before a contrastive model sees it: bicubic resizing with
/// antialiasing, black beside what does not fill the square, the mean taken away.
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
    /// What is resized.
    pub resampling: Resampling,
}

/// Largest square that a configuration may ask for.
const MOST: usize = 4096;

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
    ///
    /// Source: hpsv2's `src/open_clip/constants.py` (mean, deviation) and
    /// `src/open_clip/transform.py` (`ToTensor`, `ResizeMaxSize`, `Normalize`).
    pub fn hps(size: usize) -> Self {
        Self {
            size,
            mean: [0.481_454_66, 0.457_827_5, 0.408_210_73],
            std: [0.268_629_54, 0.261_302_6, 0.275_777_1],
            resize_mode: ResizeMode::Longest,
            resampling: Resampling::Floats,
        }
    }

    /// Reads `preprocess_cfg` of an `open_clip_config.json`; resizing is open_clip's (its
    /// `transform.py`: `Resize` of the Pillow picture, then `ToTensor` and `Normalize`).
    ///
    /// # Errors
    /// [`MetricsError`] for a file that is absent or asks for what is not implemented.
    pub fn from_file(path: impl AsRef<Path>) -> Result<Self, MetricsError> {
        let path = path.as_ref();
        let text = files::read_to_string(path)?;
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
        let PreprocessConfig { size, mean, std, .. } = config;
        if !(1..=MOST).contains(&size) {
            let reason = format!("`size`: expected 1 to {MOST} pixels, found {size}");
            return Err(MetricsError::broken(path, reason));
        }
        let resize_mode = config.resize_mode.unwrap_or(ResizeMode::Shortest);
        Ok(Self { size, mean, std, resize_mode, resampling: Resampling::Pixels })
    }

    /// The square the model sees.
    ///
    /// # Errors
    /// [`MetricsError::Picture`] for a picture without pixels.
    pub fn apply(&self, picture: &RgbImage) -> Result<Planes, MetricsError> {
        picture.check()?;
        let frame = match self.resize_mode {
            ResizeMode::Longest => Frame::whole(self.inscribed(picture.size())),
            ResizeMode::Shortest => Frame::middle(picture.size(), self.size)?,
        };
        let part = match self.resampling {
            Resampling::Pixels => resize_like_pillow(picture, frame, Filter::Bicubic)?.to_unit(),
            Resampling::Floats => resize_antialiased(&picture.to_unit(), frame, Filter::Bicubic)?,
        };
        Ok(self.padded(part).normalize(self.mean, self.std))
    }

    /// Height and width whose longer is the square's side. Python rounds halves to even; a very
    /// thin picture keeps one row.
    fn inscribed(&self, size: [usize; 2]) -> [usize; 2] {
        let (side, longer) = (self.size as f64, size[0].max(size[1]) as f64);
        let scaled = |length: f64| match self.resampling {
            Resampling::Pixels => length / (longer / side),
            Resampling::Floats => length * (side / longer),
        };
        size.map(|length| (scaled(length as f64).round_ties_even() as usize).max(1))
    }

    /// The picture in the middle of a black square.
    fn padded(&self, part: Planes) -> Planes {
        let (side, [height, width]) = (self.size, part.size());
        if [height, width] == [side; 2] {
            return part;
        }
        let (top, left) = ((side - height) / 2, (side - width) / 2);
        let mut values = vec![0.0; 3 * side * side];
        for (channel, plane) in part.values.chunks_exact(height * width).enumerate() {
            for (y, row) in plane.chunks_exact(width).enumerate() {
                let start = (channel * side + top + y) * side + left;
                values[start..start + width].copy_from_slice(row);
            }
        }
        Planes { width: side, height: side, values }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn plain(size: usize, resize_mode: ResizeMode, resampling: Resampling) -> ClipPreprocess {
        ClipPreprocess { size, mean: [0.0; 3], std: [1.0; 3], resize_mode, resampling }
    }

    #[test]
    fn longest_pads_black_on_both_sides() {
        let picture = RgbImage { width: 8, height: 4, rgb: vec![255; 96] };
        for resampling in [Resampling::Pixels, Resampling::Floats] {
            let preprocess = plain(8, ResizeMode::Longest, resampling);
            let square = preprocess.apply(&picture).unwrap();
            let rows = [0, 1, 2, 5, 6, 7].map(|y| square.values[y * 8]);
            assert_eq!(rows, [0.0, 0.0, 1.0, 1.0, 0.0, 0.0]);
            let thin = RgbImage { width: 1000, height: 1, rgb: vec![255; 3000] };
            assert_eq!(preprocess.apply(&thin).unwrap().values.len(), 192);
        }
    }

    #[test]
    fn shapes_that_are_no_picture_or_a_thread_do_no_harm() {
        for resize_mode in [ResizeMode::Longest, ResizeMode::Shortest] {
            let preprocess = plain(224, resize_mode, Resampling::Floats);
            let empty = RgbImage { width: 0, height: 9, rgb: Vec::new() };
            assert!(preprocess.apply(&empty).unwrap_err().to_string().contains("0×9"));
            let thread = RgbImage { width: 1, height: 65_000, rgb: vec![255; 195_000] };
            assert_eq!(preprocess.apply(&thread).unwrap().size(), [224, 224]);
        }
    }

    #[test]
    fn configurations_that_ask_for_too_much_are_refused() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("open_clip_config.json");
        for (size, accepted) in [(0, false), (1, true), (4096, true), (1_u64 << 40, false)] {
            let text = format!(
                r#"{{"preprocess_cfg": {{"size": {size}, "mean": [0, 0, 0], "std": [1, 1, 1]}}}}"#
            );
            std::fs::write(&path, text).unwrap();
            match ClipPreprocess::from_file(&path) {
                Ok(_) => assert!(accepted, "{size}"),
                Err(error) => assert!(!accepted && error.to_string().contains("`size`")),
            }
        }
    }
}

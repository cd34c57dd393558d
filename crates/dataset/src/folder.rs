use std::path::{Path, PathBuf};

use serde::Deserialize;

use crate::DatasetError;

/// One captioned picture.
#[derive(Debug, Clone)]
pub struct Example {
    /// Name of the picture file.
    pub file_name: String,
    /// Caption with its style, for example "pixel art of a grinning face".
    pub text: String,
    /// Caption without style: the concept.
    pub caption: String,
    /// Style: `3d`, `cartoon`, `flat` or `pixel`.
    pub style: String,
    /// Pixels in [-1, 1], channel first, `3 · size · size` values.
    pub pixels: Vec<f32>,
}

/// The pictures of one folder in the Hugging Face `imagefolder` layout.
#[derive(Debug, Clone)]
pub struct Dataset {
    /// The pictures, in the order of `metadata.jsonl`.
    pub examples: Vec<Example>,
    /// Side of every picture, in pixels.
    pub size: usize,
}

#[derive(Deserialize)]
struct Row {
    file_name: String,
    text: String,
    caption: String,
    style: String,
}

impl Dataset {
    /// Reads `metadata.jsonl` and the pictures it names; all must be square and of one size.
    ///
    /// # Errors
    /// [`DatasetError`] naming the file and line.
    pub fn open(folder: impl AsRef<Path>) -> Result<Self, DatasetError> {
        let folder = folder.as_ref();
        let index = folder.join("metadata.jsonl");
        let text = std::fs::read_to_string(&index)
            .map_err(|source| DatasetError::Io { path: index.clone(), source })?;
        let mut examples = Vec::new();
        let mut size = 0;
        for (line, row) in text.lines().enumerate().filter(|(_, row)| !row.trim().is_empty()) {
            let row: Row = serde_json::from_str(row)
                .map_err(|error| broken(&index, format!("line {}: {error}", line + 1)))?;
            let path = folder.join(&row.file_name);
            let (pixels, side) = read_picture(&path)?;
            if size != 0 && side != size {
                return Err(broken(path, format!("expected {size} pixels, found {side}")));
            }
            size = side;
            let Row { file_name, text, caption, style } = row;
            examples.push(Example { file_name, text, caption, style, pixels });
        }
        if examples.is_empty() {
            return Err(broken(index, "no pictures"));
        }
        Ok(Self { examples, size })
    }

    /// Keeps the pictures whose concept is among `concepts`.
    pub fn retain_concepts(&mut self, concepts: &[String]) {
        self.examples.retain(|example| concepts.contains(&example.caption));
    }
}

fn read_picture(path: &PathBuf) -> Result<(Vec<f32>, usize), DatasetError> {
    let picture = image::open(path).map_err(|error| broken(path, error))?.into_rgb8();
    let (width, height) = picture.dimensions();
    if width != height {
        let reason = format!("expected a square picture, found {width}×{height}");
        return Err(broken(path, reason));
    }
    let side = width as usize;
    let mut pixels = vec![0.0; 3 * side * side];
    for (i, pixel) in picture.pixels().enumerate() {
        for (channel, value) in pixel.0.iter().enumerate() {
            pixels[channel * side * side + i] = f32::from(*value) / 127.5 - 1.0;
        }
    }
    Ok((pixels, side))
}

fn broken(path: impl Into<PathBuf>, reason: impl std::fmt::Display) -> DatasetError {
    DatasetError::Broken { path: path.into(), reason: reason.to_string() }
}

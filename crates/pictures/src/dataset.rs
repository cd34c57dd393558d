//! Captioned pictures in the Hugging Face `imagefolder` layout.

use std::path::Path;

use serde::Deserialize;

use crate::{PictureError, RgbImage};

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
    /// [`PictureError`] naming the file and line.
    pub fn open(folder: impl AsRef<Path>) -> Result<Self, PictureError> {
        let folder = folder.as_ref();
        let index = folder.join("metadata.jsonl");
        let text = files::read_to_string(&index)?;
        let mut examples = Vec::new();
        let mut size = None;
        for (line, row) in text.lines().enumerate().filter(|(_, row)| !row.trim().is_empty()) {
            let row: Row = serde_json::from_str(row).map_err(|error| {
                PictureError::broken(&index, format!("line {}: {error}", line + 1))
            })?;
            let path = folder.join(&row.file_name);
            let picture = RgbImage::open(&path)?;
            let [height, width] = picture.size();
            let side = *size.get_or_insert(width);
            if [height, width] != [side; 2] {
                let reason = format!("expected {side}×{side} pixels, found {width}×{height}");
                return Err(PictureError::broken(path, reason));
            }
            let pixels = picture.to_signed().values;
            let Row { file_name, text, caption, style } = row;
            examples.push(Example { file_name, text, caption, style, pixels });
        }
        match size {
            Some(size) => Ok(Self { examples, size }),
            None => {
                Err(PictureError::broken(index, "expected lines that name pictures, found none"))
            }
        }
    }

    /// Keeps the pictures whose concept is among `concepts`.
    pub fn retain_concepts(&mut self, concepts: &[String]) {
        self.examples.retain(|example| concepts.contains(&example.caption));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn picture(side: usize, height: usize) -> RgbImage {
        RgbImage { width: side, height, rgb: vec![255; 3 * side * height] }
    }

    #[test]
    fn sets_are_read_in_order_and_what_does_not_fit_is_named() {
        let folder = tempfile::tempdir().unwrap();
        let save = |name: &str, picture: RgbImage| {
            picture.save_png(folder.path().join(name), &[]).unwrap();
        };
        let write = |names: &[&str]| {
            let line = |name: &&str| {
                format!(
                    r#"{{"file_name": "{name}", "text": "a {name}", "caption": "{name}", "style": "flat"}}"#
                )
            };
            let lines: Vec<String> = names.iter().map(line).collect();
            std::fs::write(folder.path().join("metadata.jsonl"), lines.join("\n\n")).unwrap();
        };
        let open = || Dataset::open(folder.path());
        let message = || open().unwrap_err().to_string();
        assert!(message().contains("metadata.jsonl"));
        save("b.png", picture(4, 4));
        save("a.png", picture(4, 4));
        write(&["b.png", "a.png"]);
        let mut set = open().unwrap();
        assert_eq!((set.size, set.examples.len(), &set.examples[0].caption[..]), (4, 2, "b.png"));
        assert_eq!(set.examples[1].pixels, [1.0; 48]);
        set.retain_concepts(&["a.png".into()]);
        assert_eq!(set.examples.len(), 1);
        save("flat.png", picture(4, 3));
        write(&["b.png", "flat.png"]);
        assert!(message().contains("flat.png") && message().contains("4×3"), "{}", message());
        write(&["flat.png"]);
        assert!(message().contains("flat.png"), "{}", message());
        write(&["c.png"]);
        assert!(message().contains("c.png"));
        write(&[]);
        assert!(message().contains("found none"));
        std::fs::write(folder.path().join("metadata.jsonl"), "\n{\"file_name\": 3}").unwrap();
        assert!(message().contains("line 2"), "{}", message());
    }
}

//! Text that PNG files carry.

use std::fs::File;
use std::io::BufReader;
use std::path::Path;

use files::FileError;
use png::Decoder;

use crate::PictureError;

/// Most bytes of the chunks before the pixels.
const LONGEST: usize = 64 << 20;

/// The text of `keyword` in a PNG file, where it stands before the pixels.
///
/// # Errors
/// [`PictureError`] where the file cannot be read, or is no PNG.
pub fn png_text(path: impl AsRef<Path>, keyword: &str) -> Result<Option<String>, PictureError> {
    let path = path.as_ref();
    let file = File::open(path).map_err(FileError::at(path))?;
    let broken = |error: png::DecodingError| PictureError::broken(path, format!("PNG: {error}"));
    let limits = png::Limits { bytes: LONGEST };
    let decoder = Decoder::new_with_limits(BufReader::new(file), limits);
    let reader = decoder.read_info().map_err(broken)?;
    let info = reader.info();
    let latin = info.uncompressed_latin1_text.iter().find(|chunk| chunk.keyword == keyword);
    if let Some(chunk) = latin {
        return Ok(Some(chunk.text.clone()));
    }
    match info.utf8_text.iter().find(|chunk| chunk.keyword == keyword) {
        Some(chunk) => chunk.get_text().map(Some).map_err(broken),
        None => Ok(None),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::RgbImage;

    #[test]
    fn png_text_reads_what_was_written_in_either_form() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.png");
        let picture = RgbImage { width: 1, height: 1, rgb: vec![1, 2, 3] };
        picture.save_png(&path, &[("a", "Bär\nx"), ("b", "漢字 ★")]).unwrap();
        assert_eq!(png_text(&path, "a").unwrap().as_deref(), Some("Bär\nx"));
        assert_eq!(png_text(&path, "b").unwrap().as_deref(), Some("漢字 ★"));
        assert_eq!(png_text(&path, "c").unwrap(), None);
        std::fs::write(&path, "no picture").unwrap();
        assert!(png_text(&path, "a").unwrap_err().to_string().contains("a.png"));
        assert!(png_text(folder.path().join("none.png"), "a").is_err());
    }
}

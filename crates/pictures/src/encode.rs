//! PNG files out, with text that other tools show.

use std::path::Path;

use files::write_atomically;
use png::{BitDepth, ColorType, Encoder, EncodingError};

use crate::{EncodeError, PictureError, RgbImage};

impl RgbImage {
    /// The picture as a PNG file with `text` in it: pairs of keyword and text,
    /// uncompressed: as Latin-1 (`tEXt`), which every tool reads, where it can be, else as
    /// international text (`iTXt`).
    ///
    /// # Errors
    /// [`EncodeError`] for a picture that does not fit its size or a keyword PNG does not allow.
    pub fn to_png(&self, text: &[(&str, &str)]) -> Result<Vec<u8>, EncodeError> {
        self.check().map_err(|error| EncodeError(error.to_string()))?;
        let side = |length: usize| {
            u32::try_from(length).map_err(|_| EncodeError(format!("a side of {length} pixels")))
        };
        let (width, height) = (side(self.width)?, side(self.height)?);
        let encode = || -> Result<Vec<u8>, EncodingError> {
            let mut bytes = Vec::new();
            let mut encoder = Encoder::new(&mut bytes, width, height);
            encoder.set_color(ColorType::Rgb);
            encoder.set_depth(BitDepth::Eight);
            for (keyword, text) in text {
                match text.chars().all(|character| (character as u32) < 256) {
                    true => encoder.add_text_chunk((*keyword).into(), (*text).into())?,
                    false => encoder.add_itxt_chunk((*keyword).into(), (*text).into())?,
                }
            }
            let mut writer = encoder.write_header()?;
            writer.write_image_data(&self.rgb)?;
            writer.finish()?;
            Ok(bytes)
        };
        encode().map_err(|error| EncodeError(error.to_string()))
    }

    /// Writes [`Self::to_png`] to `path`; the file appears complete or not at all.
    ///
    /// # Errors
    /// [`PictureError::Encode`] or [`PictureError::File`], naming the file.
    pub fn save_png(
        &self,
        path: impl AsRef<Path>,
        text: &[(&str, &str)],
    ) -> Result<(), PictureError> {
        let path = path.as_ref();
        let bytes = self
            .to_png(text)
            .map_err(|source| PictureError::Encode { path: path.into(), reason: source })?;
        Ok(write_atomically(path, bytes)?)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn png_files_are_read_back_and_carry_their_text() {
        let picture = RgbImage { width: 2, height: 1, rgb: vec![255, 0, 7, 0, 0, 255] };
        let texts = [("parameters", "ein Bär"), ("other", "ein ★"), ("unet-reweight", "{}")];
        let bytes = picture.to_png(&texts).unwrap();
        assert_eq!(RgbImage::decode(&bytes).unwrap(), picture);
        let place = |text: &[u8]| bytes.windows(text.len()).position(|window| window == text);
        let (latin, wide) = (place(b"tEXtparameters\0ein B\xe4r"), place("ein ★".as_bytes()));
        assert!(latin.unwrap() < place(b"tEXtunet-reweight\0{}").unwrap() && wide.is_some());
        assert!(place(b"iTXtother\0").is_some());
    }

    #[test]
    fn pictures_that_do_not_fit_their_size_are_refused() {
        let picture = RgbImage { width: 2, height: 2, rgb: vec![0; 3] };
        let message = picture.to_png(&[]).unwrap_err().to_string();
        assert!(message.contains("expected 12 values"), "{message}");
        let whole = RgbImage { width: 1, height: 1, rgb: vec![0; 3] };
        assert!(whole.to_png(&[("", "no keyword")]).is_err());
    }
}
